"""Scans counted straight into a live store that no agents write to, for tests of what is said of them."""

import random
import time
from collections import Counter

import redis

from streams.adapters.live_store import Batch, Confirmation, LiveStore
from streams.config import Settings
from streams.core.days import HOUR_MS, MINUTE_MS, hour_name
from streams.core.increments import Increments
from streams.core.partitions import partition_of
from streams.topology import AGENTS, LIVE, PARTITIONS, TICKET_SCAN
from tests.flows import windows
from tests.flows.truth import Cell

DAY_MS = 1_422_835_200_000  # 2015-02-02


class Counted:
    """Three sites whose scans are counted straight into the live store, with the truth of them."""

    def __init__(self, settings: Settings, prefix: str) -> None:
        self.settings = settings
        self.prefix = prefix
        self.cells: Counter[Cell] = Counter()
        self._offsets = dict.fromkeys(range(PARTITIONS), -1)
        self._chance = random.Random(prefix)

    async def open(self) -> None:
        """Fences, as after a first placing."""
        store = LiveStore(self.settings.redis_url, AGENTS)
        for family in LIVE:
            for partition in range(PARTITIONS):
                await store.set_fence(family.topic, partition, -1)
        await store.close()

    async def count(self, scans: int) -> None:
        """Count scans of some quarter-hours of the morning, with an event of the evening: all of them are due."""
        store = LiveStore(self.settings.redis_url, AGENTS)
        for _ in range(scans):
            site = f"{self.prefix}-{self._chance.randrange(3)}"
            gate = self._chance.choice(("north", "south"))
            at_ms = DAY_MS + 9 * HOUR_MS + self._chance.randrange(16) * 7 * MINUTE_MS
            metric = self._chance.choice(windows.METRICS)
            people = self._chance.randrange(1, 5)
            self.cells[site, gate, windows.minute_of(at_ms), metric] += people
            await self._apply(store, site, gate, at_ms, metric, people)
        await store.close()
        await self.confirm()

    async def confirm(self) -> None:
        """Say that everything until now is counted."""
        store = LiveStore(self.settings.redis_url, AGENTS)
        now_ms = time.time_ns() // 1_000_000
        said = [Confirmation(family.topic, number, -1, now_ms) for family in LIVE for number in range(PARTITIONS)]
        assert set(await store.confirm(said)) == {"OK"}
        await store.close()

    async def one(self, site: str, gate: str, minute: int) -> None:
        """Count one entry at a minute of the day."""
        store = LiveStore(self.settings.redis_url, AGENTS)
        self.cells[site, gate, windows.minute_of(DAY_MS + minute * MINUTE_MS), "entries"] += 1
        await self._apply(store, site, gate, DAY_MS + minute * MINUTE_MS, "entries", 1)
        await store.close()

    async def _apply(self, store: LiveStore, site: str, gate: str, at_ms: int, metric: str, people: int) -> None:
        partition = partition_of(site, PARTITIONS)
        prev = self._offsets[partition]
        minute = at_ms % HOUR_MS // MINUTE_MS
        done = Increments(
            {(site, f"c:{{}}:{site}:{hour_name(at_ms)}", f"{gate}|{minute:02d}|{metric}"): people},
            {(site, f"l:{{}}:{site}", "occurred_ms"): DAY_MS + 20 * HOUR_MS},
            touches={(site, "t:{}", f"{site}|{at_ms // 900_000 * 900_000}"): 1},
        )
        answers = await store.apply(TICKET_SCAN.name, [Batch(TICKET_SCAN.topic, partition, prev, prev + 1, done, {})])
        assert answers == ["OK"]
        self._offsets[partition] += 1


def waiting(settings: Settings) -> int:
    """Marks that are left."""
    with redis.Redis.from_url(settings.redis_url) as client:
        return sum(int(client.zcard(f"t:{{{number}}}")) for number in range(PARTITIONS))
