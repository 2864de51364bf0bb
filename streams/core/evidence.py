"""Evidence: which events stand behind a figure, what each does to it, and what they come to.

Takes rows of history, gives steps that add up. The rules of counting are stated here a second time, event by event and
apart from ``core.attendance`` and ``core.hours``, so that what this comes to can be held against what was counted: of
the rows of one event the first one that counts holds, a scan moves its party, an annulled or reverted one takes back,
trials and what the clocks' rules reject do nothing, corrections say the level from the end of their minute.

A step of a correction is what it changed: a recount of 33 where 40 were counted is −7. So the steps after ``opening``
add up to the level, whatever was said in between. Pure. Called by ``adapters.evidence``.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from streams.core import clocks
from streams.core.days import HOUR_MS, MINUTE_MS
from streams.core.occupancy import Correction, Kind
from streams.core.sites import Site
from streams.core.windows import NOTHING, Counts

LeftOut = Literal["test", "clock", "future", "late", "misplaced", "negative", "zone", "resent", "resent-elsewhen"]
WORDS: Mapping[LeftOut, str] = {
    "test": "trials (test=true): counted nowhere",
    "clock": "in quarantine, the device's clock is not believed: musee dlq retry --reason clock --shift releases them",
    "future": f"more than {clocks.AHEAD_MS // MINUTE_MS} min ahead of their receipt",
    "late": f"received more than {clocks.LATE_MS // HOUR_MS} h after they happened: they change history only",
    "misplaced": "in another partition than their site's: musee dlq retry --reason partition moves them",
    "negative": "a reset or recount below zero says nothing",
    "zone": "corrections of one zone: they do not change the site's level",
    "resent": "the same event again: folded into the first one",
    "resent-elsewhen": "the same event again under another hour: history folds it, live counts may hold it twice",
}
NO_GATE = "-"


@dataclass(frozen=True, slots=True)
class Record:
    """One row of history: an event as it lies at one place of Kafka; times in epoch ms, UTC.

    Attributes:
        device_ms: what the device said of the time, ``None`` where that was not corrected.
        corrects: id of the event that it takes back or corrects.
    """

    event_id: str
    partition: int
    offset: int
    occurred_ms: int
    received_ms: int
    device_ms: int | None
    clock_trust: str
    ingest_mode: str
    test: bool
    corrects: str | None


@dataclass(frozen=True, slots=True)
class Scan(Record):
    """A ticket at a gate; the gate is ``-`` where it named none."""

    gate_id: str
    direction: str
    outcome: str
    party_size: int

    @property
    def counts(self) -> Counts:
        """What it adds to its gate; a denied scan is one, whatever its party."""
        if self.outcome == "DENIED":
            return Counts(denied=1)
        if self.outcome == "AUTO_EXIT":
            return Counts(exits=self.party_size)
        people = self.party_size if self.outcome == "ACCEPTED" else -self.party_size
        return Counts(entries=people) if self.direction == "IN" else Counts(exits=people)


@dataclass(frozen=True, slots=True)
class Said(Record):
    """What somebody said about the people inside; ``zone_id`` is ``None`` for the whole site."""

    kind: Kind
    value: int
    zone_id: str | None
    who: str
    why: str

    @property
    def correction(self) -> Correction:
        """The same as ``core.occupancy`` takes it."""
        return Correction(self.occurred_ms, self.event_id, self.kind, self.value, self.zone_id)


R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class Folded(Generic[R]):
    """Events that count, one each, and why others do not.

    Attributes:
        events: in the order of event time and id.
        copies: event id → rows of it that count, if more than one.
        left_out: event time and reason of each event, or further row of one, that does nothing.
    """

    events: tuple[R, ...]
    copies: Mapping[str, int]
    left_out: tuple[tuple[int, LeftOut], ...]

    def why_not(self, start_ms: int, end_ms: int) -> Counter[LeftOut]:
        """Reason → how many of ``[start_ms, end_ms)``."""
        return Counter(reason for at_ms, reason in self.left_out if start_ms <= at_ms < end_ms)


def fold(records: Iterable[R], site: Site, home: int) -> Folded[R]:
    """One event for each id: the first row, by its offset, that counts.

    Args:
        records: rows of one family, in any order; a row that landed twice may be there twice.
        site: theirs; a replayed one is taken at its word about the time.
        home: its partition.
    """
    first: dict[str, R] = {}
    places: dict[str, set[int]] = {}
    rejected: dict[str, tuple[int, LeftOut]] = {}
    left_out: list[tuple[int, LeftOut]] = []
    for record in sorted(records, key=lambda one: one.offset):
        reason = _rejected(record, site, home)
        if reason is not None:
            rejected[record.event_id] = record.occurred_ms, reason
            continue
        stood = first.setdefault(record.event_id, record)
        seen = places.setdefault(record.event_id, set())
        if seen and record.offset not in seen:
            again: LeftOut = "resent" if _looked_up(record) == _looked_up(stood) else "resent-elsewhen"
            left_out.append((stood.occurred_ms, again))
        seen.add(record.offset)
    left_out += [said for event_id, said in rejected.items() if event_id not in first]
    events = []
    for record in sorted(first.values(), key=lambda one: (one.occurred_ms, one.event_id)):
        if (nothing := _idle(record)) is not None:
            left_out.append((record.occurred_ms, nothing))
        else:
            events.append(record)
    copies = {event_id: len(offsets) for event_id, offsets in places.items() if len(offsets) > 1}
    return Folded(tuple(events), copies, tuple(left_out))


def _rejected(record: Record, site: Site, home: int) -> LeftOut | None:
    """Why a row is not an event of the live counts at all."""
    if record.partition != home:
        return "misplaced"
    if site.replay:
        return None
    if record.clock_trust == "UNSYNCED":
        return "clock"
    if clocks.is_future(record.occurred_ms, record.received_ms):
        return "future"
    return "late" if record.received_ms - record.occurred_ms > clocks.LATE_MS else None


def _looked_up(record: Record) -> int:
    """The hour under which its id is remembered: of what the device said, which a resent event says again."""
    return (record.occurred_ms if record.device_ms is None else record.device_ms) // HOUR_MS


def _idle(record: Record) -> LeftOut | None:
    """Why an event does nothing, though it is taken."""
    if record.test:
        return "test"
    if isinstance(record, Said) and record.kind != "ADJUST" and record.value < 0:
        return "negative"
    return None


# -- steps -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """One line behind a figure.

    Attributes:
        record: the event; ``None`` where a business day begins, with nobody inside.
        raw, inside: what it changes of the level as the gates count it, and of the corrected one.
        stands: the corrected level after it, below zero where counting lost its way.
    """

    at_ms: int
    record: Scan | Said | None
    raw: int
    inside: int
    stands: int


@dataclass(frozen=True, slots=True)
class Account:
    """Everything behind a figure.

    Attributes:
        opening_raw, opening: levels before the first step.
        steps: in the order in which they hold: within a minute the scans, then what was said.
    """

    opening_raw: int
    opening: int
    steps: tuple[Step, ...]

    @property
    def raw(self) -> int:
        """The level as the gates counted it: the sum of the steps."""
        return self.opening_raw + sum(step.raw for step in self.steps)

    @property
    def corrected(self) -> int:
        """The corrected level: the sum of the steps."""
        return self.opening + sum(step.inside for step in self.steps)

    @property
    def gates(self) -> dict[str, Counts]:
        """Gate → sum of its scans; a gate without one is not in it."""
        sums: dict[str, Counts] = {}
        for step in self.steps:
            if isinstance(step.record, Scan):
                sums[step.record.gate_id] = sums.get(step.record.gate_id, NOTHING) + step.record.counts
        return sums


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose figure: gates whose scans count (``None``: all), and the zone that corrections must speak of."""

    gates: frozenset[str] | None = None
    zone_id: str | None = None
    corrected: bool = True

    def holds(self, gate_id: str) -> bool:
        """Whether scans of a gate count."""
        return self.gates is None or gate_id in self.gates


