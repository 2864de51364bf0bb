"""A simulated event, and the workbench on which a site's day is made.

Pure. Ids are UUIDv5 of site, day and running number, so the same day always has the same. Used by the modules that make
events and by ``simulate.trouble``, ``simulate.truth`` and ``simulate.send``.
"""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from random import Random
from typing import NamedTuple
from zoneinfo import ZoneInfo

from streams.core.sites import Site
from streams.simulate import chance
from streams.simulate.reference import Place

_NAMESPACE = uuid.UUID("2d5c1a0e-7f0b-5e43-8d8b-73696d756c61")
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
Data = dict[str, object]


class Event(NamedTuple):
    """One fact.

    Attributes:
        family: e.g. ``ticket-scan``.
        site_id: where it happened, also if ``data`` leaves it to the gateway to find out.
        event_id: a UUID.
        at_ms: event time, epoch ms UTC.
        data: what a device says beside its time.
    """

    family: str
    site_id: str
    event_id: str
    at_ms: int
    data: Data


@lru_cache(maxsize=4096)
def at_minute(day: date, zone: str, minute: int) -> int:
    """Epoch ms of a minute on the wall clock of ``zone``, counted from local midnight; from 1440 on it is tomorrow."""
    wall = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)
    return round(wall.replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def day_bounds(day: date, zone: str) -> tuple[int, int]:
    """``[start_ms, end_ms)`` of a local day: 24 hours, or 23 or 25 when the clocks change."""
    return at_minute(day, zone, 0), at_minute(day, zone, 24 * 60)


def minute_name(at_ms: int) -> str:
    """``2026-11-24T09:31``, UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M")


def rfc3339(at_ms: int) -> str:
    """An instant as a device writes it, UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


@dataclass(slots=True)
class Bench:
    """Where a site's day is made.

    Attributes:
        place, site, day: whose and which.
        seed: of the run; with ``chance`` it makes every part of the day independent of the others and of other sites.
        visitors: people who come.
        stretches: when the doors are open, epoch ms.
        events: what was made so far.
    """

    place: Place
    site: Site
    day: date
    seed: int
    visitors: int
    stretches: list[tuple[int, int]]
    events: list[Event] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)

    def chance(self, purpose: str) -> Random:
        """A generator of its own for each purpose."""
        return chance.of(self.seed, self.day, self.place.ref, purpose)

    def add(self, family: str, at_ms: int, data: Data, *, placed: bool = True) -> Event:
        """Make an event; ``placed`` says the site in its data."""
        number = self._numbers.get(family, 0)
        self._numbers[family] = number + 1
        event_id = str(uuid.uuid5(_NAMESPACE, f"{self.site.site_id}|{self.day}|{family}|{number}"))
        told = {"site_id": self.site.site_id, **data} if placed else data
        event = Event(family, self.site.site_id, event_id, at_ms, told)
        self.events.append(event)
        return event


def some(mean: float, luck: Random) -> int:
    """A whole number around ``mean`` that is right on average."""
    return int(mean + luck.random())
