"""yelp: sentences from reviews of restaurants, as guestbook entries in English.

Line: sentence, TAB, ``1`` or ``0``; no header, quotation marks are literal. The times are invented, see ``guestbook``;
the polarity behind the TAB never enters an event.
"""

from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from streams.replay import guestbook
from streams.replay.recording import Fact, Unreadable

ZONE = ZoneInfo("America/Phoenix")


def read(path: Path) -> Iterator[Fact | Unreadable]:
    """Entries of a file in its order; a line that cannot be read comes as such, in its place.

    Raises:
        RecordingError: the file cannot be opened.
    """
    return guestbook.entries(path, ZONE, language="en", is_label=lambda label: label in ("0", "1"))
