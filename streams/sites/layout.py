"""What a site file may say: its keys, what each must look like, and how a table of them becomes a ``Site`` and back.

A table is what ``tomllib`` gives for a file, or what an importer put together from a public list; both are held to the
same rules. Used by ``sites.files`` and ``sites.importers``.
"""

import difflib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from streams.core.calendar import Calendar
from streams.core.plans import MAX_FLOORS
from streams.core.sites import ERROR_SHARE, Gate, Site, Zone
from streams.sites import calendars, departments
from streams.sites.flaws import Flaw, short
from streams.sites.positions import Place

Table = Mapping[str, Any]


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())  # walks over files: 1,300 sites would wait for it


def _time_zone(value: str) -> str:
    if value not in _time_zones():
        raise ValueError(value)
    return value


def _department(value: str) -> str:
    found = departments.by_code(value)
    if found is None or found.code != value:
        raise ValueError(value)
    return value


def _text(longest: int, expected: str) -> Any:
    return Field(min_length=1, max_length=longest, pattern=r"\S", description=f"{expected}, up to {longest} characters")


_SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"
_Id = Annotated[
    str, Field(pattern=_SLUG, max_length=80, description="lower case letters, digits and hyphens, up to 80 characters")
]
_Name = Annotated[str, _text(200, "the name as people say it")]
_People = Annotated[int, Field(gt=0, le=1_000_000, description="a whole number of people from 1 to 1,000,000")]
_Share = Annotated[
    float, Field(ge=0, le=0.5, allow_inf_nan=False, description="a share from 0 to 0.5, e.g. 0.02 for two of a hundred")
]
_Minutes = Annotated[int, Field(ge=1, le=10_080, description="a whole number of minutes from 1 to 10,080, a week")]
_Floor = Annotated[int, Field(ge=-20, le=200, description="a whole number from -20 to 200; 0 is the ground floor")]
_PlanFile = Annotated[
    str,
    Field(
        pattern=r"^([A-Za-z0-9_][\w.-]*/)*[A-Za-z0-9_][\w.-]*\.svg$",
        max_length=200,
        description='an SVG beside this file or in a folder below it, e.g. "plans/ground.svg"',
    ),
]
_Flag = Annotated[bool, Field(description="true or false, without quotes")]
_Handle = Annotated[str, Field(pattern=r"^[a-z0-9_]+([.-][a-z0-9_]+)*$", max_length=60)]
_HANDLES = "a list of at most 100 account names in lower case, without @, each up to 60 characters"
_Theme = Annotated[str, Field(min_length=1, max_length=600, pattern=r"\S")]
_THEMES = "a list of at most 100 texts, each from 1 to 600 characters"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _ZoneTable(_Strict):
    id: _Id
    name: _Name
    capacity: _People | None = None


class _GateTable(_Strict):
    id: _Id
    name: _Name
    zone: Annotated[_Id | None, Field(description="the id of a zone of this file")] = None
    error_share: _Share | None = None


class _PlanTable(_Strict):
    file: _PlanFile
    level: _Floor = 0
    name: _Name
    name_fr: Annotated[str, _text(200, "the name in French")] | None = None


