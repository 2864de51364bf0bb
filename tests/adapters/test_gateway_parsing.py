"""What the door makes of JSON: an event, or a refusal with a stable code and the place of the fault; nothing else."""

import json
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.adapters import avro, registry
from streams.errors import RejectedEvent
from streams.gateway import auth, cloudevents, events
from streams.gateway.accept import event_id
from streams.topology import AT_THE_DOOR

TYPE = "musee.ticket-scan.v1"
CODES = {"malformed-json", "wrong-type", "missing-field", "unknown-field", "out-of-range", "unknown-family"}
UUID = "0b0e1f9c-1111-4222-8333-444455556666"
DATA = {"site_id": "louvre", "direction": "IN"}
EVENT = {
    "specversion": "1.0",
    "id": "scan-1",
    "source": "//louvre/turnstile-4",
    "type": TYPE,
    "time": "2026-07-14T10:20:30.5+02:00",
    "data": DATA,
}
GONE = object()


def body(changes: dict[str, Any] | None = None, **data: Any) -> bytes:
    """An event as JSON, with other envelope members and other data; ``GONE`` takes one out."""
    event = EVENT | {"data": {k: v for k, v in (DATA | data).items() if v is not GONE}} | (changes or {})
    return json.dumps({name: value for name, value in event.items() if value is not GONE}).encode()


def parsed(request: bytes) -> events.Event:
    (raw,) = cloudevents.split(request, batch=False)
    return cloudevents.parse(raw)


def judged(request: bytes) -> events.Event | RejectedEvent:
    try:
        return parsed(request)
    except RejectedEvent as fault:
        return fault


def refused(request: bytes) -> RejectedEvent:
    with pytest.raises(RejectedEvent) as caught:
        parsed(request)
    return caught.value


def code_and_path(request: bytes) -> tuple[str, str]:
    fault = refused(request)
    return fault.code, fault.path


# -- accepted --------------------------------------------------------------------------------------------------------


def test_an_event_says_who_when_and_what() -> None:
    event = parsed(body(gate_id="pyramid", party_size=3))

    assert (event.family.name, event.id, event.source) == ("ticket-scan", "scan-1", "//louvre/turnstile-4")
    assert event.occurred_ms == 1_784_017_230_500
    assert (event.fields["site_id"], event.fields["gate_id"], event.fields["party_size"]) == ("louvre", "pyramid", 3)


def test_what_a_device_does_not_say_has_the_schemas_default() -> None:
    fields = parsed(body()).fields

    assert fields["outcome"] == "ACCEPTED"
    assert fields["ingest_mode"] == "LIVE"
    assert fields["party_size"] == 1
    assert fields["test"] is False
    assert fields["forced"] is None


def test_every_field_of_the_schema_is_filled_by_the_device_or_by_the_gateway() -> None:
    for family in AT_THE_DOOR:
        names = {field.name for field in events.door_fields(family.schema)}

        assert names | events.SET_BY_GATEWAY == set(registry.by_name(family.schema).fields)
        assert not names & events.SET_BY_GATEWAY


@pytest.mark.parametrize("extension", [1, "x", None, {"deep": [1, {"a": "b"}]}])
def test_extension_attributes_are_allowed_and_ignored(extension: Any) -> None:
    changes = {"traceparent": extension, "datacontenttype": "application/json", "subject": "gate"}

    assert parsed(body(changes)) == parsed(body())


def test_of_a_member_given_twice_the_last_counts() -> None:
    request = body().replace(b'"id": "scan-1"', b'"id": "scan-1", "id": "scan-2"')

    assert parsed(request).id == "scan-2"


@pytest.mark.parametrize("text", ["🏛️", "Musée", "門", "a b", "x" * 200])
def test_any_printable_text_is_taken_as_it_is(text: str) -> None:
    event = parsed(body({"id": text, "source": text}, gate_id=text))

    assert (event.id, event.source, event.fields["gate_id"]) == (text, text, text)


@pytest.mark.parametrize(
    "time",
    [
        "2026-07-14T08:20:30.5Z",
        "2026-07-14T10:20:30.500+02:00",
        "2026-07-14t08:20:30.5z",
        "2026-07-14T06:20:30.5-02:00",
    ],
)
def test_the_same_instant_may_be_written_in_any_zone(time: str) -> None:
    assert parsed(body({"time": time})).occurred_ms == 1_784_017_230_500


