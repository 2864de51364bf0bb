"""gym_swipes: a badge-reader log of one room, one line per swipe.

Columns ``DeviceName``, ``Direction`` (``In`` or ``Out``), ``AlarmDateTime`` (``M/D/YYYY H:MM``, wall clock of Toronto,
no zone, whole minutes). Takes such a file, gives scans in its order. No line names a person, so lines may be equal and
are still different swipes: the id counts how many equal ones came before.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from streams.replay.recording import Direction, Fact, Repeats, Row, Unreadable, keepable, local, rows, scan, slug

ZONE = ZoneInfo("America/Toronto")
COLUMNS = ("DeviceName", "Direction", "AlarmDateTime")
LONGEST_NAME = 200  # what the door takes
_DIRECTIONS: dict[str, Direction] = {"In": "IN", "Out": "OUT"}
_TIME = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}) (\d{1,2}):(\d{2})", re.ASCII)


def read(path: Path) -> Iterator[Fact | Unreadable]:
    """Swipes of a file in its order; a line that cannot be read comes as such, in its place.

    Times that the clock skipped in the night of the spring change are unreadable; those it showed twice in the autumn
    are taken as the first.

    Raises:
        RecordingError: the file has another layout.
    """
    repeats = Repeats()
    for row in rows(path, COLUMNS):
        yield row if isinstance(row, Unreadable) else _scan(row, repeats)


def _scan(row: Row, repeats: Repeats) -> Fact | Unreadable:
    reader, way, told = row.cells
    gate_id = slug(reader)
    if not gate_id:
        return Unreadable(row.line, f"DeviceName {reader!r} has no letter or digit")
    if len(reader) > LONGEST_NAME:
        return Unreadable(row.line, f"DeviceName is {len(reader)} characters long, {LONGEST_NAME} are allowed")
    direction = _DIRECTIONS.get(way)
    if direction is None:
        return Unreadable(row.line, f"Direction {way!r} is neither In nor Out")
    wall = _wall(told)
    if wall is None:
        return Unreadable(row.line, f"AlarmDateTime {told!r} is no M/D/YYYY H:MM")
    at = local(wall, ZONE)
    if at is None:
        return Unreadable(row.line, f"AlarmDateTime {told!r} never was in {ZONE.key}: the clock went forward")
    if not keepable(at):
        return Unreadable(row.line, f"AlarmDateTime {told!r} is not between 1971 and 2099")
    return scan(row.line, repeats.named(",".join(row.cells)), at, gate_id, direction)


def _wall(told: str) -> datetime | None:
    parts = _TIME.fullmatch(told)
    if parts is None:
        return None
    month, day, year, hour, minute = map(int, parts.groups())
    try:
        return datetime(year, month, day, hour, minute)
    except ValueError:
        return None
