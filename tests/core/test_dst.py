"""Both nights of the clock change: business days, hours and quarter-hours against tables written by hand."""

from collections import Counter
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from streams.core.attendance import tally
from streams.core.days import HOUR_MS, bounds, business_day, hour_name, hours_between
from streams.core.sites import Site
from streams.core.windows import QUARTER_MS, Cells, coarser, quarters, total
from tests.core.live_model import LiveModel, Scan, frame

PLACES = {
    "Paris": ("Europe/Paris", 0),
    "Paris, closes at two": ("Europe/Paris", 2),
    "Paris, day ends at three": ("Europe/Paris", 3),
    "Réunion": ("Indian/Reunion", 0),
    "Réunion, closes at two": ("Indian/Reunion", 2),
    "Miquelon": ("America/Miquelon", 0),
    "Miquelon, closes at two": ("America/Miquelon", 2),
}

# place, business day, its start and end in UTC, hours, quarter-hours
DAYS = """
Paris                    | 2026-03-28 | 2026-03-27 23:00 | 2026-03-28 23:00 | 24 |  96
Paris                    | 2026-03-29 | 2026-03-28 23:00 | 2026-03-29 22:00 | 23 |  92
Paris                    | 2026-03-30 | 2026-03-29 22:00 | 2026-03-30 22:00 | 24 |  96
Paris                    | 2026-10-24 | 2026-10-23 22:00 | 2026-10-24 22:00 | 24 |  96
Paris                    | 2026-10-25 | 2026-10-24 22:00 | 2026-10-25 23:00 | 25 | 100
Paris                    | 2026-10-26 | 2026-10-25 23:00 | 2026-10-26 23:00 | 24 |  96
Paris, closes at two     | 2026-03-28 | 2026-03-28 01:00 | 2026-03-29 01:00 | 24 |  96
Paris, closes at two     | 2026-03-29 | 2026-03-29 01:00 | 2026-03-30 00:00 | 23 |  92
Paris, closes at two     | 2026-10-24 | 2026-10-24 00:00 | 2026-10-25 00:00 | 24 |  96
Paris, closes at two     | 2026-10-25 | 2026-10-25 00:00 | 2026-10-26 01:00 | 25 | 100
Paris, day ends at three | 2026-03-28 | 2026-03-28 02:00 | 2026-03-29 01:00 | 23 |  92
Paris, day ends at three | 2026-03-29 | 2026-03-29 01:00 | 2026-03-30 01:00 | 24 |  96
Paris, day ends at three | 2026-10-24 | 2026-10-24 01:00 | 2026-10-25 02:00 | 25 | 100
Paris, day ends at three | 2026-10-25 | 2026-10-25 02:00 | 2026-10-26 02:00 | 24 |  96
Réunion                  | 2026-03-29 | 2026-03-28 20:00 | 2026-03-29 20:00 | 24 |  96
Réunion                  | 2026-10-25 | 2026-10-24 20:00 | 2026-10-25 20:00 | 24 |  96
Réunion, closes at two   | 2026-03-29 | 2026-03-28 22:00 | 2026-03-29 22:00 | 24 |  96
Réunion, closes at two   | 2026-10-25 | 2026-10-24 22:00 | 2026-10-25 22:00 | 24 |  96
Miquelon                 | 2026-03-29 | 2026-03-29 02:00 | 2026-03-30 02:00 | 24 |  96
Miquelon                 | 2026-10-25 | 2026-10-25 02:00 | 2026-10-26 02:00 | 24 |  96
Miquelon, closes at two  | 2026-03-29 | 2026-03-29 04:00 | 2026-03-30 04:00 | 24 |  96
Miquelon, closes at two  | 2026-10-25 | 2026-10-25 04:00 | 2026-10-26 04:00 | 24 |  96
Miquelon                 | 2026-03-08 | 2026-03-08 03:00 | 2026-03-09 02:00 | 23 |  92
Miquelon                 | 2026-11-01 | 2026-11-01 02:00 | 2026-11-02 03:00 | 25 | 100
Miquelon, closes at two  | 2026-03-08 | 2026-03-08 05:00 | 2026-03-09 04:00 | 23 |  92
Miquelon, closes at two  | 2026-10-31 | 2026-10-31 04:00 | 2026-11-01 05:00 | 25 | 100
Miquelon, closes at two  | 2026-11-01 | 2026-11-01 05:00 | 2026-11-02 05:00 | 24 |  96
"""

