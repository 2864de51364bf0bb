"""Why a figure is what it is: the events, corrections and windows behind it, and whether they add up to it.

The figure is read from Redis, the events from ClickHouse, and neither is made from the other. Redis says in the same
step up to which offset of Kafka it has counted; history is asked for the rows up to there, once the sink has landed
them. So the two are of the same moment while events keep coming. Called by ``cli.why``.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from streams.adapters import evidence_rows, lag, live_figure
from streams.adapters.evidence_rows import Place, Revision
from streams.adapters.live_figure import LiveFigure
from streams.check.questions import Question, known_gate
from streams.config import Settings
from streams.core import evidence, occupancy
from streams.core.days import HOUR_MS, MINUTE_MS
from streams.core.evidence import Account, Folded, LeftOut, Said, Scan, Scope
from streams.core.occupancy import Correction, Level
from streams.core.partitions import partition_of
from streams.core.windows import METRICS, NOTHING, QUARTER_MS, Counts, Gates, total, within
from streams.topology import AGENTS, LIVE_HORIZON_MS, OCCUPANCY_CORRECTION, PARTITIONS, SINK, TICKET_SCAN

PATIENCE_S = 5.0
_AGAIN_S = 0.1
_LEVELS = ("raw", "inside", "drift", "low", "high")


@dataclass(frozen=True, slots=True)
class Figure:
    """Attendance of an interval per gate, and the level at its end; a gate has no level (``None``)."""

    gates: Gates
    level: Level | None

    @property
    def counts(self) -> Counts:
        """Of all its gates."""
        return total(self.gates)


@dataclass(frozen=True, slots=True)
class Window:
    """A quarter-hour of the interval.

    Attributes:
        revisions: what was said of it, first the first; none: it is not final yet.
        events: what the listed events come to in it, ``None`` where the interval holds only a part of it.
    """

    start_ms: int
    revisions: tuple[Revision, ...]
    events: Counts | None

    @property
    def agrees(self) -> bool | None:
        """Whether what was said last is what the events come to; ``None`` where that cannot be said."""
        return None if self.events is None or not self.revisions else self.revisions[-1].counts == self.events


@dataclass(frozen=True, slots=True)
class Answer:
    """What stands behind a figure.

    Attributes:
        figure: as Redis has it.
        sum: what ``account`` comes to.
        copies: event id → how often it was sent, if more than once.
        left_out: reason → events of the interval that do nothing.
        dead_letters: reason → records of the site, whatever time they claim.
        differences: each place where figure and sum differ, in words; ``reasons`` says why, as far as can be told.
        notes: what does not change either.
    """

    question: Question
    figure: Figure
    sum: Figure
    account: Account
    copies: Mapping[str, int]
    windows: tuple[Window, ...]
    left_out: Mapping[LeftOut, int]
    dead_letters: Mapping[str, int]
    watermark_ms: int | None
    differences: tuple[str, ...]
    reasons: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether the events account for the figure."""
        return not self.differences


