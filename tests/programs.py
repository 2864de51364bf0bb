"""Our programs as processes on a bed: start, kill and stop each, read its metrics, send it events."""

import asyncio
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import clickhouse_connect
import httpx2
import redis
from prometheus_client.parser import text_string_to_metric_families

from streams.adapters import keys, lag, readiness, site_topic
from streams.adapters.producer import Outgoing, Producer
from streams.cli.setup import setup
from streams.config import PREFIX, Settings
from streams.core.sites import Site
from tests.beds import Bed, Part, wait_for

NAMES = ("gateway", "agents", "sink", "console")
BATCH = "application/cloudevents-batch+json"


def environment(settings: Settings) -> dict[str, str]:
    """Settings as ``MUSEE_*`` variables."""
    given = settings.model_dump(mode="json", exclude_none=True)
    return {PREFIX + name.upper(): str(value) for name, value in given.items()}


def program(name: str) -> list[str]:
    """Command line of one of our programs."""
    return [sys.executable, "-m", "streams", name]


class World:
    """A bed with topics, tables and sites, and our four programs on it."""

    def __init__(self, bed: Bed, home: Path, **changes: object) -> None:
        self.bed = bed
        self.settings = bed.settings(home, **changes)
        self.gateway, self.agents, self.sink, self.console = (self._program(name) for name in NAMES)
        self.http = httpx2.Client(timeout=60)

    def _program(self, name: str) -> Part:
        port = getattr(self.settings, f"{name}_port")
        address = f"http://127.0.0.1:{port}"
        log = self.settings.home / "logs" / f"{name}.log"
        env = environment(self.settings)
        return Part(name, address, program(name), readiness.http(f"{address}/ready"), log=log, env=env)

    @property
    def programs(self) -> tuple[Part, Part, Part, Part]:
        """All four."""
        return self.gateway, self.agents, self.sink, self.console

    def start(self, *names: str) -> None:
        """Set up the stores and start the named programs side by side, all four if none is named."""
        asyncio.run(setup(self.settings, lambda _: None))
        wanted = [part for part in self.programs if not names or part.name in names]
        for part in wanted:
            part.spawn()
        for part in wanted:
            part.start()

    def revive(self) -> None:
        """All parts running, whatever the test before did to them."""
        for part in (*self.bed.parts, *self.programs):
            part.cont()
        self.bed.start()
        for part in self.programs:
            part.spawn()
        for part in self.programs:
            part.start()

    def close(self) -> None:
        """End our programs."""
        self.http.close()
        for part in self.programs:
            part.terminate()

    # -- sending -----------------------------------------------------------------------------------------------------

    @property
    def authorization(self) -> dict[str, str]:
        """The header that the gateway lets in."""
        return {"Authorization": f"Bearer {keys.dev_key(self.settings)}"}

    def post(self, events: list[dict[str, Any]], **headers: str) -> httpx2.Response:
        """POST a batch once; the answer as it is."""
        url = f"{self.gateway.address}/v1/events"
        return self.http.post(url, json=events, headers=self.authorization | {"Content-Type": BATCH} | headers)

    # -- looking -----------------------------------------------------------------------------------------------------

    def metric(self, part: Part, name: str, **labels: str) -> float:
        """A metric's value, summed over the label values that are not given; 0 if it is not there."""
        total = 0.0
        for family in text_string_to_metric_families(self.http.get(f"{part.address}/metrics").text):
            for sample in family.samples:
                if sample.name == name and all(sample.labels.get(key) == value for key, value in labels.items()):
                    total += sample.value
        return total

    def now(self, site: str) -> dict[str, Any]:
        """What ``/v1/now`` says of a site."""
        (document,) = self.http.get(f"{self.console.address}/v1/now", params={"site": site}).json()["sites"]
        return dict(document)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query to ClickHouse."""
        host, port = self.settings.clickhouse_url.removeprefix("http://").split(":")
        client = clickhouse_connect.get_client(host=host, port=int(port), autogenerate_session_id=False)
        try:
            return [tuple(row) for row in client.query(sql).result_rows]
        finally:
            client.close()

    def redis(self) -> redis.Redis:
        """A client of the live store that answers in text."""
        return redis.Redis.from_url(self.settings.redis_url, decode_responses=True)

    def behind(self) -> dict[str, int]:
        """Group → records behind."""
        return lag.lags(self.settings)

    def lag_rows(self) -> list[lag.Behind]:
        """Group, topic and partition: where each stands."""
        return asyncio.run(lag.measure(self.settings.kafka_servers))

    def publish(self, sites: list[Site]) -> None:
        """Make sites known to every program that runs."""
        before = {part: self._sites_read(part) for part in self.programs if part.running}
        self._with_producer(lambda producer: site_topic.publish(producer, sites, time.time_ns() // 1_000_000))
        for part, read in before.items():
            wait_for(
                lambda: self._sites_read(part) >= read + len(sites),  # noqa: B023 - called at once
                what=f"{part.name}'s knowing the sites",
            )

    def _sites_read(self, part: Part) -> float:
        return self.metric(part, "musee_reference_records_total", family="site")

    def write(self, topic: str, records: Sequence[Outgoing]) -> None:
        """Write records straight to a topic, as a producer with Kafka access would."""
        self._with_producer(lambda producer: producer.write(topic, records))

    def _with_producer(self, use: Callable[[Producer], Awaitable[None]]) -> None:
        async def run() -> None:
            producer = Producer(self.settings.kafka_servers, "tests", answer_s=30)
            try:
                await use(producer)
            finally:
                await producer.stop()

        asyncio.run(run())

    def wait_quiet(self, within_s: float = 60.0) -> None:
        """Wait until everything in Kafka is counted and landed."""
        wait_for(lambda: not any(self.behind().values()), within_s=within_s, what="counting and landing everything")


def scan(site: str, gate: str = "main-door", direction: str = "IN", **more: Any) -> dict[str, Any]:
    """A scan as a CloudEvent, happening now unless ``time`` says otherwise."""
    envelope = {
        "specversion": "1.0",
        "id": more.pop("id", str(uuid.uuid4())),
        "source": "/tests",
        "type": more.pop("type", "musee.ticket-scan.v1"),
        "time": more.pop("time", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())),
    }
    return envelope | {"data": {"site_id": site, "gate_id": gate, "direction": direction, **more}}
