"""Framed Kafka values → one polars frame, and what could not be read.

A batch is decoded as one Avro block (``core.blocks``); only when the block does not come out whole is it taken apart
and read record by record behind a guard. Callers see neither. Called by ``agents.counts``.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, cast

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

    Values of several versions of the schema may be mixed, as they are while a new one is rolled out: each version is a
    block of its own. Nothing is raised on bad bytes: they are in ``rejects``.
    """
    frame = _as_block(values, family, columns)
    if frame is not None:
        return Batch(frame, None, [])
    by_head: dict[bytes | None, list[int]] = {}
    for place, value in enumerate(values):
        by_head.setdefault(None if value is None else value[: blocks.HEAD_BYTES], []).append(place)
    if len(by_head) <= 1:
        return one_by_one(values, family, columns)
    return _together([(places, _alike([values[p] for p in places], family, columns)) for places in by_head.values()])


def _alike(values: Sequence[bytes | None], family: str, columns: Sequence[str]) -> Batch:
    """Values that begin alike, as a block if they come out whole."""
    frame = _as_block(values, family, columns)
    return Batch(frame, None, []) if frame is not None else one_by_one(values, family, columns)


def _together(parts: Sequence[tuple[list[int], Batch]]) -> Batch:
    """Batches of some of the values each, by their places, as one in the values' order."""
    places: list[int] = []
    rejects: list[tuple[int, str]] = []
    for given, part in parts:
        rows = range(len(given)) if part.places is None else part.places
        places += [given[row] for row in rows]
        rejects += [(given[row], reason) for row, reason in part.rejects]
    order = sorted(range(len(places)), key=places.__getitem__)
    frame = pl.concat([part.frame for _, part in parts])[order]
    return Batch(frame, sorted(places), sorted(rejects))


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
    wanted = [*(name for name in columns if name in schema.fields), blocks.CANARY_FIELD]
    try:
        frame = pl.read_avro(io.BytesIO(container), columns=wanted)
    except (PolarsError, PanicException, OSError, ValueError):  # an enum index or a length out of bounds panics
        return None
    if frame.height != len(values) or not (frame[blocks.CANARY_FIELD] == blocks.CANARY).all():
        return None
    if not all(_within(_numbers(frame[name]), *schema.bounds[name]) for name in wanted if name in schema.bounds):
        return None
    if not all(
        _within(frame[name].str.len_chars(), *schema.lengths[name]) for name in wanted if name in schema.lengths
    ):
        return None
    return frame[list(columns)] if len(wanted) > len(columns) else _completed(frame, family, columns)


def _numbers(values: pl.Series) -> pl.Series:
    """Times as ms; a cast costs a twentieth of to_physical()."""
    return values.cast(pl.Int64) if values.dtype.is_temporal() else values


def _within(values: pl.Series, least: float, greatest: float) -> bool:
    """Whether all values lie within bounds, nulls aside; what is not a number lies nowhere."""
    if values.dtype.is_float() and values.is_nan().any():
        return False
    low, high = values.min(), values.max()
    return low is None or (cast(float, low) >= least and cast(float, high) <= greatest)


def _completed(frame: pl.DataFrame, family: str, columns: Sequence[str]) -> pl.DataFrame:
    """A frame of an older version with the columns that it lacks, holding the newest version's defaults."""
    missing = _newest(family, [name for name in columns if name not in frame.columns])
    added = [pl.lit(field["default"], dtype=_type_of(field["type"])).alias(name) for name, field in missing.items()]
    return frame.with_columns(added).select(columns)


def _newest(family: str, columns: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Columns as the newest version of a family's schema declares them."""
    name = max((name for name in registry.ids() if name.rpartition(".v")[0] == family), key=_version)
    declared = {field["name"]: field for field in registry.by_name(name).definition["fields"]}
    return {column: declared[column] for column in columns}


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
    declared = _newest(family, columns)
    rows: dict[str, list[object]] = {name: [] for name in columns}
    for index, value in enumerate(values):
        try:
            record = avro.decode(value, family)
        except ValueError as error:
            # What a block lets pass counts, so that no record's fate depends on its neighbours.
            alone = _as_block([value], family, columns) if error.args[0] == "invalid" else None
            if alone is None or not _identified(alone):
                rejects.append((index, str(error.args[0])))
                continue
            record = alone.with_columns(cs.datetime().to_physical()).row(0, named=True)
        places.append(index)
        for name, cells in rows.items():
            cells.append(record[name] if name in record else declared[name].get("default"))
    frame = pl.DataFrame(rows, schema={name: _type_of(field["type"]) for name, field in declared.items()})
    return Batch(frame, places, rejects)


def _identified(alone: pl.DataFrame) -> bool:
    """Whether the one row of a block is named by a UUID: a block does not look into its strings."""
    return "event_id" not in alone.columns or avro.UUID.fullmatch(alone["event_id"][0]) is not None


def _version(name: str) -> int:
    return int(name.rpartition(".v")[2])
