"""The windows of a simulated day: truth, what Redis says was said, and what history holds as the last revision.

Compared are the quarter-hours that are final by their site's watermark; the others are still open, and counted. The
rule is stated here once more, apart from what decides it live: a site of a simulated day runs on the clock of its
events, its watermark is two minutes behind the latest, a window is final fifteen minutes after its end. Called by
``check.simulated``.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from streams.adapters import history, window_view
from streams.check.arrival import Backlog
from streams.check.truths import ATTENDANCE, FamilyCell, Truth
from streams.config import Settings

WINDOWS = "windows"
SQL = (
    "SELECT site_id, ifNull(gate_id, ''), formatDateTime(ts_utc, '%Y-%m-%dT%H:%i', 'UTC'), entries, exits, denied "
    "FROM musee.v_attendance_window WHERE startsWith(site_id, {tag:String}) "
    "AND ts_utc >= toDateTime({start:Int64}, 'UTC') AND ts_utc < toDateTime({end:Int64}, 'UTC')"
)
REVISED_SQL = (
    "SELECT count() FROM musee.v_attendance_window WHERE startsWith(site_id, {tag:String}) AND gate_id IS NULL "
    "AND cause IS NOT NULL AND ts_utc >= toDateTime({start:Int64}, 'UTC') AND ts_utc < toDateTime({end:Int64}, 'UTC')"
)
_METRICS = ("entries", "exits", "denied")
_QUARTER_MS = 900_000
_BEHIND_MS = 120_000
_LATENESS_MS = 900_000
_PATIENCE_S = 60.0
_SINK = "musee-sink"


@dataclass(slots=True)
class Finals:
    """The windows that are final.

    Attributes:
        truth, redis, clickhouse: cells that are not zero; ``place`` is a gate, or empty for the whole site.
        open: windows that hold something and are not final yet.
        final: windows that are.
        revised: of the day, how many were said again because something came behind their final.
        unsaid: due, and none of them was said for a minute.
    """

    truth: Counter[FamilyCell] = field(default_factory=Counter)
    redis: dict[FamilyCell, int] = field(default_factory=dict)
    clickhouse: dict[FamilyCell, int] = field(default_factory=dict)
    open: int = 0
    final: int = 0
    revised: int = 0
    unsaid: list[tuple[str, int]] = field(default_factory=list)


def compare(settings: Settings, truth: Truth, params: Mapping[str, object]) -> Finals:
    """Ask both stores for the windows of the day.

    Args:
        settings: where they are.
        truth: of the day.
        params: ``tag``, and ``start`` and ``end`` in seconds, for the SQL.

    Raises:
        Unavailable: Redis, Kafka or ClickHouse is away.
    """
    last_ms = {site_id: level.occurred_ms for site_id, level in window_view.levels(settings, list(truth.spans)).items()}

    def final(site_id: str, start_ms: int) -> bool:
        at_ms = last_ms.get(site_id)
        return at_ms is not None and at_ms - _BEHIND_MS >= start_ms + _QUARTER_MS + _LATENESS_MS

    found = Finals(unsaid=_wait(settings, truth, final))
    open_, closed = set(), set()
    for cell, people in truth.cells.items():
        if cell.family != ATTENDANCE:
            continue
        start_ms = _epoch_ms(cell.when) // _QUARTER_MS * _QUARTER_MS
        if not final(cell.site_id, start_ms):
            open_.add((cell.site_id, start_ms))
            continue
        closed.add((cell.site_id, start_ms))
        for place in (cell.place, ""):
            found.truth[FamilyCell(WINDOWS, cell.site_id, place, _utc(start_ms), cell.metric)] += people
    found.open, found.final = len(open_), len(closed)
    for (site_id, start_ms), said in window_view.said(settings, truth.spans).items():
        if final(site_id, start_ms):
            for gate, counts in said.gates.items():
                for metric in _METRICS:
                    for place in (gate, ""):
                        cell = FamilyCell(WINDOWS, site_id, place, _utc(start_ms), metric)
                        found.redis[cell] = found.redis.get(cell, 0) + getattr(counts, metric)
    for site_id, place, when, *values in history.query(settings, SQL, params):
        if site_id in truth.spans and final(site_id, _epoch_ms(when)):
            start_ms, end_ms = truth.spans[site_id]
            if start_ms <= _epoch_ms(when) < end_ms:
                for metric, value in zip(_METRICS, values, strict=True):
                    found.clickhouse[FamilyCell(WINDOWS, site_id, place, when, metric)] = int(value)
    ((revised,),) = history.query(settings, REVISED_SQL, params)
    found.revised = int(revised)
    for cells in (found.truth, found.redis, found.clickhouse):
        for cell in [cell for cell, people in cells.items() if not people]:
            del cells[cell]
    return found


def _wait(settings: Settings, truth: Truth, final: Callable[[str, int], bool]) -> list[tuple[str, int]]:
    """Wait until every window of the day that is due was said and has landed; what was not said in time."""
    ends_s = time.monotonic() + _PATIENCE_S

    def unsaid() -> list[tuple[str, int]]:
        return sorted(
            (site_id, start_ms)
            for site_id, start_ms in window_view.waiting(settings)
            if site_id in truth.spans
            and truth.spans[site_id][0] <= start_ms < truth.spans[site_id][1]
            and final(site_id, start_ms)
        )

    left = unsaid()
    while left and time.monotonic() < ends_s:
        time.sleep(0.2)
        before, left = left, unsaid()
        if len(left) < len(before):  # a large day takes its time, as long as it goes on
            ends_s = time.monotonic() + _PATIENCE_S
    ends_s = time.monotonic() + _PATIENCE_S
    backlog = Backlog(settings)
    while backlog()[_SINK] and time.monotonic() < ends_s:
        time.sleep(0.2)
    return left


def _epoch_ms(when: str) -> int:
    return round(datetime.strptime(when, "%Y-%m-%dT%H:%M").replace(tzinfo=UTC).timestamp()) * 1000


def _utc(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M")
