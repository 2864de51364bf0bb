"""Schemas by name and by id: the folder ``schemas/`` is the registry.

Ids are fixed in ``schemas/ids.json`` and never reused. Another registry may give its own (``adopt``): those are written
then, and ours are still read. Used by everybody who frames or reads a value.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

import fastavro
from fastavro.types import Schema as Parsed

from streams import package_data
from streams.core import blocks

# Times that every part of the system can keep: beyond them ClickHouse's DateTime and Python's calendar fold or fail.
FIRST_MS, LAST_MS = 0, 4_102_444_799_999  # 1970, where clocks without battery begin, to 2099
LARGEST = sys.float_info.max


@dataclass(frozen=True, eq=False)
class Schema:
    """One released schema.

    Attributes:
        name: e.g. ``ticket-scan.v1``.
        schema_id: the id that stands in every value written with it.
        head: the five framing bytes.
        text: JSON as it stands in block headers: no docs, and no defaults, which polars refuses and a writer needs not.
        parsed: fastavro's form of it.
        physical: the same without logical types: times are integers, UUIDs are text, as they lie in the bytes.
        definition: the file as it is, docs included.
    """

    name: str
    schema_id: int
    head: bytes
    text: str
    parsed: Parsed
    physical: Parsed
    definition: dict[str, Any]

    @cached_property
    def uuids(self) -> tuple[str, ...]:
        """Names of its fields that hold a UUID."""
        return tuple(f["name"] for f in self.definition["fields"] if '"uuid"' in json.dumps(f["type"]))

    @cached_property
    def bounds(self) -> dict[str, tuple[float, float]]:
        """Least and greatest value of each field that holds a number or a time; no decoder checks them."""
        found: dict[str, tuple[float, float]] = {}
        for field in self.definition["fields"]:
            kinds = field["type"] if isinstance(field["type"], list) else [field["type"]]
            if any(isinstance(kind, dict) and kind.get("logicalType") == "timestamp-millis" for kind in kinds):
                found[field["name"]] = (FIRST_MS, LAST_MS)
            elif "int" in kinds or "long" in kinds:
                most = 2**31 if "int" in kinds else 2**63
                found[field["name"]] = (field.get("min", -most), field.get("max", most - 1))
            elif "double" in kinds:  # neither infinite nor not a number: no sum survives one
                found[field["name"]] = (field.get("min", -LARGEST), field.get("max", LARGEST))
        return found

    @cached_property
    def lengths(self) -> dict[str, tuple[int, int]]:
        """Fewest and most characters of each text that has such limits."""
        return {
            field["name"]: (field.get("min_chars", 0), field.get("max_chars", 2**31))
            for field in self.definition["fields"]
            if "min_chars" in field or "max_chars" in field
        }

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of its fields, in order."""
        return tuple(field["name"] for field in self.definition["fields"])


# Ours: documentation and the door's rules.
_NOT_AVRO = frozenset({"doc", "pii", "unit", "door", "purpose", "period", "min", "max", "min_chars", "max_chars"})


def _without(part: Any, keys: frozenset[str]) -> Any:
    """A schema without some attributes, at every depth."""
    if isinstance(part, dict):
        return {key: _without(value, keys) for key, value in part.items() if key not in keys}
    if isinstance(part, list):
        return [_without(item, keys) for item in part]
    return part


@cache
def ids() -> dict[str, int]:
    """Schema name → id, as committed."""
    listed: dict[str, int] = json.loads((package_data.folder("schemas") / "ids.json").read_text())
    if len(set(listed.values())) != len(listed):
        raise ValueError("schemas/ids.json gives two schemas the same id")
    return listed


_adopted: dict[str, int] = {}  # name → id in another registry


def adopt(numbers: Mapping[str, int]) -> None:
    """Write these ids from now on, by name; at a program's start, before anything is framed. None: ours again."""
    _adopted.clear()
    _adopted.update(numbers)
    by_name.cache_clear()
    by_id.cache_clear()


@cache
def by_name(name: str) -> Schema:
    """The schema called ``name``; ``KeyError`` if it was never released."""
    number = _adopted.get(name, ids()[name])
    definition = json.loads((package_data.folder("schemas") / f"{name}.avsc").read_text())
    bare = _without(definition, _NOT_AVRO)
    return Schema(
        name=name,
        schema_id=number,
        head=blocks.head(number),
        text=json.dumps(_without(bare, frozenset({"default"})), separators=(",", ":")),
        parsed=fastavro.parse_schema(bare),
        physical=fastavro.parse_schema(_without(bare, frozenset({"logicalType"}))),
        definition=definition,
    )


@cache
def by_id(number: int) -> Schema:
    """The schema with id ``number``, written with it or with an older id; ``KeyError`` if there is none."""
    for name, listed in (*_adopted.items(), *ids().items()):
        if listed == number:
            written = by_name(name)
            same = written.schema_id == number
            return written if same else replace(written, schema_id=number, head=blocks.head(number))
    raise KeyError(number)
