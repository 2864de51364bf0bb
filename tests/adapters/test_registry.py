"""Schemas: documented field by field, with ids that never change and bytes that stay readable for ever."""

import io
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import avro.schema as avro_schema
import fastavro
import polars as pl
import polars.selectors as cs
import pytest
from avro.io import BinaryDecoder, DatumReader

from streams import package_data
from streams.adapters import avro, compatibility, registry
from streams.adapters.compatibility import family, version
from streams.core import blocks
from streams.topology import FAMILIES, LIVE

FOLDER = package_data.folder("schemas")
NAMES = sorted(registry.ids())
# What was released stays: a new schema gets a line here and in ids.json, an old one never changes.
RELEASED = {
    "ticket-scan.v1": 1,
    "site.v1": 2,
    "dead-letter.v1": 3,
    "ticket-scan.v2": 4,
    "guestbook-entry.v1": 5,
    "social-post.v1": 6,
    "position-update.v1": 7,
    "visitor-action.v1": 8,
    "web-traffic.v1": 9,
    "device-status.v1": 10,
    "site.v2": 11,
    "ticket-scan.v3": 12,
    "guestbook-entry.v2": 13,
    "social-post.v2": 14,
    "position-update.v2": 15,
    "visitor-action.v2": 16,
    "web-traffic.v2": 17,
    "device-status.v2": 18,
    "occupancy-correction.v1": 20,
    "site-calendar.v1": 21,
    "site.v3": 22,
    "attendance-window.v1": 19,
    "alert.v1": 23,
    "site.v4": 24,
}
NO_COUNTS = {"partition"}  # numbers that name something instead of measuring it

# Values unlike the default in every field, so that a reader that fills in a default is found out.
_EVENT: avro.Record = {
    "event_id": "0b0e1f9c-1111-4222-8333-444455556666",
    "org_id": "louvre",
    "site_id": "louvre",
    "zone_id": "denon",
    "gate_id": "pyramid",
    "device_id": "turnstile-4",
    "seq": 8_192,
    "occurred_at": 1_784_017_230_500,
    "sent_at": 1_784_017_231_000,
    "received_at": 1_784_017_231_250,
    "clock_trust": "SYNCED",
    "ingest_mode": "OFFLINE",
    "corrects": "0b0e1f9c-7777-4888-9999-aaaabbbbcccc",
    "producer": "golden/1",
    "test": True,
}
_SCAN: avro.Record = _EVENT | {
    "direction": "OUT",
    "outcome": "REVERTED",
    "reason": "doublé ✓",
    "party_size": 1_000,
    "tariff": "reduced",
    "ticket_pid": "00112233445566778899aabbccddeeff",
    "offline": False,
    "forced": True,
}
_SITE: avro.Record = {
    "site_id": "louvre",
    "org_id": "louvre",
    "name": "Musée du Louvre",
    "time_zone": "Europe/Paris",
    "business_day_end_hour": 2,
    "capacity": 30_000,
    "zones": [
        {"zone_id": "denon", "name": "Denon", "capacity": 9_000},
        {"zone_id": "hall", "name": "Hall", "capacity": None},
    ],
    "gates": [{"gate_id": "pyramid", "name": "Pyramide", "zone_id": "hall"}],
}
GOLDEN: dict[str, avro.Record] = {
    "ticket-scan.v1": _SCAN,
    "ticket-scan.v2": _SCAN | {"slot_at": 1_784_016_900_000},
    "site.v1": _SITE | {"replay": False, "note": None, "updated_at": 1_784_017_230_500},
    "site.v2": _SITE
    | {
        "replay": True,
        "note": "golden",
        "updated_at": 1_784_017_230_500,
        "simulated": True,
        "place": "Paris",
        "department": "75",
        "region": "Île-de-France",
        "latitude": 48.860611,
        "longitude": 2.337644,
        "category": "musée",
        "themes": ["Beaux-arts", "Archéologie"],
        "handles": ["museelouvre"],
        "reference": "museofile:M5031",
        "source": "golden/1",
    },
    "dead-letter.v1": {
        "topic": "musee.ticket-scan.v1",
        "partition": 7,
        "offset": 2_147_483_648,
        "reason": "trailing",
        "detail": "bytes follow the Avro body (96 bytes in all)",
        "key": b"louvre",
        "value": b"\x00\x00\x00\x00\x01\xff",
        "appended_at": 1_784_017_230_500,
        "dead_at": 1_784_017_231_000,
        "producer": "sink",
    },
    "guestbook-entry.v1": _EVENT | {"text": "Très beau – « à revoir » ✓", "rating": 5, "language": "fr"},
    "social-post.v1": _EVENT | {"network": "mastodon", "text": "@museelouvre 🗿", "language": "fr-CA"},
    "position-update.v1": _EVENT
    | {"session_pid": "00112233445566778899aabbccddeeff", "x_m": -1.5, "y_m": 1e-3, "accuracy_m": 2.75},
    "visitor-action.v1": _EVENT | {"action": "LISTEN", "item_id": "joconde", "duration_s": 61.25},
    "web-traffic.v1": _EVENT | {"page_views": 2_147_483_647, "assets": 128, "robots": 64, "errors": 1},
    "device-status.v1": _EVENT
    | {"status": "FAULT", "detail": "papier épuisé", "battery_share": 0.125, "queued": 300, "firmware": "1.2.3"},
}

