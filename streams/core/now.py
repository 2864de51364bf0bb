"""What a site looks like now: figures of its current business day, and whether they may be believed.

Takes what the live store holds of a site, gives what the page and ``/v1/now`` say. Pure; ``now_ms`` is an argument.
Called by ``console.feed``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from streams.core import occupancy
from streams.core.days import HOUR_MS, MINUTE_MS, bounds, business_day, hours_between
from streams.core.occupancy import Correction
from streams.core.sites import Site

State = Literal["live", "quiet", "stale", "rebuilding"]
STALE_AFTER_MS = 4_000  # so that a page shows it within five seconds
QUIET_AFTER_MS = 5_000
QUARTER_MINUTES = 15
QUARTER_MS = QUARTER_MINUTES * MINUTE_MS
METRICS = ("entries", "exits", "denied")

Cells = Mapping[tuple[str, int, str], int]  # (gate, epoch minute, or first one of a quarter-hour, metric) → people


@dataclass(frozen=True, slots=True)
class Day:
    """A site's business day, ``[start_ms, end_ms)`` UTC."""

    day: date
    start_ms: int
    end_ms: int

    def hours(self) -> dict[str, int]:
        """UTC hour name → its first epoch minute, for every hour that the day touches."""
        first = self.start_ms - self.start_ms % (60 * MINUTE_MS)
        names = hours_between(self.start_ms, self.end_ms)
        return {name: first // MINUTE_MS + 60 * place for place, name in enumerate(names)}

    def own_hours(self) -> list[str]:
        """Names of the UTC hours that count for the day as a whole: those that start in it."""
        first = -(-self.start_ms // HOUR_MS) * HOUR_MS
        return hours_between(first, self.end_ms)


def current_day(site: Site, occurred_ms: int | None, now_ms: int) -> Day:
    """The day a site is in: by the wall clock, or by its events if it is replayed."""
    clock_ms = occurred_ms if site.replay and occurred_ms is not None else now_ms
    day = business_day(clock_ms, site.time_zone, site.business_day_end_hour)
    return Day(day, *bounds(day, site.time_zone, site.business_day_end_hour))


def state(now_ms: int, confirmed_ms: int | None, received_ms: int | None, *, rebuilding: bool = False) -> State:
    """``rebuilding``: what was lost is being counted again; ``stale``: nobody vouches for the count; ``quiet``: it is
    right, and no scan came lately; else ``live``.
    """
    if rebuilding:
        return "rebuilding"
    if confirmed_ms is None or now_ms - confirmed_ms > STALE_AFTER_MS:
        return "stale"
    if received_ms is None or now_ms - received_ms > QUIET_AFTER_MS:
        return "quiet"
    return "live"


def by_gate(cells: Cells, day: Day) -> dict[str, dict[str, int]]:
    """Gate → metric → people of the day."""
    gates: dict[str, dict[str, int]] = {}
    first, end = day.start_ms // MINUTE_MS, day.end_ms // MINUTE_MS
    for (gate, minute, metric), people in cells.items():
        if first <= minute < end and metric in METRICS:  # a newer agent may count more
            sums = gates.setdefault(gate, dict.fromkeys(METRICS, 0))
            sums[metric] += people
    return gates


def quarters(cells: Cells, day: Day, until_ms: int, corrections: Iterable[Correction] = ()) -> list[dict[str, int]]:
    """The day's line: quarter-hours up to ``until_ms``, each with its flow and the corrected level at its end."""
    first = day.start_ms // QUARTER_MS
    sums: dict[int, dict[str, int]] = {}
    for (_, minute, metric), people in cells.items():
        at_ms = minute * MINUTE_MS
        if day.start_ms <= at_ms < day.end_ms and metric in METRICS:
            flow = sums.setdefault(at_ms // QUARTER_MS, dict.fromkeys(METRICS, 0))
            flow[metric] += people
    last = min(until_ms, day.end_ms - 1) // QUARTER_MS
    shown = range(first, last + 1)
    levels = occupancy.line(cells, corrections, day.start_ms, [(quarter + 1) * QUARTER_MS for quarter in shown])
    nobody = dict.fromkeys(METRICS, 0)
    return [
        {"start_ms": quarter * QUARTER_MS, **sums.get(quarter, nobody), "inside": max(level, 0)}
        for quarter, level in zip(shown, levels, strict=True)
    ]
