"""What a site looks like now: its day, its line, and whether its figures may be believed."""

from collections import Counter
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.now import (
    QUARTER_MINUTES,
    QUARTER_MS,
    QUIET_AFTER_MS,
    STALE_AFTER_MS,
    Day,
    by_gate,
    current_day,
    quarters,
    state,
)
from streams.core.sites import Site

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
LIVE = Site("louvre", "louvre", "Louvre", "Europe/Paris", business_day_end_hour=2)
REPLAYED = Site("gym", "recordings", "Gym", "America/Toronto", replay=True)
# Ten in the morning in Paris.
NOW = round(datetime(2026, 7, 14, 8, 0, tzinfo=UTC).timestamp() * 1000)
DAY = Day(date(2026, 7, 14), NOW - 8 * HOUR_MS, NOW + 16 * HOUR_MS)

cells = st.dictionaries(
    st.tuples(
        st.sampled_from(["north", "south", "-"]),
        st.integers(DAY.start_ms // MINUTE_MS - 60, DAY.end_ms // MINUTE_MS + 60),
        st.sampled_from(["entries", "exits", "denied"]),
    ),
    st.integers(-20, 200),
    max_size=40,
)


def minute(after_start: int) -> int:
    """Epoch minute, counted from the day's start."""
    return DAY.start_ms // MINUTE_MS + after_start


# -- state -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("confirmed_ms", "received_ms", "said"),
    [
        (None, NOW, "stale"),
        (NOW - STALE_AFTER_MS - 1, NOW, "stale"),
        (NOW - STALE_AFTER_MS, NOW, "live"),
        (NOW, NOW - QUIET_AFTER_MS, "live"),
        (NOW, NOW - QUIET_AFTER_MS - 1, "quiet"),
        (NOW, None, "quiet"),
        (NOW - STALE_AFTER_MS - 1, None, "stale"),
    ],
)
def test_a_count_is_stale_before_it_is_quiet_and_live_up_to_either_bound(
    confirmed_ms: int | None, received_ms: int | None, said: str
) -> None:
    assert state(NOW, confirmed_ms, received_ms) == said
    assert state(NOW, confirmed_ms, received_ms, rebuilding=True) == "rebuilding"


# -- the day ---------------------------------------------------------------------------------------------------------


def test_a_live_sites_day_is_the_wall_clocks_whatever_its_last_event_says() -> None:
    found = current_day(LIVE, NOW - 72 * HOUR_MS, NOW)

    assert found.day == date(2026, 7, 14)
    assert found.start_ms <= NOW < found.end_ms


def test_a_replayed_sites_day_is_its_last_events() -> None:
    occurred_ms = round(datetime(2015, 2, 2, 18, 0, tzinfo=UTC).timestamp() * 1000)

    assert current_day(REPLAYED, occurred_ms, NOW).day == date(2015, 2, 2)


def test_a_replayed_site_that_never_said_anything_is_in_the_wall_clocks_day() -> None:
    assert current_day(REPLAYED, None, NOW).day == date(2026, 7, 14)


def test_the_hours_of_a_day_are_named_with_their_first_minute() -> None:
    named = current_day(LIVE, None, NOW).hours()

    # 02:00 in Paris is midnight UTC in summer.
    assert next(iter(named)) == "2026-07-14T00"
    assert list(named)[-1] == "2026-07-14T23"
    assert all(first == datetime.fromisoformat(f"{name}:00+00:00").timestamp() // 60 for name, first in named.items())


# -- gates and quarters ----------------------------------------------------------------------------------------------


@given(cells=cells)
def test_gates_sum_what_lies_within_the_day_and_nothing_else(cells: dict[tuple[str, int, str], int]) -> None:
    found = by_gate(cells, DAY)

    expected: Counter[tuple[str, str]] = Counter()
    for (gate, at, metric), people in cells.items():
        if DAY.start_ms <= at * MINUTE_MS < DAY.end_ms:
            expected[gate, metric] += people
    flat = {(gate, metric): people for gate, sums in found.items() for metric, people in sums.items() if people}
    assert flat == {key: people for key, people in expected.items() if people}


def test_a_scan_on_a_quarters_boundary_counts_in_the_next_quarter() -> None:
    # 00:00         00:15         00:30
    #   [-------------)[------------)
    #                  ^ entry
    line = quarters({("north", minute(15), "entries"): 1}, DAY, DAY.start_ms + 2 * QUARTER_MS - 1)

    assert [one["entries"] for one in line] == [0, 1]


def test_the_line_goes_from_the_days_start_to_the_quarter_that_has_begun() -> None:
    line = quarters({}, DAY, DAY.start_ms + QUARTER_MS)

    assert [one["start_ms"] for one in line] == [DAY.start_ms, DAY.start_ms + QUARTER_MS]


def test_the_line_ends_with_the_day() -> None:
    line = quarters({}, DAY, DAY.end_ms + 5 * HOUR_MS)

    assert line[-1]["start_ms"] == DAY.end_ms - QUARTER_MS


def test_a_line_that_has_not_begun_is_empty() -> None:
    assert quarters({}, DAY, DAY.start_ms - 1) == []


def test_the_level_carries_on_from_a_debt_although_the_line_never_shows_it() -> None:
    # exits 3 | entries 2 | entries 4: the raw level is -3, -1, 3
    moves = {
        ("north", minute(1), "exits"): 3,
        ("north", minute(16), "entries"): 2,
        ("north", minute(31), "entries"): 4,
    }

    line = quarters(moves, DAY, DAY.start_ms + 3 * QUARTER_MS - 1)

    assert [one["inside"] for one in line] == [0, 0, 3]


@given(cells=cells)
def test_the_line_holds_the_days_flow_and_ends_at_the_level_inside(cells: dict[tuple[str, int, str], int]) -> None:
    line = quarters(cells, DAY, DAY.end_ms - 1)

    totals = Counter[str]()
    for sums in by_gate(cells, DAY).values():
        totals.update(sums)
    assert len(line) == 24 * 4
    assert all(sum(one[metric] for one in line) == totals[metric] for metric in ("entries", "exits", "denied"))
    assert line[-1]["inside"] == max(0, totals["entries"] - totals["exits"])
    assert all(one["inside"] >= 0 for one in line)


@given(cells=cells)
def test_cells_of_quarters_say_the_same_as_those_of_minutes(cells: dict[tuple[str, int, str], int]) -> None:
    coarse = Counter[tuple[str, int, str]]()
    for (gate, at, metric), people in cells.items():
        coarse[gate, at - at % QUARTER_MINUTES, metric] += people

    assert by_gate(coarse, DAY) == by_gate(cells, DAY)
    assert quarters(coarse, DAY, DAY.end_ms - 1) == quarters(cells, DAY, DAY.end_ms - 1)
