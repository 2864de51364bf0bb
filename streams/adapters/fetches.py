"""The one reader of Kafka: a loop that turns polls into fetches which continue their predecessors.

The place to read from belongs to a store with an effect, never to Kafka: the agents ask the fence in Redis, the sink
what it has committed after landing. A *claim* is one sequence of records that began at that place. Records enter only
if they continue their claim; whoever finds a claim wrong drops it, and the next turn places the partition again. Only
this loop seeks, between polls.

Kills of workers, Redis and brokers, zombies and rebalances all end in "drop the claim, read the fence, seek"; nothing
else has to be got right. Continuity rests on event topics having neither compaction nor transactions: offsets have no
holes.

Used by ``agents.app`` and ``sink.worker`` as a service.
"""

import asyncio
import contextlib
import time
import zlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from mode import Service

from streams.adapters import metrics
from streams.adapters.claims import Claim, Fetch, Log, Partition
from streams.errors import Unavailable

log = structlog.get_logger(__name__)

_PLACING_S = 8.0  # a store that hangs must not keep us from polling: the group would throw us out

Place = Callable[[str, Mapping[int, Log]], Awaitable[Mapping[int, int | None]]]
"""(topic, partitions with their logs) → last offset whose effect the store holds; ``None``: ask again next turn."""


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """How a reader asks the broker; figures from measurement.

    Attributes:
        min_bytes: ends the broker's wait earlier; more than arrives during ``max_wait_ms`` fixes the number of polls.
        max_backlog: records read and not applied per topic before its partitions are paused.
    """

    servers: str
    group: str
    instance: str
    max_wait_ms: int = 25
    min_bytes: int = 1_000_000
    max_records: int = 4_000
    max_backlog: int = 100_000
    commit_every_s: float = 2.8


def _instance(name: str, topics: Collection[str]) -> str:
    """A member's name in its group, another one for other topics.

    A broker gives a static member that comes back what it had: one that asks for a new topic would never get it.
    """
    return f"{name}-{zlib.crc32(' '.join(sorted(topics)).encode()):08x}"


