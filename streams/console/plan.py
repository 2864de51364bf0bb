"""A site's floors as the page shows them: each zone with its figure, how full it is, and where its number stands.

A zone into which gates open has a headcount, the people in it; another has sessions, the guides or phones seen in it in
one minute. These are two different figures: a zone shows the first where there is one, else the second, and says which.
Only a headcount with a capacity has a share. Where plans and zones do not match, there is no plan: a room that is not
drawn would look as if nobody were in it. Used by ``console.pages``; ``static/plan.js`` keeps the same bands.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import quote, urlencode

from starlette.requests import Request

from streams.console import documents, i18n
from streams.console.shell import Parts
from streams.core import plan_places, plans
from streams.core.plan_places import Place
from streams.core.plans import Differing, Drawing, Node
from streams.core.sites import Plan, Site

SHARES = (25, 50, 85, 100)  # per cent of capacity from which on a band is the next one; 85 and 100 raise alerts too
SESSIONS = (5, 20)  # sessions likewise: absolute, so that one room's colour does not hang on another's
_KEPT = ("lang", "grain", "floor", "zone")  # parts of the address that the page's own links keep
_WIDE, _HIGH = 150, 100  # a box of this size, of a drawing 1,000 wide, has room for a large number

Kind = Literal["headcount", "sessions", "none"]


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone as it stands on a plan.

    Attributes:
        value: people, or sessions in one minute; ``None`` if nobody counts it.
        low, high: bounds of a headcount.
        percent: of its capacity, rounded down; ``None`` where it is no share.
        band: 0 nobody, then fuller and fuller up to 5, over capacity.
        place: where its number stands; ``None`` if it is on another floor.
        level: the floor that it is on, ``None`` if it is on none.
    """

    zone_id: str
    name: str
    kind: Kind
    value: int | None
    capacity: int | None
    low: int
    high: int
    percent: int | None
    band: int
    place: Place | None
    level: int | None

    @property
    def room(self) -> Literal["large", "small"]:
        """How large its number may be."""
        return "large" if self.place and self.place.width >= _WIDE and self.place.height >= _HIGH else "small"

    @property
    def named(self) -> bool:
        """Whether its name fits above its number: some 12 units a letter."""
        return self.place is not None and self.place.height >= _HIGH and len(self.name) * 12 <= self.place.width


@dataclass(frozen=True, slots=True)
class Floor:
    """One of the floors, ``href`` opens it."""

    level: int
    name: str
    href: str
    current: bool


@dataclass(frozen=True, slots=True)
class PlanView:
    """What the template of a plan needs.

    Attributes:
        root: the drawing of the floor that is shown.
        height: of the drawing when it is 1,000 wide.
        transform: what brings its own units to that scale; ``unit`` is one of that scale in its own.
        zones: of the whole site, by id.
        chosen: the zone whose panel is open.
        differing: where plans and zones do not match; then nothing of the drawing is to be shown.
        damaged: a drawing of the topic is none.
    """

    floors: Sequence[Floor]
    root: Node | None
    height: float
    transform: str
    unit: float
    zones: Mapping[str, Zone]
    chosen: Zone | None
    differing: Differing
    damaged: bool
    _page: str
    _kept: Mapping[str, str]

    @property
    def shown(self) -> bool:
        """Whether there is a drawing to show."""
        return self.root is not None and not self.differing and not self.damaged

    @property
    def here(self) -> list[Zone]:
        """Zones of the floor that is shown."""
        return [zone for zone in self.zones.values() if zone.place is not None]

    @property
    def kinds(self) -> set[Kind]:
        """Which kinds of figures stand on the floor that is shown."""
        return {zone.kind for zone in self.here}

    @property
    def has_shares(self) -> bool:
        """Whether any zone of the floor that is shown has a share of its capacity."""
        return any(zone.percent is not None for zone in self.here)

    def href(self, zone: Zone | None) -> str:
        """What opens a zone's panel, or closes it."""
        floor = next((one.level for one in self.floors if one.current), None) if zone is None else zone.level
        return self._page + _query({**self._kept, "floor": floor, "zone": None if zone is None else zone.zone_id})


def of(parts: Parts, now: documents.Site, request: Request) -> PlanView | None:
    """The plan of a site for whoever asks; ``None`` if there is none, or the site was taken away meanwhile."""
    try:
        described = parts.feed.site(now.site_id)
    except KeyError:
        return None
    try:
        language = i18n.of(request).code
    except i18n.UnknownLanguageError:
        language = i18n.SOURCE
    return view(described, now, request.query_params, language)


