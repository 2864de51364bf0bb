"""Cells that three witnesses are asked for, and where their answers differ.

A cell is a gate or a site, a business day and a metric; what a witness does not mention counts as 0. Pure; used by
``check.recordings`` and ``check.report``.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

METRICS = ("entries", "exits", "denied")
Place = Literal["gate", "site"]


class Cell(NamedTuple):
    """What is counted: ``day`` is the site's business day, ``YYYY-MM-DD``."""

    place: Place
    name: str
    day: str
    metric: str


Counts = Mapping[Cell, int]


class Compared(NamedTuple):
    """One cell as each witness has it."""

    cell: Cell
    file: int
    redis: int
    clickhouse: int

    @property
    def differs(self) -> bool:
        """Whether the witnesses disagree."""
        return not self.file == self.redis == self.clickhouse

    def __str__(self) -> str:
        """One line that names the cell and the three values."""
        cell = self.cell
        return (
            f"{cell.place} {cell.name}, {cell.day}, {cell.metric}: "
            f"file {self.file}, redis {self.redis}, clickhouse {self.clickhouse}"
        )


def side_by_side(file: Counts, redis: Counts, clickhouse: Counts) -> list[Compared]:
    """Every cell that at least one witness mentions, ordered by place, name, day and metric."""
    cells = sorted({*file, *redis, *clickhouse})
    return [Compared(cell, file.get(cell, 0), redis.get(cell, 0), clickhouse.get(cell, 0)) for cell in cells]


def totals(compared: Iterable[Compared]) -> list[Compared]:
    """The same, summed over days: one line per place and metric, ``day`` being ``all``."""
    sums: dict[Cell, Counter[str]] = {}
    for one in compared:
        total = sums.setdefault(one.cell._replace(day="all"), Counter())
        total.update(file=one.file, redis=one.redis, clickhouse=one.clickhouse)
    return [Compared(cell, total["file"], total["redis"], total["clickhouse"]) for cell, total in sorted(sums.items())]
