"""What a site's other families say today: which hours belong to the day, and which minute's zones are shown."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.days import bounds
from streams.core.now import Day
from streams.core.sites import Zone
from streams.core.today import METRICS, PRESENCE_MINUTES, devices, shown_minute, summed, told, zones

MINUTE_MS = 60_000
AT_1430 = round(datetime(2015, 2, 2, 14, 30, tzinfo=UTC).timestamp() * 1000)
LAST = AT_1430 // MINUTE_MS - 1  # 14:29
NAMED = (Zone("nave", "Nave"), Zone("crypt", "Crypt"))


def day_in(zone: str, end_hour: int = 0) -> Day:
    on = date(2015, 2, 2)
    return Day(on, *bounds(on, zone, end_hour))


# -- hours -----------------------------------------------------------------------------------------------------------


def test_a_utc_hour_belongs_to_the_day_that_contains_its_start() -> None:
    # Marquesas, UTC−9:30: the day begins at 09:30 UTC.
    #   09:00    10:00           next day 09:00    10:00
    #     [--------)[-------- … ----------)[---------)
    #         ^ day begins                    ^ day ends
    hours = day_in("Pacific/Marquesas").own_hours()

    assert (hours[0], hours[-1], len(hours)) == ("2015-02-02T10", "2015-02-03T09", 24)


def test_a_day_that_begins_on_the_hour_owns_all_hours_that_it_touches() -> None:
    paris = day_in("Europe/Paris", 3)

    assert paris.own_hours() == list(paris.hours())


@given(st.integers(-30, 400), st.sampled_from(["Pacific/Marquesas", "Asia/Kathmandu", "Europe/Paris"]))
def test_every_hour_belongs_to_exactly_one_day(after: int, zone: str) -> None:
    first = date.fromordinal(date(2015, 1, 1).toordinal() + after)
    days = [date.fromordinal(first.toordinal() + place) for place in range(3)]

    owned = [hour for on in days for hour in Day(on, *bounds(on, zone, 0)).own_hours()]

    starts = [datetime.fromisoformat(f"{hour}:00+00:00").timestamp() for hour in owned]
    assert starts == list(range(int(starts[0]), int(starts[0]) + 3600 * len(starts), 3600))


# -- sums ------------------------------------------------------------------------------------------------------------


def test_hours_of_other_days_and_metrics_of_newer_agents_are_left_out() -> None:
    counts = {
        "2015-02-02T09": {"actions": 1},
        "2015-02-02T10": {"actions": 2, "actions_view": 2, "unheard_of": 9},
        "2015-02-02T11": {"actions": 4, "social_posts": 3},
    }

    sums = summed(counts, ["2015-02-02T10", "2015-02-02T11", "2015-02-02T12"])

    assert sums == dict.fromkeys(METRICS, 0) | {"actions": 6, "social_posts": 3}


def test_the_mean_is_of_those_who_rated_and_nobodys_is_none() -> None:
    sums = dict.fromkeys(METRICS, 0) | {"guestbook_entries": 9, "guestbook_ratings": 3, "guestbook_rating_sum": 13}

    assert told(sums)["voice"] == {"entries": 9, "ratings": 3, "mean_rating": 4.33, "posts": 0}
    assert told(dict.fromkeys(METRICS, 0))["voice"] == {"entries": 0, "ratings": 0, "mean_rating": None, "posts": 0}


# -- zones -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "shown"),
    [
        ([LAST, LAST - 1], LAST),
        ([LAST + 1, LAST - 3], LAST - 3),  # the minute that runs is not full
        ([LAST - PRESENCE_MINUTES + 1], LAST - PRESENCE_MINUTES + 1),
        ([LAST - PRESENCE_MINUTES], None),
        ([], None),
    ],
)
def test_the_last_full_minute_is_shown_or_the_latest_with_somebody_in_a_quarter_of_an_hour(
    seen: list[int], shown: int | None
) -> None:
    assert shown_minute({("nave", minute): 1 for minute in seen}, AT_1430) == shown


def test_zones_stand_in_the_order_of_the_file_and_unnamed_ones_behind_with_their_ids() -> None:
    presence = {("tower", LAST): 2, ("crypt", LAST): 5, ("nave", LAST - 1): 7}

    assert zones(presence, LAST, NAMED) == [
        {"zone_id": "nave", "name": "Nave", "sessions": 0},
        {"zone_id": "crypt", "name": "Crypt", "sessions": 5},
        {"zone_id": "tower", "name": "tower", "sessions": 2},
    ]


def test_where_nothing_was_measured_no_zone_is_said_to_be_empty() -> None:
    assert zones({}, None, NAMED) == []


# -- devices ---------------------------------------------------------------------------------------------------------


def test_a_device_has_both_times_of_its_last_sign_of_life() -> None:
    signs = {("b", "occurred_ms"): 1, ("b", "received_ms"): 2, ("a|x", "occurred_ms"): 3}

    assert devices(signs) == [
        {"device_id": "a|x", "occurred_ms": 3, "received_ms": None},
        {"device_id": "b", "occurred_ms": 1, "received_ms": 2},
    ]