class _SiteTable(_Strict):
    id: _Id
    org: _Id
    name: _Name
    time_zone: Annotated[str, AfterValidator(_time_zone), Field(description="an IANA time zone such as Europe/Paris")]
    business_day_end: Annotated[
        str, Field(pattern=r"^(0\d|1[0-2]):00$", description='a whole hour in quotes, from "00:00" to "12:00"')
    ] = "00:00"
    capacity: _People | None = None
    replay: _Flag = False
    simulated: _Flag = False
    note: Annotated[str, _text(500, "a text")] | None = None
    place: Annotated[str, _text(200, "a town or commune")] | None = None
    department: (
        Annotated[
            str,
            AfterValidator(_department),
            Field(description='the INSEE code of a département, e.g. "75", "2A", "974"'),
        ]
        | None
    ) = None
    region: Annotated[str, _text(200, "a region's name")] | None = None
    latitude: (
        Annotated[
            float,
            Field(ge=-90, le=90, allow_inf_nan=False, description="WGS 84 degrees from -90 to 90, without quotes"),
        ]
        | None
    ) = None
    longitude: (
        Annotated[
            float,
            Field(ge=-180, le=180, allow_inf_nan=False, description="WGS 84 degrees from -180 to 180, without quotes"),
        ]
        | None
    ) = None
    category: Annotated[str, _text(200, "a text")] | None = None
    themes: Annotated[list[_Theme], Field(max_length=100, description=_THEMES)] = []
    handles: Annotated[list[_Handle], Field(max_length=100, description=_HANDLES)] = []
    reference: (
        Annotated[
            str, Field(pattern=r"^[a-z0-9-]+:\S+$", max_length=200, description="list:identity, e.g. museofile:M5031")
        ]
        | None
    ) = None
    source: Annotated[str, _text(300, "a text")] | None = None
    error_share: _Share = ERROR_SHARE
    expected_gap_min: _Minutes | None = None
    zones: Annotated[list[_ZoneTable], Field(description="[[zones]] tables")] = []
    gates: Annotated[list[_GateTable], Field(description="[[gates]] tables")] = []
    plans: Annotated[
        list[_PlanTable], Field(max_length=MAX_FLOORS, description=f"at most {MAX_FLOORS} [[plans]] tables")
    ] = []
    calendar: Annotated[Any, Field(description="a [calendar] table, see musee calendar")] = None


def flaws(table: Table) -> list[Flaw]:
    """Everything that is wrong with a table, in the order of its keys; empty when it describes a site."""
    found = []
    described = None
    try:
        _SiteTable.model_validate(table)
        described = site(table)
    except ValidationError as error:
        found = [_flaw(tuple(one["loc"]), one["type"], one.get("input")) for one in error.errors(include_url=False)]
    found += _contradictions(table)
    if "calendar" in table:
        found += calendars.flaws(table["calendar"], ("calendar",), described)
    return found


def site(table: Table) -> Site:
    """The site that a table without flaws describes; its plans are files of their own, see ``sites.plans``."""
    said = _SiteTable.model_validate(table)
    named = said.model_dump(
        exclude={"id", "org", "business_day_end", "zones", "gates", "themes", "handles", "plans", "calendar"}
    )
    return Site(
        site_id=said.id,
        org_id=said.org,
        business_day_end_hour=int(said.business_day_end[:2]),
        zones=tuple(Zone(zone.id, zone.name, zone.capacity) for zone in said.zones),
        gates=tuple(Gate(gate.id, gate.name, gate.zone, gate.error_share) for gate in said.gates),
        themes=tuple(said.themes),
        handles=tuple(said.handles),
        **named,
    )


def calendar(table: Table) -> Calendar | None:
    """The calendar in a site's table without flaws, ``None`` if there is none."""
    return calendars.calendar(table["calendar"], site(table)) if "calendar" in table else None


def table(site: Site) -> dict[str, Any]:
    """The keys that describe a site, in the file's order; what has its default is left out."""
    said: dict[str, Any] = {"id": site.site_id, "org": site.org_id}
    for name, field in _SiteTable.model_fields.items():
        if name in ("id", "org", "zones", "gates", "plans", "calendar"):
            continue
        value = f"{site.business_day_end_hour:02d}:00" if name == "business_day_end" else getattr(site, name)
        value = list(value) if isinstance(value, tuple) else value
        if value != field.get_default():
            said[name] = value
    zones = [{"id": zone.zone_id, "name": zone.name, "capacity": zone.capacity} for zone in site.zones]
    gates = [
        {"id": gate.gate_id, "name": gate.name, "zone": gate.zone_id, "error_share": gate.error_share}
        for gate in site.gates
    ]
    for name, rows in (("zones", zones), ("gates", gates)):
        if rows:
            said[name] = [{key: value for key, value in row.items() if value is not None} for row in rows]
    return said


