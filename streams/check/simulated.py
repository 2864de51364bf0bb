"""A simulated day three times over: the truth, Redis and ClickHouse, side by side per site, place, minute and family.

Every cell of the simulated sites in the day is compared, so one that no event accounts for is a difference too. Cells
of other days of the same sites are left alone, and told; windows that are not final yet too. Called by ``musee check
simulate``.
"""

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from streams.adapters import history, live_cells, live_devices
from streams.check import finals, truths
from streams.check.finals import WINDOWS
from streams.check.truths import ATTENDANCE, DAYS, DEVICES, PRESENCE, FamilyCell, Truth
from streams.config import Settings

_LISTED = 20
# Family → what is asked: site, place, time, then one column for each metric.
_SQL = {
    ATTENDANCE: "SELECT site_id, ifNull(gate_id, '-'), {minute}, entries, exits, denied FROM musee.v_attendance_minute",
    PRESENCE: "SELECT site_id, zone_id, {minute}, sessions FROM musee.v_presence",
    "guestbook": "SELECT site_id, '', {hour}, entries, ratings, rating_sum FROM musee.v_guestbook",
    "social": "SELECT site_id, '', {hour}, posts FROM musee.v_social",
    "web": "SELECT site_id, '', {hour}, page_views, assets, robots, errors FROM musee.v_web",
}
_ACTIONS_SQL = "SELECT site_id, action, {hour}, actions FROM musee.v_actions"
_DAY_SQL = "SELECT site_id, entries, exits, denied FROM musee.v_attendance_day"
_DEVICES_SQL = "SELECT site_id, device_id, toUnixTimestamp64Milli(last_occurred_at), status FROM musee.v_devices"
_OF_RUN = " WHERE startsWith(site_id, {tag:String})"
_IN_DAY = " AND ts_utc >= toDateTime({start:Int64}, 'UTC') AND ts_utc < toDateTime({end:Int64}, 'UTC')"
_ON_DAY = " AND local_date = {day:Date}"
_METRICS = {
    ATTENDANCE: ("entries", "exits", "denied"),
    PRESENCE: ("sessions",),
    "guestbook": ("guestbook_entries", "guestbook_ratings", "guestbook_rating_sum"),
    "social": ("social_posts",),
    "web": ("web_page_views", "web_assets", "web_robots", "web_errors"),
}
FAMILIES = (ATTENDANCE, DAYS, PRESENCE, "guestbook", "social", "web", "actions", DEVICES, WINDOWS)


class Difference(NamedTuple):
    """A cell on which the witnesses disagree."""

    cell: FamilyCell
    truth: int
    redis: int
    clickhouse: int

    def __str__(self) -> str:
        """Names the cell and the three values."""
        family, site_id, place, when, metric = self.cell
        where = {ATTENDANCE: "gate ", WINDOWS: "gate ", PRESENCE: "zone ", DEVICES: "machine "}.get(family, "")
        named = f", {where}{place}" if place else ""
        return (
            f"{family}: site {site_id}{named}, {when}, {metric}: "
            f"truth {self.truth}, redis {self.redis}, clickhouse {self.clickhouse}"
        )


@dataclass(slots=True)
class Witness:
    """What one store says of the day.

    Attributes:
        cells: not zero.
        other_days: cells of the same sites that lie outside the day.
        later: machines that were heard on a later day.
        strange: what is not as the format says.
    """

    cells: dict[FamilyCell, int] = field(default_factory=dict)
    other_days: int = 0
    later: set[tuple[str, str]] = field(default_factory=set)
    strange: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Result:
    """A check.

    Attributes:
        truth: what should be.
        compared: cells that any witness mentions, by family.
        totals: (family, metric) → sums of truth, Redis and ClickHouse; for machines, how many were heard.
        differences: in order.
        strange: what does not fit the formats, or a status that differs.
        notes: what was left alone.
    """

    truth: Truth
    compared: Counter[str]
    totals: dict[tuple[str, str], tuple[int, int, int]]
    differences: list[Difference]
    strange: list[str]
    notes: list[str]

    @property
    def agree(self) -> bool:
        """Whether there is nothing to complain about."""
        return not self.differences and not self.strange


def check_simulated(settings: Settings, folder: Path) -> Result:
    """Read the truth, ask Redis and ClickHouse, and put them side by side.

    Raises:
        TruthError: the folder holds no truth.
        Unavailable: Redis or ClickHouse is away.
    """
    truth = truths.read(folder)
    windows = finals.compare(settings, truth, _params(truth))
    redis = of_redis(settings, truth)
    clickhouse, statuses = _of_clickhouse(settings, truth)
    truth.cells.update(windows.truth)
    redis.cells.update(windows.redis)
    clickhouse.cells.update(windows.clickhouse)
    redis.strange += [
        f"the window of {site_id} at {_utc(start_ms, 16)} is due and was not said"
        for site_id, start_ms in windows.unsaid
    ]
    result = _compared(truth, redis, clickhouse, statuses)
    told = (
        f"windows: {windows.final:,} quarter-hours are final, {windows.revised:,} of them revised, "
        f"{windows.open:,} still open by their site's watermark"
    )
    result.notes.append(told)
    return result


