"""What every file has: numbered lines, and local times that its clock may never have shown.

Shared by the readers of ``check``; nothing comes from ``replay``, which reads the same files, so that a bug on one side
shows as a difference.
"""

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from streams.errors import StreamsError

_GZIP = b"\x1f\x8b"


class FileError(StreamsError):
    """The file is not a recording of this kind; names file and reason."""


class Seen(NamedTuple):
    """What a line says happened.

    Attributes:
        site_id: where.
        at: when, on the site's clock.
        metric: what is counted, by the name that it has in Redis.
        amount: how many.
        place: gate or zone; empty where only the site is known.
        who: session that was seen, or identity of an event that may be said twice; empty where each line is its own.
        text: what was written; empty for numbers.
    """

    site_id: str
    at: datetime
    metric: str
    amount: int = 1
    place: str = ""
    who: str = ""
    text: str = ""


class Line(NamedTuple):
    """A line of a file: what it says, ``None`` if it cannot be read.

    Attributes:
        number: from 1, the header included.
        seen: often one; none for a line that speaks of nobody.
        kind: spelling or layout, where a file mixes several.
        file: its name, where there are several.
    """

    number: int
    seen: Sequence[Seen] | None
    kind: str = ""
    file: str = ""

    @property
    def name(self) -> str:
        """Number, behind the file's name where there are several."""
        return f"{self.file} {self.number}".lstrip()


def plain(path: Path) -> Iterator[tuple[int, str | None]]:
    """(number, text without its end) of a file, gzip or not; ``None`` where it is not UTF-8. Empty ones are skipped.

    Raises:
        FileError: the file cannot be read.
    """
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
        with gzip.open(path) if packed else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                told = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if told.strip():
                    yield number, _text(told)
    except (OSError, EOFError, zlib.error) as error:
        raise FileError(f"{path}: {getattr(error, 'strerror', None) or error}") from error


def _text(line: bytes) -> str | None:
    try:
        return line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        return None


def by_column(path: Path, needed: set[str], *, delimiter: str = ",") -> Iterator[tuple[int, dict[str, str] | None]]:
    """(number, cells by column) below the header, ``None`` for a line that cannot be read; each line stands alone.

    Raises:
        FileError: the file cannot be read, or its header lacks a column.
    """
    told = plain(path)
    number, first = next(told, (1, ""))
    header = (_cells(first, delimiter) if first is not None and number == 1 else None) or []
    if any(header.count(name) != 1 for name in needed):
        raise FileError(f"{path}: line 1 must name the columns {', '.join(sorted(needed))}, each once")
    for number, text in told:
        cells = _cells(text, delimiter) if text is not None else None
        whole = cells is not None and len(cells) == len(header)
        yield number, dict(zip(header, cells, strict=True)) if cells is not None and whole else None


def _cells(text: str, delimiter: str) -> list[str] | None:
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return None


def local(wall: datetime, zone: str) -> datetime | None:
    """A wall-clock time with its zone; ``None`` if the clocks there never showed it, or no store can keep it."""
    there = ZoneInfo(zone)
    at = wall.replace(tzinfo=there)
    try:
        shown = datetime.fromtimestamp(at.timestamp(), there)
        kept = 1971 <= shown.astimezone(UTC).year <= 2099
    except (ValueError, OverflowError):
        return None
    return at if kept and shown.replace(tzinfo=None) == wall else None


def instant(at: datetime, zone: str) -> datetime | None:
    """An instant on the clock of ``zone``; ``None`` if no store can keep it."""
    try:
        return at.astimezone(ZoneInfo(zone)) if 1971 <= at.astimezone(UTC).year <= 2099 else None
    except (ValueError, OverflowError):
        return None
