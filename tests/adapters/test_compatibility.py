"""Evolution: a newer schema reads what older ones wrote, by Avro's reference implementation and by our own check."""

import copy
import io
import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import avro.schema as reference
import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.io import BinaryDecoder, DatumReader
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from streams import package_data
from streams.__main__ import app
from streams.adapters import compatibility, registry
from streams.adapters.compatibility import breaks, family, version
from streams.core import blocks
from streams.errors import ConfigError
from streams.topology import FAMILIES

FOLDER = package_data.folder("schemas")
Definition = dict[str, Any]
NAMES = sorted(registry.ids(), key=lambda name: (family(name), version(name)))
PAIRS = [  # (newer, older) of each subject, all of them: BACKWARD_TRANSITIVE
    (newer, older) for older, newer in itertools.combinations(NAMES, 2) if family(older) == family(newer)
]
IDS = [f"{newer}<-{older}" for newer, older in PAIRS]


def definition(name: str) -> Definition:
    """A copy that may be changed."""
    return copy.deepcopy(registry.by_name(name).definition)


def judged(reader: Definition, writer: Definition) -> bool:
    """Whether Avro's reference implementation says that ``reader`` reads what ``writer`` wrote."""
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]  # its constructor alone has no types
    result = checker.get_compatibility(reference.parse(json.dumps(reader)), reference.parse(json.dumps(writer)))
    return result.compatibility is SchemaCompatibilityType.compatible


def record(fields: list[tuple[str, Any, bool]]) -> Definition:
    """A record of (name, type, whether it has a default); a default is null, so the type is then made nullable."""
    return {
        "type": "record",
        "name": "R",
        "fields": [
            {"name": name, "type": ["null", declared], "default": None} if has else {"name": name, "type": declared}
            for name, declared, has in fields
        ],
    }


# -- what was released -------------------------------------------------------------------------------------------------


def test_there_are_subjects_with_more_than_one_version() -> None:
    assert {family(newer) for newer, _ in PAIRS} >= {"ticket-scan", "site"}


@pytest.mark.parametrize(("newer", "older"), PAIRS, ids=IDS)
def test_a_newer_schema_reads_every_older_one_by_the_reference_implementation(newer: str, older: str) -> None:
    assert judged(definition(newer), definition(older))
    assert breaks(definition(newer), definition(older)) == []


@pytest.mark.parametrize(("newer", "older"), PAIRS, ids=IDS)
def test_the_reference_implementation_reads_old_bytes_with_the_newer_schema(newer: str, older: str) -> None:
    value = (FOLDER / "golden" / f"{older}.bin").read_bytes()
    reader, writer = (reference.parse(json.dumps(definition(name))) for name in (newer, older))
    body = io.BytesIO(value[blocks.HEAD_BYTES :])

    read = DatumReader(writer, reader).read(BinaryDecoder(body))

    added = set(registry.by_name(newer).fields) - set(registry.by_name(older).fields)
    defaults = {field["name"]: field.get("default") for field in definition(newer)["fields"]}
    assert isinstance(read, dict)
    assert {name: read[name] for name in added} == {name: defaults[name] for name in added}
    assert body.read() == b""


def test_an_added_field_without_a_default_fails_by_both() -> None:  # the control of all of the above
    broken = definition("ticket-scan.v2")
    del broken["fields"][-1]["default"]

    assert not judged(broken, definition("ticket-scan.v1"))
    assert breaks(broken, definition("ticket-scan.v1")) == ["field slot_at has no default"]


def test_a_family_writes_its_newest_schema() -> None:
    newest = {family(name): name for name in NAMES}

    assert {one.name: one.schema for one in FAMILIES} == {one.name: newest[one.name] for one in FAMILIES}


# -- each kind of change -----------------------------------------------------------------------------------------------


def field(scan: Definition, name: str) -> Definition:
    (found,) = [one for one in scan["fields"] if one["name"] == name]
    assert isinstance(found, dict)
    return found


def _symbol_gone(scan: Definition) -> None:
    field(scan, "outcome")["type"]["symbols"].remove("AUTO_EXIT")


def _renamed(scan: Definition) -> None:
    field(scan, "direction")["name"] = "way"


def _narrower(scan: Definition) -> None:
    field(scan, "seq")["type"] = ["null", "int"]


def _null_gone(scan: Definition) -> None:
    field(scan, "gate_id")["type"] = "string"
    del field(scan, "gate_id")["default"]


def _other_record(scan: Definition) -> None:
    scan["name"] = "Entry"


BROKEN: list[tuple[Callable[[Definition], None], str]] = [
    (_symbol_gone, "field outcome no longer knows AUTO_EXIT"),
    (_renamed, "field way has no default"),
    (_narrower, "field seq may hold long, which the reader has no branch for"),
    (_null_gone, "field gate_id is string, and was null"),
    (_other_record, "the record is called org.datamusee.Entry, and was org.datamusee.TicketScan"),
]


