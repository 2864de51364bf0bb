"""Door logs, read by themselves: ``gym_swipes`` and ``calit2``, people per gate by business day."""

import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from streams.check.lines import Line, Seen, by_column, local

TORONTO = "America/Toronto"
IRVINE = "America/Los_Angeles"
_MONTH_FIRST = re.compile(r"\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d\d", re.ASCII)  # strptime takes 1:3 too
GYM_WORDS = (
    "one line = one person; gate = DeviceName in lower case without accents, runs of anything but a-z and 0-9 as one "
    "hyphen; Direction In = entries, Out = exits; business day = the date in AlarmDateTime, which is local time"
)
CALIT2_WORDS = (
    "one line = one half-hour; gate main-door; in_count = entries, out_count = exits; business day = the date in "
    "timestamp, which is local time; no other column is read"
)


def gym_swipes(path: Path) -> Iterator[Line]:
    """Swipes; a line is unreadable without a direction, a time that was, and a name that yields a gate."""
    for number, cells in by_column(path, {"DeviceName", "Direction", "AlarmDateTime"}):
        metric = {"In": "entries", "Out": "exits"}.get(cells["Direction"]) if cells else None
        at = _month_first(cells["AlarmDateTime"]) if cells else None
        gate_id = _gate(cells["DeviceName"]) if cells else ""
        whole = metric is not None and at is not None and gate_id
        yield Line(number, [Seen("gym", at, metric, place=gate_id)] if whole and at and metric else None)


def _gate(reader: str) -> str:
    """Gate id of a reader's name; empty where the name yields none that the gateway would take."""
    if len(reader) > 200:
        return ""
    bare = "".join(letter for letter in unicodedata.normalize("NFKD", reader) if letter.isascii())
    return "-".join(re.findall(r"[a-z0-9]+", bare.lower()))


def _month_first(told: str) -> datetime | None:
    try:
        whole = _MONTH_FIRST.fullmatch(told)
        return local(datetime.strptime(told, "%m/%d/%Y %H:%M"), TORONTO) if whole else None
    except ValueError:
        return None


def calit2(path: Path) -> Iterator[Line]:
    """Half-hours; one that never was is unreadable, unless nobody came."""
    for number, cells in by_column(path, {"timestamp", "in_count", "out_count"}):
        try:
            if cells is None:
                raise ValueError(number)
            wall = datetime.strptime(cells["timestamp"], "%Y-%m-%d %H:%M:%S")
            people = {"entries": _people(cells["in_count"]), "exits": _people(cells["out_count"])}
            at = local(wall, IRVINE)
            if wall.minute not in (0, 30) or wall.second or (at is None and any(people.values())):
                raise ValueError(cells["timestamp"])
        except ValueError:
            yield Line(number, None)
            continue
        at = at or wall.replace(tzinfo=ZoneInfo(IRVINE))  # nobody came: only its day matters
        yield Line(number, [Seen("calit2", at, metric, amount, "main-door") for metric, amount in people.items()])


def _people(told: str) -> int:
    if not re.fullmatch("[0-9]{1,6}", told):
        raise ValueError(told)
    return int(told)
