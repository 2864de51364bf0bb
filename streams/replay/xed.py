"""xed: sentences from French film subtitles, as guestbook entries.

Line: sentence, TAB, emotions as numbers from 1 to 8 with commas between; no header, quotation marks are literal. Some
lines are pieces of records that spanned several: they have no or several TABs, or no such numbers, and are unreadable.
The times are invented, see ``guestbook``; the emotions never enter an event.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from streams.replay import guestbook
from streams.replay.recording import Fact, Unreadable

ZONE = ZoneInfo("Europe/Paris")
_EMOTIONS = re.compile(r" *[1-8] *(, *[1-8] *)*")


def read(path: Path) -> Iterator[Fact | Unreadable]:
    """Entries of a file in its order; a line that cannot be read comes as such, in its place.

    Raises:
        RecordingError: the file cannot be opened.
    """
    return guestbook.entries(path, ZONE, language="fr", is_label=lambda label: bool(_EMOTIONS.fullmatch(label)))
