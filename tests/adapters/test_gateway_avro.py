"""Avro and binary mode at the door: the same event as in JSON, and no bytes that are more than a refusal."""

import json
import struct
import tracemalloc
import uuid
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import Headers

from streams.adapters import arrivals, avro, registry
from streams.core import blocks
from streams.errors import RejectedEvent
from streams.gateway import avro_events, cloudevents, events
from streams.gateway.modes import mode_of
from streams.topology import AT_THE_DOOR
from tests.avro_bodies import AT_MS, SAMPLES, UUID, container, framed, handmade, record, scans, schema_of

TIME = "2026-07-14T10:20:30.5+02:00"
CODES = {"malformed-avro", "unknown-schema", "unknown-codec", "too-large", "too-many", "wrong-type", "out-of-range"}
Found = events.Event | RejectedEvent


def read(body: bytes, **headers: str) -> list[Found]:
    """What the door makes of an Avro body; ``ce_id`` is the header ``ce-id``."""
    named = {"content-type": "application/avro"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return list(mode_of(Headers(named)).read(body))


def judged(call: Callable[[], list[Found]]) -> list[Found]:
    """The same, a refusal of the whole standing alone."""
    try:
        return call()
    except RejectedEvent as fault:
        return [fault]


def event_in(body: bytes, **headers: str) -> events.Event:
    (found,) = read(body, **headers)
    assert isinstance(found, events.Event), found
    return found


def refusal_of(body: bytes, **headers: str) -> RejectedEvent:
    (found,) = judged(lambda: read(body, **headers))
    assert isinstance(found, RejectedEvent), found
    return found


def structured(family: str, **data: Any) -> events.Event:
    """The same event in structured JSON."""
    event: dict[str, Any] = {"specversion": "1.0", "id": UUID, "source": "unnamed", "time": TIME}
    event |= {"type": f"musee.{family}.v1", "data": {"site_id": "louvre"} | data}
    (raw,) = cloudevents.split(json.dumps(event).encode(), batch=False)
    return cloudevents.parse(raw)


def in_json(family: str, **changes: Any) -> events.Event:
    """The record above, said in JSON."""
    names = {field.name: field.door for field in events.door_fields(schema_of(family))}
    return structured(family, **{names[name]: value for name, value in (SAMPLES[family] | changes).items()})


def same(one: events.Event, other: events.Event) -> bool:
    """Whether two events are one, wherever their time was written."""

    def parts(event: events.Event) -> tuple[Any, ...]:
        return event.family.name, event.id, event.source, event.occurred_ms, event.fields

    return parts(one) == parts(other)


# -- one record ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [family.name for family in AT_THE_DOOR])
def test_a_framed_value_is_the_same_event_as_in_json(family: str) -> None:
    assert same(event_in(framed(family)), in_json(family))


def test_another_record_is_another_event() -> None:
    assert not same(event_in(framed(party_size=2)), in_json("ticket-scan"))


def test_an_older_version_of_the_schema_is_taken_with_the_newer_fields_defaults() -> None:
    assert same(event_in(framed(version=1)), in_json("ticket-scan"))


@pytest.mark.parametrize("media", ["application/avro", "avro/binary", "application/vnd.apache.avro+binary; x=1"])
def test_avro_goes_by_three_names(media: str) -> None:
    (found,) = mode_of(Headers({"content-type": media})).read(framed())

    assert isinstance(found, events.Event)


def test_a_record_needs_no_headers_because_it_says_who_and_when() -> None:
    event = event_in(framed(producer="kiosk/1"))

    assert (event.id, event.source, event.occurred_ms) == (UUID, "kiosk/1", AT_MS)


def test_what_only_the_gateway_sets_is_not_taken_from_a_record() -> None:
    fields = event_in(framed(org_id="somebody", received_at=7, clock_trust="SYNCED")).fields

    assert not events.SET_BY_GATEWAY & set(fields)


def test_a_pseudonyms_field_holds_the_raw_identifier_under_its_name_at_the_door() -> None:
    assert event_in(framed("position-update")).fields["session_id"] == "phone-1"
    assert event_in(framed(ticket_pid="0" * 32)).fields["ticket_id"] == "0" * 32


def test_an_empty_site_of_a_post_is_one_left_out() -> None:
    assert event_in(framed("social-post", site_id="")).fields["site_id"] is None
    assert refusal_of(framed("guestbook-entry", site_id="")).path == "/data/site_id"


@pytest.mark.parametrize(
    ("family", "changes", "path"),
    [
        ("ticket-scan", {"event_id": "scan-1"}, "/data/event_id"),
        ("ticket-scan", {"occurred_at": -1}, "/data/occurred_at"),
        ("ticket-scan", {"occurred_at": 2**62}, "/data/occurred_at"),
        ("ticket-scan", {"sent_at": -1}, "/data/sent_at"),
        ("ticket-scan", {"slot_at": 2**62}, "/data/slot_at"),
        ("ticket-scan", {"party_size": 0}, "/data/party_size"),
        ("ticket-scan", {"gate_id": "a\nb"}, "/data/gate_id"),
        ("ticket-scan", {"ticket_pid": ""}, "/data/ticket_pid"),
        ("ticket-scan", {"corrects": "scan-1"}, "/data/corrects"),
        ("guestbook-entry", {"rating": 6}, "/data/rating"),
        ("guestbook-entry", {"text": "x" * 2001}, "/data/text"),
        ("guestbook-entry", {"text": "a\x00b"}, "/data/text"),
        ("web-traffic", {"page_views": -1}, "/data/page_views"),
        ("position-update", {"zone_id": ""}, "/data/zone_id"),
        ("position-update", {"session_pid": ""}, "/data/session_pid"),
        ("position-update", {"accuracy_m": -0.5}, "/data/accuracy_m"),
        ("position-update", {"x_m": float("nan")}, "/data/x_m"),
        ("position-update", {"y_m": float("inf")}, "/data/y_m"),
        ("device-status", {"battery_share": 1.01}, "/data/battery_share"),
        ("device-status", {"battery_share": float("nan")}, "/data/battery_share"),
    ],
)
def test_a_record_keeps_the_limits_that_json_keeps(family: str, changes: dict[str, Any], path: str) -> None:
    fault = refusal_of(framed(family, **changes))

    assert (fault.code, fault.path, fault.status) == ("out-of-range", path, 422)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed-avro"),
        (b"\x00\x00\x00", "malformed-avro"),
        (b"{}   ", "malformed-avro"),
        (blocks.head(999) + framed()[5:], "unknown-schema"),
        (blocks.head(registry.by_name("site.v1").schema_id), "malformed-avro"),
        (framed()[:-1], "malformed-avro"),
        (framed() + b"\x00", "malformed-avro"),
        (framed()[:5] + b"\xff" * 40, "malformed-avro"),
        (framed()[:5] + b"\x49" + framed()[6:], "malformed-avro"),  # a length below zero
    ],
)
def test_what_is_no_record_is_refused_as_a_whole(body: bytes, code: str) -> None:
    assert refusal_of(body).code == code


