"""sdu_tracks: people on a ceiling camera and one radio tag, walking the same room of a university building.

Takes one of the two raw files, recognised by its header, or a folder that holds ``raw_xovis.csv`` and
``raw_uwbtags.csv``; gives positions (family ``position-update``). In a folder the earlier of the two next points comes
first, the camera's at the same millisecond; each file keeps its own order.

Camera
    Header ``;time;id;x;y;height;cam``. Site ``sdu-cameras``, session = ``id``, ``time`` in epoch ms, UTC.
Tag
    Header ``id;x;y;z;time``. Site ``sdu-tag``, session = ``id``, ``time`` ``YYYY-MM-DD HH:MM:SS.fff`` by the clocks of
    Copenhagen, one to six decimals or none, of which milliseconds count (the rest is cut off).

**The plan.** Both see the room in axes of their own: the camera in units of its picture, the tag in millimetres, and
what is x to one is y to the other. The common plan is the tag's, in whole millimetres::

    tag      x_mm = x                  y_mm = y
    camera   x_mm = 4700 - 14 * y      y_mm = 14 * x - 2850      (x, y as they stand in the camera's file)

**The zones** are cells of 2.5 m by 2.5 m on that plan, numbered from its corner (-3800, -4200)::

    column = floor((x_mm + 3800) / 2500)      row = floor((y_mm + 4200) / 2500)      zone_id = f"c{column}-r{row}"

A point on a line belongs to the cell that begins there. Columns and rows run from 0 to 9; a point outside is
unreadable, as is a coordinate that is not a whole number of up to six digits, with or without a minus. ``x_m`` and
``y_m`` of the event are ``x_mm / 1000`` and ``y_mm / 1000``. Height, ``z`` and the camera's name are not looked at.

The event's id is the line's text (without its line end), ``#``, and how many equal lines came before in its file.

**Where the numbers come from.** The publishers' join of both systems names who wears the tag: the camera's persons
27966 and, once it had lost and found them again, 27984 (for two seconds also a ghost, 27977). A robust fit of their
points to the tag's gives 13.6 to 14.3 mm for a unit of the camera, which trails the tag by half a second or more; half
of the differences are below 0.14 m, single ones above 0.5 m. Offsets and grid were then chosen, coarse on purpose, so
that those persons and the tag are in the same zones in the same minutes, 08:24 to 08:27 UTC: ten pairs of zone and
minute in four zones (c1-r1, c1-r2, c2-r1, c2-r2) and no difference. With the camera's axes left as they are (14 * x -
2850 for x_mm, 4700 - 14 * y for y_mm) eleven pairs differ. Everybody else sits in c2-r3, where the tag never is.
"""

import heapq
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from streams.replay.recording import (
    Fact,
    RecordingError,
    Repeats,
    Row,
    Unreadable,
    first_line,
    keepable,
    local,
    rows,
)
from streams.topology import POSITION_UPDATE

ZONE = ZoneInfo("Europe/Copenhagen")
CAMERA_COLUMNS = ("time", "id", "x", "y", "height", "cam")
TAG_COLUMNS = ("id", "x", "y", "z", "time")
CAMERA_FILE, TAG_FILE = "raw_xovis.csv", "raw_uwbtags.csv"
CAMERA_SITE, TAG_SITE = "sdu-cameras", "sdu-tag"
CELL_MM = 2_500
CORNER_X_MM, CORNER_Y_MM = -3_800, -4_200
CELLS = 10  # each way
_WHOLE = re.compile(r"-?\d{1,6}", re.ASCII)
_EPOCH_MS = re.compile(r"\d{1,13}", re.ASCII)
_TIME = re.compile(r"(\d{4})-(\d{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?", re.ASCII)
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,200}")


def read(path: Path) -> Iterator[Fact | Unreadable]:
    """Positions of a file or of both, each file in its order; a line that cannot be read comes as such, in its place.

    Raises:
        RecordingError: the file has neither layout, or the folder lacks one of the two.
    """
    if not path.is_dir():
        yield from _file(path)
        return
    both = heapq.merge(*map(_timed, files(path)), key=lambda timed: timed[0])
    for _, file, found in both:
        yield Unreadable(found.line, f"{file}: {found.reason}") if isinstance(found, Unreadable) else found


