"""What a site's file says, as every program sees it.

Read from the ``site`` topic by ``adapters.site_topic``, written to it by ``sites.files``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

ERROR_SHARE = 0.02  # of a gate of which nobody knows better


@dataclass(frozen=True, slots=True)
class Zone:
    """A room or area inside a site."""

    zone_id: str
    name: str
    capacity: int | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """A door, turnstile or reader, and the zone that it opens into.

    ``error_share`` is how far its counts may be off, ``None`` for the site's: see ``core.occupancy``.
    """

    gate_id: str
    name: str
    zone_id: str | None = None
    error_share: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A floor's plan, whose shapes say which zone they are: see ``core.plans``.

    Attributes:
        level: 0 is the ground floor.
        name: of the floor, as people say it; ``name_fr`` the same in French, ``None`` if it is the same.
        svg: the drawing, held to the rules of ``core.plans``; whoever shows it reads it by them once more.
    """

    level: int
    name: str
    svg: str
    name_fr: str | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """A museum or monument.

    Attributes:
        business_day_end_hour: local hour 0–12 at which the site's day ends.
        capacity: people allowed inside at once, ``None`` if nobody said.
        replay: the site runs on its events' clock and may be sent recordings.
        simulated: everything it sends was made up by a program; every page that shows it says so.
        place: town or commune.
        department: French département by its INSEE code, e.g. ``75``, ``2A``, ``974``.
        latitude, longitude: WGS 84 degrees, both or none.
        category: kind of house, in the words of the list it comes from; ``themes`` likewise.
        handles: its accounts on social networks, lower case, without ``@``: a post that names one counts here.
        reference: identity in a public list, e.g. ``museofile:M5031``.
        source: where the description comes from, with its licence.
        error_share: share of those who pass a gate that it misses or doubles, one standard deviation, 0 to 0.5; for
            gates that have none of their own.
        expected_gap_min: minutes without a sign of life that are normal, ``None`` if nobody said: ``core.silence``.
        plans: of its floors, lowest first.
    """

    site_id: str
    org_id: str
    name: str
    time_zone: str
    business_day_end_hour: int = 0
    capacity: int | None = None
    zones: tuple[Zone, ...] = ()
    gates: tuple[Gate, ...] = ()
    replay: bool = False
    note: str | None = None
    simulated: bool = False
    place: str | None = None
    department: str | None = None
    region: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    category: str | None = None
    themes: tuple[str, ...] = ()
    handles: tuple[str, ...] = ()
    reference: str | None = None
    source: str | None = None
    error_share: float = ERROR_SHARE
    expected_gap_min: int | None = None
    plans: tuple[Plan, ...] = ()


Sites = Mapping[str, Site]