@pytest.mark.parametrize("schema", ["site.v1", "dead-letter.v1"])
def test_a_family_that_no_device_sends_is_refused(schema: str) -> None:
    assert refusal_of(container([], registry.by_name(schema).physical)).code == "unknown-schema"


# -- binary mode -----------------------------------------------------------------------------------------------------

CE = {"ce_specversion": "1.0", "ce_id": UUID, "ce_source": "unnamed", "ce_type": "musee.ticket-scan.v1"}
DATA = json.dumps({"site_id": "louvre", "direction": "IN"}).encode()


def binary_json(data: bytes = DATA, **headers: str) -> Found:
    named = {"content-type": "application/json; charset=utf-8", **CE, "ce_time": TIME} | headers
    found = Headers({name.replace("_", "-"): value for name, value in named.items() if value is not None})
    (one,) = mode_of(found).read(data)
    return one


def test_binary_json_is_the_same_event_as_structured() -> None:
    assert binary_json() == structured("ticket-scan", direction="IN")


def test_binary_avro_is_the_same_event_as_structured_and_the_headers_say_who_and_when() -> None:
    value = framed(event_id=str(uuid.uuid4()), occurred_at=1)

    assert same(event_in(value, **CE, ce_time=TIME), in_json("ticket-scan"))


def test_binary_avro_without_a_time_has_the_records() -> None:
    assert event_in(framed(), **CE).occurred_ms == AT_MS


