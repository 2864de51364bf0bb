"""Calendar files: one TOML file per site, read strictly; ``sites.calendars`` says what may stand in one.

Every fault of all files is named at once, with file, line and fix. Called by ``cli.calendar``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from streams.core.calendar import Calendar
from streams.core.sites import Sites
from streams.sites import calendars, tomls
from streams.sites.flaws import Flaw, short
from streams.sites.tomls import Document, Fault


@dataclass(frozen=True, slots=True)
class Checked:
    """What a set of files says: calendars by site, and every fault; calendars of faulty files are left out."""

    calendars: tuple[Calendar, ...]
    faults: tuple[Fault, ...]


def check(paths: Iterable[Path], sites: Sites) -> Checked:
    """Read files and folders (``*.toml``) as one set.

    Args:
        paths: where they are.
        sites: all that are known: a calendar is one of these, on its wall clock and within its business day.
    """
    named, faults = tomls.named(paths, "calendar file")
    found: dict[str, Calendar] = {}
    first: dict[str, str] = {}
    for path in named:
        document = tomls.opened(path)
        if isinstance(document, Fault):
            faults.append(document)
            continue
        flaws = _flaws(document, sites)
        if not flaws:
            calendar = calendars.calendar(document.table, sites[document.table["site"]])
            other = first.setdefault(calendar.site_id, document.file)
            if other == document.file:
                found[calendar.site_id] = calendar
            else:
                wrong = f"= {calendar.site_id!r}: another file has this site's calendar, {other}"
                flaws = [Flaw(("site",), wrong, "put both into one file")]
        faults += sorted(map(document.fault, flaws), key=lambda fault: fault.line or 0)
    return Checked(tuple(found[name] for name in sorted(found)), tuple(faults))


def _flaws(document: Document, sites: Sites) -> list[Flaw]:
    name = document.table.get("site")
    site = sites.get(name) if isinstance(name, str) else None
    found = []
    if site is None:
        wrong = "is missing" if name is None else f"= {short(name)} is no site that is known"
        found = [Flaw(("site",), wrong, "write the id of a site; musee sites list shows them")]
    return found + calendars.flaws(document.table, (), site)
