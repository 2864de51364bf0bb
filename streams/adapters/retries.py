"""Dead letters as a person works them off: what there is, and producing again what can succeed now.

Read from the topic itself, from its beginning: there it is whole, bytes included, the moment it is written. A record is
one dead letter however often it was written, known by where it lay and why. Whatever is produced again has its letter
written once more, by producer ``musee-dlq`` and without the bytes: it outlives the letter itself, is seen by everybody,
and no view counts it. A crash between the two produces the record a second time, which its event id makes harmless.
Called by ``musee dlq``.
"""

import contextlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.adapters import avro, dead_letters, registry
from streams.adapters.dead_letters import Culprit
from streams.adapters.producer import Outgoing, Producer
from streams.core import clocks
from streams.errors import Unavailable
from streams.topology import BY_TOPIC, DEAD_LETTER, PARTITIONS

RETRIER = "musee-dlq"  # producer of the letters that say so
BY_BYTES = frozenset({"null", "short", "magic", "truncated", "trailing", "invalid"})  # the same bytes fail again
BY_CLOCK = frozenset({"clock", "future"})  # the same time fails again: it must be shifted
Shift = int | Literal["auto"]
"""By how much an event's time is wrong, ms, or ``auto``: by what its device's clock was when it sent."""
_KEPT = 1024 * 1024  # bytes at which adapters.dead_letters cuts a record off
_WITHIN_S = 60.0
_AT_ONCE = 500  # records between two marks: a crash produces no more than these again


@dataclass(frozen=True, slots=True)
class Letter:
    """One record that was dead-lettered.

    Attributes:
        dead_ms: when it was found first.
        whole: all its bytes were kept.
        retried: it was produced again.
    """

    topic: str
    partition: int
    offset: int
    reason: str
    key: bytes | None
    value: bytes | None
    appended_ms: int
    dead_ms: int
    whole: bool
    retried: bool


@dataclass(frozen=True, slots=True)
class Retry:
    """What became of letters: produced again, done before, and (letter, why not) of those that cannot be."""

    produced: int
    before: int
    impossible: list[tuple[Letter, str]]


