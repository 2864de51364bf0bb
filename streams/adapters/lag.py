"""How far each program is behind its topics, from Kafka's own bookkeeping.

What Kafka has been told is what the fences and the landed blocks say, a moment later.
"""

import asyncio
from dataclasses import dataclass

import stamina
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError
from aiokafka.structs import OffsetAndMetadata

from streams.config import Settings
from streams.errors import Unavailable
from streams.topology import AGENTS, LANDED, LIVE, PARTITIONS, SINK

GROUPS = {
    AGENTS: tuple(family.topic for family in LIVE),
    SINK: tuple(family.topic for family in LANDED),
}


@dataclass(frozen=True, slots=True)
class Behind:
    """One group and topic partition; ``committed`` is ``None`` before the first commit."""

    group: str
    topic: str
    partition: int
    committed: int | None
    start: int
    end: int

    @property
    def records(self) -> int:
        """Records without an effect yet, as far as Kafka was told."""
        # The end is read before the commit: a busy group may have passed it meanwhile.
        return max(0, self.end - (self.start if self.committed is None else self.committed))


async def measure(servers: str) -> list[Behind]:
    """Every group and partition; raises ``Unavailable`` if Kafka does not answer."""
    partitions = [TopicPartition(topic, p) for t in GROUPS.values() for topic in t for p in range(PARTITIONS)]
    partitions = list(dict.fromkeys(partitions))
    admin = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=5_000)
    consumer: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(bootstrap_servers=servers, request_timeout_ms=5_000)
    try:
        await admin.start()
        await consumer.start()
        consumer.assign(partitions)  # asked of partitions that it does not know, it waits for a second
        consumer.pause(*partitions)
        starts = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        found = []
        for group, topics in GROUPS.items():
            told = await _told(admin, group)
            for tp in (one for one in partitions if one.topic in topics):
                entry = told.get(tp)
                committed = entry.offset if entry is not None and entry.offset >= 0 else None
                found.append(Behind(group, tp.topic, tp.partition, committed, starts[tp], ends[tp]))
    except (KafkaError, OSError) as error:
        raise Unavailable("kafka", repr(error)) from error
    finally:
        await consumer.stop()
        await admin.close()
    return found


async def _told(admin: AIOKafkaAdminClient, group: str) -> dict[TopicPartition, OffsetAndMetadata]:
    """What a group has committed; a broker that has just started makes its place for that at the first question."""
    for attempt in stamina.retry_context(
        on=GroupCoordinatorNotAvailableError, attempts=10, timeout=5.0, wait_initial=0.2
    ):
        with attempt:
            return dict(await admin.list_consumer_group_offsets(group))
    raise AssertionError("retry_context either returns or raises")


def lags(settings: Settings) -> dict[str, int]:
    """Group → records behind, over all its partitions."""
    totals = dict.fromkeys(GROUPS, 0)
    for one in asyncio.run(measure(settings.kafka_servers)):
        totals[one.group] += one.records
    return totals
