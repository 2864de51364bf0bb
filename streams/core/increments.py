"""The algebra of live state: what a batch adds to it.

Every effect of a batch is one of three: ``add`` to a cell, ``raise`` a cell to a maximum, put an id into a set (union).
All three commute and associate, so partitions, replays and late events need no special case; the fence makes ``add``
happen once. Produced by ``tally`` functions, applied in one script by ``adapters.live_store``.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

Cell = tuple[str, str, str]
"""(site, key, field). The key says ``{}`` where the partition's hash tag goes; the store puts it in."""


@dataclass(frozen=True, slots=True)
class Increments:
    """Effects of one batch.

    Attributes:
        adds: cell → amount to add.
        maxima: cell → value that the cell is raised to.
        unions: cell → members of the set whose size it shows; a member that is in it already changes nothing.
    """

    adds: dict[Cell, int] = field(default_factory=dict)
    maxima: dict[Cell, int] = field(default_factory=dict)
    unions: dict[Cell, frozenset[str]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Number of cells and members touched."""
        return len(self.adds) + len(self.maxima) + sum(map(len, self.unions.values()))

    @property
    def sites(self) -> set[str]:
        """Ids of the sites whose figures change."""
        return {site for cells in (self.adds, self.maxima, self.unions) for site, _, _ in cells}


def merge(parts: Iterable[Increments]) -> Increments:
    """The increments of several batches as one; the order does not matter."""
    merged = Increments()
    for part in parts:
        for cell, amount in part.adds.items():
            merged.adds[cell] = merged.adds.get(cell, 0) + amount
        for cell, value in part.maxima.items():
            merged.maxima[cell] = max(merged.maxima.get(cell, value), value)
        for cell, members in part.unions.items():
            merged.unions[cell] = merged.unions.get(cell, frozenset()) | members
    return merged


def split(whole: Increments, home: Callable[[str], int]) -> dict[int, Increments]:
    """The increments of each partition; ``home`` says in which one a site lives."""
    parts: dict[int, Increments] = {}
    for cell, amount in whole.adds.items():
        parts.setdefault(home(cell[0]), Increments()).adds[cell] = amount
    for cell, value in whole.maxima.items():
        parts.setdefault(home(cell[0]), Increments()).maxima[cell] = value
    for cell, members in whole.unions.items():
        parts.setdefault(home(cell[0]), Increments()).unions[cell] = members
    return parts
