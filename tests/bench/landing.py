"""Drain rate and CPU per event of the sink and of the endpoint, against decode-and-``client.insert``.

    make bench-landing

One backlog on 8 partitions, drained by each side in interleaved rounds into an empty table of the same definition, at
20,000 rows a block; the median of the rounds. Before a figure counts, the two tables must hold the same rows, one per
record.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import psutil

from streams.adapters import migrations, topics
from streams.adapters.warehouse import DATABASE, Warehouse
from streams.config import Settings
from streams.embedded.child import launched
from streams.topology import TICKET_SCAN
from tests.beds import Bed, wait_for
from tests.bench import report, scans
from tests.bench.landing_worker import NAIVE_TABLE, Figures

RECORDS = 400_000
ROUNDS = 3
TABLES = {"sink": "ticket_scan", "naive": NAIVE_TABLE}
_DRAIN_S = 120.0
_QUIET_SHARE = 0.1  # of a core, over the time looked at
_LOOK_S = 0.5

Answer = TypeVar("Answer")
Rows = list[tuple[str, float, str]]


def _with_warehouse(settings: Settings, use: Callable[[Warehouse], Awaitable[Answer]]) -> Answer:
    async def run() -> Answer:
        warehouse = Warehouse(settings.clickhouse_url)
        try:
            return await use(warehouse)
        finally:
            await warehouse.close()

    return asyncio.run(run())


async def _make_tables(warehouse: Warehouse) -> None:
    await migrations.migrate(warehouse)
    await warehouse.command(f"CREATE TABLE {DATABASE}.{NAIVE_TABLE} AS {DATABASE}.{TABLES['sink']}")


async def _empty(warehouse: Warehouse, table: str) -> None:
    await warehouse.command(f"TRUNCATE TABLE {DATABASE}.{table}")


def _drained(role: str, settings: Settings, group: str, endpoint: int) -> Figures:
    """Figures of one drain, by a process of its own that ends with this one."""
    arguments = [role, settings.model_dump_json(), str(RECORDS), group, str(endpoint)]
    command = launched([sys.executable, "-m", "tests.bench.landing_worker", *arguments])
    done = subprocess.run(command, capture_output=True, text=True, timeout=_DRAIN_S)
    if done.returncode != 0:
        raise RuntimeError(f"the measured process ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


async def _contents(warehouse: Warehouse, table: str) -> int:
    """Digest of all rows but their time of landing, whatever their order.

    Raises:
        RuntimeError: the table does not hold each record once.
    """
    ((rows, places, digest),) = await warehouse.query(
        "SELECT count(), uniqExact(_partition, _offset), groupBitXor(sipHash64(toString(tuple(* EXCEPT _landed_at)))) "
        f"FROM {DATABASE}.{table}"
    )
    if (rows, places) != (RECORDS, RECORDS):
        raise RuntimeError(f"{table} holds {rows} rows from {places} places in Kafka, not {RECORDS}")
    return int(digest)


def _wait_quiet(endpoint: psutil.Process) -> None:
    """Wait until the endpoint has merged what it wanted to: the next drain shall not pay for it."""

    def quiet() -> bool:
        before = endpoint.cpu_times()
        time.sleep(_LOOK_S)
        after = endpoint.cpu_times()
        return after.user + after.system - before.user - before.system < _QUIET_SHARE * _LOOK_S

    wait_for(quiet, what="a quiet endpoint")


def main() -> None:
    """Measure, check, print, write ``build/bench/landing.json``."""
    with tempfile.TemporaryDirectory() as folder:
        bed = Bed(Path(folder), Settings.model_validate({}).cache)
        try:
            bed.start("kafka", "clickhouse")
            rows, notes = _rows(bed.settings(Path(folder) / "home"), bed.clickhouse.pid)
        finally:
            bed.close()
    report.publish("landing", rows, notes)


def _rows(settings: Settings, endpoint: int) -> tuple[Rows, list[str]]:
    asyncio.run(topics.create(settings.kafka_servers))
    _with_warehouse(settings, _make_tables)
    asyncio.run(scans.fill(settings.kafka_servers, TICKET_SCAN.topic, RECORDS))
    found: dict[str, list[Figures]] = {role: [] for role in TABLES}
    notes = []
    for turn in range(1, ROUNDS + 1):
        digests = set()
        for role, table in TABLES.items():
            _with_warehouse(settings, partial(_empty, table=table))
            _wait_quiet(psutil.Process(endpoint))
            figures = _drained(role, settings, f"bench-{role}-{turn}", endpoint)
            digests.add(_with_warehouse(settings, partial(_contents, table=table)))
            found[role].append(figures)
            notes.append(
                f"round {turn}: {role} {figures['rate']:,.0f} events/s, "
                f"{figures['cpu']:.2f} and endpoint {figures['endpoint_cpu']:.2f} µs an event"
            )
        if len(digests) != 1:
            raise RuntimeError("the two tables do not hold the same rows")
    return _summary(found["sink"], found["naive"]), notes


def _summary(sink: list[Figures], naive: list[Figures]) -> Rows:
    units = {"rate": "events/s", "cpu": "µs CPU/event", "endpoint_cpu": "µs CPU/event"}
    rows = [
        (f"{role}_{name}", statistics.median(one[name] for one in figures), unit)
        for role, figures in (("sink", sink), ("naive", naive))
        for name, unit in units.items()
    ]
    pairs = list(zip(naive, sink, strict=True))
    loading = statistics.median(a["cpu"] / b["cpu"] for a, b in pairs)
    both = statistics.median((a["cpu"] + a["endpoint_cpu"]) / (b["cpu"] + b["endpoint_cpu"]) for a, b in pairs)
    return [*rows, ("naive_over_sink", loading, "ratio"), ("naive_over_sink_with_endpoint", both, "ratio")]


if __name__ == "__main__":
    main()
