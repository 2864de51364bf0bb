"""Who comes when, how long they stay, and what the doors scan.

The scans of a day add up exactly: entries are the day's visitors, and everybody has left at night, be it by an
``AUTO_EXIT``. Assumed: parties of 1 to 6 (mean 2.1), on weekdays in term a tenth of the visitors in school classes of
20 to 30; arrivals in two humps around 11:00 and 14:45; stays log-normal with a median of 45 to 90 minutes by size of
the house; 6 of 100 parties do not scan out; 1 scan of 100 is denied. Pure; used by
``simulate.day``.
"""

import math
import random
from dataclasses import dataclass

from streams.simulate import holidays
from streams.simulate.events import MINUTE_MS, Bench, Data, Event, at_minute, rfc3339, some

_SIZES, _SIZE_SHARES = (1, 2, 3, 4, 5, 6), (34, 40, 12, 10, 3, 1)
_SCHOOL_SHARE = 0.10
_CLASS_MEAN = 25
_HUMPS = ((11 * 60, 55), (14 * 60 + 45, 70))  # local minute, spread in minutes
_MORNING_SHARE = 0.42
_LAST_ENTRY_MS = 45 * MINUTE_MS
_SHORTEST_STAY_MS = 4 * MINUTE_MS
_STAY_SPREAD = 0.5
_NOT_SCANNED_OUT = 0.06
_DENIED, _ANNULLED, _REVERTED = 0.010, 0.002, 0.001
_TRIAL_SITES = 0.2
_REASONS = ("already used", "wrong day", "wrong time slot", "unknown ticket", "expired")
_TARIFFS, _TARIFF_SHARES = ("full", "reduced", "free", "member"), (45, 20, 30, 5)
_QUARTER_MS = 15 * MINUTE_MS
_SCAN = "ticket-scan"


@dataclass(frozen=True, slots=True)
class Visit:
    """A party that was inside from ``start_ms`` to ``end_ms``."""

    number: int
    people: int
    start_ms: int
    end_ms: int
    school: bool


def stay_median_min(yearly_total: int) -> float:
    """Median stay in minutes: 45 in the smallest houses, 90 in those with a million visits."""
    return min(90.0, max(45.0, 45 + 15 * (math.log10(max(yearly_total, 1)) - 3)))


def visits(bench: Bench) -> list[Visit]:
    """The parties of a day, by time of entry."""
    if not bench.stretches or not bench.visitors:
        return []
    chance = bench.chance("visits")
    parties = [(people, True) for people in _classes(bench, chance)]
    left = bench.visitors - sum(people for people, _ in parties)
    while left > 0:
        people = min(left, chance.choices(_SIZES, _SIZE_SHARES)[0])
        parties.append((people, False))
        left -= people
    found = []
    median_min = stay_median_min(bench.place.yearly_total)
    for number, (people, school) in enumerate(parties):
        start_ms, close_ms = _arrival(bench, chance, school=school)
        stay_ms = round(chance.lognormvariate(math.log(median_min), _STAY_SPREAD) * MINUTE_MS)
        end_ms = start_ms + max(_SHORTEST_STAY_MS, stay_ms)
        if end_ms >= close_ms:  # the last quarter of an hour empties the house
            end_ms = max(start_ms + _SHORTEST_STAY_MS, close_ms - chance.randrange(15 * MINUTE_MS))
        found.append(Visit(number, people, start_ms, end_ms, school))
    return sorted(found, key=lambda visit: (visit.start_ms, visit.number))


def _classes(bench: Bench, chance: random.Random) -> list[int]:
    """Sizes of the school classes."""
    day, department = bench.day, bench.place.department
    if day.weekday() >= 5 or holidays.is_school_holiday(day, department) or holidays.is_bank_holiday(day):
        return []
    count = some(bench.visitors * _SCHOOL_SHARE / _CLASS_MEAN, chance)
    sizes: list[int] = []
    for _ in range(count):
        size = chance.randint(20, 30)
        if sum(sizes) + size <= bench.visitors:
            sizes.append(size)
    return sizes


def _arrival(bench: Bench, chance: random.Random, *, school: bool) -> tuple[int, int]:
    """(moment of entry, end of its open stretch), epoch ms."""
    for _ in range(50):
        hump, spread = _HUMPS[0] if chance.random() < (0.7 if school else _MORNING_SHARE) else _HUMPS[1]
        minute = chance.gauss(hump - 30 if school else hump, spread)
        at_ms = at_minute(bench.day, bench.place.time_zone, 0) + round(minute * MINUTE_MS)
        at_ms += _clock_change_ms(bench)
        for open_ms, close_ms in bench.stretches:
            if open_ms <= at_ms < close_ms - _LAST_ENTRY_MS:
                return at_ms, close_ms
    open_ms, close_ms = max(bench.stretches, key=lambda one: one[1] - one[0])
    return open_ms + chance.randrange(close_ms - open_ms - _LAST_ENTRY_MS), close_ms