async def read(servers: str) -> list[Letter]:
    """All dead letters that the topic holds now, in the order in which they were found.

    Raises:
        Unavailable: Kafka does not answer, or not in time.
    """
    consumer: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(
        bootstrap_servers=servers, enable_auto_commit=False, auto_offset_reset="earliest", request_timeout_ms=10_000
    )
    found: list[Letter] = []
    try:
        await consumer.start()
        if DEAD_LETTER.topic not in await consumer.topics():
            raise Unavailable("kafka", f"it has no topic {DEAD_LETTER.topic}; see musee topics")
        partitions = [TopicPartition(DEAD_LETTER.topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        await consumer.seek_to_beginning(*partitions)
        deadline_s = time.monotonic() + _WITHIN_S
        for partition in partitions:
            while await consumer.position(partition) < ends[partition]:
                if time.monotonic() > deadline_s:
                    raise Unavailable("kafka", f"{DEAD_LETTER.topic} could not be read within {_WITHIN_S:g} s")
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += [letter for record in records if (letter := _letter(record.value)) is not None]
    except (KafkaError, OSError) as error:
        raise Unavailable("kafka", str(error) or repr(error)) from error
    finally:
        with contextlib.suppress(KafkaError, OSError):
            await consumer.stop()
    return _folded(found)


def _letter(value: bytes | None) -> Letter | None:
    """The letter in a record; ``None`` for what is none, whoever wrote it."""
    try:
        said = avro.decode(value, DEAD_LETTER.name)
    except ValueError:
        return None
    kept = said["value"]
    return Letter(
        topic=said["topic"],
        partition=said["partition"],
        offset=said["offset"],
        reason=said["reason"],
        key=said["key"],
        value=kept,
        appended_ms=said["appended_at"],
        dead_ms=said["dead_at"],
        whole=kept is None or len(kept) < _KEPT,
        retried=said["producer"] == RETRIER,
    )


def _folded(letters: Iterable[Letter]) -> list[Letter]:
    """One letter a record and reason, marked where it was produced again."""
    first: dict[tuple[str, int, int, str], Letter] = {}
    done = set()
    for one in sorted(letters, key=lambda letter: letter.dead_ms):
        place = (one.topic, one.partition, one.offset, one.reason)
        if one.retried:
            done.add(place)
        else:
            first.setdefault(place, one)
    return [replace(one, retried=place in done) for place, one in first.items()]


async def retry(
    producer: Producer, letters: Sequence[Letter], *, force: bool = False, shift: Shift | None = None
) -> Retry:
    """Produce again, in order, what was not yet; the right partition is the producer's affair.

    Args:
        producer: writes by Kafka's own partitioner.
        letters: which.
        force: also what would be dead-lettered again for what its bytes are.
        shift: what is added to the time of events whose clock was not believed.

    Raises:
        Unavailable: Kafka did not confirm; what it confirmed is marked, and a further try goes on behind it.
    """
    impossible: list[tuple[Letter, str]] = []
    possible: list[tuple[Letter, Outgoing]] = []
    before = 0
    for letter in letters:
        if letter.retried:
            before += 1
            continue
        try:
            possible.append((letter, _outgoing(letter, force=force) if shift is None else _shifted(letter, shift)))
        except ValueError as why:
            impossible.append((letter, str(why)))
    for start in range(0, len(possible), _AT_ONCE):
        some = possible[start : start + _AT_ONCE]
        for topic in dict.fromkeys(letter.topic for letter, _ in some):
            mine = [(letter, outgoing) for letter, outgoing in some if letter.topic == topic]
            await producer.write(topic, [outgoing for _, outgoing in mine])
            await dead_letters.write(producer, [_mark(letter) for letter, _ in mine], RETRIER)
    return Retry(len(possible), before, impossible)


def _outgoing(letter: Letter, *, force: bool) -> Outgoing:
    """The record as it is produced again, with its site as the key; ``ValueError`` says why it cannot be."""
    if letter.topic not in BY_TOPIC:
        raise ValueError(f"{letter.topic} is no topic of ours")
    if not letter.whole:
        raise ValueError("only its first bytes were kept")
    try:
        return Outgoing(str(avro.decode(letter.value, BY_TOPIC[letter.topic].name)["site_id"]), letter.value)
    except (ValueError, KeyError) as error:
        if not force:
            raise ValueError(f"it would fail again: {error.args[0]}") from None
    if letter.key is None:
        raise ValueError("it has no key, and its site cannot be read")
    try:
        return Outgoing(letter.key.decode(), letter.value)
    except UnicodeDecodeError:
        raise ValueError("its key is no text") from None


def _shifted(letter: Letter, shift: Shift) -> Outgoing:
    """The same event at another time, in its family's newest schema; ``ValueError`` says why it cannot be."""
    if letter.topic not in BY_TOPIC or not letter.whole:
        return _outgoing(letter, force=False)  # which says why not
    family = BY_TOPIC[letter.topic]
    try:
        record = avro.decode(letter.value, family.name)
    except ValueError as error:
        raise ValueError(f"it would fail again: {error.args[0]}") from None
    if shift == "auto":
        if record["sent_at"] is None:
            raise ValueError("it does not say when it was sent: say by how much, e.g. --shift +2h")
        shift = record["received_at"] - record["sent_at"]
    said_ms = record["occurred_at"]
    at_ms = said_ms + shift
    if clocks.is_future(at_ms, record["received_at"]):
        raise ValueError("its shifted time is in the future: more than 5 min after it was received")
    if at_ms < clocks.FIRST_MS:
        raise ValueError("its shifted time is before 2020, which no live site's is")
    schema = registry.by_name(family.schema)
    defaults = {field["name"]: field.get("default") for field in schema.definition["fields"]}
    device_ms = record.get("device_at")
    changed = {
        "occurred_at": at_ms,
        "device_at": said_ms if device_ms is None else device_ms,
        "clock_trust": "DRIFTING",
    }
    return Outgoing(str(record["site_id"]), avro.encode(schema, defaults | record | changed))


def _mark(letter: Letter) -> Culprit:
    return Culprit(
        topic=letter.topic,
        partition=letter.partition,
        offset=letter.offset,
        reason=letter.reason,
        detail="produced again by musee dlq retry",
        key=letter.key,
        value=None,
        appended_ms=letter.appended_ms,
    )