def test_an_id_in_binary_avro_may_be_anything_that_json_takes() -> None:
    assert event_in(framed(), **(CE | {"ce_id": "scan 1"})).id == "scan 1"


def test_a_value_of_another_family_than_its_header_is_refused() -> None:
    fault = refusal_of(framed("guestbook-entry"), **CE)

    assert (fault.code, fault.path) == ("unknown-schema", "/data")


def test_a_file_is_no_single_event() -> None:
    assert refusal_of(container(scans(1)), **CE).code == "wrong-type"


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("scan-1", "scan-1"),
        ("Mus%C3%A9e%20du%20Louvre", "Musée du Louvre"),
        ("100%25", "100%"),
        ("%2525", "%25"),
        ("%41", "A"),
        ('"a \\"b\\" c"', 'a "b" c'),
        ("50% off", "50% off"),
        ("Musée".encode().decode("latin-1"), "Musée"),
    ],
)
def test_a_header_is_unquoted_and_percent_decoded_once(sent: str, meant: str) -> None:
    found = binary_json(ce_id=sent)

    assert isinstance(found, events.Event)
    assert found.id == meant


@pytest.mark.parametrize(
    ("changes", "code", "path", "header"),
    [
        ({"ce_specversion": "0.3"}, "out-of-range", "/specversion", "ce-specversion"),
        ({"ce_id": ""}, "out-of-range", "/id", "ce-id"),
        ({"ce_id": "%C0%A0"}, "out-of-range", "/id", "ce-id"),
        ({"ce_id": "x" * 501}, "out-of-range", "/id", "ce-id"),
        ({"ce_source": None}, "missing-field", "/source", "ce-source"),
        ({"ce_id": None}, "missing-field", "/id", "ce-id"),
        ({"ce_type": None}, "missing-field", "/type", "ce-type"),
        ({"ce_time": None}, "missing-field", "/time", "ce-time"),
        ({"ce_time": "yesterday"}, "wrong-type", "/time", "ce-time"),
        ({"ce_time": "2026-07-14T10:20:30"}, "out-of-range", "/time", "ce-time"),
    ],
)
def test_a_faulty_header_is_named(changes: dict[str, Any], code: str, path: str, header: str) -> None:
    fault = binary_json(**changes)

    assert isinstance(fault, RejectedEvent)
    assert (fault.code, fault.path) == (code, path)
    assert header in fault.detail


def test_a_header_given_twice_is_refused() -> None:
    raw = [(b"content-type", b"application/json")]
    raw += [(name.replace("_", "-").encode(), value.encode()) for name, value in (CE | {"ce_time": TIME}).items()]
    (fault,) = mode_of(Headers(raw=[*raw, (b"ce-id", b"other")])).read(DATA)

    assert isinstance(fault, RejectedEvent)
    assert (fault.code, fault.path) == ("out-of-range", "/id")


def test_faults_of_the_data_have_the_place_that_they_have_in_structured_mode() -> None:
    fault = binary_json(b'{"site_id": "louvre", "direction": "UP"}')

    assert isinstance(fault, RejectedEvent)
    assert (fault.code, fault.path) == ("out-of-range", "/data/direction")


def test_structured_content_may_repeat_its_attributes_in_headers() -> None:
    body = json.dumps({"specversion": "1.0"}).encode()
    headers = Headers({"content-type": "application/cloudevents+json", "ce-specversion": "1.0"})
    (fault,) = mode_of(headers).read(body)

    assert isinstance(fault, RejectedEvent)
    assert fault.path == "/id"


@pytest.mark.parametrize("headers", [{}, {"content-type": "application/json"}, {"content-type": "text/plain"}])
def test_another_media_type_is_told_which_there_are(headers: dict[str, str]) -> None:
    with pytest.raises(RejectedEvent, match=r"application/avro.*application/json with ce- headers") as caught:
        mode_of(Headers(headers))

    assert (caught.value.code, caught.value.status) == ("unknown-media-type", 415)


# -- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_each_record_of_a_file_is_an_event_in_order(codec: str) -> None:
    found = read(container(scans(1000), codec=codec))

    assert [one.fields["seq"] for one in found if isinstance(one, events.Event)] == list(range(1000))


