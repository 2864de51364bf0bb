"""Cases of arrival: scans around a night at four sites, resent, late and undone, and what people corrected, in some
order, with a loop between.

What a case must come to is worked out here by plain loops over its distinct scans and corrections and a table of days
written by hand; nothing of it comes from the code that counts.
"""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from hypothesis import strategies as st

from streams.core.occupancy import Kind
from streams.core.sites import Gate, Site, Zone
from tests.core.live_model import Said, Scan

SECOND, MINUTE, QUARTER, HOUR = 1_000, 60_000, 900_000, 3_600_000

PARIS, REUNION, MIQUELON, RECORDED = "paris", "reunion", "miquelon", "recorded"
ZONES = {"north": "hall", "south": "attic"}  # gate → the zone that it opens into


def _site(site_id: str, name: str, time_zone: str, end_hour: int = 0, *, replay: bool = False) -> Site:
    gates = tuple(Gate(gate, gate.title(), zone) for gate, zone in ZONES.items())
    zones = Zone("hall", "Hall"), Zone("attic", "Attic")
    return Site(
        site_id, "org", name, time_zone, business_day_end_hour=end_hour, replay=replay, zones=zones, gates=gates
    )


SITES = {
    PARIS: _site(PARIS, "Open until two", "Europe/Paris", 2),
    REUNION: _site(REUNION, "Overseas, east", "Indian/Reunion"),
    MIQUELON: _site(MIQUELON, "Overseas, west", "America/Miquelon"),
    RECORDED: _site(RECORDED, "On its events' clock", "America/Toronto", replay=True),
}


def ms(text: str) -> int:
    """Epoch ms of a UTC time to the minute."""
    return round(datetime.fromisoformat(f"{text}:00+00:00").timestamp() * 1000)


@dataclass(frozen=True)
class Night:
    """Seven hours in which scans happen, and the business days that they touch, as UTC times written by hand.

    Attributes:
        days: site → starts of its business days, ascending; each ends where the next begins, the last one is only an
            end.
    """

    name: str
    start: int
    days: dict[str, dict[str, int]]


def _night(name: str, start: str, days: dict[str, dict[str, str]]) -> Night:
    return Night(name, ms(start), {site: {day: ms(at) for day, at in starts.items()} for site, starts in days.items()})


NIGHTS = (
    _night(
        "ordinary",
        "2026-07-14T19:30",
        {
            PARIS: {"2026-07-14": "2026-07-14T00:00", "2026-07-15": "2026-07-15T00:00", "-": "2026-07-16T00:00"},
            REUNION: {"2026-07-14": "2026-07-13T20:00", "2026-07-15": "2026-07-14T20:00", "-": "2026-07-15T20:00"},
            MIQUELON: {"2026-07-14": "2026-07-14T02:00", "2026-07-15": "2026-07-15T02:00", "-": "2026-07-16T02:00"},
            RECORDED: {"2026-07-14": "2026-07-14T04:00", "-": "2026-07-15T04:00"},
        },
    ),
    _night(
        "spring",
        "2026-03-28T19:30",
        {  # in Paris the clock jumps from 02:00 to 03:00 at 01:00 UTC, which is where the day that ends at two ends
            PARIS: {"2026-03-28": "2026-03-28T01:00", "2026-03-29": "2026-03-29T01:00", "-": "2026-03-30T00:00"},
            REUNION: {"2026-03-28": "2026-03-27T20:00", "2026-03-29": "2026-03-28T20:00", "-": "2026-03-29T20:00"},
            MIQUELON: {"2026-03-28": "2026-03-28T02:00", "2026-03-29": "2026-03-29T02:00", "-": "2026-03-30T02:00"},
            RECORDED: {"2026-03-28": "2026-03-28T04:00", "-": "2026-03-29T04:00"},
        },
    ),
    _night(
        "autumn",
        "2026-10-24T19:30",
        {  # in Paris 02:00 comes at 00:00 UTC and again at 01:00 UTC; the day that ends at two ends the first time
            PARIS: {"2026-10-24": "2026-10-24T00:00", "2026-10-25": "2026-10-25T00:00", "-": "2026-10-26T01:00"},
            REUNION: {"2026-10-24": "2026-10-23T20:00", "2026-10-25": "2026-10-24T20:00", "-": "2026-10-25T20:00"},
            MIQUELON: {"2026-10-24": "2026-10-24T02:00", "2026-10-25": "2026-10-25T02:00", "-": "2026-10-26T02:00"},
            RECORDED: {"2026-10-24": "2026-10-24T04:00", "-": "2026-10-25T04:00"},
        },
    ),
)

