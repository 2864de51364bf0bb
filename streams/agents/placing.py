"""Where the agents read from: what the fence says, and what to do where there is none.

``COLD``: the store knows nothing of a partition, so it is rebuilt from the first record appended within the live
horizon, by putting the fence in front of it and going on as ever. What there is to read is noted beside the fence, for
people to see; the once-a-second loop takes the note away when it is read.
"""

import time
from collections.abc import Mapping

import structlog

from streams.adapters.claims import Log, WrongLog
from streams.adapters.fetches import Fetches
from streams.adapters.live_store import LiveStore
from streams.core.rebuilding import Rebuild
from streams.topology import LIVE_HORIZON_MS

log = structlog.get_logger(__name__)
_PATIENCE_S = 30.0  # a broker that starts may show an older log end for a moment


class Placing:
    """Answers the reader's question; one per worker."""

    def __init__(self, store: LiveStore) -> None:
        self._store = store
        self._ahead_since: dict[tuple[str, int], float] = {}
        self.fetches: Fetches | None = None

    async def __call__(self, topic: str, logs: Mapping[int, Log]) -> Mapping[int, int | None]:
        """Last applied offset per partition; ``None`` where that cannot be said yet.

        Raises:
            Unavailable: Redis or Kafka is away.
            WrongLog: a fence is beyond the log for long: the store belongs to another Kafka.
            ConfigError: the live state's format is another since this program began.
        """
        fences = await self._store.fences(topic, logs)
        cold = [partition for partition, fence in fences.items() if fence is None]
        if cold:
            await self._put_fences(topic, {partition: logs[partition] for partition in cold})
            fences |= await self._store.fences(topic, cold)
        places: dict[int, int | None] = {}
        for partition, fence in fences.items():
            places[partition] = (
                fence if fence is None else await self._checked(topic, partition, fence, logs[partition])
            )
        return places

    async def _put_fences(self, topic: str, logs: Mapping[int, Log]) -> None:
        if self.fetches is None:
            raise RuntimeError("Placing.fetches was not set")
        now_ms = time.time_ns() // 1_000_000
        first = await self.fetches.first_since(topic, now_ms - LIVE_HORIZON_MS, list(logs))
        for partition, found in logs.items():
            start, appended_ms = first.get(partition) or (found.end, now_ms)
            rebuild = Rebuild(start, found.end, appended_ms, now_ms, now_ms) if start < found.end else None
            await self._store.set_fence(topic, partition, start - 1, rebuild)
            log.info("rebuilding", topic=topic, partition=partition, first=start, end=found.end)

    async def _checked(self, topic: str, partition: int, fence: int, found: Log) -> int | None:
        if fence + 1 < found.start:
            log.error("records expired uncounted", topic=topic, partition=partition, count=found.start - fence - 1)
            await self._store.move_fence(topic, partition, fence, found.start - 1)
            return None
        if fence < found.end:
            self._ahead_since.pop((topic, partition), None)
            return fence
        since = self._ahead_since.setdefault((topic, partition), time.monotonic())
        if time.monotonic() - since > _PATIENCE_S:
            raise WrongLog(
                f"Redis has counted {topic}/{partition} up to offset {fence}, but Kafka's log ends at {found.end}: "
                "this Redis belongs to another Kafka; bring that Kafka back, or empty this Redis to rebuild"
            )
        return None