def test_the_record_of_a_file_is_the_same_event_as_in_json() -> None:
    assert same(event_in(container([record()])), in_json("ticket-scan"))


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("form", ["as released", "full names", "wordy types"])
def test_a_file_may_be_of_any_released_version_written_as_any_writer_does(version: int, form: str) -> None:
    schema = registry.by_name(f"ticket-scan.v{version}")
    fields = json.loads(schema.text)["fields"]
    wordy = json.loads(json.dumps(fields).replace('"string"', '{"type": "string", "avro.java.string": "String"}'))
    declared = {
        "as released": schema.definition,
        "full names": {"type": "record", "name": "org.datamusee.TicketScan", "fields": fields},
        "wordy types": {"type": "record", "name": "TicketScan", "namespace": "org.datamusee", "fields": wordy},
    }[form]

    body = handmade((1, framed(version=version)[blocks.HEAD_BYTES :]), schema=json.dumps(declared).encode())

    assert same(event_in(body), in_json("ticket-scan"))


def test_a_file_of_another_schema_is_refused() -> None:
    fields: list[Any] = [{"name": "event_id", "type": "string"}]
    other = {"type": "record", "name": "TicketScan", "namespace": "org.datamusee", "fields": fields}
    renamed = json.loads(json.dumps(json.loads(registry.by_name("ticket-scan.v1").text)).replace("gate_id", "door_id"))

    assert refusal_of(container([], other)).code == "unknown-schema"
    assert refusal_of(container([], renamed)).code == "unknown-schema"
    assert refusal_of(container([], "string")).code == "unknown-schema"


def test_a_schema_that_nests_in_itself_is_refused() -> None:
    deep: list[Any] = [{"name": "next", "type": ["null", "Deep"]}]

    assert refusal_of(container([], {"type": "record", "name": "Deep", "fields": deep})).code == "unknown-schema"
    assert refusal_of(handmade(schema=b"[" * 100_000)).code == "unknown-schema"


def test_faulty_records_are_named_by_their_place_in_the_file() -> None:
    records = scans(10)
    records[3]["party_size"] = 0
    records[7]["event_id"] = "seven"

    found = read(container(records))

    faults = {place: one.path for place, one in enumerate(found) if isinstance(one, RejectedEvent)}
    assert faults == {3: "/data/party_size", 7: "/data/event_id"}


def test_a_damaged_record_ends_the_reading_with_its_place() -> None:
    # The direction of the record in the middle points behind the enum's last symbol.
    body = bytearray(container(scans(3)))
    first = body.index(b"00000000-0000-0000-0000-000000000001")
    body[first - 1] = 0x01

    found = read(bytes(body))

    assert [isinstance(one, events.Event) for one in found] == [True, False]
    assert isinstance(found[1], RejectedEvent)
    assert found[1].code == "malformed-avro"


def body_of(number: int = 1) -> bytes:
    return framed(event_id=str(uuid.UUID(int=number)))[blocks.HEAD_BYTES :]


def deflated(data: bytes) -> bytes:
    packing = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packing.compress(data) + packing.flush()


def test_a_handmade_file_is_read() -> None:
    assert len(read(handmade((2, body_of() + body_of(2)), (0, b""), (1, body_of(3))))) == 3
    assert len(read(handmade((1, body_of()), codec=None))) == 1
    assert len(read(handmade((1, deflated(body_of())), codec=b"deflate"))) == 1
    assert read(handmade()) == []


def test_a_checksum_that_some_writers_leave_behind_deflate_is_ignored() -> None:
    packed = zlib.compress(body_of())[2:-1]

    assert len(read(handmade((1, packed), codec=b"deflate"))) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"Obj\x01", "malformed-avro"),
        (handmade((1, body_of()))[:-1], "malformed-avro"),
        (handmade((1, body_of()), end=b"x" * 16), "malformed-avro"),
        (handmade((-1, body_of())), "malformed-avro"),
        (handmade((1, body_of()), codec=b"snappy"), "unknown-codec"),
        (handmade((1, body_of()), codec=b"\xff"), "unknown-codec"),
        (handmade((1, body_of()), codec=b"deflate"), "malformed-avro"),
        (handmade((1, deflated(body_of())[:-2]), codec=b"deflate"), "malformed-avro"),
        (handmade((1, body_of()), schema=b"{"), "unknown-schema"),
        (handmade((1, body_of()), schema=b"3"), "unknown-schema"),
        (handmade((1, body_of()), schema=b'{"type": "record"}'), "unknown-schema"),
        (handmade((1, body_of()), schema=b'{"type": {"type": {"type": {"type": {"type": 1}}}}}'), "unknown-schema"),
        (b"Obj\x01" + b"\xff" * 11, "malformed-avro"),
        (b"Obj\x01" + blocks.varint(10**6), "malformed-avro"),
        (b"Obj\x01\x02" + blocks.varint(2**62), "malformed-avro"),
        (b"Obj\x01\x02" + blocks.varint(-5), "malformed-avro"),
        (handmade((100_001, body_of())), "too-many"),
        (handmade(*[(50_001, body_of())] * 2), "too-many"),
    ],
)
def test_a_file_that_cannot_be_opened_is_refused_as_a_whole(body: bytes, code: str) -> None:
    assert refusal_of(body).code == code