_CORRECTED: avro.Record = {"device_at": 1_784_010_030_500}
GOLDEN["ticket-scan.v3"] = GOLDEN["ticket-scan.v2"] | _CORRECTED
for _name in (
    "guestbook-entry",
    "social-post",
    "position-update",
    "visitor-action",
    "web-traffic",
    "device-status",
):
    GOLDEN[f"{_name}.v2"] = GOLDEN[f"{_name}.v1"] | _CORRECTED
GOLDEN["occupancy-correction.v1"] = (
    _EVENT
    | _CORRECTED
    | {"kind": "ADJUST", "value": -12, "who": "duty manager ✓", "why": "fire drill: counted outside", "drift": -7}
)
GOLDEN["site-calendar.v1"] = {
    "site_id": "louvre",
    "week": [
        {"weekday": 3, "opens_min": 540, "closes_min": 720},
        {"weekday": 5, "opens_min": 840, "closes_min": 1_530},
    ],
    "exceptions": [
        {"day": "2026-12-25", "hours": [], "reason": "Noël"},
        {"day": "2026-07-14", "hours": [{"opens_min": 600, "closes_min": 1_080}], "reason": "fête nationale"},
    ],
    "grace_min": 45,
    "updated_at": 1_784_017_230_500,
}
GOLDEN["site.v3"] = GOLDEN["site.v2"] | {
    "gates": [
        {"gate_id": "pyramid", "name": "Pyramide", "zone_id": "hall", "error_share": 0.015},
        {"gate_id": "carrousel", "name": "Carrousel", "zone_id": None, "error_share": None},
    ],
    "error_share": 0.03,
    "expected_gap_min": 45,
}
GOLDEN["site.v4"] = GOLDEN["site.v3"] | {
    "plans": [
        {"level": -1, "name": "Lower floor", "name_fr": "Sous-sol", "svg": '<svg viewBox="0 0 4 3"></svg>'},
        {"level": 3, "name": "Third ✓", "name_fr": None, "svg": "<svg></svg>"},
    ]
}
GOLDEN["attendance-window.v1"] = {
    "event_id": "0b0e1f9c-1111-5222-8333-444455556666",
    "site_id": "louvre",
    "gate_id": "pyramid",
    "start_at": 1_784_016_900_000,
    "end_at": 1_784_017_800_000,
    "entries": 812,
    "exits": -3,
    "denied": 2,
    "entries_before": 800,
    "exits_before": 0,
    "denied_before": 1,
    "revision": 1_784_019_000_001,
    "cause": "ANNULLED",
    "completeness": 0.75,
    "watermark_at": 1_784_018_710_500,
    "published_at": 1_784_019_000_001,
}
GOLDEN["alert.v1"] = {
    "event_id": "0b0e1f9c-1111-5222-8333-444455556666",
    "alert_id": "0b0e1f9c-7777-5888-9999-aaaabbbbcccc",
    "rule": "capacity-85",
    "kind": "capacity",
    "severity": "warning",
    "site_id": "louvre",
    "zone_id": "denon",
    "gate_id": "pyramid",
    "episode": 1_784_019_000_001,
    "version": 1_784_019_090_500,
    "state": "ACKNOWLEDGED",
    "opened_at": 1_784_019_000_000,
    "changed_at": 1_784_019_090_500,
    "resolved_at": 1_784_019_600_000,
    "acknowledged_by": "duty manager ✓",
    "acknowledged_until": 1_784_020_890_000,
    "value": 7_650,
    "low": 7_580,
    "high": 7_720,
    "limit_value": 9_000,
    "entry_percent": 85,
    "exit_percent": 80,
    "hidden_by": "0b0e1f9c-aaaa-5bbb-8ccc-ddddeeeeffff",
    "played": True,
    "evidence": "7650 people in Denon; musee why louvre",
    "advice": "Slow entry to Denon.",
    "published_at": 1_784_019_090_501,
}


