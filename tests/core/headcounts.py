"""Days of museums whose true headcount is known, and what their gates make of them: each gate misses or doubles a share
of those who pass it, the same all the time, in and out alike.

Visits are those of ``streams.simulate``; the gates' faults are drawn here. Used by ``tests.core.test_occupancy``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from streams.core.days import MINUTE_MS
from streams.core.sites import Site
from streams.simulate import chance, rhythm, world
from streams.simulate.events import Bench, at_minute
from streams.simulate.reference import first
from streams.simulate.visits import visits

BIASES = (0.01, 0.03)  # least and greatest share that a gate misses or doubles


@dataclass(frozen=True, slots=True)
class CountedDay:
    """A day of a site.

    Attributes:
        open_minutes: epoch minutes at whose end the doors are open.
        truth: minute → people inside at its end.
        passed: minute → (gate, 0 in or 1 out) → people that the gate counted in it.
    """

    site: Site
    day: date
    open_minutes: list[int]
    truth: dict[int, int]
    passed: dict[int, dict[tuple[str, int], int]]


def biased(luck: Random) -> float:
    """What a gate counts too much (above 0) or too little, as a share of those who pass."""
    return luck.choice((-1, 1)) * luck.uniform(*BIASES)


def counted_days(sites: int, days: int, seed: int) -> Iterator[CountedDay]:
    """Days on which the sites are open, site by site; the biases stay the same on all days."""
    start = date(2026, 7, 1)
    for place in first(sites):
        site = world.simulated(place, "sim", start)
        gates = [gate.gate_id for gate in site.gates]
        faults = {gate: biased(chance.of(seed, "bias", site.site_id, gate)) for gate in gates}
        found = 0
        day = start
        while found < days:
            if hours := rhythm.rhythm(place).hours(day):
                found += 1
                zone = place.time_zone
                stretches = [(at_minute(day, zone, begin), at_minute(day, zone, end)) for begin, end in hours]
                people = rhythm.visitors(place, day, seed)
                yield _counted(Bench(place, site, day, seed, people, stretches), faults)
            day += timedelta(days=1)


def _counted(bench: Bench, faults: dict[str, float]) -> CountedDay:
    luck = bench.chance("gates")
    gates = list(faults)
    shares = [1 / (n + 1) for n in range(len(gates))]
    moves: dict[int, int] = {}
    passed: dict[int, dict[tuple[str, int], int]] = {}
    for visit in visits(bench):
        for way, (at_ms, gate) in enumerate(
            zip((visit.start_ms, visit.end_ms), luck.choices(gates, shares, k=2), strict=True)
        ):
            minute = at_ms // MINUTE_MS
            moves[minute] = moves.get(minute, 0) + (-visit.people if way else visit.people)
            counted = sum(_count(faults[gate], luck) for _ in range(visit.people))
            cells = passed.setdefault(minute, {})
            cells[gate, way] = cells.get((gate, way), 0) + counted
    minutes = [at for begin, end in bench.stretches for at in range(begin // MINUTE_MS, end // MINUTE_MS)]
    truth, inside = {}, 0
    for minute in range(min([*moves, *minutes]), max([*moves, *minutes]) + 1):
        inside += moves.get(minute, 0)
        truth[minute] = inside
    return CountedDay(bench.site, bench.day, minutes, truth, passed)


def _count(fault: float, luck: Random) -> int:
    """How often a gate counts one person."""
    if luck.random() >= abs(fault):
        return 1
    return 2 if fault > 0 else 0
