"""The live figures of a simulated day that came with trouble, beside those of the same day sent in order.

Takes the two truths of ``musee simulate --in-order``, whose sites differ in their tag alone, and asks Redis for
everything that is counted of either, what was said of their windows, and how far each site was heard. All must be
equal: neither delay nor order nor repetition leaves a trace. Called by ``musee check simulate``.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from streams.adapters import window_view
from streams.check import simulated, truths
from streams.check.finals import WINDOWS
from streams.check.truths import FamilyCell, Truth
from streams.config import Settings

_LISTED = 20
LEVEL = "watermark"


class Apart(NamedTuple):
    """A figure that differs; ``cell.site_id`` is without the tag."""

    cell: FamilyCell
    with_trouble: int
    in_order: int

    def __str__(self) -> str:
        """Names the figure and both values."""
        place = f", {self.cell.place}" if self.cell.place else ""
        return (
            f"{self.cell.family}: {self.cell.site_id}{place}, {self.cell.when}, {self.cell.metric}: "
            f"with trouble {self.with_trouble}, in order {self.in_order}"
        )


@dataclass(frozen=True, slots=True)
class Orders:
    """A comparison.

    Attributes:
        result: the day in order against its own truth.
        figures: live figures that either has.
        apart: those that differ.
    """

    result: simulated.Result
    figures: int
    apart: list[Apart]

    @property
    def agree(self) -> bool:
        """Whether there is nothing to complain about."""
        return self.result.agree and not self.apart


def check_orders(settings: Settings, folder: Path) -> Orders | None:
    """Compare both, ``None`` if the day was not sent in order too.

    Raises:
        TruthError: a folder holds no truth, or that of another run.
        Unavailable: Redis, Kafka or ClickHouse is away.
    """
    truth = truths.read(folder)
    other = truths.read_in_order(folder, truth)
    if other is None:
        return None
    result = simulated.check_simulated(settings, folder / truths.IN_ORDER)
    first, second = _figures(settings, truth), _figures(settings, other)
    cells = {*first, *second}
    apart = [Apart(cell, first.get(cell, 0), second.get(cell, 0)) for cell in cells]
    return Orders(result, len(cells), sorted(one for one in apart if one.with_trouble != one.in_order))


def _figures(settings: Settings, truth: Truth) -> dict[FamilyCell, int]:
    """All that Redis says of the day, by sites without their tag."""
    figures = dict(simulated.of_redis(settings, truth).cells)
    for (site_id, start_ms), said in window_view.said(settings, truth.spans).items():
        when = datetime.fromtimestamp(start_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M")
        for gate, counts in said.gates.items():
            for metric in ("entries", "exits", "denied"):
                figures[FamilyCell(WINDOWS, site_id, gate, when, metric)] = getattr(counts, metric)
    for site_id, level in window_view.levels(settings, list(truth.spans)).items():
        if level.occurred_ms is not None:  # what is kept as the watermark is as of the last look at an open window
            figures[FamilyCell(LEVEL, site_id, "", truth.day.isoformat(), "occurred_ms")] = level.occurred_ms
    return {cell._replace(site_id=cell.site_id.partition("-")[2]): value for cell, value in figures.items()}


def lines(orders: Orders) -> Iterator[str]:
    """The report."""
    count = len(orders.result.differences) + len(orders.result.strange)
    compared = sum(orders.result.compared.values())
    yield f"in order: {count:,} differences of the same day sent in order from its own truth, in {compared:,} cells"
    yield from (f"DIFFERENT  {one}" for one in heapq.nsmallest(_LISTED, orders.result.differences))
    yield from (f"STRANGE    {told}" for told in orders.result.strange[:_LISTED])
    yield from (f"DIFFERENT  {one}" for one in orders.apart[:_LISTED])
    if len(orders.apart) > _LISTED:
        yield f"DIFFERENT  … and {len(orders.apart) - _LISTED:,} more (--json lists them)"
    yield f"live figures with trouble and in order: {len(orders.apart):,} of {orders.figures:,} differ"


def document(orders: Orders) -> dict[str, object]:
    """The same for machines, with every figure that differs."""
    return {
        "agree": orders.agree,
        "against_truth": simulated.document(orders.result),
        "figures": orders.figures,
        "apart": [
            {**one.cell._asdict(), "with_trouble": one.with_trouble, "in_order": one.in_order} for one in orders.apart
        ],
    }
