"""What people wrote, read by itself: ``smile_tweets``, ``yelp`` and ``xed``, one text a line, counted per UTC hour.

The columns behind the text (emotion, polarity) only tell whether a line is whole; what they say is not looked at.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path

from streams.check.lines import Line, Seen, by_column, instant, local, plain

LONDON = "Europe/London"
PHOENIX = "America/Phoenix"
PARIS = "Europe/Paris"
HANDLES = (
    "britishmuseum", "nationalgallery", "kettlesyard", "fitzmuseum_uk", "tateliverpool", "tate_stives",
    "camunivmuseums", "plymouthmuseum", "rammuseum", "tate", "leedsartgallery", "royalacademy",
)  # fmt: skip
UNPLACED = "unplaced"
TWEET_SITES = (*(handle.replace("_", "-") for handle in HANDLES), UNPLACED)
_LONGEST = 2_000  # characters that the door takes
# A name goes on with letters, digits and _ of ASCII: neither @tate_kids nor a@tate.org.uk names tate.
_MENTION = re.compile(r"(?<![A-Za-z0-9_@])@([A-Za-z0-9_]+)")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", re.ASCII)
_REFUSED = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
)  # the door takes no control characters, save tab and line ends
_FIRST_DAY = date(2014, 1, 6)
_A_DAY = 48  # entries that we put on one day, ten minutes apart from ten o'clock on

TWEET_WORDS = (
    "one line = one post at created_at (UTC); the same tweet_id again is the same post, with another time or text it "
    f"is unreadable; site = first @name in the text, case ignored, that is one of {', '.join(HANDLES)}, with _ as -, "
    f"else {UNPLACED}"
)
ENTRY_WORDS = (
    "one readable line = one entry without a rating; entry k (from 0) stands at local 10:00 + 10 min × (k mod 48) of "
    "2014-01-06 + k div 48 days; readable = "
)
YELP_WORDS = ENTRY_WORDS + "a text, one tab, 0 or 1"
XED_WORDS = ENTRY_WORDS + "a text, one tab, numbers from 1 to 8 with commas between them; quotes are letters"


def smile_tweets(path: Path) -> Iterator[Line]:
    """Posts, each at the museum that its text names first."""
    before: dict[str, Seen] = {}
    for number, cells in by_column(path, {"tweet_id", "created_at", "text"}):
        seen = _post(cells) if cells else None
        if seen and before.setdefault(seen[0].who, seen[0]) != seen[0]:
            seen = None
        yield Line(number, seen)


def _post(cells: dict[str, str]) -> list[Seen] | None:
    text, told = cells["text"], cells["created_at"]
    if not re.fullmatch("[0-9]{1,20}", cells["tweet_id"]) or not _sendable(text) or not _MOMENT.fullmatch(told):
        return None
    try:
        at = instant(datetime.fromisoformat(told), LONDON)
    except ValueError:
        return None
    return [Seen(_museum(text), at, "social_posts", who=cells["tweet_id"], text=text)] if at else None


def _sendable(text: str) -> bool:
    return 0 < len(text) <= _LONGEST and not _REFUSED.search(text)


def _museum(text: str) -> str:
    for named in _MENTION.findall(text):
        if named.lower() in HANDLES:
            return str(named).lower().replace("_", "-")
    return UNPLACED


def yelp(path: Path) -> Iterator[Line]:
    """Entries in English."""
    return _entries(path, "yelp", PHOENIX, lambda labels: labels in ("0", "1"))


def xed(path: Path) -> Iterator[Line]:
    """Entries in French."""
    numbers = set("12345678")
    return _entries(path, "xed", PARIS, lambda labels: all(one.strip(" ") in numbers for one in labels.split(",")))


def _entries(path: Path, site_id: str, zone: str, whole: Callable[[str], bool]) -> Iterator[Line]:
    before = 0
    for number, line in plain(path):
        text, *labels = (line or "").split("\t")
        if len(labels) != 1 or not _sendable(text) or not whole(labels[0]):
            yield Line(number, None)
            continue
        wall = datetime.combine(_FIRST_DAY, time(10)) + timedelta(days=before // _A_DAY, minutes=10 * (before % _A_DAY))
        before += 1
        at = local(wall, zone)
        yield Line(number, [Seen(site_id, at, "guestbook_entries", text=text)] if at else None)
