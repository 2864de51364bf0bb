"""Whether a newer schema reads what older ones wrote, and what a released schema must keep.

Takes schemas as their files say them, gives sentences that name the reader and the field; none means sound. Avro's own
rules, and one of ours: a logical type stays, since nothing tells a time in ms from one in µs. Called by
``musee schema check`` and by ``console.registry``; in a test Avro's reference implementation judges the same pairs.

Source: Apache Avro 1.12 specification, "Schema Resolution".
"""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import fastavro

from streams.errors import ConfigError

PII = ("none", "pseudonym", "content")
_WIDER = {  # a reader of the second may be given the first
    ("int", "long"), ("int", "float"), ("int", "double"), ("long", "float"), ("long", "double"), ("float", "double"),
    ("string", "bytes"), ("bytes", "string"),
}  # fmt: skip
_MEANING = ("type", "name", "fields", "symbols", "items", "values", "size", "logicalType", "precision", "scale",
            "default", "aliases")  # fmt: skip
_FINGERPRINTS = "fingerprints.json"

Definition = Mapping[str, Any]  # a schema as its file says it


def normal(declared: Any, namespace: str = "") -> Any:
    """What a schema means, whatever its layout: no docs, no attributes that Avro does not know, full names."""
    if isinstance(declared, list):
        return [normal(one, namespace) for one in declared]
    if not isinstance(declared, dict):
        return declared
    if isinstance(declared.get("type"), dict | list) and "name" not in declared:
        return normal(declared["type"], namespace)
    namespace = declared.get("namespace", namespace)
    kept: dict[str, Any] = {key: declared[key] for key in _MEANING if key in declared}
    if "name" in kept and "." not in kept["name"] and kept.get("type") in ("record", "enum", "fixed", "error"):
        kept["name"] = f"{namespace}.{kept['name']}".lstrip(".")
    for part in ("type", "items", "values"):
        if part in kept:
            kept[part] = normal(kept[part], namespace)
    if "fields" in kept:
        kept["fields"] = [normal(field, namespace) for field in kept["fields"]]
    return kept["type"] if kept.keys() == {"type"} else kept


def fingerprint(definition: Definition) -> str:
    """SHA-256 of what a schema means: docs and our own attributes may be improved, nothing else."""
    return hashlib.sha256(json.dumps(normal(definition), sort_keys=True).encode()).hexdigest()


def breaks(reader: Definition, writer: Definition) -> list[str]:
    """Why ``reader`` cannot read everything that ``writer`` wrote: one sentence a field; empty if it can."""
    return _Pair(normal(reader), normal(writer)).faults()


class _Pair:
    """Two schemas in normal form, and the types that they give names to."""

    def __init__(self, reader: Any, writer: Any) -> None:
        self._reader, self._writer = reader, writer
        self._names = (_named(reader), _named(writer))
        self._open: set[tuple[int, int]] = set()

    def faults(self) -> list[str]:
        return self._of(self._reader, self._writer, "")

    def _of(self, reader: Any, writer: Any, path: str) -> list[str]:
        if isinstance(reader, str):
            reader = self._names[0].get(reader, reader)
        if isinstance(writer, str):
            writer = self._names[1].get(writer, writer)
        if isinstance(writer, list):
            return [fault for branch in writer for fault in self._of(reader, branch, path)]
        if isinstance(reader, list):
            tried = [self._of(branch, writer, path) for branch in reader]
            return [] if [] in tried else [f"{_at(path)} may hold {_kind(writer)}, which the reader has no branch for"]
        if _kind(reader) != _kind(writer) or _logical(reader) != _logical(writer):
            widened = (_kind(writer), _kind(reader)) in _WIDER and _logical(reader) == _logical(writer) is None
            return [] if widened else [f"{_at(path)} is {_name(reader)}, and was {_name(writer)}"]
        return self._of_a_kind(reader, writer, path) if isinstance(reader, dict) and isinstance(writer, dict) else []

    def _of_a_kind(self, reader: dict[str, Any], writer: dict[str, Any], path: str) -> list[str]:
        """Two types of the same kind that are more than a name."""
        kind = _kind(reader)
        if kind in ("array", "map"):
            inner = "items" if kind == "array" else "values"
            return self._of(reader[inner], writer[inner], path)
        if kind not in ("record", "enum", "fixed"):
            return []
        if _short(reader["name"]) != _short(writer["name"]) and writer["name"] not in reader.get("aliases", ()):
            return [f"{_at(path)} is called {reader['name']}, and was {writer['name']}"]
        if kind == "fixed":
            sizes = (reader["size"], writer["size"])
            return [] if sizes[0] == sizes[1] else [f"{_at(path)} has {sizes[0]} bytes, and had {sizes[1]}"]
        if kind == "enum":
            lost = [symbol for symbol in writer["symbols"] if symbol not in reader["symbols"]]
            return [f"{_at(path)} no longer knows {', '.join(lost)}"] if lost and "default" not in reader else []
        if (id(reader), id(writer)) in self._open:
            return []
        self._open.add((id(reader), id(writer)))
        return [fault for field in reader["fields"] for fault in self._field(field, writer, path)]

    def _field(self, field: dict[str, Any], writer: dict[str, Any], path: str) -> list[str]:
        path = f"{path}.{field['name']}".lstrip(".")
        there = {one["name"]: one for one in writer["fields"]}
        known = [there[name] for name in (field["name"], *field.get("aliases", ())) if name in there]
        if known:
            return self._of(field["type"], known[0]["type"], path)
        return [] if "default" in field else [f"{_at(path)} has no default"]


