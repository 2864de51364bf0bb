"""What is known of every site, and which sites are read next: a turn costs the same whatever the network's size.

A site is read when it says that it changed, oldest change first and a bounded number a turn; the rest waits, and as
long as one of a partition waits, nobody vouches for that partition beyond the moment before the change. All sites are
looked at in passing every ten seconds, since days end without an event and a store may come back older: a site never
heard costs one question then. Used by ``console.feed``.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice

from streams.adapters.live_view import Found, Level, LiveView, Wanted
from streams.console.rebuilds import Rebuilds
from streams.core import now as present
from streams.core import occupancy, today
from streams.core.days import HOUR_MS, MINUTE_MS, hours_between
from streams.core.occupancy import Correction
from streams.core.partitions import murmur2, partition_of
from streams.core.rebuilding import Progress
from streams.core.sites import Site, Sites
from streams.topology import PARTITIONS

SITES_A_TURN = 100
_AT_ONCE = 20  # sites read in one round trip: decoding the answers of so many holds the loop for some 10 ms
_LEVELS_AT_ONCE = 250
ROUND_S = 10.0
_NEAR_MS = 10 * MINUTE_MS
# A change touches the hours around the site's clock; what touches other hours is found by the day's totals, or by then.
COUNTS_WHOLE_S = 10.0
CELLS_WHOLE_S = 60.0


@dataclass(slots=True)
class Figures:
    """What is known of one site; of one never heard only that.

    Attributes:
        read: whether anything but the level was ever read; ``read_s`` is when, in monotonic seconds.
        cells: UTC hour → cells in quarter-hours; ``gates`` are their sums.
        counts: UTC hour → what the other families counted.
        adrift: day's totals less the cells' sums, as left by a reading of all hours.
        counts_whole_s, cells_whole_s: the same of the last reading of all hours.
        corrections: what was said about the people inside; ``people`` is the level of the day with them.
        tickets: distinct tickets of the day.
        document: what the feed made of it, until it is read again.
    """

    site: Site
    level: Level
    day: present.Day
    read: bool = False
    totals: dict[str, int] = field(default_factory=dict)
    cells: dict[str, dict[tuple[str, int, str], int]] = field(default_factory=dict)
    gates: dict[str, dict[str, int]] = field(default_factory=dict)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    sessions: dict[tuple[str, int], int] = field(default_factory=dict)
    devices: dict[tuple[str, str], int] = field(default_factory=dict)
    adrift: dict[str, int] = field(default_factory=dict)
    counts_whole_s: float = -1e9
    cells_whole_s: float = -1e9
    read_s: float = -1e9
    corrections: tuple[Correction, ...] = ()
    people: occupancy.Level = occupancy.NOBODY
    tickets: int = 0
    document: dict[str, object] | None = None

    @property
    def heard(self) -> bool:
        """Whether it ever said anything that is read."""
        return self.read and self.level.received_ms is not None

    def clock_ms(self, now_ms: int) -> int:
        """What time it is there: by the wall, or by its last event if it is replayed."""
        return self.level.occurred_ms if self.site.replay and self.level.occurred_ms is not None else now_ms

    def all_cells(self) -> dict[tuple[str, int, str], int]:
        """The day's cells."""
        return {key: people for hour in self.cells.values() for key, people in hour.items()}

    def due(self, now_s: float) -> tuple[bool, bool]:
        """Whether all hours of the counts, and of the cells, are to be read; not those of all sites in one turn."""
        patience = 0.75 + 0.5 * murmur2(self.site.site_id.encode()) / 2**32
        return (
            now_s - self.counts_whole_s >= COUNTS_WHOLE_S * patience,
            now_s - self.cells_whole_s >= CELLS_WHOLE_S * patience,
        )

    def take(self, found: Found, now_s: float, *, counts_whole: bool, cells_whole: bool) -> bool:
        """Take in what was read; false if cells of other hours changed too, so that all must be read."""
        if counts_whole:
            self.counts, self.counts_whole_s = {}, now_s
        if cells_whole:
            self.cells, self.cells_whole_s = {}, now_s
        self.counts |= {hour: counts for hour, counts in found.counts.items() if counts}
        self.cells |= {hour: cells for hour, cells in found.cells.items() if cells}
        self.sessions, self.devices, self.totals = found.sessions, found.devices, found.totals
        self.tickets = found.tickets
        anchored = _anchors(self.corrections) == _anchors(found.corrections)
        self.corrections = found.corrections
        self.read, self.read_s, self.document = True, now_s, None
        self.gates = present.by_gate(self.all_cells(), self.day)
        drift = {
            metric: self.totals.get(metric, 0) - sum(gate[metric] for gate in self.gates.values())
            for metric in present.METRICS
        }
        if cells_whole:
            self.adrift = drift
        lost = self.adrift.get("entries", 0) - self.adrift.get("exits", 0)
        self.people = self.counted(lost=lost)
        return drift == self.adrift and (cells_whole or anchored)

    def counted(self, zone_id: str | None = None, *, lost: int = 0) -> occupancy.Level:
        """People inside the site or one of its zones, as of the last reading."""
        span = self.day.start_ms, self.day.end_ms
        return occupancy.level(self.all_cells(), self.corrections, self.site, span, zone_id=zone_id, lost=lost)


