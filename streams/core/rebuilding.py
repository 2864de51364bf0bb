"""Rebuilding: how far live state that was lost has been counted again from Kafka.

Takes notes that the agents left beside their fences (``adapters.live_store``) and where the fences stand now, gives
what the page and ``/v1/now`` say. Pure. Called by ``console.rebuilds``; ``agents.placing`` makes the notes.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rebuild:
    """What of one topic partition is counted anew.

    Attributes:
        from_offset: first record that is read again.
        end_offset: the log's end when it began; done once the fence stands before it or beyond.
        from_ms: when the first of them was appended, epoch ms.
        to_ms: when it was appended what is read last: when the rebuild began, epoch ms.
        since_ms: when the rebuild began, epoch ms, by the worker's clock.
    """

    from_offset: int
    end_offset: int
    from_ms: int
    to_ms: int
    since_ms: int

    @property
    def records(self) -> int:
        """How many are read again."""
        return self.end_offset - self.from_offset

    def left(self, applied: int | None) -> int:
        """Records still to count, while the fence says ``applied``; all of them without a fence."""
        return self.records if applied is None else min(self.records, max(0, self.end_offset - 1 - applied))


@dataclass(frozen=True, slots=True)
class Progress:
    """The rebuilds of several topic partitions as one.

    Attributes:
        from_ms, to_ms: appended between them is what is counted anew, epoch ms.
        since_ms: when the first of them began, epoch ms.
        share: of all their records, 0–1; below 1 as long as one is not done.
        records_left: of all of them.
        partitions: those in which something is left, ascending.
    """

    from_ms: int
    to_ms: int
    since_ms: int
    share: float
    records_left: int
    partitions: tuple[int, ...]


def progress(rebuilds: Mapping[tuple[int, str], tuple[Rebuild, int]], running: frozenset[int]) -> Progress | None:
    """All rebuilds together; ``None`` if there are none.

    Args:
        rebuilds: (partition, topic) → the rebuild, and how many of its records are left.
        running: partitions that are not whole again.
    """
    if not rebuilds or not running:
        return None
    parts = [rebuild for rebuild, _ in rebuilds.values()]
    left = sum(records for _, records in rebuilds.values())
    total = sum(rebuild.records for rebuild in parts)
    return Progress(
        min(rebuild.from_ms for rebuild in parts),
        max(rebuild.to_ms for rebuild in parts),
        min(rebuild.since_ms for rebuild in parts),
        1 - left / total if total else 0.0,
        left,
        tuple(sorted(running)),
    )
