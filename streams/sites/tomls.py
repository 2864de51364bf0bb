"""TOML files as they are read before anybody asks what they say: their tables, and where each key stands.

Used by ``sites.files`` and ``sites.calendar_files``.
"""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streams.sites import positions
from streams.sites.flaws import Flaw

_AT_LINE = re.compile(r" ?\(at line (\d+), column \d+\)")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a file; ``line`` is ``None`` where the whole file cannot be read."""

    file: str
    line: int | None
    key: str
    wrong: str
    fix: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{where}: {self.key + ' ' if self.key else ''}{self.wrong}; {self.fix}"


@dataclass(frozen=True, slots=True)
class Document:
    """A file's table, and where its keys stand."""

    file: str
    table: dict[str, Any]
    places: dict[positions.Place, int]

    def line(self, *place: str | int) -> int:
        """The line of a key, or of the smallest thing around it that has one."""
        return positions.nearest(self.places, place)

    def fault(self, flaw: Flaw) -> Fault:
        """A flaw of its table, as a fault of the file."""
        return Fault(self.file, self.line(*flaw.place), flaw.key, flaw.wrong, flaw.fix)


def named(paths: Iterable[Path], what: str) -> tuple[list[Path], list[Fault]]:
    """Files, and those in folders (``*.toml``), each once; a folder without one is a fault."""
    found: list[Path] = []
    faults: list[Fault] = []
    for path in paths:
        inside = sorted(path.glob("*.toml")) if path.is_dir() else [path]
        if not inside:
            faults.append(Fault(str(path), None, "", f"no {what} (*.toml) was found", "name a folder that has one"))
        found += inside
    return list(dict.fromkeys(found)), faults


def told(faults: Iterable[Fault]) -> str:
    """The faults, one a line."""
    return "\n".join(map(str, faults))


def opened(path: Path) -> Document | Fault:
    """A file's table, or why there is none."""
    file = str(path)
    try:
        text = path.read_text(encoding="utf-8-sig")  # editors on Windows put a mark in front
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        return Fault(file, line, "", "is not UTF-8", "save the file as UTF-8")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return Fault(file, None, "", f"cannot be read: {reason}", "check the path")
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return _no_toml(file, text, error)
    return Document(file, table, positions.lines(text))


def _no_toml(file: str, text: str, error: Exception) -> Fault:
    """A file that is no TOML; the parser tells the place at the end of its sentence."""
    said = str(error)
    at = _AT_LINE.search(said)
    line = int(at[1]) if at else text.rstrip("\n").count("\n") + 1
    reason = _AT_LINE.sub("", said).replace(" (at end of document)", "")
    return Fault(file, line, "", f"is not TOML: {reason}", 'write key = value, texts in "quotes"')