def _compared(truth: Truth, redis: Witness, clickhouse: Witness, statuses: Mapping[tuple[str, str], str]) -> Result:
    compared: Counter[str] = Counter()
    sums: dict[tuple[str, str], list[int]] = {}
    found: list[Difference] = []
    later = redis.later & clickhouse.later  # played again on a later day: the last sign of life is that day's
    for cell in {*truth.cells, *redis.cells, *clickhouse.cells}:
        if cell.family == DEVICES and (cell.site_id, cell.place) in later:
            continue
        one = Difference(cell, truth.cells[cell], redis.cells.get(cell, 0), clickhouse.cells.get(cell, 0))
        compared[cell.family] += 1
        total = sums.setdefault((cell.family, cell.metric), [0, 0, 0])
        for place, value in enumerate(one[1:]):
            total[place] += bool(value) if cell.family == DEVICES else value
        if not one.truth == one.redis == one.clickhouse:
            found.append(one)
    strange = [f"redis: {told}" for told in redis.strange]
    strange += [
        f"status of {device_id} at {site_id}: truth {told}, clickhouse {statuses.get((site_id, device_id))}"
        for (site_id, device_id), told in sorted(truth.statuses.items())
        if (site_id, device_id) not in later and statuses.get((site_id, device_id)) != told
    ]
    notes = [
        f"{name}: {witness.other_days:,} cells of other days of these sites were left alone"
        for name, witness in (("redis", redis), ("clickhouse", clickhouse))
        if witness.other_days
    ]
    if later:
        notes.append(f"{len(later):,} machines were heard on a later day too, and were left out")
    return Result(
        truth,
        compared,
        {key: (told[0], told[1], told[2]) for key, told in sorted(sums.items(), key=lambda item: _order(item[0]))},
        sorted(found),
        strange,
        notes,
    )


def _order(key: tuple[str, str]) -> tuple[int, str]:
    return (FAMILIES.index(key[0]) if key[0] in FAMILIES else len(FAMILIES), key[1])


