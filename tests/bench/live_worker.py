"""One measured process of ``tests.bench.live``: prints one JSON line.

Roles: ``floor``, a bare aiokafka loop over the same records; ``live``, our whole worker; ``steady``, our whole worker
under a steady stream. CPU is that of the whole process, from the moment that it is ready to read.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.adapters import frames
from streams.adapters.claims import Fetch, Log
from streams.adapters.live_store import Batch
from streams.agents.app import Agents
from streams.config import Settings
from streams.topology import PARTITIONS, TICKET_SCAN

Figures = dict[str, float]
_WARM_S = 3.0


async def floor(settings: Settings, count: int) -> Figures:
    """Read ``count`` records and do nothing with them."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_servers,
        enable_auto_commit=False,
        fetch_max_wait_ms=settings.fetch_max_wait_ms,
        fetch_min_bytes=settings.fetch_min_bytes,
        max_partition_fetch_bytes=4 * 1024 * 1024,
        fetch_max_bytes=32 * 1024 * 1024,
    )
    await consumer.start()
    partitions = [TopicPartition(TICKET_SCAN.topic, number) for number in range(PARTITIONS)]
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    cpu_s, wall_s, read = time.process_time(), time.perf_counter(), 0
    while read < count:
        polled = await consumer.getmany(timeout_ms=100, max_records=settings.max_poll_records)
        read += sum(map(len, polled.values()))
    return {"cpu_s": time.process_time() - cpu_s, "wall_s": time.perf_counter() - wall_s}


class _Measured(Agents):
    """Our worker, looked at while it works."""

    def __init__(self, settings: Settings, *, keep: bool) -> None:
        super().__init__(settings)
        self.begun = asyncio.Event()
        self.cpu_s = self.wall_s = 0.0
        self._keep = keep
        self._kept: list[Fetch] = []
        self._place = self.fetches._place
        self.fetches._place = self._placing
        self.fetches._deliver = self._delivering

    async def _placing(self, topic: str, logs: Mapping[int, Log]) -> Mapping[int, int | None]:
        self.cpu_s, self.wall_s = time.process_time(), time.perf_counter()
        return await self._place(topic, logs)

    async def _delivering(self, fetch: Fetch) -> None:
        self.begun.set()
        if self._keep:
            self._kept.append(fetch)
        await self._deliver(fetch)

    async def counted(self, count: int) -> Figures:
        """Figures once ``count`` records are counted."""
        while sum(claim.applied + 1 for claim in self.fetches.claims.values()) < count:  # noqa: ASYNC110 - cheaper
            await asyncio.sleep(0.01)
        return {"cpu_s": time.process_time() - self.cpu_s, "wall_s": time.perf_counter() - self.wall_s}

    async def steady(self, seconds: float) -> Figures:
        """Figures of so many seconds of a steady stream: share of a core, scan → Redis."""
        delays_ms: list[float] = []
        apply = self.counting.store.apply

        async def timed(family: str, batches: Sequence[Batch]) -> Any:
            answers = await apply(family, batches)
            done_ms = time.time() * 1000
            last = {batch.partition: batch.last for batch in batches}
            for fetch in [one for one in self._kept if one.last <= last.get(one.partition, -1)]:
                self._kept.remove(fetch)
                received = frames.read(fetch.values, TICKET_SCAN.name, ["received_at"]).frame["received_at"]
                delays_ms.extend(done_ms - sent_ms for sent_ms in received.to_physical().to_list())
            return answers

        await asyncio.sleep(_WARM_S)
        self._keep = False
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        await asyncio.sleep(seconds)
        figures = {"cpu_s": time.process_time() - cpu_s, "wall_s": time.perf_counter() - wall_s}
        # Delays are taken in a stretch of their own: decoding once more would count as the worker's CPU.
        self._kept.clear()
        self._keep = True
        self.counting.store.apply = timed  # type: ignore[method-assign]  # looked at, not replaced
        await asyncio.sleep(seconds)
        delays_ms.sort()
        share = {"p50_ms": 0.5, "p99_ms": 0.99}
        return figures | {"events": len(delays_ms)} | {n: delays_ms[int(len(delays_ms) * s)] for n, s in share.items()}


async def _worker(settings: Settings, count: int, seconds: float) -> Figures:
    worker = _Measured(settings, keep=seconds > 0)
    await worker.app.start()
    await worker.begun.wait()
    return await (worker.steady(seconds) if seconds else worker.counted(count))


async def _main(role: str, settings: Settings, count: int, seconds: float) -> None:
    figures = await (floor(settings, count) if role == "floor" else _worker(settings, count, seconds))
    print(json.dumps(figures), flush=True)
    os._exit(0)  # the figures are taken: no need to wait for an orderly stop


if __name__ == "__main__":
    _role, _given, _count, _seconds, _core = sys.argv[1:]
    os.sched_setaffinity(0, {int(_core)})
    asyncio.run(_main(_role, Settings.model_validate_json(_given), int(_count), float(_seconds)))
