"""A recording three times over: its file, Redis and ClickHouse, side by side in the cells of its grain.

The file is counted here by itself, see ``files``; the stores are asked by ``witnesses``. All of a site's cells are
compared, so one that no line of the file accounts for is a difference too. Called by ``musee check``.
"""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from streams.check import cells, files, witnesses
from streams.check.cells import Compared
from streams.config import Settings


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure of the whole recording that only the file and ClickHouse know."""

    name: str
    file: int
    clickhouse: int

    @property
    def differs(self) -> bool:
        """Whether they disagree."""
        return self.file != self.clickhouse

    def __str__(self) -> str:
        return f"{self.name}: file {self.file:,}, clickhouse {self.clickhouse:,}"


@dataclass(frozen=True, slots=True)
class Result:
    """A check.

    Attributes:
        rule: how the file was counted.
        sites: that were compared.
        counted: what the file says.
        compared: every cell, in order.
        strange: cells of Redis that are not as its format says, e.g. a value that is no number.
        landed_rows: rows of the sites in the recording's table, repetitions included.
        landed_offsets: distinct (partition, offset) among them.
        facts: of the whole recording.
    """

    rule: files.Rule
    sites: list[str]
    counted: files.Counted
    compared: list[Compared]
    strange: list[str]
    landed_rows: int
    landed_offsets: int
    facts: list[Fact] = field(default_factory=list)

    @property
    def differences(self) -> list[Compared]:
        """The cells on which the witnesses disagree."""
        return [one for one in self.compared if one.differs]

    @property
    def wrong_facts(self) -> list[Fact]:
        """The facts on which they do."""
        return [fact for fact in self.facts if fact.differs]

    @property
    def complaints(self) -> int:
        """How many things there are to complain about."""
        return len(self.differences) + len(self.strange) + len(self.wrong_facts)

    @property
    def agree(self) -> bool:
        """Whether there is nothing to complain about."""
        return not self.complaints


def check(settings: Settings, rule: files.Rule, path: Path, *, first_day: date | None = None) -> Result:
    """Count the file, ask Redis and ClickHouse, and put them side by side.

    Args:
        settings: where the stores are.
        rule: of the recording.
        path: its file.
        first_day: local day that the recording was moved to when it was replayed; ``None`` if it was not.

    Raises:
        FileError: the file has another layout.
        Unavailable: Redis or ClickHouse is away.
    """
    counted = rule.count(path, first_day=first_day)
    named = [site for site in rule.sites if site in counted.sites]
    sites = named if rule.named_only and named else list(rule.sites)
    live, strange = witnesses.of_redis(settings, rule, sites)
    compared = cells.side_by_side(counted.cells, live, witnesses.of_clickhouse(settings, rule, sites))
    rows, offsets = witnesses.landed(settings, rule, sites)
    facts = []
    if (told := witnesses.texts(settings, rule, sites)) is not None:
        facts = [Fact("events", counted.events, told[0]), Fact("distinct texts", len(counted.texts), told[1])]
    return Result(rule, sites, counted, compared, strange, rows, offsets, facts)
