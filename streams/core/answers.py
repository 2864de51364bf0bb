"""What stands behind a figure, and in words where the two do not agree.

Takes a figure and the account of its events, says where they differ and why, as facts with numbers; ``said`` puts
each in English, a page does so in the reader's language. Pure. Filled by ``adapters.evidence``, told by ``cli.why`` and
``console.why``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from streams.core.evidence import WORDS, Account, LeftOut, Scan
from streams.core.occupancy import Level, Reach
from streams.core.questions import Question
from streams.core.windows import METRICS, NOTHING, QUARTER_MS, Cause, Counts, Gates, total

LEVELS = ("raw", "inside", "drift", "low", "high")

GapKind = Literal["gate", "level", "day", "correction", "empty"]
ReasonCode = Literal["empty", "not-landed", "expired", "resent-elsewhen", "unknown"]


@dataclass(frozen=True, slots=True)
class Revision:
    """One thing that was said of a quarter-hour; ``before`` is ``None`` for a first final."""

    start_ms: int
    revision: int
    cause: Cause | None
    counts: Counts
    before: Counts | None
    completeness: float
    watermark_ms: int
    published_ms: int


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
class Gap:
    """One place where a figure and its events differ.

    Attributes:
        kind: of a gate, of the level, of the business day's total; a correction that one store lacks; no figure at all.
        name: the gate, or the correction in words; empty for the others.
        metric: which of its numbers; of a correction the only store that has it, ``live`` or ``history``.
        figure, events: what each comes to; nought where they are no numbers.
    """

    kind: GapKind
    name: str = ""
    metric: str = ""
    figure: int = 0
    events: int = 0

    @property
    def said(self) -> str:
        """The same in English."""
        both = f"figure {self.figure}, events {self.events}"
        match self.kind:
            case "gate":
                return f"gate {self.name}, {self.metric}: {both}"
            case "level":
                return f"{self.metric}: {both}"
            case "day":
                return f"{self.metric} of the business day: {both}"
            case "correction":
                where = "live state" if self.metric == "live" else "history"
                return f"correction {self.name}: in {where} alone"
            case "empty":
                return "live state is empty or being counted up from Kafka: there is no figure yet"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a figure and its events may differ; ``number`` is how many records, hours or events it is about."""

    code: ReasonCode
    number: int = 0
    horizon_h: int = 0

    @property
    def said(self) -> str:
        """The same in English."""
        match self.code:
            case "empty":
                return (
                    "live state is empty: nothing is counted of the site's partition, or it is being counted up from "
                    "Kafka"
                )
            case "not-landed":
                return (
                    f"{self.number:,} records of the site's partition are counted and have not landed in history yet; "
                    "ask again"
                )
            case "expired":
                return (
                    f"of {self.number:,} hours with events live state holds nothing: they expire some days after their "
                    f"last event, and a rebuild begins {self.horizon_h} h back"
                )
            case "resent-elsewhen":
                return f"{self.number:,} events came again under another hour: {WORDS['resent-elsewhen']}"
            case "unknown":
                return "none is known: everything counted has landed, so one of the two stores is wrong"


@dataclass(frozen=True, slots=True)
class Answer:
    """What stands behind a figure.

    Attributes:
        figure: as Redis has it.
        sum: what ``account`` comes to.
        reaches: how far each gate may be off, of the level's bounds; none where there is no level.
        copies: event id → how often it was sent, if more than once.
        left_out: reason → events of the interval that do nothing.
        dead_letters: reason → records of the site, whatever time they claim.
        gaps: each place where figure and sum differ; ``why`` says why, as far as can be told.
        uncounted: records of the site's partition that are in Kafka and in neither.
    """

    question: Question
    figure: Figure
    sum: Figure
    account: Account
    reaches: tuple[Reach, ...]
    copies: Mapping[str, int]
    windows: tuple[Window, ...]
    left_out: Mapping[LeftOut, int]
    dead_letters: Mapping[str, int]
    watermark_ms: int | None
    gaps: tuple[Gap, ...]
    why: tuple[Reason, ...]
    uncounted: int

    @property
    def equal(self) -> bool:
        """Whether the events account for the figure."""
        return not self.gaps

    @property
    def differences(self) -> tuple[str, ...]:
        """The gaps in English."""
        return tuple(gap.said for gap in self.gaps)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, in English."""
        return tuple(reason.said for reason in self.why)

    @property
    def notes(self) -> tuple[str, ...]:
        """What changes neither, in English."""
        if not self.uncounted:
            return ()
        note = (
            f"{self.uncounted:,} records of the site's partition are in Kafka and not counted yet; they are in neither"
        )
        return (note,)

    @property
    def first_said(self) -> dict[int, int]:
        """Start of a quarter-hour → when it was said first to be final."""
        return {one.start_ms: one.revisions[0].published_ms for one in self.windows if one.revisions}


def compare(figure: Figure, summed: Figure) -> list[Gap]:
    """Where a figure and the sum of its events differ."""
    gaps = []
    for gate in sorted({*figure.gates, *summed.gates}):
        one, other = figure.gates.get(gate, NOTHING), summed.gates.get(gate, NOTHING)
        gaps += [Gap("gate", gate, metric, getattr(one, metric), getattr(other, metric)) for metric in METRICS]
    if figure.level is not None and summed.level is not None:
        gaps += [Gap("level", "", name, getattr(figure.level, name), getattr(summed.level, name)) for name in LEVELS]
    return [gap for gap in gaps if gap.figure != gap.events]


def is_late(scan: Scan, first_said: Mapping[int, int]) -> bool:
    """Whether a scan was received after its window had been said to be final: start → epoch ms of ``first_said``."""
    said_ms = first_said.get(scan.occurred_ms // QUARTER_MS * QUARTER_MS)
    return said_ms is not None and scan.received_ms > said_ms
