"""The one path of every door: an event becomes a record, or a refusal with its reason.

Order: validate, pseudonymise, produce, answer. A batch is taken whole or not at all, so a refusal never leaves half of
it behind; sending it again without the culprits is harmless. Called by ``gateway.http``.
"""

import asyncio
import json
import re
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from streams.adapters import avro, metrics, registry
from streams.adapters.keys import PseudonymKeys
from streams.adapters.producer import Outgoing, Producer
from streams.core import clocks, privacy
from streams.core.sites import Site, Sites
from streams.errors import RejectedEvent, StreamsError
from streams.gateway.events import Event, door_fields
from streams.gateway.skews import Skews, Upload
from streams.topology import BY_TOPIC

_NAMESPACE = uuid.UUID("6b1f7a52-0a37-5d0c-9b7e-64617461636d")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
UNNAMED = "unnamed"
_TURN_S = 0.005  # after which other devices get their turn
_WRITE_RECORDS = 10_000  # handed to Kafka at once; a file's worth would not be confirmed in time


@dataclass(frozen=True, slots=True)
class Door:
    """What a door needs: the sites, the keys of pseudonyms, a producer, what is known of the devices' clocks."""

    sites: Sites
    keys: PseudonymKeys
    producer: Producer
    version: str
    skews: Skews


class RefusedBatch(StreamsError):  # noqa: N818 - an answer
    """At least one event of a batch was refused; nothing was produced. ``faults``: (index, why)."""

    def __init__(self, faults: list[tuple[int, RejectedEvent]]) -> None:
        super().__init__(f"{len(faults)} events refused")
        self.faults = faults


async def accept(events: Iterable[Event | RejectedEvent], door: Door, received_ms: int) -> list[str]:
    """Take a batch: returns the event ids once Kafka holds all of them on all replicas.

    Events are drawn one by one, and what they were is dropped, so that a large batch costs the memory of its records.

    Args:
        events: parsed events; what could not be parsed stands as its refusal, so that every fault is answered at once.
        door: see there.
        received_ms: the gateway's clock, epoch ms.

    Raises:
        RefusedBatch: names every culprit.
        Unavailable: Kafka did not confirm; the batch may be sent again.
    """
    faults: list[tuple[int, RejectedEvent]] = []
    ids: list[str] = []
    outgoing: dict[str, list[Outgoing]] = defaultdict(list)
    upload = Upload(door.skews, received_ms)
    turn_s = time.perf_counter()
    for index, event in enumerate(events):
        try:
            if isinstance(event, RejectedEvent):
                raise event
            schema = event.family.schema
            record = _record(event, schema, door, upload, received_ms)
            value = avro.encode(registry.by_name(schema), record)
        except RejectedEvent as fault:
            fault.__traceback__ = fault.__context__ = None  # they hold the whole event
            faults.append((index, fault))
        else:
            ids.append(record["event_id"])
            outgoing[event.family.topic].append(Outgoing(record["site_id"], value))
        if time.perf_counter() - turn_s > _TURN_S:
            await asyncio.sleep(0)
            turn_s = time.perf_counter()
    if faults:
        raise RefusedBatch(faults)
    for topic, records in outgoing.items():
        for start in range(0, len(records), _WRITE_RECORDS):
            await door.producer.write(topic, records[start : start + _WRITE_RECORDS])
    for topic, records in outgoing.items():
        metrics.ACCEPTED.labels(BY_TOPIC[topic].name).inc(len(records))
    return ids


def _record(event: Event, schema: str, door: Door, upload: Upload, received_ms: int) -> avro.Record:
    """The record of an event, identifiers replaced; raises ``RejectedEvent``."""
    site_id = event.fields["site_id"]
    if site_id is None and event.family.place is not None:
        site_id = event.family.place(event.fields, door.sites)
    site = door.sites.get(site_id)
    if site is None:
        raise RejectedEvent("unknown-site", "no site file says this id; see musee sites", path="/data/site_id")
    fault = event.family.check(event.fields, site) if event.family.check is not None else None
    if fault is not None:
        raise fault
    judged = _judge_time(event, site, upload, received_ms)
    # A clock that is not believed may name any day: a key of that day would stand until then.
    served_ms = received_ms if judged.trust == "UNSYNCED" and not site.replay else judged.occurred_ms
    record: avro.Record = {
        "event_id": event_id(site.org_id, event.source, event.id),
        "org_id": site.org_id,
        "occurred_at": judged.occurred_ms,
        "received_at": received_ms,
        "clock_trust": judged.trust,
        "device_at": judged.device_ms,
    }
    for field in door_fields(schema):
        value = event.fields[field.door]
        if field.purpose is not None and value is not None:
            key = door.keys.key(site.org_id, field.purpose, privacy.period(served_ms, field.period))
            value = privacy.pseudonym(key, value)
        record[field.name] = value
    record["site_id"] = site.site_id
    if record["producer"] == UNNAMED:
        record["producer"] = f"gateway/{door.version}"
    return record


def _judge_time(event: Event, site: Site, upload: Upload, received_ms: int) -> clocks.Judged:
    """A replayed site's time is what its events say; a live one's is corrected, and then not far ahead of receipt."""
    if site.replay:
        sent_ms = event.fields["sent_at"]
        return clocks.Judged(event.occurred_ms, None, clocks.trust(None if sent_ms is None else received_ms - sent_ms))
    if event.fields["ingest_mode"] == "REPLAY":
        detail = f"site {site.site_id} is live; only a site with replay = true takes recordings"
        raise RejectedEvent("replay-refused", detail, path="/data/ingest_mode")
    judged = clocks.judge(event.occurred_ms, upload.skew_ms(event, site.site_id))
    if judged.trust != "UNSYNCED" and clocks.is_future(judged.occurred_ms, received_ms):
        ahead_ms = judged.occurred_ms - received_ms
        corrected = "" if judged.device_ms is None else f", corrected by {judged.occurred_ms - judged.device_ms} ms"
        detail = f"event time is {ahead_ms} ms ahead of the gateway{corrected}, {clocks.AHEAD_MS} are allowed"
        raise RejectedEvent("future", detail, path=event.time_path)
    return judged


def event_id(org_id: str, source: str, given: str) -> str:
    """The identity of a fact: the given id if it is a UUID, else UUIDv5 of (org, source, id)."""
    if _UUID.fullmatch(given):  # the usual text form only; braces and urn: are somebody's names
        return given.lower()
    return str(uuid.uuid5(_NAMESPACE, json.dumps((org_id, source, given))))
