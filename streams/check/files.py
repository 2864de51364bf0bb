"""What a recording's file says by itself: its own reading and adding up, shared with nobody.

``replay`` reads the same files and turns them into events; if it has a bug, the two disagree and ``musee check`` shows
it. Hence nothing is imported from there, at the price of saying a few things twice.
"""

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from streams.check.cells import Cell
from streams.errors import StreamsError


class FileError(StreamsError):
    """The file is not a recording of this kind; names file and reason."""


@dataclass(slots=True)
class Counted:
    """A file, counted.

    Attributes:
        cells: people per gate and site, business day and metric; zeros are left out.
        lines: below the header, empty ones not counted.
        days: business days that lines speak of, also if nobody came.
        unreadable: numbers of the lines that were not counted.
    """

    cells: Counter[Cell] = field(default_factory=Counter)
    lines: int = 0
    days: set[str] = field(default_factory=set)
    unreadable: list[int] = field(default_factory=list)

    def add(self, site_id: str, gate_id: str, day: date, metric: str, people: int) -> None:
        """Count people at a gate and at its site."""
        self.days.add(day.isoformat())
        if people:
            self.cells[Cell("gate", gate_id, day.isoformat(), metric)] += people
            self.cells[Cell("site", site_id, day.isoformat(), metric)] += people


@dataclass(frozen=True, slots=True)
class Rule:
    """How a recording is counted.

    Attributes:
        recording: its name.
        site_id: the site its events go to.
        zone: IANA name; business days end at midnight there.
        words: the rule in words, for ``--explain``.
        count: adds a file up.
    """

    recording: str
    site_id: str
    zone: str
    words: str
    count: Callable[[Path, "Rule"], Counted]


def _lines(path: Path, needed: set[str]) -> Iterator[tuple[int, dict[str, str] | None]]:
    """(line number, cells by column), ``None`` for a line that cannot be read."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="\n") as file:
            try:
                header = next(csv.reader([next(file, "").rstrip("\r\n")]), [])
            except csv.Error as error:
                raise FileError(f"{path}: line 1 is not CSV: {error}") from None
            if not needed <= set(header):
                raise FileError(f"{path}: line 1 must name the columns {', '.join(sorted(needed))}")
            for number, line in enumerate(file, start=2):
                text = line.rstrip("\r\n")
                if text.strip():
                    yield number, _by_column(header, text)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from error


def _by_column(header: list[str], text: str) -> dict[str, str] | None:
    try:
        cells = next(csv.reader([text], strict=True))
    except csv.Error:
        return None
    if len(cells) != len(header) or "\ufffd" in text:
        return None
    return dict(zip(header, cells, strict=True))


def _existed(wall: datetime, zone: str) -> bool:
    """Whether the clocks of ``zone`` ever showed this time."""
    there = ZoneInfo(zone)
    try:
        shown = datetime.fromtimestamp(wall.replace(tzinfo=there).timestamp(), there)
    except (ValueError, OverflowError):
        return False
    return shown.replace(tzinfo=None) == wall and 1970 <= shown.astimezone(UTC).year <= 2105


def _count_gym_swipes(path: Path, rule: Rule) -> Counted:
    counted = Counted()
    for number, cells in _lines(path, {"DeviceName", "Direction", "AlarmDateTime"}):
        counted.lines += 1
        metric = {"In": "entries", "Out": "exits"}.get(cells["Direction"]) if cells else None
        wall = _month_first(cells["AlarmDateTime"]) if cells else None
        gate_id = _gate(cells["DeviceName"]) if cells else ""
        if metric is None or wall is None or not gate_id or not _existed(wall, rule.zone):
            counted.unreadable.append(number)
        else:
            counted.add(rule.site_id, gate_id, wall.date(), metric, 1)
    return counted


def _gate(reader: str) -> str:
    """Gate id of a reader's name; empty where the name yields none that the gateway would take."""
    if len(reader) > 200:
        return ""
    bare = "".join(letter for letter in unicodedata.normalize("NFKD", reader) if letter.isascii())
    return "-".join(re.findall(r"[a-z0-9]+", bare.lower()))


def _month_first(told: str) -> datetime | None:
    try:
        return datetime.strptime(told, "%m/%d/%Y %H:%M")
    except ValueError:
        return None


def _count_calit2(path: Path, rule: Rule) -> Counted:
    counted = Counted()
    for number, cells in _lines(path, {"timestamp", "in_count", "out_count"}):
        counted.lines += 1
        try:
            if cells is None:
                raise ValueError(number)
            wall = datetime.strptime(cells["timestamp"], "%Y-%m-%d %H:%M:%S")
            people_in, people_out = _people(cells["in_count"]), _people(cells["out_count"])
            if (
                wall.minute not in (0, 30)
                or wall.second
                or not (_existed(wall, rule.zone) or people_in + people_out == 0)
            ):
                raise ValueError(cells["timestamp"])
        except ValueError:
            counted.unreadable.append(number)
            continue
        counted.add(rule.site_id, "main-door", wall.date(), "entries", people_in)
        counted.add(rule.site_id, "main-door", wall.date(), "exits", people_out)
    return counted


def _people(told: str) -> int:
    if not re.fullmatch("[0-9]{1,6}", told):
        raise ValueError(told)
    return int(told)


RULES = {
    rule.recording: rule
    for rule in (
        Rule(
            recording="gym_swipes",
            site_id="gym",
            zone="America/Toronto",
            words=(
                "one line = one person; gate = DeviceName in lower case without accents, runs of anything but a-z and "
                "0-9 as one hyphen; Direction In = entries, Out = exits; business day = the date in AlarmDateTime, "
                "which is local time"
            ),
            count=_count_gym_swipes,
        ),
        Rule(
            recording="calit2",
            site_id="calit2",
            zone="America/Los_Angeles",
            words=(
                "one line = one half-hour; gate main-door; in_count = entries, out_count = exits; business day = the "
                "date in timestamp, which is local time; no other column is read"
            ),
            count=_count_calit2,
        ),
    )
}


def local_day(at_ms: int, zone: str) -> str:
    """The local date of an instant, which is the business day where that ends at midnight."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(zone)).date().isoformat()
