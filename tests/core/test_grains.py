"""Days in hours: sums of quarters by the wall's clock, and how far each quarter is settled."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core import grains, now
from streams.core.days import HOUR_MS, MINUTE_MS, bounds
from streams.core.now import QUARTER_MS, Day
from streams.core.windows import Counts, Said

PARIS = "Europe/Paris"


def quarter(start_ms: int, entries: int = 0, exits: int = 0, inside: int = 0) -> dict[str, int]:
    return {"start_ms": start_ms, "entries": entries, "exits": exits, "denied": 0, "inside": inside}


def day(on: date, zone: str) -> Day:
    return Day(on, *bounds(on, zone, 0))


def test_an_hour_is_the_sum_of_its_quarters_and_ends_with_the_last_ones_level() -> None:
    bins = [quarter(place * QUARTER_MS, entries=place, exits=1, inside=10 + place) for place in range(5)]

    assert grains.hourly(bins, "UTC") == [quarter(0, 6, 4, 13), quarter(HOUR_MS, 4, 1, 14)]


@pytest.mark.parametrize(
    ("zone", "on", "hours"),
    [
        (PARIS, date(2026, 3, 29), 23),
        (PARIS, date(2026, 10, 25), 25),
        ("Asia/Kolkata", date(2026, 1, 1), 24),
        ("Australia/Lord_Howe", date(2026, 4, 5), 25),  # half an hour goes back: 24.5 h, one hour is a short one
    ],
)
def test_a_day_has_the_hours_of_the_wall(zone: str, on: date, hours: int) -> None:
    whole = day(on, zone)

    found = grains.hourly(now.quarters({}, whole, whole.end_ms), zone)

    assert len(found) == hours


@given(
    st.lists(st.tuples(st.integers(0, 95), st.integers(0, 9), st.integers(0, 9)), max_size=40),
    st.sampled_from([PARIS, "Asia/Kolkata"]),
)
def test_hours_add_up_to_what_their_quarters_add_up_to(passed: list[tuple[int, int, int]], zone: str) -> None:
    bins = [quarter(place * QUARTER_MS, entries, exits) for place, entries, exits in sorted(passed)]

    found = grains.hourly(bins, zone)

    for metric in ("entries", "exits"):
        assert sum(one[metric] for one in found) == sum(one[metric] for one in bins)


def test_each_gate_has_its_own_hours_and_no_hour_of_another_day() -> None:
    whole = day(date(2026, 1, 1), "UTC")
    first = whole.start_ms // MINUTE_MS
    cells = {
        ("north", first, "entries"): 3, ("north", first + 59, "exits"): 1, ("north", first + 60, "entries"): 2,
        ("south", first + 30, "denied"): 4, ("south", first - 1, "entries"): 9,
    }  # fmt: skip

    assert grains.gate_hours(cells, whole, "UTC") == {
        "north": {whole.start_ms: Counts(3, 1, 0), whole.start_ms + HOUR_MS: Counts(2, 0, 0)},
        "south": {whole.start_ms: Counts(0, 0, 4)},
    }


@pytest.mark.parametrize(
    ("counted", "said", "watermark_ms", "status"),
    [
        (Counts(2, 1), Said(1, {"a": Counts(1, 1), "b": Counts(1)}), None, "final"),
        (Counts(3, 1), Said(1, {"a": Counts(2, 1)}), None, "revising"),
        (Counts(2, 1), None, 10 * HOUR_MS, "provisional"),  # due, and not said yet
        (Counts(), None, 30 * MINUTE_MS, "final"),  # nobody passed, and nobody can have
        (Counts(), None, 30 * MINUTE_MS - 1, "provisional"),
        (Counts(), None, None, "provisional"),
    ],
)
def test_a_quarter_is_final_once_it_was_said_and_nothing_came_since(
    counted: Counts, said: Said | None, watermark_ms: int | None, status: str
) -> None:
    assert grains.status(0, counted, said, watermark_ms) == status
