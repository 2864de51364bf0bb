"""Which Avro type may be landed in which column type: the engine converts some pairs silently and wrongly.

Compared once per schema and table, before the first block: timestamps in microseconds would become the year 9999, an
int 300 in a UInt8 44, a null in a plain column a zero. Source: measured on engine 26.9.
"""

import re
from typing import Any

from streams.adapters.registry import Schema
from streams.core.blocks import CANARY_FIELD, COORDINATES
from streams.errors import ConfigError

_ALLOWED = {
    "string": {"String"},
    "bytes": {"String"},
    "enum": {"String"},
    "uuid": {"UUID"},
    "boolean": {"Bool"},
    "int": {"Int32", "Int64"},
    "long": {"Int64"},
    "float": {"Float32", "Float64"},
    "double": {"Float64"},
    "timestamp-millis": {"DateTime64(3,'UTC')"},
}


def _avro(declared: Any) -> tuple[str, bool]:
    """(name of the type, whether it may be null)."""
    if isinstance(declared, list):
        inner = [one for one in declared if one != "null"]
        return _avro(inner[0])[0] if len(inner) == 1 else str(declared), True
    if isinstance(declared, dict):
        return declared.get("logicalType") or _avro(declared["type"])[0], False
    return declared, False


def _column(declared: str) -> tuple[str, bool]:
    """(base type without blanks, whether it may be null)."""
    base = declared.replace(" ", "")
    while match := re.fullmatch(r"(LowCardinality|Nullable)\((.*)\)", base):
        base = match[2]
    return base, "Nullable(" in declared


def check(schema: Schema, table: str, columns: dict[str, str]) -> None:
    """Let a schema into a table.

    Args:
        schema: of the writer.
        table: name, for the message.
        columns: name → type as ``system.columns`` says.

    Raises:
        ConfigError: one line per pair that would be converted wrongly or not at all.
    """
    faults = []
    fields = {field["name"]: field["type"] for field in schema.definition["fields"]}
    fields |= {COORDINATES[0]: "int", COORDINATES[1]: "long", CANARY_FIELD: "long"}
    for name, declared in fields.items():
        if name not in columns:
            faults.append(f"{table} has no column {name}, which {schema.name} writes")
            continue
        avro, maybe_null = _avro(declared)
        base, nullable = _column(columns[name])
        if base not in _ALLOWED.get(avro, set()):
            faults.append(f"{table}.{name} is {columns[name]}, {schema.name} writes {avro}")
        elif maybe_null and not nullable:
            faults.append(f"{table}.{name} takes no null, {schema.name} may write one")
    if faults:
        raise ConfigError("\n".join(faults))
