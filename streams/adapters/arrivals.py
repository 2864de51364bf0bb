"""Avro as it arrives at the door, from anybody: framed values and object container files → records.

The bytes are held to be hostile. Only schemas of ours are read, and they neither nest nor hold arrays, so bytes cannot
multiply; what a file unpacks to is bounded before it is unpacked; each record must be its own canonical encoding.
Nothing here knows what a record means. Called by ``gateway.avro_events``.
Source: Apache Avro 1.12 specification, "Object Container Files".
"""

import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import fastavro

from streams.adapters import registry
from streams.adapters.avro import Record
from streams.core import blocks
from streams.errors import RejectedEvent

CONTAINER_MAGIC = b"Obj\x01"
UNPACKED_BYTES = 64 * 1024 * 1024  # of one file: eight times what it may weigh
FILE_RECORDS = 100_000
_SYNC_BYTES = 16
_META_ENTRIES = 64
_VARINT_BYTES = 10
_DEEPEST = 4  # a type inside a union inside a field; ours go no deeper
_CODECS = ("null", "deflate")


def _malformed(detail: str, status: int = 400) -> RejectedEvent:
    return RejectedEvent("malformed-avro", detail, status=status)


# -- framed ----------------------------------------------------------------------------------------------------------


def unframed(value: bytes) -> tuple[registry.Schema, Record]:
    """The schema and the record of one framed value; times as epoch ms.

    Raises:
        RejectedEvent: ``malformed-avro`` or ``unknown-schema``.
    """
    try:
        number = blocks.schema_id(value)
    except ValueError as error:
        raise _malformed(f"no framed value and no object container file ({error})") from None
    try:
        schema = registry.by_id(number)
    except KeyError:
        raise RejectedEvent("unknown-schema", f"no schema has the id {number}") from None
    body = io.BytesIO(value)
    body.seek(blocks.HEAD_BYTES)
    try:
        record = _record(body, schema, value)
    except ValueError as error:
        raise _malformed(f"the value is no {schema.name}: {error}") from None
    if body.tell() != len(value):
        raise _malformed(f"{len(value) - body.tell()} bytes stand behind the record")
    return schema, record


def _record(body: io.BytesIO, schema: registry.Schema, whole: bytes) -> Record:
    """The next record of ``body``, whose content is ``whole``; ``ValueError`` if it is none."""
    start = body.tell()
    again = io.BytesIO()
    try:
        record = fastavro.schemaless_reader(body, schema.physical, None)
        fastavro.schemaless_writer(again, schema.physical, record)
    except Exception as error:  # fastavro raises nearly anything on bad bytes, even StopIteration
        raise ValueError("cut off or damaged") from error
    # An index of -1 or an overlong varint is read, and would not be written.
    if not isinstance(record, dict) or again.getvalue() != whole[start : body.tell()]:
        raise ValueError("not in canonical encoding")
    return record


# -- object container files ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Container:
    """An opened file: its writer's schema, one of ours, and its unpacked blocks as (records, bytes)."""

    schema: registry.Schema
    blocks: list[tuple[int, bytes]]


def is_container(body: bytes) -> bool:
    """Whether a body says that it is an object container file."""
    return body.startswith(CONTAINER_MAGIC)


def opened(body: bytes) -> Container:
    """Check a file from end to end and unpack it; its records are read by ``records``. Blocking: up to some 100 ms.

    Raises:
        RejectedEvent: ``malformed-avro``, ``unknown-schema``, ``unknown-codec``, ``too-large``, ``too-many``.
    """
    source = io.BytesIO(body)
    source.seek(len(CONTAINER_MAGIC))
    meta = _meta(source)
    codec = meta.get("avro.codec", b"null").decode("ascii", "replace")
    if codec not in _CODECS:
        raise RejectedEvent("unknown-codec", f"codec {codec[:40]!r} is none of {', '.join(_CODECS)}", status=415)
    schema = _released(meta.get("avro.schema", b""))
    sync = _exactly(source, _SYNC_BYTES)
    found: list[tuple[int, bytes]] = []
    count = size = 0
    while source.tell() < len(body):
        records, packed_bytes = _long(source), _long(source)
        if records < 0:
            raise _malformed(f"a block of {records} records")
        packed = _exactly(source, packed_bytes)
        if _exactly(source, _SYNC_BYTES) != sync:
            raise _malformed("a block does not end with the file's sync marker")
        count += records
        if count > FILE_RECORDS:
            raise RejectedEvent("too-many", f"a file holds {FILE_RECORDS} records at most", status=413)
        if records == 0:
            continue
        data = packed if codec == "null" else _inflated(packed, UNPACKED_BYTES - size)
        size += len(data)
        found.append((records, data))
    return Container(schema, found)


