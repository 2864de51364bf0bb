"""Why a figure is what it is: the events, corrections and windows behind it, and whether they add up to it.

The figure is read from Redis, the events from ClickHouse, and neither is made from the other. Redis says in the same
step up to which offset of Kafka it has counted; history is asked for the rows up to there, once the sink has landed
them. So the two are of the same moment while events keep coming. Called by ``cli.why`` and ``console.why``.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from streams.adapters import evidence_rows, lag, live_figure
from streams.adapters.evidence_rows import Limits, Place
from streams.adapters.live_figure import LiveFigure
from streams.config import Settings
from streams.core import evidence, occupancy
from streams.core.answers import Answer, Figure, Gap, Reason, Revision, Window, compare
from streams.core.days import HOUR_MS, MINUTE_MS
from streams.core.evidence import Account, Folded, LeftOut, Said, Scan, Scope
from streams.core.occupancy import Correction, Reach
from streams.core.partitions import partition_of
from streams.core.questions import Question, known_gate
from streams.core.windows import METRICS, NOTHING, QUARTER_MS, Counts, total, within
from streams.topology import AGENTS, LIVE_HORIZON_MS, OCCUPANCY_CORRECTION, PARTITIONS, SINK, TICKET_SCAN

PATIENCE_S = 5.0
ALL = Limits()
_AGAIN_S = 0.1


def answer(settings: Settings, question: Question, *, patience_s: float = PATIENCE_S, limits: Limits = ALL) -> Answer:
    """Ask both stores.

    Args:
        settings: where they are.
        question: which figure.
        patience_s: how long rows that were counted and have not landed are waited for.
        limits: what it may cost.

    Raises:
        WrongQuestion: the gate is not known, or there are more events than ``limits`` allows.
        Unavailable: Redis, Kafka or ClickHouse is away.
    """
    site = question.site
    home = partition_of(site.site_id, PARTITIONS)
    first_ms = question.days[0]
    live = live_figure.read(
        settings, site.site_id, (first_ms, question.end_ms), question.day_of(question.end_ms - 1).isoformat()
    )
    upto = {
        TICKET_SCAN.topic: -1 if live.scans_upto is None else live.scans_upto,
        OCCUPANCY_CORRECTION.topic: -1 if live.said_upto is None else live.said_upto,
    }
    missing, uncounted = landed(settings, home, upto, patience_s)
    place = Place(site.site_id, home, first_ms, question.end_ms, limits)
    scans = evidence.fold(evidence_rows.scans(settings, place, upto[TICKET_SCAN.topic]), site, home)
    said = evidence.fold(evidence_rows.said(settings, place, upto[OCCUPANCY_CORRECTION.topic]), site, home)
    known_gate(question, [gate for gate, _, _ in live.cells] + [one.gate_id for one in scans.events])
    scope = scope_of(question)
    account = evidence.account(scans.events, said.events, question.days, (question.start_ms, question.end_ms), scope)
    figure = _figure(question, scope, live)
    summed = _sum(question, scope, account, scans, said)
    gaps = [*compare(figure, summed), *_totals(question, live, summed), *_corrections(question, live, said)]
    if live.scans_upto is None:
        gaps.append(Gap("empty"))
    counted = replace(place, start_ms=question.start_ms)
    revisions = evidence_rows.windows(settings, counted, question.gate_id)
    since_ms = 0 if site.replay else question.start_ms
    return Answer(
        question=question,
        figure=figure,
        sum=summed,
        account=account,
        reaches=_reaches(question, scope, scans, said),
        copies={**scans.copies, **said.copies},
        windows=_windows(question, account, revisions),
        left_out=_left_out(question, scans, said),
        dead_letters=evidence_rows.dead_letters(settings, place, since_ms),
        watermark_ms=live.clock.watermark_ms,
        gaps=tuple(gaps),
        why=tuple(_reasons(live, scans, missing)) if gaps else (),
        uncounted=uncounted,
    )


def scope_of(question: Question) -> Scope:
    """Whose scans and corrections make the figure."""
    if question.gate_id is not None:
        return Scope(frozenset({question.gate_id}), corrected=False)
    if question.zone_id is None:
        return evidence.WHOLE
    gates = frozenset(gate.gate_id for gate in question.site.gates if gate.zone_id == question.zone_id)
    return Scope(gates, question.zone_id)


# -- the figure, and the sum -----------------------------------------------------------------------------------------


def _level_span(question: Question) -> tuple[int, int]:
    """From where the level at the end counts: the business day that the interval ends in."""
    return question.bounds_of(question.end_ms - 1)[0], question.end_ms


def _figure(question: Question, scope: Scope, live: LiveFigure) -> Figure:
    gates = _told(within(live.cells, question.start_ms, question.end_ms), scope)
    if not scope.corrected:
        return Figure(gates, None)
    lost = 0
    if question.so_far and question.zone_id is None:  # as the page does: minutes expire before the day's total
        sums = total(within(live.cells, question.start_ms, question.end_ms))
        lost = live.totals.get("entries", 0) - live.totals.get("exits", 0) - (sums.entries - sums.exits)
    level = occupancy.level(
        live.cells, live.corrections, question.site, _level_span(question), zone_id=question.zone_id, lost=lost
    )
    return Figure(gates, level)


def _sum(question: Question, scope: Scope, account: Account, scans: Folded[Scan], said: Folded[Said]) -> Figure:
    gates = _told(account.gates, scope)
    if not scope.corrected:
        return Figure(gates, None)
    cells, corrections = evidence.cells(scans.events), [one.correction for one in said.events]
    span, zone_id = _level_span(question), question.zone_id
    bounds = occupancy.level(cells, corrections, question.site, span, zone_id=zone_id)  # no sum: of the same people
    return Figure(gates, replace(bounds, raw=account.raw, corrected=account.corrected))


def _reaches(question: Question, scope: Scope, scans: Folded[Scan], said: Folded[Said]) -> tuple[Reach, ...]:
    if not scope.corrected:
        return ()
    cells, corrections = evidence.cells(scans.events), [one.correction for one in said.events]
    span, zone_id = _level_span(question), question.zone_id
    return occupancy.reaches(cells, corrections, question.site, span, zone_id=zone_id)


def _told(gates: Mapping[str, Counts], scope: Scope) -> dict[str, Counts]:
    return {gate: counts for gate, counts in sorted(gates.items()) if scope.holds(gate) and counts != NOTHING}


def _totals(question: Question, live: LiveFigure, summed: Figure) -> Iterable[Gap]:
    """The day's totals, which the page shows, against the events."""
    if question.so_far and question.gate_id is None and question.zone_id is None:
        for metric in METRICS:
            stands, comes_to = live.totals.get(metric, 0), getattr(summed.counts, metric)
            if stands != comes_to:
                yield Gap("day", "", metric, stands, comes_to)


def _corrections(question: Question, live: LiveFigure, said: Folded[Said]) -> Iterable[Gap]:
    """Corrections that one of the two stores lacks."""
    if question.gate_id is not None:
        return
    first_ms, end_ms = question.days[0], question.end_ms
    in_redis = {_named(one) for one in live.corrections if first_ms <= one.occurred_ms < end_ms}
    in_history = {_named(one.correction) for one in said.events if first_ms <= one.occurred_ms < end_ms}
    for where, some in (("live", in_redis - in_history), ("history", in_history - in_redis)):
        yield from (Gap("correction", name, where) for name in sorted(some))


def _named(one: Correction) -> str:
    return f"{one.kind} {one.value}{f' of zone {one.zone_id}' if one.zone_id else ''} ({one.event_id.lower()})"


# -- what else is told -----------------------------------------------------------------------------------------------


def _left_out(question: Question, scans: Folded[Scan], said: Folded[Said]) -> dict[LeftOut, int]:
    span = question.start_ms, question.end_ms
    found = scans.why_not(*span) + said.why_not(*span)
    if question.zone_id is None and question.gate_id is None:
        about_zones = [one for one in said.events if one.zone_id is not None and span[0] <= one.occurred_ms < span[1]]
        found += Counter({"zone": len(about_zones)})
    return {reason: found[reason] for reason in evidence.WORDS if found[reason]}


def _windows(question: Question, account: Account, revisions: Iterable[Revision]) -> tuple[Window, ...]:
    told: dict[int, list[Revision]] = {}
    for one in revisions:
        told.setdefault(one.start_ms, []).append(one)
    events: dict[int, Counts] = {}
    for step in account.steps:
        if isinstance(step.record, Scan):
            start_ms = step.at_ms // QUARTER_MS * QUARTER_MS
            events[start_ms] = events.get(start_ms, NOTHING) + step.record.counts
    found = []
    for start_ms in sorted({*told, *events}):
        whole = question.start_ms <= start_ms and start_ms + QUARTER_MS <= question.end_ms
        known = events.get(start_ms, NOTHING) if whole and question.zone_id is None else None
        found.append(Window(start_ms, tuple(told.get(start_ms, ())), known))
    return tuple(found)


def _reasons(live: LiveFigure, scans: Folded[Scan], missing: int) -> list[Reason]:
    """Why the two may differ, as far as can be told from here."""
    found = []
    if live.scans_upto is None:
        found.append(Reason("empty"))
    if missing:
        found.append(Reason("not-landed", missing))
    held = {minute * MINUTE_MS // HOUR_MS for _, minute, _ in live.cells}
    gone = {one.occurred_ms // HOUR_MS for one in scans.events} - held
    if gone and live.scans_upto is not None:
        found.append(Reason("expired", len(gone), LIVE_HORIZON_MS // HOUR_MS))
    again = sum(reason == "resent-elsewhen" for _, reason in scans.left_out)
    if again:
        found.append(Reason("resent-elsewhen", again))
    return found or [Reason("unknown")]


def landed(settings: Settings, home: int, upto: Mapping[str, int], patience_s: float) -> tuple[int, int]:
    """Wait until history holds what was counted.

    Args:
        settings: where Kafka is.
        home: the partition.
        upto: topic → last offset that is counted, −1 if nothing is.
        patience_s: how long.

    Returns:
        Records that are counted and have not landed still, and records that are not counted yet.

    Raises:
        Unavailable: Kafka is away.
    """
    ends_s = time.monotonic() + patience_s
    while True:
        rows = [one for one in asyncio.run(lag.measure(settings.kafka_servers)) if one.partition == home]
        missing = uncounted = 0
        for one in rows:
            if one.group == SINK and one.topic in upto:
                reached = one.start if one.committed is None else one.committed
                missing += max(0, upto[one.topic] + 1 - reached)
            if one.group == AGENTS and one.topic in upto:
                uncounted += max(0, one.end - max(one.start, upto[one.topic] + 1))
        if not missing or time.monotonic() > ends_s:
            return missing, uncounted
        time.sleep(_AGAIN_S)
