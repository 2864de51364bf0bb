"""One record at a time: what is sound comes back as it was, anything else is named and harms nobody."""

import io
import random
import time
import uuid
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.adapters import avro, registry
from streams.core import blocks

SCAN = registry.by_name("ticket-scan.v1")
SITE = registry.by_name("site.v1")
REASONS = {"null", "short", "magic", "schema", "truncated", "trailing", "invalid"}
AT = 1_784_017_230_500
RECORD: avro.Record = {
    "event_id": "0b0e1f9c-1111-4222-8333-444455556666",
    "org_id": "louvre",
    "site_id": "louvre",
    "zone_id": None,
    "gate_id": "north",
    "device_id": "turnstile-4",
    "seq": 17,
    "occurred_at": AT,
    "sent_at": None,
    "received_at": AT,
    "clock_trust": "UNKNOWN",
    "ingest_mode": "LIVE",
    "corrects": None,
    "producer": "tests",
    "test": False,
    "direction": "IN",
    "outcome": "ACCEPTED",
    "reason": None,
    "party_size": 2,
    "tariff": "full",
    "ticket_pid": None,
    "offline": None,
    "forced": None,
}
PLACE: avro.Record = {
    "site_id": "louvre",
    "org_id": "louvre",
    "name": "Louvre",
    "time_zone": "Europe/Paris",
    "business_day_end_hour": 2,
    "capacity": 30_000,
    "zones": [{"zone_id": "denon", "name": "Denon", "capacity": None}],
    "gates": [{"gate_id": "pyramid", "name": "Pyramid", "zone_id": "denon"}],
    "replay": False,
    "note": None,
    "updated_at": AT,
}
GOOD = avro.encode(SCAN, RECORD)


def varint(number: int) -> bytes:
    return blocks.varint(number)


def text(value: str) -> bytes:
    return varint(len(value.encode())) + value.encode()


def with_bytes(**raw: bytes) -> bytes:
    """The scan with the bytes of some fields replaced by others, whatever they mean."""
    pieces = [SCAN.head]
    for field in SCAN.definition["fields"]:
        name = field["name"]
        if name in raw:
            pieces.append(raw[name])
            continue
        out = io.BytesIO()
        alone = fastavro.parse_schema(
            {"type": "record", "name": "Alone", "fields": [{"name": name, "type": field["type"]}]}
        )
        fastavro.schemaless_writer(out, alone, {name: RECORD[name]})
        pieces.append(out.getvalue())
    return b"".join(pieces)


def judged(value: bytes | None, family: str | None = None) -> avro.Record | str:
    """The record, or the reason why there is none."""
    try:
        return avro.decode(value, family)
    except ValueError as error:
        return str(error.args[0])


# -- there and back --------------------------------------------------------------------------------------------------

short_text = st.text(st.characters(codec="utf-8"), max_size=20)
records = st.fixed_dictionaries(
    {
        "event_id": st.uuids().map(str),
        "org_id": short_text,
        "site_id": short_text,
        "zone_id": st.none() | short_text,
        "gate_id": st.none() | short_text,
        "device_id": st.none() | short_text,
        "seq": st.none() | st.integers(0, 2**63 - 1),
        "occurred_at": st.integers(registry.FIRST_MS, 4_000_000_000_000),
        "sent_at": st.none() | st.integers(registry.FIRST_MS, 4_000_000_000_000),
        "received_at": st.integers(registry.FIRST_MS, 4_000_000_000_000),
        "clock_trust": st.sampled_from(["SYNCED", "DRIFTING", "UNSYNCED", "UNKNOWN"]),
        "ingest_mode": st.sampled_from(["LIVE", "OFFLINE", "BACKFILL", "RECONCILE", "REPLAY"]),
        "corrects": st.none() | st.uuids().map(str),
        "producer": short_text,
        "test": st.booleans(),
        "direction": st.sampled_from(["IN", "OUT"]),
        "outcome": st.sampled_from(["ACCEPTED", "DENIED", "ANNULLED", "REVERTED", "AUTO_EXIT"]),
        "reason": st.none() | short_text,
        "party_size": st.integers(1, 1000),
        "tariff": st.none() | short_text,
        "ticket_pid": st.none() | short_text,
        "offline": st.none() | st.booleans(),
        "forced": st.none() | st.booleans(),
    }
)


@given(record=records)
def test_a_record_comes_back_as_it_was_written(record: avro.Record) -> None:
    assert avro.decode(avro.encode(SCAN, record), "ticket-scan") == record


def test_fields_put_together_by_hand_are_what_encode_writes() -> None:
    assert with_bytes() == GOOD


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"unheard_of": 1}, "unheard_of"),
        ({"party_size": "two"}, "party_size"),
        ({"party_size": None}, "party_size"),
        ({"direction": "UP"}, "direction|UP"),
        ({"site_id": 3}, "site_id"),
        ({"seq": 2**63}, "seq|int|long"),
    ],
)
def test_a_field_that_is_not_as_the_schema_says_is_not_written(said: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        avro.encode(SCAN, RECORD | said)


def test_a_missing_field_is_not_written() -> None:
    with pytest.raises(ValueError, match="site_id"):
        avro.encode(SCAN, {name: value for name, value in RECORD.items() if name != "site_id"})


# -- bad bytes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "null"),
        (b"", "short"),
        (GOOD[:4], "short"),
        (b"\x01" + GOOD[1:], "magic"),
        (blocks.head(999) + GOOD[5:], "schema"),
        (avro.encode(SITE, PLACE), "schema"),
        (GOOD[:5], "truncated"),
        (GOOD[:-1], "truncated"),
        (GOOD[:40], "truncated"),
        (GOOD + b"\x00", "trailing"),
        (GOOD + GOOD, "trailing"),
    ],
)
def test_bytes_that_are_no_record_of_the_family_are_refused_with_their_reason(value: bytes | None, reason: str) -> None:
    assert judged(value, "ticket-scan") == reason


