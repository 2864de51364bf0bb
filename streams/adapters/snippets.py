"""SQL to copy: the statements that show an analyst in history what stands behind a figure.

Takes a question, gives text for any client of ClickHouse; names and ids from events are quoted, so that a hostile gate
stays a gate. Nothing here is sent to anybody. Called by ``console.why``.
"""

from datetime import UTC, datetime

from streams.adapters.counted import Kind
from streams.core.evidence import NO_GATE
from streams.core.questions import Question

_ESCAPED = str.maketrans({"\\": "\\\\", "'": "\\'", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"})


def literal(text: str) -> str:
    """A string as ClickHouse reads it."""
    return f"'{text.translate(_ESCAPED)}'"


def attendance(question: Question) -> dict[str, str]:
    """``events``: the scans, one row each; ``sums``: what they come to per gate; ``windows``: what was said of them."""
    where = f"site_id = {literal(question.site.site_id)}"
    gate = _gates(question)
    span = _span("occurred_at", question.start_ms, question.end_ms)
    windows = "gate_id IS NULL" if question.gate_id is None else f"gate_id = {literal(question.gate_id)}"
    return {
        "events": (
            "SELECT occurred_at, gate_id, direction, outcome, party_size, ingest_mode, clock_trust, event_id\n"
            f"FROM musee.v_scans\nWHERE {where}{gate}\n  AND {span}\n  AND NOT test\nORDER BY occurred_at DESC"
        ),
        "sums": (
            "SELECT gate_id, sum(entries) AS entries, sum(exits) AS exits, sum(denied) AS denied\n"
            f"FROM musee.v_attendance_minute\nWHERE {where}{gate}\n"
            f"  AND {_span('ts_utc', question.start_ms, question.end_ms)}\n"
            "GROUP BY gate_id\nORDER BY gate_id"
        ),
        "windows": (
            "SELECT ts_utc, entries, exits, denied, entries_before, cause, revisions, published_at\n"
            f"FROM musee.v_attendance_window\nWHERE {where}\n  AND {windows}\n"
            f"  AND {_span('ts_utc', question.start_ms, question.end_ms)}\nORDER BY ts_utc"
        ),
    }


def counted(kind: Kind, question: Question) -> dict[str, str]:
    """``events``: what it is counted from, one row each; ``sums``: the counts as a view has them."""
    where = f"site_id = {literal(question.site.site_id)}"
    if question.zone_id is not None:
        where += f" AND zone_id = {literal(question.zone_id)}"
    start_ms, end_ms = question.start_ms, question.end_ms
    columns = ", ".join(("occurred_at", *kind.columns, "event_id"))
    day = question.day_of(end_ms - 1).isoformat()
    when = f"local_date = '{day}'" if kind.unit == "day" else _span("ts_utc", start_ms, end_ms)
    at = "local_date" if kind.unit == "day" else "ts_utc"
    return {
        "events": (
            f"SELECT {columns}\nFROM musee.{kind.events}\nWHERE {where}\n"
            f"  AND {_span('occurred_at', start_ms, end_ms)}\n  AND NOT test\nORDER BY occurred_at DESC"
        ),
        "sums": (
            f"SELECT {', '.join((at, *kind.sums))}\nFROM musee.{kind.view}\nWHERE {where}\n  AND {when}\nORDER BY {at}"
        ),
    }


def _gates(question: Question) -> str:
    if question.gate_id is not None:
        if question.gate_id == NO_GATE:
            return "\n  AND gate_id IS NULL"
        return f"\n  AND gate_id = {literal(question.gate_id)}"
    if question.zone_id is not None:
        mine = [literal(gate.gate_id) for gate in question.site.gates if gate.zone_id == question.zone_id]
        return f"\n  AND gate_id IN ({', '.join(mine)})" if mine else "\n  AND false"
    return ""


def _span(column: str, start_ms: int, end_ms: int) -> str:
    start, end = (f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S}" for at in (start_ms, end_ms))
    return f"{column} >= '{start}' AND {column} < '{end}'"
