"""CPU per event of the live path against a bare reader, and scan → Redis at 5,000 events a second.

    make bench-live

400,000 records on 8 partitions, the measured process pinned to one core, three interleaved rounds, the median of each.
Both sides read with the same settings; the floor does nothing with what it reads.
"""

import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import redis
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from streams.adapters import topics
from streams.config import Settings
from streams.core.partitions import partition_of
from streams.topology import PARTITIONS, TICKET_SCAN
from tests.beds import Bed, free_port
from tests.bench import report, scans

RECORDS = 400_000
ROUNDS = 3
RATE = 5_000
STEADY_S = 20.0
_CORE = min(os.sched_getaffinity(0))


def _measured(role: str, settings: Settings, seconds: float = 0.0) -> subprocess.Popen[str]:
    arguments = [role, settings.model_dump_json(), str(RECORDS), str(seconds), str(_CORE)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bench.live_worker", *arguments], stdout=subprocess.PIPE, text=True
    )


def _figures(process: subprocess.Popen[str]) -> dict[str, float]:
    output, _ = process.communicate(timeout=180)
    if process.returncode != 0:
        raise RuntimeError(f"the measured process ended with {process.returncode}")
    return dict(json.loads(output.strip().splitlines()[-1]))


def _forget(settings: Settings) -> None:
    """Empty the live store: the worker counts the backlog from its beginning."""
    client = redis.Redis.from_url(settings.redis_url)
    client.flushall()
    client.close()


async def _again(settings: Settings) -> None:
    """An empty topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_servers)
    await admin.start()
    await admin.delete_topics([TICKET_SCAN.topic])
    await admin.close()
    await asyncio.sleep(2)
    await topics.create(settings.kafka_servers)


async def _stream(settings: Settings, seconds: float) -> None:
    """A steady stream of scans, each stamped when it is handed to the producer."""
    chance = random.Random(3)
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka_servers, linger_ms=1) as producer:
        begun, number = time.perf_counter(), 0
        while (passed := time.perf_counter() - begun) < seconds:
            while number < passed * RATE:
                now_ms = time.time_ns() // 1_000_000
                site, value = scans.scan(number, now_ms, now_ms, chance)
                partition = partition_of(site, PARTITIONS)
                await producer.send(TICKET_SCAN.topic, value, key=site.encode(), partition=partition)
                number += 1
            await asyncio.sleep(0.005)


def main() -> None:
    """Measure, print, write ``build/bench/live.json``."""
    with tempfile.TemporaryDirectory() as folder:
        bed = Bed(Path(folder), Settings.model_validate({}).cache)
        try:
            bed.start("kafka", "redis")
            rows, notes = _rows(bed.settings(Path(folder) / "home", agents_port=free_port()))
        finally:
            bed.close()
    report.publish("live", rows, notes)


def _rows(settings: Settings) -> tuple[list[tuple[str, float, str]], list[str]]:
    asyncio.run(topics.create(settings.kafka_servers))
    asyncio.run(scans.fill(settings.kafka_servers, TICKET_SCAN.topic, RECORDS))
    spent: dict[str, list[float]] = {"floor": [], "live": []}
    speed: dict[str, list[float]] = {"floor": [], "live": []}
    notes = []
    for turn in range(ROUNDS):
        for role in ("floor", "live"):
            _forget(settings)
            figures = _figures(_measured(role, settings))
            spent[role].append(figures["cpu_s"] / RECORDS * 1e6)
            speed[role].append(RECORDS / figures["wall_s"])
        notes.append(f"round {turn + 1}: floor {spent['floor'][-1]:.2f}, live {spent['live'][-1]:.2f} µs an event")
    asyncio.run(_again(settings))
    _forget(settings)
    worker = _measured("steady", settings, STEADY_S)
    asyncio.run(_stream(settings, 2 * STEADY_S + 12))
    steady = _figures(worker)
    floor, live = (statistics.median(spent[role]) for role in ("floor", "live"))
    rows = [
        ("floor", floor, "µs CPU/event"),
        ("live", live, "µs CPU/event"),
        (
            "live_over_floor",
            statistics.median(a / b for a, b in zip(spent["live"], spent["floor"], strict=True)),
            "ratio",
        ),
        ("floor_rate", statistics.median(speed["floor"]), "events/s"),
        ("live_rate", statistics.median(speed["live"]), "events/s"),
        ("steady_rate", steady["events"] / STEADY_S, "events/s"),
        ("scan_to_redis_p50", steady["p50_ms"], "ms"),
        ("scan_to_redis_p99", steady["p99_ms"], "ms"),
        ("steady_share", 100 * steady["cpu_s"] / steady["wall_s"], "% of a core"),
    ]
    return rows, notes


if __name__ == "__main__":
    main()
