"""Counting: one Faust agent per live family, each the same sentence: read, leave out what was seen, tally, apply.

What a family means is its ``tally`` in ``core``; what makes it happen once is the fence in ``adapters.live_store``. An
agent never raises: a store that is away is waited for while the claim stands, a record that can never be counted is
dead-lettered, and anything unknown ends the process, for the supervisor to start it again from the fence.
"""

import asyncio
import time
from collections.abc import AsyncIterable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import polars as pl
import structlog

from streams.adapters import dead_letters, frames, metrics
from streams.adapters.claims import Fetch
from streams.adapters.dead_letters import Culprit
from streams.adapters.fetches import Fetches
from streams.adapters.live_store import LiveStore
from streams.adapters.producer import Producer
from streams.core import seen
from streams.core.fence import Answer
from streams.core.partitions import partition_of
from streams.core.sites import Sites
from streams.errors import Unavailable
from streams.topology import LIVE, PARTITIONS, TICKET_SCAN, Family, Live

log = structlog.get_logger(__name__)

MAX_CELLS = 1_000  # a script stays under 10 ms, or everybody else waits for it
_BACK_OFF_S = (0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(slots=True)
class Counting:
    """What an agent works with.

    Attributes:
        count_seen: test switch; off, a resent event is counted twice.
        away: names of the dependencies that did not answer last time.
    """

    fetches: Fetches
    store: LiveStore
    sites: Sites
    producer: Producer
    away: set[str]
    leave_out_seen: bool = True


Agent = Callable[[AsyncIterable[Fetch], Counting], Coroutine[Any, Any, None]]


def agent_of(family: Family) -> Agent:
    """The agent that counts ``family``."""
    live = family.live
    if live is None:
        raise ValueError(f"{family.name} has no live meaning in the topology")

    async def agent(fetches: AsyncIterable[Fetch], counting: Counting) -> None:
        async for fetch in fetches:
            await count(fetch, family, live, counting)

    return agent


async def count(fetch: Fetch, family: Family, live: Live, counting: Counting) -> None:
    """Count one fetch, as long as its claim stands."""
    batch = _Batch(fetch, family, live)
    tries = 0
    while counting.fetches.stands(fetch.claim):
        try:
            answer = await batch.apply(counting)
        except Unavailable as away:
            counting.away.add(away.dependency)
            log.warning("holding", dependency=away.dependency, partition=fetch.partition, error=away.detail)
            await asyncio.sleep(_BACK_OFF_S[min(tries, len(_BACK_OFF_S) - 1)])
            tries += 1
            continue
        counting.away.clear()
        if answer is None:  # too much for one script
            for half in fetch.split():
                await count(half, family, live, counting)
            return
        metrics.ANSWERS.labels(answer).inc()
        if answer in ("OK", "DUP"):
            fetch.claim.advance(fetch.last)
        else:
            counting.fetches.drop(fetch.claim, answer)
        return


class _Batch:
    """One fetch on its way: decoded once, applied as often as it takes."""

    def __init__(self, fetch: Fetch, family: Family, live: Live) -> None:
        self._fetch = fetch
        self._family = family
        self._live = live
        batch = frames.read(fetch.values, family.name, live.columns)
        try:
            self._ids = _ids(batch.frame)
        except ValueError:  # a block does not look into its strings
            batch = frames.one_by_one(fetch.values, family.name, live.columns)
            self._ids = _ids(batch.frame)
        self._frame = batch.frame
        self._places = batch.places
        self._unreadable = batch.rejects
        self._misplaced = self._find_misplaced()
        self._told = not self._misplaced

    def _find_misplaced(self) -> list[int]:
        """Rows whose site lives in another partition."""
        home = self._fetch.partition
        names = self._frame["site_id"]
        strangers = {name for name in names.unique().to_list() if partition_of(name, PARTITIONS) != home}
        return [row for row, name in enumerate(names.to_list()) if name in strangers] if strangers else []

    async def apply(self, counting: Counting) -> Answer | None:
        """Send its effect through the fence; ``None`` if it must be split first."""
        fetch = self._fetch
        if not self._told:
            await dead_letters.write(counting.producer, self._culprits(), "agents")
            metrics.MISPLACED.inc(len(self._misplaced))
            self._told = True
        known = [False] * len(self._ids.members)
        if counting.leave_out_seen and known:
            known = await counting.store.known(fetch.partition, self._family.name, self._ids)
            fresh = seen.first_of_each(self._ids.members, known)
        else:
            fresh = [True] * len(known)
        for row in self._misplaced:
            fresh[row] = False
        frame = self._frame if all(fresh) else self._frame.filter(pl.Series(fresh, dtype=pl.Boolean))
        increments = self._live.tally(frame, counting.sites)
        if increments.size > MAX_CELLS and len(fetch.values) > 1:
            return None
        started = time.perf_counter()
        answer = await counting.store.apply(
            fetch.topic,
            fetch.partition,
            fetch.prev,
            fetch.last,
            increments,
            family=self._family.name,
            ids=self._ids.keep(fresh),
        )
        metrics.APPLY_SECONDS.observe(time.perf_counter() - started)
        if answer == "OK":
            metrics.COUNTED.labels(self._family.name).inc(frame.height)
            metrics.RESENT.labels(self._family.name).inc(len(fresh) - frame.height - len(self._misplaced))
            for _, reason in self._unreadable:
                metrics.UNREADABLE.labels(reason).inc()
        return answer

    def _culprits(self) -> list[Culprit]:
        culprits = []
        for row in self._misplaced:
            index = row if self._places is None else self._places[row]
            right = partition_of(self._frame["site_id"][row], PARTITIONS)
            culprits.append(
                Culprit(
                    topic=self._fetch.topic,
                    partition=self._fetch.partition,
                    offset=self._fetch.offset(index),
                    reason="partition",
                    detail=f"its site lives in partition {right}: write with Kafka's own partitioner (murmur2)",
                    key=self._fetch.key(index),
                    value=self._fetch.values[index],
                    appended_ms=self._fetch.appended_ms(index),
                )
            )
        return culprits


def _ids(frame: pl.DataFrame) -> seen.Ids:
    if frame.height == 0:
        return seen.Ids([], {})
    return seen.gather(frame["event_id"].to_list(), frame["occurred_at"].to_physical().to_list())


attendance = agent_of(TICKET_SCAN)
AGENTS: dict[str, Agent] = {family.topic: agent_of(family) for family in LIVE} | {TICKET_SCAN.topic: attendance}
