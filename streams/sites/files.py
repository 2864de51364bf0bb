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
    error_share = 0.02             # of those who pass a gate, how many it misses or doubles
    expected_gap_min = 30          # minutes without any event that are normal while it is open
    [[zones]]  id, name, capacity?
    [[gates]]  id, name, zone?, error_share?
    [[plans]]  file, level?, name, name_fr?   # an SVG per floor: see sites.plans
    [calendar]                     # when it is open: see sites.calendars

Every fault of all files is named at once, with file, line and fix.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from streams.core.calendar import Calendar
from streams.core.sites import Site
from streams.errors import SiteFileError
from streams.sites import layout, plans, tomls
from streams.sites.tomls import Document, Fault, told


@dataclass(frozen=True, slots=True)
class Checked:
    """What a set of files says: sites by id, and every fault; sites of faulty files are left out.

    Attributes:
        differing: where plans and zones of a site do not match; the site is sound, and its plans are not shown.
    """

    sites: tuple[Site, ...]
    faults: tuple[Fault, ...]
    calendars: tuple[Calendar, ...] = ()
    differing: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class _Read:
    """One file: its site and calendar if it is sound, its faults otherwise."""

    document: Document | None
    site: Site | None
    calendar: Calendar | None
    faults: tuple[Fault, ...]
    differing: tuple[Fault, ...] = ()


def check(paths: Iterable[Path]) -> Checked:
    """Read files and folders (``*.toml``) as one set, in which ids and handles stand once."""
    named, faults = tomls.named(paths, "site file")
    read = [_read(file) for file in named]
    faults += [fault for one in read for fault in one.faults]
    by_id: dict[str, str] = {}
    by_handle: dict[str, str] = {}
    for one in read:
        document = one.document
        if one.site is None or document is None:
            continue
        name, file = one.site.site_id, document.file
        if name in by_id:
            wrong = f"= {name!r}: another file describes this site, {by_id[name]}"
            faults.append(Fault(file, document.line("id"), "id", wrong, "give it another id or remove one file"))
        by_id.setdefault(name, file)
        for index, handle in enumerate(one.site.handles):
            if by_handle.setdefault(handle, file) != file:
                wrong = f"= {handle!r} is claimed by another file, {by_handle[handle]}"
                line = document.line("handles", index)
                faults.append(Fault(file, line, f"handles.{index}", wrong, "leave it to one of the two sites"))
    sites = {one.site.site_id: one.site for one in read if one.site is not None}
    calendars = {one.calendar.site_id: one.calendar for one in read if one.calendar is not None}
    return Checked(
        tuple(sites[name] for name in sorted(sites)),
        tuple(faults),
        tuple(calendars[name] for name in sorted(calendars)),
        tuple(fault for one in read for fault in one.differing),
    )


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
    """All sites in files and folders (``*.toml``), by id; raises what ``sound`` does."""
    return list(sound(paths).sites)


def sound(paths: Iterable[Path]) -> Checked:
    """What files and folders (``*.toml``) say, without a fault.

    Raises:
        SiteFileError: any file is wrong, two describe the same site or claim one handle, or there is none.
    """
    checked = check(paths)
    if checked.faults:
        raise SiteFileError(told(checked.faults))
    return checked


def _read(path: Path) -> _Read:
    document = tomls.opened(path)
    if isinstance(document, Fault):
        return _Read(None, None, None, (document,))
    flaws = layout.flaws(document.table)
    if flaws:
        faults = sorted((document.fault(one) for one in flaws), key=lambda fault: fault.line or 0)
        return _Read(document, None, None, tuple(faults))
    described = layout.site(document.table)
    floors, wrong, differing = plans.read(document, described)
    if wrong:
        return _Read(document, None, None, tuple(wrong))
    site = replace(described, plans=floors)
    return _Read(document, site, layout.calendar(document.table), (), tuple(differing))