class Reading:
    """All sites as they were last read.

    Attributes:
        figures: by site id, of every site that a file describes and that was looked at.
    """

    def __init__(self) -> None:
        self.figures: dict[str, Figures] = {}
        self._versions = dict.fromkeys(range(PARTITIONS), 0)
        self._said: dict[int, int | None] = dict.fromkeys(range(PARTITIONS))
        self._vouched: dict[int, int | None] = dict.fromkeys(range(PARTITIONS))
        self._waiting: dict[str, int | None] = {}  # site → until when it was counted and read, in the order of change
        self._rebuilds = Rebuilds()
        self._uncounted: set[int] = set()  # partitions that are being counted up, or that nobody counts
        self._names: list[str] = []
        self._passed = 0  # sites looked at in this round
        self._turned_s: float | None = None

    @property
    def vouched(self) -> Mapping[int, int | None]:
        """Partition → epoch ms until which everything appended is counted and read; ``None`` before the first time."""
        return self._vouched

    @property
    def rebuilding(self) -> Progress | None:
        """What is being counted anew; ``None`` if nothing is."""
        return self._rebuilds.progress

    @property
    def waiting(self) -> int:
        """Sites that changed and were not read yet."""
        return len(self._waiting)

    def forget(self) -> None:
        """The store was away and may be another: every site is to be read again."""
        self._turned_s = None
        for name, figures in self.figures.items():
            if figures.heard:
                figures.cells_whole_s = figures.counts_whole_s = -1e9
                self._wait(name)

    async def turn(self, view: LiveView, sites: Sites, now_ms: int) -> list[str]:
        """Read what is due; returns the sites whose figures are newer now."""
        now_s = time.monotonic()
        said = await view.confirmed(range(PARTITIONS))  # first: what is read later holds at least what this vouches for
        self._uncounted = {partition for partition, until_ms in said.items() if until_ms is None}
        self._notice(await view.changed(self._versions), sites)
        await self._notice_older(view)
        fresh = await self._meet(view, sites, now_ms)
        await self._pass(view, sites, now_ms, now_s)
        names = list(islice(self._waiting, SITES_A_TURN))
        changed = await self._read(view, names, sites, now_ms, now_s)
        for name in names:
            self._waiting.pop(name, None)
        # Last: what was read above is then known to be of the state that ``said`` speaks of, or not vouched for.
        self._begin_anew(self._rebuilds.take(await view.lives(range(PARTITIONS))), said)
        self._said = said
        self._vouch()
        self._turned_s = now_s
        return sorted({*fresh, *changed})

    # -- noticing ----------------------------------------------------------------------------------------------------

    def _wait(self, name: str) -> None:
        self._waiting.setdefault(name, self._said[partition_of(name, PARTITIONS)])

    def _notice(self, changed: Mapping[int, list[tuple[str, int]]], sites: Sites) -> None:
        for partition, members in changed.items():
            for name, version in members:
                self._versions[partition] = max(self._versions[partition], version)
                if name in sites:
                    self._wait(name)

    async def _notice_older(self, view: LiveView) -> None:
        """A store that came back from an older log counts its changes from an older version."""
        for partition, newest in (await view.newest(range(PARTITIONS))).items():
            if newest < self._versions[partition]:
                self._versions[partition] = newest
                for name, figures in self.figures.items():
                    if figures.heard and partition_of(name, PARTITIONS) == partition:
                        figures.cells_whole_s = figures.counts_whole_s = -1e9
                        self._wait(name)

    def _begin_anew(self, partitions: set[int], said: dict[int, int | None]) -> None:
        """Vouch for nothing that was read of partitions that were emptied meanwhile, until it is read again."""
        for partition in partitions:
            said[partition], self._versions[partition] = None, 0
        for name, figures in self.figures.items():
            if figures.heard and partition_of(name, PARTITIONS) in partitions:
                figures.cells_whole_s = figures.counts_whole_s = -1e9
                self._waiting[name] = None

    async def _meet(self, view: LiveView, sites: Sites, now_ms: int) -> list[str]:
        """Look at sites that are new to us and forget those that are gone; returns those never heard."""
        if self.figures.keys() == sites.keys():
            return []
        for name in self.figures.keys() - sites.keys():
            del self.figures[name]
            self._waiting.pop(name, None)
        fresh = sorted(sites.keys() - self.figures.keys())
        silent = []
        for start in range(0, len(fresh), _LEVELS_AT_ONCE):
            part = {name: partition_of(name, PARTITIONS) for name in fresh[start : start + _LEVELS_AT_ONCE]}
            for name, level in (await view.levels(part)).items():
                if (site := sites.get(name)) is None:  # the topic changes while Redis answers
                    continue
                self.figures[name] = Figures(site, level, present.current_day(site, None, now_ms))
                if level.received_ms is None:
                    self.figures[name].read = True
                    silent.append(name)
                else:
                    self._wait(name)
        self._names = sorted(self.figures)
        return silent

    async def _pass(self, view: LiveView, sites: Sites, now_ms: int, now_s: float) -> None:
        """Look at the next sites of the round: their level, and of those heard the day's totals."""
        since_s = ROUND_S if self._turned_s is None else now_s - self._turned_s
        wanted = min(len(self._names), round(len(self._names) * since_s / ROUND_S) + 1)
        names = [self._names[(self._passed + place) % len(self._names)] for place in range(wanted)]
        self._passed = (self._passed + wanted) % max(1, len(self._names))
        names = [name for name in names if name in self.figures and name in sites and name not in self._waiting]
        for start in range(0, len(names), _LEVELS_AT_ONCE):
            part = {name: partition_of(name, PARTITIONS) for name in names[start : start + _LEVELS_AT_ONCE]}
            levels = await view.levels(part)
            heard = [name for name in part if self.figures[name].heard or levels[name].received_ms is not None]
            days = {name: self.figures[name].day.day.isoformat() for name in heard}
            totals = dict(
                zip(heard, await view.totals([(part[name], name, days[name]) for name in heard]), strict=True)
            )
            for name in part:
                self._compare(name, sites.get(name), levels[name], totals.get(name, {}), now_ms, now_s)

    def _compare(
        self, name: str, site: Site | None, level: Level, totals: dict[str, int], now_ms: int, now_s: float
    ) -> None:
        figures = self.figures[name]
        if site is None:
            return
        day = present.current_day(site, level.occurred_ms, now_ms)
        same = figures.site is site and figures.level == level and figures.totals == totals and figures.day == day
        if level.received_ms is None and figures.level.received_ms is None:
            if not same:
                figures.site, figures.day, figures.document = site, day, None
            return
        counts_due, cells_due = figures.due(now_s)
        counts_due &= figures.read_s > figures.counts_whole_s
        cells_due &= figures.read_s > figures.cells_whole_s
        if counts_due or cells_due or not same:
            self._wait(name)

    # -- reading -----------------------------------------------------------------------------------------------------

    async def _read(self, view: LiveView, names: list[str], sites: Sites, now_ms: int, now_s: float) -> list[str]:
        names = [name for name in names if name in sites and name in self.figures]
        levels = await view.levels({name: partition_of(name, PARTITIONS) for name in names}) if names else {}
        for start in range(0, len(names), _AT_ONCE):
            part = names[start : start + _AT_ONCE]
            torn = await self._read_some(view, part, levels, sites, now_ms, now_s)
            for name in torn:
                self.figures[name].cells_whole_s = -1e9
            if torn:
                await self._read_some(view, torn, levels, sites, now_ms, now_s)
        return names

    async def _read_some(
        self, view: LiveView, names: list[str], levels: Mapping[str, Level], sites: Sites, now_ms: int, now_s: float
    ) -> list[str]:
        """Read some sites in one round trip; returns those of which all hours must be read."""
        wanted, whole = [], []
        for name in names:
            figures, site, level = self.figures[name], sites.get(name, self.figures[name].site), levels[name]
            if level.received_ms is None and partition_of(name, PARTITIONS) in self._uncounted:
                level = figures.level  # not unheard of: it will be counted again
            day = present.current_day(site, level.occurred_ms, now_ms)
            other = day != figures.day or not figures.read
            if other:
                figures.cells, figures.counts, figures.adrift = {}, {}, {}
            figures.site, figures.level, figures.day = site, level, day
            counts_whole, cells_whole = (other or due for due in figures.due(now_s))
            near = set(_around(level.occurred_ms if level.occurred_ms is not None else now_ms, _NEAR_MS))
            clock_ms = figures.clock_ms(now_ms)
            wanted.append(
                Wanted(
                    name,
                    partition_of(name, PARTITIONS),
                    day.day.isoformat(),
                    {hour: first for hour, first in day.hours().items() if cells_whole or hour in near},
                    [hour for hour in day.own_hours() if counts_whole or hour in near],
                    _around(clock_ms, (today.PRESENCE_MINUTES + 1) * MINUTE_MS),
                    present.QUARTER_MINUTES,
                )
            )
            whole.append((counts_whole, cells_whole))
        torn = []
        for name, found, (counts_whole, cells_whole) in zip(names, await view.read(wanted), whole, strict=True):
            if not self.figures[name].take(found, now_s, counts_whole=counts_whole, cells_whole=cells_whole):
                torn.append(name)
        return torn

    def _vouch(self) -> None:
        """Say of each partition until when its sites are counted and read."""
        vouched = dict(self._said)
        for name, until_ms in self._waiting.items():
            partition = partition_of(name, PARTITIONS)
            known = vouched[partition]
            vouched[partition] = None if known is None or until_ms is None else min(known, until_ms)
        self._vouched = vouched


def _anchors(said: tuple[Correction, ...]) -> list[Correction]:
    """Those whose hour is read minute by minute."""
    return [one for one in said if one.is_anchor]


def _around(clock_ms: int, before_ms: int) -> dict[str, int]:
    """UTC hours from ``before_ms`` before an instant to the one it lies in, each with its first epoch minute."""
    first_ms = clock_ms - before_ms
    first_ms -= first_ms % HOUR_MS
    return {
        name: (first_ms + place * HOUR_MS) // MINUTE_MS
        for place, name in enumerate(hours_between(first_ms, clock_ms + 1))
    }