@pytest.mark.parametrize(("change", "sentence"), BROKEN, ids=[change.__name__ for change, _ in BROKEN])
def test_a_change_that_breaks_a_reader_is_named_and_the_reference_agrees(
    change: Callable[[Definition], None], sentence: str
) -> None:
    changed = definition("ticket-scan.v2")
    change(changed)

    assert sentence in breaks(changed, definition("ticket-scan.v1"))
    assert not judged(changed, definition("ticket-scan.v1"))


def test_another_unit_of_time_is_a_break_that_avro_itself_does_not_see() -> None:
    changed = definition("ticket-scan.v2")
    field(changed, "occurred_at")["type"]["logicalType"] = "timestamp-micros"

    assert judged(changed, definition("ticket-scan.v1"))
    assert breaks(changed, definition("ticket-scan.v1")) == [
        "field occurred_at is timestamp-micros, and was timestamp-millis"
    ]


def test_a_symbol_that_a_reader_does_not_know_is_read_as_the_default_of_its_enum() -> None:
    older, newer = definition("visitor-action.v1"), definition("visitor-action.v1")
    field(older, "action")["type"]["symbols"].append("DANCE")

    assert breaks(newer, older) == []


def test_a_fault_deep_inside_is_named_by_its_path() -> None:
    changed = definition("site.v2")
    field(changed, "gates")["type"]["items"]["fields"].append({"name": "floor", "type": "int"})

    assert breaks(changed, definition("site.v1")) == ["field gates.floor has no default"]


PLAIN = st.sampled_from(["null", "boolean", "int", "long", "float", "double", "string", "bytes"])
ENUM = st.lists(st.sampled_from("ABC"), min_size=1, max_size=3, unique=True).map(
    lambda symbols: {"type": "enum", "name": "E", "symbols": sorted(symbols)}
)
TYPE = st.one_of(
    PLAIN,
    PLAIN.map(lambda one: {"type": "array", "items": one}),
    st.lists(PLAIN, min_size=2, max_size=3, unique=True),
)
FIELDS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), TYPE, st.booleans()), max_size=3, unique_by=lambda one: one[0]
).map(lambda fields: [(n, d, has and isinstance(d, str) and d != "null") for n, d, has in fields])


@given(reader=FIELDS, writer=FIELDS, enums=st.tuples(ENUM, ENUM))
def test_our_check_says_what_the_reference_implementation_says(
    reader: list[tuple[str, Any, bool]], writer: list[tuple[str, Any, bool]], enums: tuple[Any, Any]
) -> None:
    mine, theirs = record([*reader, ("e", enums[0], False)]), record([*writer, ("e", enums[1], False)])

    assert (breaks(mine, theirs) == []) == judged(mine, theirs)


# -- what a schema means, whatever its layout --------------------------------------------------------------------------


def test_layout_docs_and_our_own_attributes_mean_nothing() -> None:
    scan = definition("ticket-scan.v2")
    other = json.loads(json.dumps({key: scan[key] for key in reversed(scan)}, indent=7))
    other["doc"] = "another"
    other["fields"] = [
        {key: one[key] for key in reversed(one) if key not in ("doc", "pii", "unit", "min", "max")}
        for one in other["fields"]
    ]
    field(other, "party_size")["type"] = {"type": "int"}

    assert compatibility.normal(other) == compatibility.normal(scan)


@pytest.mark.parametrize("name", NAMES)
def test_no_two_versions_mean_the_same(name: str) -> None:
    same = [
        one
        for one in NAMES
        if compatibility.fingerprint(definition(one)) == compatibility.fingerprint(definition(name))
    ]

    assert same == [name]


# -- the verb ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the schemas."""
    return Path(shutil.copytree(FOLDER, tmp_path / "schemas"))


def rewritten(path: Path, change: Callable[[Definition], None]) -> None:
    changed = json.loads(path.read_text())
    change(changed)
    path.write_text(json.dumps(changed))


def test_the_folder_is_sound() -> None:
    assert compatibility.folder_faults(FOLDER) == []


def test_a_released_file_that_changes_is_noticed(folder: Path) -> None:
    rewritten(folder / "ticket-scan.v1.avsc", _renamed)

    faults = compatibility.folder_faults(folder)

    assert "ticket-scan.v1 was released and has changed: put it back, and make ticket-scan.vN+1" in faults
    assert "ticket-scan.v2 cannot read what ticket-scan.v1 wrote: field direction has no default" in faults


