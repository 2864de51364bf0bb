"""Calendars: when a site is open, when it counts as empty, and every way of writing that down wrongly."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.adapters import calendar_topic
from streams.core import calendar as hours
from streams.core.calendar import Calendar, ExceptionalDay, Stretch, due_reset, empty_from, is_open, opened, reason
from streams.core.occupancy import reset_id
from streams.core.sites import Site
from streams.sites import calendar_files, calendars, files, layout

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
PARIS = Site("louvre", "louvre", "Louvre", "Europe/Paris", business_day_end_hour=2)
REUNION = Site("hell", "hell", "Hell-Bourg", "Indian/Reunion")
MIQUELON = Site("arche", "arche", "L'Arche", "America/Miquelon")
DAY = Stretch(600, 1_080)  # 10:00 to 18:00
LATE = Stretch(1_200, 1_560)  # 20:00 to 02:00
CHRISTMAS = ExceptionalDay(date(2026, 12, 25), (), "Christmas")
CALENDAR = Calendar("louvre", ((), (DAY,), (DAY,), (DAY,), (DAY, LATE), (DAY,), (DAY,)), (CHRISTMAS,))
EVERY_NIGHT = Calendar("louvre", ((LATE,),) * 7)


def utc(*parts: int) -> int:
    """Epoch ms of a UTC instant."""
    return round(datetime(*parts, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc,arg-type]


# -- hours -----------------------------------------------------------------------------------------------------------


def test_a_day_has_the_hours_of_its_weekday_unless_it_is_an_exception() -> None:
    assert hours.hours(CALENDAR, date(2026, 12, 24)) == (DAY,)
    assert hours.hours(CALENDAR, date(2026, 12, 25)) == ()
    assert reason(CALENDAR, date(2026, 12, 25)) == "Christmas"
    assert reason(CALENDAR, date(2026, 12, 24)) is None


def test_a_stretch_after_midnight_belongs_to_the_day_before() -> None:
    friday_night = utc(2026, 7, 3, 23, 30)  # 01:30 on Saturday in Paris

    assert is_open(CALENDAR, PARIS, friday_night)
    assert not is_open(CALENDAR, PARIS, friday_night + 30 * MINUTE_MS)


@pytest.mark.parametrize(
    ("site", "day", "first", "last"),
    [
        (PARIS, date(2026, 3, 28), utc(2026, 3, 28, 19), utc(2026, 3, 29, 1)),  # 02:00 is skipped: 03:00 summer time
        (PARIS, date(2026, 3, 29), utc(2026, 3, 29, 18), utc(2026, 3, 30, 0)),
        (PARIS, date(2026, 10, 24), utc(2026, 10, 24, 18), utc(2026, 10, 25, 0)),  # the first of the two 02:00
        (PARIS, date(2026, 10, 25), utc(2026, 10, 25, 19), utc(2026, 10, 26, 1)),
        (REUNION, date(2026, 3, 28), utc(2026, 3, 28, 16), utc(2026, 3, 28, 22)),
        (REUNION, date(2026, 10, 24), utc(2026, 10, 24, 16), utc(2026, 10, 24, 22)),
        (MIQUELON, date(2026, 3, 7), utc(2026, 3, 7, 23), utc(2026, 3, 8, 5)),
        (MIQUELON, date(2026, 10, 31), utc(2026, 10, 31, 22), utc(2026, 11, 1, 5)),
    ],
)
def test_hours_are_those_of_the_wall_clock_on_both_nights_of_its_change(
    site: Site, day: date, first: int, last: int
) -> None:
    assert opened(EVERY_NIGHT, site, day) == [(first, last)]


# -- resets ----------------------------------------------------------------------------------------------------------

THURSDAY = date(2026, 7, 2)
SEVEN = utc(2026, 7, 2, 17)  # 19:00 in Paris: closing at 18:00 and an hour


def test_a_reset_is_due_when_the_watermark_has_passed_the_minute_of_closing_and_grace() -> None:
    known = {reset_id("louvre", THURSDAY - timedelta(days=1))}

    just_before = due_reset(PARIS, CALENDAR, SEVEN + MINUTE_MS - 1, known)
    due = due_reset(PARIS, CALENDAR, SEVEN + MINUTE_MS, known)

    assert just_before is None
    assert due is not None
    assert (due.day, due.at_ms, due.start_ms, due.overdue) == (THURSDAY, SEVEN, utc(2026, 7, 2, 0), False)
    assert due.event_id == reset_id("louvre", THURSDAY)


def test_a_reset_that_was_written_is_not_due_again() -> None:
    known = {reset_id("louvre", THURSDAY), reset_id("louvre", THURSDAY - timedelta(days=1))}

    assert due_reset(PARIS, CALENDAR, SEVEN + HOUR_MS, known) is None


def test_yesterdays_reset_is_made_good_before_todays() -> None:
    due = due_reset(PARIS, CALENDAR, SEVEN + HOUR_MS, ())

    assert due is not None
    assert (due.day, due.overdue) == (THURSDAY - timedelta(days=1), True)


def test_a_reset_comes_at_the_latest_with_the_end_of_the_business_day() -> None:
    friday = date(2026, 7, 3)  # closes at 02:00, when its business day ends

    assert empty_from(CALENDAR, PARIS, friday) == utc(2026, 7, 4, 0) - 1


def test_a_closed_day_has_no_reset_and_a_site_without_calendar_or_watermark_neither() -> None:
    assert empty_from(CALENDAR, PARIS, date(2026, 12, 25)) is None
    assert due_reset(PARIS, None, SEVEN + HOUR_MS, ()) is None
    assert due_reset(PARIS, CALENDAR, None, ()) is None


@given(watermark_ms=st.integers(utc(2026, 1, 1), utc(2027, 1, 1)))
def test_a_reset_is_never_due_before_its_time_and_lies_in_its_business_day(watermark_ms: int) -> None:
    due = due_reset(PARIS, EVERY_NIGHT, watermark_ms, ())

    assert due is not None
    assert due.at_ms < watermark_ms
    assert due.start_ms <= due.at_ms < due.start_ms + 25 * HOUR_MS


def test_sites_and_days_have_resets_of_their_own() -> None:
    ids = {reset_id(site, THURSDAY + timedelta(days=n)) for site in ("louvre", "orsay") for n in range(3)}

    assert len(ids) == 6


# -- files -----------------------------------------------------------------------------------------------------------

GOOD = """site = "louvre"
time_zone = "Europe/Paris"
grace_min = 45