# place, local time with its offset, business day, UTC hour, start of the quarter-hour in UTC
INSTANTS = """
Paris                    | 2026-03-28T23:59:59.999+01:00 | 2026-03-28 | 2026-03-28T22 | 2026-03-28 22:45
Paris                    | 2026-03-29T00:00:00.000+01:00 | 2026-03-29 | 2026-03-28T23 | 2026-03-28 23:00
Paris                    | 2026-03-29T01:59:59.999+01:00 | 2026-03-29 | 2026-03-29T00 | 2026-03-29 00:45
Paris                    | 2026-03-29T03:00:00.000+02:00 | 2026-03-29 | 2026-03-29T01 | 2026-03-29 01:00
Paris                    | 2026-03-29T03:14:59.999+02:00 | 2026-03-29 | 2026-03-29T01 | 2026-03-29 01:00
Paris                    | 2026-03-29T23:59:59.999+02:00 | 2026-03-29 | 2026-03-29T21 | 2026-03-29 21:45
Paris                    | 2026-03-30T00:00:00.000+02:00 | 2026-03-30 | 2026-03-29T22 | 2026-03-29 22:00
Paris                    | 2026-10-25T01:59:59.999+02:00 | 2026-10-25 | 2026-10-24T23 | 2026-10-24 23:45
Paris                    | 2026-10-25T02:30:00.000+02:00 | 2026-10-25 | 2026-10-25T00 | 2026-10-25 00:30
Paris                    | 2026-10-25T02:59:59.999+02:00 | 2026-10-25 | 2026-10-25T00 | 2026-10-25 00:45
Paris                    | 2026-10-25T02:00:00.000+01:00 | 2026-10-25 | 2026-10-25T01 | 2026-10-25 01:00
Paris                    | 2026-10-25T02:30:00.000+01:00 | 2026-10-25 | 2026-10-25T01 | 2026-10-25 01:30
Paris                    | 2026-10-25T03:00:00.000+01:00 | 2026-10-25 | 2026-10-25T02 | 2026-10-25 02:00
Paris                    | 2026-10-25T23:59:59.999+01:00 | 2026-10-25 | 2026-10-25T22 | 2026-10-25 22:45
Paris                    | 2026-10-26T00:00:00.000+01:00 | 2026-10-26 | 2026-10-25T23 | 2026-10-25 23:00
Paris, closes at two     | 2026-03-29T01:59:59.999+01:00 | 2026-03-28 | 2026-03-29T00 | 2026-03-29 00:45
Paris, closes at two     | 2026-03-29T03:00:00.000+02:00 | 2026-03-29 | 2026-03-29T01 | 2026-03-29 01:00
Paris, closes at two     | 2026-03-30T01:59:59.999+02:00 | 2026-03-29 | 2026-03-29T23 | 2026-03-29 23:45
Paris, closes at two     | 2026-10-25T01:59:59.999+02:00 | 2026-10-24 | 2026-10-24T23 | 2026-10-24 23:45
Paris, closes at two     | 2026-10-25T02:00:00.000+02:00 | 2026-10-25 | 2026-10-25T00 | 2026-10-25 00:00
Paris, closes at two     | 2026-10-25T02:00:00.000+01:00 | 2026-10-25 | 2026-10-25T01 | 2026-10-25 01:00
Paris, closes at two     | 2026-10-26T01:59:59.999+01:00 | 2026-10-25 | 2026-10-26T00 | 2026-10-26 00:45
Paris, closes at two     | 2026-10-26T02:00:00.000+01:00 | 2026-10-26 | 2026-10-26T01 | 2026-10-26 01:00
Réunion                  | 2026-03-28T23:59:59.999+04:00 | 2026-03-28 | 2026-03-28T19 | 2026-03-28 19:45
Réunion                  | 2026-03-29T00:00:00.000+04:00 | 2026-03-29 | 2026-03-28T20 | 2026-03-28 20:00
Réunion                  | 2026-03-29T02:30:00.000+04:00 | 2026-03-29 | 2026-03-28T22 | 2026-03-28 22:30
Réunion, closes at two   | 2026-10-25T01:59:59.999+04:00 | 2026-10-24 | 2026-10-24T21 | 2026-10-24 21:45
Réunion, closes at two   | 2026-10-25T02:00:00.000+04:00 | 2026-10-25 | 2026-10-24T22 | 2026-10-24 22:00
Miquelon                 | 2026-03-28T23:59:59.999-02:00 | 2026-03-28 | 2026-03-29T01 | 2026-03-29 01:45
Miquelon                 | 2026-03-29T00:00:00.000-02:00 | 2026-03-29 | 2026-03-29T02 | 2026-03-29 02:00
Miquelon                 | 2026-10-25T02:30:00.000-02:00 | 2026-10-25 | 2026-10-25T04 | 2026-10-25 04:30
Miquelon, closes at two  | 2026-10-25T01:59:59.999-02:00 | 2026-10-24 | 2026-10-25T03 | 2026-10-25 03:45
Miquelon, closes at two  | 2026-03-08T03:00:00.000-02:00 | 2026-03-08 | 2026-03-08T05 | 2026-03-08 05:00
Miquelon                 | 2026-11-01T01:30:00.000-02:00 | 2026-11-01 | 2026-11-01T03 | 2026-11-01 03:30
Miquelon                 | 2026-11-01T01:30:00.000-03:00 | 2026-11-01 | 2026-11-01T04 | 2026-11-01 04:30
"""

