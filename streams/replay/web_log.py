"""web_log: the access log of a small web server, as hourly counts.

Lines in Combined Log Format, plain or gzip. Takes such a file, gives one report for each hour (UTC) in which somebody
asked, in the hours' order, since the lines are not in theirs. **Nothing of a line but its hour and its kind leaves this
module**: no address, no path, no referrer, no agent.

A request is, in this order: a robot's (by a word in its agent, or because it asks for ``/robots.txt``), an error
(status 400 and above), an asset (by the end of its path), else a page view.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from streams.replay.recording import Fact, Line, Unreadable, keepable, lines
from streams.topology import WEB_TRAFFIC

ZONE = ZoneInfo("UTC")
Kind = Literal["page_views", "assets", "robots", "errors"]
KINDS: tuple[Kind, ...] = ("page_views", "assets", "robots", "errors")
EARLIER = "lines stamped earlier than the line before them"
ROBOTS = (
    "bot", "crawl", "spider", "slurp", "archiver", "feedfetcher", "fetcher", "monitor", "curl", "wget", "python",
    "java/", "libwww",
)  # fmt: skip
ASSETS = (
    ".css", ".js", ".png", ".jpg", ".jpeg", ".gif", ".ico", ".svg", ".woff", ".woff2", ".ttf", ".eot", ".xml", ".rss",
    ".atom", ".txt", ".pdf", ".zip", ".gz", ".mp3", ".mp4",
)  # fmt: skip
_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_LINE = re.compile(rf"\S+ \S+ \S+ \[([^\]]*)\] {_QUOTED} (\d{{3}}) (?:\d+|-) {_QUOTED} {_QUOTED}", re.ASCII)
_TIME = re.compile(r"(\d{2})/([A-Z][a-z]{2})/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})([0-5]\d)", re.ASCII)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(slots=True)
class _Hour:
    """What was asked for in an hour; ``line`` is the last that says so, ``earlier`` counts those out of order."""

    line: int = 0
    earlier: int = 0
    requests: Counter[Kind] = field(default_factory=Counter)


def read(path: Path) -> Iterator[Fact | Unreadable]:
    """Lines that cannot be read, then a report for each hour.

    Raises:
        RecordingError: the file cannot be opened or unpacked.
    """
    hours: defaultdict[datetime, _Hour] = defaultdict(_Hour)
    before: datetime | None = None
    for line in lines(path):
        asked = line if isinstance(line, Unreadable) else _asked(line)
        if isinstance(asked, Unreadable):
            yield asked
            continue
        at, kind = asked
        hour = hours[at.replace(minute=0, second=0)]
        hour.line = line.line
        hour.requests[kind] += 1
        hour.earlier += before is not None and at < before
        before = at
    for start, hour in sorted(hours.items()):
        yield _report(start, hour)


def kind_of(request: str, status: int, agent: str) -> Kind:
    """What kind of request it is.

    Args:
        request: as logged, ``GET /path?query HTTP/1.1``; one without a second word asks for nothing and has no path.
        status: of the answer.
        agent: who says to ask.
    """
    words = request.split(" ")
    path = words[1].partition("?")[0] if len(words) > 1 else ""
    named = agent.lower()
    if path == "/robots.txt" or any(word in named for word in ROBOTS):
        return "robots"
    if status >= 400:
        return "errors"
    return "assets" if path.lower().endswith(ASSETS) else "page_views"


def _asked(line: Line) -> tuple[datetime, Kind] | Unreadable:
    """Instant, UTC, and kind of one request."""
    parts = _LINE.fullmatch(line.text)
    if parts is None:
        return Unreadable(line.line, "not in Combined Log Format")
    told, request, status, _, agent = parts.groups()
    at = _instant(told)
    if at is None:
        return Unreadable(line.line, f"time {told[:40]!r} is no DD/Mon/YYYY:HH:MM:SS +hhmm")
    if not keepable(at):
        return Unreadable(line.line, f"time {told!r} is not between 1971 and 2099")
    return at, kind_of(request, int(status), agent)


def _instant(told: str) -> datetime | None:
    parts = _TIME.fullmatch(told)
    if parts is None or parts[2] not in _MONTHS:
        return None
    day, year, hour, minute, second, ahead_h, ahead_min = (int(parts[n]) for n in (1, 3, 4, 5, 6, 8, 9))
    ahead = timedelta(hours=ahead_h, minutes=ahead_min) * (-1 if parts[7] == "-" else 1)
    try:
        wall = datetime(year, _MONTHS.index(parts[2]) + 1, day, hour, minute, second, tzinfo=timezone(ahead))
        return wall.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _report(start: datetime, hour: _Hour) -> Fact:
    requests: dict[str, int] = {kind: hour.requests[kind] for kind in KINDS}
    told = ",".join([f"{start:%Y-%m-%dT%H}", *(str(count) for count in requests.values())])
    counts = {kind.replace("_", " "): count for kind, count in requests.items()} | {EARLIER: hour.earlier}
    return Fact(hour.line, told, start.astimezone(ZONE), WEB_TRAFFIC, requests, counts=counts)