[week]
tuesday = ["10:00-18:00"]
friday = ["20:00-01:30", "10:00-18:00"]

[[exceptions]]
date = 2026-12-25
hours = []
reason = "Christmas"

[[exceptions]]
date = "2026-07-14"
hours = ["12:00-24:00"]
reason = "fête nationale"
"""
SITES = {"louvre": PARIS}


def checked(folder: Path, text: str) -> calendar_files.Checked:
    file = folder / "hours.toml"
    file.write_text(text, encoding="utf-8")
    return calendar_files.check([file], SITES)


def test_a_calendar_file_is_read_as_it_is_meant(tmp_path: Path) -> None:
    found = checked(tmp_path, GOOD)

    assert found.faults == ()
    (calendar,) = found.calendars
    assert calendar.grace_min == 45
    assert calendar.week == ((), (DAY,), (), (), (DAY, Stretch(1_200, 1_530)), (), ())
    assert calendar.exceptions == (
        ExceptionalDay(date(2026, 7, 14), (Stretch(720, 1_440),), "fête nationale"),
        CHRISTMAS,
    )


def test_a_calendar_goes_through_its_topic_and_its_table_unchanged(tmp_path: Path) -> None:
    (calendar,) = checked(tmp_path, GOOD).calendars

    assert calendar_topic.decode(calendar_topic.encode(calendar, utc(2026, 7, 1))) == calendar
    assert calendars.calendar(calendars.table(calendar), PARIS) == calendar


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ('"20:00-01:30", "10:00', '"10:00-18:00", "17:59', 7, "10:00-18:00 and 17:59-18:00 overlap"),
        ('["10:00-18:00"]\nfriday', '["18:00-10:00"]\nfriday', 6, "closes before it opens"),
        ('["10:00-18:00"]\nfriday', '["20:00-02:01"]\nfriday', 6, "business day ends at 02:00"),
        ('["10:00-18:00"]\nfriday', '["01:00-18:00"]\nfriday', 6, "opens before the site's business day begins"),
        ('["10:00-18:00"]\nfriday', '["10:00-10:00"]\nfriday', 6, "is no time at all"),
        ('["10:00-18:00"]\nfriday', '["10-18"]\nfriday', 6, "'10-18' is no stretch of time"),
        ('["10:00-18:00"]\nfriday', '"10:00-18:00"\nfriday', 6, 'write open stretches such as ["10:00-12:30"'),
        ("tuesday", "tusday", 6, "is no weekday; write tuesday"),
        ("grace_min = 45", "grace_min = -1", 3, "whole minutes from 0 to 720"),
        ("grace_min", "grace", 3, "is no key of a calendar; write grace_min"),
        ('site = "louvre"', 'site = "loeuvre"', 1, "'loeuvre' is no site that is known"),
        ("Europe/Paris", "Europe/Pariss", 2, "write an IANA time zone"),
        ("Europe/Paris", "Europe/London", 2, 'write "Europe/Paris" or remove it'),
        ('date = "2026-07-14"', "date = 2026-12-25", 15, "2026-12-25 stands twice"),
        ('date = "2026-07-14"', 'date = "2026-02-30"', 15, "'2026-02-30' is no day"),
        ('reason = "Christmas"\n', "", 9, "reason is missing"),
        ('reason = "Christmas"', 'reason = " "', 12, "say why the day is another one"),
        ("hours = []\n", "", 9, "hours is missing"),
        ("[week]", "[weak]", 1, "week is missing"),
    ],
)
def test_a_fault_is_named_by_line_and_fix_and_the_calendar_left_out(
    tmp_path: Path, old: str, new: str, line: int, said: str
) -> None:
    assert old in GOOD

    found = checked(tmp_path, GOOD.replace(old, new, 1))

    assert found.calendars == ()
    assert any(fault.line == line and said in str(fault) for fault in found.faults), list(map(str, found.faults))


def test_two_files_for_one_site_are_a_fault(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text(GOOD)

    found = calendar_files.check([tmp_path], SITES)

    assert "another file has this site's calendar" in str(found.faults[0])


SITE_FILE = """id = "louvre"
org = "louvre"
name = "Louvre"
time_zone = "Europe/Paris"
business_day_end = "02:00"
error_share = 0.03