def record_of(event: events.Event) -> avro.Record:
    """The record that the gateway would write, with a constant for what it sets or replaces itself."""
    record: avro.Record = {
        "event_id": UUID,
        "org_id": "louvre",
        "occurred_at": event.occurred_ms,
        "received_at": event.occurred_ms,
        "clock_trust": "SYNCED",
        "device_at": None,
    }
    for field in events.door_fields(event.family.schema):
        record[field.name] = event.fields[field.door] if field.purpose is None else None
    return record


def test_what_is_accepted_can_be_encoded_and_decoded() -> None:
    event = parsed(body(gate_id="🏛️", corrects=UUID.upper(), sent_at="2026-07-14T10:20:31Z", seq=2**63 - 1))

    record = record_of(event)

    assert avro.decode(avro.encode(registry.by_name(event.family.schema), record)) == record


# -- refused, with code and place ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"specversion": "0.3"}, "out-of-range", "/specversion"),
        ({"specversion": GONE}, "missing-field", "/specversion"),
        ({"id": GONE}, "missing-field", "/id"),
        ({"id": ""}, "out-of-range", "/id"),
        ({"id": "x" * 501}, "out-of-range", "/id"),
        ({"id": 7}, "wrong-type", "/id"),
        ({"source": GONE}, "missing-field", "/source"),
        ({"source": None}, "wrong-type", "/source"),
        ({"type": GONE}, "missing-field", "/type"),
        ({"type": "musee.position.v1"}, "unknown-family", "/type"),
        ({"type": "musee.site.v1"}, "unknown-family", "/type"),
        ({"time": GONE}, "missing-field", "/time"),
        ({"time": "yesterday"}, "wrong-type", "/time"),
        ({"time": "2026-07-14T10:20:30"}, "out-of-range", "/time"),
        ({"time": 1_784_017_230}, "wrong-type", "/time"),
        ({"data": GONE}, "missing-field", "/data"),
        ({"data": None}, "wrong-type", "/data"),
        ({"data": []}, "wrong-type", "/data"),
        ({"data": "louvre"}, "wrong-type", "/data"),
    ],
)
def test_a_fault_of_the_envelope_is_named_with_its_place(changes: dict[str, Any], code: str, path: str) -> None:
    assert code_and_path(body(changes)) == (code, path)


@pytest.mark.parametrize(
    ("data", "code", "path"),
    [
        ({"site_id": GONE}, "missing-field", "/data/site_id"),
        ({"direction": GONE}, "missing-field", "/data/direction"),
        ({"site_id": ""}, "out-of-range", "/data/site_id"),
        ({"site_id": "x" * 201}, "out-of-range", "/data/site_id"),
        ({"site_id": "a\x00b"}, "out-of-range", "/data/site_id"),
        ({"site_id": "louvre\n"}, "out-of-range", "/data/site_id"),
        ({"gate_id": "north\n"}, "out-of-range", "/data/gate_id"),
        ({"gate_id": " "}, "out-of-range", "/data/gate_id"),
        ({"ticket_id": "\u3000 "}, "out-of-range", "/data/ticket_id"),
        ({"gate_id": "\x7f"}, "out-of-range", "/data/gate_id"),
        ({"direction": "UP"}, "out-of-range", "/data/direction"),
        ({"direction": "in"}, "out-of-range", "/data/direction"),
        ({"direction": None}, "wrong-type", "/data/direction"),
        ({"party_size": 0}, "out-of-range", "/data/party_size"),
        ({"party_size": 1001}, "out-of-range", "/data/party_size"),
        ({"party_size": 10**30}, "out-of-range", "/data/party_size"),
        ({"party_size": "2"}, "wrong-type", "/data/party_size"),
        ({"party_size": 1.5}, "wrong-type", "/data/party_size"),
        ({"party_size": True}, "wrong-type", "/data/party_size"),
        ({"seq": -1}, "out-of-range", "/data/seq"),
        ({"seq": 2**63}, "out-of-range", "/data/seq"),
        ({"test": "true"}, "wrong-type", "/data/test"),
        ({"corrects": "scan-1"}, "out-of-range", "/data/corrects"),
        ({"corrects": UUID + "\n"}, "out-of-range", "/data/corrects"),
        ({"corrects": UUID.replace("-", "")}, "out-of-range", "/data/corrects"),
        ({"sent_at": "2026-07-14"}, "wrong-type", "/data/sent_at"),
        ({"sent_at": "2026-07-14T10:20:31"}, "out-of-range", "/data/sent_at"),
        ({"gate": "north"}, "unknown-field", "/data/gate"),
        ({"event_id": UUID}, "unknown-field", "/data/event_id"),
        ({"org_id": "orsay"}, "unknown-field", "/data/org_id"),
        ({"ticket_pid": "0" * 32}, "unknown-field", "/data/ticket_pid"),
        ({"a/b~c": 1}, "unknown-field", "/data/a~1b~0c"),
    ],
)
def test_a_fault_of_the_data_is_named_with_its_place(data: dict[str, Any], code: str, path: str) -> None:
    assert code_and_path(body(**data)) == (code, path)


