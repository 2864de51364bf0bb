"""The ways to write an event in a request, told apart by its headers.

| content type | with ``ce-`` headers | without |
| --- | --- | --- |
| ``application/cloudevents+json``, ``…-batch+json`` | the body decides, as the binding says | structured, a batch |
| ``application/json`` | binary mode | refused |
| ``application/avro`` and its other names | binary mode, one framed value | a framed value or a file |
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from starlette.datastructures import Headers

from streams.errors import RejectedEvent
from streams.gateway import avro_events, cloudevents
from streams.gateway.events import Event

Read = Callable[[bytes], Iterator[Event | RejectedEvent]]

_STRUCTURED = {"application/cloudevents+json": False, "application/cloudevents-batch+json": True}
_JSON = "application/json"
_AVRO = ("application/avro", "avro/binary", "application/vnd.apache.avro+binary")
_KNOWN = ", ".join((*_STRUCTURED, *_AVRO)) + f", or {_JSON} with ce- headers"


@dataclass(frozen=True, slots=True)
class Mode:
    """How a request's body is read: ``read`` gives its events or refusals; ``files`` if it may be a file of many."""

    read: Read
    files: bool = False


def mode_of(headers: Headers) -> Mode:
    """The mode of a request.

    Raises:
        RejectedEvent: ``unknown-media-type``.
    """
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media in _STRUCTURED:
        return Mode(partial(cloudevents.read, batch=_STRUCTURED[media]))
    binary = cloudevents.MARK in headers
    if media in _AVRO:
        return Mode(partial(avro_events.read_binary, headers)) if binary else Mode(avro_events.read, files=True)
    if media == _JSON and binary:
        return Mode(partial(cloudevents.read_binary, headers))
    raise RejectedEvent("unknown-media-type", f"send one of {_KNOWN}", status=415)
