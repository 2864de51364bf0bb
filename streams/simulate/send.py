"""Hands a simulated day over: sites to the site topic, events through the gateway in the order of sending.

Several connections share the sites between them, so a site's events keep their order. A door that is away is waited for
and given the same batch again; ids make that harmless, as they make a second run. Called by ``musee simulate`` and
``simulate.demo``.
"""

import asyncio
import heapq
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from streams.adapters import site_topic
from streams.adapters.gateway_client import Away, GatewayClient, Refused
from streams.adapters.gateway_client import Event as CloudEvent
from streams.adapters.producer import Producer
from streams.config import Settings
from streams.core.sites import Site
from streams.replay import clock
from streams.replay.run import RefusedReplay, Say, deliver
from streams.simulate.events import rfc3339
from streams.simulate.trouble import Sent

PRODUCER = "simulate (everything made up)"
CONNECTIONS = 3
MOST = 800  # events of one request: some 350 kB, well under the door's 1 MiB
_SITES_WITHIN_S = 30.0
_AGAIN_S = 0.3


class Stopped(Exception):  # noqa: N818 - no error: another connection failed first
    """This connection gives up because another one failed."""


def cloud_event(sent: Sent) -> dict[str, object]:
    """What the gateway is handed."""
    event = sent.event
    return {
        "specversion": "1.0",
        "id": event.event_id,
        "source": f"/simulated/{event.site_id}",
        "type": f"musee.{event.family}.v1",
        "time": rfc3339(event.at_ms),
        "data": {**event.data, "producer": PRODUCER},
    }


def publish(settings: Settings, sites: list[Site]) -> None:
    """Tell all programs of the sites, as ``musee sites apply`` does; raises ``Unavailable``."""

    async def write() -> None:
        producer = Producer(settings.kafka_servers, "musee-simulate")
        try:
            await site_topic.publish(producer, sites, time.time_ns() // 1_000_000)
        finally:
            await producer.stop()

    asyncio.run(write())


def openings(sends: Iterable[Sequence[Sent]]) -> list[Sent]:
    """The first event of each site that names it; sent before all else, it shows whether the gateway knows the site."""
    return [found for one in sends if (found := next((s for s in one if "site_id" in s.event.data), None))]


def greet(door: GatewayClient, sent: Sequence[Sent], *, say: Say, wait: Callable[[float], None] = time.sleep) -> None:
    """Hand over one event of each site, waiting until the gateway has read of all of them.

    Raises:
        RefusedReplay: it refuses one for another reason, or still does not know a site after half a minute.
    """
    deadline = time.monotonic() + _SITES_WITHIN_S
    for start in range(0, len(sent), MOST):
        events: list[CloudEvent] = [cloud_event(one) for one in sent[start : start + MOST]]
        while isinstance(answer := door.post(events), Refused):
            if {fault.code for fault in answer.faults} != {"unknown-site"} or time.monotonic() > deadline:
                raise RefusedReplay(str(answer))
            wait(_AGAIN_S)
        if isinstance(answer, Away):
            deliver(door, events, say=say, wait=wait)


class Sender:
    """Sends a plan over several connections.

    Attributes:
        accepted: tries that lie in Kafka.
        resent: requests that were sent again because the door was away.
    """

    def __init__(self, settings: Settings, key: str, *, say: Say, connections: int = CONNECTIONS) -> None:
        self.accepted = 0
        self.resent = 0
        self._settings = settings
        self._key = key
        self._say = say
        self._connections = connections
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def run(self, sends: Sequence[Sequence[Sent]], *, speed: float | None, seen: Callable[[int], None]) -> None:
        """Send everything; returns when all of it lies in Kafka.

        Args:
            sends: per site, in the order of sending.
            speed: simulated time over real time, ``None`` for as fast as it goes.
            seen: told how many tries were accepted so far.

        Raises:
            RefusedReplay: the gateway refused a batch.
        """
        shares: list[list[Sequence[Sent]]] = [[] for _ in range(self._connections)]
        for one in sends:
            if one:
                shares[zlib.crc32(one[0].event.site_id.encode()) % self._connections].append(one)
        first_ms = min((one[0].send_ms for one in sends if one), default=0)
        with GatewayClient.of(self._settings, self._key) as door:
            greet(door, openings(sends), say=self._say)
        with ThreadPoolExecutor(self._connections) as pool:
            futures = [pool.submit(self._share, share, first_ms, speed, seen) for share in shares]
            try:
                faults = [fault for future in futures if (fault := future.exception()) is not None]
            except KeyboardInterrupt:
                self._stop.set()
                raise
        for fault in sorted(faults, key=lambda one: isinstance(one, Stopped)):
            raise fault

    def _share(
        self, sends: Sequence[Sequence[Sent]], first_ms: int, speed: float | None, seen: Callable[[int], None]
    ) -> None:
        merged = heapq.merge(*sends, key=lambda one: one.send_ms)
        timed = ((0.0 if speed is None else (one.send_ms - first_ms) / 1000 / speed, one) for one in merged)
        try:
            with GatewayClient.of(self._settings, self._key) as door:
                for batch in clock.pace(clock.batches(timed, most=MOST), wait=self._wait):
                    events = [cloud_event(one) for one in batch.items]
                    resent = deliver(door, events, say=self._say, wait=self._wait)
                    with self._lock:
                        self.accepted += len(events)
                        self.resent += resent
                        seen(self.accepted)
                    if self._stop.is_set():
                        raise Stopped
        except BaseException:
            self._stop.set()
            raise

    def _wait(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped
