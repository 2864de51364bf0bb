"""Quality of what comes in, as ``/v1/quality`` and the page ``/quality`` tell it.

The live part (when a site was heard, until when it is counted, which machines are silent) is the feed's. What history
counted of a window is asked at most once a minute for all browsers, in a thread, and kept; while it is away the live
part stands alone and says so. Used by ``console.pages.quality``.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import msgspec
import structlog

from streams.adapters import calendar_topic, quality_rows
from streams.adapters.history import RefusedQuery
from streams.adapters.quality_rows import Found
from streams.config import Settings
from streams.console import documents
from streams.console.feed import Feed
from streams.core import quality
from streams.core.calendar import Calendar
from streams.core.days import HOUR_MS
from streams.core.quality import Arrivals, Device, Judged, Letters
from streams.core.sites import Site
from streams.errors import Unavailable

log = structlog.get_logger(__name__)

DAY_MS = 24 * HOUR_MS
KEPT_S = 60.0
_ERROR_KEPT_S = 5.0
_WAIT_S = 4.0  # a page that says that it is being counted is better than one that does not come
_CALENDARS_S = 3.0
_WINDOWS = 8  # days that are kept
OLDEST = date(2000, 1, 1)

Absence = Literal["", "away", "counting", "refused"]


@dataclass(frozen=True, slots=True)
class Window:
    """Ingest times ``[start_ms, end_ms)``; ``day`` is the UTC day that was asked for, ``None`` for the last 24 h."""

    day: date | None
    start_ms: int
    end_ms: int


def window(day: str | None, now_ms: int) -> Window:
    """The window of ``?day=``.

    Raises:
        ValueError: it is no date, or lies before 2000 or ahead.
    """
    if not day:
        return Window(None, now_ms - DAY_MS, now_ms)
    today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
    try:
        chosen = datetime.strptime(day, "%Y-%m-%d").date()
    except ValueError:
        chosen = None
    if chosen is None or not OLDEST <= chosen <= today:
        raise ValueError(f"{day!r} is no day between {OLDEST} and {today}")
    start = datetime(chosen.year, chosen.month, chosen.day, tzinfo=UTC)
    end = start + timedelta(days=1)
    return Window(chosen, round(start.timestamp() * 1000), min(now_ms, round(end.timestamp() * 1000)))


@dataclass(frozen=True, slots=True)
class Taken:
    """What history said; ``found`` is ``None`` if it did not: ``absence`` says why, ``detail`` in its own words."""

    window: Window
    found: Found | None
    absence: Absence = ""
    detail: str = ""
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    at_s: float = 0.0


class History:
    """Counts windows, one at a time, and keeps what was counted."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._kept: dict[date | None, Taken] = {}
        self._running: dict[date | None, asyncio.Task[Taken]] = {}
        self._turn = asyncio.Semaphore(1)
        self._calendars: Mapping[str, Calendar] = {}
        self._reading: asyncio.Task[dict[str, Calendar]] | None = None

    async def get(self, wanted: Window) -> Taken:
        """What was counted of a window, a minute old at most; or what there is after some seconds of waiting."""
        kept = self._kept.get(wanted.day)
        if kept is not None and time.monotonic() - kept.at_s < (_ERROR_KEPT_S if kept.absence else KEPT_S):
            return kept
        task = self._running.get(wanted.day)
        if task is None:
            task = self._running[wanted.day] = asyncio.create_task(self._count(wanted), name="quality")
            task.add_done_callback(lambda _: self._running.pop(wanted.day, None))
        await asyncio.wait({task}, timeout=_WAIT_S)
        if task.done():
            return task.result()
        return kept or Taken(wanted, None, "counting")

    async def _count(self, wanted: Window) -> Taken:
        async with self._turn:
            await self._read_calendars()
            taken = await asyncio.to_thread(self._ask, wanted)
        self._kept.pop(wanted.day, None)
        self._kept[wanted.day] = taken
        while len(self._kept) > _WINDOWS:
            del self._kept[next(iter(self._kept))]
        return taken

    async def _read_calendars(self) -> None:
        """Those of before stay while Kafka is away; who hangs there is not waited for."""
        if self._reading is None:
            servers = self._settings.kafka_servers
            self._reading = asyncio.create_task(calendar_topic.read(servers, within_s=_CALENDARS_S), name="calendars")
        await asyncio.wait({self._reading}, timeout=_CALENDARS_S)
        if not self._reading.done():
            return
        try:
            self._calendars = self._reading.result()
        except Unavailable as away:
            log.warning("calendars are those of before", error=away.detail)
        finally:
            self._reading = None

    def _ask(self, wanted: Window) -> Taken:
        try:
            found = quality_rows.count(self._settings, wanted.start_ms, wanted.end_ms)
        except Unavailable as away:
            return Taken(wanted, None, "away", away.detail, self._calendars, time.monotonic())
        except RefusedQuery as refused:
            log.warning("quality could not be counted", error=refused.detail)
            return Taken(wanted, None, "refused", refused.detail, self._calendars, time.monotonic())
        return Taken(wanted, found, "", "", self._calendars, time.monotonic())


@dataclass(frozen=True, slots=True)
class Told:
    """A site as heard now, and as judged."""

    live: documents.Site
    judged: Judged

    @property
    def wrong(self) -> tuple[quality.Trouble, ...]:
        """What is wrong with it."""
        return self.judged.wrong


@dataclass(frozen=True, slots=True)
class View:
    """Everything that is told: sites worst first, those of which nothing is wrong behind them.

    Attributes:
        now_ms: of the live part; ``taken`` says the window of the rest.
        totals: over all sites; ``None`` while history is away.
        letters: of all, those that belong to no known site included; ``unplaced`` are these alone.
        never: sites that were never heard, and have nothing in history.
        pipeline: of ``/v1/now``.
    """

    now_ms: int
    taken: Taken
    sites: list[Told]
    totals: Arrivals | None
    letters: tuple[Letters, ...]
    unplaced: tuple[Letters, ...]
    never: int
    pipeline: documents.Pipeline

    @property
    def wrong(self) -> list[Told]:
        """Sites with any trouble."""
        return [one for one in self.sites if one.wrong]

    @property
    def silent_devices(self) -> int:
        """Over all sites."""
        return sum(len(one.judged.silent) for one in self.sites)


def view(feed: Feed, taken: Taken, site_id: str | None = None) -> View:
    """What is told of all sites, or of one; ``KeyError`` for one that no file describes."""
    now = documents.read_now(feed.now(site_id, heard_only=site_id is None))
    found = taken.found or Found({}, {}, ())
    live = {site.site_id: site for site in now.sites}
    if site_id is None:  # sites that were forgotten live, or never counted, have their history
        for name in {*found.arrivals, *found.letters} - live.keys():
            if name is not None and name in feed.sites:
                (live[name],) = documents.read_now(feed.now(name)).sites
    told = {name: _told(feed.sites[name], site, taken, now.now_ms) for name, site in live.items()}
    ranked = [told[one.site.site_id] for one in quality.worst_first(one.judged for one in told.values())]
    unplaced = tuple(found.letters.get(None, ())) if site_id is None else ()
    everywhere = [letters for one in ranked for letters in one.judged.letters]
    return View(
        now.now_ms,
        taken,
        ranked,
        None if taken.found is None else sum((one.judged.arrivals or Arrivals() for one in ranked), Arrivals()),
        _summed([*everywhere, *unplaced]),
        unplaced,
        len(feed.sites) - len(live) if site_id is None else 0,
        now.pipeline,
    )


def _told(site: Site, live: documents.Site, taken: Taken, now_ms: int) -> Told:
    found = taken.found
    judged = quality.judge(
        site,
        taken.calendars.get(site.site_id),
        live.received_ms,
        [Device(one.device_id, one.received_ms) for one in live.devices],
        None if found is None else found.arrivals.get(site.site_id, Arrivals()),
        () if found is None else found.letters.get(site.site_id, ()),
        now_ms,
    )
    return Told(live, judged)


def _summed(letters: Iterable[Letters]) -> tuple[Letters, ...]:
    """By topic and reason, most left first."""
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for one in letters:
        found, retried = sums.get((one.topic, one.reason), (0, 0))
        sums[one.topic, one.reason] = found + one.found, retried + one.retried
    made = [Letters(*place, *numbers) for place, numbers in sums.items()]
    return tuple(sorted(made, key=lambda one: (-one.left, one.topic, one.reason)))


def document(shown: View) -> dict[str, object]:
    """The document of ``/v1/quality``."""
    taken, totals = shown.taken, shown.totals
    return {
        "now_ms": shown.now_ms,
        "window": {
            "from_ms": taken.window.start_ms,
            "to_ms": taken.window.end_ms,
            "day": taken.window.day.isoformat() if taken.window.day else None,
        },
        "history": {
            "state": taken.absence or "counted",
            "as_of_ms": None if taken.found is None else taken.window.end_ms,
            "detail": taken.detail,
            "not_counted": list(taken.found.missing) if taken.found else [],
        },
        "pipeline": msgspec.to_builtins(shown.pipeline),
        "network": {
            "sites": len(shown.sites),
            "sites_wrong": len(shown.wrong),
            "sites_never_heard": shown.never,
            **_arrivals(totals),
            "devices": {
                "known": sum(one.judged.devices for one in shown.sites),
                "watched": sum(one.judged.watched for one in shown.sites),
                "silent": shown.silent_devices,
            },
            "dead_letters": msgspec.to_builtins(shown.letters),
            "dead_letters_unplaced": msgspec.to_builtins(shown.unplaced),
        },
        "sites": [_site(one) for one in shown.sites],
    }


def _site(one: Told) -> dict[str, object]:
    judged, arrivals = one.judged, one.judged.arrivals
    said = judged.silence
    return {
        "site_id": judged.site.site_id,
        "name": judged.site.name,
        "wrong": list(judged.wrong),
        "freshness": {
            "state": one.live.state,
            "heard_ms": one.live.received_ms,
            "complete_ms": one.live.confirmed_ms,
            "history_received_ms": arrivals.received_ms if arrivals else None,
            "history_landed_ms": arrivals.landed_ms if arrivals else None,
        },
        "silence": None if said is None else {"minutes": said.minutes, "gap_min": said.gap_min},
        **_arrivals(arrivals),
        "devices": {
            "known": judged.devices,
            "watched": judged.watched,
            "silent": [one._asdict() for one in judged.silent],
        },
        "dead_letters": msgspec.to_builtins(judged.letters),
    }


def _arrivals(one: Arrivals | None) -> dict[str, object]:
    """``None`` for each while history is away."""
    if one is None:
        return dict.fromkeys(("events", "late", "clocks", "resent"))
    return {
        "events": one.events,
        "late": {"judged": one.judged, "late": one.late, "offline": one.offline},
        "clocks": {"judged": one.clocked, "drifting": one.drifting, "unsynced": one.unsynced},
        "resent": one.resent,
    }
