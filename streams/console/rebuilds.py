"""What is being rebuilt from Kafka, over all partitions, and which partitions were begun anew.

The notes of topics that are done are gone from the store while others are still read; they are remembered until all are
done, or the share would jump back. Used by ``console.reading``.
"""

from collections.abc import Mapping

from streams.adapters.live_view import Life
from streams.core.rebuilding import Progress, Rebuild, progress


class Rebuilds:
    """What was read of it last.

    Attributes:
        progress: ``None`` if nothing is being rebuilt.
    """

    def __init__(self) -> None:
        self.progress: Progress | None = None
        self._since: dict[int, int | None] = {}
        self._met: dict[tuple[int, str], Rebuild] = {}

    def take(self, lives: Mapping[int, Life]) -> set[int]:
        """Take in what was read; returns the partitions whose state is another since the last time."""
        anew = {p for p, life in lives.items() if self._since.get(p, life.since_ms) != life.since_ms}
        self._since = {partition: life.since_ms for partition, life in lives.items()}
        running = frozenset(partition for partition, life in lives.items() if life.rebuilds)
        left = {(p, topic): records for p, life in lives.items() for topic, (_, records) in life.rebuilds.items()}
        if not running:
            self._met.clear()
        for partition, life in lives.items():
            self._met |= {(partition, topic): rebuild for topic, (rebuild, _) in life.rebuilds.items()}
        self.progress = progress({key: (one, left.get(key, 0)) for key, one in self._met.items()}, running)
        return anew
