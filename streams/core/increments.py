"""The algebra of live state: what a batch adds to it.

Every effect of a batch is one of three: ``add`` to a cell, ``raise`` a cell to a maximum, put an id into a set (union).
All three commute and associate, so partitions, replays and late events need no special case; the fence makes ``add``
happen once. Produced by ``tally`` functions, applied in one script by ``adapters.live_store``.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Increments:
    """Effects of one batch of one partition.

    Attributes:
        adds: (key, field) → amount to add. A key lacks its hash tag; the store puts it in.
        maxima: (key, field) → value that the cell is raised to.
        sites: ids whose figures changed.
    """

    adds: dict[tuple[str, str], int] = field(default_factory=dict)
    maxima: dict[tuple[str, str], int] = field(default_factory=dict)
    sites: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        """Number of cells touched."""
        return len(self.adds) + len(self.maxima)


def merge(parts: Iterable[Increments]) -> Increments:
    """The increments of several batches as one; the order does not matter."""
    adds: dict[tuple[str, str], int] = {}
    maxima: dict[tuple[str, str], int] = {}
    sites: frozenset[str] = frozenset()
    for part in parts:
        for cell, amount in part.adds.items():
            adds[cell] = adds.get(cell, 0) + amount
        for cell, value in part.maxima.items():
            maxima[cell] = max(maxima.get(cell, value), value)
        sites |= part.sites
    return Increments(adds, maxima, sites)
