"""The once-a-second loop: says until when everything is counted, and notices a store that went back in time.

Windows due, resets and alert levels will be taken here too; detectors plug in here and never slow a batch.
"""

import asyncio
import time

import structlog

from streams.adapters import metrics
from streams.adapters.claims import Claim
from streams.agents.counts import Counting
from streams.errors import Unavailable

log = structlog.get_logger(__name__)


async def watch(counting: Counting) -> None:
    """One turn over all owned partitions."""
    claims = list(counting.fetches.claims.values())
    try:
        await asyncio.gather(*(_confirm(claim, counting) for claim in claims))
        if claims:
            counting.away.discard("redis")
    except Unavailable as away:
        counting.away.add(away.dependency)


async def _confirm(claim: Claim, counting: Counting) -> None:
    end = counting.fetches.end(claim.topic, claim.partition)
    if end is not None:
        metrics.LAG.labels(claim.topic, claim.partition).set(max(0, end - 1 - claim.applied))
    if claim.confirmed_ms is not None:
        metrics.FRESHNESS.labels(claim.partition).set(time.time() - claim.confirmed_ms / 1000)
    answer = await counting.store.confirm(claim.topic, claim.partition, claim.applied, claim.confirmed_ms)
    if answer != "OK":  # the store came back with an older fence, and nothing new may ever come to show it
        metrics.ANSWERS.labels(answer).inc()
        counting.fetches.drop(claim, f"{answer} at rest")
