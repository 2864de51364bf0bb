"""Cells that three witnesses are asked for, and where their answers differ.

A cell is a place, a time and a metric; what a witness does not mention counts as 0. Three grains: scans per gate and
site by business day (``2015-02-02``), counts per site by UTC hour (``2015-02-02T13``), sessions per zone by UTC minute
(``2016-04-19T13:37``). Pure; used by the other modules of ``check``.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

Place = Literal["gate", "site", "zone"]
Grain = Literal["day", "hour", "minute"]


class Cell(NamedTuple):
    """What is counted: ``when`` is a day, hour or minute by the grain; a zone's ``name`` is ``site/zone``."""

    place: Place
    name: str
    when: str
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
            f"{cell.place} {cell.name}, {cell.when}, {cell.metric}: "
            f"file {self.file}, redis {self.redis}, clickhouse {self.clickhouse}"
        )


def side_by_side(file: Counts, redis: Counts, clickhouse: Counts) -> list[Compared]:
    """Every cell that at least one witness mentions, ordered by place, name, time and metric."""
    cells = sorted({*file, *redis, *clickhouse})
    return [Compared(cell, file.get(cell, 0), redis.get(cell, 0), clickhouse.get(cell, 0)) for cell in cells]


def totals(compared: Iterable[Compared]) -> list[Compared]:
    """The same, summed over time: one line per place and metric, ``when`` being ``all``; zones summed per site too."""
    sums: dict[Cell, Counter[str]] = {}
    for one in compared:
        place, name, _, metric = one.cell
        whole = f"{name.partition('/')[0]}/*" if place == "zone" else name
        total = sums.setdefault(Cell(place, whole, "all", metric), Counter())
        total.update(file=one.file, redis=one.redis, clickhouse=one.clickhouse)
    return [Compared(cell, total["file"], total["redis"], total["clickhouse"]) for cell, total in sorted(sums.items())]
