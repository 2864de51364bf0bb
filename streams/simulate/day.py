"""A believable day of one site: everything that happens there, in the order in which it happens.

Pure: place, day and seed in, events out; a site's day is the same whatever the number of sites. Used by
``simulate.plan`` and ``simulate.demo``.
"""

from collections import Counter
from collections.abc import Callable, Collection
from datetime import date

from streams.core.sites import Site
from streams.simulate import machines, rhythm, rooms, visits
from streams.simulate.events import Bench, Event, at_minute
from streams.simulate.reference import Place

_BY_VISITS: tuple[Callable[[Bench, list[visits.Visit]], None], ...] = (
    visits.scans,
    rooms.positions,
    rooms.actions,
    rooms.guestbook,
    rooms.posts,
)
FAMILIES = (
    "ticket-scan",
    "position-update",
    "visitor-action",
    "guestbook-entry",
    "social-post",
    "device-status",
    "web-traffic",
)


def bench(place: Place, site: Site, day: date, seed: int) -> Bench:
    """An empty day: who comes and when it is open."""
    zone = place.time_zone
    stretches = [
        (at_minute(day, zone, first), at_minute(day, zone, last)) for first, last in rhythm.rhythm(place).hours(day)
    ]
    return Bench(place, site, day, seed, rhythm.visitors(place, day, seed), stretches)


def events(place: Place, site: Site, day: date, seed: int, families: Collection[str] = FAMILIES) -> list[Event]:
    """The day of a site.

    Args:
        place: what the site plays.
        site: with its gates, zones and account.
        day: local date.
        seed: of the run.
        families: others are left out; those that stay are not changed by that.

    Returns:
        By event time; machines number theirs from 0 each day (``seq``).
    """
    made = bench(place, site, day, seed)
    parties = visits.visits(made)
    for part in _BY_VISITS:
        part(made, parties)
    machines.status(made)
    machines.web(made)
    numbers: Counter[str] = Counter()
    for event in sorted(made.events, key=lambda one: (one.at_ms, one.event_id)):
        device = event.data.get("device_id")
        if isinstance(device, str):
            event.data["seq"] = numbers[device]
            numbers[device] += 1
    return sorted((one for one in made.events if one.family in families), key=lambda one: (one.at_ms, one.event_id))