@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]
)
@pytest.mark.parametrize("place", ["/time", "/data/sent_at"])
def test_a_time_that_the_stores_cannot_keep_is_out_of_range(time: str, place: str) -> None:
    request = body({"time": time}) if place == "/time" else body(sent_at=time)

    assert code_and_path(request) == ("out-of-range", place)


@pytest.mark.parametrize(
    ("request_body", "code"),
    [
        (b"", "malformed-json"),
        (b"{", "malformed-json"),
        (b"{} {}", "malformed-json"),
        (b"\xef\xbb\xbf{}", "malformed-json"),
        (b"nul", "malformed-json"),
        (b"3", "wrong-type"),
        (b"[]", "wrong-type"),
        (b'"event"', "wrong-type"),
        (b"null", "wrong-type"),
        (body(party_size=float("nan")), "malformed-json"),
        (body(party_size=float("inf")), "malformed-json"),
        (body().replace(b'"IN"', b'"IN", "seq": 1e400'), "wrong-type"),
        (body().replace(b'"IN"', b'"IN", "seq": ' + b"9" * 100_000), "wrong-type"),
        (body().replace(b"scan-1", rb"\ud800"), "malformed-json"),
        (body().replace(b"louvre", rb"\udc00"), "malformed-json"),
        (body().replace(b"scan-1", b"\xed\xa0\x80"), "malformed-json"),
        (body().replace(b"scan-1", b"\xff\xfe"), "malformed-json"),
        (body().replace(b'"louvre"', b'"\xff"'), "malformed-json"),
        (body().replace(b'"direction"', b'"\xff"'), "malformed-json"),
    ],
)
def test_what_is_no_json_or_no_object_is_refused(request_body: bytes, code: str) -> None:
    assert refused(request_body).code == code


@pytest.mark.parametrize("levels", [900, 10_000, 100_000])
@pytest.mark.parametrize("where", ["the whole body", "an extension", "the data", "an unknown field"])
def test_deep_nesting_is_refused_or_ignored_and_never_a_crash(levels: int, where: str) -> None:
    deep = b"[" * levels + b"]" * levels
    request = {
        "the whole body": deep,
        "an extension": body().replace(b'"id"', b'"trace": ' + deep + b', "id"'),
        "the data": body().replace(json.dumps(DATA).encode(), deep),
        "an unknown field": body().replace(b'"direction"', b'"x": ' + deep + b', "direction"'),
    }[where]

    found = judged(request)

    if isinstance(found, RejectedEvent):
        assert found.code in CODES
    else:
        assert where == "an extension"
        assert found == parsed(body())


@pytest.mark.parametrize("name", ["a`b", "a - at `$.id`", "`", "$", "a.b[0]", "", "x" * 10_000])
def test_a_field_with_a_strange_name_is_an_unknown_field_of_that_name(name: str) -> None:
    named: dict[str, Any] = {name: 1}

    fault = refused(body(None, **named))

    assert fault.code == "unknown-field"
    assert fault.path == "/data/" + name.replace("~", "~0").replace("/", "~1")


# -- the limits of the other families --------------------------------------------------------------------------------

SAID: dict[str, dict[str, Any]] = {
    "guestbook-entry": {"text": "Très beau.", "rating": 5},
    "social-post": {"network": "mastodon", "text": "at @louvre"},
    "position-update": {"session_id": "phone-1", "zone_id": "hall", "x_m": 1.5},
    "visitor-action": {"action": "LIKE"},
    "web-traffic": {"page_views": 0},
    "device-status": {"device_id": "reader-1", "status": "OK"},
}


def body_of(family: str, **data: Any) -> bytes:
    """An event of a family that says the least, and what the test adds or (``GONE``) leaves out."""
    said = {"site_id": "louvre"} | SAID[family] | data
    event = EVENT | {"type": f"musee.{family}.v1", "data": {k: v for k, v in said.items() if v is not GONE}}
    return json.dumps(event).encode()


@pytest.mark.parametrize("family", SAID)
def test_every_family_of_the_table_is_taken(family: str) -> None:
    assert parsed(body_of(family)).family.name == family


