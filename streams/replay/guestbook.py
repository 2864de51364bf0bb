"""Guestbook entries out of sentences that say neither when nor where: what the recordings yelp and xed share.

Takes labelled sentences, one a line: sentence, TAB, label. Gives entries with **invented times**: the k-th readable
line (k from 0) stands ``k // 48`` days after 6 January 2014, at 10:00 and ten minutes for each of ``k % 48``. The label
decides whether a line can be read and goes nowhere.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from zoneinfo import ZoneInfo

from streams.replay.recording import Fact, Repeats, Unreadable, lines, local, unsendable
from streams.topology import GUESTBOOK_ENTRY

FIRST_DAY = date(2014, 1, 6)
OPENS = time_of_day(10)
EVERY = timedelta(minutes=10)
A_DAY = 48  # the last at 17:50
NOTE = (
    "The recording says neither when nor where: the times are invented, 48 entries a day from 2014-01-06, "
    "every ten minutes from 10:00."
)


def wall_time(k: int) -> datetime:
    """When entry ``k``, from 0, stands in the guestbook: wall clock, no zone."""
    days, place = divmod(k, A_DAY)
    return datetime.combine(FIRST_DAY + timedelta(days=days), OPENS) + place * EVERY


def entries(
    path: Path, zone: ZoneInfo, *, language: str, is_label: Callable[[str], bool]
) -> Iterator[Fact | Unreadable]:
    """Entries of a file in its order; a line that cannot be read comes as such, in its place, and takes no time.

    Args:
        path: the file.
        zone: whose wall clock the invented times are.
        language: of the sentences, BCP 47.
        is_label: whether what stands behind the TAB is a label of this recording.

    Raises:
        RecordingError: the file cannot be opened.
    """
    repeats = Repeats()
    k = 0
    for line in lines(path):
        if isinstance(line, Unreadable):
            yield line
            continue
        text, *labels = line.text.split("\t")
        if len(labels) != 1:
            yield Unreadable(line.line, f"{len(labels)} tabs where one divides sentence and label")
            continue
        if not is_label(labels[0]):
            yield Unreadable(line.line, f"{labels[0][:40]!r} is no label")
            continue
        why = unsendable(text)
        at = local(wall_time(k), zone)
        if why is not None or at is None:
            yield Unreadable(line.line, why or f"{wall_time(k)} never was in {zone.key}: the clock went forward")
            continue
        k += 1
        data = {"text": text, "language": language}
        yield Fact(line.line, repeats.named(text), at, GUESTBOOK_ENTRY, data, counts={"entries": 1})
