"""One measured process of ``tests.bench.landing``: drains the backlog once, prints one JSON line.

Roles: ``sink``, our whole sink; ``naive``, what one would write first: decode each record, insert the rows, commit.
Both ask Kafka for the same fetches under a consumer group that has never committed, and write blocks of the same size.

CPU is that of the whole process and of the whole ClickHouse endpoint, from the moment that the reader knows its
partitions until the last row is acknowledged. Connecting to ClickHouse is within.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from typing import Any, cast
from urllib.parse import urlsplit

import clickhouse_connect
import fastavro
import psutil
from aiokafka import AIOKafkaConsumer

from streams.adapters import logs, process, registry
from streams.adapters.claims import Log
from streams.adapters.warehouse import DATABASE
from streams.config import Settings
from streams.core import blocks
from streams.sink.worker import Sink
from streams.topology import TICKET_SCAN

NAIVE_TABLE = "ticket_scan_naive"
_SCHEMA = registry.by_name(TICKET_SCAN.schema)

Figures = dict[str, float]


class Meter:
    """Wall clock, CPU of this process and CPU of the endpoint since ``start``.

    Args:
        endpoint: pid of the ClickHouse endpoint.
    """

    def __init__(self, endpoint: int) -> None:
        self._endpoint = psutil.Process(endpoint)
        self._begun: Figures = {}

    def start(self) -> None:
        """Begin; a second call changes nothing."""
        self._begun = self._begun or self._now()

    def figures(self) -> Figures:
        """What has passed, in seconds: ``wall_s``, ``cpu_s``, ``endpoint_cpu_s``."""
        return {name: value - self._begun[name] for name, value in self._now().items()}

    def _now(self) -> Figures:
        spent = self._endpoint.cpu_times()
        return {
            "wall_s": time.perf_counter(),
            "cpu_s": time.process_time(),
            "endpoint_cpu_s": spent.user + spent.system,
        }


class _Measured(Sink):
    """Our sink, its group renamed and its first look at the partitions noted."""

    def __init__(self, settings: Settings, group: str, meter: Meter) -> None:
        super().__init__(settings)
        self._meter = meter
        self.fetches._settings = replace(self.fetches._settings, group=group, instance=group)
        self.fetches._place = self._placing

    async def _placing(self, topic: str, found: Mapping[int, Log]) -> Mapping[int, int | None]:
        self._meter.start()
        return await self._place(topic, found)

    @property
    def landed(self) -> int:
        """Records of the backlog whose rows are acknowledged."""
        claims = self.fetches.claims.values()
        return sum(claim.applied + 1 for claim in claims if claim.topic == TICKET_SCAN.topic)


async def sink(settings: Settings, count: int, group: str, meter: Meter) -> Figures:
    """Land ``count`` records with our sink."""
    logs.configure("sink")
    measured = _Measured(settings, group, meter)
    running = asyncio.create_task(measured.run())
    while measured.landed < count:
        if running.done():
            await running  # raises what ended it
        await asyncio.sleep(0.01)
    return meter.figures()


async def naive(settings: Settings, count: int, group: str, meter: Meter) -> Figures:
    """Land ``count`` records decoded one by one and inserted as Python rows.

    Kept as good as its kind gets: the connection and the garbage collector are tuned as ours are, and a block is
    converted by columns inside clickhouse-connect.
    """
    reader = AIOKafkaConsumer(
        TICKET_SCAN.topic,
        bootstrap_servers=settings.kafka_servers,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=100,
        fetch_min_bytes=1_000_000,
        max_partition_fetch_bytes=4 * 1024 * 1024,
        fetch_max_bytes=32 * 1024 * 1024,
    )
    process.settle()
    await reader.start()
    meter.start()
    address = urlsplit(settings.clickhouse_url)
    client = await clickhouse_connect.get_async_client(
        host=address.hostname, port=address.port, autogenerate_session_id=False, compress=False
    )
    columns = [*blocks.COORDINATES, *_SCHEMA.fields, blocks.CANARY_FIELD]
    landed, rows = 0, []
    while landed < count:
        polled = await reader.getmany(timeout_ms=400, max_records=settings.sink_rows)
        for records in polled.values():
            for record in records:
                body = BytesIO(record.value)
                body.seek(blocks.HEAD_BYTES)
                event = cast(dict[str, Any], fastavro.schemaless_reader(body, _SCHEMA.parsed, None))
                rows.append([record.partition, record.offset, *event.values(), blocks.CANARY])
        if len(rows) >= settings.sink_rows or landed + len(rows) == count:
            await client.insert(f"{DATABASE}.{NAIVE_TABLE}", rows, column_names=columns)
            await reader.commit()
            landed, rows = landed + len(rows), []
    return meter.figures()


async def _main(role: str, settings: Settings, count: int, group: str, endpoint: int) -> None:
    drain = {"sink": sink, "naive": naive}[role]
    figures = await drain(settings, count, group, Meter(endpoint))
    print(json.dumps(figures), flush=True)
    os._exit(0)  # the figures are taken: no need to wait for an orderly stop


if __name__ == "__main__":
    _role, _given, _count, _group, _endpoint = sys.argv[1:]
    asyncio.run(_main(_role, Settings.model_validate_json(_given), int(_count), _group, int(_endpoint)))