@pytest.mark.parametrize(
    "raw",
    [
        {"zone_id": varint(-1)},
        {"zone_id": varint(2)},
        {"zone_id": b"\x80\x00"},
        {"party_size": b"\x84\x00"},
        {"seq": varint(1) + b"\xa2" + b"\x80" * 8 + b"\x00"},
        {"seq": varint(1) + b"\x80" * 10 + b"\x01"},
        {"seq": varint(1) + b"\xff" * 9 + b"\x7f"},
        {"party_size": varint(2**31)},
        {"party_size": varint(-(2**40))},
        {"test": b"\x02"},
        {"direction": varint(2)},
        {"direction": varint(-1)},
        {"site_id": b"\x04\xff\xfe"},
        {"producer": b"\x06\xed\xa0\x80"},
        {"event_id": text("gym")},
        {"event_id": text("0b0e1f9c111142228333444455556666")},
        {"event_id": text("0b0e1f9c-1111-4222-8333-444455556666\n")},
        {"corrects": varint(1) + text("gym")},
        {"occurred_at": varint(2**62)},
        {"occurred_at": varint(-(2**63))},
        {"received_at": varint(253_402_300_800_000)},
    ],
    ids=[
        "union index -1",
        "union index 2",
        "overlong union index",
        "overlong int",
        "overlong long",
        "varint of eleven bytes",
        "varint of 70 bits",
        "int of 2^31",
        "int of -2^40",
        "boolean of two",
        "enum index 2",
        "enum index -1",
        "no UTF-8",
        "a surrogate",
        "no UUID",
        "UUID without dashes",
        "UUID and a line end",
        "no UUID, nullable",
        "a time in the year 146140482",
        "the least long as a time",
        "a time in the year 10000",
    ],
)
def test_a_field_that_holds_what_its_type_does_not_allow_is_invalid(raw: dict[str, bytes]) -> None:
    assert judged(with_bytes(**raw)) == "invalid"


def test_an_uppercase_uuid_is_as_good_as_a_lowercase_one() -> None:
    upper = "0B0E1F9C-1111-4222-8333-444455556666"

    assert avro.decode(with_bytes(event_id=text(upper)))["event_id"] == upper


@pytest.mark.parametrize("length", [2**31, 2**40, 2**62, -1, -(2**31), -(2**63)])
def test_a_text_that_claims_an_absurd_length_is_refused_at_once(length: int) -> None:
    started = time.thread_time()

    assert judged(with_bytes(site_id=varint(length))) in {"truncated", "invalid"}
    assert time.thread_time() - started < 0.5


@pytest.mark.parametrize("count", [2**31, 2**62, -1, -(2**31)])
def test_an_array_that_claims_absurdly_many_items_is_refused_at_once(count: int) -> None:
    # In front of the zones: site, org, name, zone, the hour, the capacity.
    before = b"".join(text(str(PLACE[name])) for name in ("site_id", "org_id", "name", "time_zone"))
    value = SITE.head + before + varint(2) + varint(0) + varint(count)
    started = time.thread_time()

    assert judged(value, "site") in {"truncated", "invalid"}
    assert time.thread_time() - started < 0.5


def mutated(value: bytes, chance: random.Random) -> bytes:
    """One to four changes anywhere behind the schema id: bits, bytes, pieces cut out, doubled or moved."""
    body = bytearray(value[blocks.HEAD_BYTES :])
    for _ in range(chance.randrange(1, 5)):
        start, end = sorted(chance.choices(range(len(body) + 1), k=2))
        kind = chance.randrange(5)
        if kind == 0 and body:
            body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
        elif kind == 1:
            body[start:end] = chance.randbytes(end - start)
        elif kind == 2:
            del body[start:end]
        elif kind == 3:
            body[start:start] = body[start:end]
        else:
            body[start:start] = chance.choice([b"\xff" * 10, b"\x80" * 12, varint(2**62), varint(-1)])
    return value[: blocks.HEAD_BYTES] + bytes(body)


@pytest.mark.parametrize(("schema", "record"), [(SCAN, RECORD), (SITE, PLACE)], ids=["ticket-scan", "site"])
def test_mutated_bytes_are_sound_or_refused_with_a_known_reason_and_never_slow(
    schema: registry.Schema, record: avro.Record
) -> None:
    chance = random.Random(20_261_025)
    good = avro.encode(schema, record)
    slowest_s = 0.0

    for _ in range(5_000):
        value = mutated(good, chance)
        started = time.thread_time()
        found = judged(value)
        slowest_s = max(slowest_s, time.thread_time() - started)
        assert found in REASONS if isinstance(found, str) else avro.encode(schema, found) == value

    assert slowest_s < 0.5


@given(value=st.binary(max_size=200))
def test_any_bytes_are_sound_or_refused_with_a_known_reason(value: bytes) -> None:
    found = judged(value)

    assert isinstance(found, dict) or found in REASONS


@given(number=st.integers(0, 2**128 - 1), cut=st.integers(5, len(GOOD) - 1))
def test_a_record_cut_short_is_never_sound(number: int, cut: int) -> None:
    value = avro.encode(SCAN, RECORD | {"event_id": str(uuid.UUID(int=number))})

    assert judged(value[:cut]) in {"truncated", "invalid"}