Then = Literal["go on", "turn", "idle", "back", "die reserving", "die publishing", "meanwhile"]
"""What happens once a scan has come: the next one comes with it · the loop turns · nothing comes for 40 minutes and the
loop turns · it turns on a clock that went back 90 s · it dies in a turn · the batch comes while the loop publishes."""


@dataclass(frozen=True)
class Arrival:
    """One scan or correction on its way, ``delay_ms`` after it happened at the earliest, and what happens then.

    Attributes:
        place: of a scan; from the number of scans on, of a correction.
    """

    place: int
    delay_ms: int
    then: Then


@dataclass(frozen=True)
class Case:
    """Scans, and how they come.

    Attributes:
        scans: distinct ones.
        arrivals: in order; a place that comes again is a scan or a correction that is resent.
        replayed: how many of the arrivals come once more after all was said.
        corrections: distinct ones.
    """

    night: Night
    scans: tuple[Scan, ...]
    arrivals: tuple[Arrival, ...]
    replayed: int
    corrections: tuple[Said, ...] = ()

    def occurred_at(self, place: int) -> int:
        """When the scan or correction of a place happened."""
        count = len(self.scans)
        return self.scans[place].occurred_at if place < count else self.corrections[place - count].occurred_at

    @property
    def resent(self) -> bool:
        """Whether a scan comes more than once."""
        places = [one.place for one in self.arrivals if one.place < len(self.scans)]
        return len(places) > len(set(places))

    @property
    def undone(self) -> bool:
        """Whether a scan takes another one back."""
        return any(scan.outcome in ("ANNULLED", "REVERTED") for scan in self.scans)


Sums = dict[str, tuple[int, int, int]]  # gate → entries, exits, denied


def effect(scan: Scan) -> tuple[int, int, int]:
    """(entries, exits, denied) of one scan."""
    if scan.outcome == "DENIED":
        return 0, 0, 1
    if scan.outcome == "AUTO_EXIT":
        return 0, scan.party_size, 0
    people = scan.party_size if scan.outcome == "ACCEPTED" else -scan.party_size
    return (people, 0, 0) if scan.direction == "IN" else (0, people, 0)


def truth(case: Case) -> dict[tuple[str, int], Sums]:
    """(site, start of a quarter-hour) → what happened in it."""
    windows: dict[tuple[str, int], Sums] = {}
    for scan in case.scans:
        gates = windows.setdefault((scan.site_id, scan.occurred_at - scan.occurred_at % QUARTER), {})
        old, new = gates.get(scan.gate_id, (0, 0, 0)), effect(scan)
        gates[scan.gate_id] = (old[0] + new[0], old[1] + new[1], old[2] + new[2])
    return windows


def true_days(case: Case) -> Counter[tuple[str, str, str]]:
    """(site, business day, metric) → people, by the table of days."""
    people: Counter[tuple[str, str, str]] = Counter()
    for scan in case.scans:
        begun = [day for day, start in case.night.days[scan.site_id].items() if start <= scan.occurred_at]
        for metric, amount in zip(("entries", "exits", "denied"), effect(scan), strict=True):
            people[scan.site_id, begun[-1], metric] += amount
    return people


