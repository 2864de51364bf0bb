"""Batches as frames: the fast way and the careful way say the same, and no record decides about its neighbours."""

import math
import random
import uuid

import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from streams.adapters import avro, frames, metrics, registry
from streams.core import attendance, blocks, seen, voice
from streams.topology import LIVE, Family
from tests.adapters.test_avro import GOOD, PLACE, RECORD, SCAN, SITE, mutated, records, text, varint, with_bytes

FAMILY = "ticket-scan"
COLUMNS = attendance.COLUMNS
ALL = SCAN.fields


def taken_apart() -> float:
    """Batches judged record by record so far."""
    return float(metrics.TAKEN_APART.labels(FAMILY)._value.get())  # the library has no public reader


def scan(number: int) -> bytes:
    """A sound scan that tells itself apart from others by its gate and id."""
    return avro.encode(SCAN, RECORD | {"event_id": str(uuid.UUID(int=number)), "gate_id": f"gate-{number}"})


def gates(batch: frames.Batch) -> list[str | None]:
    return batch.frame["gate_id"].to_list()


# -- sound values ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [COLUMNS, ALL], ids=["the columns that are counted", "all columns"])
@given(some=st.lists(records, min_size=1, max_size=12))
def test_a_block_is_read_as_its_records_are_one_by_one(columns: tuple[str, ...], some: list[avro.Record]) -> None:
    values = [avro.encode(SCAN, record) for record in some]

    together, apart = frames.read(values, FAMILY, columns), frames.one_by_one(values, FAMILY, columns)

    assert_frame_equal(together.frame, apart.frame, check_dtypes=False, categorical_as_str=True)
    everything = list(range(len(values)))
    assert apart.places == everything
    assert together.places in (None, everything)  # a value that holds a canary has them taken apart
    assert together.rejects == apart.rejects == []


def test_a_block_has_the_column_types_of_its_records_one_by_one() -> None:
    together, apart = frames.read([scan(1)], FAMILY, ALL), frames.one_by_one([scan(1)], FAMILY, ALL)

    assert together.frame.schema == apart.frame.schema


@given(some=st.lists(records, min_size=1, max_size=12))
def test_a_frame_holds_what_the_records_say(some: list[avro.Record]) -> None:
    frame = frames.read([avro.encode(SCAN, record) for record in some], FAMILY, ALL).frame

    times = pl.col("occurred_at", "sent_at", "received_at").to_physical()
    assert frame.with_columns(times).to_dicts() == some


@given(some=st.lists(records, min_size=1, max_size=12))
def test_sound_values_are_never_taken_apart(some: list[avro.Record]) -> None:
    values = [avro.encode(SCAN, record) for record in some]
    assume(not any(varint(blocks.CANARY) in value for value in values))  # one that holds a canary is
    before = taken_apart()

    frames.read(values, FAMILY, COLUMNS)

    assert taken_apart() == before


def test_control_one_bad_value_has_its_batch_taken_apart() -> None:
    before = taken_apart()

    frames.read([scan(1), GOOD[:-1]], FAMILY, COLUMNS)

    assert taken_apart() == before + 1


def test_four_thousand_values_keep_their_order() -> None:
    batch = frames.read([scan(number) for number in range(4_000)], FAMILY, COLUMNS)

    assert gates(batch) == [f"gate-{number}" for number in range(4_000)]


def test_a_batch_without_values_is_a_frame_without_rows() -> None:
    batch = frames.read([], FAMILY, COLUMNS)

    assert batch.frame.shape == (0, len(COLUMNS))
    assert batch.rejects == []


def test_a_batch_of_bad_values_only_is_a_frame_without_rows_that_can_still_be_tallied() -> None:
    batch = frames.read([None, b"x"], FAMILY, COLUMNS)

    assert batch.rejects == [(0, "null"), (1, "short")]
    assert attendance.tally(batch.frame, {}).size == 0


# -- several versions ------------------------------------------------------------------------------------------------

NEWER = registry.by_name("ticket-scan.v2")
SLOT_MS = 1_784_020_000_000


def newer(number: int) -> bytes:
    more = {"event_id": str(uuid.UUID(int=number)), "gate_id": f"gate-{number}", "slot_at": SLOT_MS}
    return avro.encode(NEWER, RECORD | more)


@given(versions=st.lists(st.booleans(), min_size=1, max_size=30))
def test_records_of_two_versions_keep_their_order_and_are_not_taken_apart(versions: list[bool]) -> None:
    before = taken_apart()

    batch = frames.read([newer(n) if new else scan(n) for n, new in enumerate(versions)], FAMILY, COLUMNS)

    assert gates(batch) == [f"gate-{number}" for number in range(len(versions))]
    assert taken_apart() == before


