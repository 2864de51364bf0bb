"""The once-a-second loop: says until when everything is counted, and notices a store that went back in time.

Windows due, resets and alert levels will be taken here too; detectors plug in here and never slow a batch.
"""

import time
from collections.abc import Sequence

import structlog

from streams.adapters import metrics
from streams.adapters.claims import Claim
from streams.adapters.live_store import Confirmation
from streams.agents.counts import Counting
from streams.errors import Unavailable

log = structlog.get_logger(__name__)


async def watch(counting: Counting) -> None:
    """One turn over all owned partitions."""
    claims = list(counting.fetches.claims.values())
    _measure(claims, counting)
    said = [Confirmation(claim.topic, claim.partition, claim.applied, claim.confirmed_ms) for claim in claims]
    try:
        answers = await counting.store.confirm(said)
    except Unavailable as away:
        counting.away.add(away.dependency)
        return
    if claims:
        counting.away.discard("redis")
    for claim, answer in zip(claims, answers, strict=True):
        if answer != "OK":  # the store came back with an older fence, and nothing new may ever come to show it
            metrics.ANSWERS.labels(answer).inc()
            counting.fetches.drop(claim, f"{answer} at rest")


def _measure(claims: Sequence[Claim], counting: Counting) -> None:
    """Lag of every claim, and the age of the oldest confirmation of each partition."""
    oldest_ms: dict[int, int] = {}
    for claim in claims:
        end = counting.fetches.end(claim.topic, claim.partition)
        if end is not None:
            metrics.LAG.labels(claim.topic, claim.partition).set(max(0, end - 1 - claim.applied))
        if claim.confirmed_ms is not None:
            oldest_ms[claim.partition] = min(claim.confirmed_ms, oldest_ms.get(claim.partition, claim.confirmed_ms))
    for partition, at_ms in oldest_ms.items():
        metrics.FRESHNESS.labels(partition).set(time.time() - at_ms / 1000)
