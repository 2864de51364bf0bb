"""Three hundred browsers on the live feed, five of which never read: the console's memory, and the others' delay.

    make bench-streams                       ten minutes
    python -m tests.bench.streams --minutes 1

1,000 scans a second of 200 sites go through the agents. Twenty browsers listen first, then 300 and five that never
read, then twenty again: their delay is compared within one run. The browsers are a process of their own.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
from aiokafka import AIOKafkaProducer

from streams.config import LOOPBACK, Settings
from streams.core.partitions import partition_of
from streams.core.sites import Site
from streams.topology import AGENTS, PARTITIONS, TICKET_SCAN
from tests.beds import Bed, wait_for
from tests.bench import report, scans
from tests.programs import World

RATE = 1_000
FEW, MANY, MUTE = 20, 300, 5
MOST_MB = 50
_WARM_S = 10.0
Figures = dict[str, float]


class Load(threading.Thread):
    """A steady stream of scans in the background."""

    def __init__(self, servers: str) -> None:
        super().__init__(name="load", daemon=True)
        self._servers = servers
        self._over = threading.Event()
        self.sent = 0

    def run(self) -> None:
        """Send until ``finish``."""
        asyncio.run(self._send())

    async def _send(self) -> None:
        chance = random.Random(5)
        async with AIOKafkaProducer(bootstrap_servers=self._servers, linger_ms=5) as producer:
            begun = time.perf_counter()
            while not self._over.is_set():
                while self.sent < (time.perf_counter() - begun) * RATE:
                    now_ms = time.time_ns() // 1_000_000
                    site, value = scans.scan(self.sent, now_ms, now_ms, chance)
                    partition = partition_of(site, PARTITIONS)
                    await producer.send(TICKET_SCAN.topic, value, key=site.encode(), partition=partition)
                    self.sent += 1
                await asyncio.sleep(0.01)

    def finish(self) -> None:
        """Stop."""
        self._over.set()
        self.join(10)


class Memory(threading.Thread):
    """The resident memory of a process, once a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(name="memory", daemon=True)
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self.mb: list[float] = []

    def run(self) -> None:
        """Look until ``finish``."""
        while not self._over.wait(1.0):
            self.mb.append(self._process.memory_info().rss / 2**20)

    def finish(self) -> None:
        """Stop."""
        self._over.set()
        self.join(5)


def _listen(port: int, readers: int, mute: int, seconds: float, console: int) -> Figures:
    """Figures of one phase."""
    command = [sys.executable, "-m", "tests.bench.stream_clients", LOOPBACK, str(port), str(readers), str(mute)]
    process = psutil.Process(console)
    memory = Memory(console)
    before = process.cpu_times()
    begun = time.perf_counter()
    memory.start()
    done = subprocess.run(
        [*command, str(_WARM_S), str(seconds)], capture_output=True, text=True, check=False, timeout=seconds + 120
    )
    memory.finish()
    if done.returncode != 0:
        raise RuntimeError(f"the browsers ended with {done.returncode}: {done.stderr[-2000:]}")
    after = process.cpu_times()
    spent = after.user + after.system - before.user - before.system
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    figures["console_share"] = 100 * spent / (time.perf_counter() - begun)
    figures["mb_first"], figures["mb_last"], figures["mb_most"] = memory.mb[0], memory.mb[-1], max(memory.mb)
    figures["load"] = os.getloadavg()[0]
    return figures


def _rows(world: World, minutes: float) -> tuple[list[tuple[str, float, str]], list[str]]:
    world.publish([Site(name, "bench", f"Museum {name}", "Europe/Paris", capacity=5_000) for name in scans.SITES])
    load = Load(world.settings.kafka_servers)
    load.start()
    try:
        url = f"{world.console.address}/v1/now"
        wait_for(
            lambda: world.http.get(url).json()["network"]["sites_heard"] == len(scans.SITES),
            within_s=60,
            what="every site heard",
        )
        port, console = world.settings.console_port, world.console.pid
        aside_s = max(30.0, minutes * 12)
        before = _listen(port, FEW, 0, aside_s, console)
        many = _listen(port, MANY, MUTE, minutes * 60, console)
        after = _listen(port, FEW, 0, aside_s, console)
        behind = world.behind()[AGENTS]
    finally:
        load.finish()
    return _told(before, many, after, minutes, behind)


def _told(
    before: Figures, many: Figures, after: Figures, minutes: float, behind: int
) -> tuple[list[tuple[str, float, str]], list[str]]:
    rows = []
    for name, figures in (("20_before", before), ("300", many), ("20_after", after)):
        for kind in ("event", "line"):
            rows += [(f"{kind}_{part}_{name}", figures[f"{kind}_{part}"], "ms") for part in ("p50", "p95", "p99")]
        rows += [
            (f"console_{name}", figures["console_share"], "% of a core"),
            (f"browsers_{name}", figures["cpu_share"], "% of a core"),
            (f"load_{name}", figures["load"], "load average"),
        ]
    few_ms = (before["event_p95"] + after["event_p95"]) / 2
    ratio = many["event_p95"] / few_ms
    grown = many["mb_most"] - before["mb_last"]
    rows += [
        ("message_size", many["octets"] / max(1, many["messages"]) / 1000, "kB"),
        ("traffic_300", many["octets"] / (minutes * 60) / 1e6, "MB/s"),
        ("snapshots_300", many["snapshots"], "messages"),
        ("streams_lost_300", many["lost"], "streams"),
        ("lag_at_end", behind, "records"),
        ("memory_before", before["mb_last"], "MB"),
        ("memory_growth", grown, "MB"),
        ("p95_300_over_20", ratio, "ratio"),
    ]
    met = grown <= MOST_MB and 0.8 <= ratio <= 1.2 and not many["lost"]
    notes = [
        "event: newest event at the gateway → whole message at the browser; line: message made → whole at the browser",
        f"target: growth ≤ {MOST_MB} MB and p95 (event) of 300 within ±20 % of 20: {'met' if met else 'MISSED'}",
    ]
    return rows, notes


def main() -> None:
    """Measure, print, write ``build/bench/streams.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long the 300 listen")
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as folder:
        bed = Bed(Path(folder), Settings.model_validate({}).cache)
        world = World(bed, Path(folder) / "home")
        try:
            bed.start()
            world.start("agents", "console")
            rows, notes = _rows(world, minutes)
        finally:
            world.close()
            bed.close()
    report.publish("streams", rows, notes)


if __name__ == "__main__":
    main()
