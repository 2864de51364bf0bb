"""Reads the live state for people: changed sites, figures of a business day, how old they are.

The other side of ``adapters.live_store``; only reads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from streams.adapters import live_keys
from streams.adapters.redis_client import connect, translated
from streams.adapters.window_store import said_of as window_of
from streams.core import occupancy
from streams.core.attendance import TICKET_PARTS
from streams.core.days import hour_name
from streams.core.occupancy import Correction
from streams.core.rebuilding import Rebuild
from streams.core.windows import Said
from streams.topology import AGENTS, LIVE

Cells = dict[tuple[str, int, str], int]  # (gate, epoch minute, metric) → people


@dataclass(frozen=True, slots=True)
class Level:
    """What a site said last; epoch ms, ``None`` before its first event."""

    occurred_ms: int | None
    received_ms: int | None


@dataclass(frozen=True, slots=True)
class Life:
    """Since when a partition's state is counted without a break, and what is still being counted anew.

    Attributes:
        since_ms: epoch ms of its first fence; another one when it was emptied and begun anew, ``None`` in between.
        rebuilds: topic → the rebuild, and how many of its records are left.
    """

    since_ms: int | None
    rebuilds: dict[str, tuple[Rebuild, int]]


_rebuild = msgspec.json.Decoder(Rebuild).decode


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to read of one site; hours are UTC hour names, where they map to a number it is their first epoch minute.

    Attributes:
        day: business day whose totals are wanted.
        cells: hours whose minute cells are wanted.
        counts: hours whose other counts are wanted.
        presence: hours whose sessions per zone are wanted.
        grain: minutes that a cell is to cover, a divisor of 60; it is found under its first one.
    """

    site_id: str
    partition: int
    day: str
    cells: Mapping[str, int]
    counts: Sequence[str]
    presence: Mapping[str, int]
    grain: int = 1


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of it.

    Attributes:
        cells: hour → minute cells.
        counts: hour → metric → number.
        sessions: (zone, epoch minute) → distinct sessions.
        devices: (device, ``occurred_ms`` or ``received_ms``) → epoch ms of its last sign of life.
        totals: metric → people of the day, read last: who finds less in the cells than here has not read enough.
        corrections: what was said about the people inside; the cells of an anchor's hour are of one minute each.
        tickets: distinct tickets of the day's accepted entries, as the sketches estimate them.
    """

    cells: dict[str, Cells]
    counts: dict[str, dict[str, int]]
    sessions: dict[tuple[str, int], int]
    devices: dict[tuple[str, str], int]
    totals: dict[str, int]
    corrections: tuple[Correction, ...] = ()
    tickets: int = 0


# The same few thousand names of cells stand in every hour of every site.
@lru_cache(maxsize=65_536)
def _cell(field: bytes, grain: int) -> tuple[str, int, str]:
    """Gate, first minute of the cell within its hour, and metric."""
    gate, minute, metric = field.decode(errors="replace").rsplit("|", 2)
    return gate, int(minute) - int(minute) % grain, metric


@lru_cache(maxsize=65_536)
def _pair(field: bytes) -> tuple[str, str]:
    """Zone and minute, or device and clock."""
    name, _, what = field.decode(errors="replace").rpartition("|")
    return name, what


def _numbers(found: Mapping[bytes, bytes]) -> dict[str, int]:
    return {metric.decode(errors="replace"): int(value) for metric, value in found.items()}


def said_of(found: Mapping[bytes, bytes]) -> tuple[Correction, ...]:
    """The corrections in a hash of them."""
    text = {name.decode(errors="replace"): said.decode(errors="replace") for name, said in found.items()}
    return occupancy.corrections(text)


def _cells(found: Mapping[bytes, bytes], first_minute: int, grain: int) -> Cells:
    sums: Cells = {}
    for field, value in found.items():
        cell = _cell(field, grain)
        sums[cell] = sums.get(cell, 0) + int(value)
    return {(gate, first_minute + minute, metric): people for (gate, minute, metric), people in sums.items()}


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

    async def lives(self, partitions: Sequence[int]) -> dict[int, Life]:
        """What each partition's state goes back to."""
        topics = {live_keys.fence_field(AGENTS, family.topic): family.topic for family in LIVE}
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            for partition in partitions:
                pipe.hmget(live_keys.fence(partition), live_keys.SINCE_FIELD, *topics)
                pipe.hmget(live_keys.rebuilt(partition), *topics)
            answers = await pipe.execute()
        found = {}
        for partition, (since, *fences), notes in zip(partitions, answers[::2], answers[1::2], strict=True):
            rebuilds = {}
            for topic, fence, note in zip(topics.values(), fences, notes, strict=True):
                if note is not None:
                    rebuild = _rebuild(note)
                    rebuilds[topic] = rebuild, rebuild.left(None if fence is None else int(fence))
            found[partition] = Life(None if since is None else int(since), rebuilds)
        return found

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
        return [_numbers(one) for one in found]

    async def read(self, wanted: Sequence[Wanted]) -> list[Found]:
        """Figures of some sites in one round trip."""
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            for one in wanted:
                pipe.hgetall(live_keys.corrections(one.partition, one.site_id))
                for hour in one.cells:
                    pipe.hgetall(live_keys.cells(one.partition, one.site_id, hour))
                for hour in one.counts:
                    pipe.hgetall(live_keys.hours(one.partition, one.site_id, hour))
                for hour in one.presence:
                    pipe.hgetall(live_keys.presence(one.partition, one.site_id, hour))
                pipe.hgetall(live_keys.devices(one.partition, one.site_id))
                for sketch in live_keys.uniques(one.partition, one.site_id, one.day):
                    pipe.pfcount(sketch)
                pipe.hgetall(live_keys.day(one.partition, one.site_id, one.day))
            answers = iter(await pipe.execute())
        found = []
        for one in wanted:
            said = said_of(next(answers))
            fine = {hour_name(correction.occurred_ms) for correction in said if correction.is_anchor}
            cells = {
                hour: _cells(next(answers), first, 1 if hour in fine else one.grain)
                for hour, first in one.cells.items()
            }
            counts = {hour: _numbers(next(answers)) for hour in one.counts}
            sessions = {}
            for first in one.presence.values():
                for field, value in next(answers).items():
                    zone, minute = _pair(field)
                    sessions[zone, first + int(minute)] = int(value)
            devices = {}
            for field, value in next(answers).items():
                devices[_pair(field)] = int(value)
            tickets = sum(int(next(answers)) for _ in range(TICKET_PARTS))
            found.append(Found(cells, counts, sessions, devices, _numbers(next(answers)), said, tickets))
        return found

    async def windows(self, partition: int, site_id: str, hours: Sequence[str]) -> tuple[dict[int, Said], int | None]:
        """Start of each quarter-hour of these UTC hours → what was said of it last; and the site's watermark."""
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            for hour in hours:
                pipe.hgetall(live_keys.windows(partition, site_id, hour))
            pipe.hget(live_keys.level(partition, site_id), "watermark_ms")
            *answers, watermark = await pipe.execute()
        told = {int(start): window_of(text) for told in answers for start, text in told.items() if start.isdigit()}
        return told, None if watermark is None else int(watermark)
