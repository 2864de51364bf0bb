"""CloudEvents 1.0 in JSON → typed events, checked against the family's schema.

What a device may say is read off the Avro schema: its fields without those that the gateway sets itself, with the
schema's defaults and limits. A pseudonymised field goes by the name of the identifier it is made from (``door``).
Source: CloudEvents 1.0.2, JSON event format.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal

import msgspec

from streams.adapters import registry
from streams.errors import RejectedEvent
from streams.topology import AT_THE_DOOR, Family

SET_BY_GATEWAY = frozenset({"event_id", "org_id", "occurred_at", "received_at", "clock_trust"})
_TEXT = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
_MOMENT = Annotated[datetime, msgspec.Meta(tz=True)]
_INT32 = 2**31
_INT64 = 2**63
_FAMILIES = {family.topic: family for family in AT_THE_DOOR}


class CloudEvent(msgspec.Struct, frozen=True):
    """The envelope; extension attributes are allowed and ignored, as the standard says."""

    specversion: Literal["1.0"]
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    source: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    type: str
    time: _MOMENT
    data: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Event:
    """One event as the device meant it; ``fields`` by their names at the door."""

    family: Family
    id: str
    source: str
    occurred_ms: int
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DoorField:
    """How a field of the schema is filled from what the device says."""

    name: str
    door: str
    purpose: str | None


@cache
def door_fields(schema: str) -> tuple[DoorField, ...]:
    """The fields of a schema that devices fill."""
    return tuple(
        DoorField(field["name"], field.get("door", field["name"]), field.get("purpose"))
        for field in registry.by_name(schema).definition["fields"]
        if field["name"] not in SET_BY_GATEWAY
    )


@cache
def _decoder(schema: str) -> msgspec.json.Decoder[Any]:
    """Decoder of the ``data`` member of a family."""
    members: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for field in registry.by_name(schema).definition["fields"]:
        if field["name"] in SET_BY_GATEWAY:
            continue
        name = field.get("door", field["name"])
        kind = _python_type(field["type"], field)
        members.append((name, kind, field["default"]) if "default" in field else (name, kind))
    struct = msgspec.defstruct(schema.title(), members, kw_only=True, forbid_unknown_fields=True)
    return msgspec.json.Decoder(struct)


def _python_type(declared: Any, field: dict[str, Any]) -> Any:
    if isinstance(declared, list):
        (inner,) = [one for one in declared if one != "null"]
        return _python_type(inner, field) | None
    if isinstance(declared, dict):
        if declared["type"] == "enum":
            return Literal[tuple(declared["symbols"])]
        if declared.get("logicalType") == "timestamp-millis":
            return _MOMENT
        if declared.get("logicalType") == "uuid":
            return Annotated[str, msgspec.Meta(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")]
        return _python_type(declared["type"], field)
    if declared in ("int", "long"):
        bound = _INT32 if declared == "int" else _INT64
        return Annotated[int, msgspec.Meta(ge=field.get("min", -bound), le=field.get("max", bound - 1))]
    return {"string": _TEXT, "boolean": bool, "double": float}[declared]


_one = msgspec.json.Decoder(msgspec.Raw)
_many = msgspec.json.Decoder(list[msgspec.Raw])
_envelope = msgspec.json.Decoder(CloudEvent)


def split(body: bytes, *, batch: bool) -> list[msgspec.Raw]:
    """The events of a request, each still undecoded.

    Raises:
        RejectedEvent: ``malformed-json`` or, for a batch that is no array, ``wrong-type``.
    """
    try:
        return _many.decode(body) if batch else [_one.decode(body)]
    except msgspec.ValidationError as error:
        raise RejectedEvent("wrong-type", str(error), status=400) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise RejectedEvent("malformed-json", str(error), status=400) from None


def parse(raw: msgspec.Raw) -> Event:
    """One event, checked against its family's schema.

    Raises:
        RejectedEvent: with code and JSON pointer of the first fault.
    """
    try:
        envelope = _envelope.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _fault(error, "") from None
    family = _FAMILIES.get(envelope.type)
    if family is None:
        raise RejectedEvent("unknown-family", f"{envelope.type[:100]!r} is none of {sorted(_FAMILIES)}", path="/type")
    try:
        data = _decoder(family.schema).decode(envelope.data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _fault(error, "/data") from None
    fields = msgspec.structs.asdict(data)
    for name, value in fields.items():
        if isinstance(value, datetime):
            fields[name] = _ms(value, f"/data/{name}")
    return Event(family, envelope.id, envelope.source, _ms(envelope.time, "/time"), fields)


def _ms(moment: datetime, path: str) -> int:
    at_ms = round(moment.timestamp() * 1000)
    if not registry.FIRST_MS <= at_ms <= registry.LAST_MS:
        raise RejectedEvent("out-of-range", "expected a time from 1970 to 2106", path=path)
    return at_ms


# A name may hold anything, backticks and msgspec's own words included. Nothing follows it: no object of ours nests.
_NAMED = re.compile(r"Object (contains unknown|missing required) field `(?P<name>.*)`", re.DOTALL)


def _fault(error: Exception, below: str) -> RejectedEvent:
    """msgspec's message as code and JSON pointer."""
    if not isinstance(error, msgspec.ValidationError):
        return RejectedEvent("malformed-json", str(error), path=below)
    named = _NAMED.fullmatch(str(error))
    if named is not None:
        code = "unknown-field" if "unknown" in named[1] else "missing-field"
        name = named["name"].replace("~", "~0").replace("/", "~1")
        return RejectedEvent(code, f"{named[1]} field {named['name'][:100]!r}", path=f"{below}/{name}")
    what, _, rest = str(error).partition(" - at `$")
    place = rest.rstrip("`")
    path = below + place.replace(".", "/").replace("[", "/").replace("]", "")
    limits = (">=", "<=", "length", "matching regex", "Invalid enum value", "timezone component")
    code = "out-of-range" if any(word in what for word in limits) else "wrong-type"
    return RejectedEvent(code, what, path=path)
