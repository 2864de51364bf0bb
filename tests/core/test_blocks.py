"""Blocks: joined bodies read back as what was written, and damage is seen before it is believed."""

import io
import json
import random
from itertools import pairwise

import fastavro
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.core import blocks

SCHEMA_ID = 7
SCHEMA = {
    "type": "record",
    "name": "Scan",
    "fields": [
        {"name": "site_id", "type": "string"},
        {"name": "gate_id", "type": ["null", "string"]},
        {"name": "occurred_at", "type": "long"},
        {"name": "party_size", "type": "int"},
        {"name": "test", "type": "boolean"},
    ],
}
SCHEMA_JSON = json.dumps(SCHEMA)
Record = dict[str, object]

int64s = st.integers(-(2**63), 2**63 - 1)
scans = st.fixed_dictionaries(
    {
        "site_id": st.text(max_size=20),
        "gate_id": st.none() | st.text(max_size=8),
        "occurred_at": int64s,
        "party_size": st.integers(-(2**31), 2**31 - 1),
        "test": st.booleans(),
    }
)
# Where the varint of an offset grows by a byte, and where the bytes shared by 64 neighbours change.
TURNS = (0, 63, 64, 127, 128, 8_191, 8_192, 2**20 - 1, 2**20, 2**31 - 1, 2**31, 2**53, 2**62 - 1)
offset_lists = st.lists(
    st.one_of(
        st.integers(0, 2**62),
        st.sampled_from(TURNS).flatmap(lambda turn: st.integers(max(turn - 3, 0), turn + 3)),
    ),
    min_size=1,
    max_size=40,
    unique=True,
).map(sorted)


def encoded(kind: object, value: object) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(kind), value)  # type: ignore[arg-type]  # any schema
    return out.getvalue()


def framed(record: Record) -> bytes:
    return blocks.head(SCHEMA_ID) + encoded(SCHEMA, record)


def scan(number: int) -> Record:
    return {"site_id": "gym", "gate_id": "north", "occurred_at": number, "party_size": 1, "test": False}


def read_back(container: bytes) -> list[Record]:
    return [dict(one) for one in fastavro.reader(io.BytesIO(container)) if isinstance(one, dict)]


@given(number=int64s)
@example(number=blocks.CANARY)
@example(number=-(2**63))
@example(number=2**63 - 1)
def test_a_varint_is_what_fastavro_writes_for_a_long(number: int) -> None:
    assert blocks.varint(number) == encoded("long", number)


@given(schema_id=st.integers(0, 2**32 - 1), body=st.binary(max_size=5))
def test_the_schema_id_of_a_framed_value_is_the_one_it_was_framed_with(schema_id: int, body: bytes) -> None:
    assert blocks.schema_id(blocks.head(schema_id) + body) == schema_id


@pytest.mark.parametrize(
    ("value", "reason"),
    [(None, "null"), (b"", "short"), (b"\x00\x00\x00\x01", "short"), (b"\x01\x00\x00\x00\x01", "magic")],
)
def test_framing_that_is_wrong_is_named(value: bytes | None, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}$"):
        blocks.schema_id(value)


@given(records=st.lists(scans, min_size=1, max_size=20))
def test_joined_values_read_back_with_a_canary_behind_each(records: list[Record]) -> None:
    container = blocks.join([framed(record) for record in records], SCHEMA_JSON)

    assert read_back(container) == [{**record, "_tail": blocks.CANARY} for record in records]


@given(runs=st.lists(st.tuples(st.integers(0, 2**31 - 1), offset_lists), min_size=1, max_size=4))
def test_every_record_of_joined_runs_carries_its_partition_and_offset(runs: list[tuple[int, list[int]]]) -> None:
    joined = [blocks.Run(partition, offsets, [framed(scan(at)) for at in offsets]) for partition, offsets in runs]

    container = blocks.join_runs(joined, SCHEMA_JSON)

    assert read_back(container) == [
        {"_partition": partition, "_offset": offset, **scan(offset), "_tail": blocks.CANARY}
        for partition, offsets in runs
        for offset in offsets
    ]


