"""Where people take alerts over: finds the one that is meant and acknowledges it, published before it is saved.

The same way for everybody, so that a page and a command can never say two things: ``musee alerts ack`` and
``POST /v1/alerts/{alert_id}/acknowledge``.
"""

import time
from collections.abc import Callable, Collection

from streams.adapters import alert_changes, alert_tail
from streams.adapters.alert_store import AlertStore, Place
from streams.adapters.alert_view import AlertView
from streams.adapters.producer import Producer
from streams.core.alerts import Alert, RefusedAcknowledgement, acknowledge
from streams.core.days import HOUR_MS
from streams.errors import Unavailable

_KEPT_MS = 30 * 24 * HOUR_MS  # how far back an id is looked for
_READ_BACK = "its alerts are being read back; ask again in a moment"

Choose = Callable[[Collection[Alert]], Alert | None]
"""Some alerts → the one that is meant."""


class AlertDesk:
    """Connects at the first call; use it in one event loop, and close it.

    Args:
        redis_url: of the live store.
        kafka_servers: bootstrap servers.
        client_id: as it shows in the broker's metrics.
        answer_s: seconds after which a publication counts as failed.
    """

    def __init__(self, redis_url: str, kafka_servers: str, client_id: str, answer_s: float) -> None:
        self._view = AlertView(redis_url)
        self._store = AlertStore(redis_url)
        self._producer = Producer(kafka_servers, client_id, answer_s=answer_s)
        self._servers = kafka_servers

    async def close(self) -> None:
        """Close the connections."""
        await self._producer.stop()
        await self._store.close()
        await self._view.close()

    async def find(self, choose: Choose) -> Alert | None:
        """The alert that is meant: of the live store, else of the topic, which knows those that others followed.

        Raises:
            Unavailable: a store is away, or it may be among those that are being read back.
        """
        found = choose(await self._view.alerts())
        unknown = self._view.unknown
        if found is None:
            found = choose((await alert_tail.recent(self._servers, _now_ms() - _KEPT_MS)).values())
        if found is None and unknown:
            raise Unavailable("redis", f"alerts of {len(unknown)} partitions are being read back; ask again soon")
        return found

    async def take_over(self, alert: Alert, who: str, until_ms: int, seen: int | None = None) -> Alert:
        """Acknowledge an alert that was found; returns what was published.

        Args:
            alert: as it was found; what holds is how it stands now.
            who: a post, not the name of a person.
            until_ms: time of day, epoch ms.
            seen: version that its taker looked at; with another one nothing is changed. ``None`` takes any.

        Raises:
            RefusedAcknowledgement: nothing was changed.
            Unavailable: a store is away. What was decided may be said later, by somebody.
        """
        now_ms = _now_ms()

        def decide(stands: Alert | None, used: int) -> Alert:
            if stands is not None and stands.alert_id == alert.alert_id:
                if seen not in (None, stands.version) and stands.is_open:
                    raise RefusedAcknowledgement("changed-alert", f"{alert.alert_id} changed meanwhile: {_now(stands)}")
                return acknowledge(stands, who, until_ms, now_ms, used=used)
            if stands is None and alert.is_open:
                raise Unavailable("redis", _READ_BACK)
            if not alert.is_open:
                return acknowledge(alert, who, until_ms, now_ms, used=used)  # which says when it was resolved
            raise RefusedAcknowledgement(
                "closed-alert", f"{alert.alert_id} was resolved meanwhile; musee alerts list shows what is open"
            )

        if not await self._producer.reachable():  # asked first: what is reserved is said, however late
            raise Unavailable("kafka", "nothing was changed")
        said = await alert_changes.change(self._store, self._producer, Place(alert.rule, alert.scope), decide)
        return alert if said is None else said


def _now(alert: Alert) -> str:
    return "nobody looks after it" if alert.acknowledged_by is None else f"{alert.acknowledged_by} looks after it"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
