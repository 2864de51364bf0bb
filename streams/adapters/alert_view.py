"""Reads the alerts of all partitions for people, in one round trip; the other side of ``adapters.alert_store``.

What is reserved and not published yet is not told. Asked once a second by ``console.alerts``, so what did not change is
not decoded again; and once by ``musee alerts``.
"""

from collections.abc import Mapping

import msgspec

from streams.adapters import alert_store
from streams.adapters.redis_client import connect, translated
from streams.core.alerts import Alert
from streams.topology import PARTITIONS


class _Text(msgspec.Struct):
    """What is read of a field; the rest of it is the store's affair."""

    alert: Alert | None = None


_decode = msgspec.json.Decoder(_Text).decode


def _alert(text: bytes) -> Alert | None:
    try:
        return _decode(text).alert
    except msgspec.ValidationError:  # of a newer program; the agents log it
        return None


class AlertView:
    """The alerts of live state as people read them.

    Args:
        url: of Redis or Valkey.

    Attributes:
        unknown: partitions whose alerts were not read back since the store was emptied, as of the last reading.
    """

    def __init__(self, url: str) -> None:
        self._redis = connect(url)
        self.unknown: tuple[int, ...] = ()
        self._known: dict[bytes, tuple[bytes, Alert | None]] = {}  # field → its text, and the alert in it

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def alerts(self) -> list[Alert]:
        """Every alert as it was last said: open, acknowledged, and the last resolved one of each rule and scope.

        Raises:
            Unavailable: Redis is away.
        """
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            for partition in range(PARTITIONS):
                pipe.hgetall(alert_store.key(partition))
            answers: list[Mapping[bytes, bytes]] = await pipe.execute()
        known = {}
        for fields in answers:
            for name, text in fields.items():
                if b"|" not in name:  # the store's own mark
                    continue
                stood = self._known.get(name)
                known[name] = stood if stood is not None and stood[0] == text else (text, _alert(text))
        self._known = known
        self.unknown = tuple(part for part, fields in enumerate(answers) if alert_store.MARK not in fields)
        return [alert for _, alert in known.values() if alert is not None]
