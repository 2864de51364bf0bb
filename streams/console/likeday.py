"""Today against a like day: how many had come by the same time of day on the latest like day that history holds.

History is read at most once a minute for all browsers and all sites, in a thread, and only what is not known yet or was
read long ago; ClickHouse away means that nothing is said, and what was read before stays. Every site is compared on its
own clock: a replayed or simulated one with its own recorded days. What is like is ``core.likeday``'s to say. Used by
``console.pages``; ``console.likewords`` says it in words.
"""

import asyncio
import contextlib
import time
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, Protocol

import msgspec
import structlog

from streams.adapters import history
from streams.adapters.calendar_topic import CalendarTopic
from streams.config import Settings
from streams.console.documents import Site
from streams.core import likeday
from streams.core.calendar import Calendar
from streams.core.likeday import Recorded
from streams.errors import Unavailable

log = structlog.get_logger(__name__)

EVERY_S = 60.0
SITES_A_QUERY = 250
KNOWN_S, UNKNOWN_S = 3_600.0, 600.0  # a week-old day hardly changes; one that is missing may be imported
_SETTLING_S = 0.5
_LOOK_S = 5.0  # between two looks at which sites there are
_ANSWER_S = 20
_MARGIN = timedelta(hours=14)  # clocks of sites differ that far from UTC
_WHOLE_DAY = timedelta(hours=24 + 12 + 14)  # a business day ends up to 12 hours after midnight, anywhere

# One row per site: its latest candidate with somebody admitted, by the minute of its own clock. The views fold resent
# scans over all of history; the filter lets them read the days that matter and no more.
_SQL = """
SELECT site_id, local_date, groupArray(minute), groupArray(entries), groupArray(exits)
FROM (
    SELECT site_id, local_date, dateDiff('minute', toDateTime(local_date, 'UTC'), ts_local) AS minute,
           sum(entries) AS entries, sum(exits) AS exits
    FROM musee.v_attendance_local
    WHERE site_id IN {sites:Array(String)}
      AND dateDiff('day', local_date, transform(site_id, {sites:Array(String)}, {todays:Array(Date)}, local_date))
          IN (7, 14, 21, 28)
      AND NOT has({skipped:Array(String)}, concat(site_id, ' ', toString(local_date)))
    GROUP BY site_id, local_date, minute
    ORDER BY site_id, local_date, minute
)
GROUP BY site_id, local_date
HAVING sum(entries) > 0
ORDER BY local_date DESC
LIMIT 1 BY site_id
SETTINGS additional_table_filters = {'musee.ticket_scan': '%s'}, max_execution_time = %d
"""


class Told(Protocol):
    """The feed, as far as this asks it."""

    def now(self, site_id: str | None = None, *, heard_only: bool = False) -> dict[str, object]:
        """The ``/v1/now`` document."""
        ...


class Bin(msgspec.Struct, frozen=True):
    """A quarter-hour of the like day; ``at_ms`` is where its start lies on today's line, ``None`` for the network."""

    start_local: str
    at_ms: int | None
    entries: int
    exits: int
    inside: int


class Like(msgspec.Struct, frozen=True):
    """Today against a like day, the answer of ``/v1/like-day``.

    Attributes:
        site_id: ``None`` for the network: the sum over its ``sites``, each on its own clock.
        state: ``known``; ``none`` if no like day is recorded; ``unread`` before history was asked, or while it is away.
        day: the like day; ``None`` where there is none or, for the network, not the same one for all.
        until_local: the site's time of day up to which people are counted in both.
        entries, entries_now: people admitted until then on the like day, and today.
        change: share by which today exceeds the like day; ``None`` if nobody had come on it.
        sites, sites_heard: of the network's sites that were ever heard, those that have a like day.
        read_ms: when history was read.
    """

    site_id: str | None
    state: Literal["known", "none", "unread"]
    day: str | None = None
    until_local: str | None = None
    entries: int | None = None
    entries_now: int | None = None
    change: float | None = None
    sites: int = 0
    sites_heard: int = 0
    read_ms: int | None = None
    bins: tuple[Bin, ...] = ()


@dataclass(frozen=True, slots=True)
class _Found:
    """What history says of a site's day; ``recorded`` is ``None`` if it has none like it."""

    recorded: Recorded | None
    read_ms: int
    read_s: float

    def is_due(self, now_s: float) -> bool:
        return now_s - self.read_s >= (UNKNOWN_S if self.recorded is None else KNOWN_S)


