"""ble_library: one phone carried through a university library, placed by what it heard of beacons.

Columns ``location`` (a cell of the floor's grid, e.g. ``I01``) and ``date`` (wall clock of Kalamazoo, Michigan, no
zone, spelled ``M-D-YYYY H:MM:SS`` or ``MM-DD-YYYY HH:MM``), further ones with signals. Takes such a file, gives
positions; the zone is the cell in lower case. The signals are not looked at, but are part of the id: a phone may be in
one cell twice in a second.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from streams.replay.recording import Fact, Repeats, Row, Unreadable, keepable, local, rows
from streams.topology import POSITION_UPDATE

ZONE = ZoneInfo("America/Detroit")
COLUMNS = ("location", "date")
SESSION_ID = "phone"
_CELL = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
_TIMES = (
    re.compile(r"(\d{1,2})-(\d{1,2})-(\d{4}) (\d{1,2}):(\d{2}):(\d{2})", re.ASCII),
    re.compile(r"(\d{2})-(\d{2})-(\d{4}) (\d{2}):(\d{2})", re.ASCII),
)


def read(path: Path) -> Iterator[Fact | Unreadable]:
    """Positions of a file in its order; a line that cannot be read comes as such, in its place.

    Times that the clock skipped in the night of the spring change are unreadable; those it showed twice in the autumn
    are taken as the first.

    Raises:
        RecordingError: the file has another layout.
    """
    repeats = Repeats()
    for row in rows(path, COLUMNS):
        yield row if isinstance(row, Unreadable) else _fact(row, repeats)


def _fact(row: Row, repeats: Repeats) -> Fact | Unreadable:
    cell, told = row.cells
    if not _CELL.fullmatch(cell.lower()):  # İ becomes two characters
        return Unreadable(row.line, f"location {cell[:40]!r} names no cell")
    wall = _wall(told)
    if wall is None:
        return Unreadable(row.line, f"date {told[:40]!r} is neither M-D-YYYY H:MM:SS nor MM-DD-YYYY HH:MM")
    at = local(wall, ZONE)
    if at is None:
        return Unreadable(row.line, f"date {told!r} never was in {ZONE.key}: the clock went forward")
    if not keepable(at):
        return Unreadable(row.line, f"date {told!r} is not between 1971 and 2099")
    data = {"session_id": SESSION_ID, "zone_id": cell.lower()}
    return Fact(row.line, repeats.named(row.text), at, POSITION_UPDATE, data, counts={"fixes": 1})


def _wall(told: str) -> datetime | None:
    for spelling in _TIMES:
        parts = spelling.fullmatch(told)
        if parts is not None:
            month, day, year, hour, minute, *second = map(int, parts.groups())
            try:
                return datetime(year, month, day, hour, minute, sum(second))
            except ValueError:
                return None
    return None