def fields(definition: dict[str, Any], below: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """(path, field) of a record and of the records in it."""
    for field in definition["fields"]:
        yield f"{below}{field['name']}", field
        for inner in records_in(field["type"]):
            yield from fields(inner, f"{below}{field['name']}.")


def records_in(declared: Any) -> Iterator[dict[str, Any]]:
    """The records that stand in a type."""
    if isinstance(declared, list):
        for one in declared:
            yield from records_in(one)
    elif isinstance(declared, dict):
        if declared["type"] == "record":
            yield declared
        yield from records_in(declared.get("items", "none"))


ALL_FIELDS = [
    pytest.param(field, id=f"{name}:{path}")
    for name in NAMES
    for path, field in fields(registry.by_name(name).definition)
]


def kinds(declared: Any) -> set[str]:
    """Names of the types that a declaration holds, logical ones first, null left out."""
    if isinstance(declared, list):
        return set().union(*(kinds(one) for one in declared)) - {"null"}
    if isinstance(declared, dict):
        return {declared.get("logicalType") or declared["type"]}
    return {declared}


# -- ids -------------------------------------------------------------------------------------------------------------


def test_a_released_schema_keeps_its_id() -> None:
    assert RELEASED.items() <= registry.ids().items()


def test_no_two_schemas_share_an_id() -> None:
    numbers = list(registry.ids().values())

    assert len(set(numbers)) == len(numbers)
    assert min(numbers) > 0


def test_every_schema_file_has_an_id_and_every_id_a_file() -> None:
    assert sorted(path.name.removesuffix(".avsc") for path in FOLDER.glob("*.avsc")) == NAMES


def test_every_family_has_the_schema_that_it_is_written_with() -> None:
    assert {family.schema for family in FAMILIES} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_found_by_name_and_by_id(name: str) -> None:
    schema = registry.by_name(name)

    assert registry.by_id(schema.schema_id) is schema
    assert schema.head == blocks.head(schema.schema_id)


def test_what_was_never_released_is_not_found() -> None:
    with pytest.raises(KeyError):
        registry.by_name("ticket-scan.v99")
    with pytest.raises(KeyError):
        registry.by_id(0)


# -- documentation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_says_what_it_is(name: str) -> None:
    assert registry.by_name(name).definition["doc"].endswith(".")


@pytest.mark.parametrize("field", ALL_FIELDS)
def test_every_field_says_what_it_holds_and_whether_it_is_about_a_person(field: dict[str, Any]) -> None:
    assert field["doc"].endswith(".")
    assert field["pii"] in compatibility.PII


@pytest.mark.parametrize("field", ALL_FIELDS)
def test_every_time_and_every_count_has_a_unit(field: dict[str, Any]) -> None:
    if kinds(field["type"]) & {"timestamp-millis", "int", "long", "float", "double"} and field["name"] not in NO_COUNTS:
        assert field["unit"]


@pytest.mark.parametrize("field", ALL_FIELDS)
def test_what_may_be_null_is_null_when_nothing_is_said(field: dict[str, Any]) -> None:
    if isinstance(field["type"], list):
        assert field["type"][0] == "null"
        assert field["default"] is None


@pytest.mark.parametrize("family", LIVE, ids=lambda family: family.name)
def test_a_family_that_is_counted_live_is_flat(family: Any) -> None:
    definition = registry.by_name(family.schema).definition

    held = set().union(*(kinds(field["type"]) for field in definition["fields"]))
    assert not held & {"array", "map", "record", "fixed"}


@pytest.mark.parametrize("name", NAMES)
def test_a_pseudonym_names_the_identifier_it_is_made_from_and_its_purpose(name: str) -> None:
    for _, field in fields(registry.by_name(name).definition):
        assert ("door" in field) == ("purpose" in field)
        assert "purpose" not in field or field["pii"] == "pseudonym"


def keys_of(part: Any) -> set[str]:
    """Every attribute at any depth of a schema."""
    if isinstance(part, dict):
        return set(part).union(*(keys_of(value) for value in part.values()))
    return set().union(*(keys_of(one) for one in part)) if isinstance(part, list) else set()


@pytest.mark.parametrize("name", NAMES)
def test_a_block_header_says_what_a_decoder_needs_and_nothing_else(name: str) -> None:
    schema = registry.by_name(name)

    stated = json.loads(schema.text)

    assert keys_of(stated) <= {"type", "name", "namespace", "fields", "symbols", "items", "logicalType"}
    assert tuple(field["name"] for field in stated["fields"]) == schema.fields


# -- golden bytes ----------------------------------------------------------------------------------------------------


def golden(name: str) -> Path:
    return FOLDER / "golden" / f"{name}.bin"


def plain(value: Any) -> Any:
    """A record as readers agree on it: times as epoch ms, UUIDs as text."""
    match value:
        case dict():
            return {name: plain(one) for name, one in value.items()}
        case list():
            return [plain(one) for one in value]
        case datetime():
            return round(value.timestamp() * 1000)
        case UUID():
            return str(value)
        case _:
            return value


def as_said(read: Any, said: Any) -> Any:
    """Of a record that was read, what the one that was written said, at every depth."""
    if isinstance(said, dict):
        return {name: as_said(read[name], one) for name, one in said.items()}
    if isinstance(said, list) and len(read) == len(said):
        return [as_said(one, like) for one, like in zip(read, said, strict=True)]
    return read


@pytest.mark.parametrize("name", NAMES)
def test_a_record_is_written_with_the_bytes_it_was_released_with(name: str) -> None:
    assert avro.encode(registry.by_name(name), GOLDEN[name]) == golden(name).read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_the_released_bytes_are_read_as_the_record_they_were(name: str) -> None:
    assert avro.decode(golden(name).read_bytes()) == GOLDEN[name]


@pytest.mark.parametrize("name", NAMES)
def test_avros_reference_implementation_reads_the_released_bytes(name: str) -> None:
    decoder = BinaryDecoder(body := io.BytesIO(golden(name).read_bytes()[blocks.HEAD_BYTES :]))

    read = DatumReader(avro_schema.parse(json.dumps(registry.by_name(name).definition))).read(decoder)

    assert plain(read) == plain(GOLDEN[name])
    assert body.read() == b""


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("site")])
def test_polars_reads_the_released_bytes(name: str) -> None:
    value = golden(name).read_bytes()
    block = io.BytesIO(blocks.join([value, value], registry.by_name(name).text))

    frame = pl.read_avro(block).drop(blocks.CANARY_FIELD)

    rows = frame.with_columns(cs.datetime().to_physical()).to_dicts()
    assert [plain(row) for row in rows] == [plain(GOLDEN[name])] * 2