def _named(declared: Any) -> dict[str, Any]:
    """Full and short name → type, of everything that a schema gives a name to."""
    found: dict[str, Any] = {}
    if isinstance(declared, list):
        for one in declared:
            found |= _named(one)
    elif isinstance(declared, dict):
        if _kind(declared) in ("record", "enum", "fixed"):
            found |= {declared["name"]: declared, _short(declared["name"]): declared}
        for part in (declared.get("items"), declared.get("values"), *(f["type"] for f in declared.get("fields", ()))):
            found |= _named(part)
    return found


def _kind(declared: Any) -> str:
    return str(declared["type"]) if isinstance(declared, dict) else str(declared)


def _logical(declared: Any) -> str | None:
    return declared.get("logicalType") if isinstance(declared, dict) else None


def _name(declared: Any) -> str:
    return _logical(declared) or _kind(declared)


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _at(path: str) -> str:
    return f"field {path}" if path else "the record"


# -- a folder of schemas -----------------------------------------------------------------------------------------------


def version(name: str) -> int:
    """``ticket-scan.v2`` → 2."""
    return int(name.rpartition(".v")[2])


def family(name: str) -> str:
    """``ticket-scan.v2`` → ``ticket-scan``."""
    return name.rpartition(".v")[0]


def read(path: Path) -> dict[str, Any]:
    """A schema file; raises ``ConfigError`` if it is not there or no Avro record."""
    try:
        return parse(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError, ConfigError) as error:
        raise ConfigError(f"{path}: {error or type(error).__name__}") from error


def parse(definition: Any) -> dict[str, Any]:
    """The definition itself, if it is an Avro record; raises ``ConfigError`` otherwise."""
    if not isinstance(definition, dict) or definition.get("type") != "record":
        raise ConfigError("a record is expected")
    if not isinstance(definition.get("fields"), list):
        raise ConfigError("a record has a list of fields")
    try:
        normal(definition)  # first: Python's own limit ends what is nested without end
        fastavro.parse_schema(definition, _force=True)
    except Exception as error:  # its parser stumbles in many ways over what is no schema
        raise ConfigError(f"no Avro schema: {type(error).__name__}: {str(error)[:300]}") from error
    return definition


def unread(name: str, reader: Definition, older: Mapping[str, Definition]) -> list[str]:
    """Sentences of BACKWARD_TRANSITIVE: what ``reader``, to be called ``name``, cannot read of ``older`` versions."""
    return [
        f"{name} cannot read what {wrote} wrote: {fault}"
        for wrote, writer in older.items()
        for fault in breaks(reader, writer)
    ]


