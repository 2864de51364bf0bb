"""An event as the door understands it, whatever it was written in: its fields, and the limits of each.

What a device may say is read off the Avro schema: its fields without those that the gateway sets itself, with the
schema's defaults and limits. In JSON a pseudonymised field goes by the name of the identifier it is made from
(``door``) and a time is text; in Avro every field has its own name and a time is a number. The limits stand once.
Called by ``cloudevents``, ``avro_events`` and ``accept``.
"""

import re
import sys
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal

import msgspec

from streams.adapters import registry
from streams.core import privacy
from streams.errors import RejectedEvent
from streams.topology import AT_THE_DOOR, Family

SET_BY_GATEWAY = frozenset({"event_id", "org_id", "occurred_at", "received_at", "clock_trust", "device_at"})
BY_TYPE = {family.topic: family for family in AT_THE_DOOR}
BY_NAME = {family.name: family for family in AT_THE_DOOR}
UUID_PATTERN = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z"
NAME_CHARS = 500  # of an event's id and of its source

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
MomentMs = Annotated[int, msgspec.Meta(ge=registry.FIRST_MS, le=registry.LAST_MS)]

_CHARS = (1, 200)
_LINE = r"^(?=.*\S)[^\x00-\x1f\x7f]+\Z"  # a name of blanks alone is none: it would make one session of many
_LINES = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+\Z"  # what people write has line ends and tabs
_INT32 = 2**31
_INT64 = 2**63


@dataclass(frozen=True, slots=True)
class Event:
    """One event as the device meant it; ``fields`` by their names at the door, ``time_path`` is where its time was."""

    family: Family
    id: str
    source: str
    occurred_ms: int
    fields: dict[str, Any]
    time_path: str = "/time"


@dataclass(frozen=True, slots=True)
class DoorField:
    """How a field of the schema is filled from what the device says; ``period`` is what a pseudonym's key serves."""

    name: str
    door: str
    purpose: str | None
    period: privacy.Period


@cache
def door_fields(schema: str) -> tuple[DoorField, ...]:
    """The fields of a schema that devices fill."""
    return tuple(
        DoorField(field["name"], field.get("door", field["name"]), field.get("purpose"), field.get("period", "month"))
        for field in registry.by_name(schema).definition["fields"]
        if field["name"] not in SET_BY_GATEWAY
    )


def struct(family: Family, *, avro: bool) -> type[msgspec.Struct]:
    """The type of what a device says of a family, in JSON or in Avro; see the module."""
    members: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for field in registry.by_name(family.schema).definition["fields"]:
        if field["name"] in SET_BY_GATEWAY:
            continue
        name = field["name"] if avro else field.get("door", field["name"])
        kind = _python_type(field["type"], field, MomentMs if avro else Moment)
        if field["name"] == "site_id" and family.place is not None:  # the door finds the place itself
            members.append((name, kind | None, None))
        elif "default" in field:
            members.append((name, kind, field["default"]))
        else:
            members.append((name, kind))
    return msgspec.defstruct(family.schema.title(), members, kw_only=True, forbid_unknown_fields=True)


def _python_type(declared: Any, field: dict[str, Any], moment: Any) -> Any:
    if isinstance(declared, list):
        (inner,) = [one for one in declared if one != "null"]
        return _python_type(inner, field, moment) | None
    if isinstance(declared, dict):
        if declared["type"] == "enum":
            return Literal[tuple(declared["symbols"])]
        if declared.get("logicalType") == "timestamp-millis":
            return moment
        if declared.get("logicalType") == "uuid":
            return Annotated[str, msgspec.Meta(pattern=UUID_PATTERN)]
        return _python_type(declared["type"], field, moment)
    if declared in ("int", "long"):
        bound = _INT32 if declared == "int" else _INT64
        return Annotated[int, msgspec.Meta(ge=field.get("min", -bound), le=field.get("max", bound - 1))]
    if declared == "double":  # bounds also where none is declared: they keep out NaN and the infinities
        most = sys.float_info.max
        return Annotated[float, msgspec.Meta(ge=field.get("min", -most), le=field.get("max", most))]
    if declared == "string":
        least, most_chars = field.get("min_chars", _CHARS[0]), field.get("max_chars", _CHARS[1])
        pattern = _LINES if field.get("pii") == "content" else _LINE
        return Annotated[str, msgspec.Meta(min_length=least, max_length=most_chars, pattern=pattern)]
    return {"boolean": bool}[declared]


# A name may hold anything, backticks and msgspec's own words included. Nothing follows it: no object of ours nests.
_NAMED = re.compile(r"Object (contains unknown|missing required) field `(?P<name>.*)`", re.DOTALL)


def fault(error: Exception, below: str) -> RejectedEvent:
    """msgspec's message as code and JSON pointer; ``below`` is where the judged part stands."""
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
