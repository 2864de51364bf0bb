"""The alerts: once a second, judges the sites that changed and those that have an alert open.

Read → decide (``core.alerts.step``) → reserve, publish, save (``adapters.alert_changes``). A turn is bounded; sites
that it does not reach are first in the next one. A partition whose input is not all counted is not judged: neither a
rebuild nor a dead pipeline is told as an empty or a silent house. Replayed and simulated sites run on their events'
clock, and their alerts say so.

What the topic knows better than the live store is taken from it first: at the first turn, when the store was emptied,
and when it came back from an older log. So an alert that was opened is resolved, by its id, whatever happens to the
store. Run by ``agents.app``.
"""

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import structlog

from streams.adapters import metrics
from streams.adapters.alert_changes import attempt
from streams.adapters.alert_store import AlertStore, Held, Partition, Place
from streams.adapters.headcount_store import HeadcountStore
from streams.adapters.live_view import Level, LiveView
from streams.adapters.producer import Producer
from streams.agents.headcounts import Headcounts, Levels
from streams.core.alerts import CAPACITY, RULES, SILENT, Alert, Observed, Rule, Scope, step
from streams.core.calendar import Calendars
from streams.core.days import MINUTE_MS
from streams.core.now import Day, current_day
from streams.core.partitions import partition_of
from streams.core.silence import silence
from streams.core.sites import Site, Sites
from streams.errors import Unavailable
from streams.topology import PARTITIONS

log = structlog.get_logger(__name__)

_COUNTED_WITHIN_MS = 15_000  # a partition further behind is not judged
_ROUND = 10  # turns in which every site's silence is looked at once
_TURN_S = 0.25  # of each second at most, when all sites of a network change all the time
_AT_ONCE = 100  # sites whose clocks are read in one round trip
_RULES = {rule.name: rule for rule in RULES}

Published = Callable[[Iterable[int]], Awaitable[Mapping[int, list[Alert]]]]
"""Partitions → of each rule and scope what lies in the topic last."""


@dataclass(frozen=True, slots=True)
class Stores:
    """What the loop reads and writes."""

    alerts: AlertStore
    view: LiveView
    headcounts: HeadcountStore

    async def close(self) -> None:
        """Close the connections."""
        for one in (self.alerts, self.view, self.headcounts):
            await one.close()


@dataclass(frozen=True, slots=True)
class _People:
    """Levels of a site (``None``) and of its zones with a capacity, of a business day and by one site file."""

    site: Site
    day: Day
    levels: Levels


@dataclass(slots=True)
class _Known:
    """What is known of a partition.

    Attributes:
        version: of the last change that was noticed.
        newest: greatest version of its alerts.
        waiting: sites to be judged, those that wait longest first.
        people: levels that hold until the site changes.
    """

    version: int = 0
    newest: int = 0
    waiting: dict[str, None] = field(default_factory=dict)
    people: dict[str, _People] = field(default_factory=dict)


