"""The truth that ``musee simulate`` wrote, read from its files.

Gives the cells that Redis and ClickHouse must hold, by family. Shares nothing with ``simulate`` but the names of the
files and columns, so that what is compared is what lies on the disk. Used by ``check.simulated``.
"""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from streams.errors import StreamsError

MANIFEST = "manifest.json"
IN_ORDER = "in-order"
FORMAT = 1
ATTENDANCE, DAYS, HOURS, PRESENCE, DEVICES = "attendance", "day", "hours", "presence", "devices"
_OF_METRIC = {"guestbook": "guestbook", "social": "social", "web": "web", "actions": "actions"}


class FamilyCell(NamedTuple):
    """What is compared: ``place`` is a gate, zone or machine, or empty for the site; ``when`` is UTC or a local day."""

    family: str
    site_id: str
    place: str
    when: str
    metric: str


class TruthError(StreamsError):
    """The folder holds no truth, or one that was changed; names the file."""


@dataclass(frozen=True, slots=True)
class Truth:
    """A truth.

    Attributes:
        seed, day: of the run.
        spans: site → ``[start_ms, end_ms)`` of its local day.
        cells: what must be counted; zeros are left out.
        statuses: (site, machine) → what it said last.
        events: distinct events that were sent.
    """

    seed: int
    day: date
    spans: dict[str, tuple[int, int]]
    cells: Counter[FamilyCell] = field(default_factory=Counter)
    statuses: dict[tuple[str, str], str] = field(default_factory=dict)
    events: int = 0


def family_of(metric: str) -> str:
    """Family of a metric of the hour: ``web_robots`` → ``web``."""
    return _OF_METRIC.get(metric.partition("_")[0], HOURS)


def local_span(day: date, zone: str) -> tuple[int, int]:
    """``[start_ms, end_ms)`` of a local day."""
    midnights = [
        datetime(one.year, one.month, one.day, tzinfo=ZoneInfo(zone)) for one in (day, day + timedelta(days=1))
    ]
    start, end = (round(one.timestamp() * 1000) for one in midnights)
    return start, end


def read(folder: Path) -> Truth:
    """The truth in a folder.

    Raises:
        TruthError: there is none, it is unfinished, of another format or was changed since.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        if manifest["format"] != FORMAT:
            raise TruthError(f"{folder / MANIFEST}: format {manifest['format']}, {FORMAT} is expected: simulate again")
        for name, told in manifest["files"].items():
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != told["sha256"]:
                raise TruthError(f"{folder / name}: changed since it was written: simulate again")
        day = date.fromisoformat(manifest["day"])
        zones = {row["site_id"]: row["time_zone"] for row in _rows(folder / "sites.csv")}
        spans = {zone: local_span(day, zone) for zone in set(zones.values())}
        truth = Truth(
            seed=manifest["seed"],
            day=day,
            spans={site_id: spans[zone] for site_id, zone in zones.items()},
            events=manifest["events"],
        )
        _add_cells(truth, folder)
    except FileNotFoundError as error:
        raise TruthError(f"{error.filename} is missing: {folder} holds no finished truth of `musee simulate`") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TruthError(f"{folder}: no truth of `musee simulate`: {error!r}") from error
    return truth


def read_in_order(folder: Path, truth: Truth) -> Truth | None:
    """The truth of the same day sent in order, ``None`` if it was not.

    Raises:
        TruthError: it was changed, or is that of another run.
    """
    inner = folder / IN_ORDER
    if not (inner / MANIFEST).exists():
        return None
    other = read(inner)
    if (other.day, other.seed, len(other.spans)) != (truth.day, truth.seed, len(truth.spans)):
        raise TruthError(f"{inner}: not the run of {folder}: simulate again")
    return other


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _add_cells(truth: Truth, folder: Path) -> None:
    cells = truth.cells
    for row in _rows(folder / "attendance.csv"):
        site_id, gate_id, minute = row["site_id"], row["gate_id"], row["minute_utc"]
        for metric in ("entries", "exits", "denied"):
            if people := int(row[metric]):
                cells[FamilyCell(ATTENDANCE, site_id, gate_id, minute, metric)] += people
                cells[FamilyCell(DAYS, site_id, "", truth.day.isoformat(), metric)] += people
    for row in _rows(folder / "presence.csv"):
        cells[FamilyCell(PRESENCE, row["site_id"], row["zone_id"], row["minute_utc"], "sessions")] = int(
            row["sessions"]
        )
    for row in _rows(folder / "hours.csv"):
        metric = row["metric"]
        cells[FamilyCell(family_of(metric), row["site_id"], "", row["hour_utc"], metric)] = int(row["value"])
    for row in _rows(folder / "devices.csv"):
        site_id, device_id, day = row["site_id"], row["device_id"], truth.day.isoformat()
        cells[FamilyCell(DEVICES, site_id, device_id, day, "last_occurred_ms")] = int(row["last_occurred_ms"])
        truth.statuses[site_id, device_id] = row["status"]
