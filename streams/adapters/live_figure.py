"""What live state holds of one site, and up to which offset that is: one atomic read.

The fence moves in the same step as the counts, so the two together say exactly which events are in them. Called by
``adapters.evidence``.
"""

from dataclasses import dataclass
from itertools import islice

from streams.adapters import live_keys
from streams.adapters.redis_client import reading
from streams.config import Settings
from streams.core import occupancy
from streams.core.days import HOUR_MS, MINUTE_MS, hours_between
from streams.core.occupancy import Correction
from streams.core.partitions import partition_of
from streams.topology import AGENTS, OCCUPANCY_CORRECTION, PARTITIONS, TICKET_SCAN


@dataclass(frozen=True, slots=True)
class Clock:
    """A site's last event and its watermark, epoch ms; ``None`` where nothing is known."""

    occurred_ms: int | None
    watermark_ms: int | None


@dataclass(frozen=True, slots=True)
class LiveFigure:
    """Counts of some hours of a site.

    Attributes:
        scans_upto, said_upto: last offset of scans, and of corrections, that is in them; ``None``: nothing is counted.
        cells: (gate, epoch minute, metric) → people.
        corrections: all that are kept, of the site and its zones.
        totals: metric → people of the business day that was asked for.
    """

    clock: Clock
    scans_upto: int | None
    said_upto: int | None
    cells: dict[tuple[str, int, str], int]
    corrections: tuple[Correction, ...]
    totals: dict[str, int]


def clock(settings: Settings, site_id: str) -> Clock:
    """A site's clock; raises ``Unavailable``."""
    with reading(settings.redis_url) as client:
        told = client.hmget(
            live_keys.level(partition_of(site_id, PARTITIONS), site_id), ["occurred_ms", "watermark_ms"]
        )
    return Clock(*map(_number, told))


def read(settings: Settings, site_id: str, span: tuple[int, int], day: str) -> LiveFigure:
    """Counts of the UTC hours that ``[start_ms, end_ms)`` touches, and of a business day.

    Raises:
        Unavailable: Redis is away.
    """
    partition = partition_of(site_id, PARTITIONS)
    fences = [live_keys.fence_field(AGENTS, family.topic) for family in (TICKET_SCAN, OCCUPANCY_CORRECTION)]
    with reading(settings.redis_url) as client:
        pipe = client.pipeline(transaction=True)
        pipe.hmget(live_keys.fence(partition), fences)
        pipe.hmget(live_keys.level(partition, site_id), ["occurred_ms", "watermark_ms"])
        pipe.hgetall(live_keys.corrections(partition, site_id))
        pipe.hgetall(live_keys.day(partition, site_id, day))
        for hour in hours_between(*span):
            pipe.hgetall(live_keys.cells(partition, site_id, hour))
        answers = iter(pipe.execute())
    upto, told, said, totals = islice(answers, 4)
    cells = {}
    for place, found in enumerate(answers, span[0] // HOUR_MS):
        first = place * HOUR_MS // MINUTE_MS
        for name, people in found.items():
            gate, minute, metric = name.rsplit("|", 2)
            cells[gate, first + int(minute), metric] = int(people)
    day_totals = {metric: int(people) for metric, people in totals.items()}
    scans_upto, said_upto = map(_number, upto)
    return LiveFigure(Clock(*map(_number, told)), scans_upto, said_upto, cells, occupancy.corrections(said), day_totals)


def _number(text: bytes | str | None) -> int | None:
    return None if text is None else int(text)
