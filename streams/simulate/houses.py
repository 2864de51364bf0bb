"""Floor plans of the demo's museums: one drawn house for all, its rooms open as far as a museum has zones.

Name and place of these museums are real, their plans are not, and the site says so. Used by ``simulate.demo`` alone: a
network of a thousand sites would carry a thousand times the same drawing.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path

from streams import package_data
from streams.core import plans
from streams.core.plans import Drawing
from streams.core.sites import Plan, Site
from streams.errors import StreamsError

NOTE = "Name and place are real, the floor plan is not."
_FLOORS = (
    (0, "Ground floor", "Rez-de-chaussée", "house-ground.svg"),
    (1, "First floor", "1er étage", "house-first.svg"),
)


@cache
def _drawing(path: Path) -> Drawing:
    drawing, faults = plans.read(path.read_bytes())
    if drawing is None:
        raise StreamsError(f"{path}: {faults[0].wrong}")
    return drawing


def furnished(site: Site) -> Site:
    """A simulated museum with the plans of its floors; the upper one only if it has zones there."""
    zones = [zone.zone_id for zone in site.zones]
    folder = package_data.folder("sites") / "plans"
    floors = []
    for level, name, name_fr, file in _FLOORS:
        drawing = plans.only(_drawing(folder / file), zones)
        if drawing.zones:
            floors.append(Plan(level, name, drawing.svg, name_fr))
    return replace(site, plans=tuple(floors), note=NOTE)
