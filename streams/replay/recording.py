"""What every recording shares: a scan, a line that cannot be read, rows of a CSV file, local time.

A recording's module turns a file into ``Scan`` and ``Unreadable``, in the file's order. Nothing is guessed: a line that
does not say exactly what happened, where and when is named by its number and left out.
"""

import csv
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from streams.errors import StreamsError

Direction = Literal["IN", "OUT"]
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NOT_PLAIN = re.compile(r"[^a-z0-9]+")


class RecordingError(StreamsError):
    """The file is not a recording of this kind; names file and reason."""


@dataclass(frozen=True, slots=True)
class Scan:
    """One person through one door.

    Attributes:
        line: number of the line that says so; the header is line 1.
        scan_id: what the line says, and how many equal ones came before; the same whenever the file is read.
        at: when, with the site's offset from UTC.
        gate_id: slug of the reader's name.
        device_id: the reader, by the same slug: these recordings know no other name of a machine.
        direction: which way.
    """

    line: int
    scan_id: str
    at: datetime
    gate_id: str
    device_id: str
    direction: Direction

    @property
    def at_ms(self) -> int:
        """Event time, epoch ms, UTC."""
        return round(self.at.timestamp() * 1000)

    @property
    def time(self) -> str:
        """Event time as RFC 3339, e.g. ``2015-02-02T08:11:00-05:00``."""
        return self.at.isoformat(timespec="milliseconds" if self.at.microsecond else "seconds")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that was left out, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a file: the cells of the columns that were asked for, and no others."""

    line: int
    cells: tuple[str, ...]


def rows(path: Path, columns: Sequence[str]) -> Iterator[Row | Unreadable]:
    """The lines of a CSV file below its header.

    Each line stands for itself, so that an open quotation mark costs one line and not the rest of the file. Lines may
    end in LF or CRLF; empty ones are no lines.

    Raises:
        RecordingError: the file cannot be opened, or its header lacks one of ``columns``.
    """
    try:
        with path.open("rb") as file:
            header = _cells(file.readline().removeprefix(_BYTE_ORDER_MARK))
            if isinstance(header, str) or not set(columns) <= set(header):
                raise RecordingError(f"{path}: line 1 must name the columns {', '.join(columns)}")
            places = [header.index(name) for name in columns]
            for number, raw in enumerate(file, start=2):
                if not raw.strip():
                    continue
                cells = _cells(raw)
                if isinstance(cells, str):
                    yield Unreadable(number, cells)
                elif len(cells) != len(header):
                    yield Unreadable(number, f"{len(cells)} cells where the header has {len(header)}")
                else:
                    yield Row(number, tuple(cells[place] for place in places))
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or error}") from error


def _cells(raw: bytes) -> list[str] | str:
    """Cells of one line, or why it has none."""
    try:
        return next(csv.reader([raw.decode().rstrip("\r\n")], strict=True), [])
    except UnicodeDecodeError:
        return "not UTF-8"
    except csv.Error as error:
        return f"not CSV: {error}"


def local(wall: datetime, zone: ZoneInfo) -> datetime | None:
    """A wall-clock time of ``zone`` as an instant, or ``None`` if that clock never showed it.

    In the night of the spring change an hour is missing: whoever writes such a time has a wrong clock. In the autumn an
    hour happens twice and a recording without an offset cannot say which: the first is taken (``fold=0``), as the
    file's order cannot decide for a lone line.
    """
    at = wall.replace(tzinfo=zone, fold=0)
    try:
        shown = at.astimezone(UTC).astimezone(zone)
    except OverflowError:  # the last evening of the year 9999
        return None
    return at if shown.replace(tzinfo=None) == wall else None


def keepable(at: datetime) -> bool:
    """Whether the stores have a calendar for it: 1970 to 2105, UTC."""
    return 1970 <= at.astimezone(UTC).year <= 2105


def slug(name: str) -> str:
    """``4th FL Wellness Centre - IN`` → ``4th-fl-wellness-centre-in``; accents fall off; empty if nothing is left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return _NOT_PLAIN.sub("-", plain).strip("-")
