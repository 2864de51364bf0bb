"""What stands behind a figure as one document for machines: the same for ``musee why --json`` and ``/v1/why``.

Takes an answer, gives names and numbers, times in the site's zone with their distance from UTC. Pure.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from streams.core.answers import Answer, Figure, Revision, Window, is_late
from streams.core.evidence import Said, Scan, Step
from streams.core.occupancy import Reach
from streams.core.windows import METRICS, Counts

Document = dict[str, object]


def document(found: Answer, steps: Sequence[Step] | None = None) -> Document:
    """Everything; ``steps`` are those that are listed, all of them by default. The sums are of all in any case."""
    asked = found.question
    clock = _Clock(ZoneInfo(asked.site.time_zone))
    first_said = found.first_said
    events, corrections, begun = [], [], []
    for step in found.account.steps if steps is None else steps:
        match step.record:
            case Scan() as scan:
                events.append(_head(found, step, scan, clock) | _scan(scan, first_said))
            case Said() as said:
                corrections.append(_head(found, step, said, clock) | _said(said))
            case None:
                begun.append({"at": clock(step.at_ms), "inside": step.inside, "raw": step.raw})
    level = found.sum.level
    opening = {"raw": found.account.opening_raw, "corrected": found.account.opening}
    return {
        "site": asked.site.site_id,
        "gate": asked.gate_id,
        "zone": asked.zone_id,
        "from": clock(asked.start_ms),
        "to": clock(asked.end_ms),
        "so_far": asked.so_far,
        "figure": _figure(found.figure),
        "sum": _figure(found.sum),
        "equal": found.equal,
        "differences": list(found.differences),
        "reasons": list(found.reasons),
        "notes": list(found.notes),
        "opening": None if level is None else opening,
        "bounds": [_reach(one) for one in found.reaches],
        "events": events,
        "corrections": corrections,
        "days_begun": begun,
        "windows": [_window(window, clock) for window in found.windows],
        "left_out": dict(found.left_out),
        "dead_letters": dict(found.dead_letters),
    }


class _Clock:
    """Instants as they are written."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone

    def __call__(self, at_ms: int | None) -> str | None:
        return (
            None
            if at_ms is None
            else datetime.fromtimestamp(at_ms / 1000, self._zone).isoformat(timespec="milliseconds")
        )


def _head(found: Answer, step: Step, record: Scan | Said, clock: _Clock) -> Document:
    return {
        "event_id": record.event_id,
        "at": clock(step.at_ms),
        "received_at": clock(record.received_ms),
        "device_at": clock(record.device_ms),
        "ingest_mode": record.ingest_mode,
        "clock_trust": record.clock_trust,
        "corrects": record.corrects,
        "sent": found.copies.get(record.event_id, 1),
        "inside": step.inside,
        "stands": step.stands,
    }


def _scan(scan: Scan, first_said: Mapping[int, int]) -> Document:
    told: Document = {"gate": scan.gate_id, "direction": scan.direction, "outcome": scan.outcome}
    return told | {"party_size": scan.party_size} | _numbers(scan.counts) | {"late": is_late(scan, first_said)}


def _said(said: Said) -> Document:
    return {"kind": said.kind, "value": said.value, "zone": said.zone_id, "who": said.who, "why": said.why}


def _reach(one: Reach) -> Document:
    told: Document = {"gate": one.gate_id, "entries": one.entries, "exits": one.exits}
    return told | {"error_share": one.share, "people": round(one.people, 1)}


def _window(window: Window, clock: _Clock) -> Document:
    return {
        "start": clock(window.start_ms),
        "final": bool(window.revisions),
        "agrees": window.agrees,
        "events": None if window.events is None else _numbers(window.events),
        "revisions": [_revision(one, clock) for one in window.revisions],
    }


def _revision(one: Revision, clock: _Clock) -> Document:
    return {
        "revision": one.revision,
        "cause": one.cause,
        "before": None if one.before is None else _numbers(one.before),
        "counts": _numbers(one.counts),
        "completeness": one.completeness,
        "watermark_at": clock(one.watermark_ms),
        "published_at": clock(one.published_ms),
    }


def _numbers(counts: Counts) -> dict[str, object]:
    return {metric: getattr(counts, metric) for metric in METRICS}


def _figure(figure: Figure) -> Document:
    told = _numbers(figure.counts)
    if figure.level is not None:
        level = figure.level
        told |= {"raw": level.raw, "corrected": level.corrected, "inside": level.inside}
        told |= {"inside_low": level.low, "inside_high": level.high, "drift": level.drift}
    return told | {"gates": {gate: _numbers(counts) for gate, counts in figure.gates.items()}}