[[gates]]
id = "north"
name = "North"
error_share = 0.01

[calendar.week]
friday = ["10:00-01:00"]

[[calendar.exceptions]]
date = 2026-12-25
hours = []
reason = "Christmas"
"""


def test_a_sites_file_may_hold_its_calendar_and_error_shares(tmp_path: Path) -> None:
    (tmp_path / "louvre.toml").write_text(SITE_FILE)

    found = files.sound([tmp_path])

    (site,) = found.sites
    (calendar,) = found.calendars
    assert (site.error_share, site.gates[0].error_share) == (0.03, 0.01)
    assert calendar == replace(CALENDAR, week=((), (), (), (), (Stretch(600, 1_500),), (), ()))
    assert layout.table(site)["gates"][0]["error_share"] == 0.01


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"10:00-01:00"', '"10:00-03:00"', "louvre.toml:14: calendar.week.friday"),
        ("error_share = 0.03", "error_share = 3", "louvre.toml:6: error_share = 3 is not right; write a share"),
        ("error_share = 0.01", "error_share = -0.1", "louvre.toml:11: gates.0.error_share"),
        ("[[calendar.exceptions]]", "[[calendar.exeptions]]", "write exceptions"),
    ],
)
def test_a_fault_of_the_calendar_in_a_sites_file_is_named_by_its_line(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    (tmp_path / "louvre.toml").write_text(SITE_FILE.replace(old, new))

    found = files.check([tmp_path])

    assert not found.sites
    assert not found.calendars
    assert any(said in str(fault) for fault in found.faults), list(map(str, found.faults))
