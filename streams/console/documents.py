"""The shapes of what the feed tells: ``/v1/now`` and ``/v1/day``, typed for the first paint, and how sites get there.

Times are epoch ms, UTC. The feed hands out plain documents; ``read_now`` and ``read_day`` check them on the way in.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from streams.console.alerts import Count, Shown
from streams.console.reading import Figures
from streams.core import now as present
from streams.core import occupancy, today
from streams.core.days import MINUTE_MS
from streams.core.grains import Status
from streams.core.partitions import partition_of
from streams.topology import PARTITIONS

State = present.State


class Gate(msgspec.Struct, frozen=True):
    """Today's counts of one gate."""

    gate_id: str
    name: str
    entries: int
    exits: int
    denied: int


class Voice(msgspec.Struct, frozen=True):
    """What visitors wrote today; ``mean_rating`` is of those who gave one, ``None`` if nobody did."""

    entries: int = 0
    ratings: int = 0
    mean_rating: float | None = None
    posts: int = 0


class Web(msgspec.Struct, frozen=True):
    """What the site's web server counted today."""

    page_views: int = 0


class Zone(msgspec.Struct, frozen=True):
    """Distinct sessions in a zone in the minute ``zones_ms`` of its site."""

    zone_id: str
    name: str
    sessions: int


class Device(msgspec.Struct, frozen=True):
    """Last sign of life of a machine, by its own clock and by the gateway's."""

    device_id: str
    occurred_ms: int | None
    received_ms: int | None


class Level(msgspec.Struct, frozen=True):
    """People in a zone that gates open into, as ``Site`` says it of the whole."""

    zone_id: str
    name: str
    capacity: int | None
    inside: int
    inside_low: int
    inside_high: int
    inside_raw: int
    drift: int


class Site(msgspec.Struct, frozen=True):
    """One site as it stands; ``occurred_ms`` is on the site's own clock, the other times on the wall's.

    ``inside`` is corrected and never below zero, ``drift`` is how far below it would be; ``inside_low`` and
    ``inside_high`` bound it, ``inside_raw`` is what the gates counted. ``tickets`` are distinct ones, within 2 %.
    """

    site_id: str
    name: str
    time_zone: str
    replay: bool
    partition: int
    business_day: str
    inside: int
    entries: int
    exits: int
    denied: int
    state: State
    tickets: int = 0
    simulated: bool = False
    place: str | None = None
    department: str | None = None
    note: str | None = None
    capacity: int | None = None
    drift: int = 0
    inside_low: int = 0
    inside_high: int = 0
    inside_raw: int = 0
    levels: tuple[Level, ...] = ()
    floors: tuple[int, ...] = ()
    occurred_ms: int | None = None
    received_ms: int | None = None
    confirmed_ms: int | None = None
    gates: tuple[Gate, ...] = ()
    voice: Voice = Voice()
    actions: int = 0
    web: Web = Web()
    zones_ms: int | None = None
    zones: tuple[Zone, ...] = ()
    devices: tuple[Device, ...] = ()
    alerts: tuple[Shown, ...] = ()

    @property
    def heard(self) -> bool:
        """Whether it ever said anything."""
        return self.received_ms is not None


class Played(msgspec.Struct, frozen=True):
    """The part of the network's sums that nobody caused today: replayed sites, of these ``simulated`` made up."""

    sites: int
    inside: int
    entries: int
    simulated: int = 0


class Network(msgspec.Struct, frozen=True):
    """Sums over all sites that were ever heard; as old as the oldest of them."""

    sites_known: int
    sites_heard: int
    inside: int
    entries: int
    exits: int
    played: Played
    state: State
    confirmed_ms: int | None = None
    received_ms: int | None = None
    alerts: Count = Count()

    @property
    def site_id(self) -> str:
        """On the page the network is a site without an id."""
        return ""


