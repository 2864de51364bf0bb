"""The ``site`` topic: the compacted truth of what every site's file says.

Programs read it whole at start and follow it; ``sites apply`` writes it. The last record of a key holds, a null value
removes the site.
"""

import asyncio
import contextlib
from dataclasses import asdict, fields
from zoneinfo import available_timezones

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.adapters import avro, registry
from streams.adapters.producer import Outgoing, Producer
from streams.core.sites import Gate, Site, Zone
from streams.errors import Unavailable
from streams.topology import PARTITIONS, SITE

log = structlog.get_logger(__name__)
_TIME_ZONES = frozenset(available_timezones())  # walks over files, 5 ms: a thousand sites would wait for it


def encode(site: Site, updated_at_ms: int) -> bytes:
    """A site as a framed value."""
    return avro.encode(registry.by_name(SITE.schema), {**asdict(site), "updated_at": updated_at_ms})


def decode(value: bytes) -> Site:
    """The site in a framed value; ``ValueError`` with a stable reason if it is not sound."""
    record = avro.decode(value, SITE.name)
    known = {field.name for field in fields(Site)}  # a newer program may say more
    said = {name: given for name, given in record.items() if name in known}
    said["zones"] = tuple(Zone(**zone) for zone in record["zones"])
    said["gates"] = tuple(Gate(**gate) for gate in record["gates"])
    said |= {name: tuple(record[name]) for name in ("themes", "handles") if name in record}
    if said["time_zone"] not in _TIME_ZONES or not 0 <= said["business_day_end_hour"] <= 12:
        raise ValueError("invalid")
    return Site(**said)


async def publish(producer: Producer, sites: list[Site], updated_at_ms: int) -> None:
    """Write ``sites`` to the topic; ``Unavailable`` if Kafka does not take them."""
    await producer.write(SITE.topic, [Outgoing(site.site_id, encode(site, updated_at_ms)) for site in sites])


async def read(servers: str, within_s: float = 15.0) -> dict[str, Site]:
    """All sites as they are now; ``Unavailable`` if Kafka does not give them in time."""
    topic = SiteTopic(servers)
    await topic.start()
    try:
        async with asyncio.timeout(within_s):
            await topic.wait_loaded()
    except TimeoutError:
        raise Unavailable("kafka", f"the site topic could not be read within {within_s:g} s") from None
    finally:
        await topic.stop()
    return dict(topic.sites)


class SiteTopic:
    """All sites, read from the topic and followed.

    Attributes:
        sites: by id; changes in place as the topic does.
    """

    def __init__(self, servers: str) -> None:
        self.sites: dict[str, Site] = {}
        self.changed = asyncio.Event()
        self._servers = servers
        self._loaded = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def loaded(self) -> bool:
        """Whether everything that lay in the topic at start has been read."""
        return self._loaded.is_set()

    async def start(self) -> None:
        """Begin reading; does not wait."""
        self._task = asyncio.create_task(self._follow(), name="site-topic")

    async def wait_loaded(self) -> None:
        """Wait until the topic has been read to the end it had at start."""
        await self._loaded.wait()

    async def stop(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

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
                log.warning("site topic is away, trying again", error=repr(error))
                await asyncio.sleep(1.0)
            except Exception:  # whoever follows the sites must not be left with old ones unseen
                log.exception("site topic cannot be followed, trying again")
                await asyncio.sleep(1.0)
            finally:
                with contextlib.suppress(KafkaError, OSError):
                    await consumer.stop()

    async def _read(self, consumer: "AIOKafkaConsumer[bytes, bytes]") -> None:
        partitions = [TopicPartition(SITE.topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        while True:
            if not self.loaded and await _reached(consumer, ends):
                self._loaded.set()
            for records in (await consumer.getmany(timeout_ms=200 if not self.loaded else 1000)).values():
                for record in records:
                    self._take(record.key, record.value)

    def _take(self, key: bytes | None, value: bytes | None) -> None:
        if value is None:
            self.sites.pop((key or b"").decode(errors="replace"), None)
        else:
            try:
                site = decode(value)
            except ValueError as error:
                log.warning("unreadable site left out", key=repr(key), reason=str(error))
                return
            self.sites[site.site_id] = site
        self.changed.set()


async def _reached(consumer: "AIOKafkaConsumer[bytes, bytes]", ends: dict[TopicPartition, int]) -> bool:
    for partition, end in ends.items():
        if await consumer.position(partition) < end:
            return False
    return True
