"""Claims and fetches: what the reader of Kafka hands on.

Made by ``adapters.fetches``; the agents and the sink move a claim's ``applied`` as their store does.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from streams.errors import StreamsError

Partition = tuple[str, int]  # topic, number


class Record(Protocol):
    """What is used of the client library's record."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int


@dataclass(eq=False, slots=True)
class Claim:
    """One sequence of records of one partition, from where its store stood.

    Attributes:
        next: offset that the next record must have.
        applied: last offset whose effect the store holds.
        behind_from: offset that was the log's end at ``complete_at_ms``; once applied, all until then is counted.
        complete_at_ms: wall clock of the broker's answer that showed that end.
        progress_s: monotonic second at which ``applied`` last moved, or something began to wait.
    """

    topic: str
    partition: int
    next: int
    applied: int
    behind_from: int = -1
    complete_at_ms: int | None = None
    confirmed_ms: int | None = None
    progress_s: float = field(default_factory=time.monotonic)

    def extend(self, last: int) -> None:
        """Records until ``last`` were read; the clock of progress starts when something begins to wait."""
        if self.backlog == 0:
            self.progress_s = time.monotonic()
        self.next = last + 1

    def advance(self, applied: int) -> None:
        """The store holds the effect of everything until ``applied``."""
        if applied > self.applied:
            self.applied = applied
            self.progress_s = time.monotonic()
        if self.complete_at_ms is not None and self.applied + 1 >= self.behind_from:
            self.confirmed_ms = self.complete_at_ms

    @property
    def backlog(self) -> int:
        """Records read and not yet applied."""
        return self.next - 1 - self.applied


@dataclass(frozen=True, slots=True, eq=False)
class Fetch:
    """Consecutive records of one partition.

    Attributes:
        prev: offset before the first record, ``last`` that of the last one.
        values: as they lay in Kafka; ``None`` is a null value.
    """

    claim: Claim
    prev: int
    last: int
    values: Sequence[bytes | None]
    records: Sequence[Record]

    @property
    def topic(self) -> str:
        """Where it was read."""
        return self.claim.topic

    @property
    def partition(self) -> int:
        """Where it was read."""
        return self.claim.partition

    def offset(self, index: int) -> int:
        """Offset of the value at ``index``."""
        return self.prev + 1 + index

    def key(self, index: int) -> bytes | None:
        """Kafka key of the value at ``index``."""
        return self.records[index].key

    def appended_ms(self, index: int) -> int:
        """When the broker appended the value at ``index``, epoch ms."""
        return self.records[index].timestamp

    def split(self, at: int) -> tuple["Fetch", "Fetch"]:
        """The same records as two fetches, ``at`` of them in the first; neither may be empty."""
        cut = self.prev + at
        return (
            Fetch(self.claim, self.prev, cut, self.values[:at], self.records[:at]),
            Fetch(self.claim, cut, self.last, self.values[at:], self.records[at:]),
        )


@dataclass(frozen=True, slots=True)
class Log:
    """What Kafka still holds of a partition: offsets ``[start, end)``."""

    start: int
    end: int


class WrongLog(StreamsError):  # noqa: N818 - what was found
    """A store holds effects of offsets that Kafka never had: it belongs to another Kafka."""
