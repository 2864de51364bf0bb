"""The sites of a simulated network: what the files of these museums would say.

Pure. A place becomes a site with gates and zones by its size; its id carries the run's tag, so that two seeds on one
stack never share a count, and none ever mixes with a real site. Used by ``simulate.plan`` and ``simulate.demo``.
"""

import math
from datetime import date

from streams.core.sites import Gate, Site, Zone
from streams.simulate import rhythm
from streams.simulate.reference import Place

ORG = "simulated"
NOTE = "Name and place are real."
_SOURCE = "Ministère de la Culture ({}), Licence Ouverte 2.0"
_GATE_NAMES = ("Main entrance", "Side entrance", "Group entrance", "Garden gate", "Shop exit", "North entrance")
_GATE_IDS = ("main", "side", "groups", "garden", "shop", "north")
_GATE_STEPS = (0, 250, 900, 2_500, 6_000, 12_000)  # visits on the busiest day from which there is one gate more
_ZONE_STEPS = (0, 0, 5_000, 15_000, 50_000, 150_000, 400_000, 1_000_000)  # visits a year, likewise
# Share of a day's people who are inside at its fullest moment: eight open hours, an hour's stay, two humps.
_FULLEST_SHARE = 0.25


def tag(seed: int, *, in_order: bool = False) -> str:
    """What the ids of a seed's sites begin with, without the hyphen; those that it plays in order have their own."""
    return f"sim{seed}o" if in_order else f"sim{seed}"


def site_id(place: Place, run_tag: str) -> str:
    """Id of the site that plays a place."""
    return f"{run_tag}-{place.ref}"


def handle(place: Place, run_tag: str) -> str:
    """Account on social networks that only posts of this run name."""
    return site_id(place, run_tag).replace("-", "_")


def gates(place: Place, year: int) -> tuple[Gate, ...]:
    """One to six gates, all opening into the hall."""
    peak = rhythm.busiest(place, year)
    count = sum(peak >= step for step in _GATE_STEPS)
    return tuple(Gate(_GATE_IDS[n], _GATE_NAMES[n], "hall") for n in range(count))


def zones(place: Place) -> tuple[Zone, ...]:
    """Two to eight zones: the hall and rooms."""
    count = sum(place.yearly_total >= step for step in _ZONE_STEPS)
    return (Zone("hall", "Hall"), *(Zone(f"room-{n}", f"Room {n}") for n in range(1, count)))


def capacity(place: Place, year: int) -> int:
    """People allowed inside: what the busiest day needs at its fullest, in tens."""
    return max(30, math.ceil(rhythm.busiest(place, year) * _FULLEST_SHARE * 1.1 / 10) * 10)


def simulated(place: Place, run_tag: str, day: date) -> Site:
    """The site that plays a place."""
    return Site(
        site_id=site_id(place, run_tag),
        org_id=ORG,
        name=place.name,
        time_zone=place.time_zone,
        capacity=capacity(place, day.year),
        zones=zones(place),
        gates=gates(place, day.year),
        replay=True,
        simulated=True,
        note=NOTE,
        place=place.place or None,
        department=place.department,
        region=place.region or None,
        latitude=place.latitude,
        longitude=place.longitude,
        category=place.category or None,
        themes=place.themes,
        handles=(handle(place, run_tag),),
        reference=f"{'monument' if place.monument else 'museofile'}:{_reference(place)}",
        source=_SOURCE.format("Centre des monuments nationaux" if place.monument else "Muséofile"),
    )


def _reference(place: Place) -> str:
    return place.ref if place.monument else place.ref.upper()
