"""The engine reads the golden bytes of every version ever released, as they lie in Kafka."""

import uuid
from typing import Any

import pytest

from streams.adapters import registry
from streams.adapters.warehouse import DATABASE, Warehouse
from streams.config import Settings
from streams.core import blocks
from tests.adapters.test_registry import GOLDEN, NAMES, golden, plain

_TYPES = {"string": "String", "bytes": "String", "int": "Int32", "long": "Int64", "double": "Float64",
          "boolean": "Bool", "uuid": "UUID", "timestamp-millis": "DateTime64(3, 'UTC')"}  # fmt: skip


def column(declared: Any) -> str:
    """The column type of an Avro type."""
    match declared:
        case ["null", inner]:
            return f"Nullable({column(inner)})"
        case {"logicalType": name}:
            return _TYPES[name]
        case {"type": "enum"}:
            return "String"
        case {"type": "array", "items": items}:
            return f"Array({column(items)})"
        case {"type": "record", "fields": fields}:
            inner = [f"{field['name']} {column(field['type'])}" for field in fields]
            return f"Tuple({', '.join(inner)})"
        case _:
            return _TYPES[declared]


@pytest.mark.parametrize("name", NAMES)
async def test_the_engine_reads_the_released_bytes(settings: Settings, name: str) -> None:
    schema = registry.by_name(name)
    declared = {"_partition": "int", "_offset": "long"}
    declared |= {field["name"]: field["type"] for field in schema.definition["fields"]}
    declared |= {blocks.CANARY_FIELD: "long"}
    table = f"golden_{uuid.uuid4().hex[:8]}"
    columns = ", ".join(f"{one} {column(kind)}" for one, kind in declared.items())
    block = blocks.join_runs([blocks.Run(3, [7, 8], [golden(name).read_bytes()] * 2)], schema.text)
    warehouse = Warehouse(settings.clickhouse_url)
    try:
        await warehouse.command(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
        await warehouse.command(f"CREATE TABLE {DATABASE}.{table} ({columns}) ENGINE = Memory")

        await warehouse.land(table, list(declared), block)

        rows = await warehouse.query(
            f"SELECT {', '.join(_shown(one, kind) for one, kind in declared.items())} FROM {DATABASE}.{table}"
        )
        await warehouse.command(f"DROP TABLE {DATABASE}.{table}")
    finally:
        await warehouse.close()
    expected = {field: _hex(value) for field, value in GOLDEN[name].items()}
    assert [plain(dict(zip(declared, row, strict=True))) for row in rows] == [
        {"_partition": 3, "_offset": offset, **expected, blocks.CANARY_FIELD: blocks.CANARY} for offset in (7, 8)
    ]


def _shown(name: str, declared: Any) -> str:
    return f"lower(hex({name}))" if "bytes" in declared else name


def _hex(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value
