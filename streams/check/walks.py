"""Walks, read by themselves: ``ble_library`` and ``sdu_tracks``, sessions per zone by UTC minute."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from streams.check.lines import FileError, Line, Seen, by_column, instant, local, plain

DETROIT = "America/Detroit"
COPENHAGEN = "Europe/Copenhagen"
CAMERAS, TAG = "sdu-cameras", "sdu-tag"
SESSIONS = "sessions"
LIBRARY_WORDS = (
    "one line = one fix of the one phone; zone = location in lower case; time on the clock of America/Detroit, "
    "M-D-YYYY H:MM:SS or MM-DD-YYYY HH:MM; a cell is 1 where the phone was in the zone during the minute"
)
TRACKS_WORDS = (
    "one line = one position of the person or tag id; on a common plan in mm the tag stands at (x, y), the camera's "
    "person at (4700 - 14 y, 14 x - 2850); zone = c<column>-r<row>, cells of 2500 mm from (-3800, -4200), 0 to 9 each "
    "way; camera time in epoch ms, tag time on the clock of Europe/Copenhagen; a cell is how many different ids were "
    "in the zone during the minute"
)
_SPELLINGS = {
    "M-D-YYYY H:MM:SS": re.compile(r"\d{1,2}-\d{1,2}-\d{4} \d{1,2}:\d\d:\d\d", re.ASCII),
    "MM-DD-YYYY HH:MM": re.compile(r"\d\d-\d\d-\d{4} \d\d:\d\d", re.ASCII),
}


def ble_library(path: Path) -> Iterator[Line]:
    """Fixes of a phone that was walked through a library; its beacons' signals are not looked at."""
    for number, cells in by_column(path, {"location", "date"}):
        zone_id, told = (cells["location"].lower(), cells["date"]) if cells else ("", "")
        spelling = next((name for name, form in _SPELLINGS.items() if form.fullmatch(told)), "")
        at = _at(told, spelling)
        whole = at is not None and _NAME.fullmatch(zone_id)
        yield Line(number, [Seen("ble-library", at, SESSIONS, 1, zone_id, "phone")] if whole and at else None, spelling)


def _at(told: str, spelling: str) -> datetime | None:
    try:
        seconds = ":%S" if spelling.endswith("SS") else ""
        return local(datetime.strptime(told, f"%m-%d-%Y %H:%M{seconds}"), DETROIT) if spelling else None
    except ValueError:
        return None


_FILES = ("raw_xovis.csv", "raw_uwbtags.csv")
_NUMBER = re.compile(r"-?\d{1,6}", re.ASCII)
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
_EPOCH_MS = re.compile(r"\d{1,15}", re.ASCII)
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(\d{1,6}))?", re.ASCII)
_CELL_MM, _CORNER_X, _CORNER_Y, _CELLS = 2_500, -3_800, -4_200, 10


def sdu_tracks(path: Path) -> Iterator[Line]:
    """Positions of a file, or of both in a folder, the one that begins earlier first."""
    if not path.is_dir():
        yield from _tracks(path, "")
        return
    there = [path / name for name in _FILES if (path / name).is_file()]
    if not there:
        raise FileError(f"{path}: holds neither {' nor '.join(_FILES)}")
    read = [list(_tracks(one, one.name)) for one in there]
    never = datetime.max.replace(tzinfo=UTC)
    for lines in sorted(read, key=lambda lines: next((line.seen[0].at for line in lines if line.seen), never)):
        yield from lines


def _tracks(path: Path, name: str) -> Iterator[Line]:
    _, header = next(plain(path), (1, ""))
    camera = header is not None and {"height", "cam"} <= set(header.split(";"))
    needed = {"id", "time", "x", "y", *(("height", "cam") if camera else ("z",))}
    for number, cells in by_column(path, needed, delimiter=";"):
        yield Line(number, _position(cells, camera) if cells else None, "camera" if camera else "tag", name)


def _position(cells: dict[str, str], camera: bool) -> list[Seen] | None:
    if not _NAME.fullmatch(cells["id"]) or not _NUMBER.fullmatch(cells["x"]) or not _NUMBER.fullmatch(cells["y"]):
        return None
    x, y = int(cells["x"]), int(cells["y"])
    column, row = _zone(4_700 - 14 * y, 14 * x - 2_850) if camera else _zone(x, y)
    at = _epoch(cells["time"]) if camera else _copenhagen(cells["time"])
    if at is None or not 0 <= column < _CELLS or not 0 <= row < _CELLS:
        return None
    return [Seen(CAMERAS if camera else TAG, at, SESSIONS, 1, f"c{column}-r{row}", cells["id"])]


def _zone(x_mm: int, y_mm: int) -> tuple[int, int]:
    return (x_mm - _CORNER_X) // _CELL_MM, (y_mm - _CORNER_Y) // _CELL_MM


def _epoch(told: str) -> datetime | None:
    try:
        since = timedelta(milliseconds=int(told)) if _EPOCH_MS.fullmatch(told) else None
        return instant(datetime(1970, 1, 1, tzinfo=UTC) + since, COPENHAGEN) if since is not None else None
    except (ValueError, OverflowError):
        return None


def _copenhagen(told: str) -> datetime | None:
    found = _MOMENT.fullmatch(told)
    try:
        return local(datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S"), COPENHAGEN) if found else None
    except ValueError:
        return None
