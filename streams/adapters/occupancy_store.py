"""What the live store holds of the people inside sites, as the loop reads it to write resets.

Every method raises ``Unavailable("redis")``. Called by ``agents.resets``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streams.adapters import live_keys
from streams.adapters.live_view import said_of
from streams.adapters.redis_client import connect, translated
from streams.core.days import HOUR_MS, MINUTE_MS, hours_between
from streams.core.occupancy import Correction
from streams.topology import LIVE


@dataclass(frozen=True, slots=True)
class Heard:
    """A site's clock, epoch ms (``None`` where nothing is known), and its corrections."""

    occurred_ms: int | None
    received_ms: int | None
    watermark_ms: int | None
    corrections: tuple[Correction, ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """Cells of one minute each, (gate, epoch minute, metric) → people, and corrections, of the same moment."""

    cells: dict[tuple[str, int, str], int]
    corrections: tuple[Correction, ...]


class OccupancyStore:
    """Corrections and counts of live state.

    Args:
        url: of Redis or Valkey.
        app: name of the application that counts.
    """

    def __init__(self, url: str, app: str) -> None:
        self._redis = connect(url)
        self._fields = [live_keys.fence_field(app, family.topic) for family in LIVE]

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def look(self, partition: int, site_ids: Sequence[str]) -> tuple[int | None, dict[str, Heard]]:
        """Until when everything appended to a partition is counted, and the clocks and corrections of some sites.

        ``None`` while the partition is being counted up from Kafka.
        """
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            pipe.hmget(live_keys.confirmed(partition), self._fields)
            for name in site_ids:
                pipe.hmget(live_keys.level(partition, name), "occurred_ms", "received_ms", "watermark_ms")
                pipe.hgetall(live_keys.corrections(partition, name))
            told, *answers = await pipe.execute()
        heard = {}
        for name, level, said in zip(site_ids, answers[::2], answers[1::2], strict=True):
            occurred_ms, received_ms, watermark_ms = (None if value is None else int(value) for value in level)
            heard[name] = Heard(occurred_ms, received_ms, watermark_ms, said_of(said))
        return None if None in told else min(map(int, told)), heard

    async def read(self, partition: int, site_id: str, span: tuple[int, int]) -> Counted:
        """What was counted and corrected in the UTC hours that ``[start_ms, end_ms)`` touches, in one atomic step."""
        first_ms = span[0] // HOUR_MS * HOUR_MS
        with translated():
            pipe = self._redis.pipeline(transaction=True)
            pipe.hgetall(live_keys.corrections(partition, site_id))
            for hour in hours_between(*span):
                pipe.hgetall(live_keys.cells(partition, site_id, hour))
            said, *hours = await pipe.execute()
        cells = {}
        for place, found in enumerate(hours):
            first = (first_ms + place * HOUR_MS) // MINUTE_MS
            for name, people in found.items():
                gate, minute, metric = name.decode(errors="replace").rsplit("|", 2)
                cells[gate, first + int(minute), metric] = int(people)
        return Counted(cells, said_of(said))

    async def forget(self, partition: int, old: Mapping[str, Sequence[Correction]]) -> None:
        """Take corrections of sites away."""
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            for name, said in old.items():
                pipe.hdel(live_keys.corrections(partition, name), *(one.name for one in said))
            await pipe.execute()