class Fetches(Service):
    """Reads topics and delivers fetches.

    Args:
        settings: where and how to read.
        topics: to subscribe to.
        place: asks the store where each partition stands.
        deliver: hands one fetch on; may wait.
    """

    def __init__(
        self,
        settings: ReaderSettings,
        topics: Collection[str],
        place: Place,
        deliver: Callable[[Fetch], Awaitable[None]],
    ) -> None:
        super().__init__()
        self.claims: dict[Partition, Claim] = {}
        self.assignments = 0
        self.turned_s = time.monotonic()
        self._settings = settings
        self._topics = list(topics)
        self._place = place
        self._deliver = deliver
        self._paused: set[TopicPartition] = set()
        self._committed: dict[TopicPartition, int] = {}
        self._committing: asyncio.Task[None] | None = None
        self._rewinds: dict[Partition, int] = {}
        self._unplaced: set[str] = set()
        self._heard_s = time.monotonic()
        self._newest_ms: int | None = None
        self._joined: AIOKafkaConsumer[bytes, bytes] | None = None

    def _new_consumer(self) -> "AIOKafkaConsumer[bytes, bytes]":
        settings = self._settings
        return AIOKafkaConsumer(
            bootstrap_servers=settings.servers,
            group_id=settings.group,
            group_instance_id=_instance(settings.instance, self._topics),
            client_id=settings.instance,
            enable_auto_commit=False,
            auto_offset_reset="none",
            session_timeout_ms=10_000,
            heartbeat_interval_ms=500,
            rebalance_timeout_ms=10_000,
            request_timeout_ms=20_000,
            fetch_max_wait_ms=settings.max_wait_ms,
            fetch_min_bytes=settings.min_bytes,
            max_partition_fetch_bytes=4 * 1024 * 1024,
            fetch_max_bytes=32 * 1024 * 1024,
        )

    @property
    def _consumer(self) -> "AIOKafkaConsumer[bytes, bytes]":
        if self._joined is None:
            raise RuntimeError("the reader was used before it was started")
        return self._joined

    # -- for the owners of effects ---------------------------------------------------------------------------------

    def stands(self, claim: Claim) -> bool:
        """Whether ``claim`` is still the one that its partition is read by."""
        return self.claims.get((claim.topic, claim.partition)) is claim

    def drop(self, claim: Claim, why: str) -> None:
        """Give up a claim that was found wrong; the partition is placed anew before the next poll."""
        if self.stands(claim):
            del self.claims[claim.topic, claim.partition]
            log.info("claim dropped", topic=claim.topic, partition=claim.partition, next=claim.next, why=why)

    def answered(self, within_s: float) -> bool:
        """Whether a broker has answered a fetch lately; partitions that are paused on purpose are not asked."""
        return time.monotonic() - self._heard_s < within_s

    def rewind(self, topic: str, partition: int, offset: int) -> None:
        """Read a partition again from ``offset``, whatever its store says: for an audit that misses something."""
        self._rewinds[topic, partition] = offset
        self.claims.pop((topic, partition), None)

    def crash_with(self, error: BaseException | None) -> None:
        """End the reader, and with it the program, because of ``error``."""
        self._crash(error or RuntimeError("unknown"))

    async def log_start(self, topic: str, partition: int) -> int:
        """First offset that Kafka still holds; raises ``Unavailable``."""
        tp = TopicPartition(topic, partition)
        try:
            start: int = (await self._consumer.beginning_offsets([tp]))[tp]
            return start
        except (KafkaError, OSError) as error:
            raise Unavailable("kafka", str(error)) from error

    def end(self, topic: str, partition: int) -> int | None:
        """The partition's log end as of the broker's last answer."""
        tp = TopicPartition(topic, partition)
        end: int | None = self._consumer.highwater(tp) if tp in self._consumer.assignment() else None
        return end

    async def committed(self, topic: str, partition: int) -> int | None:
        """Offset that the group has committed, ``None`` if never.

        Raises:
            Unavailable: Kafka does not answer.
        """
        try:
            offset: int | None = await self._consumer.committed(TopicPartition(topic, partition))
            return offset
        except (KafkaError, OSError) as error:
            raise Unavailable("kafka", str(error)) from error

    async def first_since(
        self, topic: str, at_ms: int, partitions: Collection[int]
    ) -> dict[int, tuple[int, int] | None]:
        """Offset and time of the first record appended at or after ``at_ms`` (epoch ms), ``None`` if there is none."""
        asked = {TopicPartition(topic, number): at_ms for number in partitions}
        try:
            found = await self._consumer.offsets_for_times(asked)
        except (KafkaError, OSError) as error:
            raise Unavailable("kafka", str(error)) from error
        return {tp.partition: None if hit is None else (hit.offset, hit.timestamp) for tp, hit in found.items()}

    async def commit(self) -> None:
        """Tell Kafka what the claims say: applied + 1 of each. An error is noted; the next turn tells it again."""
        offsets: dict[TopicPartition, int] = {}
        for claim in self.claims.values():
            tp = TopicPartition(claim.topic, claim.partition)
            if claim.applied >= 0 and self._committed.get(tp) != claim.applied + 1:
                offsets[tp] = claim.applied + 1
        if not offsets or (self._committing is not None and not self._committing.done()):
            return
        # A commit that is retried across a rebalance would go out under the next generation: it can be cancelled.
        self._committing = asyncio.ensure_future(self._consumer.commit(offsets))
        try:
            await self._committing
        except asyncio.CancelledError:
            if self._committing.cancelled():
                return
            raise
        except (KafkaError, OSError) as error:
            log.warning("commit failed", error=repr(error))
        else:
            self._committed |= offsets

    # -- life --------------------------------------------------------------------------------------------------------

    async def on_start(self) -> None:
        """Join the group; waits for Kafka as long as it takes."""
        while not self.should_stop:
            self.turned_s = time.monotonic()
            consumer = self._new_consumer()
            try:
                await consumer.start()
            except (KafkaError, OSError) as error:
                log.warning("kafka is away, trying again", error=repr(error))
                await consumer.stop()
                await self.sleep(1.0)
                continue
            self._joined = consumer
            self._heard_s = time.monotonic()
            consumer.subscribe(self._topics, listener=_ClearsClaims(self))
            return

    async def on_stop(self) -> None:
        """Commit once more and leave."""
        if self._joined is None:
            return
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.commit(), 3.0)
        with contextlib.suppress(asyncio.TimeoutError, KafkaError, OSError):
            await asyncio.wait_for(self._consumer.stop(), 5.0)

    @Service.task
    async def _committer(self) -> None:
        while not self.should_stop:
            await self.sleep(self._settings.commit_every_s)
            await self.commit()

    @Service.task
    async def _reader(self) -> None:
        while not self.should_stop:
            self.turned_s = time.monotonic()
            try:
                await self._turn()
            except (OffsetOutOfRangeError, NoOffsetForPartitionError) as error:
                log.info("position unknown to Kafka, placing again", error=repr(error))
                unknown = error.args[0] if error.args else ()
                for tp in [unknown] if isinstance(unknown, TopicPartition) else list(unknown):
                    self.claims.pop((tp.topic, tp.partition), None)
                await self.sleep(0.05)
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("kafka is away, holding", error=repr(error))
                await self.sleep(0.5)

    async def _turn(self) -> None:
        """Place what has no claim, poll once, let in what continues its claim."""
        await self._place_unclaimed()
        self._throttle()
        polled = await self._consumer.getmany(
            timeout_ms=4 * self._settings.max_wait_ms, max_records=self._settings.max_records
        )
        for tp, records in polled.items():
            claim = self.claims.get((tp.topic, tp.partition))
            if claim is None:
                continue  # placing it will seek back
            if records[0].offset != claim.next or records[-1].offset != claim.next + len(records) - 1:
                self.drop(claim, f"records {records[0].offset} to {records[-1].offset}")
                continue
            prev = claim.next - 1
            claim.extend(records[-1].offset)
            self._mark(tp, claim)
            await self._deliver(Fetch(claim, prev, claim.next - 1, [one.value for one in records], records))
        self._listen()
        for (topic, partition), claim in list(self.claims.items()):
            self._mark(TopicPartition(topic, partition), claim)
            claim.advance(claim.applied)

    def _listen(self) -> None:
        """Note whether a broker has answered since the last turn, or nothing was asked."""
        asked = self._consumer.assignment() - self._consumer.paused()
        newest_ms = max((self._consumer.last_poll_timestamp(tp) or 0 for tp in asked), default=None)
        if newest_ms is None or newest_ms != self._newest_ms:
            self._newest_ms = newest_ms
            self._heard_s = time.monotonic()

    def _mark(self, tp: TopicPartition, claim: Claim) -> None:
        """Note that all that lay in the log when the broker last answered has been read."""
        if tp not in self._consumer.assignment():
            return
        end = self._consumer.highwater(tp)
        answered_ms = self._consumer.last_poll_timestamp(tp)
        if end is not None and answered_ms is not None and claim.next >= end:
            claim.behind_from, claim.complete_at_ms = claim.next, int(answered_ms)

    async def _place_unclaimed(self) -> None:
        assigned = self._consumer.assignment()
        without = [tp for tp in assigned if (tp.topic, tp.partition) not in self.claims]
        if not without:
            return
        async with asyncio.timeout(_PLACING_S):
            starts = await self._consumer.beginning_offsets(without)
            ends = await self._consumer.end_offsets(without)
        self.turned_s = time.monotonic()
        for topic in {tp.topic for tp in without}:
            logs = {tp.partition: Log(starts[tp], ends[tp]) for tp in without if tp.topic == topic}
            try:
                async with asyncio.timeout(_PLACING_S):
                    places = await self._place(topic, logs)
            except (Unavailable, TimeoutError) as error:
                if topic not in self._unplaced:
                    log.warning("cannot place, holding", topic=topic, error=repr(error))
                self._unplaced.add(topic)
                await self.sleep(0.2)
                continue
            finally:
                self.turned_s = time.monotonic()
            self._unplaced.discard(topic)
            placed = {partition: applied + 1 for partition, applied in places.items() if applied is not None}
            log.info("placed", topic=topic, next=placed)
            for partition, applied in places.items():
                tp = TopicPartition(topic, partition)
                # A rebalance may have happened while the store was asked.
                if applied is None or tp not in self._consumer.assignment():
                    continue
                applied = self._rewinds.pop((topic, partition), applied + 1) - 1
                self._consumer.seek(tp, applied + 1)
                self.claims[topic, partition] = Claim(topic, partition, applied + 1, applied)

    def _throttle(self) -> None:
        """Pause what has no claim, and every partition of a topic whose owner is too far behind; resume the others."""
        backlog: dict[str, int] = {}
        for claim in self.claims.values():
            backlog[claim.topic] = backlog.get(claim.topic, 0) + claim.backlog
        assigned = self._consumer.assignment()
        held = {
            tp
            for tp in assigned
            if (tp.topic, tp.partition) not in self.claims or backlog.get(tp.topic, 0) > self._settings.max_backlog
        }
        actual = self._consumer.paused()  # a rebalance forgets pauses: ask, do not remember
        if held - actual:
            self._consumer.pause(*(held - actual))
        if actual - held:
            self._consumer.resume(*(actual - held))


class _ClearsClaims(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """On any change of the assignment all claims are void."""

    def __init__(self, fetches: Fetches) -> None:
        self._fetches = fetches

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        self._fetches.claims.clear()
        if self._fetches._committing is not None:
            self._fetches._committing.cancel()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._fetches.claims.clear()
        self._fetches._committed.clear()
        self._fetches.assignments += 1
        metrics.ASSIGNMENTS.inc()
        log.info("assigned", partitions=len(assigned))
