"""Framed values → one Avro object-container block, without decoding them.

A Kafka value is ``0x00``, a 4-byte schema id and an Avro body (Confluent framing). An Avro record is the plain
concatenation of its fields, so bodies of one schema can be joined behind one container header, with two varints
(partition, offset) in front of each and a canary behind. polars decodes such a block for the live path, ClickHouse for
history; nobody touches a record in Python.

The canary is a constant ``long`` after the writer's last field. A damaged record shifts its neighbours without any
error from the decoder; the canary then reads as something else, and the block is refused instead of being believed.

Used by ``adapters.frames`` (live) and ``sink.landing`` (history). Pure.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

MAGIC = 0
HEAD_BYTES = 5  # magic byte and schema id
CANARY = 0x4D75_7365_6531  # "Musee1": seven varint bytes that no field of ours holds by accident
COORDINATES = ("_partition", "_offset")
CANARY_FIELD = "_tail"

_CONTAINER_MAGIC = b"Obj\x01"
_SYNC = b"data-musee-block"  # 16 bytes; any constant will do, a block stands alone


def varint(number: int) -> bytes:
    """Avro's zigzag varint of a long.

    Source: Apache Avro 1.12 specification, "Binary encoding".
    """
    return _base128((number << 1) ^ (number >> 63))


def _base128(number: int) -> bytes:
    """An unsigned number in groups of seven bits, the lowest first."""
    out = bytearray()
    while number > 0x7F:
        out.append((number & 0x7F) | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_CANARY_BYTES = varint(CANARY)
_LOW = tuple(bytes([low | 0x80]) for low in range(0x80))


def head(schema_id: int) -> bytes:
    """The five bytes in front of every value written with ``schema_id``."""
    return bytes([MAGIC]) + schema_id.to_bytes(4, "big")


def schema_id(value: bytes | None) -> int:
    """Schema id of a framed value.

    Raises:
        ValueError: with the stable reason ``null``, ``short`` or ``magic`` as its only argument.
    """
    if value is None:
        raise ValueError("null")
    if len(value) < HEAD_BYTES:
        raise ValueError("short")
    if value[0] != MAGIC:
        raise ValueError("magic")
    return int.from_bytes(value[1:HEAD_BYTES], "big")


def _bytes_field(data: bytes) -> bytes:
    return varint(len(data)) + data


@lru_cache(maxsize=256)
def _container_head(schema_json: str, *, coordinates: bool) -> bytes:
    schema = json.loads(schema_json)
    if coordinates:
        places = [{"name": "_partition", "type": "int"}, {"name": "_offset", "type": "long"}]
        schema["fields"] = places + schema["fields"]
    schema["fields"] = [*schema["fields"], {"name": CANARY_FIELD, "type": "long"}]
    text = json.dumps(schema, separators=(",", ":")).encode()
    meta = varint(2) + _bytes_field(b"avro.schema") + _bytes_field(text)
    meta += _bytes_field(b"avro.codec") + _bytes_field(b"null") + b"\x00"
    return _CONTAINER_MAGIC + meta + _SYNC


@dataclass(frozen=True, slots=True)
class Run:
    """Framed values of one schema id from one partition, with the offset of each, ascending."""

    partition: int
    offsets: Sequence[int]
    values: Sequence[bytes]


def join(values: Sequence[bytes], schema_json: str) -> bytes:
    """One container file holding one block of ``values``, at least one, canaries behind each, no coordinates.

    Args:
        values: framed values, all of one schema id; not checked here.
        schema_json: the writer's schema, a record.
    """
    body = _CANARY_BYTES.join([value[HEAD_BYTES:] for value in values]) + _CANARY_BYTES
    return _assemble(_container_head(schema_json, coordinates=False), len(values), [body])


def canaries(container: bytes) -> int:
    """How often the canary stands in a container: more often than records means that a value holds one.

    Such a value could close itself, open another record and push the last one out of the block. Only a value that is
    sound by itself may then stand beside others.
    """
    return container.count(_CANARY_BYTES)


def join_runs(runs: Iterable[Run], schema_json: str) -> bytes:
    """One container file of all ``runs`` with ``_partition`` and ``_offset`` in front of each record."""
    pieces: list[bytes] = []
    count = 0
    for run in runs:
        count += len(run.values)
        partition = varint(run.partition)
        before = _CANARY_BYTES + partition
        high, tail = -1, b""
        for offset, value in zip(run.offsets, run.values, strict=True):
            doubled = offset << 1
            if doubled < 0x80:
                place = bytes([doubled])
            else:
                if doubled >> 7 != high:  # a new 128-byte stretch: its high bytes are shared by 64 offsets
                    high = doubled >> 7
                    tail = _base128(high)
                place = _LOW[doubled & 0x7F] + tail
            pieces += (before, place, value[HEAD_BYTES:])
    if not pieces:
        raise ValueError("a block holds at least one record")
    pieces[0] = pieces[0][len(_CANARY_BYTES) :]  # the first record has no predecessor to close
    pieces.append(_CANARY_BYTES)
    return _assemble(_container_head(schema_json, coordinates=True), count, pieces)


def _assemble(header: bytes, count: int, pieces: list[bytes]) -> bytes:
    size = sum(map(len, pieces))
    return b"".join([header, varint(count), varint(size), *pieces, _SYNC])
