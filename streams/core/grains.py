"""A day in hours: the sums of its quarter-hours, by the clock on the site's wall, and what each gate counted in them.

An hour begins where the local clock says :00, also where the zone lies half an hour off UTC and where the clock is put
back: the hour that comes twice is two. Pure. Called by ``console.feed`` and ``console.pages``.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from streams.core.days import MINUTE_MS
from streams.core.now import METRICS, Cells, Day
from streams.core.windows import Counts, Said, is_due

Grain = Literal["quarter", "hour"]
Status = Literal["final", "revising", "provisional"]


def hour_start(at_ms: int, zone: str) -> int:
    """Start of the local hour that an instant (epoch ms, UTC, on a minute) lies in."""
    return at_ms - datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone)).minute * MINUTE_MS - at_ms % MINUTE_MS


def hourly(bins: Iterable[Mapping[str, int]], zone: str) -> list[dict[str, int]]:
    """Quarter-hours in ascending order, as ``core.now.quarters`` gives them, summed up by local hours.

    The level of an hour is that of its last quarter-hour. A day that begins within an hour has a short first one, which
    begins with the day.
    """
    found: list[dict[str, int]] = []
    of = None
    for one in bins:
        hour = hour_start(one["start_ms"], zone)
        if of != hour:
            found.append({"start_ms": one["start_ms"], **dict.fromkeys(METRICS, 0), "inside": 0})
            of = hour
        for metric in METRICS:
            found[-1][metric] += one[metric]
        found[-1]["inside"] = one["inside"]
    return found


def gate_hours(cells: Cells, day: Day, zone: str) -> dict[str, dict[int, Counts]]:
    """Gate → start of each local hour of the day with a count, ascending → its counts."""
    sums: dict[str, dict[int, dict[str, int]]] = {}
    for (gate, minute, metric), people in cells.items():
        at_ms = minute * MINUTE_MS
        if day.start_ms <= at_ms < day.end_ms and metric in METRICS:
            hour = max(hour_start(at_ms, zone), day.start_ms)
            counts = sums.setdefault(gate, {}).setdefault(hour, dict.fromkeys(METRICS, 0))
            counts[metric] += people
    return {gate: {hour: Counts(**hours[hour]) for hour in sorted(hours)} for gate, hours in sums.items()}


def status(start_ms: int, counted: Counts, said: Said | None, watermark_ms: int | None) -> Status:
    """How far a quarter-hour of a site is settled.

    ``final``: it was said, and nothing came since; or it is due and nobody passed. ``revising``: something came after
    it was said, a revision is on its way. ``provisional``: it may still grow.
    """
    if said is not None:
        told = sum(said.gates.values(), Counts())
        return "final" if told == counted else "revising"
    return "final" if counted == Counts() and is_due(start_ms, watermark_ms) else "provisional"