def test_golden_bytes_that_a_schema_cannot_read_are_noticed(folder: Path) -> None:
    golden = folder / "golden" / "site.v1.bin"
    golden.write_bytes(golden.read_bytes()[:-1])

    assert compatibility.folder_faults(folder) == ["site.v1 cannot read golden/site.v1.bin, which was written with it"]


def test_a_released_schema_that_is_gone_is_noticed(folder: Path) -> None:
    (folder / "web-traffic.v2.avsc").unlink()

    faults = compatibility.folder_faults(folder)

    assert faults == ["ids.json: web-traffic.v2 has no file", "web-traffic.v2 was released and is gone"]


def test_an_id_given_twice_is_noticed(folder: Path) -> None:
    rewritten(folder / "ids.json", lambda ids: ids.__setitem__("site.v2", 1))

    assert "ids.json: ticket-scan.v1 and site.v2 cannot have id 1" in compatibility.folder_faults(folder)


def test_a_field_without_words_or_class_is_noticed_at_any_depth(folder: Path) -> None:
    def silent(site: Definition) -> None:
        zone = field(site, "zones")["type"]["items"]["fields"][0]
        del zone["doc"]
        zone["pii"] = "secret"

    rewritten(folder / "site.v2.avsc", silent)

    assert compatibility.folder_faults(folder) == [
        "site.v2: field zones.zone_id has no doc",
        "site.v2: field zones.zone_id needs pii, one of none, pseudonym, content",
    ]


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["schema", *arguments])
    return result.exit_code, result.stdout


def test_the_verb_finds_the_shipped_folder_sound() -> None:
    code, out = invoke("check")

    assert (code, out) == (0, f"{len(NAMES)} schemas, each newer one reads all older ones\n")


def test_the_verb_names_the_reader_that_a_proposal_breaks(tmp_path: Path) -> None:
    proposed = definition("ticket-scan.v3")
    proposed["fields"].append({"name": "price", "type": "int", "doc": "Paid.", "pii": "none", "unit": "cents"})
    (tmp_path / "new.avsc").write_text(json.dumps(proposed))

    code, out = invoke("check", "--file", str(tmp_path / "new.avsc"))

    assert code == 1
    assert out.splitlines() == [
        "ticket-scan.v4 cannot read what ticket-scan.v1 wrote: field price has no default",
        "ticket-scan.v4 cannot read what ticket-scan.v2 wrote: field price has no default",
        "ticket-scan.v4 cannot read what ticket-scan.v3 wrote: field price has no default",
    ]


def test_the_verb_lets_a_sound_proposal_pass(tmp_path: Path) -> None:
    proposed = definition("ticket-scan.v3")
    price = {"name": "price", "type": ["null", "int"], "default": None, "doc": "Paid.", "pii": "none", "unit": "cents"}
    proposed["fields"].append(price)
    (tmp_path / "new.avsc").write_text(json.dumps(proposed))

    code, out = invoke("check", "--file", str(tmp_path / "new.avsc"))

    assert (code, out) == (0, f"{tmp_path / 'new.avsc'}: ticket-scan.v4 can be released\n")


def test_a_record_that_is_renamed_is_no_new_family_and_breaks_every_reader(tmp_path: Path) -> None:
    proposed = definition("dead-letter.v1") | {"name": "Letter"}
    (tmp_path / "dead-letter.v2.avsc").write_text(json.dumps(proposed))

    code, out = invoke("check", "--file", str(tmp_path / "dead-letter.v2.avsc"))

    assert code == 1
    assert out == (
        "dead-letter.v2 cannot read what dead-letter.v1 wrote: "
        "the record is called org.datamusee.Letter, and was org.datamusee.DeadLetter\n"
    )


@pytest.mark.parametrize("file", ["lift-ride.avsc", "lift-ride.v1.avsc", "lift-ride.v7.avsc"])
def test_a_new_family_begins_with_its_first_version(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_text(json.dumps(definition("ticket-scan.v3") | {"name": "LiftRide"}))

    assert invoke("check", "--file", str(tmp_path / file)) == (0, f"{tmp_path / file}: lift-ride.v1 can be released\n")


@pytest.mark.parametrize("text", ["{", "[]", '{"type": "record", "name": "R"}', '{"type": "record", "fields": 1}'])
def test_what_is_no_schema_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "new.avsc").write_text(text)

    with pytest.raises(ConfigError, match=r"new\.avsc: "):
        compatibility.read(tmp_path / "new.avsc")


def test_the_verbs_list_and_show_what_there_is() -> None:
    code, out = invoke("list", "--json")

    assert code == 0
    assert {row["name"]: row["id"] for row in json.loads(out)} == registry.ids()
    assert json.loads(invoke("show", "ticket-scan", "--json")[1]) == definition("ticket-scan.v3")
    assert "device_at" in invoke("show", "ticket-scan")[1]