def test_what_an_older_version_lacks_holds_the_default_of_the_newest() -> None:
    frame = frames.read([scan(0), newer(1), scan(2)], FAMILY, ("gate_id", "slot_at")).frame

    assert frame["slot_at"].to_physical().to_list() == [None, SLOT_MS, None]


def test_a_bad_record_of_one_version_has_only_that_version_taken_apart() -> None:
    values = [newer(0), scan(1), GOOD[:-1], newer(3), None]

    batch = frames.read(values, FAMILY, COLUMNS)

    assert gates(batch) == ["gate-0", "gate-1", "gate-3"]
    assert batch.places == [0, 1, 3]
    assert [place for place, _ in batch.rejects] == [2, 4]


# -- limits ----------------------------------------------------------------------------------------------------------


def entry(text: str | None, rating: int | None = None) -> bytes:
    common = {name: RECORD[name] for name in registry.by_name("guestbook-entry.v1").fields if name in RECORD}
    return avro.encode(
        registry.by_name("guestbook-entry.v1"), common | {"text": text, "rating": rating, "language": None}
    )


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (entry("é" * 2_001), "text has 2001 characters, 1 to 2000 are allowed"),
        (entry(""), "text has 0 characters, 1 to 2000 are allowed"),
        (entry("x", 6), "rating is not from 1 to 5"),
        (entry("x", 0), "rating is not from 1 to 5"),
    ],
)
def test_a_record_beyond_a_limit_of_its_schema_is_invalid_alone_and_in_a_block(value: bytes, fault: str) -> None:
    columns = voice.GUESTBOOK_COLUMNS

    batch = frames.read([entry("é" * 2_000, 5), value, entry(None, 1)], "guestbook-entry", columns)

    assert batch.rejects == [(1, "invalid")]
    assert batch.frame["rating"].to_list() == [5, 1]
    with pytest.raises(ValueError, match="invalid") as refused:
        avro.decode(value)
    assert refused.value.args == ("invalid", fault)


ODD_NUMBERS: dict[str, dict[str, object]] = {
    "position-update": {"x_m": math.nan, "y_m": math.inf, "accuracy_m": -1.0},
    "visitor-action": {"duration_s": math.nan},
    "device-status": {"battery_share": 1.5, "queued": -1, "detail": "x" * 501},
}


@pytest.mark.parametrize("family", ODD_NUMBERS)
def test_what_a_family_bounds_is_judged_live_as_in_history(family: str) -> None:
    schema = registry.by_name(f"{family}.v1")
    own = {
        "zone_id": "hall",
        "session_pid": "s",
        "action": "VIEW",
        "device_id": "d",
        "status": "OK",
        "x_m": 1.0,
        "y_m": 1.0,
    }
    sound = dict.fromkeys(schema.fields) | {name: RECORD[name] for name in RECORD if name in schema.fields}
    sound |= {name: value for name, value in own.items() if name in schema.fields}
    live = next(one.live for one in LIVE if one.name == family)
    assert live is not None
    for name, odd in ODD_NUMBERS[family].items():
        values = [avro.encode(schema, sound), avro.encode(schema, sound | {name: odd}), avro.encode(schema, sound)]

        assert frames.read(values, family, live.columns).rejects == [(1, "invalid")]


def test_an_uppercase_uuid_is_accepted_in_a_block_and_by_itself() -> None:
    value = with_bytes(event_id=text("0B0E1F9C-1111-4222-8333-444455556666"))

    together, apart = frames.read([value], FAMILY, COLUMNS), frames.one_by_one([value], FAMILY, COLUMNS)

    assert together.places is None
    assert_frame_equal(together.frame, apart.frame, check_dtypes=False, categorical_as_str=True)


# -- bad values ------------------------------------------------------------------------------------------------------

BAD: dict[str, bytes | None] = {
    "null": None,
    "short": b"\x00\x00\x00",
    "magic": b"\x07" + GOOD[1:],
    "schema": blocks.head(999) + GOOD[blocks.HEAD_BYTES :],
    "truncated": GOOD[:-4],
    "trailing": GOOD + b"\x00\x00",
    "invalid": with_bytes(zone_id=varint(-1)),
}


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("reason", BAD)
def test_a_bad_value_is_rejected_with_its_reason_and_its_neighbours_survive(reason: str, place: int) -> None:
    values: list[bytes | None] = [scan(1), scan(2)]
    values.insert(place, BAD[reason])

    batch = frames.read(values, FAMILY, COLUMNS)

    assert batch.rejects == [(place, reason)]
    assert gates(batch) == ["gate-1", "gate-2"]
    assert batch.places == [index for index in range(3) if index != place]


def test_a_value_of_another_family_is_rejected() -> None:
    batch = frames.read([avro.encode(SITE, PLACE), scan(1)], FAMILY, COLUMNS)

    assert batch.rejects == [(0, "schema")]
    assert gates(batch) == ["gate-1"]


