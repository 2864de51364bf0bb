"""Avro as devices send it to the door: records, framed values, and files also put together by hand."""

import io
import uuid
from collections.abc import Iterable
from typing import Any

import fastavro

from streams.adapters import avro, registry
from streams.core import blocks
from streams.gateway import events

UUID = "0b0e1f9c-1111-4222-8333-444455556666"
AT_MS = 1_784_017_230_500

SAMPLES: dict[str, dict[str, Any]] = {
    "ticket-scan": {"direction": "IN", "ticket_pid": "T-4711", "gate_id": "north"},
    "guestbook-entry": {"text": "Très beau.\n\tMerci", "rating": 5},
    "social-post": {"network": "mastodon", "text": "at @louvre"},
    "position-update": {"session_pid": "phone-1", "zone_id": "hall", "x_m": 1.5, "y_m": -2.0, "accuracy_m": 0.5},
    "visitor-action": {"action": "LISTEN", "item_id": "mona-lisa", "duration_s": 12.5},
    "web-traffic": {"page_views": 3},
    "device-status": {"device_id": "reader-1", "status": "OK", "battery_share": 0.5},
    "occupancy-correction": {"kind": "RECOUNT", "value": 12, "who": "duty manager", "why": "counted by hand"},
}


def record(family: str = "ticket-scan", **changes: Any) -> avro.Record:
    """A record of a family's newest schema, complete, as its writer would fill it."""
    found: avro.Record = {
        "event_id": UUID,
        "org_id": "whoever",
        "site_id": "louvre",
        "occurred_at": AT_MS,
        "received_at": 0,
        "clock_trust": "UNKNOWN",
    }
    for field in registry.by_name(schema_of(family)).definition["fields"]:
        if "default" in field:
            found[field["name"]] = field["default"]
    return found | SAMPLES[family] | changes


def schema_of(family: str) -> str:
    return events.BY_NAME[family].schema


def framed(family: str = "ticket-scan", version: int | None = None, **changes: Any) -> bytes:
    """The record as a framed value, in the newest version or a named one."""
    name = schema_of(family) if version is None else f"{family}.v{version}"
    schema = registry.by_name(name)
    said = record(family, **changes)
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema.physical, {one: said[one] for one in schema.fields})
    return schema.head + out.getvalue()


def container(records: Iterable[avro.Record], schema: Any = None, codec: str = "null", **more: Any) -> bytes:
    """An object container file as fastavro writes it; of scans if no schema is given."""
    out = io.BytesIO()
    wanted = registry.by_name(schema_of("ticket-scan")).physical if schema is None else schema
    fastavro.writer(out, wanted, list(records), codec=codec, **more)
    return out.getvalue()


def scans(count: int) -> list[avro.Record]:
    return [record(event_id=str(uuid.UUID(int=number)), seq=number) for number in range(count)]


SYNC = b"0123456789abcdef"


def handmade(
    *file_blocks: tuple[int, bytes], schema: bytes | None = None, codec: bytes | None = b"null", end: bytes = SYNC
) -> bytes:
    """A file put together by hand, so that it can be wrong: blocks of (records, packed bytes)."""

    def text(data: bytes) -> bytes:
        return blocks.varint(len(data)) + data

    meta = {b"avro.schema": registry.by_name(schema_of("ticket-scan")).text.encode() if schema is None else schema}
    if codec is not None:
        meta[b"avro.codec"] = codec
    head = b"Obj\x01" + blocks.varint(len(meta)) + b"".join(text(k) + text(v) for k, v in meta.items()) + b"\x00"
    return head + SYNC + b"".join(blocks.varint(n) + text(data) + end for n, data in file_blocks)
