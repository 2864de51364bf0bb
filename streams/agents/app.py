"""The Faust application of the live path: agents on channels, fed by our reader, and the once-a-second timer.

Faust runs the app, the agents, their channels and the timers. Kafka is read by ``adapters.fetches``, through the
client library's public interface: Faust's own consumer undoes a seek, and costs fifty times as much an event.
"""

import asyncio
import os
import sys
import time
import traceback
from functools import partial

import faust
import faust.app
import structlog

from streams.adapters import alert_topic, logs, probes, process, watchdog
from streams.adapters.alert_store import AlertStore
from streams.adapters.calendar_topic import CalendarTopic
from streams.adapters.claims import Fetch
from streams.adapters.fetches import Fetches, ReaderSettings
from streams.adapters.headcount_store import HeadcountStore
from streams.adapters.live_store import LiveStore
from streams.adapters.live_view import LiveView
from streams.adapters.occupancy_store import OccupancyStore
from streams.adapters.producer import Producer
from streams.adapters.site_topic import SiteTopic
from streams.adapters.window_store import WindowStore
from streams.agents.alerts import Alerts, Stores
from streams.agents.counts import AGENT_OF, Agent, Counting, look_at_numbers
from streams.agents.placing import Placing
from streams.agents.polls import together
from streams.agents.resets import Resets
from streams.agents.watch import watch
from streams.agents.windows import Windows
from streams.config import Settings
from streams.errors import ConfigError, Unavailable
from streams.topology import AGENTS as APP
from streams.topology import LIVE, TICKET_SCAN

log = structlog.get_logger(__name__)

_ANSWER_S = 5.0
_SILENT_S = 45.0
_STUCK_S = 60.0
_DEAF_S = 120.0  # the client's fetching task may have died unseen


class _BootStrategy(faust.app.BootStrategy):
    """Faust's documented way to choose its services: no Kafka of its own."""

    enable_kafka_consumer = False
    enable_kafka_producer = False


class _App(faust.App):
    BootStrategy = _BootStrategy


def _end() -> None:
    """End the process with the traceback; the supervisor starts it again."""
    traceback.print_exc()
    sys.stderr.flush()
    os._exit(watchdog.EXIT_CODE)