def answer(settings: Settings, question: Question, *, patience_s: float = PATIENCE_S) -> Answer:
    """Ask both stores.

    Args:
        settings: where they are.
        question: which figure.
        patience_s: how long rows that were counted and have not landed are waited for.

    Raises:
        ConfigError: the gate is not known.
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
    missing, uncounted = _landed(settings, home, upto, patience_s)
    place = Place(site.site_id, home, first_ms, question.end_ms)
    scans = evidence.fold(evidence_rows.scans(settings, place, upto[TICKET_SCAN.topic]), site, home)
    said = evidence.fold(evidence_rows.said(settings, place, upto[OCCUPANCY_CORRECTION.topic]), site, home)
    known_gate(question, [gate for gate, _, _ in live.cells] + [one.gate_id for one in scans.events])
    scope = scope_of(question)
    account = evidence.account(scans.events, said.events, question.days, (question.start_ms, question.end_ms), scope)
    figure = _figure(question, scope, live)
    summed = _sum(question, scope, account, scans, said)
    differences = [*compare(figure, summed), *_totals(question, live, summed), *_corrections(question, live, said)]
    if live.scans_upto is None:
        differences.append("live state is empty or being counted up from Kafka: there is no figure yet")
    counted = replace(place, start_ms=question.start_ms)
    revisions = evidence_rows.windows(settings, counted, question.gate_id)
    since_ms = 0 if site.replay else question.start_ms
    return Answer(
        question=question,
        figure=figure,
        sum=summed,
        account=account,
        copies={**scans.copies, **said.copies},
        windows=_windows(question, account, revisions),
        left_out=_left_out(question, scans, said),
        dead_letters=evidence_rows.dead_letters(settings, site.site_id, since_ms),
        watermark_ms=live.clock.watermark_ms,
        differences=tuple(differences),
        reasons=tuple(_reasons(live, scans, missing)) if differences else (),
        notes=tuple(_notes(uncounted)),
    )


def scope_of(question: Question) -> Scope:
    """Whose scans and corrections make the figure."""
    if question.gate_id is not None:
        return Scope(frozenset({question.gate_id}), corrected=False)
    if question.zone_id is None:
        return evidence.WHOLE
    gates = frozenset(gate.gate_id for gate in question.site.gates if gate.zone_id == question.zone_id)
    return Scope(gates, question.zone_id)


def compare(figure: Figure, summed: Figure) -> list[str]:
    """Where a figure and the sum of its events differ, in words."""
    pairs: list[tuple[str, int, int]] = []
    for gate in sorted({*figure.gates, *summed.gates}):
        one, other = figure.gates.get(gate, NOTHING), summed.gates.get(gate, NOTHING)
        pairs += [(f"gate {gate}, {metric}", getattr(one, metric), getattr(other, metric)) for metric in METRICS]
    if figure.level is not None and summed.level is not None:
        pairs += [(name, getattr(figure.level, name), getattr(summed.level, name)) for name in _LEVELS]
    return [_differs(*pair) for pair in pairs if pair[1] != pair[2]]


def _differs(what: str, figure: object, summed: object) -> str:
    return f"{what}: figure {figure}, events {summed}"


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
    bounds = occupancy.level(  # bounds are no sum: they follow from the same people
        evidence.cells(scans.events),
        [one.correction for one in said.events],
        question.site,
        _level_span(question),
        zone_id=question.zone_id,
    )
    return Figure(gates, replace(bounds, raw=account.raw, corrected=account.corrected))


def _told(gates: Mapping[str, Counts], scope: Scope) -> dict[str, Counts]:
    return {gate: counts for gate, counts in sorted(gates.items()) if scope.holds(gate) and counts != NOTHING}


def _totals(question: Question, live: LiveFigure, summed: Figure) -> Iterable[str]:
    """The day's totals, which the page shows, against the events."""
    if question.so_far and question.gate_id is None and question.zone_id is None:
        for metric in METRICS:
            stands, comes_to = live.totals.get(metric, 0), getattr(summed.counts, metric)
            if stands != comes_to:
                yield _differs(f"{metric} of the business day", stands, comes_to)


def _corrections(question: Question, live: LiveFigure, said: Folded[Said]) -> Iterable[str]:
    """Corrections that one of the two stores lacks."""
    if question.gate_id is not None:
        return
    first_ms, end_ms = question.days[0], question.end_ms
    in_redis = {_named(one) for one in live.corrections if first_ms <= one.occurred_ms < end_ms}
    in_history = {_named(one.correction) for one in said.events if first_ms <= one.occurred_ms < end_ms}
    for where, some in (("live state", in_redis - in_history), ("history", in_history - in_redis)):
        yield from (f"correction {name}: in {where} alone" for name in sorted(some))


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


def _reasons(live: LiveFigure, scans: Folded[Scan], missing: int) -> Iterable[str]:
    """Why the two may differ, as far as can be told from here."""
    found = False
    if live.scans_upto is None:
        found = True
        yield "live state is empty: nothing is counted of the site's partition, or it is being counted up from Kafka"
    if missing:
        found = True
        yield f"{missing:,} records of the site's partition are counted and have not landed in history yet; ask again"
    held = {minute * MINUTE_MS // HOUR_MS for _, minute, _ in live.cells}
    gone = {one.occurred_ms // HOUR_MS for one in scans.events} - held
    if gone and live.scans_upto is not None:
        found = True
        yield (
            f"of {len(gone):,} hours with events live state holds nothing: they expire some days after their last "
            f"event, and a rebuild begins {LIVE_HORIZON_MS // HOUR_MS} h back"
        )
    again = sum(reason == "resent-elsewhen" for _, reason in scans.left_out)
    if again:
        found = True
        yield f"{again:,} events came again under another hour: {evidence.WORDS['resent-elsewhen']}"
    if not found:
        yield "none is known: everything counted has landed, so one of the two stores is wrong"


def _notes(uncounted: int) -> Iterable[str]:
    if uncounted:
        yield f"{uncounted:,} records of the site's partition are in Kafka and not counted yet; they are in neither"


def _landed(settings: Settings, home: int, upto: Mapping[str, int], patience_s: float) -> tuple[int, int]:
    """Wait until history holds what was counted; records that are missing still, and records not counted yet."""
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
