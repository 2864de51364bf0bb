"""The network by département: sums over the sites of each, for ``/map`` and ``/v1/map``.

A site without a French département is counted apart: ``abroad`` if its clock is not one of France's, else ``unplaced``.
Every site is in one area, so the areas' sums are the network's. Pure. The page's script sums in the same way
(``static/map.js``). Used by ``console.pages.map``.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from streams.console.documents import Now, Site, State
from streams.core import now as present
from streams.sites import departments

Kind = Literal["department", "abroad", "unplaced"]
ABROAD: Literal["abroad"] = "abroad"
UNPLACED: Literal["unplaced"] = "unplaced"
_APART: tuple[Kind, ...] = (ABROAD, UNPLACED)
ZONES = frozenset(one.time_zone for one in departments.every())
STEPS = (0, 1, 100, 500, 2_000, 10_000)  # people inside from which a shape is filled more


class Area(msgspec.Struct, frozen=True):
    """A département or an overseas collectivity, or the sites that are in none.

    Attributes:
        code: by Insee, or ``abroad`` or ``unplaced``.
        name, region: ``None`` of the latter two: they have different names in different languages.
        overseas: whether it lies outside Europe.
        sites_known, sites_heard: sites that a file describes, and those of them that were ever heard.
        inside, entries: of those heard.
        capacity: of the sites heard that say one; ``inside_of_capacity`` are the people inside those.
        simulated: sites heard that were made up by a program.
        confirmed_ms, received_ms: of the site whose figures are oldest, and of the one not heard for longest; ``state``
            follows from both. Where no site was heard there is nothing to be old: ``quiet``, and ``None``.
    """

    code: str
    kind: Kind
    name: str | None
    region: str | None
    overseas: bool
    sites_known: int
    sites_heard: int
    inside: int
    entries: int
    capacity: int
    inside_of_capacity: int
    simulated: int
    confirmed_ms: int | None
    received_ms: int | None
    state: State

    @property
    def site_id(self) -> str:
        """What its figures are called on the page, where they are painted as a site's are; no site's id has a colon."""
        return f"area:{self.code}"

    @property
    def step(self) -> int | str:
        """How far its shape is filled, 0 to 5; empty where no site was heard."""
        return sum(self.inside >= least for least in STEPS[1:]) if self.sites_heard else ""


def area_of(site: Site) -> str:
    """The code of the area that a site is in."""
    if site.department is not None and departments.by_code(site.department) is not None:
        return site.department
    # Etc/UTC and the like say nothing of a place.
    nowhere = "/" not in site.time_zone or site.time_zone.startswith("Etc/")
    return UNPLACED if nowhere or site.time_zone in ZONES else ABROAD


def areas(now: Now) -> list[Area]:
    """All départements by code, those without a site too, then ``abroad`` and ``unplaced``."""
    by_code: dict[str, list[Site]] = {}
    for site in now.sites:
        by_code.setdefault(area_of(site), []).append(site)
    told = [_area(one.code, "department", by_code.get(one.code, ()), now.now_ms, one) for one in departments.every()]
    return told + [_area(kind, kind, by_code.get(kind, ()), now.now_ms) for kind in _APART]


def busiest(some: Iterable[Area]) -> list[Area]:
    """Those with known sites, most people first; where none was heard last."""
    known = [one for one in some if one.sites_known]
    return sorted(known, key=lambda one: (one.sites_heard == 0, -one.inside, -one.sites_heard, one.code))


def sites_in(code: str, now: Now) -> list[Site]:
    """The known sites of an area, most people first; those never heard last, by name."""
    found = [site for site in now.sites if area_of(site) == code]
    return sorted(found, key=lambda site: (not site.heard, -site.inside, site.name.casefold(), site.site_id))


def _area(
    code: str, kind: Kind, sites: Sequence[Site], now_ms: int, about: departments.Department | None = None
) -> Area:
    heard = [site for site in sites if site.heard]
    roomy = [site for site in heard if site.capacity is not None]
    counted = [site.confirmed_ms for site in heard]
    confirmed_ms = None if None in counted else min((one for one in counted if one is not None), default=None)
    received_ms = min((site.received_ms for site in heard if site.received_ms is not None), default=None)
    rebuilding = any(site.state == "rebuilding" for site in heard)
    return Area(
        code=code,
        kind=kind,
        name=about.name if about else None,
        region=about.region if about else None,
        overseas=about.overseas if about else False,
        sites_known=len(sites),
        sites_heard=len(heard),
        inside=sum(site.inside for site in heard),
        entries=sum(site.entries for site in heard),
        capacity=sum(site.capacity or 0 for site in roomy),
        inside_of_capacity=sum(site.inside for site in roomy),
        simulated=sum(site.simulated for site in heard),
        confirmed_ms=confirmed_ms,
        received_ms=received_ms,
        state=present.state(now_ms, confirmed_ms, received_ms, rebuilding=rebuilding) if heard else "quiet",
    )
