"""Quality of what comes in, site by site: what is wrong with it, and which site is worst.

Takes what history counted of a window of ingest time (``adapters.quality_rows``) and what the live figures say now;
gives each site with the kinds of trouble it has, worst first. Pure. Called by ``console.quality``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from streams.core.calendar import Calendar
from streams.core.silence import Silence, silence
from streams.core.sites import Site

LATE_MS = 900_000  # later than the allowed lateness: its quarter-hour was final, and is revised
Trouble = Literal["silent", "dead_letters", "devices", "late", "clocks", "resent"]
TROUBLES: tuple[Trouble, ...] = ("silent", "dead_letters", "devices", "late", "clocks", "resent")


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What came in of a site within a window of ingest time; trials are not counted.

    Attributes:
        events: each once; ``records`` is how many there are of them in Kafka.
        judged: events of which it makes sense to ask how late they are.
        late: of these, received more than 15 min after they happened at the first try, offline uploads apart.
        offline: the same of those that waited on their device.
        clocked: events whose clock is judged, those in quarantine included.
        drifting, unsynced: of these, off by more than 5 min; by so much that they are in quarantine.
        received_ms: of the newest; ``landed_ms`` is when it was written.
    """

    events: int = 0
    records: int = 0
    judged: int = 0
    late: int = 0
    offline: int = 0
    clocked: int = 0
    drifting: int = 0
    unsynced: int = 0
    received_ms: int | None = None
    landed_ms: int | None = None

    @property
    def resent(self) -> int:
        """Records beyond the first of each event."""
        return self.records - self.events

    def __add__(self, other: "Arrivals") -> "Arrivals":
        return Arrivals(
            self.events + other.events,
            self.records + other.records,
            self.judged + other.judged,
            self.late + other.late,
            self.offline + other.offline,
            self.clocked + other.clocked,
            self.drifting + other.drifting,
            self.unsynced + other.unsynced,
            max((at for at in (self.received_ms, other.received_ms) if at is not None), default=None),
            max((at for at in (self.landed_ms, other.landed_ms) if at is not None), default=None),
        )


@dataclass(frozen=True, slots=True)
class Letters:
    """Dead letters of one topic and reason that were found within the window; ``retried`` of them were sent again."""

    topic: str
    reason: str
    found: int
    retried: int

    @property
    def left(self) -> int:
        """Those that nobody has tried again."""
        return self.found - self.retried


class Device(NamedTuple):
    """The last sign of life of a machine, epoch ms."""

    device_id: str
    received_ms: int | None


class SilentDevice(NamedTuple):
    """A machine that has said nothing for longer than is expected at its site."""

    device_id: str
    received_ms: int | None
    minutes: int
    gap_min: int


@dataclass(frozen=True, slots=True)
class Judged:
    """A site as far as its quality goes.

    Attributes:
        arrivals: ``None`` while history cannot be asked; ``letters`` likewise empty.
        silence: of the site itself, ``None`` where that is not judged now.
        silent: its machines that are silent too long.
        watched: machines whose silence is judged now; ``devices`` is how many ever reported.
    """

    site: Site
    arrivals: Arrivals | None
    letters: tuple[Letters, ...]
    silence: Silence | None
    silent: tuple[SilentDevice, ...]
    watched: int
    devices: int

    @property
    def wrong(self) -> tuple[Trouble, ...]:
        """What is wrong, in the order of ``TROUBLES``."""
        came = self.arrivals or Arrivals()
        found: Mapping[Trouble, bool] = {
            "silent": self.silence is not None and self.silence.minutes >= self.silence.gap_min,
            "dead_letters": any(letters.left for letters in self.letters),
            "devices": bool(self.silent),
            "late": came.late > 0,
            "clocks": came.drifting + came.unsynced > 0,
            "resent": came.resent > 0,
        }
        return tuple(trouble for trouble in TROUBLES if found[trouble])

    @property
    def concerned(self) -> float:
        """Share of the site's events that anything is wrong with, 0 to 1; an event may count for several things."""
        came = self.arrivals or Arrivals()
        odd = came.late + came.drifting + came.unsynced + came.resent + sum(one.left for one in self.letters)
        return min(1.0, odd / max(1, came.records))


def judge(
    site: Site,
    calendar: Calendar | None,
    heard_ms: int | None,
    devices: Iterable[Device],
    arrivals: Arrivals | None,
    letters: Iterable[Letters],
    now_ms: int,
) -> Judged:
    """A site at a moment; its machines are held to the same silence as the site itself (``core.silence``)."""
    known = tuple(devices)
    silences = [(one, silence(site, calendar, one.received_ms, now_ms)) for one in known]
    judged = [(one, said) for one, said in silences if said is not None]
    return Judged(
        site,
        arrivals,
        tuple(sorted(letters, key=lambda one: (-one.left, one.topic, one.reason))),
        silence(site, calendar, heard_ms, now_ms),
        tuple(
            SilentDevice(one.device_id, one.received_ms, *said)
            for one, said in sorted(judged, key=lambda pair: (-pair[1].minutes, pair[0].device_id))
            if said.minutes >= said.gap_min
        ),
        len(judged),
        len(known),
    )


def worst_first(sites: Iterable[Judged]) -> list[Judged]:
    """Silent sites, then those with most kinds of trouble, then those with the greatest share of events concerned."""
    return sorted(sites, key=lambda one: ("silent" not in one.wrong, -len(one.wrong), -one.concerned, one.site.site_id))