@pytest.mark.parametrize("name", NAMES)
def test_the_newest_schema_of_a_family_reads_every_version_ever_released(name: str) -> None:
    newest = max((one for one in NAMES if family(one) == family(name)), key=version)
    body = io.BytesIO(golden(name).read_bytes()[blocks.HEAD_BYTES :])

    read = fastavro.schemaless_reader(body, registry.by_name(name).physical, registry.by_name(newest).physical)

    assert isinstance(read, dict)
    assert as_said(read, GOLDEN[name]) == GOLDEN[name]
    assert body.read() == b""


@pytest.mark.parametrize("name", [name for name in NAMES if name != "site.v1"])
def test_golden_records_hold_something_else_than_the_default_in_every_field(name: str) -> None:
    defaults = {
        field["name"]: field["default"] for field in registry.by_name(name).definition["fields"] if "default" in field
    }

    assert [field for field, default in defaults.items() if GOLDEN[name][field] == default] == []


def write_missing() -> None:
    """Golden bytes and fingerprint of what has none yet; never touches what was released. See schemas/README.md."""
    known = FOLDER / "golden" / "fingerprints.json"
    fingerprints = json.loads(known.read_text()) if known.exists() else {}
    for name, record in GOLDEN.items():
        if not golden(name).exists():
            golden(name).write_bytes(avro.encode(registry.by_name(name), record))
        fingerprints.setdefault(name, compatibility.fingerprint(registry.by_name(name).definition))
    known.write_text(json.dumps(fingerprints, indent=2) + "\n")


if __name__ == "__main__":
    write_missing()