def records(container: Container) -> Iterator[Record]:
    """The records of a file, in order, each read when it is asked for.

    Raises:
        RejectedEvent: ``malformed-avro`` at the first that is none; where the next one would begin is then unknown.
    """
    for count, data in container.blocks:
        body = io.BytesIO(data)
        for _ in range(count):
            try:
                record = _record(body, container.schema, data)
            except ValueError as error:
                detail = f"the record is no {container.schema.name}: {error}; what follows was not read"
                raise _malformed(detail, status=422) from None
            yield record
        if body.tell() != len(data):
            raise _malformed(f"{len(data) - body.tell()} bytes stand behind the last record of a block", status=422)


def _exactly(source: io.BytesIO, length: int) -> bytes:
    if length < 0:
        raise _malformed(f"a length of {length} bytes")
    data = source.read(min(length, UNPACKED_BYTES))
    if len(data) != length:
        raise _malformed("the file is cut off")
    return data


def _long(source: io.BytesIO) -> int:
    """One zigzag varint."""
    number = 0
    for place in range(_VARINT_BYTES):
        (byte,) = _exactly(source, 1)
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1)
    raise _malformed("a number of more than ten bytes")


def _meta(source: io.BytesIO) -> dict[str, bytes]:
    """The header's map of text to bytes."""
    found: dict[str, bytes] = {}
    while (entries := _long(source)) != 0:
        if entries < 0:  # a block that says its size in bytes as well
            entries = -entries
            _long(source)
        if len(found) + entries > _META_ENTRIES:
            raise _malformed(f"a header of more than {_META_ENTRIES} entries")
        for _ in range(entries):
            name = _exactly(source, _long(source)).decode("utf-8", "replace")
            found[name] = _exactly(source, _long(source))
    return found


def _inflated(packed: bytes, most: int) -> bytes:
    """Raw deflate, never more than ``most`` bytes in memory; some writers leave zlib's checksum behind it."""
    unpacking = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = unpacking.decompress(packed, most + 1)
    except zlib.error as error:
        raise _malformed(f"a block cannot be unpacked: {error}") from None
    if len(data) > most:
        raise RejectedEvent("too-large", f"a file may unpack to {UNPACKED_BYTES} bytes", status=413)
    if not unpacking.eof:
        raise _malformed("a block's deflate stream is cut off")
    return data


# -- the writer's schema ---------------------------------------------------------------------------------------------


def _released(text: bytes) -> registry.Schema:
    """The schema of ours that a file was written with."""
    try:
        shape = _shape(json.loads(text), "", 0)
    except (ValueError, KeyError, TypeError, RecursionError):  # no JSON, or nothing that a schema of ours could be
        shape = None
    schema = None if shape is None else _shapes().get(shape)
    if schema is None:
        detail = f"the file's schema is no released one; see /subjects, or schemas/: {', '.join(registry.ids())}"
        raise RejectedEvent("unknown-schema", detail)
    return schema


@cache
def _shapes() -> dict[object, registry.Schema]:
    """Each released schema by its shape."""
    return {_shape(one.definition, "", 0): one for one in map(registry.by_name, registry.ids())}


def _shape(part: Any, namespace: str, depth: int) -> object:
    """What of a schema decides over bytes, as its Parsing Canonical Form keeps it: names, order, types, symbols."""
    if depth > _DEEPEST:
        raise ValueError("deeper than any schema of ours")
    if isinstance(part, str):
        return part
    if isinstance(part, list):
        return tuple(_shape(one, namespace, depth + 1) for one in part)
    kind = part["type"]
    if kind not in ("record", "enum"):
        return _shape(kind, namespace, depth + 1)
    name = str(part["name"])
    space = name.rpartition(".")[0] or str(part.get("namespace", namespace))
    full = f"{space}.{name.rpartition('.')[2]}"
    if kind == "enum":
        return (kind, full, tuple(map(str, part["symbols"])))
    fields = part["fields"]
    return (kind, full, tuple((str(one["name"]), _shape(one["type"], space, depth + 1)) for one in fields))