def undocumented(name: str, definition: Definition, below: str = "") -> list[str]:
    """Fields, at any depth, that do not say what they hold or whether it is about a person."""
    faults = []
    for field in definition["fields"]:
        path = f"{below}{field['name']}"
        if not str(field.get("doc", "")).strip():
            faults.append(f"{name}: field {path} has no doc")
        if field.get("pii") not in PII:
            faults.append(f"{name}: field {path} needs pii, one of {', '.join(PII)}")
        for inner in _records(field["type"]):
            faults += undocumented(name, inner, f"{path}.")
    return faults


def _records(declared: Any) -> list[dict[str, Any]]:
    """The records that stand directly in a type."""
    if isinstance(declared, list):
        return [inner for one in declared for inner in _records(one)]
    if not isinstance(declared, dict):
        return []
    if declared["type"] == "record":
        return [declared]
    return [inner for part in ("type", "items", "values") for inner in _records(declared.get(part))]


def folder_faults(folder: Path) -> list[str]:
    """Everything wrong with a folder of released schemas; empty if it is sound."""
    ids: dict[str, int] = json.loads((folder / "ids.json").read_text())
    files = {path.name.removesuffix(".avsc"): read(path) for path in sorted(folder.glob("*.avsc"))}
    faults = [f"ids.json: {name} has no file" for name in ids if name not in files]
    faults += [f"ids.json: {name} has no id" for name in files if name not in ids]
    for number in sorted(set(ids.values())):
        same = [name for name, given in ids.items() if given == number]
        if len(same) > 1 or number < 1:
            faults.append(f"ids.json: {' and '.join(same)} cannot have id {number}")
    for one in sorted({family(name) for name in files}):
        names = sorted((name for name in files if family(name) == one), key=version)
        if [version(name) for name in names] != list(range(1, len(names) + 1)):
            faults.append(f"{one}: versions are {', '.join(names)}, without a gap from 1 is expected")
        for place, name in enumerate(names):
            faults += undocumented(name, files[name])
            faults += unread(name, files[name], {older: files[older] for older in names[:place]})
    return faults + _changed(folder, files, ids)


def _changed(folder: Path, files: Mapping[str, Definition], ids: Mapping[str, int]) -> list[str]:
    """Released schemas that no longer are what they were, by fingerprint and by golden bytes."""
    faults = []
    was: dict[str, str] = json.loads((folder / "golden" / _FINGERPRINTS).read_text())
    faults += [f"{name} was released and is gone" for name in was if name not in files]
    for name, definition in files.items():
        golden = folder / "golden" / f"{name}.bin"
        if name not in was or not golden.is_file():
            faults.append(f"{name} is not released yet: it has no golden bytes and fingerprint, see schemas/README.md")
        elif was[name] != fingerprint(definition):
            faults.append(f"{name} was released and has changed: put it back, and make {family(name)}.vN+1")
        elif not _reads(definition, golden.read_bytes(), ids.get(name, 0)):
            faults.append(f"{name} cannot read golden/{golden.name}, which was written with it")
    return faults


def _reads(definition: Definition, value: bytes, number: int) -> bool:
    body = io.BytesIO(value)
    try:
        framed = body.read(5) == b"\x00" + number.to_bytes(4, "big")
        fastavro.schemaless_reader(body, fastavro.parse_schema(dict(definition), _force=True), None)
    except Exception:  # noqa: BLE001 - fastavro raises nearly anything on bytes of another schema
        return False
    return framed and not body.read()


def proposal(definition: Definition, released: Mapping[str, Definition], file: str) -> tuple[str, list[str]]:
    """A schema that somebody wants to add: the name it would get, and what speaks against it.

    Args:
        definition: its file.
        released: name → definition of all that there are.
        file: its file's name; counts where no released schema has its record's name. A family there is one that it is
            to follow, or a new one's first version: a record may not be renamed.
    """
    full = normal(definition)["name"]
    stem = file.removesuffix(".avsc")
    called = family(stem) or stem
    mine: Sequence[str] = sorted((n for n, one in released.items() if normal(one)["name"] == full), key=version)
    mine = mine or sorted((n for n in released if family(n) == called), key=version)
    same = [name for name in mine if normal(released[name]) == normal(definition)]
    if same:
        return same[-1], undocumented(same[-1], definition)
    name = f"{family(mine[-1])}.v{version(mine[-1]) + 1}" if mine else f"{called}.v1"
    return name, undocumented(name, definition) + unread(name, definition, {one: released[one] for one in mine})