def test_all_kinds_of_bad_values_in_one_batch_are_each_told_apart() -> None:
    values = [value for bad in BAD.values() for value in (bad, scan(1))]

    batch = frames.read(values, FAMILY, COLUMNS)

    assert batch.rejects == [(2 * number, reason) for number, reason in enumerate(BAD)]
    assert gates(batch) == ["gate-1"] * len(BAD)


HOSTILE: dict[str, dict[str, bytes]] = {
    "union index -1": {"zone_id": varint(-1)},
    "union index 2": {"zone_id": varint(2)},
    "overlong union index": {"zone_id": b"\x80\x00"},
    "overlong int": {"party_size": b"\x84\x00"},
    "varint of eleven bytes": {"occurred_at": b"\x80" * 10 + b"\x01"},
    "varint of 70 bits": {"occurred_at": b"\xff" * 9 + b"\x7f"},
    "int of 2^31": {"party_size": varint(2**31)},
    "boolean of two": {"test": b"\x02"},
    "enum index 9": {"direction": varint(9)},
    "enum index -1": {"direction": varint(-1)},
    "no UTF-8 in a column that is read": {"gate_id": varint(1) + b"\x04\xff\xfe"},
    "no UTF-8 in a column that is not": {"producer": b"\x04\xff\xfe"},
    "text of negative length": {"site_id": varint(-4)},
    "text of 2^40 bytes": {"site_id": varint(2**40)},
    "no UUID in a column that is not read": {"corrects": varint(1) + text("gym")},
    "a time in the year 146140482": {"occurred_at": varint(2**62)},
    "a time in the year 10000": {"received_at": varint(253_402_300_800_000)},
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_bytes_never_raise_and_never_harm_their_neighbours(kind: str) -> None:
    values = [scan(1), with_bytes(**HOSTILE[kind]), scan(2)]

    batch = frames.read(values, FAMILY, COLUMNS)

    found = gates(batch)
    assert (found[0], found[-1]) == ("gate-1", "gate-2")
    assert len(found) + len(batch.rejects) == 3


@pytest.mark.parametrize("kind", HOSTILE)
def test_the_verdict_on_a_record_does_not_depend_on_its_neighbours(kind: str) -> None:
    value = with_bytes(**HOSTILE[kind])

    in_sound_company = frames.read([scan(1), value, scan(2)], FAMILY, COLUMNS)
    in_bad_company = frames.read([None, value, scan(2)], FAMILY, COLUMNS)

    assert [reason for place, reason in in_sound_company.rejects if place == 1] == [
        reason for place, reason in in_bad_company.rejects if place == 1
    ]


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_was_read_can_be_tallied(kind: str) -> None:
    batch = frames.read([with_bytes(**HOSTILE[kind])], FAMILY, COLUMNS)

    attendance.tally(batch.frame, {})


@pytest.mark.parametrize(
    "named", ["gym", "", "0b0e1f9c-1111-4222-8333-444455556666\n", "0b0e1f9c111142228333444455556666"]
)
def test_a_record_that_no_uuid_names_is_rejected_when_each_is_judged_by_itself(named: str) -> None:
    values = [scan(1), with_bytes(event_id=text(named)), scan(2)]

    batch = frames.one_by_one(values, FAMILY, COLUMNS)

    assert batch.rejects == [(1, "invalid")]
    assert len(seen.gather(batch.frame)) == 2


def test_a_record_that_forges_the_canary_does_not_take_the_place_of_the_one_behind_it() -> None:
    # One value that holds two bodies with a canary between them: a block of three then reads 1, 2, 9 and leaves 3 over.
    forged = scan(2) + varint(blocks.CANARY) + scan(9)[blocks.HEAD_BYTES :]

    batch = frames.read([scan(1), forged, scan(3)], FAMILY, COLUMNS)

    assert gates(batch) == ["gate-1", "gate-3"]
    assert batch.rejects == [(1, "trailing")]


def test_mutated_records_never_raise_and_never_harm_their_neighbours() -> None:
    chance = random.Random(20_270_328)

    for _ in range(400):
        batch = frames.read([scan(1), mutated(GOOD, chance), scan(2)], FAMILY, COLUMNS)

        found = gates(batch)
        assert (found[0], found[-1]) == ("gate-1", "gate-2")
        assert len(found) + len(batch.rejects) == 3


@pytest.mark.parametrize("family", LIVE, ids=lambda family: family.name)
def test_a_live_family_can_be_read_record_by_record_in_all_its_columns(family: Family) -> None:
    columns = registry.by_name(family.schema).fields

    assert frames.one_by_one([None], family.name, columns).frame.columns == list(columns)
