"""A web server's log, read by itself: ``web_log``, requests of four kinds per UTC hour."""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from streams.check.lines import Line, Seen, instant, plain

UTC_ZONE = "UTC"
METRICS = ("web_page_views", "web_assets", "web_robots", "web_errors")
ROBOTS = (
    "bot", "crawl", "spider", "slurp", "archiver", "feedfetcher", "fetcher", "monitor", "curl", "wget", "python",
    "java/", "libwww",
)  # fmt: skip
ASSETS = (
    ".css", ".js", ".png", ".jpg", ".jpeg", ".gif", ".ico", ".svg", ".woff", ".woff2", ".ttf", ".eot", ".xml", ".rss",
    ".atom", ".txt", ".pdf", ".zip", ".gz", ".mp3", ".mp4",
)  # fmt: skip
WORDS = (
    "one line = one request in the UTC hour of its stamp; the first that fits: robot (the user agent contains "
    f"{', '.join(ROBOTS)}, case ignored, or the path is /robots.txt), error (status 400 and above), asset (the path "
    f"without its query ends in {' '.join(ASSETS)}), page view"
)
# Combined Log Format: client, two names, [stamp], "request", status, bytes, "referrer", "user agent".
_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_STAMP = re.compile(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}", re.ASCII)  # strptime takes much more
_REQUEST = re.compile(rf"\S+ \S+ \S+ \[([^\]]+)\] {_QUOTED} (\d{{3}}) (?:\d+|-) {_QUOTED} {_QUOTED}", re.ASCII)


def web_log(path: Path) -> Iterator[Line]:
    """Requests; visitors, referrers and addresses are passed over."""
    for number, text in plain(path):
        found = _REQUEST.fullmatch(text) if text is not None else None
        yield Line(number, _seen(*found.groups()) if found else None)


def _seen(stamp: str, request: str, status: str, _referrer: str, agent: str) -> list[Seen] | None:
    _, *rest = request.split(" ", maxsplit=2)
    path = rest[0].partition("?")[0] if rest else ""
    if not _STAMP.fullmatch(stamp):
        return None
    try:
        at = instant(datetime.strptime(stamp, "%d/%b/%Y:%H:%M:%S %z"), UTC_ZONE)
    except ValueError:
        return None
    return [Seen("web-log", at, _kind(path, int(status), agent.lower()))] if at else None


def _kind(path: str, status: int, agent: str) -> str:
    if path == "/robots.txt" or any(robot in agent for robot in ROBOTS):
        return "web_robots"
    if status >= 400:
        return "web_errors"
    return "web_assets" if path.lower().endswith(ASSETS) else "web_page_views"