@lru_cache(maxsize=200_000)
def _utc(at_ms: int, length: int) -> str:
    """``2026-11-24T09:31``, cut to ``length``: 16 for the minute, 13 for the hour."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M")[:length]


def of_redis(settings: Settings, truth: Truth) -> Witness:
    """All cells of the sites: minutes, days, hours, presence, machines; raises ``Unavailable``."""
    found = Witness()
    cells = found.cells
    day = truth.day.isoformat()
    for site_id, live in live_cells.read_sites(settings, list(truth.spans)).items():
        start_ms, end_ms = truth.spans[site_id]
        found.strange += live.strange
        for (gate_id, at_ms, metric), value in live.minutes.items():
            if not start_ms <= at_ms < end_ms:
                found.other_days += 1
            elif value:
                cells[FamilyCell(ATTENDANCE, site_id, gate_id, _utc(at_ms, 16), metric)] = value
        for (zone_id, at_ms), value in live.presence.items():
            if not start_ms <= at_ms < end_ms:
                found.other_days += 1
            elif value:
                cells[FamilyCell(PRESENCE, site_id, zone_id, _utc(at_ms, 16), "sessions")] = value
        for (at_ms, metric), value in live.hours.items():
            if not start_ms <= at_ms < end_ms:
                found.other_days += 1
            elif value:
                cells[FamilyCell(truths.family_of(metric), site_id, "", _utc(at_ms, 13), metric)] = value
        for (which, metric), value in live.days.items():
            if which != truth.day:
                found.other_days += 1
            elif value:
                cells[FamilyCell(DAYS, site_id, "", day, metric)] = value
    devices, strange = live_devices.read(settings, list(truth.spans))
    found.strange += strange
    for (site_id, device_id, what), at_ms in devices.items():
        if what == "occurred_ms":
            _add_device(found, truth, site_id, device_id, at_ms)
        elif (site_id, device_id, "occurred_ms") not in devices:
            found.strange.append(f"{device_id} at {site_id} was received but never happened")
    return found


def _add_device(found: Witness, truth: Truth, site_id: str, device_id: str, at_ms: int) -> None:
    if at_ms >= truth.spans[site_id][1]:
        found.later.add((site_id, device_id))
    found.cells[FamilyCell(DEVICES, site_id, device_id, truth.day.isoformat(), "last_occurred_ms")] = at_ms


def _of_clickhouse(settings: Settings, truth: Truth) -> tuple[Witness, dict[tuple[str, str], str]]:
    """The same by one query per view; and what each machine said last."""
    found = Witness()
    cells = found.cells
    day = truth.day.isoformat()
    params = _params(truth)
    bounds = {site_id: tuple(_utc(at_ms, 16) for at_ms in span) for site_id, span in truth.spans.items()}

    def inside(site_id: str, when: str) -> bool:
        if site_id not in bounds:  # a site of the same seed that this run did not play
            return False
        start, end = bounds[site_id]
        if start[: len(when)] <= when < end:
            return True
        found.other_days += 1
        return False

    for family, sql in _SQL.items():
        for site_id, place, when, *values in history.query(settings, _timed(sql), params):
            if inside(site_id, when):
                for metric, value in zip(_METRICS[family], values, strict=True):
                    if value:
                        cells[FamilyCell(family, site_id, place, when, metric)] = int(value)
    for site_id, action, when, value in history.query(settings, _timed(_ACTIONS_SQL), params):
        if inside(site_id, when) and value:
            cells[FamilyCell("actions", site_id, "", when, f"actions_{action.lower()}")] = int(value)
            whole = FamilyCell("actions", site_id, "", when, "actions")
            cells[whole] = cells.get(whole, 0) + int(value)
    for site_id, *values in history.query(settings, _DAY_SQL + _OF_RUN + _ON_DAY, params):
        if site_id in bounds:
            for metric, value in zip(_METRICS[ATTENDANCE], values, strict=True):
                if value:
                    cells[FamilyCell(DAYS, site_id, "", day, metric)] = int(value)
    statuses: dict[tuple[str, str], str] = {}
    for site_id, device_id, at_ms, status in history.query(settings, _DEVICES_SQL + _OF_RUN, params):
        if site_id in bounds:
            statuses[site_id, device_id] = status
            _add_device(found, truth, site_id, device_id, int(at_ms))
    return found, statuses


def _params(truth: Truth) -> dict[str, object]:
    """What the statements are asked with."""
    starts, ends = zip(*truth.spans.values(), strict=True)
    return {
        "tag": _common_tag(truth),
        "start": min(starts) // 1000,
        "end": max(ends) // 1000,
        "day": truth.day.isoformat(),
    }


def _timed(sql: str) -> str:
    """The statement for the day of the run, its times written as in the truth."""
    for name, format_ in (("{minute}", "%Y-%m-%dT%H:%i"), ("{hour}", "%Y-%m-%dT%H")):
        sql = sql.replace(name, f"formatDateTime(ts_utc, '{format_}', 'UTC')")
    return sql + _OF_RUN + _IN_DAY


def _common_tag(truth: Truth) -> str:
    """What all ids of the run begin with: ``sim7-``."""
    return next(iter(truth.spans)).partition("-")[0] + "-"


def lines(result: Result) -> Iterator[str]:
    """The report."""
    truth = result.truth
    yield (
        f"simulate: {truth.events:,} events of {len(truth.spans):,} sites on {truth.day}, seed {truth.seed} "
        "(truth = the files, times UTC)"
    )
    yield ""
    yield f"{'family':<12} {'metric':<22} {'truth':>12} {'redis':>12} {'clickhouse':>12}"
    for (family, metric), values in result.totals.items():
        shown = "machines heard" if family == DEVICES else metric
        yield f"{family:<12} {shown:<22} " + " ".join(f"{value:>12,}" for value in values)
    yield ""
    yield from result.notes
    for one in heapq.nsmallest(_LISTED, result.differences):
        yield f"DIFFERENT  {one}"
    if len(result.differences) > _LISTED:
        yield f"DIFFERENT  … and {len(result.differences) - _LISTED:,} more (--json lists them)"
    for told in result.strange[:_LISTED]:
        yield f"STRANGE    {told}"
    count = len(result.differences) + len(result.strange)
    per = ", ".join(f"{family} {result.compared[family]:,}" for family in FAMILIES if result.compared[family])
    yield f"{count:,} difference{'' if count == 1 else 's'} in {sum(result.compared.values()):,} cells ({per})"


def document(result: Result) -> dict[str, object]:
    """The same for machines, with every difference."""
    return {
        "recording": "simulate",
        "seed": result.truth.seed,
        "day": result.truth.day.isoformat(),
        "sites": len(result.truth.spans),
        "events": result.truth.events,
        "agree": result.agree,
        "cells": dict(result.compared),
        "totals": [
            {"family": family, "metric": metric, "truth": told[0], "redis": told[1], "clickhouse": told[2]}
            for (family, metric), told in result.totals.items()
        ],
        "differences": [
            {**one.cell._asdict(), "truth": one.truth, "redis": one.redis, "clickhouse": one.clickhouse}
            for one in result.differences
        ],
        "strange": result.strange,
        "notes": result.notes,
    }
