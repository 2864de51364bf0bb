"""Silence: judged where somebody knows when a site should speak, and only while it is open."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from streams.core.calendar import Calendar, Stretch
from streams.core.silence import EXPECTED_GAP_MIN, Silence, silence
from streams.core.sites import Site

MINUTE_MS = 60_000
SITE = Site("louvre", "louvre", "Louvre", "Europe/Paris")
# Tuesdays closed; on other days 09:00–12:00 and 14:00–26:00 of the wall clock, the business day ends at 02:00.
OPEN = ((Stretch(540, 720), Stretch(840, 1_560)),)
NIGHTS = replace(SITE, business_day_end_hour=2)
HOURS = Calendar("louvre", OPEN + ((),) + OPEN * 5)


def at(hour: int, minute: int = 0, day: int = 15) -> int:
    """Paris time on a Wednesday of July 2026, epoch ms."""
    return round(datetime(2026, 7, day, hour, minute, tzinfo=UTC).timestamp() * 1000) - 120 * MINUTE_MS


def test_without_a_calendar_or_an_expected_gap_nobody_is_silent() -> None:
    assert silence(SITE, None, at(9), at(23)) is None


def test_a_site_with_an_expected_gap_is_judged_at_any_hour() -> None:
    patient = replace(SITE, expected_gap_min=90)

    assert silence(patient, None, at(9), at(10, 29)) == Silence(89, 90)
    assert silence(patient, None, at(9), at(10, 30)) == Silence(90, 90)


def test_with_a_calendar_silence_counts_from_the_opening() -> None:
    #   09:00          09:29  09:30
    #     [--------------|-----|
    #  heard yesterday
    yesterday = at(23, day=14)

    assert silence(SITE, HOURS, yesterday, at(8, 59)) is None
    assert silence(SITE, HOURS, yesterday, at(9, 29)) == Silence(29, EXPECTED_GAP_MIN)
    assert silence(SITE, HOURS, yesterday, at(9, 30)) == Silence(30, EXPECTED_GAP_MIN)


def test_a_closed_site_is_not_judged() -> None:
    assert silence(SITE, HOURS, at(9), at(12)) is None
    assert silence(SITE, HOURS, at(9), at(13, 59)) is None
    assert silence(SITE, HOURS, at(9, day=13), at(15, day=14)) is None  # a Tuesday
    assert silence(SITE, HOURS, at(11), at(14, 5)) == Silence(5, EXPECTED_GAP_MIN)


def test_an_evening_after_midnight_belongs_to_the_day_before() -> None:
    assert silence(NIGHTS, HOURS, at(23), at(0, 30, day=16)) == Silence(90, EXPECTED_GAP_MIN)
    assert silence(NIGHTS, HOURS, at(23), at(2, day=16)) is None


def test_a_gap_of_the_sites_file_goes_before_the_usual_one() -> None:
    assert silence(replace(SITE, expected_gap_min=5), HOURS, at(10), at(10, 7)) == Silence(7, 5)


def test_replayed_simulated_and_never_heard_sites_are_not_judged() -> None:
    patient = replace(SITE, expected_gap_min=1)

    assert silence(replace(patient, replay=True), None, at(9), at(23)) is None
    assert silence(replace(patient, replay=True, simulated=True), None, at(9), at(23)) is None
    assert silence(patient, None, None, at(23)) is None


def test_a_receipt_a_little_ahead_is_no_silence_and_one_far_ahead_tells_nothing() -> None:
    site = replace(SITE, expected_gap_min=1)

    assert silence(site, None, at(9) + 5 * 60_000, at(9)) == Silence(0, 1)
    assert silence(site, None, at(10), at(9)) is None


@given(st.integers(0, 7 * 1_440), st.integers(0, 7 * 1_440))
def test_silence_is_never_longer_than_the_house_was_open(heard_min: int, now_min: int) -> None:
    found = silence(SITE, HOURS, at(0) + heard_min * MINUTE_MS, at(0) + now_min * MINUTE_MS)

    assert found is None or 0 <= found.minutes <= max(0, now_min - heard_min)
    assert found is None or found.minutes <= 720