def _clock_change_ms(bench: Bench) -> int:
    """Midnight plus eleven hours is not 11:00 on the two days of the clock change."""
    zone = bench.place.time_zone
    noon_ms = at_minute(bench.day, zone, 12 * 60)
    return noon_ms - at_minute(bench.day, zone, 0) - 12 * 60 * MINUTE_MS


def scans(bench: Bench, parties: list[Visit]) -> None:
    """What the doors scan of a day's parties, and the trials before opening."""
    chance = bench.chance("scans")
    gate_ids = [gate.gate_id for gate in bench.site.gates]
    shares = [1 / (n + 1) for n in range(len(gate_ids))]
    for visit in parties:
        gate_in, gate_out = chance.choices(gate_ids, shares, k=2)
        ticket: Data = {"ticket_id": f"{bench.site.site_id}-{visit.number}"} if chance.random() < 0.7 else {}
        _entry(bench, chance, visit, gate_in, ticket)
        _exit(bench, chance, visit, gate_out, ticket)
    if bench.stretches and bench.chance("trials").random() < _TRIAL_SITES:
        for n, direction in enumerate(("IN", "OUT")):
            at_ms = bench.stretches[0][0] - (20 - n) * MINUTE_MS
            _scan(bench, at_ms, gate_ids[0], direction, 1, {"test": True})


def _scan(bench: Bench, at_ms: int, gate_id: str, direction: str, people: int, more: Data) -> Event:
    data: Data = {
        "gate_id": gate_id,
        "device_id": device_id(gate_id),
        "direction": direction,
        "outcome": "ACCEPTED",
        "party_size": people,
    }
    return bench.add(_SCAN, at_ms, data | more)


def _entry(bench: Bench, chance: random.Random, visit: Visit, gate_id: str, ticket: Data) -> None:
    tariff = "school" if visit.school else chance.choices(_TARIFFS, _TARIFF_SHARES)[0]
    told: Data = {"tariff": tariff, **ticket}
    if bench.place.yearly_total >= 300_000:  # such houses sell slots
        slot_ms = visit.start_ms - visit.start_ms % _QUARTER_MS
        told["slot_at"] = rfc3339(slot_ms)
    if chance.random() < _DENIED:
        before_ms = max(bench.stretches[0][0], visit.start_ms - chance.randrange(15_000, 60_000))
        refused: Data = {"outcome": "DENIED", "reason": chance.choice(_REASONS)}
        _scan(bench, before_ms, gate_id, "IN", visit.people, told | refused)
    first = _scan(bench, visit.start_ms, gate_id, "IN", visit.people, told)
    if chance.random() < _ANNULLED:  # sold wrongly, taken back, sold again
        undone: Data = {"outcome": "ANNULLED", "reason": "sold wrongly", "corrects": first.event_id}
        later_ms = visit.start_ms + chance.randrange(30_000, 180_000)
        _scan(bench, later_ms, gate_id, "IN", visit.people, undone)
        _scan(bench, later_ms + 20_000, gate_id, "IN", visit.people, told)


def _exit(bench: Bench, chance: random.Random, visit: Visit, gate_id: str, ticket: Data) -> None:
    if chance.random() < _NOT_SCANNED_OUT:
        close_ms = next(close for start, close in bench.stretches if start <= visit.start_ms < close)
        gone: Data = {"direction": "OUT", "outcome": "AUTO_EXIT", "party_size": visit.people, "reason": "closing"}
        bench.add(_SCAN, close_ms + 5 * MINUTE_MS + visit.number % 1000, gone)
        return
    out = _scan(bench, visit.end_ms, gate_id, "OUT", visit.people, ticket)
    if chance.random() < _REVERTED:  # turned round in the gate, left a little later
        undone: Data = {"outcome": "REVERTED", "reason": "turned back", "corrects": out.event_id}
        _scan(bench, visit.end_ms + 9_000, gate_id, "OUT", visit.people, undone)
        _scan(bench, visit.end_ms + 60_000, gate_id, "OUT", visit.people, ticket)


def device_id(gate_id: str) -> str:
    """The machine at a gate."""
    return f"turnstile-{gate_id}"
