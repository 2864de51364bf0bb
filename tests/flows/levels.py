"""People counted straight into a live store that no agents write to, and what was said about there being too many."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import astuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.adapters import alert_topic
from streams.adapters.live_store import Batch, Confirmation, LiveStore
from streams.config import Settings
from streams.core.alerts import CAPACITY, Alert
from streams.core.days import MINUTE_MS, business_day, hour_name
from streams.core.increments import Cell, Increments
from streams.core.partitions import partition_of
from streams.core.sites import Gate, Site, Zone
from streams.topology import AGENTS, ALERT, LIVE, PARTITIONS, TICKET_SCAN

DAY_MS = 1_422_835_200_000  # 2015-02-02
Key = tuple[str, str]  # site, rule


def site(name: str, **more: object) -> Site:
    """One hundred people are allowed in it, forty in its hall; its gates miscount nobody."""
    said: dict[str, object] = {
        "capacity": 100,
        "zones": (Zone("hall", "Hall", 40),),
        "gates": (Gate("north", "North", "hall"), Gate("south", "South")),
        "replay": True,
        "error_share": 0.0,
    }
    return Site(name, "tests", f"The {name}", "UTC", **(said | more))  # type: ignore[arg-type]  # fields of a site


class Levels:
    """Counts people; every change is ten minutes after the one before, by the events' clock."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.inside: dict[tuple[str, str], int] = defaultdict(int)  # by site and gate
        self._minute = 9 * 60
        self._offsets = dict.fromkeys(range(PARTITIONS), -1)

    async def open(self) -> None:
        """Fences, as after a first placing."""
        store = LiveStore(self.settings.redis_url, AGENTS)
        for family in LIVE:
            for partition in range(PARTITIONS):
                await store.set_fence(family.topic, partition, -1)
        await store.close()
        self._offsets = dict.fromkeys(range(PARTITIONS), -1)
        self.inside.clear()

    async def set(self, name: str, people: int, gate: str = "south") -> None:
        """Let people come or go by a gate, until so many are inside who used it."""
        await self._set([(name, people)], gate)

    async def set_all(self, names: Iterable[str], people: int) -> None:
        """The same at several sites in the same minute."""
        await self._set([(name, people) for name in names], "south")

    async def _set(self, wanted: list[tuple[str, int]], gate: str) -> None:
        self._minute += 10
        for name, people in wanted:
            moved = people - self.inside[name, gate]
            self.inside[name, gate] = people
            at_ms = DAY_MS + self._minute * MINUTE_MS
            await self.count(name, at_ms, moved, gate)
        await self.confirm()

    async def count(self, name: str, at_ms: int, moved: int, gate: str = "south", received_ms: int = 1) -> None:
        """Count people who came in at a minute, or went out if there are less than none."""
        metric = "entries" if moved > 0 else "exits"
        minute = at_ms // MINUTE_MS % 60
        adds: dict[Cell, int] = {}
        if moved:
            adds[name, f"c:{{}}:{name}:{hour_name(at_ms)}", f"{gate}|{minute:02d}|{metric}"] = abs(moved)
            adds[name, f"d:{{}}:{name}:{business_day(at_ms, 'UTC', 0).isoformat()}", metric] = abs(moved)
        level = f"l:{{}}:{name}"
        done = Increments(adds, {(name, level, "occurred_ms"): at_ms, (name, level, "received_ms"): received_ms})
        partition = partition_of(name, PARTITIONS)
        prev = self._offsets[partition]
        store = LiveStore(self.settings.redis_url, AGENTS)
        answers = await store.apply(TICKET_SCAN.name, [Batch(TICKET_SCAN.topic, partition, prev, prev + 1, done, {})])
        await store.close()
        assert answers == ["OK"]
        self._offsets[partition] += 1

    async def confirm(self, at_ms: int | None = None) -> None:
        """Say that everything until a moment, now if none is given, is counted."""
        await confirm(self.settings.redis_url, at_ms)


async def confirm(url: str, at_ms: int | None = None) -> None:
    """Say that everything until a moment, now if none is given, is counted."""
    store = LiveStore(url, AGENTS)
    told = time.time_ns() // 1_000_000 if at_ms is None else at_ms
    said = [Confirmation(family.topic, number, -1, told) for family in LIVE for number in range(PARTITIONS)]
    assert set(await store.confirm(said)) == {"OK"}
    await store.close()


# -- what was said ---------------------------------------------------------------------------------------------------


async def said(servers: str, prefix: str) -> list[Alert]:
    """Everything that the topic holds of the sites whose name begins so, in the order of each partition."""
    consumer: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(ALERT.topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        found = []
        while [tp for tp in partitions if await consumer.position(tp) < ends[tp]]:
            for some in (await consumer.getmany(timeout_ms=200)).values():
                found += [alert_topic.alert(one.value) for one in some]
    finally:
        await consumer.stop()
    return [one for one in found if one.scope.site_id.startswith(prefix)]


def told(settings: Settings, prefix: str) -> list[Alert]:
    """The same, from a test that is no coroutine."""
    return asyncio.run(said(settings.kafka_servers, prefix))


def due(walks: Mapping[str, Iterable[int]]) -> dict[Key, tuple[int, int]]:
    """(site, rule) → episodes that opened, and that were resolved: a plain loop over levels of a hundred."""
    found = {}
    for name, levels in walks.items():
        for rule in CAPACITY:
            opened = resolved = 0
            for people in levels:
                if opened == resolved and people >= rule.entry:
                    opened += 1
                elif opened > resolved and people < rule.exit:
                    resolved += 1
            if opened:
                found[name, rule.name] = opened, resolved
    return found


def episodes(alerts: Iterable[Alert]) -> dict[Key, tuple[int, int]]:
    """The same of what was said: ids that were said to be open, and those whose last word is that they are resolved."""
    by_id: dict[str, list[Alert]] = defaultdict(list)
    for one in alerts:
        by_id[one.alert_id].append(one)
    found: dict[Key, list[int]] = defaultdict(lambda: [0, 0])
    for versions in by_id.values():
        last = max(versions, key=lambda one: one.version)
        counts = found[last.scope.site_id, last.rule]
        counts[0] += any(one.state == "OPEN" for one in versions)
        counts[1] += last.state == "RESOLVED"
    return {key: (opened, resolved) for key, (opened, resolved) in found.items()}


def ambiguous(alerts: Iterable[Alert]) -> list[str]:
    """What contradicts itself: a version with two contents or ids, an alert that is resolved at two times."""
    contents: dict[tuple[str, str, int], set[object]] = defaultdict(set)
    ends: dict[str, set[int]] = defaultdict(set)
    for one in alerts:
        contents[one.rule, str(one.scope), one.version].add(astuple(one))
        if one.resolved_ms is not None:
            ends[one.alert_id].add(one.resolved_ms)
    twice = [str(version) for version, some in contents.items() if len(some) > 1]
    return twice + [alert_id for alert_id, some in ends.items() if len(some) > 1]