@pytest.mark.parametrize(
    ("family", "data", "code", "path"),
    [
        ("guestbook-entry", {"text": "x" * 2001}, "out-of-range", "/data/text"),
        ("guestbook-entry", {"text": ""}, "out-of-range", "/data/text"),
        ("guestbook-entry", {"text": "a\x00b"}, "out-of-range", "/data/text"),
        ("guestbook-entry", {"text": "a\x1bb"}, "out-of-range", "/data/text"),
        ("guestbook-entry", {"rating": 6}, "out-of-range", "/data/rating"),
        ("guestbook-entry", {"rating": 0}, "out-of-range", "/data/rating"),
        ("guestbook-entry", {"rating": 4.5}, "wrong-type", "/data/rating"),
        ("guestbook-entry", {"language": "x" * 36}, "out-of-range", "/data/language"),
        ("guestbook-entry", {"site_id": GONE}, "missing-field", "/data/site_id"),
        ("guestbook-entry", {"emotion": "joy"}, "unknown-field", "/data/emotion"),
        ("social-post", {"text": "x" * 2001}, "out-of-range", "/data/text"),
        ("social-post", {"network": "x" * 41}, "out-of-range", "/data/network"),
        ("social-post", {"network": "a\nb"}, "out-of-range", "/data/network"),
        ("social-post", {"site_id": ""}, "out-of-range", "/data/site_id"),
        ("position-update", {"session_id": GONE}, "missing-field", "/data/session_id"),
        ("position-update", {"zone_id": GONE}, "missing-field", "/data/zone_id"),
        ("position-update", {"zone_id": None}, "wrong-type", "/data/zone_id"),
        ("position-update", {"session_pid": "0" * 32}, "unknown-field", "/data/session_pid"),
        ("position-update", {"accuracy_m": -0.1}, "out-of-range", "/data/accuracy_m"),
        ("position-update", {"x_m": "1"}, "wrong-type", "/data/x_m"),
        ("visitor-action", {"action": "DANCE"}, "out-of-range", "/data/action"),
        ("visitor-action", {"duration_s": -1}, "out-of-range", "/data/duration_s"),
        ("web-traffic", {"page_views": -1}, "out-of-range", "/data/page_views"),
        ("web-traffic", {"page_views": 2**31}, "out-of-range", "/data/page_views"),
        ("web-traffic", {"page_views": GONE}, "missing-field", "/data/page_views"),
        ("web-traffic", {"visitor_id": "v"}, "unknown-field", "/data/visitor_id"),
        ("device-status", {"battery_share": 1.001}, "out-of-range", "/data/battery_share"),
        ("device-status", {"battery_share": -0.001}, "out-of-range", "/data/battery_share"),
        ("device-status", {"detail": "x" * 501}, "out-of-range", "/data/detail"),
    ],
)
def test_a_field_beyond_its_familys_limits_is_named(family: str, data: dict[str, Any], code: str, path: str) -> None:
    assert code_and_path(body_of(family, **data)) == (code, path)


@pytest.mark.parametrize("text", ["x" * 2000, "two\nlines", "a\r\n\tb", "🏛️" * 1000])
def test_what_people_write_has_lines_and_up_to_2000_characters(text: str) -> None:
    assert parsed(body_of("guestbook-entry", text=text)).fields["text"] == text


def test_a_rating_alone_and_a_text_alone_are_entries() -> None:
    assert parsed(body_of("guestbook-entry", text=GONE)).fields["text"] is None
    assert parsed(body_of("guestbook-entry", rating=GONE)).fields["rating"] is None


@pytest.mark.parametrize("site_id", [GONE, None])
def test_a_post_may_leave_its_site_to_the_door(site_id: Any) -> None:
    assert parsed(body_of("social-post", site_id=site_id)).fields["site_id"] is None


def test_a_sessions_key_is_that_of_a_day_and_a_tickets_that_of_a_month() -> None:
    periods = {
        field.name: field.period
        for family in AT_THE_DOOR
        for field in events.door_fields(family.schema)
        if field.purpose is not None
    }

    assert periods == {"ticket_pid": "month", "session_pid": "day"}


# -- batches ---------------------------------------------------------------------------------------------------------


def test_a_batch_is_split_into_events_of_which_each_is_judged_by_itself() -> None:
    first, second = cloudevents.split(b"[" + body() + b", 3]", batch=True)

    assert cloudevents.parse(first).id == "scan-1"
    with pytest.raises(RejectedEvent, match="wrong-type"):
        cloudevents.parse(second)


@pytest.mark.parametrize(
    ("request_body", "code"), [(body(), "wrong-type"), (b"3", "wrong-type"), (b"[{}", "malformed-json")]
)
def test_a_batch_that_is_no_array_is_refused_as_a_whole(request_body: bytes, code: str) -> None:
    with pytest.raises(RejectedEvent) as caught:
        cloudevents.split(request_body, batch=True)

    assert (caught.value.code, caught.value.status) == (code, 400)


