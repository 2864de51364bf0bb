"""What was said of windows, as it lies in Kafka and in ClickHouse, and what should have been said."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.adapters import avro
from streams.core.days import MINUTE_MS
from streams.core.windows import QUARTER_MS
from streams.topology import ATTENDANCE_WINDOW, PARTITIONS
from tests.flows.truth import Cell
from tests.programs import World

Place = tuple[str, str | None, int]  # site, gate (null: the whole site), start of the quarter-hour in epoch ms
Figures = tuple[int, int, int]  # entries, exits, denied
METRICS = ("entries", "exits", "denied")


def of_cells(cells: Mapping[Cell, int], before_ms: int | None = None) -> dict[Place, Figures]:
    """Quarter-hours as sums of minutes, of each gate and of the site; only those that end before a time."""
    sums: dict[Place, Counter[str]] = defaultdict(Counter)
    for (site, gate, minute, metric), people in cells.items():
        at_ms = round(datetime.strptime(minute, "%Y-%m-%dT%H:%M").replace(tzinfo=UTC).timestamp() * 1000)
        start_ms = at_ms // QUARTER_MS * QUARTER_MS
        if before_ms is None or start_ms + QUARTER_MS <= before_ms:
            for place in (gate, None):
                sums[site, place, start_ms][metric] += people
    return {place: (told["entries"], told["exits"], told["denied"]) for place, told in sums.items()}


async def records(servers: str, prefix: str) -> list[dict[str, Any]]:
    """Everything that the topic holds of the sites called ``prefix-N``."""
    consumer: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(ATTENDANCE_WINDOW.topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        found = []
        while [tp for tp in partitions if await consumer.position(tp) < ends[tp]]:
            for some in (await consumer.getmany(timeout_ms=200)).values():
                found += [avro.decode(one.value, ATTENDANCE_WINDOW.name) for one in some]
    finally:
        await consumer.stop()
    return [one for one in found if one["site_id"].startswith(f"{prefix}-")]


def published(world: World, prefix: str) -> list[dict[str, Any]]:
    """The same, from a test that is no coroutine."""
    return asyncio.run(records(world.settings.kafka_servers, prefix))


def place(record: Mapping[str, Any]) -> Place:
    return record["site_id"], record["gate_id"], record["start_at"]


def figures(record: Mapping[str, Any]) -> Figures:
    return record["entries"], record["exits"], record["denied"]


def last(told: Iterable[Mapping[str, Any]]) -> dict[Place, Figures]:
    """What the greatest revision says of each."""
    greatest: dict[Place, Mapping[str, Any]] = {}
    for one in told:
        if place(one) not in greatest or one["revision"] > greatest[place(one)]["revision"]:
            greatest[place(one)] = one
    return {where: figures(one) for where, one in greatest.items()}


def ambiguous(told: Iterable[Mapping[str, Any]]) -> list[tuple[Place, int]]:
    """Where one revision was said with different contents."""
    said: dict[tuple[Place, int], set[tuple[Any, ...]]] = defaultdict(set)
    for one in told:
        contents = tuple(one[name] for name in (*METRICS, *(f"{name}_before" for name in METRICS), "cause"))
        said[place(one), one["revision"]].add(contents)
    return [which for which, contents in said.items() if len(contents) > 1]


def landed(world: World, prefix: str) -> dict[Place, Figures]:
    """What ``v_attendance_window`` shows."""
    rows = world.query(
        "SELECT site_id, gate_id, toUnixTimestamp(ts_utc) * 1000, entries, exits, denied "
        f"FROM musee.v_attendance_window WHERE startsWith(site_id, '{prefix}-')"
    )
    return {(site, gate, int(at_ms)): (entries, exits, denied) for site, gate, at_ms, entries, exits, denied in rows}


def minute_of(at_ms: int) -> str:
    """As a truth names it."""
    return datetime.fromtimestamp(at_ms // MINUTE_MS * 60, UTC).strftime("%Y-%m-%dT%H:%M")
