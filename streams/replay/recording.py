"""What every recording shares: a fact, a line that cannot be read, lines and rows of a file, local time.

A recording's module turns a file into ``Fact`` and ``Unreadable``, in the file's order. Nothing is guessed: a line that
does not say exactly what happened, where and when is named by its number and left out.
"""

import csv
import gzip
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Literal
from zoneinfo import ZoneInfo

from streams.errors import StreamsError
from streams.topology import TICKET_SCAN, Family

Direction = Literal["IN", "OUT"]
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"
_LONGEST_ID, _KEPT_OF_ID = 470, 380  # of the 500 that the door takes; the rest is for what stands around
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # line ends and tabs are wanted
LONGEST_TEXT = 2_000
_NOT_PLAIN = re.compile(r"[^a-z0-9]+")


class RecordingError(StreamsError):
    """The file is not a recording of this kind; names file and reason."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a recording says happened.

    Attributes:
        line: number of the line that says so; a header is line 1.
        fact_id: what the line says, and how many equal ones came before; the same whenever the file is read.
        at: when, with its place's offset from UTC.
        family: which kind of event it becomes.
        data: fields of the event, by their names at the door.
        site_id: where; ``None`` where the recording has one site only, or the door finds it.
        counts: what it adds to the recording's own totals, by their names, e.g. ``{"entries": 1}``.
    """

    line: int
    fact_id: str
    at: datetime
    family: Family
    data: Mapping[str, object]
    site_id: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def at_ms(self) -> int:
        """Event time, epoch ms, UTC."""
        return round(self.at.timestamp() * 1000)

    @property
    def time(self) -> str:
        """Event time as RFC 3339, e.g. ``2015-02-02T08:11:00-05:00``."""
        return self.at.isoformat(timespec="milliseconds" if self.at.microsecond else "seconds")


def scan(line: int, fact_id: str, at: datetime, gate_id: str, direction: Direction) -> Fact:
    """One person through one door; the reader goes by the gate's name, as these recordings know no other."""
    return Fact(line, fact_id, at, TICKET_SCAN, _passage(gate_id, direction), counts=_COUNTED[direction])


_COUNTED: Mapping[Direction, Mapping[str, int]] = {"IN": {"entries": 1}, "OUT": {"exits": 1}}


@lru_cache(maxsize=64)  # the same for thousands of scans
def _passage(gate_id: str, direction: Direction) -> Mapping[str, object]:
    return MappingProxyType(
        {
            "gate_id": gate_id,
            "device_id": gate_id,
            "direction": direction,
            "outcome": "ACCEPTED",
            "party_size": 1,
        }
    )


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that was left out, and why."""

    line: int
    reason: str


class Repeats:
    """Names equal things apart: the id of a line is its text, ``#``, and how many equal ones came before."""

    def __init__(self) -> None:
        self._before: Counter[str] = Counter()

    def named(self, text: str) -> str:
        """The id of the next thing that says ``text``.

        The door takes ids of 500 characters; of a longer text stand its beginning and a hash of the whole.
        """
        earlier = self._before[text]
        self._before[text] += 1
        if len(text) > _LONGEST_ID:
            text = f"{text[:_KEPT_OF_ID]}…{sha256(text.encode()).hexdigest()}"
        return f"{text}#{earlier}"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file, without its end."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a file as ``text``, and the cells of the columns that were asked for, and no others."""

    line: int
    cells: tuple[str, ...]
    text: str


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file to read, unpacked if it is gzip by its first bytes.

    Raises:
        RecordingError: it cannot be opened, or is damaged further on.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(len(_GZIP)) == _GZIP
        with gzip.open(path) if packed else path.open("rb") as file:
            yield file  # type: ignore[misc]  # GzipFile reads like one
    except (OSError, EOFError, zlib.error) as error:
        raise RecordingError(f"{path}: {getattr(error, 'strerror', None) or error}") from error


def first_line(path: Path) -> str:
    """The header of a file without its end; empty for an empty file.

    Raises:
        RecordingError: the file cannot be opened.
    """
    with opened(path) as file:
        return file.readline().removeprefix(_BYTE_ORDER_MARK).decode(errors="replace").rstrip("\r\n")


def lines(path: Path, *, first: int = 1) -> Iterator[Line | Unreadable]:
    """The lines of a file from number ``first`` on.

    Lines end in LF or CRLF and in nothing else; empty ones are no lines.

    Raises:
        RecordingError: the file cannot be opened.
    """
    with opened(path) as file:
        for number, raw in enumerate(file, start=1):
            if number < first or not raw.strip():
                continue
            try:
                yield Line(number, (raw.removeprefix(_BYTE_ORDER_MARK) if number == 1 else raw).decode().rstrip("\r\n"))
            except UnicodeDecodeError:
                yield Unreadable(number, "not UTF-8")


def rows(path: Path, columns: Sequence[str], *, delimiter: str = ",") -> Iterator[Row | Unreadable]:
    """The lines of a CSV file below its header.

    Each line stands for itself, so that an open quotation mark costs one line and not the rest of the file.

    Raises:
        RecordingError: the file cannot be opened, or its header lacks one of ``columns``.
    """
    header = _cells(first_line(path), delimiter)
    if isinstance(header, str) or any(header.count(name) != 1 for name in columns):
        raise RecordingError(f"{path}: line 1 must name the columns {', '.join(columns)}, each once")
    places = [header.index(name) for name in columns]
    for line in lines(path, first=2):
        cells = line if isinstance(line, Unreadable) else _cells(line.text, delimiter)
        if isinstance(cells, Unreadable):
            yield cells
        elif isinstance(cells, str):
            yield Unreadable(line.line, cells)
        elif len(cells) != len(header):
            yield Unreadable(line.line, f"{len(cells)} cells where the header has {len(header)}")
        elif isinstance(line, Line):
            yield Row(line.line, tuple(cells[place] for place in places), line.text)


def _cells(text: str, delimiter: str) -> list[str] | str:
    """Cells of one line, or why it has none."""
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        return f"not CSV: {error}"


def unsendable(text: str) -> str | None:
    """Why the door would not take a text, ``None`` if it would; nothing is cleaned, since nobody can say of what."""
    if not 1 <= len(text) <= LONGEST_TEXT:
        return f"a text of {len(text)} characters, 1 to {LONGEST_TEXT} are allowed"
    found = _CONTROL.search(text)
    return None if found is None else f"control character U+{ord(found[0]):04X} in the text"


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
    """Whether the stores have a calendar for it: 1971 to 2099, UTC."""
    return 1971 <= at.astimezone(UTC).year <= 2099


def slug(name: str) -> str:
    """``4th FL Wellness Centre - IN`` → ``4th-fl-wellness-centre-in``; accents fall off; empty if nothing is left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return _NOT_PLAIN.sub("-", plain).strip("-")
