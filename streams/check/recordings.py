"""A recording three times over: its file, Redis and ClickHouse, side by side per gate, site and business day.

The file is counted here by itself, Redis is asked for its cells key by key, ClickHouse in SQL. All of a site's cells
are compared, so one that no line of the file accounts for is a difference too. Called by ``musee check``.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from streams.adapters import history, live_cells
from streams.check import cells, files
from streams.check.cells import Cell, Compared
from streams.config import Settings

# ANNULLED and REVERTED take back the scan they correct, AUTO_EXIT lets people out; the same rule as core.attendance.
GATES_SQL = """\
SELECT ifNull(gate_id, '-') AS gate, toString(toDate(occurred_at, {zone:String})) AS day,
       sumIf(party_size, outcome = 'ACCEPTED' AND direction = 'IN')
           - sumIf(party_size, outcome IN ('ANNULLED', 'REVERTED') AND direction = 'IN') AS entries,
       sumIf(party_size, (outcome = 'ACCEPTED' AND direction = 'OUT') OR outcome = 'AUTO_EXIT')
           - sumIf(party_size, outcome IN ('ANNULLED', 'REVERTED') AND direction = 'OUT') AS exits,
       countIf(outcome = 'DENIED') AS denied
FROM musee.v_scans
WHERE site_id = {site:String} AND NOT test
GROUP BY gate, day
ORDER BY gate, day"""
SITE_SQL = """\
SELECT toString(local_date) AS day, entries, exits, denied
FROM musee.v_attendance_day
WHERE site_id = {site:String}
ORDER BY day"""
LANDED_SQL = """\
SELECT count() AS rows, uniqExact(_partition, _offset) AS offsets
FROM musee.ticket_scan
WHERE site_id = {site:String}"""


@dataclass(frozen=True, slots=True)
class Result:
    """A check.

    Attributes:
        rule: how the file was counted.
        counted: what the file says.
        compared: every cell, in order.
        strange: cells of Redis that are not as its format says, e.g. a value that is no number.
        landed_rows: rows of the site in ``musee.ticket_scan``, repetitions included.
        landed_offsets: distinct (partition, offset) among them.
    """

    rule: files.Rule
    counted: files.Counted
    compared: list[Compared]
    strange: list[str]
    landed_rows: int
    landed_offsets: int

    @property
    def differences(self) -> list[Compared]:
        """The cells on which the witnesses disagree."""
        return [one for one in self.compared if one.differs]

    @property
    def agree(self) -> bool:
        """Whether there is nothing to complain about."""
        return not self.differences and not self.strange


def check(settings: Settings, rule: files.Rule, path: Path) -> Result:
    """Count the file, ask Redis and ClickHouse, and put them side by side.

    Raises:
        FileError: the file has another layout.
        Unavailable: Redis or ClickHouse is away.
    """
    counted = rule.count(path, rule)
    live = live_cells.read(settings, rule.site_id)
    compared = cells.side_by_side(counted.cells, _of_redis(live, rule), _of_clickhouse(settings, rule))
    ((rows, offsets),) = history.query(settings, LANDED_SQL, {"site": rule.site_id})
    return Result(rule, counted, compared, live.strange, rows, offsets)


def _of_redis(live: live_cells.LiveCells, rule: files.Rule) -> Counter[Cell]:
    """Gates are sums of their minutes; the site has days of its own."""
    found: Counter[Cell] = Counter()
    for (gate_id, minute_ms, metric), people in live.minutes.items():
        found[Cell("gate", gate_id, files.local_day(minute_ms, rule.zone), metric)] += people
    for (day, metric), people in live.days.items():
        found[Cell("site", rule.site_id, day.isoformat(), metric)] += people
    return found


def _of_clickhouse(settings: Settings, rule: files.Rule) -> Counter[Cell]:
    found: Counter[Cell] = Counter()
    for gate_id, day, *people in history.query(settings, GATES_SQL, {"site": rule.site_id, "zone": rule.zone}):
        found.update(_cells("gate", gate_id, day, people))
    for day, *people in history.query(settings, SITE_SQL, {"site": rule.site_id}):
        found.update(_cells("site", rule.site_id, day, people))
    return found


def _cells(place: cells.Place, name: str, day: str, people: list[int]) -> dict[Cell, int]:
    """Entries, exits, denied of one row; zeros are left out, as everywhere."""
    return {Cell(place, name, day, metric): count for metric, count in zip(cells.METRICS, people, strict=True) if count}


def explain(rule: files.Rule) -> str:
    """How each of the three figures is found, for whoever wants to look for himself."""
    minutes, days = live_cells.patterns(rule.site_id)
    return "\n".join(
        (
            f"file: {rule.words}",
            "",
            f"redis: SCAN MATCH {minutes}  hash, gate|minute|metric → people; the key ends in the UTC hour.",
            f"  A minute counts for its local date in {rule.zone}; the sums over a day are the gates.",
            f"redis: SCAN MATCH {days}  hash, metric → people; the key ends in the business day. This is the site.",
            "  Cells expire 72 h after their last write.",
            "",
            f"clickhouse, the gates:\n{_bound(GATES_SQL, rule)};",
            "",
            f"clickhouse, the site:\n{_bound(SITE_SQL, rule)};",
            "",
            f"clickhouse, what has landed:\n{_bound(LANDED_SQL, rule)};",
        )
    )


def _bound(sql: str, rule: files.Rule) -> str:
    """The statement with its parameters written out, ready for ``musee sql``; both come from the table of rules."""
    return sql.replace("{site:String}", f"'{rule.site_id}'").replace("{zone:String}", f"'{rule.zone}'")