def true_levels(case: Case) -> dict[tuple[str, str, str], tuple[int, int]]:
    """(site, business day, zone or nothing) → people inside at its end, as the gates counted and as was corrected.

    Minute by minute: first who passes, then what was said, in the order of its times; of one moment the greater id is
    the later one. A reset of a site is one of its zones.
    """
    levels: dict[tuple[str, str, str], tuple[int, int]] = {}
    for site_id, starts in case.night.days.items():
        scans = [scan for scan in case.scans if scan.site_id == site_id]
        said = [one for one in case.corrections if one.site_id == site_id]
        said.sort(key=lambda one: (one.occurred_at, one.event_id))
        for (day, start), end in zip(starts.items(), [*starts.values()][1:], strict=False):
            moments = [scan.occurred_at for scan in scans] + [one.occurred_at for one in said]
            for zone in ("", "hall", "attic"):
                raw = inside = 0
                for minute in sorted({at // MINUTE for at in moments if start <= at < end}):
                    for scan in scans:
                        if scan.occurred_at // MINUTE == minute and (not zone or ZONES.get(scan.gate_id) == zone):
                            entries, exits, _ = effect(scan)
                            raw, inside = raw + entries - exits, inside + entries - exits
                    for one in said:
                        if one.occurred_at // MINUTE == minute:
                            inside = _said_inside(one, zone, inside)
                levels[site_id, day, zone] = raw, inside
    return levels


def _said_inside(one: Said, zone: str, inside: int) -> int:
    if (one.zone_id or "") == zone:
        return inside + one.value if one.kind == "ADJUST" else one.value
    return 0 if one.zone_id is None and one.kind == "RESET" else inside


# Window edges: each quarter of an hour, its neighbours by a millisecond and a minute, and times between.
_moments = st.builds(
    lambda quarter, off: quarter * QUARTER + off,
    st.integers(0, 27),
    st.sampled_from((0, 0, 1, -1, MINUTE - 1, MINUTE, -MINUTE, 7 * MINUTE, QUARTER // 2 + 1)),
)
_delays = st.sampled_from(
    (0, SECOND, 30 * SECOND, 10 * MINUTE, 14 * MINUTE, 20 * MINUTE, 50 * MINUTE, 3 * HOUR, 9 * HOUR, 71 * HOUR)
)
_outcomes = st.sampled_from(
    (("ACCEPTED", "IN"), ("ACCEPTED", "IN"), ("ACCEPTED", "OUT"), ("DENIED", "IN"), ("AUTO_EXIT", "OUT"))
)
_thens: st.SearchStrategy[Then] = st.sampled_from(
    ("go on", "go on", "go on", "turn", "turn", "idle", "back", "die reserving", "die publishing", "meanwhile")
)
_drawn = st.tuples(_moments, st.sampled_from(("north", "south")), _outcomes, st.integers(1, 3), _delays, _thens)
_more = st.lists(st.tuples(st.sampled_from(sorted(SITES)), _drawn), max_size=4)
_undoing = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.sampled_from(("ANNULLED", "REVERTED")),
        st.sampled_from((0, SECOND, 5 * MINUTE)),
        _delays,
        _thens,
    ),
    max_size=2,
)
_kinds: st.SearchStrategy[Kind] = st.sampled_from(("RESET", "RECOUNT", "ADJUST"))
_said = st.lists(
    st.tuples(
        st.sampled_from(sorted(SITES)),
        _moments,
        _kinds,
        st.integers(-3, 5),
        st.sampled_from((None, None, "hall", "attic")),
        _delays,
        _thens,
    ),
    max_size=3,
)
_resent = st.lists(st.tuples(st.integers(0, 10), _delays, _thens), max_size=2)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Three or four sites in as many zones, one or two of them overseas; three to fourteen arrivals."""
    night = draw(st.sampled_from(NIGHTS))
    third = draw(st.sampled_from((MIQUELON, RECORDED)))
    drawn = [*((site_id, draw(_drawn)) for site_id in (PARIS, REUNION, third)), *draw(_more)]
    scans: list[Scan] = []
    ways: list[tuple[int, Then]] = []
    for site_id, (moment, gate, (outcome, direction), party, delay, then) in drawn:
        at = night.start + max(moment, 0)
        scans.append(Scan(_id(len(scans)), site_id, gate, at, at, direction, outcome, party))
        ways.append((delay, then))
    for place, kind, after, delay, then in draw(_undoing):
        undone = scans[min(place, len(drawn) - 1)]
        at = undone.occurred_at + after
        scans.append(replace(undone, event_id=_id(len(scans)), occurred_at=at, outcome=kind, corrects=undone.event_id))
        ways.append((delay, then))
    corrections: list[Said] = []
    for site_id, moment, said, value, zone, delay, then in draw(_said):
        told = value if said == "ADJUST" else abs(value)
        name = _id(len(scans) + len(corrections))
        corrections.append(Said(name, site_id, night.start + max(moment, 0), said, told, zone))
        ways.append((delay, then))
    arrivals = [Arrival(place, delay, then) for place, (delay, then) in enumerate(ways)]
    arrivals += [Arrival(min(place, len(ways) - 1), delay, then) for place, delay, then in draw(_resent)]
    case = Case(night, tuple(scans), (), 0, tuple(corrections))
    arrivals.sort(key=lambda one: case.occurred_at(one.place) + one.delay_ms)
    return replace(case, arrivals=tuple(arrivals), replayed=draw(st.integers(0, len(arrivals))))


def _id(place: int) -> str:
    return f"00000000-0000-4000-8000-{place:012x}"
