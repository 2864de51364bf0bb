"""Framed Kafka values → one polars frame, and what could not be read.

A batch is decoded as one Avro block (``core.blocks``); only when the block does not come out whole is it taken apart
and read record by record behind a guard. Callers see neither. Called by ``agents.counts``.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import cast

import polars as pl
import polars.selectors as cs
from polars.exceptions import PanicException, PolarsError

from streams.adapters import avro, metrics, registry
from streams.core import blocks

# What polars makes of each type in a block; a frame made record by record must look the same.
_PHYSICAL = {
    "string": pl.String(),
    "int": pl.Int32(),
    "long": pl.Int64(),
    "boolean": pl.Boolean(),
    "double": pl.Float64(),
    "timestamp-millis": pl.Datetime("ms", "UTC"),
    "enum": pl.Categorical(),
}


@dataclass(frozen=True, slots=True)
class Batch:
    """What was read.

    Attributes:
        frame: one row per sound record, the asked columns, enums as categories.
        places: index into the given values of each row; ``None`` when every value is a row, in order.
        rejects: (index into the given values, stable reason) of each value that could not be read.
    """

    frame: pl.DataFrame
    places: list[int] | None
    rejects: list[tuple[int, str]]


def read(values: Sequence[bytes | None], family: str, columns: Sequence[str]) -> Batch:
    """Decode ``values`` of one family into a frame of ``columns``.

    Values of several versions of the schema may be mixed. Nothing is raised on bad bytes: they are in ``rejects``.
    """
    frame = _as_block(values, family, columns)
    if frame is not None:
        return Batch(frame, None, [])
    return one_by_one(values, family, columns)


def _as_block(values: Sequence[bytes | None], family: str, columns: Sequence[str]) -> pl.DataFrame | None:
    """The frame if all values share one known schema and come out whole, else ``None``."""
    try:
        schema = registry.by_id(blocks.schema_id(values[0]))
        if not all(map(bytes.startswith, values, repeat(schema.head))):  # type: ignore[arg-type]  # a null raises
            return None
    except (TypeError, ValueError, KeyError, IndexError):
        return None
    if schema.name.rpartition(".v")[0] != family:
        return None
    container = blocks.join(values, schema.text)  # type: ignore[arg-type]  # no null is left
    if blocks.canaries(container) != len(values):  # a value holds one itself, and could take its neighbour's place
        return None
    wanted = [*columns, blocks.CANARY_FIELD]
    try:
        frame = pl.read_avro(io.BytesIO(container), columns=wanted)
    except (PolarsError, PanicException, OSError, ValueError):  # an enum index or a length out of bounds panics
        return None
    if frame.height != len(values) or not (frame[blocks.CANARY_FIELD] == blocks.CANARY).all():
        return None
    if not all(_within(frame[name], *schema.bounds[name]) for name in columns if name in schema.bounds):
        return None
    return frame.select(columns)


def _within(column: pl.Series, least: int, greatest: int) -> bool:
    """Whether all values lie within bounds, nulls aside."""
    values = column.to_physical()
    low, high = values.min(), values.max()
    return low is None or (cast(int, low) >= least and cast(int, high) <= greatest)


def _type_of(declared: object) -> pl.DataType:
    if isinstance(declared, list):
        (declared,) = [option for option in declared if option != "null"]
    if isinstance(declared, dict):
        logical = _PHYSICAL.get(str(declared.get("logicalType")))
        return logical or _PHYSICAL[declared["type"]]
    return _PHYSICAL[str(declared)]


def one_by_one(values: Sequence[bytes | None], family: str, columns: Sequence[str]) -> Batch:
    """The same as ``read``, but each record is judged by itself, values included that a block lets pass."""
    metrics.TAKEN_APART.labels(family).inc()
    places: list[int] = []
    rejects: list[tuple[int, str]] = []
    rows: dict[str, list[object]] = {name: [] for name in columns}
    types: dict[str, pl.DataType] = {}
    for index, value in enumerate(values):
        try:
            record = avro.decode(value, family)
        except ValueError as error:
            # What a block lets pass counts, so that no record's fate depends on its neighbours.
            alone = _as_block([value], family, columns) if error.args[0] == "invalid" else None
            if alone is None:
                rejects.append((index, str(error.args[0])))
                continue
            record = alone.with_columns(cs.datetime().to_physical()).row(0, named=True)
        places.append(index)
        for name, cells in rows.items():
            cells.append(record.get(name))
    newest = max((name for name in registry.ids() if name.rpartition(".v")[0] == family), key=_version)
    for field in registry.by_name(newest).definition["fields"]:
        types[field["name"]] = _type_of(field["type"])
    frame = pl.DataFrame(rows, schema={name: types[name] for name in columns})
    return Batch(frame, places, rejects)


def _version(name: str) -> int:
    return int(name.rpartition(".v")[2])
