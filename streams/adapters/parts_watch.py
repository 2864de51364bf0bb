"""Asks the parts of the pipeline how they are: ``/ready`` of our programs, Kafka's bookkeeping, the stores.

One look takes a second at most, whatever hangs. What Kafka is asked goes on behind a look that ran out of time, so that
a broker that hangs is never asked twice at once. Gives answers as ``adapters.readiness`` does; what they mean is
``core.parts``' business. Called by ``console.pipeline``.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

import httpx2

from streams.adapters import lag, listeners, readiness
from streams.config import LOOPBACK, Settings
from streams.core import parts
from streams.errors import Unavailable

_WITHIN_S = 1.0
_PROGRAMS = ("gateway", "agents", "sink")


@dataclass(frozen=True, slots=True)
class Answers:
    """Part → ``None`` if it is ready, else why not; and where each group stands, ``None`` if Kafka did not say."""

    parts: dict[str, str | None]
    behind: Sequence[lag.Behind] | None


class PartsWatch:
    """Keeps its HTTP connections; ``close`` it.

    Args:
        settings: where the parts are.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clients = [  # the stores' certificates are not ours
            httpx2.AsyncClient(timeout=_WITHIN_S, trust_env=False, verify=trust)
            for trust in (listeners.trust(settings), True)
        ]
        ours, stores = self._clients
        urls = {name: f"http://{LOOPBACK}:{getattr(settings, f'{name}_port')}/ready" for name in _PROGRAMS}
        urls["gateway"] = f"{settings.gateway_url}/ready"
        self._probes = {name: readiness.http(url, client=ours) for name, url in urls.items()}
        self._probes["clickhouse"] = readiness.http(f"{settings.clickhouse_url.rstrip('/')}/ping", client=stores)
        self._redis = readiness.redis(settings.redis_url)
        self._measuring: asyncio.Task[list[lag.Behind]] | None = None

    async def close(self) -> None:
        """Close the connections, and stop asking Kafka."""
        if self._measuring is not None:
            self._measuring.cancel()
            await asyncio.gather(self._measuring, return_exceptions=True)
        for client in self._clients:
            await client.aclose()

    async def look(self, *, redis_away: bool) -> Answers:
        """Ask everybody at once; Redis only if who reads it all the time says that it is away."""
        probes = self._probes | ({"redis": self._redis} if redis_away else {})
        found, (kafka, behind) = await asyncio.gather(
            asyncio.gather(*(_within(probe()) for probe in probes.values())), self._kafka()
        )
        answers: dict[str, str | None] = {"redis": None, "kafka": kafka}
        return Answers(answers | dict(zip(probes, found, strict=True)), behind)

    async def _kafka(self) -> tuple[str | None, Sequence[lag.Behind] | None]:
        refused = await readiness.refused(self._settings.kafka_servers)
        if refused is not None:
            return refused, None
        if self._measuring is None:
            self._measuring = asyncio.create_task(lag.measure(self._settings.kafka_servers), name="lag")
        task = self._measuring
        await asyncio.wait({task}, timeout=_WITHIN_S)
        if not task.done():
            return parts.HANGS, None
        self._measuring = None
        try:
            return None, task.result()
        except Unavailable as away:
            return away.detail[:120], None


async def _within(asked: Awaitable[str | None]) -> str | None:
    try:
        async with asyncio.timeout(_WITHIN_S + 0.2):
            return await asked
    except TimeoutError:
        return parts.HANGS
