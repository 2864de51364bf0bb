"""Which Avro type may be landed in which column type: every pair that the engine converts wrongly is refused."""

import re
from dataclasses import replace
from typing import Any

import pytest

from streams.adapters import migrations, registry, type_gate
from streams.errors import ConfigError
from streams.topology import LANDED, Family

MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
MICROS = {"type": "long", "logicalType": "timestamp-micros"}
UUID = {"type": "string", "logicalType": "uuid"}
ENUM = {"type": "enum", "name": "Direction", "symbols": ["IN", "OUT"]}
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 8, "scale": 2}
FIXED = {"type": "fixed", "name": "Sixteen", "size": 16}
PLACES = {"_partition": "Int32", "_offset": "Int64", "_tail": "Int64"}


def columns_of(table: str) -> dict[str, str]:
    """Column → type, as the shipped SQL creates the table and adds to it."""
    statements = [statement for migration in migrations.read() for statement in migration.statements]
    (statement,) = [one for one in statements if f"CREATE TABLE musee.{table}\n" in one]
    found: dict[str, str] = {}
    for line in statement[statement.index("(") + 1 : statement.index("\nENGINE")].splitlines():
        name, _, rest = line.strip().partition(" ")
        if name and name not in {"INDEX", "CONSTRAINT", ")"}:
            found[name] = _type(rest)
    for altered in (one for one in statements if one.startswith(f"ALTER TABLE musee.{table}\n")):
        added = re.findall(r"ADD COLUMN IF NOT EXISTS (\w+) (.*)", altered)
        found |= {name: _type(rest) for name, rest in added}
    return found


def _type(declared: str) -> str:
    return re.split(r" (?:DEFAULT|CODEC|COMMENT)\b", declared.strip())[0]


def schema_with(declared: Any) -> registry.Schema:
    """A schema of one field, ``x``."""
    definition = {"type": "record", "name": "Made", "fields": [{"name": "x", "type": declared}]}
    return replace(registry.by_name("ticket-scan.v1"), name="made.v1", definition=definition)


def check(declared: Any, column: str) -> None:
    type_gate.check(schema_with(declared), "made", {"x": column, **PLACES})


@pytest.mark.parametrize("family", LANDED, ids=lambda family: family.name)
def test_a_shipped_schema_passes_into_its_table(family: Family) -> None:
    assert family.table is not None

    type_gate.check(registry.by_name(family.schema), family.table, columns_of(family.table))


@pytest.mark.parametrize("family", LANDED, ids=lambda family: family.name)
def test_a_shipped_table_has_no_column_that_nobody_fills(family: Family) -> None:
    assert family.table is not None
    filled_by_the_table = {"_landed_at", "event_key"}

    strange = columns_of(family.table).keys() - set(registry.by_name(family.schema).fields) - PLACES.keys()

    assert strange <= filled_by_the_table


@pytest.mark.parametrize(
    ("declared", "column"),
    [
        ("string", "String"),
        ("string", "LowCardinality(String)"),
        (["null", "string"], "LowCardinality(Nullable(String))"),
        (["null", "string"], "Nullable(String)"),
        ("string", "Nullable(String)"),
        (ENUM, "LowCardinality(String)"),
        (UUID, "UUID"),
        (["null", UUID], "Nullable(UUID)"),
        (MILLIS, "DateTime64(3, 'UTC')"),
        (["null", MILLIS], "Nullable(DateTime64(3, 'UTC'))"),
        ("int", "Int32"),
        ("int", "Int64"),
        ("long", "Int64"),
        ("boolean", "Bool"),
        ("double", "Float64"),
        (["null", "bytes"], "Nullable(String)"),
    ],
)
def test_a_pair_that_is_converted_rightly_passes(declared: Any, column: str) -> None:
    check(declared, column)


@pytest.mark.parametrize(
    ("declared", "column"),
    [
        (MICROS, "DateTime64(3, 'UTC')"),
        (MILLIS, "DateTime"),
        (MILLIS, "DateTime('UTC')"),
        (MILLIS, "DateTime64(6, 'UTC')"),
        (MILLIS, "DateTime64(3)"),
        ("double", "Decimal(8, 2)"),
        ("double", "Float32"),
        ("int", "UInt8"),
        ("int", "UInt32"),
        ("long", "Int32"),
        ("long", "UInt64"),
        ("string", "Int64"),
        (DECIMAL, "String"),
        (FIXED, "UUID"),
        (ENUM, "Enum8('IN' = 1, 'OUT' = 2)"),
        ("boolean", "UInt8"),
        ({"type": "array", "items": "string"}, "Array(String)"),
    ],
)
def test_a_pair_that_is_converted_wrongly_or_not_at_all_is_refused(declared: Any, column: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"made.x is {column}")):
        check(declared, column)


@pytest.mark.parametrize(
    ("declared", "column"),
    [
        (["null", "string"], "String"),
        (["null", "string"], "LowCardinality(String)"),
        (["null", "int"], "Int32"),
        (["null", MILLIS], "DateTime64(3, 'UTC')"),
        (["null", UUID], "UUID"),
    ],
)
def test_a_null_does_not_become_a_zero(declared: Any, column: str) -> None:
    with pytest.raises(ConfigError, match=r"made\.x takes no null"):
        check(declared, column)


def test_a_field_without_a_column_is_refused() -> None:
    with pytest.raises(ConfigError, match="made has no column x"):
        type_gate.check(schema_with("string"), "made", PLACES)


@pytest.mark.parametrize("place", PLACES)
def test_a_table_without_the_coordinates_or_the_canary_is_refused(place: str) -> None:
    columns = {"x": "String", **PLACES}
    del columns[place]

    with pytest.raises(ConfigError, match=f"no column {place}"):
        type_gate.check(schema_with("string"), "made", columns)


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        type_gate.check(schema_with(MICROS), "made", {"x": "DateTime64(3, 'UTC')", "_partition": "Int32"})

    assert len(str(caught.value).splitlines()) == 3


def test_a_union_of_two_types_is_refused_and_is_no_crash() -> None:
    with pytest.raises(ConfigError, match=r"made\.x"):
        check(["null", "int", "string"], "Nullable(String)")
