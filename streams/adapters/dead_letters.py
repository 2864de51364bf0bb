"""Writes dead letters: the record's bytes, where it lay, and a stable reason.

At least once: a crash between writing and moving on writes it again, under the same coordinates, by which it is one.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from streams.adapters import avro, metrics, registry
from streams.adapters.producer import Outgoing, Producer
from streams.topology import DEAD_LETTER

_MOST = 1024 * 1024  # bytes of a record that are kept: a dead letter must itself fit into Kafka


@dataclass(frozen=True, slots=True)
class Culprit:
    """One record that can never be counted or landed."""

    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    key: bytes | None
    value: bytes | None
    appended_ms: int


def _cut_short(value: bytes | None) -> str:
    return "" if value is None or len(value) <= _MOST else f"; only the first {_MOST} of {len(value)} bytes are kept"


async def write(producer: Producer, culprits: Sequence[Culprit], program: str) -> None:
    """Write ``culprits`` to the dead-letter topic; ``Unavailable`` if Kafka did not confirm all of them."""
    schema = registry.by_name(DEAD_LETTER.schema)
    outgoing = []
    for culprit in culprits:
        record = {
            "topic": culprit.topic,
            "partition": culprit.partition,
            "offset": culprit.offset,
            "reason": culprit.reason,
            "detail": culprit.detail + _cut_short(culprit.value),
            "key": None if culprit.key is None else culprit.key[: _MOST // 4],
            "value": None if culprit.value is None else culprit.value[:_MOST],
            "appended_at": culprit.appended_ms,
            "dead_at": time.time_ns() // 1_000_000,
            "producer": program,
        }
        outgoing.append(Outgoing(f"{culprit.topic}/{culprit.partition}", avro.encode(schema, record)))
    await producer.write(DEAD_LETTER.topic, outgoing)
    for culprit in culprits:
        metrics.DEAD_LETTERS.labels(culprit.reason).inc()