# -- any JSON at all -------------------------------------------------------------------------------------------------

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(
        ["1.0", TYPE, "2026-07-14T10:20:30Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "IN"]
    )
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)
DATA_NAMES = sorted({field.door for field in events.door_fields("ticket-scan.v1")})
data_members = st.dictionaries(st.sampled_from(DATA_NAMES) | st.text(max_size=5), anything, max_size=5)
nearly_events = st.builds(
    lambda changes, data: EVENT | {"data": DATA | data} | changes,
    st.dictionaries(st.sampled_from(sorted(EVENT)) | st.text(max_size=5), anything, max_size=2),
    data_members,
)


@given(value=anything | nearly_events)
def test_any_json_is_an_event_that_can_be_written_or_a_refusal_with_a_known_code(value: Any) -> None:
    found = judged(json.dumps(value).encode())

    if isinstance(found, RejectedEvent):
        assert found.code in CODES
        assert found.path == "" or found.path.startswith("/")
    else:
        avro.decode(avro.encode(registry.by_name(found.family.schema), record_of(found)))


@given(request_body=st.binary(max_size=100))
def test_any_bytes_are_an_event_or_a_refusal_with_a_known_code(request_body: bytes) -> None:
    found = judged(request_body)

    assert isinstance(found, events.Event) or found.code in CODES


@given(items=st.lists(anything, max_size=5))
def test_any_array_is_split_into_its_items(items: list[Any]) -> None:
    found = cloudevents.split(json.dumps(items).encode(), batch=True)

    assert [json.loads(bytes(raw)) for raw in found] == items


# -- identity --------------------------------------------------------------------------------------------------------


def test_a_uuid_is_the_events_own_identity_whoever_sends_it_and_in_either_case() -> None:
    assert event_id("louvre", "a", UUID) == UUID
    assert event_id("orsay", "b", UUID.upper()) == UUID


@pytest.mark.parametrize(
    "given_id",
    [
        f"{{{UUID}}}",
        f"urn:uuid:{UUID}",
        UUID.replace("-", ""),
        "urn:" + UUID.replace("-", ""),
        "{-" + UUID.replace("-", "") + "-}",
        "0b0e1f9c1111-4222-8333-4444-55556666",
        "1_1_1_1_1-1_1_1_1_1_-1_1_1_1_-1_-111",
        "0b0e1f9c-1111-4222-8333-44445555666 ",
        "٠b0e1f9c-1111-4222-8333-444455556666",
    ],
)
def test_what_only_resembles_a_uuid_is_somebodys_name(given_id: str) -> None:
    assert uuid.UUID(event_id("louvre", "a", given_id)).version == 5


def test_the_same_name_from_the_same_source_is_the_same_event() -> None:
    assert event_id("louvre", "a", "scan-1") == event_id("louvre", "a", "scan-1")


@pytest.mark.parametrize("other", [("orsay", "a", "scan-1"), ("louvre", "b", "scan-1"), ("louvre", "a", "scan-2")])
def test_another_organisation_source_or_name_is_another_event(other: tuple[str, str, str]) -> None:
    assert event_id("louvre", "a", "scan-1") != event_id(*other)


def test_a_line_end_does_not_make_two_events_one() -> None:
    assert event_id("louvre", "a\nb", "c") != event_id("louvre", "a", "b\nc")


@given(org=st.text(), source=st.text(), given_id=st.text())
def test_every_name_has_an_identity_in_the_usual_form(org: str, source: str, given_id: str) -> None:
    found = event_id(org, source, given_id)

    assert str(uuid.UUID(found)) == found


# -- the key ---------------------------------------------------------------------------------------------------------

KEY = "musee_dev_00000000_secret_00000000"


@pytest.mark.parametrize("authorization", [f"Bearer {KEY}", f"bearer {KEY}", f"Bearer  {KEY} "])
def test_the_bearer_of_the_key_may_pass(authorization: str) -> None:
    auth.check(authorization, KEY)


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        KEY,
        f"Basic {KEY}",
        f"Bearer {KEY}x",
        f"Bearer {KEY[:-1]}",
        "Bearer \xff",
        "Bearer é",
    ],
)
def test_anybody_else_is_refused_and_told_how(authorization: str | None) -> None:
    with pytest.raises(RejectedEvent) as caught:
        auth.check(authorization, KEY)

    assert (caught.value.code, caught.value.status) == ("unknown-key", 401)
    assert "Authorization" in caught.value.detail
    assert KEY not in caught.value.detail