@pytest.mark.parametrize(("claimed", "written"), [(2, 1), (1, 2), (100_000, 1)])
def test_a_block_holds_exactly_the_records_that_it_says(claimed: int, written: int) -> None:
    found = read(handmade((claimed, body_of() * written)))

    assert isinstance(found[-1], RejectedEvent)
    assert (len(found), found[-1].code) == (2, "malformed-avro")


def test_a_file_that_unpacks_to_more_than_it_may_is_refused_before_it_fills_the_memory() -> None:
    bomb = handmade((1, deflated(bytes(200 * 1024 * 1024))), codec=b"deflate")
    slices = handmade(*[(1, deflated(bytes(10 * 1024 * 1024)))] * 20, codec=b"deflate")
    assert len(bomb) < arrivals.UNPACKED_BYTES // 100

    tracemalloc.start()
    faults = [refusal_of(bomb), refusal_of(slices)]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert [(fault.code, fault.status) for fault in faults] == [("too-large", 413)] * 2
    assert most < 2.5 * arrivals.UNPACKED_BYTES


# -- hostile bytes ---------------------------------------------------------------------------------------------------


@st.composite
def damaged(draw: st.DrawFn, bodies: list[bytes]) -> bytes:
    """One of the bodies with a few bytes changed, cut out or put in."""
    body = bytearray(draw(st.sampled_from(bodies)))
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(body)))
        length = draw(st.integers(0, 12))
        body[place : place + length] = draw(
            st.binary(max_size=12) | st.sampled_from([b"\xff" * 9 + b"\x01", b"\x01", struct.pack(">I", 4)])
        )
    return bytes(body)


FILES = [
    handmade((2, body_of() + body_of(2)), (1, body_of(3))),
    handmade((3, deflated(body_of() + body_of(2) + body_of(3))), codec=b"deflate"),
    container([record("position-update")], registry.by_name("position-update.v1").physical),
]
VALUES = [framed(family) for family in SAMPLES]


@settings(max_examples=400, deadline=None)
@given(body=damaged([*FILES, *VALUES]))
def test_damaged_avro_is_events_that_can_be_written_or_refusals_with_a_known_code(body: bytes) -> None:
    for found in judged(lambda: list(avro_events.read(body))):
        if isinstance(found, RejectedEvent):
            assert found.code in CODES
        else:
            avro.decode(avro.encode(registry.by_name(found.family.schema), written(found)), found.family.name)


@settings(max_examples=200, deadline=None)
@given(tail=st.binary(max_size=200), body=st.sampled_from([b"", b"Obj\x01", b"\x00\x00\x00\x00\x01", FILES[0]]))
def test_any_bytes_are_events_or_refusals_with_a_known_code(tail: bytes, body: bytes) -> None:
    for found in judged(lambda: list(avro_events.read(body + tail))):
        assert isinstance(found, events.Event) or found.code in CODES


def written(event: events.Event) -> avro.Record:
    """The record that the gateway would write, without replacing identifiers."""
    fixed: avro.Record = {"event_id": UUID, "org_id": "louvre", "clock_trust": "SYNCED", "device_at": None}
    fixed |= {"occurred_at": event.occurred_ms, "received_at": event.occurred_ms}
    said = {field.name: event.fields[field.door] for field in events.door_fields(event.family.schema)}
    return fixed | said | {"site_id": event.fields["site_id"] or "unplaced"}
