"""Writes framed values to Kafka; returns only when every replica has them.

``acks=all`` and no idempotence: a stuck sequence number would block the door, and a doubled record is harmless, since
its event id is known by then. Used by the gateway, ``sites apply`` and whoever dead-letters.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from streams.core.partitions import partition_of
from streams.errors import Unavailable
from streams.topology import PARTITIONS

_SINGLY = 8  # fewer records than this share the producer's own batches; a builder of their own costs less from there on
_BATCH_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to write: ``key`` decides the partition."""

    key: str
    value: bytes | None


class Producer:
    """One producer of a program.

    Args:
        servers: bootstrap servers.
        client_id: as it shows in the broker's metrics.
        answer_s: seconds after which a write counts as failed; the record may still arrive, which is harmless.
    """

    def __init__(self, servers: str, client_id: str, answer_s: float = 4.0) -> None:
        self._servers = servers
        self._client_id = client_id
        self._answer_s = answer_s
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def _connected(self) -> AIOKafkaProducer:
        """The client library's producer; connects at the first call, raises ``Unavailable`` if it cannot."""
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._servers,
                    client_id=self._client_id,
                    acks="all",
                    enable_idempotence=False,
                    linger_ms=2,
                    max_batch_size=_BATCH_BYTES,
                    max_request_size=4 * 1024 * 1024,
                    request_timeout_ms=int(self._answer_s * 1000),
                    retry_backoff_ms=100,
                    metadata_max_age_ms=30_000,
                )
                try:
                    await asyncio.wait_for(producer.start(), self._answer_s)
                except (KafkaError, OSError, TimeoutError) as error:
                    await producer.stop()
                    raise Unavailable("kafka", repr(error)) from error
                self._producer = producer
            return self._producer

    async def reachable(self) -> bool:
        """Whether a broker answers a metadata request now."""
        try:
            producer = await self._connected()
            async with asyncio.timeout(self._answer_s):
                await producer.client.fetch_all_metadata()
        except (Unavailable, KafkaError, OSError, TimeoutError):
            return False
        return True

    async def stop(self) -> None:
        """Send what waits, for two seconds at most, and disconnect."""
        producer = self._producer
        if producer is None:
            return
        with contextlib.suppress(TimeoutError, KafkaError, OSError):
            await asyncio.wait_for(producer.stop(), 2.0)

    async def write(self, topic: str, records: Sequence[Outgoing]) -> None:
        """Write ``records``, in order per key; returns when all replicas have all of them.

        Raises:
            Unavailable: Kafka did not say so in time; any of the records may or may not have been written.
        """
        producer = await self._connected()
        try:
            async with asyncio.timeout(self._answer_s):
                for written in await _hand_over(producer, topic, records):
                    await written
        except MessageSizeTooLargeError:
            raise  # never passes, however often it is tried: a bug of the caller
        except (KafkaError, OSError, TimeoutError, AssertionError) as error:
            # aiokafka asserts that the topic has the partition: false for a topic that somebody else made.
            if isinstance(error, KafkaError) and not error.retriable:
                await self._start_anew(producer)
            raise Unavailable("kafka", repr(error)) from error

    async def _start_anew(self, broken: AIOKafkaProducer) -> None:
        """Forget a client whose sender may have ended; the next write makes another."""
        stop = broken.stop
        if self._producer is broken:
            self._producer = None
            with contextlib.suppress(TimeoutError, KafkaError, OSError):
                await asyncio.wait_for(stop(), 0.5)


async def _hand_over(
    producer: AIOKafkaProducer, topic: str, records: Sequence[Outgoing]
) -> list["asyncio.Future[object]"]:
    by_partition: dict[int, list[Outgoing]] = defaultdict(list)
    for record in records:
        by_partition[partition_of(record.key, PARTITIONS)].append(record)
    futures: list[asyncio.Future[object]] = []
    for partition, group in by_partition.items():
        if len(group) < _SINGLY:
            for record in group:
                key = record.key.encode()
                futures.append(await producer.send(topic, record.value, key=key, partition=partition))
            continue
        builder = producer.create_batch()
        for record in group:
            key = record.key.encode()
            if builder.append(key=key, value=record.value, timestamp=None) is None:  # full
                futures.append(await producer.send_batch(builder, topic, partition=partition))
                builder = producer.create_batch()
                builder.append(key=key, value=record.value, timestamp=None)
        futures.append(await producer.send_batch(builder, topic, partition=partition))
    return futures
