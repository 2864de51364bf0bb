"""Avro at the door → typed events: the record is judged by the same limits as JSON's data.

A record says all that an event needs: ``event_id`` (a UUID), ``occurred_at``, ``site_id``. In binary mode the ``ce-``
headers say id, source and, if they give one, the time, and the record's own are not looked at. What the gateway sets
itself (``org_id``, ``received_at``, ``clock_trust``) is overwritten. A field of pseudonyms (``ticket_pid``,
``session_pid``) holds the raw identifier here and is replaced like JSON's, whatever it looks like. Where a post may
leave out its site, an empty ``site_id`` does.
"""

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Literal

import msgspec
from starlette.datastructures import Headers

from streams.adapters import arrivals, registry
from streams.adapters.avro import Record
from streams.errors import RejectedEvent
from streams.gateway import cloudevents, events
from streams.gateway.events import Event, Moment, MomentMs
from streams.topology import Family

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=events.NAME_CHARS)]


class Attributes(msgspec.Struct, frozen=True):
    """What the headers say of a record; its time may be the record's."""

    specversion: Literal["1.0"]
    id: _Name
    source: _Name
    type: str
    time: Moment | None = None


class _Own(msgspec.Struct, frozen=True):
    """What a record without headers must say of itself."""

    event_id: Annotated[str, msgspec.Meta(pattern=events.UUID_PATTERN)]
    occurred_at: MomentMs


class _OwnTime(msgspec.Struct, frozen=True):
    occurred_at: MomentMs


def read_binary(headers: Headers, value: bytes) -> Iterator[Event | RejectedEvent]:
    """One event in binary mode, its data being a framed value of the family that ``ce-type`` names."""
    try:
        yield _with_headers(headers, value)
    except RejectedEvent as fault:
        yield fault


def _with_headers(headers: Headers, value: bytes) -> Event:
    attributes = cloudevents.attributes_of(headers, Attributes)
    family = cloudevents.family_of(attributes.type)
    if arrivals.is_container(value):
        raise RejectedEvent("wrong-type", "a file is no single event: send it without ce- headers", path="/data")
    schema, record = arrivals.unframed(value)
    if _family(schema) is not family:
        detail = f"schema {schema.schema_id} is {schema.name}, header ce-type names {attributes.type}"
        raise RejectedEvent("unknown-schema", detail, path="/data")
    fields = _fields(family, record)
    if attributes.time is None:
        own = _converted({"occurred_at": record["occurred_at"]}, _OwnTime)
        return Event(family, attributes.id, attributes.source, own.occurred_at, fields, "/data/occurred_at")
    at_ms = cloudevents.epoch_ms(attributes.time, "/time")
    return Event(family, attributes.id, attributes.source, at_ms, fields)


def read(body: bytes) -> Iterator[Event | RejectedEvent]:
    """The events of a framed value or of a file, each parsed when it is asked for, or its refusal.

    Raises:
        RejectedEvent: the body as a whole is at fault, see ``arrivals``.
    """
    if not arrivals.is_container(body):
        schema, record = arrivals.unframed(body)
        return iter([_judged(_family(schema), record)])
    container = arrivals.opened(body)
    return _each(_family(container.schema), container)


def _each(family: Family, container: arrivals.Container) -> Iterator[Event | RejectedEvent]:
    try:
        for record in arrivals.records(container):
            yield _judged(family, record)
    except RejectedEvent as fault:
        yield fault


def _family(schema: registry.Schema) -> Family:
    family = events.BY_NAME.get(schema.name.rpartition(".v")[0])
    if family is None:
        raise RejectedEvent("unknown-schema", f"{schema.name} is of no family that devices send")
    return family


def _judged(family: Family, record: Record) -> Event | RejectedEvent:
    try:
        own = _converted({"event_id": record["event_id"], "occurred_at": record["occurred_at"]}, _Own)
        fields = _fields(family, record)
    except RejectedEvent as fault:
        return fault
    return Event(family, own.event_id, fields["producer"], own.occurred_at, fields, "/data/occurred_at")


@cache
def _struct(family: str) -> type[msgspec.Struct]:
    return events.struct(events.BY_NAME[family], avro=True)


def _fields(family: Family, record: Record) -> dict[str, Any]:
    """What a device says in a record of any version, by the names at the door."""
    door = events.door_fields(family.schema)
    said = {field.name: record[field.name] for field in door if field.name in record}
    if family.place is not None and said["site_id"] == "":
        del said["site_id"]
    checked = _converted(said, _struct(family.name))
    return {field.door: getattr(checked, field.name) for field in door}


def _converted(said: dict[str, Any], kind: type[Any]) -> Any:
    try:
        return msgspec.convert(said, kind)
    except msgspec.ValidationError as error:
        fault = events.fault(error, "/data")
    raise fault
