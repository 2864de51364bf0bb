"""Site files: one TOML file per museum or monument, read strictly.

    id = "example"                 # lower case, digits, hyphens; never changes
    org = "example"
    name = "Example museum"
    time_zone = "Europe/Paris"     # IANA
    business_day_end = "02:00"     # whole hour; 00:00 is midnight
    capacity = 400                 # optional
    replay = false                 # true: runs on its events' clock
    note = "…"                     # optional, said on the page
    [[zones]]  id, name, capacity?
    [[gates]]  id, name, zone?

Every fault of a file is named at once, with its key and what was expected.
"""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from streams.core.sites import Gate, Site, Zone
from streams.errors import SiteFileError

_SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"
_Id = Annotated[str, Field(pattern=_SLUG, max_length=80)]
_Name = Annotated[str, Field(min_length=1, max_length=200)]
_People = Annotated[int, Field(gt=0, le=1_000_000)]
_HOUR = re.compile(r"(\d{2}):00")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _ZoneTable(_Strict):
    id: _Id
    name: _Name
    capacity: _People | None = None


class _GateTable(_Strict):
    id: _Id
    name: _Name
    zone: _Id | None = None


class _SiteTable(_Strict):
    id: _Id
    org: _Id
    name: _Name
    time_zone: str
    business_day_end: str = "00:00"
    capacity: _People | None = None
    replay: bool = False
    note: Annotated[str, Field(max_length=500)] | None = None
    zones: list[_ZoneTable] = []
    gates: list[_GateTable] = []

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("an IANA time zone such as Europe/Paris is expected")
        return value

    @field_validator("business_day_end")
    @classmethod
    def _whole_hour(cls, value: str) -> str:
        match = _HOUR.fullmatch(value)
        if match is None or int(match[1]) > 12:
            raise ValueError("a whole hour from 00:00 to 12:00 is expected")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> "_SiteTable":
        faults = []
        for kind, ids in (("zone", [z.id for z in self.zones]), ("gate", [g.id for g in self.gates])):
            faults += [f"{kind} id {one!r} stands twice" for one in sorted(set(ids)) if ids.count(one) > 1]
        strange = {gate.zone for gate in self.gates if gate.zone} - {zone.id for zone in self.zones}
        faults += [f"a gate names zone {one!r}, which the file does not describe" for one in sorted(strange)]
        if faults:
            raise ValueError("; ".join(faults))
        return self


def read(path: Path) -> Site:
    """The site that a file describes.

    Raises:
        SiteFileError: one line per fault: file, key, value, what was expected.
    """
    try:
        table = _SiteTable.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise SiteFileError(f"{path}: cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise SiteFileError(f"{path}: not TOML: {error}") from None
    except ValidationError as error:
        lines = []
        for fault in error.errors():
            key = ".".join(str(part) for part in fault["loc"]) or "file"
            given = "" if fault["type"] in ("missing", "value_error") and not fault["loc"] else f" = {fault['input']!r}"
            lines.append(f"{path}: {key}{given if fault['type'] != 'missing' else ''}: {fault['msg']}")
        raise SiteFileError("\n".join(lines)) from None
    return Site(
        site_id=table.id,
        org_id=table.org,
        name=table.name,
        time_zone=table.time_zone,
        business_day_end_hour=int(table.business_day_end[:2]),
        capacity=table.capacity,
        zones=tuple(Zone(zone.id, zone.name, zone.capacity) for zone in table.zones),
        gates=tuple(Gate(gate.id, gate.name, gate.zone) for gate in table.gates),
        replay=table.replay,
        note=table.note,
    )


def read_all(paths: Iterable[Path]) -> list[Site]:
    """All sites in files and folders (``*.toml``), by id.

    Raises:
        SiteFileError: any file is wrong, two describe the same site, or there is none.
    """
    files = [file for path in paths for file in (sorted(path.glob("*.toml")) if path.is_dir() else [path])]
    sites: dict[str, Site] = {}
    faults = []
    for file in files:
        try:
            site = read(file)
        except SiteFileError as fault:
            faults.append(str(fault))
            continue
        if site.site_id in sites:
            faults.append(f"{file}: id = {site.site_id!r}: another file describes this site")
        sites[site.site_id] = site
    if not files:
        faults.append("no site file (*.toml) was found")
    if faults:
        raise SiteFileError("\n".join(faults))
    return [sites[name] for name in sorted(sites)]
