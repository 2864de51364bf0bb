"""CloudEvents 1.0 with JSON data → typed events, checked against the family's schema.

Structured mode has the attributes in the body, binary mode in ``ce-`` headers; a batch is an array of structured ones.
The same event is the same in each.
Source: CloudEvents 1.0.2, JSON event format and HTTP protocol binding.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec
from starlette.datastructures import Headers

from streams.adapters import registry
from streams.errors import RejectedEvent
from streams.gateway import events
from streams.gateway.events import Event, Moment
from streams.topology import Family

BATCH_EVENTS = 10_000
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=events.NAME_CHARS)]
_JSON_FAULTS = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


class Attributes(msgspec.Struct, frozen=True):
    """What every event says of itself; extension attributes are allowed and ignored, as the standard says."""

    specversion: Literal["1.0"]
    id: _Name
    source: _Name
    type: str
    time: Moment


class CloudEvent(Attributes, frozen=True):
    """A structured event."""

    data: msgspec.Raw


_Kind = TypeVar("_Kind", bound=msgspec.Struct)


@cache
def _decoder(family: str) -> msgspec.json.Decoder[Any]:
    """Decoder of the data of a family."""
    return msgspec.json.Decoder(events.struct(events.BY_NAME[family], avro=False))


_one = msgspec.json.Decoder(msgspec.Raw)
_many = msgspec.json.Decoder(list[msgspec.Raw])
_envelope = msgspec.json.Decoder(CloudEvent)


# -- structured ------------------------------------------------------------------------------------------------------


def read(body: bytes, *, batch: bool) -> Iterator[Event | RejectedEvent]:
    """The events of a structured request, each parsed when it is asked for, or its refusal.

    Raises:
        RejectedEvent: see ``split``; ``too-many``.
    """
    raws = split(body, batch=batch)
    if len(raws) > BATCH_EVENTS:
        raise RejectedEvent("too-many", f"{len(raws)} events; a batch holds {BATCH_EVENTS} at most", status=413)
    return map(_judged, raws)


def split(body: bytes, *, batch: bool) -> list[msgspec.Raw]:
    """The events of a request, each still undecoded.

    Raises:
        RejectedEvent: ``malformed-json`` or, for a batch that is no array, ``wrong-type``.
    """
    try:
        return _many.decode(body) if batch else [_one.decode(body)]
    except msgspec.ValidationError as error:
        raise RejectedEvent("wrong-type", str(error), status=400) from None
    except _JSON_FAULTS as error:
        raise RejectedEvent("malformed-json", str(error), status=400) from None


def _judged(raw: msgspec.Raw) -> Event | RejectedEvent:
    try:
        return parse(raw)
    except RejectedEvent as fault:
        return fault


def parse(raw: msgspec.Raw) -> Event:
    """One event, checked against its family's schema.

    Raises:
        RejectedEvent: with code and JSON pointer of the first fault.
    """
    try:
        envelope = _envelope.decode(raw)
    except _JSON_FAULTS as error:
        raise events.fault(error, "") from None
    return _event(envelope, envelope.data)


def _event(attributes: Attributes, data: bytes | msgspec.Raw) -> Event:
    family = family_of(attributes.type)
    try:
        said = _decoder(family.name).decode(data)
    except _JSON_FAULTS as error:
        raise events.fault(error, "/data") from None
    fields = msgspec.structs.asdict(said)
    for name, value in fields.items():
        if isinstance(value, datetime):
            fields[name] = epoch_ms(value, f"/data/{name}")
    return Event(family, attributes.id, attributes.source, epoch_ms(attributes.time, "/time"), fields)


def family_of(named: str) -> Family:
    """The family that a ``type`` names.

    Raises:
        RejectedEvent: ``unknown-family``.
    """
    family = events.BY_TYPE.get(named)
    if family is None:
        raise RejectedEvent("unknown-family", f"{named[:100]!r} is none of {sorted(events.BY_TYPE)}", path="/type")
    return family


def epoch_ms(moment: datetime, path: str) -> int:
    """Epoch milliseconds of a time that every store can keep; raises ``RejectedEvent`` for another."""
    at_ms = round(moment.timestamp() * 1000)
    if not registry.FIRST_MS <= at_ms <= registry.LAST_MS:
        raise RejectedEvent("out-of-range", "expected a time from 1970 to 2099", path=path)
    return at_ms


# -- binary ----------------------------------------------------------------------------------------------------------

MARK = "ce-specversion"  # a request that has it is one event in binary mode
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


def read_binary(headers: Headers, body: bytes) -> Iterator[Event | RejectedEvent]:
    """One event in binary mode, ``body`` being its data in JSON; refused as if it had come structured."""
    try:
        yield _event(attributes_of(headers, Attributes), body)
    except RejectedEvent as fault:
        yield fault


def attributes_of(headers: Headers, kind: type[_Kind]) -> _Kind:
    """The attributes in ``ce-`` headers.

    Raises:
        RejectedEvent: one is missing, given twice or wrong; the path is the attribute's, the detail names the header.
    """
    said = {}
    for name in kind.__struct_fields__:
        values = headers.getlist(f"ce-{name}")
        if len(values) > 1:
            raise RejectedEvent("out-of-range", f"header ce-{name} is given {len(values)} times", path=f"/{name}")
        if values:
            said[name] = _unescaped(name, values[0])
    try:
        return msgspec.convert(said, kind)
    except msgspec.ValidationError as error:
        fault = events.fault(error, "")
    raise RejectedEvent(fault.code, f"header ce-{fault.path[1:]}: {fault.detail}", path=fault.path)


def _unescaped(name: str, value: str) -> str:
    """A header's value: quotes taken off, then percent-decoded once; bytes that are no UTF-8 are refused.

    Source: CloudEvents 1.0.2, HTTP protocol binding, section 3.1.3.2.
    """
    quoted = _QUOTED.fullmatch(value)
    bare = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else value
    try:
        return unquote_to_bytes(bare.encode("latin-1")).decode()
    except UnicodeDecodeError:
        raise RejectedEvent("out-of-range", f"header ce-{name} is no UTF-8", path=f"/{name}") from None
