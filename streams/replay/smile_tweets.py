"""smile_tweets: tweets that name British museums.

Columns ``tweet_id``, ``created_at`` (``YYYY-MM-DDTHH:MM:SS.fffZ``), ``text``; one line each, quoted where the text has
commas. Takes such a file, gives posts without a site: the door places each at the first museum that it names. The id is
the tweet's, so a line that stands twice is one post, and one that says something else of it is unreadable. Further
columns, such as an emotion, are not looked at.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from streams.replay.recording import Fact, Row, Unreadable, keepable, rows, unsendable
from streams.topology import SOCIAL_POST

ZONE = ZoneInfo("Europe/London")
COLUMNS = ("tweet_id", "created_at", "text")
_ID = re.compile(r"\d{1,20}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{3})?Z", re.ASCII)


def read(path: Path) -> Iterator[Fact | Unreadable]:
    """Posts of a file in its order; a line that cannot be read comes as such, in its place.

    Raises:
        RecordingError: the file has another layout.
    """
    told: dict[str, tuple[datetime, object]] = {}
    for row in rows(path, COLUMNS):
        found = row if isinstance(row, Unreadable) else _post(row)
        if isinstance(found, Fact):
            says = (found.at, found.data["text"])
            if told.setdefault(found.fact_id, says) != says:
                found = Unreadable(found.line, f"tweet_id {found.fact_id} stands before, with another time or text")
        yield found


def _post(row: Row) -> Fact | Unreadable:
    tweet_id, told, text = row.cells
    if not _ID.fullmatch(tweet_id):
        return Unreadable(row.line, f"tweet_id {tweet_id[:40]!r} is no number")
    at = _instant(told)
    if at is None:
        return Unreadable(row.line, f"created_at {told[:40]!r} is no YYYY-MM-DDTHH:MM:SS.fffZ")
    if not keepable(at):
        return Unreadable(row.line, f"created_at {told!r} is not between 1971 and 2099")
    why = unsendable(text)
    if why is not None:
        return Unreadable(row.line, why)
    return Fact(row.line, tweet_id, at, SOCIAL_POST, {"network": "twitter", "text": text}, counts={"posts": 1})


def _instant(told: str) -> datetime | None:
    if not _TIME.fullmatch(told):
        return None
    try:
        at = datetime.fromisoformat(told)
    except ValueError:
        return None
    return at.astimezone(ZONE) if keepable(at) else at.astimezone(UTC)
