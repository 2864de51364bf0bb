"""How much of what lay in Kafka at the first question has not arrived yet.

Unlike the lag, which never stands at zero while something keeps sending, this only falls. For ``check.quiet``.
"""

import asyncio

from streams.adapters import lag
from streams.config import Settings

_Place = tuple[str, str, int]


class Backlog:
    """Asked again and again: consumer group → records of before the first question that it is behind."""

    def __init__(self, settings: Settings) -> None:
        self._servers = settings.kafka_servers
        self._ends: dict[_Place, int] = {}

    def __call__(self) -> dict[str, int]:
        """Measure; raises ``Unavailable`` if Kafka does not answer."""
        rows = asyncio.run(lag.measure(self._servers))
        if not self._ends:
            self._ends = {(one.group, one.topic, one.partition): one.end for one in rows}
        behind = dict.fromkeys((one.group for one in rows), 0)
        for one in rows:
            place = (one.group, one.topic, one.partition)
            reached = one.start if one.committed is None else one.committed
            behind[one.group] += max(0, self._ends.get(place, 0) - reached)
        return behind
