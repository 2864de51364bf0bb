"""The ``alert`` topic as people read it: what was said lately, and what comes.

An alert may be said twice, since whoever finds one half said says it again under a greater version: those who follow
are told once. Nothing is committed. Called by ``musee alerts``.
"""

import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from streams.adapters import alert_topic
from streams.core import alert_board
from streams.core.alerts import Alert
from streams.errors import Unavailable
from streams.topology import ALERT, PARTITIONS

_POLL_MS = 300
_WITHIN_S = 30.0
_PLACES = tuple(TopicPartition(ALERT.topic, number) for number in range(PARTITIONS))


class Once:
    """Lets each change of an alert through once: the newest, and not again what differs in nothing but its version."""

    def __init__(self) -> None:
        self._said: dict[str, Alert] = {}

    def is_news(self, alert: Alert) -> bool:
        """Whether it tells anything that was not told before; remembers it."""
        stood = self._said.get(alert.alert_id)
        if stood is not None and alert.version <= stood.version:
            return False
        self._said[alert.alert_id] = alert
        return stood is None or replace(alert, version=stood.version) != stood


async def recent(servers: str, since_ms: int) -> dict[str, Alert]:
    """Alert id → what was said of it last, of all alerts of which something was said since an instant (epoch ms).

    Raises:
        Unavailable: Kafka does not answer, or not in time.
    """
    found: list[Alert] = []
    async with _consumer(servers) as consumer:
        ends = await consumer.end_offsets(_PLACES)
        starts = await consumer.offsets_for_times(dict.fromkeys(_PLACES, since_ms))
        for place in _PLACES:
            since = starts.get(place)
            consumer.seek(place, ends[place] if since is None else since.offset)
        deadline_s = time.monotonic() + _WITHIN_S
        for place in _PLACES:
            while await consumer.position(place) < ends[place]:
                if time.monotonic() > deadline_s:
                    raise Unavailable("kafka", f"{ALERT.topic} could not be read within {_WITHIN_S:g} s")
                for records in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
                    found += [alert for record in records if (alert := _alert(record)) is not None]
    return alert_board.newest(found)


async def follow(servers: str) -> AsyncGenerator[Alert | None, None]:
    """What is said from now on, without an end: ``None`` once listening began, then each change of an alert once.

    Raises:
        Unavailable: Kafka does not answer.
    """
    once = Once()
    async with _consumer(servers) as consumer:
        for place, end in (await consumer.end_offsets(_PLACES)).items():
            consumer.seek(place, end)
        yield None
        while True:
            for records in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
                for record in records:
                    alert = _alert(record)
                    if alert is not None and once.is_news(alert):
                        yield alert


def _alert(record: "ConsumerRecord[bytes, bytes]") -> Alert | None:
    """The alert in a record; ``None`` for what is none: the sink dead-letters it."""
    try:
        return alert_topic.alert(record.value)
    except ValueError:
        return None


@asynccontextmanager
async def _consumer(servers: str) -> "AsyncIterator[AIOKafkaConsumer[bytes, bytes]]":
    consumer: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(
        bootstrap_servers=servers, enable_auto_commit=False, auto_offset_reset="earliest", request_timeout_ms=10_000
    )
    try:
        await consumer.start()
        if ALERT.topic not in await consumer.topics():
            raise Unavailable("kafka", f"it has no topic {ALERT.topic}; see musee topics")
        consumer.assign(list(_PLACES))
        yield consumer
    except (KafkaError, OSError) as error:
        raise Unavailable("kafka", str(error) or repr(error)) from error
    finally:
        with contextlib.suppress(KafkaError, OSError):
            await consumer.stop()
