"""Which windows are due, and what is said about each: final, revised, and why.

A window ``[start_ms, end_ms)`` of a site is a quarter of an hour: the sum of its minutes per gate. It is final once the
watermark has passed its end by the allowed lateness; what comes after that makes a revision. Hours and business days
are sums of quarters and are stored nowhere, so that a late event never finds one that was not told.

Takes what one atomic read of the live store gave, gives what to publish. Pure; ``now_ms`` is an argument. Called by
``agents.watch`` (``is_due``, ``within``, ``decide``) and by whoever states an hour or a day from what was published
(``latest``, ``coarser``).

Source: Akidau et al., "The Dataflow Model", VLDB 2015, section 2.3 (panes that accumulate: a refinement replaces what
was said before and says both).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from streams.core.days import MINUTE_MS
from streams.core.watermark import ALLOWED_LATENESS_MS

QUARTER_MS = 15 * MINUTE_MS
METRICS = ("entries", "exits", "denied")

Cells = Mapping[tuple[str, int, str], int]
"""(gate, epoch minute, metric) → people (``denied``: scans), as ``core.attendance`` counts them."""

Cause = Literal["LATE", "CORRECTION", "DUPLICATE", "ANNULLED"]
CAUSES: Mapping[int, Cause] = {1: "LATE", 2: "CORRECTION", 3: "DUPLICATE", 4: "ANNULLED"}
"""By the code of a touch; of several the greatest is named: it tells more than that something was late."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened at one gate in one window; a gate whose scans were undone elsewhere may be below zero.

    Attributes:
        entries: people who came in.
        exits: people who went out.
        denied: scans that were refused.
    """

    entries: int = 0
    exits: int = 0
    denied: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.entries + other.entries, self.exits + other.exits, self.denied + other.denied)


NOTHING = Counts()
Gates = Mapping[str, Counts]
"""Gate → counts in one window; a gate that is not in it counted nothing."""


@dataclass(frozen=True, slots=True)
class Said:
    """What was published last about a window, and confirmed."""

    revision: int
    gates: Gates


@dataclass(frozen=True, slots=True)
class Found:
    """What one atomic read gave about a touched window.

    Attributes:
        start_ms: its start, epoch ms, UTC.
        gates: its counts now.
        said: what was confirmed last, ``None`` before the first final.
        reserved: greatest revision number that was reserved, 0 if none was; above ``said.revision`` when a publication
            was begun and never confirmed.
        version: of its mark; the mark is taken away only if it is still this one.
        cause: greatest code of the touches since its mark was last taken away, 0 if none is known.
    """

    site_id: str
    start_ms: int
    gates: Gates
    said: Said | None
    reserved: int
    version: int
    cause: int


@dataclass(frozen=True, slots=True)
class Publication:
    """A final or a revision of a window, ``[start_ms, end_ms)``.

    Attributes:
        revision: greater than every number used for this window before; of several publications the greatest is right.
        cause: why it is revised; ``None`` for a first final.
        gates: the counts, of every gate that ever counted in it.
        before: what was said before, of the same gates; ``None`` for a first final.
    """

    site_id: str
    start_ms: int
    end_ms: int
    revision: int
    cause: Cause | None
    gates: Gates
    before: Gates | None


def is_due(start_ms: int, watermark_ms: int | None) -> bool:
    """Whether the window that starts at ``start_ms`` is final; a site without a watermark (``None``) has no finals."""
    return watermark_ms is not None and watermark_ms >= start_ms + QUARTER_MS + ALLOWED_LATENESS_MS


def decide(found: Found, now_ms: int) -> Publication | None:
    """What to publish about a due window.

    A gate that appears with nothing but zeros, a scan that came late with the one that undoes it, is a revision too: so
    the same gates are said in whatever order their scans came.

    A number that was reserved and not confirmed may have been published: then the window is said again even if nothing
    differs from what was confirmed, for what lies in the topic may say otherwise.

    Args:
        found: the window as it was read.
        now_ms: time of day, epoch ms, UTC; revision numbers follow it, so that a store that went back reuses none.

    Returns:
        ``None`` if all that there is was said: only the mark is to be taken away. A revision for which no touch gave a
        cause is ``LATE``: something came after the final.
    """
    said = found.said
    known: Gates = {} if said is None else said.gates
    gates = {gate: found.gates.get(gate, NOTHING) for gate in sorted({*found.gates, *known})}
    before = None if said is None else {gate: known.get(gate, NOTHING) for gate in gates}
    confirmed = 0 if said is None else said.revision
    if said is not None and gates == known and found.reserved <= confirmed:
        return None
    return Publication(
        found.site_id,
        found.start_ms,
        found.start_ms + QUARTER_MS,
        max(found.reserved + 1, confirmed + 1, now_ms),
        None if before is None else CAUSES.get(found.cause, "LATE"),
        gates,
        before,
    )


def within(cells: Cells, start_ms: int, end_ms: int) -> dict[str, Counts]:
    """Sums of the minutes of ``[start_ms, end_ms)`` per gate; a minute that begins at ``end_ms`` is in the next window.

    Args:
        cells: of one site; metrics other than ``METRICS`` are left out, as a newer agent may count more.
        start_ms: epoch ms, UTC, on a minute, as ``end_ms``.
        end_ms: exclusive.
    """
    sums: dict[str, dict[str, int]] = {}
    for (gate, minute, metric), people in cells.items():
        if start_ms <= minute * MINUTE_MS < end_ms and metric in METRICS:
            counts = sums.setdefault(gate, dict.fromkeys(METRICS, 0))
            counts[metric] += people
    return {gate: Counts(**counts) for gate, counts in sums.items()}


def quarters(cells: Cells) -> dict[int, dict[str, Counts]]:
    """Start of each quarter-hour with a cell, epoch ms, ascending → its sums of minutes per gate."""
    parts: dict[int, dict[tuple[str, int, str], int]] = {}
    for cell, people in cells.items():
        parts.setdefault(cell[1] * MINUTE_MS // QUARTER_MS * QUARTER_MS, {})[cell] = people
    return {start_ms: within(parts[start_ms], start_ms, start_ms + QUARTER_MS) for start_ms in sorted(parts)}


def coarser(windows: Mapping[int, Gates], start_ms: int, end_ms: int) -> dict[str, Counts]:
    """An hour or a business day, ``[start_ms, end_ms)``: the sum of its quarters per gate.

    Args:
        windows: quarters of one site by their start, from ``quarters`` or ``latest``.
        start_ms: epoch ms, UTC, on a quarter, as ``end_ms``; ``core.days.bounds`` gives those of a day.
        end_ms: exclusive.
    """
    sums: dict[str, Counts] = {}
    for at_ms, gates in windows.items():
        if start_ms <= at_ms < end_ms:
            for gate, counts in gates.items():
                sums[gate] = sums.get(gate, NOTHING) + counts
    return sums


def total(gates: Gates) -> Counts:
    """The whole site: the sum of its gates."""
    return sum(gates.values(), NOTHING)


def latest(publications: Iterable[Publication]) -> dict[tuple[str, int], Publication]:
    """(site, start) → its publication of the greatest revision, whatever the order they come in."""
    found: dict[tuple[str, int], Publication] = {}
    for one in publications:
        stood = found.get((one.site_id, one.start_ms))
        if stood is None or one.revision > stood.revision:
            found[one.site_id, one.start_ms] = one
    return found
