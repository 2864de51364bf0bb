"""One event ↔ one framed Avro value.

``encode`` is the door's side; ``decode`` judges a single record that a block refused, on bytes that may be hostile.
"""

import io
import re
from typing import Any

import fastavro

from streams.adapters import registry
from streams.core import blocks

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

Record = dict[str, Any]  # values of one record by field name, as the schema types them


def encode(schema: registry.Schema, record: Record) -> bytes:
    """A framed value.

    Raises:
        ValueError: a field is missing, unknown or of another type; names it.
    """
    out = io.BytesIO()
    out.write(schema.head)
    try:
        fastavro.schemaless_writer(out, schema.parsed, record, strict=True)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise ValueError(f"{schema.name}: {error}") from error
    return out.getvalue()


def decode(value: bytes | None, family: str | None = None) -> Record:
    """The record in a framed value, if it is sound to the last byte; times as epoch ms, UUIDs as text.

    Args:
        value: as it lay in Kafka.
        family: name of the only family that may stand here, ``None`` for any.

    Raises:
        ValueError: with a stable reason as its first argument: ``null``, ``short``, ``magic``, ``schema``,
            ``truncated``, ``trailing`` or ``invalid``; a second one may say more.
    """
    if value is None:
        raise ValueError("null")
    number = blocks.schema_id(value)
    try:
        schema = registry.by_id(number)
    except KeyError:
        raise ValueError("schema") from None
    if family is not None and schema.name.rpartition(".v")[0] != family:
        raise ValueError("schema")
    body = io.BytesIO(value)
    body.seek(blocks.HEAD_BYTES)
    try:
        # Our schemas never recurse and hold no array of nothing, so bytes can neither nest nor multiply here.
        record = fastavro.schemaless_reader(body, schema.physical, None)
    except EOFError:
        raise ValueError("truncated") from None
    except Exception as error:  # fastavro raises nearly anything on bad bytes, even StopIteration
        reason = (
            "truncated" if isinstance(error, IndexError | StopIteration) and body.tell() >= len(value) else "invalid"
        )
        raise ValueError(reason) from error
    if body.tell() != len(value):
        raise ValueError("trailing")
    if not isinstance(record, dict) or not _canonical(schema, record, value):
        raise ValueError("invalid")
    fault = breach(schema, record)
    if fault is not None:
        raise ValueError("invalid", fault)
    return record


def _canonical(schema: registry.Schema, record: Record, value: bytes) -> bool:
    """Whether its own bytes are ``value`` (an index of -1 or an overlong varint is not)."""
    again = io.BytesIO()
    try:
        fastavro.schemaless_writer(again, schema.physical, record)
    except (TypeError, ValueError, OverflowError):  # a number beyond its type, deep inside
        return False
    return again.getvalue() == value[blocks.HEAD_BYTES :]


def breach(schema: registry.Schema, record: Record) -> str | None:
    """The first limit of its schema that a record breaks, in words without the value; ``None`` if it keeps all."""
    for name in schema.uuids:
        if record[name] is not None and UUID.fullmatch(record[name]) is None:
            return f"{name} is not a UUID"
    for name, (least, most) in schema.bounds.items():
        if record[name] is not None and not least <= record[name] <= most:
            return f"{name} is not from {least} to {most}"
    for name, (fewest, longest) in schema.lengths.items():
        if record[name] is not None and not fewest <= len(record[name]) <= longest:
            return f"{name} has {len(record[name])} characters, {fewest} to {longest} are allowed"
    return None
