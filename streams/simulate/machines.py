"""What machines say by themselves: gates how they are, the web server how much it was asked.

Pure. A gate reports every ten minutes while the house is open, half an hour before and after included, and every hour
otherwise, also on closed days: a silent gate is a broken one. The web server reports each hour, at its end. Used by
``simulate.day``.
"""

import math

from streams.simulate.events import HOUR_MS, MINUTE_MS, Bench, Data, day_bounds, some
from streams.simulate.visits import device_id

_TEN_MS = 10 * MINUTE_MS
_MARGIN_MS = 30 * MINUTE_MS
_STATUSES, _STATUS_SHARES = ("OK", "WARNING", "FAULT", "UNKNOWN"), (970, 20, 8, 2)
_DETAILS = {"WARNING": "printer low on paper", "FAULT": "arm does not turn"}
_PAGES_PER_VISIT = 1.5  # over the year; most are looked at in the evening
_EVENING, _NIGHT = 20, 4  # local hours


def status(bench: Bench) -> None:
    """Reports of every gate's machine."""
    start_ms, end_ms = day_bounds(bench.day, bench.place.time_zone)
    busy = [(first - _MARGIN_MS, last + _MARGIN_MS) for first, last in bench.stretches]
    for number, gate in enumerate(bench.site.gates):
        chance = bench.chance(f"status {gate.gate_id}")
        shift_ms = chance.randrange(_TEN_MS)
        for tick, at_ms in enumerate(range(start_ms + shift_ms, end_ms, _TEN_MS)):
            if tick % 6 != number and not any(first <= at_ms < last for first, last in busy):
                continue
            told = chance.choices(_STATUSES, _STATUS_SHARES)[0]
            data: Data = {
                "gate_id": gate.gate_id,
                "device_id": device_id(gate.gate_id),
                "status": told,
                "queued": 0,
                "firmware": "sim-1",
            }
            if told in _DETAILS:
                data["detail"] = _DETAILS[told]
            bench.add("device-status", at_ms, data)


def web(bench: Bench) -> None:
    """Requests of each hour: more for a well-visited house, most in the evening, robots all night."""
    chance = bench.chance("web")
    start_ms, end_ms = day_bounds(bench.day, bench.place.time_zone)
    daily = bench.place.yearly_total / 365 * _PAGES_PER_VISIT
    for n, at_ms in enumerate(range(start_ms, end_ms, HOUR_MS)):
        share = (1 + math.cos((n - _EVENING) / 24 * 2 * math.pi)) / 24
        pages = some(daily * share * chance.uniform(0.7, 1.3), chance)
        data: Data = {
            "page_views": pages,
            "assets": pages * chance.randint(3, 6),
            "robots": some(2 + daily / 200, chance) if n % 24 >= _NIGHT else some(5 + daily / 100, chance),
            "errors": some(pages * 0.01, chance),
        }
        bench.add("web-traffic", at_ms, data)
