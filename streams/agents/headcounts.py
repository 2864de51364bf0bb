"""The people inside a site and its zones, as the alerts judge them: the figures of the page, at a tenth of the reading.

Hours that were read are kept, and only those around the site's last event are read again; where the day's totals then
say something else than the hours' sum, or an anchor moved, all are. Used by ``agents.alerts``.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from streams.adapters.headcount_store import Cells, HeadcountStore
from streams.core import occupancy
from streams.core.days import HOUR_MS, MINUTE_MS, hour_name
from streams.core.now import QUARTER_MINUTES, Day
from streams.core.occupancy import Correction, Level
from streams.core.sites import Site, Zone

_NEAR_MS = 10 * MINUTE_MS  # gates of one site are so far apart at most, save those that upload late
_WHOLE_S = 60.0  # changes of other hours that cancel out in the totals are found by then
_METRICS = ("entries", "exits")

Levels = Mapping[Zone | None, Level]
"""Of those with a capacity: the site (``None``) and its zones that gates open into."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A site's day as it was read; ``adrift``: the totals less the sum of the cells, entries and exits."""

    day: Day
    cells: dict[str, Cells]
    anchors: tuple[Correction, ...]
    adrift: tuple[int, int]
    whole_s: float


class Headcounts:
    """Reads levels, and remembers the hours behind them."""

    def __init__(self, store: HeadcountStore) -> None:
        self._store = store
        self._read: dict[str, _Read] = {}

    def forget(self, site_id: str) -> None:
        """Read all hours of a site the next time."""
        self._read.pop(site_id, None)

    async def levels(self, partition: int, site: Site, day: Day, clock_ms: int) -> Levels:
        """The levels of a site's business day; ``clock_ms`` is the time of its last event, epoch ms."""
        on_hours = day.start_ms % HOUR_MS == 0 and day.end_ms % HOUR_MS == 0
        grain = 60 if on_hours else QUARTER_MINUTES
        hours, name = day.hours(), day.day.isoformat()
        known = self._read.get(site.site_id)
        if known is not None and (known.day != day or time.monotonic() - known.whole_s >= _WHOLE_S):
            known = None
        if known is not None:
            wanted = {hour_name(clock_ms - _NEAR_MS), hour_name(clock_ms)}
            near = {hour: first for hour, first in hours.items() if hour in wanted}
            found = await self._store.read(partition, site.site_id, name, near, grain)
            cells = known.cells | found.cells
            adrift = _adrift(found.totals, cells, day)
            if adrift != known.adrift or _anchors(found.corrections) != known.anchors:
                known = None
        if known is None:
            found = await self._store.read(partition, site.site_id, name, hours, grain)
            cells, adrift = found.cells, _adrift(found.totals, found.cells, day)
        whole_s = time.monotonic() if known is None else known.whole_s
        self._read[site.site_id] = _Read(day, cells, _anchors(found.corrections), adrift, whole_s)
        return _levels(site, day, cells, found.corrections, adrift[0] - adrift[1])


def _levels(site: Site, day: Day, cells: Mapping[str, Cells], said: tuple[Correction, ...], lost: int) -> Levels:
    every = {cell: people for hour in cells.values() for cell, people in hour.items()}
    span = day.start_ms, day.end_ms
    levels: dict[Zone | None, Level] = {}
    if site.capacity is not None:
        levels[None] = occupancy.level(every, said, site, span, lost=lost)
    for zone in occupancy.zones(site, said):
        if zone.capacity is not None:
            levels[zone] = occupancy.level(every, said, site, span, zone_id=zone.zone_id)
    return levels


def _adrift(totals: Mapping[str, int], cells: Mapping[str, Cells], day: Day) -> tuple[int, int]:
    first, end = day.start_ms // MINUTE_MS, day.end_ms // MINUTE_MS
    sums = dict.fromkeys(_METRICS, 0)
    for hour in cells.values():
        for (_, minute, metric), people in hour.items():
            if metric in sums and first <= minute < end:
                sums[metric] += people
    return totals.get("entries", 0) - sums["entries"], totals.get("exits", 0) - sums["exits"]


def _anchors(said: tuple[Correction, ...]) -> tuple[Correction, ...]:
    return tuple(one for one in said if one.is_anchor)