class Pipeline(msgspec.Struct, frozen=True):
    """Whether anything is counted at all, and what is away."""

    state: Literal["live", "stale", "rebuilding"]
    confirmed_ms: int | None
    missing: tuple[str, ...] = ()


class Rebuilding(msgspec.Struct, frozen=True):
    """How far lost live state is counted again from Kafka, see ``core.rebuilding.Progress``."""

    from_ms: int
    to_ms: int
    since_ms: int
    share: float
    records_left: int
    partitions: tuple[int, ...]


class Now(msgspec.Struct, frozen=True):
    """The document of ``/v1/now``; ``rebuilding`` is ``None`` unless something is."""

    now_ms: int
    stale_after_ms: int
    pipeline: Pipeline
    network: Network
    sites: tuple[Site, ...]
    rebuilding: Rebuilding | None = None


class Bin(msgspec.Struct, frozen=True):
    """A quarter of an hour, or an hour: who passed in it, and people inside at its end.

    ``status`` is how far a quarter is settled, ``None`` where nobody says; ``revision`` the number of what was said of
    it last, ``None`` before the first.
    """

    start_ms: int
    entries: int
    exits: int
    denied: int
    inside: int
    status: Status | None = None
    revision: int | None = None


class Day(msgspec.Struct, frozen=True):
    """The document of ``/v1/day``; bins ascend and end with the site's current one."""

    business_day: str
    time_zone: str
    start_ms: int
    end_ms: int
    bins: tuple[Bin, ...]
    watermark_ms: int | None = None


def read_now(document: Mapping[str, object]) -> Now:
    """Raises ``msgspec.ValidationError`` if the feed broke its word."""
    return msgspec.convert(document, Now)


def read_day(document: Mapping[str, object]) -> Day:
    """Raises ``msgspec.ValidationError`` if the feed broke its word."""
    return msgspec.convert(document, Day)


def lasting(figures: Figures, now_ms: int) -> dict[str, object]:
    """A site's document without what changes by itself (``confirmed_ms`` and ``state``)."""
    site, level, day = figures.site, figures.level, figures.day
    names = {gate.gate_id: gate.name for gate in site.gates}
    nobody = dict.fromkeys(present.METRICS, 0)
    minute = today.shown_minute(figures.sessions, figures.clock_ms(now_ms))
    return {
        "site_id": site.site_id,
        "name": site.name,
        "place": site.place,
        "department": site.department,
        "org_id": site.org_id,
        "time_zone": site.time_zone,
        "replay": site.replay,
        "simulated": site.simulated,
        "note": site.note,
        "capacity": site.capacity,
        "partition": partition_of(site.site_id, PARTITIONS),
        "business_day": day.day.isoformat(),
        **_told(figures.people),
        "floors": [plan.level for plan in site.plans],
        "levels": [
            {
                "zone_id": zone.zone_id,
                "name": zone.name,
                "capacity": zone.capacity,
                **_told(figures.counted(zone.zone_id)),
            }
            for zone in occupancy.zones(site, figures.corrections)
        ],
        **{metric: figures.totals.get(metric, 0) for metric in present.METRICS},
        "tickets": figures.tickets,
        "occurred_ms": level.occurred_ms,
        "received_ms": level.received_ms,
        "gates": [
            {"gate_id": gate, "name": names.get(gate, gate), **figures.gates.get(gate, nobody)}
            for gate in dict.fromkeys([*names, *sorted(figures.gates)])
        ],
        **today.told(today.summed(figures.counts, day.own_hours())),
        "zones_ms": None if minute is None else minute * MINUTE_MS,
        "zones": today.zones(figures.sessions, minute, site.zones),
        "devices": today.devices(figures.devices),
    }


def _told(people: occupancy.Level) -> dict[str, int]:
    """A level as the API says it."""
    return {
        "inside": people.inside,
        "inside_low": people.low,
        "inside_high": people.high,
        "inside_raw": people.raw,
        "drift": people.drift,
    }
