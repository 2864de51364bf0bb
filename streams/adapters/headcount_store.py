"""What the live store holds of the people inside one site, in one atomic read: counts, corrections, the day's totals.

Only the hours that are asked for are read: most hours of a day change no more, and the totals show when one did.
Raises ``Unavailable("redis")``. Called by ``agents.headcounts``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from streams.adapters import live_keys
from streams.adapters.live_view import said_of
from streams.adapters.redis_client import connect, translated
from streams.core.days import hour_name
from streams.core.occupancy import Correction

Cells = dict[tuple[str, int, str], int]  # (gate, first epoch minute, metric) → people


@dataclass(frozen=True, slots=True)
class Headcount:
    """What was found of a site.

    Attributes:
        cells: UTC hour → cells of ``grain`` minutes, of one minute each in the hour of an anchor.
        corrections: what was said about the people inside.
        totals: metric → people of the business day.
    """

    cells: dict[str, Cells]
    corrections: tuple[Correction, ...]
    totals: dict[str, int]


@lru_cache(maxsize=65_536)  # the same few thousand names stand in every hour of every site
def _cell(field: bytes, grain: int) -> tuple[str, int, str]:
    gate, minute, metric = field.decode(errors="replace").rsplit("|", 2)
    return gate, int(minute) - int(minute) % grain, metric


class HeadcountStore:
    """Counts of live state.

    Args:
        url: of Redis or Valkey.
    """

    def __init__(self, url: str) -> None:
        self._redis = connect(url)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def read(self, partition: int, site_id: str, day: str, hours: Mapping[str, int], grain: int) -> Headcount:
        """Read some hours of a site.

        Args:
            partition: where it lives.
            site_id: whose.
            day: the business day whose totals are wanted, ``2026-07-14``.
            hours: UTC hour → its first epoch minute.
            grain: minutes that a cell is to cover, a divisor of 60; it is found under its first one.
        """
        with translated():
            pipe = self._redis.pipeline(transaction=True)
            pipe.hgetall(live_keys.corrections(partition, site_id))
            pipe.hgetall(live_keys.day(partition, site_id, day))
            for hour in hours:
                pipe.hgetall(live_keys.cells(partition, site_id, hour))
            said, totals, *found = await pipe.execute()
        corrections = said_of(said)
        fine = {hour_name(one.occurred_ms) for one in corrections if one.is_anchor}
        cells = {}
        for (hour, first), fields in zip(hours.items(), found, strict=True):
            sums: Cells = {}
            for field, people in fields.items():
                gate, minute, metric = _cell(field, 1 if hour in fine else grain)
                cell = gate, first + minute, metric
                sums[cell] = sums.get(cell, 0) + int(people)
            cells[hour] = sums
        return Headcount(cells, corrections, {name.decode(errors="replace"): int(n) for name, n in totals.items()})
