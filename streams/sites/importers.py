"""Sites from public lists: all musées de France (Muséofile), the national monuments.

A file goes in; sites come out, with every line that could not be read and a remark for each thing that the list
leaves open. Imported sites are live: their clock is the wall's. Called by ``cli.sites``.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from streams.core.sites import Site
from streams.sites import departments, layout, lists
from streams.sites.departments import Department, slug

MUSEOFILE_COLUMNS = (
    "ref", "nomoff", "autnom", "ville_m", "dpt", "cp_m", "latitude", "longitude", "categ", "themes", "dompal",
)  # fmt: skip
MONUMENT_COLUMNS = (
    "nom_de_l_etablissement", "libelle_geographique_commune", "departement", "code_insee_departement",
)  # fmt: skip
_MUSEOFILE_SOURCE = "Ministère de la Culture, Muséofile, Licence Ouverte 2.0"
_MONUMENTS_SOURCE = "Ministère de la Culture, Centre des monuments nationaux, Fréquentation, Licence Ouverte"
_LISTED = (
    "name", "time_zone", "place", "department", "region", "latitude", "longitude", "category", "themes", "reference",
    "source",
)  # fmt: skip
_LONGEST_ID = 80
_DEGREES = re.compile(r"-?\d{1,3}(\.\d+)?")
_REF = re.compile(r"M\d{1,6}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Unread:
    """A record that gives no site: its first and last line, and why."""

    line: int
    end: int
    reason: str


@dataclass(slots=True)
class Imported:
    """What a list says.

    Attributes:
        sites: in the list's order.
        unread: records that give no site.
        remarks: sentences on what the list leaves open, each naming whom it concerns.
    """

    sites: list[Site] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def zones(self) -> dict[str, int]:
        """Time zone → sites, most first."""
        return dict(Counter(site.time_zone for site in self.sites).most_common())

    @property
    def overseas(self) -> int:
        """Sites outside Europe."""
        return sum(site.time_zone != departments.MAINLAND_ZONE for site in self.sites)


class _Unreadable(Exception):  # noqa: N818 - told in the summary, never leaves this module
    """A record gives no site; the message says why."""


def museum_id(ref: str) -> str:
    """The site of a museum by its Muséofile reference: ``M0003`` is ``m0003``."""
    return ref.strip().lower()


def monument_id(name: str, commune: str) -> str:
    """The site of a monument by name and commune, since names such as "Abbaye" say little.

    A commune that the name holds already is not said again; at most 80 characters, the name cut between words.
    """
    called, where = slug(name), slug(commune)
    said = f"-{where}-" in f"-{called}-"
    end = "" if said else f"-{_cut(where, _LONGEST_ID // 2)}"
    return _cut(called, _LONGEST_ID - len(end)) + end


def merged(site: Site, known: Site | None) -> Site:
    """An imported site beside the one that is known already.

    What the list says holds; what it does not say stays: organisation, hours, capacity, zones, gates, handles, note,
    and whether the site is simulated or replayed, so that figures made up yesterday are not shown as true ones today.
    """
    if known is None:
        return site
    listed = {name: getattr(site, name) for name in _LISTED}
    return replace(known, **{name: value for name, value in listed.items() if value not in (None, ())})


def museofile(path: Path) -> Imported:
    """The musées de France of a Muséofile export (CSV, ``;``, plain or gzip), one site each.

    The département decides on region and time zone: the list's own region is blank, ``DROM`` or ``COM`` for some
    museums overseas. A name that the list leaves out is made from category and place, and said in the remarks.

    Raises:
        lists.ListError: the file is not of this layout.
    """
    unnamed: list[str] = []
    elsewhere: list[str] = []
    unplaced: list[str] = []

    def museum(row: Mapping[str, str]) -> dict[str, Any]:
        if not _REF.fullmatch(row["ref"]):
            raise _Unreadable(f"ref = {row['ref']!r} is no Muséofile reference")
        where = _department(row["dpt"], row["cp_m"])
        posted = departments.by_postcode(row["cp_m"])
        if posted not in (None, where):
            elsewhere.append(f"{row['ref']} ({row['cp_m']}, {row['dpt']})")
        if not row["latitude"] and not row["longitude"]:
            unplaced.append(row["ref"])
        name = row["nomoff"] or row["autnom"]
        if not name:
            name = f"{row['categ'] or 'Musée'} ({row['ville_m']})"
            unnamed.append(f"{row['ref']} “{name}”")
        return {
            "id": museum_id(row["ref"]),
            # Pseudonyms are made per organisation: with one for all, visitors could be followed from house to house.
            "org": museum_id(row["ref"]),
            "name": name,
            "place": row["ville_m"],
            "latitude": _degrees("latitude", row["latitude"]),
            "longitude": _degrees("longitude", row["longitude"]),
            "category": row["categ"].rstrip(" ."),
            "themes": _listed(row["themes"]) or _listed(row["dompal"]),
            "reference": f"museofile:{row['ref'].upper()}",
            "source": _MUSEOFILE_SOURCE,
            **_of(where),
        }

    found = _read(lists.rows(path, separator=";", columns=MUSEOFILE_COLUMNS), museum)
    _remark(found, unnamed, "without a name in the list, called by category and place")
    _remark(found, elsewhere, "whose postcode belongs to another département; the département's name holds")
    _remark(found, unplaced, "without coordinates")
    return found


def monuments(path: Path) -> Imported:
    """The national monuments of a yearly attendance table (CSV, ``,``): one site per name and commune.

    The table has a row per year and monument, and no coordinates. Figures are left where they are.

    Raises:
        lists.ListError: the file is not of this layout.
    """

    def monument(row: Mapping[str, str]) -> dict[str, Any]:
        name, commune = row["nom_de_l_etablissement"], row["libelle_geographique_commune"]
        if not slug(name) or not slug(commune):
            raise _Unreadable("no name or no commune")
        where = departments.by_code(row["code_insee_departement"])
        if where is None:
            given = row["code_insee_departement"]
            raise _Unreadable(f"code_insee_departement = {given!r} is no département")
        return {
            "id": monument_id(name, commune),
            "org": "centre-des-monuments-nationaux",
            "name": name,
            "place": commune,
            "category": "Monument national",
            "source": _MONUMENTS_SOURCE,
            **_of(where),
        }

    found = _read(lists.rows(path, separator=",", columns=MONUMENT_COLUMNS), monument, again=True)
    if found.sites:
        found.remarks.append(f"no coordinates: the list has none, so all {len(found.sites)} are left off maps")
    return found


def _read(
    rows: Iterator[lists.Row], described: Callable[[Mapping[str, str]], dict[str, Any]], *, again: bool = False
) -> Imported:
    """Sites of ``rows``; a site that stands twice is read once if ``again``, unreadable otherwise."""
    found = Imported()
    first: dict[str, tuple[int, Site]] = {}
    for row in rows:
        try:
            if row.fault is not None:
                raise _Unreadable(row.fault)
            site = _site(described(row.fields))
            line, known = first.setdefault(site.site_id, (row.line, site))
            if known is not site and (
                not again or (slug(known.name), known.department) != (slug(site.name), site.department)
            ):
                raise _Unreadable(f"{site.site_id} stands on line {line} already")
        except _Unreadable as reason:
            found.unread.append(Unread(row.line, row.end, str(reason)))
            continue
        if known is site:
            found.sites.append(site)
    return found


def _site(said: dict[str, Any]) -> Site:
    table = {key: value for key, value in said.items() if value not in ("", None, [])}
    flaws = layout.flaws(table)
    if flaws:
        raise _Unreadable("; ".join(f"{flaw.key} {flaw.wrong}" for flaw in flaws))
    return layout.site(table)


def _department(name: str, postcode: str) -> Department:
    found = departments.by_name(name) if name else departments.by_postcode(postcode)
    if found is None:
        raise _Unreadable(f"dpt = {name!r}, cp_m = {postcode!r} name no département")
    return found


def _of(where: Department) -> dict[str, str]:
    return {"department": where.code, "region": where.region, "time_zone": where.time_zone}


def _degrees(name: str, text: str) -> float | None:
    if text and not _DEGREES.fullmatch(text):
        raise _Unreadable(f"{name} = {text!r} is no number of degrees")
    return float(text) if text else None


def _cut(text: str, longest: int) -> str:
    """A slug of at most ``longest`` characters, cut between words where it has any."""
    if len(text) <= longest:
        return text
    return (text[: longest + 1].rpartition("-")[0] or text)[:longest]


def _listed(text: str) -> list[str]:
    """Items between semicolons, each once."""
    return list(dict.fromkeys(item for item in (part.strip() for part in text.split(";")) if item))


def _remark(found: Imported, whom: list[str], what: str) -> None:
    if whom:
        found.remarks.append(f"{len(whom)} {what}: {', '.join(whom[:20])}{' …' if len(whom) > 20 else ''}")
