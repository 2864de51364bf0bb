"""What a recording's file says by itself: its own reading and adding up, shared with nobody.

``replay`` reads the same files and turns them into events; if it has a bug, the two disagree and ``musee check`` shows
it. Hence nothing is imported from there, at the price of saying a few things twice. Here stands which recordings there
are and how lines become cells; ``doors``, ``voices``, ``walks`` and ``weblog`` read the lines.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from streams.check import doors, voices, walks, weblog
from streams.check.cells import Cell, Grain
from streams.check.lines import FileError, Line, Seen, local

__all__ = ["RULES", "Counted", "FileError", "Rule", "local_day"]
_DAY = "%Y-%m-%d"
_HOUR = "%Y-%m-%dT%H"
_MINUTE = "%Y-%m-%dT%H:%M"


@dataclass(slots=True)
class Counted:
    """A file, counted.

    Attributes:
        cells: amounts per place, time and metric; zeros are left out.
        lines: below the header, empty ones not counted.
        events: what the readable lines speak of; one that is told twice under one identity is one.
        days: local days that lines speak of, also if nobody came.
        unreadable: numbers of the lines that were not counted.
        unreadable_names: the same with the file's name where there are several.
        sites: that lines speak of.
        texts: different ones.
        kinds: lines of each spelling or layout, where a file mixes several.
        people: site and session → zones and minutes where it was seen.
        back: lines stamped earlier than the line before.
    """

    cells: Counter[Cell] = field(default_factory=Counter)
    lines: int = 0
    events: int = 0
    days: set[str] = field(default_factory=set)
    unreadable: list[int] = field(default_factory=list)
    unreadable_names: list[str] = field(default_factory=list)
    sites: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    kinds: Counter[str] = field(default_factory=Counter)
    people: dict[tuple[str, str], set[tuple[str, str]]] = field(default_factory=dict)
    back: int = 0

    def total(self, metric: str, site_id: str = "") -> int:
        """Sum of a metric over all cells, of one site or all."""
        return sum(
            amount
            for cell, amount in self.cells.items()
            if cell.metric == metric and cell.place != "gate" and site_id in ("", cell.name.partition("/")[0])
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """How a recording is counted.

    Attributes:
        recording: its name.
        sites: where its events go.
        zone: IANA name of the sites' clock; business days end at midnight there.
        grain: of its cells.
        metrics: that are compared; another recording's at the same site are left alone.
        table: of the raw rows, in the database ``musee``.
        words: the rule in words, for ``--explain``.
        read: the lines of a file.
        said: the file's totals in the recording's own words.
        named_only: the file decides which of the sites are compared.
        by_time: the earliest event is the first, wherever its line stands.
    """

    recording: str
    sites: tuple[str, ...]
    zone: str
    grain: Grain
    metrics: tuple[str, ...]
    table: str
    words: str
    read: Callable[[Path], Iterator[Line]]
    said: Callable[[Counted], Iterable[str]]
    named_only: bool = False
    by_time: bool = False

    def count(self, path: Path, *, first_day: date | None = None) -> Counted:
        """Add a file up.

        Args:
            path: the file.
            first_day: local day that the first event is moved to, the others by as many days; ``None`` moves nothing.

        Raises:
            FileError: the file has another layout.
        """
        counted = Counted()
        once: set[tuple[object, ...]] = set()
        moved: timedelta | None = None if first_day else timedelta(0)
        before: datetime | None = None
        if first_day and self.by_time:
            earliest = min((seen.at for line in self.read(path) for seen in line.seen or ()), default=None)
            moved = first_day - earliest.date() if earliest else None
        for line in self.read(path):
            counted.lines += 1
            if line.seen is None:
                counted.unreadable.append(line.number)
                counted.unreadable_names.append(line.name)
                continue
            if moved is None and first_day and line.seen:
                moved = first_day - line.seen[0].at.date()
            told = [self._moved(seen, moved or timedelta(0)) for seen in line.seen]
            if not all(told):
                counted.unreadable.append(line.number)
                counted.unreadable_names.append(line.name)
                continue
            counted.kinds[line.kind] += 1
            for seen in filter(None, told):
                counted.back += before is not None and seen.at < before
                before = seen.at
                self._add(counted, once, seen)
        return counted

    def _moved(self, seen: Seen, by: timedelta) -> Seen | None:
        """The same time on the clock, whole days later; ``None`` if somebody came when that clock skipped an hour."""
        if not by:
            return seen
        try:
            wall = seen.at.replace(tzinfo=None) + by
        except OverflowError:
            return None
        at = local(wall, self.zone)
        if at is None and seen.amount:
            return None
        return seen._replace(at=(at or wall.replace(tzinfo=seen.at.tzinfo)).replace(fold=seen.at.fold))

    def _add(self, counted: Counted, once: set[tuple[object, ...]], seen: Seen) -> None:
        counted.days.add(seen.at.strftime(_DAY))
        counted.sites.add(seen.site_id)
        if seen.text:
            counted.texts.add(seen.text)
        cells = _cells(seen, self.grain)
        if seen.who:
            if self.grain == "minute":
                walk = counted.people.setdefault((seen.site_id, seen.who), set())
                walk.update((seen.place, cell.when) for cell in cells)
                counted.events += 1
            fact = (seen.who, *(cells if self.grain == "minute" else ()))
            if fact in once:
                return
            once.add(fact)
        if self.grain != "minute":
            counted.events += seen.amount
        for cell in cells:
            if seen.amount:
                counted.cells[cell] += seen.amount


def _cells(seen: Seen, grain: Grain) -> tuple[Cell, ...]:
    match grain:
        case "day":
            day = seen.at.strftime(_DAY)
            return Cell("gate", seen.place, day, seen.metric), Cell("site", seen.site_id, day, seen.metric)
        case "hour":
            return (Cell("site", seen.site_id, seen.at.astimezone(UTC).strftime(_HOUR), seen.metric),)
        case "minute":
            minute = seen.at.astimezone(UTC).strftime(_MINUTE)
            return (Cell("zone", f"{seen.site_id}/{seen.place}", minute, seen.metric),)


def local_day(at_ms: int, zone: str) -> str:
    """The local date of an instant, which is the business day where that ends at midnight."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(zone)).date().isoformat()