_ROWS: Mapping[str, tuple[type[_Strict], str]] = {
    "zones": (_ZoneTable, "id and name"),
    "gates": (_GateTable, "id and name"),
    "plans": (_PlanTable, "file and name"),
}


def _flaw(place: Place, kind: str, given: object) -> Flaw:
    model, expected = _expected(place)
    match kind:
        case "missing":
            return Flaw(place, "is missing", f"add it: {expected}")
        case "extra_forbidden":
            near = difflib.get_close_matches(str(place[-1]), model.model_fields, 1)
            known = ", ".join(model.model_fields)
            return Flaw(place, "is no key of a site file", f"write {near[0]}" if near else f"remove it; known: {known}")
        case _:
            return Flaw(place, f"= {short(given)} is not right", f"write {expected}")


def _expected(place: Place) -> tuple[type[_Strict], str]:
    """The table that ``place`` lies in, and what is expected there."""
    model: type[_Strict] = _SiteTable
    names = list(place)
    if len(names) > 1 and names[0] in _ROWS:
        model, told = _ROWS[str(names[0])]
        names = names[2:]
        if not names:
            return model, f"a [[{place[0]}]] table with {told}"
    field = model.model_fields.get(str(names[0]))
    return model, (field.description if field is not None else None) or _MEANT.get(str(names[0]), "")


def _descriptions(annotation: Any) -> Iterator[str]:
    """What a field's type says is expected, through ``| None``."""
    for one in getattr(annotation, "__args__", ()):
        for extra in getattr(one, "__metadata__", ()):
            if getattr(extra, "description", None):
                yield extra.description


_MEANT = {
    name: next(_descriptions(field.annotation), "")
    for model in (_SiteTable, _ZoneTable, _GateTable, _PlanTable)
    for name, field in model.model_fields.items()
}


def _contradictions(table: Table) -> Iterator[Flaw]:
    """What each key may say alone and not beside another one; looks past values of the wrong type."""
    for name, one in (("zones", "zone"), ("gates", "gate")):
        yield from _repeated([(place, row.get("id")) for place, row in _rows(table, name)], f"{one} id", "id")
    floors = [((*place, "level"), row.get("level", 0)) for place, row in _rows(table, "plans")]
    for place, level in floors:
        if [other for _, other in floors].index(level) != floors.index((place, level)):
            yield Flaw(place, f"= {short(level)} stands twice", "give every floor a level of its own")
    handles = table.get("handles")
    listed = enumerate(handles) if isinstance(handles, list) else ()
    yield from _repeated([(("handles", index), handle) for index, handle in listed], "handle")
    known = {row["id"] for _, row in _rows(table, "zones") if isinstance(row.get("id"), str)}
    for place, gate in _rows(table, "gates"):
        zone = gate.get("zone")
        if isinstance(zone, str) and zone not in known:
            wrong = f"= {short(zone)} is a zone that the file does not describe"
            others = f", or name one of: {', '.join(sorted(known))}" if known else ", or remove the key"
            yield Flaw((*place, "zone"), wrong, f"add a [[zones]] table with this id{others}")
    for name, other in (("latitude", "longitude"), ("longitude", "latitude")):
        if name in table and other not in table:
            yield Flaw((name,), f"stands without {other}", f"add {other} or remove {name}")
    if table.get("simulated") is True and table.get("replay") is not True:
        yield Flaw(("simulated",), "= true needs replay = true: what is made up has its own clock", "add replay = true")


def _rows(table: Table, name: str) -> list[tuple[Place, Table]]:
    rows = table.get(name)
    listed = enumerate(rows) if isinstance(rows, list) else ()
    return [((name, index), row) for index, row in listed if isinstance(row, dict)]


def _repeated(said: list[tuple[Place, object]], what: str, *key: str) -> Iterator[Flaw]:
    seen: set[str] = set()
    for place, value in said:
        if isinstance(value, str):
            if value in seen:
                yield Flaw((*place, *key), f"= {short(value)} stands twice", f"give every {what} once")
            seen.add(value)