class Alerts:
    """Judges the partitions that this worker counts.

    Args:
        stores: the live store.
        sites: all that are known.
        calendars: by site.
        producer: of this worker.
        owned: the partitions that this worker counts now.
        published: reads the topic.
        turn_s: how long sites are judged in a turn.
    """

    def __init__(
        self,
        stores: Stores,
        sites: Sites,
        calendars: Calendars,
        producer: Producer,
        owned: Callable[[], Iterable[int]],
        published: Published,
        turn_s: float = _TURN_S,
    ) -> None:
        self._stores = stores
        self._headcounts = Headcounts(stores.headcounts)
        self._sites = sites
        self._calendars = calendars
        self._producer = producer
        self._owned = owned
        self._published = published
        self._turn_s = turn_s
        self._known: dict[int, _Known] = {}
        self._turns = 0
        self._away = ""

    @property
    def waiting(self) -> int:
        """Sites that are to be judged and were not since."""
        return sum(len(known.waiting) for known in self._known.values())

    async def turn(self) -> int:
        """One turn over the owned partitions; how many changes were published.

        A store or broker that is away leaves the rest to the next turn.
        """
        began_s = time.monotonic()
        self._turns += 1
        owned = sorted(set(self._owned()))
        for partition in self._known.keys() - set(owned):
            self._forget(partition)
            del self._known[partition]
        said = 0
        try:
            if owned:
                said = await self._judge_all(owned)
        except Unavailable as away:
            if away.dependency != self._away:
                log.warning("alerts wait", dependency=away.dependency, error=away.detail)
            self._away = away.dependency
        else:
            self._away = ""
        metrics.ALERTS_WAITING.set(self.waiting)
        metrics.ALERTS_SECONDS.observe(time.monotonic() - began_s)
        return said

    async def _judge_all(self, owned: list[int]) -> int:
        counted = await self._stores.view.confirmed(owned)
        now_ms = time.time_ns() // 1_000_000
        ready = {
            partition: counted_ms
            for partition, counted_ms in counted.items()
            if counted_ms is not None and now_ms - counted_ms <= _COUNTED_WITHIN_MS
        }
        if not ready:
            return 0
        parts = await self._stores.alerts.look(ready)
        if await self._restore(parts):
            parts = await self._stores.alerts.look(ready)
        await self._notice(parts)
        ends_s = time.monotonic() + self._turn_s  # from here on, so that a slow store lets some be judged in each turn
        first = self._turns % len(ready)  # so that no partition is always the one that is not reached
        said = 0
        for partition in [*ready, *ready][first : first + len(ready)]:
            said += await self._partition(partition, parts[partition], ready[partition], ends_s)
        return said

    async def _restore(self, parts: Mapping[int, Partition]) -> bool:
        """Take from the topic what a store may have forgotten; whether anything was looked for."""
        forgot = [
            partition
            for partition, part in parts.items()
            if not part.marked or partition not in self._known or part.newest < self._known[partition].newest
        ]
        if forgot:
            for partition, alerts in (await self._published(forgot)).items():
                taken = await self._stores.alerts.restore(partition, alerts)
                self._forget(partition)
                self._known[partition] = _Known()
                if taken:
                    log.info("alerts read back", partition=partition, alerts=taken)
        return bool(forgot)

    def _forget(self, partition: int) -> None:
        """Read all of its sites anew."""
        if (known := self._known.get(partition)) is not None:
            for name in known.people:
                self._headcounts.forget(name)
            known.people.clear()

    # -- which sites -------------------------------------------------------------------------------------------------

    async def _notice(self, parts: Mapping[int, Partition]) -> None:
        """Let those wait that changed, that have an alert open, or whose silence has its turn."""
        newest = await self._stores.view.newest(list(parts))
        for partition, version in newest.items():
            known = self._known[partition]
            if version < known.version:  # the store came back from an older log
                known.version = 0
                self._forget(partition)
        changed = await self._stores.view.changed({partition: self._known[partition].version for partition in parts})
        for partition, members in changed.items():
            known = self._known[partition]
            for name, version in members:
                known.version = max(known.version, version)
                known.people.pop(name, None)
                if (site := self._sites.get(name)) is not None and (_has_capacity(site) or not site.replay):
                    known.waiting.setdefault(name)
        for partition, part in parts.items():
            known = self._known[partition]
            known.newest = max(known.newest, part.newest)
            open_ = [held for held in part.held.values() if _is_open(held)]
            metrics.ALERTS_OPEN.labels(partition).set(len(open_))
            for held in open_:
                known.waiting.setdefault(held.place.scope.site_id)
        for place, name in enumerate(sorted(self._sites)):
            partition = partition_of(name, PARTITIONS)
            if place % _ROUND == self._turns % _ROUND and partition in parts and self._may_be_silent(name):
                self._known[partition].waiting.setdefault(name)

    def _may_be_silent(self, name: str) -> bool:
        site = self._sites[name]
        return not site.replay and (site.expected_gap_min is not None or name in self._calendars)

    # -- one site ----------------------------------------------------------------------------------------------------

    async def _partition(self, partition: int, part: Partition, counted_ms: int, ends_s: float) -> int:
        known = self._known[partition]
        of_site: dict[str, list[Held]] = {}
        for held in part.held.values():
            of_site.setdefault(held.place.scope.site_id, []).append(held)
        said = 0
        names = list(known.waiting)
        for start in range(0, len(names), _AT_ONCE):
            levels = await self._stores.view.levels(dict.fromkeys(names[start : start + _AT_ONCE], partition))
            for name, level in levels.items():
                if time.monotonic() > ends_s:
                    return said
                mine = {held.place: held for held in of_site.get(name, ())}
                try:
                    said += await self._site(name, level, mine, counted_ms)
                except Unavailable:
                    raise
                except Exception:
                    metrics.ALERTS_FAILED.inc()
                    log.error("a site's alerts could not be judged", site=name, exc_info=True)
                known.newest = max([known.newest, *(held.used for held in mine.values())])
                known.waiting.pop(name, None)
        return said

    async def _site(self, name: str, level: Level, held: dict[Place, Held], counted_ms: int) -> int:
        """Judge a site and its zones; ``held``, all that is held of it, is kept up."""
        site = self._sites.get(name)
        said = 0
        judged = set()
        if site is not None:
            silent = Place(SILENT.name, Scope(name))
            said += await self._settle(silent, self._silence(site, level, held.get(silent), counted_ms), held)
            judged.add(silent)
            for one in await self._people(site, level, counted_ms):
                observed = _hidden(one, held.get(silent))
                for rule in CAPACITY:
                    place = Place(rule.name, one.scope)
                    said += await self._settle(place, observed, held)
                    judged.add(place)
        for stands in [stands for place, stands in held.items() if _is_open(stands) and place not in judged]:
            said += await self._settle(stands.place, _unjudged(stands.place.scope, stands, counted_ms), held)
        return said

    def _silence(self, site: Site, level: Level, stands: Held | None, counted_ms: int) -> Observed:
        scope = Scope(site.site_id)
        alert = stands.alert if stands is not None else None
        heard_ms = level.received_ms
        if heard_ms is None and alert is not None and alert.is_open:  # a rebuild finds no event of a long silence
            heard_ms = alert.opened_ms - alert.limit * MINUTE_MS
        found = silence(site, self._calendars.get(site.site_id), heard_ms, counted_ms)
        if found is None:
            return _unjudged(scope, stands, counted_ms)
        minutes = found.minutes
        return Observed(scope, site.name, counted_ms, minutes, minutes, minutes, found.gap_min)

    async def _people(self, site: Site, level: Level, counted_ms: int) -> list[Observed]:
        """The people inside a site and its zones, of those that have a capacity and a level."""
        if not _has_capacity(site) or (site.replay and level.occurred_ms is None):
            return []
        clock_ms = level.occurred_ms if site.replay and level.occurred_ms is not None else counted_ms
        day = current_day(site, level.occurred_ms, counted_ms)
        partition = partition_of(site.site_id, PARTITIONS)
        known = self._known[partition].people
        people = known.get(site.site_id)
        if people is None or people.site is not site or people.day != day:
            heard_ms = counted_ms if level.occurred_ms is None else level.occurred_ms
            levels = await self._headcounts.levels(partition, site, day, heard_ms)
            people = known[site.site_id] = _People(site, day, levels)
        played = site.replay or site.simulated
        found = []
        for zone, inside in people.levels.items():
            scope = Scope(site.site_id, None if zone is None else zone.zone_id)
            place = site.name if zone is None else f"{zone.name} ({site.name})"
            capacity = (site if zone is None else zone).capacity
            found.append(
                Observed(scope, place, clock_ms, inside.inside, inside.low, inside.high, capacity, None, played)
            )
        return found

    async def _settle(self, place: Place, observed: Observed, held: dict[Place, Held]) -> int:
        """Say what changes of one rule and scope, what somebody began and left first; how often it was said."""
        stands = held.get(place, Held(place))
        said = 0

        def decide(alert: Alert | None, used: int) -> Alert | None:
            return step(alert, observed, _rule(place, alert), time.time_ns() // 1_000_000, used=used)

        repeated = True
        while repeated:
            done = await attempt(self._stores.alerts, self._producer, stands, decide)
            repeated = done.repeated and done.held is not None  # who was overtaken reads again in the next turn
            if done.held is not None:
                stands = done.held
            if done.said is not None:
                said += 1
                held[place] = stands
                metrics.ALERTS_SAID.labels(done.said.state).inc()
                log.info("alert", state=done.said.state, rule=place.rule, scope=str(place.scope), id=done.said.alert_id)
        return said


def _rule(place: Place, alert: Alert | None) -> Rule:
    """A place's rule; of one that is no more, as its alert knew it."""
    if alert is None or place.rule in _RULES:
        return _RULES[place.rule]
    return Rule(alert.rule, alert.kind, alert.entry, alert.exit, 0, alert.severity)


def _is_open(held: Held) -> bool:
    """Whether there is an alert to look after, or one that somebody began and left."""
    return held.begun is not None or (held.alert is not None and held.alert.is_open)


def _has_capacity(site: Site) -> bool:
    return site.capacity is not None or any(zone.capacity is not None for zone in site.zones)


def _hidden(observed: Observed, silent: Held | None) -> Observed:
    """What is observed of a zone, hidden by its site's silence."""
    alert = None if silent is None else silent.alert
    if observed.scope.is_site or alert is None or not alert.is_open:
        return observed
    return replace(observed, hidden_by=alert.alert_id)


def _unjudged(scope: Scope, held: Held | None, counted_ms: int) -> Observed:
    """What nobody judges now, with the figures that its alert told last."""
    alert = None if held is None else held.alert or held.begun
    if alert is None:
        return Observed(scope, str(scope), counted_ms, 0, 0, 0, None)
    at_ms = alert.opened_ms if alert.played else counted_ms
    return Observed(scope, str(scope), at_ms, alert.value, alert.low, alert.high, None, None, alert.played)
