"""A compacted topic of reference records, read whole at start and followed.

The last record of a key holds, a null value removes it. ``site_topic`` and ``calendar_topic`` say what lies in theirs.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Generic, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.adapters import metrics
from streams.errors import Unavailable
from streams.topology import PARTITIONS, Family

log = structlog.get_logger(__name__)
Thing = TypeVar("Thing")


class ReferenceTopic(Generic[Thing]):
    """All records of a family as they are now.

    Args:
        servers: bootstrap servers.
        family: whose topic.
        decode: key and value of the thing that a framed value holds; ``ValueError`` with a stable reason if it is not
            sound.

    Attributes:
        known: by key; changes in place as the topic does.
        changed: set at every change, for one reader to clear.
    """

    def __init__(self, servers: str, family: Family, decode: Callable[[bytes], tuple[str, Thing]]) -> None:
        self.known: dict[str, Thing] = {}
        self.changed = asyncio.Event()
        self._servers = servers
        self._family = family
        self._decode = decode
        self._loaded = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def loaded(self) -> bool:
        """Whether everything that lay in the topic at start has been read."""
        return self._loaded.is_set()

    async def start(self) -> None:
        """Begin reading; does not wait."""
        self._task = asyncio.create_task(self._follow(), name=f"{self._family.name}-topic")

    async def wait_loaded(self) -> None:
        """Wait until the topic has been read to the end it had at start."""
        await self._loaded.wait()

    async def stop(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def once(self, within_s: float) -> dict[str, Thing]:
        """All records as they are now; ``Unavailable`` if Kafka does not give them in time."""
        await self.start()
        try:
            async with asyncio.timeout(within_s):
                await self.wait_loaded()
        except TimeoutError:
            name = self._family.name
            raise Unavailable("kafka", f"the {name} topic could not be read within {within_s:g} s") from None
        finally:
            await self.stop()
        return dict(self.known)

    async def _follow(self) -> None:
        while True:
            consumer: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(
                bootstrap_servers=self._servers,
                auto_offset_reset="earliest",
                enable_auto_commit=False,
                fetch_max_wait_ms=500,
                request_timeout_ms=20_000,
            )
            try:
                await consumer.start()
                await self._read(consumer)
            except (KafkaError, OSError, Unavailable) as error:
                log.warning("topic is away, trying again", family=self._family.name, error=repr(error))
                await asyncio.sleep(1.0)
            except Exception:  # whoever follows must not be left with old records unseen
                log.exception("topic cannot be followed, trying again", family=self._family.name)
                await asyncio.sleep(1.0)
            finally:
                with contextlib.suppress(KafkaError, OSError):
                    await consumer.stop()

    async def _read(self, consumer: "AIOKafkaConsumer[bytes, bytes]") -> None:
        partitions = [TopicPartition(self._family.topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        while True:
            if not self.loaded and await _reached(consumer, ends):
                self._loaded.set()
            for records in (await consumer.getmany(timeout_ms=200 if not self.loaded else 1000)).values():
                for record in records:
                    self._take(record.key, record.value)
                metrics.REFERENCE.labels(self._family.name).inc(len(records))

    def _take(self, key: bytes | None, value: bytes | None) -> None:
        if value is None:
            self.known.pop((key or b"").decode(errors="replace"), None)
        else:
            try:
                name, thing = self._decode(value)
            except ValueError as error:
                log.warning("unreadable record left out", family=self._family.name, key=repr(key), reason=str(error))
                return
            self.known[name] = thing
        self.changed.set()


async def _reached(consumer: "AIOKafkaConsumer[bytes, bytes]", ends: dict[TopicPartition, int]) -> bool:
    for partition, end in ends.items():
        if await consumer.position(partition) < end:
            return False
    return True
