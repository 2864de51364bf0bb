"""The sink: everything that lies in Kafka lands in ClickHouse, each offset as one row or as one dead letter.

Poll → join the raw bodies into one Avro block → insert → only then commit. It is no Faust agent: it needs the reader, a
buffer and the order of two calls.
"""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Mapping

import structlog

from streams.adapters import logs, metrics, probes, process, watchdog
from streams.adapters.claims import Fetch, Log, WrongLog
from streams.adapters.fetches import Fetches, ReaderSettings
from streams.adapters.producer import Producer
from streams.adapters.site_topic import SiteTopic
from streams.adapters.warehouse import Warehouse
from streams.config import Settings
from streams.errors import ConfigError, RefusedBlock, Unavailable
from streams.sink.audit import Audit
from streams.sink.landing import Landing
from streams.sink.presence import keep_counts
from streams.sink.reference import follow_sites
from streams.topology import LANDED
from streams.topology import SINK as APP

log = structlog.get_logger(__name__)

_AUDIT_EVERY_S = 60.0
_ANSWER_S = 5.0
_SILENT_S = 45.0
_DEAF_S = 120.0  # the client's fetching task may have died unseen
_PATIENCE_S = 30.0


class Sink:
    """The worker's parts, wired."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._warehouse = Warehouse(settings.clickhouse_url)
        self._producer = Producer(settings.kafka_servers, APP)
        self._sites = SiteTopic(settings.kafka_servers)
        reader = ReaderSettings(
            servers=settings.kafka_servers,
            group=APP,
            instance=f"{APP}-{settings.slot}",
            max_wait_ms=100,
            max_records=settings.sink_rows,
            max_backlog=6 * settings.sink_rows,
            commit_every_s=1.0,
        )
        self.fetches = Fetches(reader, [family.topic for family in LANDED], self._place, self._deliver)
        self._landings = {
            family.topic: Landing(
                family,
                self._warehouse,
                self._producer,
                self.fetches,
                rows=settings.sink_rows,
                age_s=settings.sink_age_s,
                culprit_share=settings.sink_culprit_share,
            )
            for family in LANDED
        }
        self._audits = [Audit(family, self._warehouse, self.fetches) for family in LANDED]
        self._probes = probes.server(settings.sink_port, self.missing)
        self._answers = False
        self._ahead_since: dict[tuple[str, int], float] = {}

    async def _deliver(self, fetch: Fetch) -> None:
        self._landings[fetch.topic].take(fetch)

    async def _place(self, topic: str, found: Mapping[int, Log]) -> Mapping[int, int | None]:
        """What Kafka has been told, else the beginning."""
        committed = {partition: await self.fetches.committed(topic, partition) for partition in found}
        since = {p: offset if offset is not None else found[p].start for p, offset in committed.items()}
        await self._landings[topic].remember_largest(list(found), since)
        places: dict[int, int | None] = {}
        for partition, log_now in found.items():
            at = committed[partition]
            if at is None:
                at = log_now.start  # repeated rows are harmless; the table may remember another Kafka
            if at < log_now.start:
                log.error("records expired unlanded", topic=topic, partition=partition, count=log_now.start - at)
                at = log_now.start
            places[partition] = self._within(topic, partition, at, log_now)
        return places

    def _within(self, topic: str, partition: int, at: int, log_now: Log) -> int | None:
        if at <= log_now.end:
            self._ahead_since.pop((topic, partition), None)
            return at - 1
        since = self._ahead_since.setdefault((topic, partition), time.monotonic())
        if time.monotonic() - since > _PATIENCE_S:
            raise WrongLog(f"the sink has committed {topic}/{partition} up to {at}, but the log ends at {log_now.end}")
        return None

    def missing(self) -> list[str]:
        """Dependencies that are away, for ``/ready``."""
        away = set().union(*(landing.away for landing in self._landings.values()))
        if not self._answers:
            away.add("clickhouse")
        silent = not self.fetches.answered(_ANSWER_S) or not (self.fetches.claims or away)
        return sorted(away | ({"kafka"} if silent else set()))

    def complaint(self) -> str | None:
        """What the watchdog ends the process for."""
        if time.monotonic() - self.fetches.turned_s > _SILENT_S:
            return f"the reader has not turned for {_SILENT_S:.0f} s"
        if self.fetches.claims and not self.fetches.answered(_DEAF_S):
            return f"no broker has answered a fetch for {_DEAF_S:.0f} s"
        return None

    async def run(self) -> None:
        """Land until cancelled."""
        await self._sites.start()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._probes.serve())
            for landing in self._landings.values():
                tasks.create_task(landing.run())
            tasks.create_task(follow_sites(self._sites, self._warehouse))
            tasks.create_task(keep_counts(self._warehouse))
            tasks.create_task(self._audit())
            tasks.create_task(self._lag())
            tasks.create_task(self._ask_warehouse())
            tasks.create_task(self._read())

    async def _read(self) -> None:
        watchdog.watch(self.complaint)
        process.settle()
        await self.fetches.start()
        try:
            await self.fetches.wait_until_stopped()
        finally:
            await self.fetches.stop()
        if self.fetches.crash_reason is not None:
            raise self.fetches.crash_reason

    async def _audit(self) -> None:
        while True:
            await asyncio.sleep(_AUDIT_EVERY_S)
            for audit in self._audits:
                with contextlib.suppress(Unavailable, RefusedBlock):
                    await audit.turn()

    async def _ask_warehouse(self) -> None:
        """Keep ``/ready`` telling: an insert into a warehouse that hangs says nothing for a minute."""
        while True:
            self._answers = await self._warehouse.reachable()
            await asyncio.sleep(1.0)

    async def _lag(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            for claim in list(self.fetches.claims.values()):
                end = self.fetches.end(claim.topic, claim.partition)
                if end is not None:
                    metrics.LAG.labels(claim.topic, claim.partition).set(max(0, end - 1 - claim.applied))


async def _main(settings: Settings) -> None:
    running = asyncio.create_task(Sink(settings).run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running


def serve(settings: Settings) -> None:
    """Run the sink until it is told to stop."""
    logs.configure("sink")
    try:
        asyncio.run(_main(settings))
    except* (ConfigError, WrongLog) as faults:
        for fault in faults.exceptions:
            sys.stderr.write(f"sink: {fault}\n")
        sys.exit(2)