def files(path: Path) -> tuple[Path, ...]:
    """The files that are read: itself, or the two of a folder."""
    return (path / CAMERA_FILE, path / TAG_FILE) if path.is_dir() else (path,)


def zone(x_mm: int, y_mm: int) -> str | None:
    """The cell of a point of the plan, ``None`` outside; see the module."""
    column, row = (x_mm - CORNER_X_MM) // CELL_MM, (y_mm - CORNER_Y_MM) // CELL_MM
    return f"c{column}-r{row}" if 0 <= column < CELLS and 0 <= row < CELLS else None


def _timed(path: Path) -> Iterator[tuple[int, str, Fact | Unreadable]]:
    """What a file holds, with the time by which the two are merged: what cannot be read goes with what is before it."""
    at_ms = 0
    for found in _file(path):
        at_ms = at_ms if isinstance(found, Unreadable) else found.at_ms
        yield at_ms, path.name, found


def _file(path: Path) -> Iterator[Fact | Unreadable]:
    header = set(first_line(path).split(";"))
    if set(CAMERA_COLUMNS) <= header:
        yield from _read(path, camera=True)
    elif set(TAG_COLUMNS) <= header:
        yield from _read(path, camera=False)
    else:
        either = f"{';'.join(CAMERA_COLUMNS)} or {';'.join(TAG_COLUMNS)}"
        raise RecordingError(f"{path}: line 1 must name the columns {either}")


def _read(path: Path, *, camera: bool) -> Iterator[Fact | Unreadable]:
    repeats = Repeats()
    for row in rows(path, ("id", "x", "y", "time"), delimiter=";"):
        yield row if isinstance(row, Unreadable) else _fact(row, repeats, camera=camera)


def _fact(row: Row, repeats: Repeats, *, camera: bool) -> Fact | Unreadable:
    session, x, y, told = row.cells
    if not _NAME.fullmatch(session):
        return Unreadable(row.line, f"id {session!r} is no name of up to 200 characters")
    if not (_WHOLE.fullmatch(x) and _WHOLE.fullmatch(y)):
        return Unreadable(row.line, f"x {x!r}, y {y!r}: not two whole numbers")
    x_mm, y_mm = (4_700 - 14 * int(y), 14 * int(x) - 2_850) if camera else (int(x), int(y))
    zone_id = zone(x_mm, y_mm)
    if zone_id is None:
        return Unreadable(row.line, f"x {x!r}, y {y!r} lies outside the plan")
    at = _epoch(told) if camera else _wall(told)
    if isinstance(at, str):
        return Unreadable(row.line, at)
    if not keepable(at):
        return Unreadable(row.line, f"time {told!r} is not between 1971 and 2099")
    return Fact(
        line=row.line,
        fact_id=repeats.named(row.text),
        at=at,
        family=POSITION_UPDATE,
        site_id=CAMERA_SITE if camera else TAG_SITE,
        data={"session_id": session, "zone_id": zone_id, "x_m": x_mm / 1000, "y_m": y_mm / 1000},
        counts={"camera points" if camera else "tag points": 1},
    )


def _epoch(told: str) -> datetime | str:
    if not _EPOCH_MS.fullmatch(told):
        return f"time {told!r} is no epoch ms"
    seconds, ms = divmod(int(told), 1000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=ms * 1000).astimezone(ZONE)


def _wall(told: str) -> datetime | str:
    parts = _TIME.fullmatch(told)
    if parts is None:
        return f"time {told!r} is no YYYY-MM-DD HH:MM:SS.fff"
    *numbers, fraction = parts.groups()
    year, month, day, hour, minute, second = map(int, numbers)
    ms = int((fraction or "").ljust(3, "0")[:3])
    try:
        wall = datetime(year, month, day, hour, minute, second, ms * 1000)
    except ValueError:
        return f"time {told!r} is no YYYY-MM-DD HH:MM:SS.fff"
    at = local(wall, ZONE)
    return f"time {told!r} never was in {ZONE.key}: the clock went forward" if at is None else at
