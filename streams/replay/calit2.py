"""calit2: people counted in and out at a building's main door, one line per half-hour.

Columns ``timestamp`` (``YYYY-MM-DD HH:MM:SS``, start of the half-hour, wall clock of Irvine, no zone), ``in_count``,
``out_count``. Takes such a file, gives that many single scans. **How many and which way is the recording's; the order
within a half-hour is ours**: the k-th of n stands at (k + ½)/n of the half-hour, and who comes in stands before who
goes out at the same instant. Any further column, such as a flag for events, is not looked at.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from streams.replay.recording import Direction, Fact, Repeats, Row, Unreadable, keepable, local, rows, scan

ZONE = ZoneInfo("America/Los_Angeles")
COLUMNS = ("timestamp", "in_count", "out_count")
GATE_ID = "main-door"
HALF_HOUR_MS = 1_800_000
_COUNT = re.compile(r"\d{1,6}", re.ASCII)  # more than a million people in half an hour is no count
_WAYS: tuple[tuple[str, Direction], ...] = (("in", "IN"), ("out", "OUT"))


def read(path: Path) -> Iterator[Fact | Unreadable]:
    """Scans of a file in its order; a line that cannot be read comes as such, in its place.

    Half-hours that the clock skipped in the night of the spring change are unreadable, unless nobody came; those it
    showed twice in the autumn are taken as the first.

    Raises:
        RecordingError: the file has another layout.
    """
    repeats = Repeats()
    for row in rows(path, COLUMNS):
        if isinstance(row, Unreadable):
            yield row
        else:
            yield from _scans(row, repeats)


def _scans(row: Row, repeats: Repeats) -> list[Fact] | list[Unreadable]:
    told = row.cells[0]
    if not all(_COUNT.fullmatch(count) for count in row.cells[1:]):
        return [Unreadable(row.line, f"in_count {row.cells[1]!r}, out_count {row.cells[2]!r}: not two counts")]
    counts = [int(count) for count in row.cells[1:]]
    try:
        wall = datetime.strptime(told, "%Y-%m-%d %H:%M:%S")
    except ValueError:
        return [Unreadable(row.line, f"timestamp {told!r} is no YYYY-MM-DD HH:MM:SS")]
    if wall.minute % 30 or wall.second:
        return [Unreadable(row.line, f"timestamp {told!r} does not begin a half-hour")]
    if not any(counts):
        return []
    start = local(wall, ZONE)
    if start is None:
        return [Unreadable(row.line, f"timestamp {told!r} never was in {ZONE.key}: the clock went forward")]
    if not keepable(start):
        return [Unreadable(row.line, f"timestamp {told!r} is not between 1971 and 2099")]
    scans: list[Fact] = []
    for (word, direction), count in zip(_WAYS, counts, strict=True):
        text = f"{told},{word}"
        for offset_ms in spread(count):
            at = (start.astimezone(UTC) + timedelta(milliseconds=offset_ms)).astimezone(ZONE)
            scans.append(scan(row.line, repeats.named(text), at, GATE_ID, direction))
    return sorted(scans, key=lambda found: found.at_ms)  # stable: in stays before out


def spread(count: int) -> list[int]:
    """Offsets of ``count`` people in a half-hour: ms, ascending, evenly apart, each inside ``[0, 1_800_000)``."""
    return [(2 * k + 1) * HALF_HOUR_MS // (2 * count) for k in range(count)]