WHOLE = Scope()


@dataclass(slots=True)
class _Level:
    raw: int = 0
    inside: int = 0
    steps: list[Step] = field(default_factory=list)

    def take(self, at_ms: int, record: Scan | Said | None, raw: int, inside: int, *, listed: bool) -> None:
        self.raw += raw
        self.inside += inside
        if listed:
            self.steps.append(Step(at_ms, record, raw, inside, self.inside))


def account(
    scans: Iterable[Scan],
    said: Iterable[Said],
    days: Sequence[int],
    span: tuple[int, int],
    scope: Scope = WHOLE,
) -> Account:
    """The steps of ``[start_ms, end_ms)``.

    Args:
        scans: events that count, of ``fold``, from the beginning of the business day that ``span`` begins in.
        said: likewise; of all zones.
        days: starts of the business days, epoch ms, ascending, the first at or before the start of ``span``.
        span: epoch ms, UTC, on minutes.
        scope: whose figure.
    """
    start_ms, end_ms = span
    order: list[tuple[int, int, int, str, Scan | Said | None]] = [(day_ms, 0, day_ms, "", None) for day_ms in days]
    order += [(one.occurred_ms, 1, one.occurred_ms, one.event_id, one) for one in scans if scope.holds(one.gate_id)]
    order += [(one.occurred_ms, 2, one.occurred_ms, one.event_id, one) for one in said if scope.corrected]
    order.sort(key=lambda one: (one[0] // MINUTE_MS, *one[1:4]))
    level = _Level()
    for at_ms, _, _, _, record in order:
        if not days[0] <= at_ms < end_ms:
            continue
        listed = at_ms >= start_ms
        if record is None:
            if at_ms <= start_ms:
                level.raw = level.inside = 0
                continue
            level.take(at_ms, None, -level.raw, -level.inside, listed=True)
            continue
        if isinstance(record, Scan):
            counts = record.counts
            level.take(at_ms, record, moved := counts.entries - counts.exits, moved, listed=listed)
        elif (value := _about(record, scope.zone_id)) is not None:
            change = value if record.kind == "ADJUST" else value - level.inside
            level.take(at_ms, record, 0, change, listed=listed)
    steps = tuple(level.steps)
    return Account(level.raw - sum(one.raw for one in steps), level.inside - sum(one.inside for one in steps), steps)


def _about(one: Said, zone_id: str | None) -> int | None:
    """What a correction says about a zone or, ``None``, the whole site; ``None`` if it says nothing of it."""
    if one.zone_id == zone_id:
        return one.value
    return 0 if one.zone_id is None and one.kind == "RESET" else None


def cells(scans: Iterable[Scan]) -> dict[tuple[str, int, str], int]:
    """(gate, epoch minute, metric) → people, as ``core.occupancy`` takes them to tell the bounds."""
    found: Counter[tuple[str, int, str]] = Counter()
    for one in scans:
        minute = one.occurred_ms // MINUTE_MS
        found[one.gate_id, minute, "entries"] += one.counts.entries
        found[one.gate_id, minute, "exits"] += one.counts.exits
    return {cell: people for cell, people in found.items() if people}
