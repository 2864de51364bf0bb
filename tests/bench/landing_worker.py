"""One measured process of ``tests.bench.landing``: drains the backlog once, prints one JSON line.

Roles: ``sink``, our whole sink; ``naive``, what one would write first: decode each record, insert the rows, commit.
Both ask Kafka for the same fetches under a consumer group that has never committed, and write blocks of the same size.

CPU is that of the whole process and of the whole ClickHouse endpoint, from the moment that the reader knows its
partitions until the last row is acknowledged. Connecting to ClickHouse is within. The rate is taken when less than a
block is left: the sink lets a rest that fills no block grow old first, which is no work.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from itertools import chain
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
    """The drain of one backlog, timed.

    Args:
        count: records of the backlog.
        block: rows of a full block.
        endpoint: pid of the ClickHouse endpoint.
    """

    def __init__(self, count: int, block: int, endpoint: int) -> None:
        self._count = count
        self._block = block
        self._endpoint = psutil.Process(endpoint)
        self._begun_s: float | None = None
        self._cpu_s = self._endpoint_cpu_s = self._rate = 0.0

    def start(self) -> None:
        """Begin; a second call changes nothing."""
        if self._begun_s is None:
            self._begun_s, self._cpu_s, self._endpoint_cpu_s = time.perf_counter(), *self._spent()

    def complete(self, landed: int) -> bool:
        """Whether ``landed`` is the whole backlog; to be asked after each block."""
        if self._begun_s is not None and not self._rate and landed > self._count - self._block:
            self._rate = landed / (time.perf_counter() - self._begun_s)
        return landed >= self._count

    def figures(self) -> Figures:
        """``rate`` in events/s, ``cpu`` and ``endpoint_cpu`` in µs per event."""
        cpu_s, endpoint_cpu_s = self._spent()
        return {
            "rate": self._rate,
            "cpu": (cpu_s - self._cpu_s) / self._count * 1e6,
            "endpoint_cpu": (endpoint_cpu_s - self._endpoint_cpu_s) / self._count * 1e6,
        }

    def _spent(self) -> tuple[float, float]:
        """CPU seconds of this process and of the endpoint."""
        endpoint = self._endpoint.cpu_times()
        return time.process_time(), endpoint.user + endpoint.system


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


async def sink(settings: Settings, group: str, meter: Meter) -> Figures:
    """Land the backlog with our sink."""
    logs.configure("sink")
    measured = _Measured(settings, group, meter)
    running = asyncio.create_task(measured.run())
    while not meter.complete(measured.landed):
        if running.done():
            await running  # raises what ended it
        await asyncio.sleep(0.01)
    return meter.figures()


async def naive(settings: Settings, group: str, meter: Meter) -> Figures:
    """Land the backlog decoded record by record and inserted as Python rows.

    Garbage collector (3.6 µs an event) and connection are tuned as ours are. Values become what the schema says, times
    and UUIDs included; reading those as bare integers and text, as nobody writes first, was measured at 14.1 µs
    instead of 19.3.
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
    address = urlsplit(settings.clickhouse_url)
    columns = [*blocks.COORDINATES, *_SCHEMA.fields, blocks.CANARY_FIELD]
    process.settle()
    async with reader:
        meter.start()
        client = await clickhouse_connect.get_async_client(
            host=address.hostname, port=address.port, autogenerate_session_id=False, compress=False
        )
        landed, rows = 0, []
        while not meter.complete(landed):
            polled = await reader.getmany(timeout_ms=400, max_records=settings.sink_rows)
            for record in chain.from_iterable(polled.values()):
                body = BytesIO(record.value)
                body.seek(blocks.HEAD_BYTES)
                event = cast(dict[str, Any], fastavro.schemaless_reader(body, _SCHEMA.parsed, None))
                rows.append([record.partition, record.offset, *event.values(), blocks.CANARY])
            if len(rows) >= settings.sink_rows or (rows and not polled):
                await client.insert(f"{DATABASE}.{NAIVE_TABLE}", rows, column_names=columns)
                await reader.commit()
                landed, rows = landed + len(rows), []
        figures = meter.figures()
        await client.close()
    return figures


async def _main(role: str, settings: Settings, count: int, group: str, endpoint: int) -> None:
    drain = {"sink": sink, "naive": naive}[role]
    figures = await drain(settings, group, Meter(count, settings.sink_rows, endpoint))
    print(json.dumps(figures), flush=True)
    os._exit(0)  # the figures are taken: no need to wait for an orderly stop


if __name__ == "__main__":
    _role, _given, _count, _group, _endpoint = sys.argv[1:]
    asyncio.run(_main(_role, Settings.model_validate_json(_given), int(_count), _group, int(_endpoint)))