# What a clock on the wall shows at the start of each hour of the day.
WALL = {
    ("Paris", "2026-03-29"): "0 1 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23",
    ("Paris", "2026-10-25"): "0 1 2 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23",
    ("Paris, closes at two", "2026-03-29"): "3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 0 1",
    ("Paris, closes at two", "2026-10-25"): "2 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 0 1",
    ("Réunion", "2026-03-29"): "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23",
    ("Réunion", "2026-10-25"): "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23",
    ("Miquelon", "2026-03-29"): "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23",
    ("Miquelon", "2026-11-01"): "0 1 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23",
}


def rows(table: str) -> list[tuple[str, ...]]:
    return [tuple(cell.strip() for cell in line.split("|")) for line in table.strip().splitlines()]


def ms(utc: str) -> int:
    """Epoch ms of a UTC time."""
    return round(datetime.fromisoformat(utc).replace(tzinfo=UTC).timestamp() * 1000)


def scan(place: int, at_ms: int) -> Scan:
    return Scan(f"00000000-0000-4000-8000-{place:012x}", "museum", "north", at_ms, at_ms)


def counted(place: str, scans: list[Scan]) -> tuple[Cells, Counter[str]]:
    """Cells per minute of everything, and people per business day, as the live path counts them."""
    zone, end_hour = PLACES[place]
    model = LiveModel({"museum": Site("museum", "org", place, zone, business_day_end_hour=end_hour)})
    model.apply(tally(frame(scans), model.sites))
    hours = {one.occurred_at - one.occurred_at % HOUR_MS for one in scans}
    cells = {cell: people for at_ms in hours for cell, people in model.cells("museum", at_ms).items()}
    days = {key.rsplit(":", 1)[1]: one["entries"] for key, one in model.hashes.items() if key.startswith("d:")}
    return cells, Counter(days)


@pytest.mark.parametrize(("place", "day", "start", "end", "hours", "quarter_hours"), rows(DAYS))
def test_business_days_begin_and_end_where_the_table_says(
    place: str, day: str, start: str, end: str, hours: str, quarter_hours: str
) -> None:
    start_ms, end_ms = bounds(date.fromisoformat(day), *PLACES[place])

    assert (start_ms, end_ms) == (ms(start), ms(end))
    assert len(hours_between(start_ms, end_ms)) == int(hours)
    assert len(range(start_ms, end_ms, QUARTER_MS)) == int(quarter_hours)


@pytest.mark.parametrize(("place", "local", "day", "hour", "quarter"), rows(INSTANTS))
def test_an_instant_lies_in_the_day_hour_and_quarter_that_the_table_says(
    place: str, local: str, day: str, hour: str, quarter: str
) -> None:
    at_ms = round(datetime.fromisoformat(local).timestamp() * 1000)

    cells, days = counted(place, [scan(0, at_ms)])

    assert business_day(at_ms, *PLACES[place]).isoformat() == day
    assert days == {day: 1}
    assert hour_name(at_ms) == hour
    assert list(quarters(cells)) == [ms(quarter)]


@pytest.mark.parametrize(("place", "day"), WALL)
def test_a_clock_on_the_wall_shows_the_hours_that_the_table_says(place: str, day: str) -> None:
    zone, _ = PLACES[place]

    names = hours_between(*bounds(date.fromisoformat(day), *PLACES[place]))

    shown = [datetime.fromtimestamp(ms(f"{name}:00") / 1000, ZoneInfo(zone)).hour for name in names]
    assert shown == [int(hour) for hour in WALL[place, day].split()]


@pytest.mark.parametrize(("place", "day", "start", "end", "hours", "quarter_hours"), rows(DAYS))
def test_one_visitor_a_quarter_makes_four_an_hour_and_as_many_a_day_as_the_table_has_quarters(
    place: str, day: str, start: str, end: str, hours: str, quarter_hours: str
) -> None:
    #          start                              end
    #   day before )[ 1 | 1 | 1 | … 23 to 25 hours … | 1 )[ day after
    #              ^ one visitor a millisecond before     ^ one at the end
    visits = [*range(ms(start), ms(end), QUARTER_MS), ms(start) - 1, ms(end)]

    cells, days = counted(place, [scan(place, at_ms) for place, at_ms in enumerate(visits)])
    windows = quarters(cells)

    assert days[day] == int(quarter_hours)
    assert days.total() == int(quarter_hours) + 2
    inside = {at_ms: total(gates).entries for at_ms, gates in windows.items() if ms(start) <= at_ms < ms(end)}
    assert inside == dict.fromkeys(range(ms(start), ms(end), QUARTER_MS), 1)
    assert total(coarser(windows, *bounds(date.fromisoformat(day), *PLACES[place]))).entries == int(quarter_hours)
    by_hour = [total(coarser(windows, at, at + HOUR_MS)).entries for at in range(ms(start), ms(end), HOUR_MS)]
    assert by_hour == [4] * int(hours)
