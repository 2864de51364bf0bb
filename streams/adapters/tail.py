"""Follows a topic as a reader without a group, and shows its records as text.

Nothing is committed and nobody is disturbed. A record that cannot be decoded is shown as such, with its reason; a field
that the schema marks as personal is left out unless it is asked for. Called by ``musee tail``.
"""

import base64
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from streams.adapters import avro, registry
from streams.core import blocks
from streams.errors import Unavailable
from streams.topology import PARTITIONS

_POLL_MS = 500


@dataclass(frozen=True, slots=True)
class Shown:
    """One record.

    Attributes:
        appended_at: when the broker took it, RFC 3339, UTC.
        key: as text.
        fields: its values, ready for JSON; ``None`` if it could not be decoded.
        reason: why not, by the stable codes of dead letters; ``None`` if it could.
        size_bytes: of its value.
    """

    topic: str
    partition: int
    offset: int
    appended_at: str
    key: str | None
    fields: dict[str, object] | None
    reason: str | None
    size_bytes: int

    def as_json(self) -> dict[str, object]:
        """For machines; what does not apply is left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}


async def follow(
    servers: str, topic: str, *, start: Literal["beginning", "end"], pseudonyms: bool = False
) -> AsyncGenerator[Shown, None]:
    """The records of a topic, in order within each partition, without an end.

    Args:
        servers: of Kafka.
        topic: one of ours; all of its partitions are read.
        start: from the oldest record kept, or from what comes now.
        pseudonyms: show personal fields too.

    Raises:
        Unavailable: Kafka does not answer, or has no such topic.
    """
    consumer: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(
        bootstrap_servers=servers,
        enable_auto_commit=False,
        auto_offset_reset="earliest" if start == "beginning" else "latest",
        request_timeout_ms=10_000,
    )
    try:
        await consumer.start()
        if topic not in await consumer.topics():
            raise Unavailable("kafka", f"it has no topic {topic}; see musee topics")
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        await (consumer.seek_to_beginning if start == "beginning" else consumer.seek_to_end)(*partitions)
        while True:
            for records in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
                for record in records:
                    yield show(record, pseudonyms=pseudonyms)
    except (KafkaError, OSError) as error:
        raise Unavailable("kafka", str(error) or repr(error)) from error
    finally:
        with contextlib.suppress(KafkaError, OSError):
            await consumer.stop()


def show(record: "ConsumerRecord[bytes, bytes]", *, pseudonyms: bool) -> Shown:
    """A record as text; never fails, whatever the bytes."""
    fields: dict[str, object] | None = None
    reason: str | None = None
    try:
        decoded = avro.decode(record.value)
    except ValueError as error:
        reason = str(error.args[0])
    else:
        declared = registry.by_id(blocks.schema_id(record.value)).definition["fields"]
        hidden = {field["name"] for field in declared if field.get("pii", "none") != "none" and not pseudonyms}
        times = {field["name"] for field in declared if "timestamp-millis" in str(field["type"])}
        fields = {
            name: _of_ms(value) if name in times and isinstance(value, int) else plain(value)
            for name, value in decoded.items()
            if name not in hidden
        }
    return Shown(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        appended_at=_of_ms(record.timestamp),
        key=None if record.key is None else record.key.decode(errors="replace"),
        fields=fields,
        reason=reason,
        size_bytes=len(record.value or b""),
    )


def plain(value: object) -> object:
    """A decoded value as JSON can hold it: times as RFC 3339, bytes as base64."""
    match value:
        case datetime():
            return _moment(value)
        case UUID():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode()
        case dict():
            return {str(name): plain(one) for name, one in value.items()}
        case list() | tuple():
            return [plain(one) for one in value]
        case _:
            return value


def _of_ms(at_ms: int) -> str:
    """Epoch ms as RFC 3339; a number that no calendar holds stays a number."""
    try:
        return _moment(datetime.fromtimestamp(at_ms / 1000, UTC))
    except (OverflowError, OSError, ValueError):
        return str(at_ms)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