@pytest.mark.parametrize(("before", "after"), [(63, 64), (8_191, 8_192), (2**31 - 1, 2**31)])
def test_an_offset_that_needs_another_byte_follows_its_predecessor(before: int, after: int) -> None:
    values = [framed(scan(before)), framed(scan(after))]

    first, second = read_back(blocks.join_runs([blocks.Run(3, [before, after], values)], SCHEMA_JSON))

    assert (first["_offset"], second["_offset"]) == (before, after)


def test_ten_thousand_consecutive_offsets_keep_their_order_across_every_change_of_high_bytes() -> None:
    offsets = range(3_000, 13_000)
    values = [framed(scan(0))] * len(offsets)

    found = read_back(blocks.join_runs([blocks.Run(5, offsets, values)], SCHEMA_JSON))

    assert [one["_offset"] for one in found] == list(offsets)


def test_a_run_with_more_offsets_than_values_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        blocks.join_runs([blocks.Run(0, [1, 2], [framed(scan(1))])], SCHEMA_JSON)


@pytest.mark.parametrize("runs", [[], [blocks.Run(0, [], [])]])
def test_a_block_without_records_is_refused(runs: list[blocks.Run]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        blocks.join_runs(runs, SCHEMA_JSON)


# -- damage ----------------------------------------------------------------------------------------------------------


def without_canary(values: list[bytes]) -> bytes:
    """The same container with nothing behind the records: what a block would be if it were simply believed."""
    body = b"".join(value[blocks.HEAD_BYTES :] for value in values)
    schema = json.dumps(SCHEMA).encode()
    meta = b"".join(blocks.varint(len(one)) + one for one in (b"avro.schema", schema, b"avro.codec", b"null"))
    sync = b"sixteen bytes..."
    head = b"Obj\x01" + blocks.varint(2) + meta + b"\x00" + sync
    return head + blocks.varint(len(values)) + blocks.varint(len(body)) + body + sync


def damaged(value: bytes, chance: random.Random) -> bytes:
    """The value cut short, with a piece taken out, or with bytes behind it: any, or a piece of itself."""
    start, end = sorted(chance.sample(range(blocks.HEAD_BYTES, len(value) + 1), 2))
    kinds = (
        value[:start],
        value[:start] + value[end:],
        value + chance.randbytes(end - start),
        value + value[start:end],
    )
    return chance.choice(kinds)


def believed(container: bytes, expected: int, *, canary: bool) -> list[Record] | None:
    """The records, if the block comes out whole; ``None`` if its reader, its count or a canary objects."""
    try:
        found = read_back(container)
    except Exception:  # noqa: BLE001 - fastavro raises nearly anything on bad bytes
        return None
    if len(found) != expected:
        return None
    if canary and any(one.pop("_tail") != blocks.CANARY for one in found):
        return None
    return found


def blocks_with_one_damaged_record(count: int) -> list[tuple[list[Record], int, list[bytes]]]:
    """(records, place of the damaged one, values); seeded."""
    chance = random.Random(20_260_329)
    made = []
    for _ in range(count):
        records = [scan(chance.randrange(2**40)) for _ in range(4)]
        values = [framed(record) for record in records]
        place = chance.randrange(4)
        values[place] = damaged(values[place], chance)
        made.append((records, place, values))
    return made


def neighbours(found: list[Record], place: int) -> list[Record]:
    return found[:place] + found[place + 1 :]


def test_a_damaged_record_never_changes_its_neighbours_in_a_block_whose_canaries_are_right() -> None:
    for records, place, values in blocks_with_one_damaged_record(3_000):
        found = believed(blocks.join(values, SCHEMA_JSON), len(values), canary=True)

        assert found is None or neighbours(found, place) == neighbours(records, place)


def test_control_without_canaries_a_damaged_record_does_change_neighbours() -> None:
    changed = 0
    for records, place, values in blocks_with_one_damaged_record(3_000):
        found = believed(without_canary(values), len(values), canary=False)
        changed += found is not None and neighbours(found, place) != neighbours(records, place)

    assert changed > 0


def test_the_canary_is_longer_than_any_varint_that_a_small_number_makes() -> None:
    lengths = [len(blocks.varint(number)) for number in (2**31 - 1, 2_000_000_000_000, blocks.CANARY)]

    assert all(shorter < longer for shorter, longer in pairwise(lengths))
