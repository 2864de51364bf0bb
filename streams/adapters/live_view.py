"""Reads the live state for people: changed sites, figures of a business day, how old they are.

The other side of ``adapters.live_store``; only reads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streams.adapters import live_keys
from streams.adapters.redis_client import connect, translated
from streams.topology import AGENTS, LIVE

Cells = dict[tuple[str, int, str], int]  # (gate, epoch minute, metric) → people


@dataclass(frozen=True, slots=True)
class Level:
    """What a site said last; epoch ms, ``None`` before its first event."""

    occurred_ms: int | None
    received_ms: int | None


class LiveView:
    """Live state as the console reads it; every method raises ``Unavailable("redis")``."""

    def __init__(self, url: str) -> None:
        self._redis = connect(url)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def confirmed(self, partitions: Sequence[int]) -> dict[int, int | None]:
        """Epoch ms until which everything appended to a partition is counted, over all live topics."""
        fields = [live_keys.fence_field(AGENTS, family.topic) for family in LIVE]
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            for partition in partitions:
                pipe.hmget(live_keys.confirmed(partition), *fields)
            found = await pipe.execute()
        return {
            partition: None if None in said else min(map(int, said))
            for partition, said in zip(partitions, found, strict=True)
        }

    async def changed(self, since: Mapping[int, int]) -> dict[int, list[tuple[str, int]]]:
        """Per partition the sites changed after version ``since``, with the version of their last change."""
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            for partition, version in since.items():
                pipe.zrangebyscore(live_keys.changed(partition), f"({version}", "+inf", withscores=True)
            found = await pipe.execute()
        return {
            partition: [(name.decode(errors="replace"), int(score)) for name, score in members]
            for partition, members in zip(since, found, strict=True)
        }

    async def newest(self, partitions: Sequence[int]) -> dict[int, int]:
        """Version of the last change per partition; smaller than before when the store came back from an older log."""
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            for partition in partitions:
                pipe.get(live_keys.changes(partition))
            found = await pipe.execute()
        return {partition: int(value or 0) for partition, value in zip(partitions, found, strict=True)}

    async def levels(self, sites: Mapping[str, int]) -> dict[str, Level]:
        """What each site (→ its partition) said last."""
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            for site_id, partition in sites.items():
                pipe.hmget(live_keys.level(partition, site_id), "occurred_ms", "received_ms")
            found = await pipe.execute()
        return {
            site_id: Level(*(None if value is None else int(value) for value in values))
            for site_id, values in zip(sites, found, strict=True)
        }

    async def totals(self, wanted: Sequence[tuple[int, str, str]]) -> list[dict[str, int]]:
        """Metric → people of each (partition, site, business day)."""
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            for partition, site_id, day in wanted:
                pipe.hgetall(live_keys.day(partition, site_id, day))
            found = await pipe.execute()
        return [{metric.decode(): int(value) for metric, value in one.items()} for one in found]

    async def cells(self, wanted: Sequence[tuple[int, str, Mapping[str, int]]]) -> list[Cells]:
        """Minute cells of each (partition, site, UTC hour name → its epoch minute)."""
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            for partition, site_id, hours in wanted:
                for hour in hours:
                    pipe.hgetall(live_keys.cells(partition, site_id, hour))
            answers = iter(await pipe.execute())
        found = []
        for _, _, hours in wanted:
            cells: Cells = {}
            for first_minute in hours.values():
                for field, value in next(answers).items():
                    gate, minute, metric = field.decode(errors="replace").rsplit("|", 2)
                    cells[gate, first_minute + int(minute), metric] = int(value)
            found.append(cells)
        return found
