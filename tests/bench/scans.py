"""Records to measure with: scans of many sites, framed as the gateway would frame them."""

import random
import time
import uuid
from collections.abc import Iterator
from typing import Any

from aiokafka import AIOKafkaProducer

from streams.adapters import avro, registry
from streams.core.partitions import partition_of
from streams.topology import PARTITIONS, TICKET_SCAN

SITES = [f"museum-{number:03d}" for number in range(200)]
_SCHEMA = registry.by_name(TICKET_SCAN.schema)


def scan(number: int, occurred_ms: int, received_ms: int, chance: random.Random) -> tuple[str, bytes]:
    """(site, framed value) of one scan."""
    site = chance.choice(SITES)
    record = {
        "event_id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        "org_id": "bench",
        "site_id": site,
        "zone_id": None,
        "gate_id": f"gate-{chance.randrange(4)}",
        "device_id": f"turnstile-{chance.randrange(8)}",
        "seq": number,
        "occurred_at": occurred_ms,
        "sent_at": None,
        "received_at": received_ms,
        "clock_trust": "UNKNOWN",
        "ingest_mode": "LIVE",
        "corrects": None,
        "producer": "bench",
        "test": False,
        "direction": "IN" if chance.random() < 0.52 else "OUT",
        "outcome": "ACCEPTED" if chance.random() < 0.98 else "DENIED",
        "reason": None,
        "party_size": 1,
        "tariff": None,
        "ticket_pid": f"{chance.getrandbits(128):032x}",
        "offline": None,
        "forced": None,
        "slot_at": None,
        "device_at": None,
    }
    return site, avro.encode(_SCHEMA, record)


def backlog(count: int, seed: int = 7) -> Iterator[tuple[str, bytes]]:
    """``count`` scans of the last ten minutes, in order."""
    chance = random.Random(seed)
    now_ms = time.time_ns() // 1_000_000
    for number in range(count):
        at_ms = now_ms - 600_000 + number * 600_000 // count
        yield scan(number, at_ms, at_ms, chance)


async def fill(servers: str, topic: str, count: int, seed: int = 7) -> None:
    """Write a backlog of ``count`` scans."""
    async with AIOKafkaProducer(bootstrap_servers=servers, max_batch_size=512 * 1024, linger_ms=5) as producer:
        builders: dict[int, Any] = {}
        for site, value in backlog(count, seed):
            partition = partition_of(site, PARTITIONS)
            builder = builders.get(partition)
            if builder is None or builder.append(key=site.encode(), value=value, timestamp=None) is None:
                if builder is not None:
                    await producer.send_batch(builder, topic, partition=partition)
                builder = builders[partition] = producer.create_batch()
                builder.append(key=site.encode(), value=value, timestamp=None)
        for partition, builder in builders.items():
            await producer.send_batch(builder, topic, partition=partition)
        await producer.flush()
