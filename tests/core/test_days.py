"""Business days: which one an instant belongs to, also where the clock changes."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.core.days import HOUR_MS, bounds, business_day, hour_name, hours_between

PARIS = "Europe/Paris"
ZONES = (
    PARIS,
    "Indian/Reunion",
    "Indian/Mayotte",
    "America/Martinique",
    "America/Guadeloupe",
    "America/Cayenne",
    "America/Miquelon",
    "America/Los_Angeles",
    "UTC",
)
zones = st.sampled_from(ZONES)
end_hours = st.integers(0, 12)
instants = st.integers(
    int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2040, 1, 1, tzinfo=UTC).timestamp())
)


def ms(text: str) -> int:
    """Epoch ms of an ISO time with its offset."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


# Just before, at and after the changes of the clock in Paris in 2026, and the day ends next to them.
SPRING = (ms("2026-03-29T00:59:59Z"), ms("2026-03-29T01:00:00Z"), ms("2026-03-29T01:30:00Z"))
AUTUMN = (
    ms("2026-10-24T23:59:59Z"),
    ms("2026-10-25T00:00:00Z"),
    ms("2026-10-25T00:30:00Z"),
    ms("2026-10-25T01:30:00Z"),
)


@pytest.mark.parametrize("end_hour", [0, 1, 2, 3])
@pytest.mark.parametrize(("sunday", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_the_days_of_the_clock_change_have_23_and_25_hours(sunday: date, hours: int, end_hour: int) -> None:
    # The clock changes between two and three: where a day ends at three, that is still Saturday.
    day = sunday if end_hour < 3 else sunday - timedelta(days=1)

    start_ms, end_ms = bounds(day, PARIS, end_hour)

    assert end_ms - start_ms == hours * HOUR_MS


def test_a_day_that_would_end_in_the_hour_that_spring_skips_ends_when_the_clock_jumps() -> None:
    # 28 March 02:00 +01:00       29 March 02:00 = 03:00 +02:00      30 March 02:00 +02:00
    #   [------------- 24 h ------------)[------------- 23 h -------------)
    jump = ms("2026-03-29T01:00:00Z")

    saturday, sunday = bounds(date(2026, 3, 28), PARIS, 2), bounds(date(2026, 3, 29), PARIS, 2)

    assert saturday == (jump - 24 * HOUR_MS, jump)
    assert sunday == (jump, jump + 23 * HOUR_MS)


def test_a_day_that_ends_in_the_hour_that_autumn_repeats_ends_when_it_comes_first() -> None:
    # 25 October, local:  01:00   02:00 (+02:00)   02:00 (+01:00)   03:00
    #   ------ 24th -------)[------------- 25th, 25 hours -----------------
    first_two = ms("2026-10-25T02:00:00+02:00")

    assert bounds(date(2026, 10, 25), PARIS, 2) == (first_two, first_two + 25 * HOUR_MS)
    assert business_day(ms("2026-10-25T02:30:00+01:00"), PARIS, 2) == date(2026, 10, 25)


@pytest.mark.parametrize(
    ("local", "day"),
    [
        ("2026-07-15T01:30:00+02:00", date(2026, 7, 14)),
        ("2026-07-15T01:59:59.999+02:00", date(2026, 7, 14)),
        ("2026-07-15T02:00:00+02:00", date(2026, 7, 15)),
        ("2026-01-01T01:00:00+01:00", date(2025, 12, 31)),
    ],
)
def test_half_past_one_belongs_to_yesterday_where_the_day_ends_at_two(local: str, day: date) -> None:
    assert business_day(ms(local), PARIS, 2) == day


@pytest.mark.parametrize(
    ("zone", "local_midnight"),
    [("Indian/Reunion", "2026-05-01T00:00:00+04:00"), ("America/Miquelon", "2026-05-01T00:00:00-02:00")],
)
def test_a_day_begins_at_the_sites_own_midnight(zone: str, local_midnight: str) -> None:
    start_ms, _ = bounds(date(2026, 5, 1), zone, 0)

    assert start_ms == ms(local_midnight)


@given(at_s=instants, zone=zones, end_hour=end_hours)
@example(at_s=SPRING[0] // 1000, zone=PARIS, end_hour=2)
@example(at_s=SPRING[1] // 1000, zone=PARIS, end_hour=2)
@example(at_s=SPRING[2] // 1000, zone=PARIS, end_hour=3)
@example(at_s=AUTUMN[0] // 1000, zone=PARIS, end_hour=2)
@example(at_s=AUTUMN[1] // 1000, zone=PARIS, end_hour=2)
@example(at_s=AUTUMN[2] // 1000, zone=PARIS, end_hour=3)
@example(at_s=AUTUMN[3] // 1000, zone=PARIS, end_hour=3)
def test_every_instant_lies_in_the_bounds_of_its_day_and_of_no_other(at_s: int, zone: str, end_hour: int) -> None:
    at_ms = at_s * 1000
    day = business_day(at_ms, zone, end_hour)

    around = [day + timedelta(days=shift) for shift in (-2, -1, 0, 1, 2)]
    holding = [one for one in around if bounds(one, zone, end_hour)[0] <= at_ms < bounds(one, zone, end_hour)[1]]

    assert holding == [day]


@given(first=st.dates(date(2000, 1, 1), date(2039, 1, 1)), zone=zones, end_hour=end_hours)
def test_days_follow_each_other_without_gap_or_overlap_and_have_23_to_25_hours(
    first: date, zone: str, end_hour: int
) -> None:
    found = [bounds(first + timedelta(days=shift), zone, end_hour) for shift in range(4)]

    assert all(one[1] == following[0] for one, following in pairwise(found))
    assert all(23 * HOUR_MS <= end_ms - start_ms <= 25 * HOUR_MS for start_ms, end_ms in found)


@given(at_s=instants)
def test_the_name_of_an_hour_is_its_utc_time_to_the_hour(at_s: int) -> None:
    name = hour_name(at_s * 1000)

    assert ms(f"{name}:00:00Z") == at_s * 1000 // HOUR_MS * HOUR_MS


@given(start_s=instants, length_s=st.integers(1, 30 * 3_600))
def test_the_hours_between_are_those_of_the_instants_between(start_s: int, length_s: int) -> None:
    start_ms, end_ms = start_s * 1000, (start_s + length_s) * 1000

    found = hours_between(start_ms, end_ms)

    steps = [*range(start_ms, end_ms, HOUR_MS // 4), end_ms - 1]
    assert found == sorted({hour_name(at_ms) for at_ms in steps})
