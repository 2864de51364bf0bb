"""Reading public lists: CSV files, plain or gzip, whose quoted fields may hold line breaks.

Gives one row per record with the lines it stands on; a record that cannot be read is given with its reason, never
guessed and never left out in silence. Used by ``sites.importers``.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from streams.errors import StreamsError

_LONGEST_FIELD = 1 << 20


class ListError(StreamsError):
    """A list cannot be read at all, or its columns are not those of its layout; names the file and what is missing."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record.

    Attributes:
        line: its first line in the file, from 1; the header is line 1.
        end: its last line.
        fields: column name → text, blanks inside as one space, none at the ends.
        fault: why it cannot be read, ``None`` if it can; then ``fields`` is empty.
    """

    line: int
    end: int
    fields: dict[str, str]
    fault: str | None = None


def rows(path: Path, *, separator: str, columns: Sequence[str]) -> Iterator[Row]:
    """Records of a list in the file's order, empty lines left out.

    Args:
        path: the file; gzip is known by its first bytes, whatever it is called.
        separator: between fields.
        columns: must be in the header; others are read too.

    Raises:
        ListError: no such file, no text, or a column is missing.
    """
    text = _text(path)
    csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    header = [name.strip() for name in _next(reader) or []]
    missing = [name for name in columns if name not in header]
    if missing:
        seen = "".join(sign if sign.isprintable() else "?" for sign in ", ".join(header)[:300]) or "nothing"
        raise ListError(
            f"{path}: columns missing: {', '.join(missing)}; "
            f"the first line must name them, separated by {separator!r}, and names: {seen}"
        )
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(line, reader.line_num, {}, str(error))
            continue
        if not any(field.strip() for field in record):
            continue
        yield _row(line, reader.line_num, header, record)


def _row(line: int, end: int, header: list[str], record: list[str]) -> Row:
    if len(record) != len(header):
        return Row(line, end, {}, f"{len(record)} fields, {len(header)} expected")
    if any("\ufffd" in field for field in record):
        return Row(line, end, {}, "not UTF-8")
    return Row(line, end, {name: " ".join(field.split()) for name, field in zip(header, record, strict=True)})


def _next(reader: Iterator[list[str]]) -> list[str] | None:
    try:
        return next(reader, None)
    except csv.Error:
        return None


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
    except OSError as error:
        raise ListError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (EOFError, zlib.error) as error:
        raise ListError(f"{path}: the gzip file is damaged: {error}") from None
    if b"\x00" in content[:4096]:  # what UTF-16 looks like, with or without its mark
        raise ListError(f"{path}: is not UTF-8 text; save the list as UTF-8")
    return content.decode("utf-8-sig", errors="replace")