def here(request: Request, **changes: object) -> str:
    """The query of a page's own address with some of it changed; ``None`` takes a part out."""
    kept = {name: request.query_params[name] for name in _KEPT if name in request.query_params}
    return _query({**kept, **changes})


def _query(told: Mapping[str, object]) -> str:
    said = {name: value for name, value in told.items() if value is not None}
    return f"?{urlencode(said)}"


def band(kind: Kind, value: int | None, capacity: int | None) -> int:
    """How full a zone is, from 0 to 5; a headcount without a capacity is 1 as soon as somebody is there."""
    if not value or value < 0:
        return 0
    if kind == "sessions":
        return 1 + bisect_right(SESSIONS, value)
    return 1 if capacity is None else 1 + bisect_right(SHARES, 100 * value // capacity)


def view(described: Site, now: documents.Site, query: Mapping[str, str], lang: str = "en") -> PlanView | None:
    """The plan of a site, ``None`` if its file names none.

    Args:
        described: its file.
        now: its figures.
        query: of the page's address: ``floor`` and ``zone`` choose, nonsense chooses the ground floor and no zone;
            ``grain`` and ``lang`` are kept in the links.
        lang: in which the floors are named.
    """
    if not described.plans:
        return None
    drawings = [_drawing(plan.svg) for plan in described.plans]
    sound = [one for one in drawings if one is not None]
    floors = list(zip(described.plans, drawings, strict=True))
    at = _chosen_floor(floors, query)
    drawing = drawings[at]
    on = {zone: plan.level for plan, one in reversed(floors) if one is not None for zone in one.zones}
    zones = _zones(described, now, plan_places.places(drawing) if drawing else {}, on, described.plans[at].level)
    kept = {name: query[name] for name in ("lang", "grain") if name in query}
    page = f"/site/{quote(described.site_id, safe='')}"
    names = [zone.zone_id for zone in described.zones]
    return PlanView(
        floors=[
            Floor(
                plan.level,
                (plan.name_fr if lang == "fr" and plan.name_fr else plan.name),
                page + _query({**kept, "floor": plan.level}),
                place == at,
            )
            for place, plan in enumerate(described.plans)
        ],
        root=drawing.root if drawing else None,
        height=round(plan_places.height(drawing), 1) if drawing else 0,
        transform=plan_places.transform(drawing) if drawing else "",
        unit=round(drawing.view[2] / plan_places.WIDTH, 4) if drawing else 1,
        zones=zones,
        chosen=zones.get(query.get("zone", "")),
        differing=plans.differing(sound, names) if len(sound) == len(drawings) else Differing((), ()),
        damaged=len(sound) < len(drawings),
        _page=page,
        _kept=kept,
    )


@lru_cache(maxsize=512)
def _drawing(svg: str) -> Drawing | None:
    """Judged here too: anybody with access to Kafka can write to the topic."""
    return plans.read(svg.encode())[0]


def _chosen_floor(floors: Sequence[tuple[Plan, Drawing | None]], query: Mapping[str, str]) -> int:
    """Place of the floor that is asked for, of the one with the zone that is asked for, or of the ground floor."""
    levels = [plan.level for plan, _ in floors]
    asked = query.get("floor", "")
    for place, level in enumerate(levels):
        if asked == str(level):
            return place
    for place, (_, drawing) in enumerate(floors):
        if drawing is not None and query.get("zone") in drawing.zones:
            return place
    return next((place for place, level in enumerate(levels) if level >= 0), 0)


def _zones(
    described: Site, now: documents.Site, places: Mapping[str, Place], on: Mapping[str, int], floor: int
) -> dict[str, Zone]:
    levels = {one.zone_id: one for one in now.levels}
    sessions = {one.zone_id: one.sessions for one in now.zones}
    found = {}
    for zone in described.zones:
        headcount = levels.get(zone.zone_id)
        kind: Kind = "headcount" if headcount else "sessions" if zone.zone_id in sessions else "none"
        value = headcount.inside if headcount else sessions.get(zone.zone_id)
        capacity = zone.capacity
        place = places.get(zone.zone_id)
        found[zone.zone_id] = Zone(
            zone_id=zone.zone_id,
            name=zone.name,
            kind=kind,
            value=value,
            capacity=capacity,
            low=headcount.inside_low if headcount else 0,
            high=headcount.inside_high if headcount else 0,
            percent=100 * value // capacity if headcount and value is not None and capacity else None,
            band=band(kind, value, capacity),
            place=place,
            level=floor if place else on.get(zone.zone_id),
        )
    return found
