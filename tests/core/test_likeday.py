"""Like days, without any store: which days are alike, and how far one had come by a time of day."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis.strategies import dictionaries, integers

from streams.core.calendar import Calendar, ExceptionalDay, Stretch
from streams.core.likeday import Recorded, candidates, change, excluded, instant_of, minute_of

TUESDAY = date(2026, 11, 24)
WEEK_EARLIER = date(2026, 11, 17)
EVERY_DAY = ((Stretch(600, 1080),),) * 7


def test_a_like_day_is_the_same_weekday_of_the_last_four_weeks_the_latest_first() -> None:
    days = candidates(TUESDAY)

    assert [day.isoformat() for day in days] == ["2026-11-17", "2026-11-10", "2026-11-03", "2026-10-27"]
    assert {day.weekday() for day in days} == {TUESDAY.weekday()}


def test_a_day_that_the_calendar_calls_exceptional_is_like_no_other() -> None:
    closed = ExceptionalDay(WEEK_EARLIER, (), "strike")
    calendar = Calendar("museum", EVERY_DAY, (closed, ExceptionalDay(date(2026, 11, 11), (), "Armistice")))

    assert WEEK_EARLIER not in candidates(TUESDAY, calendar)
    assert excluded(TUESDAY, calendar) == [WEEK_EARLIER]
    assert excluded(TUESDAY, None) == []


def test_who_came_in_the_minute_itself_is_not_counted_yet() -> None:
    # 09:00   10:00   10:01
    #   3       2       4
    day = Recorded(WEEK_EARLIER, [540, 600, 601], [3, 2, 4], [0, 1, 0])

    assert [day.entries_until(minute) for minute in (0, 540, 541, 600, 601, 602, 1500)] == [0, 0, 3, 3, 5, 9, 9]


@given(came=dictionaries(integers(0, 2000), integers(0, 50)), until=integers(0, 2100))
def test_the_sum_until_a_minute_is_that_of_all_minutes_before_it(came: dict[int, int], until: int) -> None:
    minutes = sorted(came)
    day = Recorded(WEEK_EARLIER, minutes, [came[minute] for minute in minutes], [0] * len(minutes))

    assert day.entries_until(until) == sum(people for minute, people in came.items() if minute < until)
    assert sum(one.entries for one in day.bins()) == sum(came.values())


def test_quarter_hours_go_on_where_nobody_passes_and_nobody_is_fewer_than_nobody() -> None:
    day = Recorded(WEEK_EARLIER, [541, 600], [3, 0], [0, 5])

    assert [(one.start_min, one.entries, one.exits, one.inside) for one in day.bins()] == [
        (540, 3, 0, 3),
        (555, 0, 0, 3),
        (570, 0, 0, 3),
        (585, 0, 0, 3),
        (600, 0, 5, 0),
    ]


def test_a_time_of_day_is_the_wall_clocks_also_after_midnight_and_after_the_clock_change() -> None:
    half_past_one = 1_795_825_800_000  # 2026-11-28T00:30Z

    assert minute_of(half_past_one, date(2026, 11, 27), "Europe/Paris") == 25 * 60 + 30
    # The night of the change has an hour more; noon is noon all the same.
    noon = instant_of(720, date(2026, 10, 25), "Europe/Paris")
    assert minute_of(noon, date(2026, 10, 25), "Europe/Paris") == 720
    assert noon - instant_of(0, date(2026, 10, 25), "Europe/Paris") == 13 * 3_600_000


@pytest.mark.parametrize(("now", "then", "share"), [(106, 100, 0.06), (0, 50, -1.0), (7, 0, None)])
def test_a_change_is_a_share_of_what_was_and_none_of_nothing(now: int, then: int, share: float | None) -> None:
    assert change(now, then) == pytest.approx(share)