class Agents:
    """The worker's parts, wired."""

    def __init__(self, settings: Settings) -> None:
        faust_folder = settings.home / "faust"  # stays empty: no tables; Faust makes it only if its parent is there
        settings.home.mkdir(parents=True, exist_ok=True)
        self.app = _App(
            APP,
            broker=f"kafka://{settings.kafka_servers}",
            store="memory://",
            web_enabled=False,
            topic_disable_leader=True,
            datadir=faust_folder,
            stream_wait_empty=False,
        )
        self._store = LiveStore(settings.redis_url, APP)
        self._sites = SiteTopic(settings.kafka_servers)
        self._producer = Producer(settings.kafka_servers, APP)
        self._away: set[str] = set()
        self._well_since_s = time.monotonic()
        # Without a limit: the reader pauses partitions when too much waits, and must never wait itself.
        self._channels = {family.topic: self.app.channel(maxsize=0) for family in LIVE}
        placing = Placing(self._store)
        reader = ReaderSettings(
            servers=settings.kafka_servers,
            group=APP,
            instance=f"{APP}-{settings.slot}",
            max_wait_ms=settings.fetch_max_wait_ms,
            min_bytes=settings.fetch_min_bytes,
            max_records=settings.max_poll_records,
        )
        self.fetches = Fetches(reader, list(self._channels), placing, self._deliver)
        placing.fetches = self.fetches
        self.counting = Counting(
            self.fetches, self._store, self._sites.sites, self._producer, self._away, settings.seen_set
        )
        self.windows = Windows(WindowStore(settings.redis_url, APP), self._sites.sites, self._producer, self.fetches)
        self._calendars = CalendarTopic(settings.kafka_servers)
        occupancy = OccupancyStore(settings.redis_url, APP)
        self.resets = Resets(occupancy, self._sites.sites, self._calendars.known, self._producer, self._owned)
        self.alerts = Alerts(
            Stores(AlertStore(settings.redis_url), LiveView(settings.redis_url), HeadcountStore(settings.redis_url)),
            self._sites.sites,
            self._calendars.known,
            self._producer,
            self._owned,
            partial(alert_topic.newest, settings.kafka_servers),
        )
        self._probes = probes.server(settings.agents_port, self.missing)
        for topic, agent in AGENT_OF.items():
            self._register(topic, agent)
        self.app.timer(interval=1.0)(self._watch)
        self.app.timer(interval=1.0)(self._say)  # apart: a broker that is away holds the windows, not the confirmation
        self.app.timer(interval=1.0)(self._empty)
        self.app.timer(interval=1.0)(self._alert)
        self.app.task()(self._begin)

    async def _deliver(self, fetch: Fetch) -> None:
        await self._channels[fetch.topic].send(value=fetch)

    def _register(self, topic: str, agent: Agent) -> None:
        async def run(fetches: faust.StreamT[Fetch]) -> None:
            try:
                await agent(together(fetches), self.counting)
            except Exception:  # noqa: BLE001 - anything unknown: start again from the fence rather than guess
                _end()

        self.app.agent(self._channels[topic], name=topic)(run)

    async def _watch(self) -> None:
        look_at_numbers(self.counting)
        await watch(self.counting)

    async def _say(self) -> None:
        try:
            await self.windows.turn()
        except Exception:  # noqa: BLE001 - as in an agent
            _end()

    async def _empty(self) -> None:
        try:
            await self.resets.turn()
        except Exception:  # noqa: BLE001 - as in an agent
            _end()

    async def _alert(self) -> None:
        try:
            if self._calendars.loaded:  # a house of which it is not known yet that it is closed is not silent
                await self.alerts.turn()
        except Exception:  # noqa: BLE001 - as in an agent
            _end()

    def _owned(self) -> set[int]:
        """Partitions whose scans this worker counts."""
        return {one.partition for one in self.fetches.claims.values() if one.topic == TICKET_SCAN.topic}

    async def _begin(self) -> None:
        """Check the store, read the sites, then let the reader in."""
        self.app.flow_control.resume()  # without it every channel stays shut: Faust's own consumer would do it
        self.app.add_future(self._probes.serve())
        await self._sites.start()
        await self._calendars.start()
        while True:
            try:
                await self._store.check()
                break
            except Unavailable as away:
                self._away.add(away.dependency)
                log.warning("waiting", dependency=away.dependency, error=away.detail)
                await asyncio.sleep(0.5)
            except ConfigError as fault:
                sys.stderr.write(f"agents: {fault}\n")
                sys.stderr.flush()
                os._exit(2)
        self._away.clear()
        await self._sites.wait_loaded()
        process.settle()
        await self.app.add_runtime_dependency(self.fetches)
        watchdog.watch(self.complaint)

    def missing(self) -> list[str]:
        """Dependencies that are away, for ``/ready``."""
        silent = not self.fetches.answered(_ANSWER_S) or not (self.fetches.claims or self._away)
        return sorted(self._away | ({"kafka"} if silent else set()))

    def complaint(self) -> str | None:
        """What the watchdog ends the process for."""
        now = time.monotonic()
        if self._away:  # waiting is what we are meant to do
            self._well_since_s = now
            return None
        if now - max(self.fetches.turned_s, self._well_since_s) > _SILENT_S:
            return f"the reader has not turned for {_SILENT_S:.0f} s"
        if not self.fetches.answered(_DEAF_S):
            return f"no broker has answered a fetch for {_DEAF_S:.0f} s"
        for claim in list(self.fetches.claims.values()):
            if claim.backlog > 0 and now - max(claim.progress_s, self._well_since_s) > _STUCK_S:
                return f"{claim.topic}/{claim.partition} has made no progress for {_STUCK_S:.0f} s"
        return None


def serve(settings: Settings) -> None:
    """Run the agents until they are told to stop."""
    logs.configure("agents")

    async def build() -> faust.App:
        return Agents(settings).app

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    app = loop.run_until_complete(build())
    worker = faust.Worker(app, loop=loop, quiet=True, redirect_stdouts=False, override_logging=False)
    worker.execute_from_commandline()