def utc(at_ms: int, grain: Grain) -> str:
    """An instant as ``when`` of a cell of that grain, hours and minutes."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime(_HOUR if grain == "hour" else _MINUTE)


# -- in the recordings' own words ------------------------------------------------------------------------------------


def _lines_said(counted: Counted) -> str:
    return f"{counted.lines:,} lines, {len(counted.unreadable):,} unreadable"


def _doors_said(counted: Counted) -> Iterator[str]:
    yield f"{_lines_said(counted)}, {len(counted.days)} business days in the file"


def _posts_said(counted: Counted) -> Iterator[str]:
    by_site = {site: counted.total("social_posts", site) for site in voices.TWEET_SITES}
    yield f"{counted.events:,} posts ({len(counted.texts):,} distinct texts), {_lines_said(counted)}"
    yield ", ".join(f"{site} {posts:,}" for site, posts in by_site.items() if posts)


def _entries_said(counted: Counted) -> Iterator[str]:
    yield f"{counted.events:,} entries ({len(counted.texts):,} distinct texts)"


def _subtitles_said(counted: Counted) -> Iterator[str]:
    yield f"{counted.lines:,} lines, {counted.events:,} entries, {len(counted.unreadable):,} unreadable"


def _library_said(counted: Counted) -> Iterator[str]:
    zones = {cell.name for cell in counted.cells}
    spelled = " + ".join(f"{lines:,} as {kind}" for kind, lines in counted.kinds.items())
    yield f"{counted.events:,} fixes, {len(zones)} zones, {len(counted.unreadable):,} unreadable"
    yield f"times: {spelled}"
    yield f"seen in {counted.total(walks.SESSIONS):,} zone-minutes on {len(counted.days)} days"


def _tracks_said(counted: Counted) -> Iterator[str]:
    walks_of: dict[str, dict[str, set[tuple[str, str]]]] = {}
    for (site, who), walk in counted.people.items():
        walks_of.setdefault(site, {})[who] = walk
    people, tags = walks_of.get(walks.CAMERAS, {}), walks_of.get(walks.TAG, {})
    told = []
    if people:
        told.append(f"{counted.kinds['camera']:,} camera points of {len(people)} people")
    if tags:
        told.append(f"{counted.kinds['tag']:,} points of {'one tag' if len(tags) == 1 else f'{len(tags)} tags'}")
    yield f"{' and '.join(told) or 'no points'}, {len(counted.unreadable):,} unreadable"
    tagged = set().union(*tags.values())
    wearing = {who: walk for who, walk in people.items() if walk & tagged}
    if people and tags:
        seen = set().union(*wearing.values())
        zones = len({zone for zone, _ in tagged})
        yield (
            f"the tag and the people met with it ({', '.join(sorted(wearing)) or 'nobody'}): {zones} zones, "
            f"{len(seen & tagged)} pairs of zone and minute in common, {len(seen ^ tagged)} only one of them"
        )


def _requests_said(counted: Counted) -> Iterator[str]:
    hours = {cell.when for cell in counted.cells}
    sums = {metric.removeprefix("web_").replace("_", " "): counted.total(metric) for metric in weblog.METRICS}
    yield (
        f"{counted.lines:,} lines, {len(counted.unreadable):,} unreadable, {counted.events:,} requests, "
        f"{len(hours)} hours, {counted.back:,} lines stamped earlier than the line before"
    )
    yield " + ".join(f"{name} {amount:,}" for name, amount in sums.items()) + f" = {sum(sums.values()):,}"


_GUESTBOOK = ("guestbook_entries", "guestbook_ratings", "guestbook_rating_sum")
_SCANS = ("entries", "exits", "denied")
RULES = {
    rule.recording: rule
    for rule in (
        Rule("gym_swipes", ("gym",), doors.TORONTO, "day", _SCANS, "ticket_scan",
             doors.GYM_WORDS, doors.gym_swipes, _doors_said),
        Rule("calit2", ("calit2",), doors.IRVINE, "day", _SCANS, "ticket_scan",
             doors.CALIT2_WORDS, doors.calit2, _doors_said),
        Rule("smile_tweets", voices.TWEET_SITES, voices.LONDON, "hour", ("social_posts",), "social_post",
             voices.TWEET_WORDS, voices.smile_tweets, _posts_said),
        Rule("yelp", ("yelp",), voices.PHOENIX, "hour", _GUESTBOOK, "guestbook_entry",
             voices.YELP_WORDS, voices.yelp, _entries_said),
        Rule("xed", ("xed",), voices.PARIS, "hour", _GUESTBOOK, "guestbook_entry",
             voices.XED_WORDS, voices.xed, _subtitles_said),
        Rule("ble_library", ("ble-library",), walks.DETROIT, "minute", (walks.SESSIONS,), "position_update",
             walks.LIBRARY_WORDS, walks.ble_library, _library_said),
        Rule("sdu_tracks", (walks.CAMERAS, walks.TAG), walks.COPENHAGEN, "minute", (walks.SESSIONS,), "position_update",
             walks.TRACKS_WORDS, walks.sdu_tracks, _tracks_said, named_only=True),
        Rule("web_log", ("web-log",), weblog.UTC_ZONE, "hour", weblog.METRICS, "web_traffic",
             weblog.WORDS, weblog.web_log, _requests_said, by_time=True),
    )
}  # fmt: skip
