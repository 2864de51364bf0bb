"""Counting: one Faust agent per live family, each the same sentence: read, leave out what was seen, tally, apply.

What a family means is its ``tally`` in ``core``; what makes it happen once is the fence in ``adapters.live_store``. An
agent never raises: a store that is away is waited for while the claim stands, a record that can never be counted is
dead-lettered, and anything unknown ends the process, for the supervisor to start it again from the fence.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import structlog

from streams.adapters import dead_letters, metrics
from streams.adapters.claims import Fetch
from streams.adapters.fetches import Fetches
from streams.adapters.live_store import LiveStore
from streams.adapters.producer import Producer
from streams.agents.polls import Poll
from streams.core.sequences import Numbers
from streams.core.sites import Sites
from streams.errors import Unavailable
from streams.topology import LIVE, TICKET_SCAN, Family, Live

log = structlog.get_logger(__name__)

_BACK_OFF_S = (0.05, 0.1, 0.2, 0.5, 1.0)
_LOOK_FROM = 20_000  # events: in a backlog a second is too long to keep them


@dataclass(slots=True)
class Counting:
    """What an agent works with.

    Attributes:
        away: names of the dependencies that did not answer last time.
        leave_out_seen: test switch; off, a resent event is counted twice.
        numbers: family → what each device numbered its last event; looked at once a second.
    """

    fetches: Fetches
    store: LiveStore
    sites: Sites
    producer: Producer
    away: set[str]
    leave_out_seen: bool = True
    numbers: dict[str, Numbers] = field(default_factory=lambda: defaultdict(Numbers))


Agent = Callable[[AsyncIterable[list[Fetch]], Counting], Coroutine[Any, Any, None]]


def agent_of(family: Family) -> Agent:
    """The agent that counts ``family``."""
    live = family.live
    if live is None:
        raise ValueError(f"{family.name} has no live meaning in the topology")

    async def agent(polls: AsyncIterable[list[Fetch]], counting: Counting) -> None:
        async for fetches in polls:
            await count(fetches, family, live, counting)

    return agent


async def count(fetches: list[Fetch], family: Family, live: Live, counting: Counting) -> None:
    """Count what one poll brought, each fetch as long as its claim stands."""
    tries = 0
    told: set[tuple[int, int]] = set()  # dead letters written before Redis went away are not written again
    while standing := [fetch for fetch in fetches if counting.fetches.stands(fetch.claim)]:
        try:
            too_large = await _once(Poll(standing, family, live, counting.sites), family, counting, told)
        except Unavailable as away:
            counting.away.add(away.dependency)
            log.warning("holding", dependency=away.dependency, family=family.name, error=away.detail)
            await asyncio.sleep(_BACK_OFF_S[min(tries, len(_BACK_OFF_S) - 1)])
            tries += 1
            continue
        counting.away.clear()
        for fetch in too_large:
            for half in fetch.split(len(fetch.values) // 2):
                await count([half], family, live, counting)
        return


async def _once(poll: Poll, family: Family, counting: Counting, told: set[tuple[int, int]]) -> list[Fetch]:
    """Send everything through the fences once; returns the fetches that must be split first."""
    untold = [culprit for culprit in poll.culprits if (culprit.partition, culprit.offset) not in told]
    if untold:
        await dead_letters.write(counting.producer, untold, "agents")
        metrics.MISPLACED.inc(sum(culprit.reason == "partition" for culprit in untold))
        told |= {(culprit.partition, culprit.offset) for culprit in untold}
    if counting.leave_out_seen:
        poll.leave_out(await counting.store.known(family.name, poll.ids()))
    parts, too_large = poll.parts(counting.sites)
    started = time.perf_counter()
    answers = await counting.store.apply(family.name, [part.batch for part in parts])
    metrics.APPLY_SECONDS.observe(time.perf_counter() - started)
    for part, answer in zip(parts, answers, strict=True):
        metrics.ANSWERS.labels(answer).inc()
        claim = part.fetch.claim
        if answer in ("GAP", "COLD"):
            counting.fetches.drop(claim, answer)
            continue
        claim.advance(part.fetch.last)
        if answer == "OK":
            metrics.COUNTED.labels(family.name).inc(part.counted)
            metrics.RESENT.labels(family.name).inc(part.resent)
            for reason, records in part.unreadable.items():
                metrics.UNREADABLE.labels(reason).inc(records)
            metrics.LATE.labels(family.name).inc(part.late)
    counted = [part.fetch for part, answer in zip(parts, answers, strict=True) if answer == "OK"]
    numbers = counting.numbers[family.name]
    numbers.keep(poll.numbered(counted))
    if numbers.events > _LOOK_FROM:
        look_at_numbers(counting)
    return too_large


def look_at_numbers(counting: Counting) -> None:
    """Measure the gaps in what the devices numbered since the last look; also called once a second."""
    for numbers in counting.numbers.values():
        gaps = numbers.look()
        metrics.GAPS.labels("jump").inc(gaps.jumps)
        metrics.GAPS.labels("back").inc(gaps.backs)


attendance = agent_of(TICKET_SCAN)
AGENT_OF: dict[str, Agent] = {TICKET_SCAN.topic: attendance} | {
    family.topic: agent_of(family) for family in LIVE if family is not TICKET_SCAN
}