class LikeDays:
    """The like days of all sites that were ever heard.

    Args:
        settings: where history and the calendars are.
        feed: which sites there are, and what day it is there.
        every_s: seconds between two questions to history.

    Attributes:
        away: whether the last question was not answered.
        asked: questions to history since the start.
    """

    def __init__(self, settings: Settings, feed: Told, *, every_s: float = EVERY_S) -> None:
        self.away = False
        self.asked = 0
        self._settings = settings
        self._feed = feed
        self._every_s = every_s
        self._calendars = CalendarTopic(settings.kafka_servers)
        self._found: dict[tuple[str, str], _Found] = {}  # site and its day → the day like it
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin reading; waits for nothing."""
        await self._calendars.start()
        self._task = asyncio.create_task(self._run(), name="like-days")

    async def stop(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._calendars.stop()

    # -- telling -----------------------------------------------------------------------------------------------------

    def of(self, site: Site, now_ms: int, *, bins: bool = True) -> Like:
        """A site's today against its like day; without the quarter-hours if nobody wants them."""
        found = self._found.get((site.site_id, site.business_day))
        clock_ms = site.occurred_ms if site.replay else now_ms
        if found is None or clock_ms is None:
            return Like(site.site_id, "unread")
        if found.recorded is None:
            return Like(site.site_id, "none", read_ms=found.read_ms)
        recorded, today = found.recorded, date.fromisoformat(site.business_day)
        minute = likeday.minute_of(clock_ms, today, site.time_zone)
        then = recorded.entries_until(minute)
        return Like(
            site.site_id,
            "known",
            day=recorded.day.isoformat(),
            until_local=_clock(minute),
            entries=then,
            entries_now=site.entries,
            change=likeday.change(site.entries, then),
            sites=1,
            sites_heard=1,
            read_ms=found.read_ms,
            bins=_bins(recorded, today, site.time_zone) if bins else (),
        )

    def network(self, sites: Iterable[Site], now_ms: int, *, bins: bool = True) -> Like:
        """The sum over the sites that have a like day, of today and of then; the others count in neither."""
        heard = [site for site in sites if site.heard]
        told = [self.of(site, now_ms, bins=False) for site in heard]
        known = [one for one in told if one.state == "known"]
        if not known:
            read_ms = [one.read_ms for one in told if one.read_ms is not None]
            state: Literal["none", "unread"] = "none" if read_ms and len(read_ms) == len(told) else "unread"
            return Like(None, state, sites_heard=len(heard), read_ms=min(read_ms, default=None))
        then, today = (sum(getattr(one, name) or 0 for one in known) for name in ("entries", "entries_now"))
        return Like(
            None,
            "known",
            day=_same(one.day for one in known),
            until_local=_same(one.until_local for one in known),
            entries=then,
            entries_now=today,
            change=likeday.change(today, then),
            sites=len(known),
            sites_heard=len(heard),
            read_ms=min(one.read_ms for one in known if one.read_ms is not None),
            bins=_summed(self._recorded(heard)) if bins else (),
        )

    def _recorded(self, sites: Iterable[Site]) -> list[Recorded]:
        found = (self._found.get((site.site_id, site.business_day)) for site in sites)
        return [one.recorded for one in found if one is not None and one.recorded is not None]

    # -- reading -----------------------------------------------------------------------------------------------------

    def due(self, now_s: float) -> dict[str, date]:
        """Sites whose like day is to be looked up → their day, those never looked up first, a bounded number."""
        days = {(str(one["site_id"]), str(one["business_day"])) for one in self._heard()}
        for gone in self._found.keys() - days:
            del self._found[gone]
        waiting = sorted(
            (found.read_s if found else -1.0, *key)
            for key in days
            if (found := self._found.get(key)) is None or found.is_due(now_s)
        )
        return {site_id: date.fromisoformat(day) for _, site_id, day in waiting[:SITES_A_QUERY]}

    async def look_up(self) -> None:
        """Ask history once for what is due; nothing if nothing is.

        Raises:
            Unavailable: ClickHouse is away.
            RefusedQuery: it said no.
        """
        now_s, read_ms = time.monotonic(), time.time_ns() // 1_000_000
        wanted = self.due(now_s)
        if not wanted:
            return
        self.asked += 1
        skipped = {site_id: likeday.excluded(day, self._calendar(site_id)) for site_id, day in wanted.items()}
        recorded = await asyncio.to_thread(read, self._settings, wanted, skipped)
        for site_id, day in wanted.items():
            self._found[site_id, day.isoformat()] = _Found(recorded.get(site_id), read_ms, now_s)

    def _heard(self) -> Sequence[Mapping[str, object]]:
        sites = self._feed.now(heard_only=True)["sites"]
        return sites if isinstance(sites, list | tuple) else ()

    def _calendar(self, site_id: str) -> Calendar | None:
        return self._calendars.known.get(site_id)

    async def _run(self) -> None:
        await self._calendars.wait_loaded()
        heard = 0
        while not (now := len(self._heard())) or now != heard:  # the feed is still reading for the first time
            heard = now
            await asyncio.sleep(_SETTLING_S)
        while True:
            asked, asked_s = self.asked, time.monotonic()
            try:
                await self.look_up()
                self.away = False
            except (Unavailable, history.RefusedQuery) as error:
                if not self.away:
                    log.warning("like days are not known", error=str(error))
                self.away = True
            rest_s = self._every_s if self.asked > asked else min(_LOOK_S, self._every_s)
            await asyncio.sleep(max(0.0, rest_s - (time.monotonic() - asked_s)))


