"""Site files: one TOML file per museum or monument, read strictly.

    id = "example"                 # lower case, digits, hyphens; never changes
    org = "example"                # who runs it; pseudonyms are made per organisation
    name = "Example museum"
    time_zone = "Europe/Paris"     # IANA
    # the rest may be left out
    business_day_end = "02:00"     # whole hour; 00:00 is midnight
    capacity = 400
    replay = false                 # true: runs on its events' clock
    simulated = false              # true: what it sends is made up; needs replay = true
    note = "…"                     # said on the page
    place = "Lille"
    department = "59"              # INSEE code
    region = "Hauts-de-France"
    latitude = 50.6305             # WGS 84, both or none
    longitude = 3.0625
    category = "…"
    themes = ["…"]
    handles = ["examplemuseum"]    # accounts, lower case, no @; a post that names one counts here
    reference = "museofile:M0001"  # identity in a public list
    source = "…"                   # where this description comes from, with its licence
    [[zones]]  id, name, capacity?
    [[gates]]  id, name, zone?

Every fault of all files is named at once, with file, line and fix.
"""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from streams.core.sites import Site
from streams.errors import SiteFileError
from streams.sites import layout, positions

_AT_LINE = re.compile(r" ?\(at line (\d+), column \d+\)")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a file; ``line`` is ``None`` where the whole file cannot be read."""

    file: str
    line: int | None
    key: str
    wrong: str
    fix: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{where}: {self.key + ' ' if self.key else ''}{self.wrong}; {self.fix}"


@dataclass(frozen=True, slots=True)
class Checked:
    """What a set of files says: sites by id, and every fault; sites of faulty files are left out."""

    sites: tuple[Site, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class _Read:
    """One file: its site if it is sound, its faults otherwise, and where its keys stand."""

    file: str
    site: Site | None
    faults: tuple[Fault, ...]
    places: dict[positions.Place, int]

    def line(self, *place: str | int) -> int:
        return positions.nearest(self.places, place)


def check(paths: Iterable[Path]) -> Checked:
    """Read files and folders (``*.toml``) as one set, in which ids and handles stand once."""
    named: list[Path] = []
    faults: list[Fault] = []
    for path in paths:
        found = sorted(path.glob("*.toml")) if path.is_dir() else [path]
        if not found:
            faults.append(Fault(str(path), None, "", "no site file (*.toml) was found", "name a folder that has one"))
        named += found
    read = [_read(file) for file in dict.fromkeys(named)]  # a folder and a file in it are one mention
    faults += [fault for one in read for fault in one.faults]
    by_id: dict[str, str] = {}
    by_handle: dict[str, str] = {}
    for one in read:
        if one.site is None:
            continue
        name = one.site.site_id
        if name in by_id:
            wrong = f"= {name!r}: another file describes this site, {by_id[name]}"
            faults.append(Fault(one.file, one.line("id"), "id", wrong, "give it another id or remove one file"))
        by_id.setdefault(name, one.file)
        for index, handle in enumerate(one.site.handles):
            if by_handle.setdefault(handle, one.file) != one.file:
                wrong = f"= {handle!r} is claimed by another file, {by_handle[handle]}"
                line = one.line("handles", index)
                faults.append(Fault(one.file, line, f"handles.{index}", wrong, "leave it to one of the two sites"))
    sites = {one.site.site_id: one.site for one in read if one.site is not None}
    return Checked(tuple(sites[name] for name in sorted(sites)), tuple(faults))


def told(faults: Iterable[Fault]) -> str:
    """The faults, one a line."""
    return "\n".join(map(str, faults))


def read(path: Path) -> Site:
    """The site that a file describes.

    Raises:
        SiteFileError: one line per fault: file, line, key, value, what was expected.
    """
    found = _read(path)
    if found.site is None:
        raise SiteFileError(told(found.faults))
    return found.site


def read_all(paths: Iterable[Path]) -> list[Site]:
    """All sites in files and folders (``*.toml``), by id.

    Raises:
        SiteFileError: any file is wrong, two describe the same site or claim one handle, or there is none.
    """
    checked = check(paths)
    if checked.faults:
        raise SiteFileError(told(checked.faults))
    return list(checked.sites)


def _read(path: Path) -> _Read:
    file = str(path)
    try:
        text = path.read_text(encoding="utf-8-sig")  # editors on Windows put a mark in front
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        return _Read(file, None, (Fault(file, line, "", "is not UTF-8", "save the file as UTF-8"),), {})
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return _Read(file, None, (Fault(file, None, "", f"cannot be read: {reason}", "check the path"),), {})
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return _Read(file, None, (_no_toml(file, text, error),), {})
    places = positions.lines(text)
    flaws = layout.flaws(table)
    faults = [Fault(file, positions.nearest(places, one.place), one.key, one.wrong, one.fix) for one in flaws]
    faults.sort(key=lambda fault: fault.line or 0)
    return _Read(file, None if flaws else layout.site(table), tuple(faults), places)


def _no_toml(file: str, text: str, error: Exception) -> Fault:
    """A file that is no TOML; the parser tells the place at the end of its sentence."""
    said = str(error)
    at = _AT_LINE.search(said)
    line = int(at[1]) if at else text.rstrip("\n").count("\n") + 1
    reason = _AT_LINE.sub("", said).replace(" (at end of document)", "")
    return Fault(file, line, "", f"is not TOML: {reason}", 'write key = value, texts in "quotes"')
