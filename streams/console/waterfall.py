"""The equation behind a figure as a picture: what was there, what came, what went, what people corrected.

Takes an answer, gives bars in per cent of the drawing's width, each from where the sum stood before it to where it
stands after. Pure. Used by ``console.pages.why``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from streams.core.answers import Answer
from streams.core.evidence import Said, Scan

Term = Literal[
    "opening",
    "in",
    "out",
    "corrections",
    "days",
    "drift",
    "accepted",
    "automatic",
    "undone",
    "denied",
    "rest",
    "result",
]


@dataclass(frozen=True, slots=True)
class Bar:
    """One term; ``left``, ``width`` and ``end`` (where the sum stands after it) are per cent.

    Attributes:
        low, high: bounds of a result, per cent, ``None`` where there are none.
    """

    term: Term
    amount: int
    left: float
    width: float
    end: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Bars from top to bottom; the last is the figure. ``zero`` is where nought stands, per cent."""

    bars: tuple[Bar, ...]
    zero: float


def waterfall(answer: Answer, figure: str) -> Waterfall:
    """The terms of ``inside``, ``entries``, ``exits`` or ``denied``.

    They are the events', the result is the figure's: what the events leave unexplained is a term of its own.
    """
    level = answer.figure.level
    if figure == "inside" and level is not None:
        value, bounds = level.inside, (level.low, level.high)
        terms = [*_level_terms(answer)]
    else:
        value, bounds = int(getattr(answer.figure.counts, figure)), None
        terms = [*_count_terms(answer, figure)]
    rest = value - sum(amount for _, amount in terms)
    if rest:
        terms.append(("rest", rest))
    return _drawn(terms, value, bounds)


def _level_terms(answer: Answer) -> Iterable[tuple[Term, int]]:
    account = answer.account
    if account.opening:
        yield "opening", account.opening
    counts = answer.sum.counts
    yield "in", counts.entries
    yield "out", -counts.exits
    said = [step.inside for step in account.steps if isinstance(step.record, Said)]
    if said:
        yield "corrections", sum(said)
    begun = [step.inside for step in account.steps if step.record is None]
    if begun:
        yield "days", sum(begun)
    if account.corrected < 0:
        yield "drift", -account.corrected


def _count_terms(answer: Answer, figure: str) -> Iterable[tuple[Term, int]]:
    sums: dict[Term, int] = {"denied": 0} if figure == "denied" else {"accepted": 0}
    for step in answer.account.steps:
        if not isinstance(step.record, Scan) or not (amount := getattr(step.record.counts, figure)):
            continue
        outcome = step.record.outcome
        term: Term = "accepted"
        if outcome == "DENIED":
            term = "denied"
        elif outcome == "AUTO_EXIT":
            term = "automatic"
        elif outcome != "ACCEPTED":
            term = "undone"
        sums[term] = sums.get(term, 0) + amount
    return sums.items()


def _drawn(terms: list[tuple[Term, int]], value: int, bounds: tuple[int, int] | None) -> Waterfall:
    stands = [0]
    for _, amount in terms:
        stands.append(stands[-1] + amount)
    marks: list[int] = [*stands, value, *(bounds or ())]
    lowest, highest = min(marks), max(marks)
    whole = max(highest - lowest, 1)

    def place(at: int) -> float:
        return round(100.0 * (at - lowest) / whole, 2)

    bars = []
    for (term, amount), before, after in zip(terms, stands, stands[1:], strict=False):
        left, right = sorted((before, after))
        bars.append(Bar(term, amount, place(left), round(place(right) - place(left), 2), place(after)))
    left, right = sorted((0, value))
    low, high = (None, None) if bounds is None else map(place, bounds)
    result = Bar("result", value, place(left), round(place(right) - place(left), 2), place(value), low, high)
    return Waterfall((*bars, result), place(0))