def read(settings: Settings, todays: Mapping[str, date], skipped: Mapping[str, Sequence[date]]) -> dict[str, Recorded]:
    """The latest like day of each site, in one question; sites that have none are left out. Blocks.

    Args:
        settings: where ClickHouse is.
        todays: site id → the day that is compared.
        skipped: site id → days that are like no other.

    Raises:
        Unavailable: ClickHouse is away.
        RefusedQuery: it said no.
    """
    never = [f"{site_id} {day}" for site_id, days in skipped.items() for day in days]
    days = {day for today in set(todays.values()) for day in likeday.candidates(today)}
    params = {"sites": list(todays), "todays": list(todays.values()), "skipped": never}
    rows = history.query(settings, _SQL % (_window(days), _ANSWER_S), params)
    return {
        site_id: Recorded(day, array("i", minutes), array("i", entries), array("i", exits))
        for site_id, day, minutes, entries, exits in rows
    }


def _window(days: Iterable[date]) -> str:
    """Which raw rows may belong to some business days, wherever their sites are; a condition inside a SQL string."""
    spans: list[tuple[datetime, datetime]] = []
    for day in sorted(days):
        midnight = datetime.combine(day, datetime.min.time())
        start, end = midnight - _MARGIN, midnight + _WHOLE_DAY
        if spans and start <= spans[-1][1]:
            spans[-1] = spans[-1][0], end
        else:
            spans.append((start, end))
    told = [f"(occurred_at >= {_instant(start)} AND occurred_at < {_instant(end)})" for start, end in spans]
    return " OR ".join(told)


def _instant(at: datetime) -> str:
    return f"toDateTime64(\\'{at:%Y-%m-%d %H:%M:%S}\\', 3, \\'UTC\\')"


def _clock(minute: int) -> str:
    """A time of day after midnight of its business day: ``25:30`` is said as ``01:30``."""
    return f"{minute // 60 % 24:02}:{minute % 60:02}"


def _bins(recorded: Recorded, today: date, zone: str) -> tuple[Bin, ...]:
    return tuple(
        Bin(_clock(one.start_min), likeday.instant_of(one.start_min, today, zone), one.entries, one.exits, one.inside)
        for one in recorded.bins()
    )


def _summed(days: Iterable[Recorded]) -> tuple[Bin, ...]:
    """The lines of several sites as one, by the time of day on the clock of each."""
    sums: dict[int, list[int]] = {}
    for day in days:
        for one in day.bins():
            line = sums.setdefault(one.start_min, [0, 0, 0])
            for place, people in enumerate((one.entries, one.exits, one.inside)):
                line[place] += people
    return tuple(Bin(_clock(minute), None, *sums[minute]) for minute in sorted(sums))


def _same(told: Iterable[str | None]) -> str | None:
    """What all say, if they say the same."""
    distinct = set(told)
    return distinct.pop() if len(distinct) == 1 else None
