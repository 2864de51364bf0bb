"""The algebra of live state: what a batch adds to it.

Every effect of a batch adds to a cell, raises one to a maximum, puts members into a set or a sketch, sets a field that
nobody set before, or marks a window. All commute and associate, so partitions, replays and late events need no special
case; the fence makes ``add`` happen once. Produced by ``tally`` functions, applied by ``adapters.live_store``.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import Any

Cell = tuple[str, str, str]
"""(site, key, field). The key says ``{}`` where the partition's hash tag goes; the store puts it in."""


BETWEEN = "\n"  # stands in no pseudonym


@dataclass(frozen=True, slots=True)
class Increments:
    """Effects of one batch.

    Attributes:
        adds: cell → amount to add.
        maxima: cell → value that the cell is raised to.
        unions: cell → members of the set whose size it shows; a member that is in it already changes nothing.
        sketches: cell, its field empty → lines, each a member of a HyperLogLog, in any order and however often; as one
            text, since there is one for nearly every scan.
        facts: cell → text that is set once; whoever sets it again says the same.
        touches: cell of ``t``, its field naming a window → why it may have to be said again; the greatest cause holds.
    """

    adds: dict[Cell, int] = field(default_factory=dict)
    maxima: dict[Cell, int] = field(default_factory=dict)
    unions: dict[Cell, frozenset[str]] = field(default_factory=dict)
    sketches: dict[Cell, str] = field(default_factory=dict)
    facts: dict[Cell, str] = field(default_factory=dict)
    touches: dict[Cell, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How much a script has to do, in cells: a member of a set is one, four of a sketch cost as much: measured."""
        members = sum(map(len, self.unions.values()))
        lines = sum(text.count(BETWEEN) + 1 for text in self.sketches.values())
        return len(self.adds) + len(self.maxima) + members + lines // 4 + len(self.facts) + len(self.touches)

    @property
    def sites(self) -> set[str]:
        """Ids of the sites whose figures change."""
        effects = (self.adds, self.maxima, self.unions, self.sketches, self.facts, self.touches)
        return {site for cells in effects for site, _, _ in cells}


_EFFECTS = tuple(one.name for one in fields(Increments))


def merge(parts: Iterable[Increments]) -> Increments:
    """The increments of several batches as one; the order does not matter."""
    merged = Increments()
    for part in parts:
        for cell, amount in part.adds.items():
            merged.adds[cell] = merged.adds.get(cell, 0) + amount
        for ours, theirs in ((merged.maxima, part.maxima), (merged.touches, part.touches)):
            for cell, value in theirs.items():
                ours[cell] = max(ours.get(cell, value), value)
        for cell, members in part.unions.items():
            merged.unions[cell] = merged.unions.get(cell, frozenset()) | members
        for cell, lines in part.sketches.items():
            both = {*merged.sketches.get(cell, "").split(BETWEEN), *lines.split(BETWEEN)} - {""}
            merged.sketches[cell] = BETWEEN.join(sorted(both))
        for cell, text in part.facts.items():
            merged.facts.setdefault(cell, text)
    return merged


def split(whole: Increments, home: Callable[[str], int]) -> dict[int, Increments]:
    """The increments of each partition; ``home`` says in which one a site lives."""
    parts: dict[int, Increments] = {}
    of_site: dict[str, Increments] = {}
    for site in whole.sites:
        of_site[site] = parts.setdefault(home(site), Increments())
    for effect in _EFFECTS:
        theirs: dict[str, dict[Cell, Any]] = {site: getattr(part, effect) for site, part in of_site.items()}
        for cell, value in getattr(whole, effect).items():
            theirs[cell[0]][cell] = value
    return parts
