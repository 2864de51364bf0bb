"""Which windows are due, and what is said about each."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.windows import (
    QUARTER_MS,
    Counts,
    Found,
    Publication,
    Said,
    coarser,
    decide,
    is_due,
    latest,
    quarters,
    total,
    within,
)

MINUTE = 60_000
HOUR = 60 * MINUTE
TEN = 1_784_016_000_000  # 2026-07-14 08:00 UTC, ten o'clock in Paris
MINUTE_OF_TEN = TEN // MINUTE
NOW = TEN + HOUR
FOUND = Found("louvre", TEN, {"north": Counts(5, 2)}, said=None, reserved=0, version=7, cause=1)
SAID = Said(NOW - 60_000, {"north": Counts(5, 2)})

counts = st.builds(Counts, st.integers(-9, 99), st.integers(-9, 99), st.integers(0, 9))
gates = st.dictionaries(st.sampled_from(["-", "north", "south"]), counts)


def published(found: Found, now_ms: int = NOW) -> Publication:
    publication = decide(found, now_ms)
    assert publication is not None
    return publication


# -- due -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("after_ms", "due"), [(-1, False), (0, True), (1, True)])
def test_a_window_is_final_when_the_watermark_is_fifteen_minutes_past_its_end(after_ms: int, due: bool) -> None:
    # 10:00             10:15             10:30
    #   [--- window -------)                 ^ watermark
    assert is_due(TEN, TEN + 30 * MINUTE + after_ms) is due


def test_a_site_without_a_watermark_has_no_finals() -> None:
    assert not is_due(TEN, None)


# -- first finals ----------------------------------------------------------------------------------------------------


def test_a_first_final_says_the_counts_and_neither_cause_nor_what_was_before() -> None:
    assert decide(FOUND, NOW) == Publication(
        "louvre", TEN, TEN + QUARTER_MS, NOW, cause=None, gates={"north": Counts(5, 2)}, before=None
    )


def test_a_first_final_is_said_though_all_of_its_scans_were_undone() -> None:
    assert published(replace(FOUND, gates={"north": Counts()}, cause=4)).gates == {"north": Counts()}


# -- revisions -------------------------------------------------------------------------------------------------------


def test_what_was_said_is_not_said_again() -> None:
    assert decide(replace(FOUND, said=SAID, reserved=SAID.revision), NOW) is None


@pytest.mark.parametrize(
    ("code", "cause"), [(1, "LATE"), (2, "CORRECTION"), (3, "DUPLICATE"), (4, "ANNULLED"), (0, "LATE")]
)
def test_a_revision_says_old_new_and_why(code: int, cause: str) -> None:
    found = replace(FOUND, gates={"north": Counts(6, 2)}, said=SAID, reserved=SAID.revision, cause=code)

    revised = published(found)

    assert (revised.before, revised.gates, revised.cause) == ({"north": Counts(5, 2)}, {"north": Counts(6, 2)}, cause)


def test_a_gate_that_is_new_in_a_revision_was_zero_before() -> None:
    found = replace(FOUND, gates={"north": Counts(5, 2), "south": Counts(1)}, said=SAID)

    assert published(found).before == {"north": Counts(5, 2), "south": Counts()}


def test_a_gate_that_is_gone_is_zero_now() -> None:
    assert published(replace(FOUND, gates={}, said=SAID)).gates == {"north": Counts()}


def test_a_gate_whose_late_scan_came_with_the_one_that_undoes_it_is_said_to_have_counted_nothing() -> None:
    found = replace(FOUND, gates={**SAID.gates, "south": Counts()}, said=SAID, reserved=SAID.revision, cause=4)

    assert published(found).gates["south"] == Counts()


def test_a_gate_that_is_gone_and_had_counted_nothing_is_no_reason_for_a_revision() -> None:
    said = replace(SAID, gates={**SAID.gates, "south": Counts()})

    assert decide(replace(FOUND, said=said, reserved=said.revision), NOW) is None


def test_a_publication_that_was_begun_and_not_confirmed_is_followed_by_another_though_nothing_differs() -> None:
    # said 5 · a visitor more · reserved, published 6 · killed · the visitor is annulled: 5 again, and the topic says 6
    found = replace(FOUND, said=SAID, reserved=SAID.revision + 10, cause=4)

    assert published(found).gates == SAID.gates
    assert published(found).revision > SAID.revision + 10


# -- revision numbers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reserved", "now_ms", "revision"),
    [(0, NOW, NOW), (NOW - 1, NOW, NOW), (NOW, NOW, NOW + 1), (NOW + 50, NOW, NOW + 51), (NOW, NOW - HOUR, NOW + 1)],
)
def test_a_number_is_the_time_of_day_unless_a_greater_one_was_used(reserved: int, now_ms: int, revision: int) -> None:
    assert published(replace(FOUND, reserved=reserved), now_ms).revision == revision


def test_a_store_that_forgot_its_reservation_reuses_no_number_that_it_confirmed() -> None:
    found = replace(FOUND, gates={}, said=Said(NOW + 5, FOUND.gates), reserved=0)

    assert published(found).revision == NOW + 6


@given(
    said=gates, found=gates, revision=st.integers(0, NOW * 2), begun=st.integers(0, 9), now_ms=st.integers(0, NOW * 2)
)
def test_once_confirmed_there_is_nothing_more_to_say(
    said: dict[str, Counts], found: dict[str, Counts], revision: int, begun: int, now_ms: int
) -> None:
    first = decide(Found("louvre", TEN, found, Said(revision, said), revision + begun, 1, 1), now_ms)

    if first is not None:
        assert first.revision > revision + begun
        confirmed = Said(first.revision, first.gates)
        assert decide(Found("louvre", TEN, found, confirmed, first.revision, 2, 1), now_ms + 1) is None
    else:
        assert total(found) == total(said)


def test_of_several_publications_the_greatest_revision_is_right_whatever_the_order() -> None:
    old, new, other = published(FOUND), published(FOUND, NOW + 1), published(replace(FOUND, site_id="gym"))

    expected = {("louvre", TEN): new, ("gym", TEN): other}
    assert latest([old, new, other]) == latest([new, other, old]) == expected


# -- sums ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minute", "entries"), [(-1, 0), (0, 1), (14, 1), (15, 0)])
def test_a_window_holds_its_first_minute_and_not_that_at_its_end(minute: int, entries: int) -> None:
    # 9:59  10:00             10:14  10:15
    #         [------------------------)
    cells = {("north", MINUTE_OF_TEN + minute, "entries"): 1}

    assert total(within(cells, TEN, TEN + QUARTER_MS)).entries == entries


def test_counts_are_per_gate_and_metrics_of_a_newer_agent_are_left_out() -> None:
    cells = {
        ("north", MINUTE_OF_TEN, "entries"): 3,
        ("north", MINUTE_OF_TEN + 1, "entries"): 2,
        ("north", MINUTE_OF_TEN, "exits"): 1,
        ("south", MINUTE_OF_TEN, "denied"): 4,
        ("south", MINUTE_OF_TEN, "wheelchairs"): 1,
    }

    assert within(cells, TEN, TEN + QUARTER_MS) == {"north": Counts(5, 1), "south": Counts(0, 0, 4)}
    assert total(within(cells, TEN, TEN + QUARTER_MS)) == Counts(5, 1, 4)


@given(
    cells=st.dictionaries(
        st.tuples(
            st.sampled_from(["north", "south"]),
            st.integers(MINUTE_OF_TEN - 90, MINUTE_OF_TEN + 90),
            st.sampled_from(["entries", "exits", "denied"]),
        ),
        st.integers(-5, 50),
    ),
    from_quarter=st.integers(-6, 6),
    length=st.integers(0, 12),
)
def test_coarser_windows_are_the_sum_of_their_minutes(
    cells: Mapping[tuple[str, int, str], int], from_quarter: int, length: int
) -> None:
    start_ms = TEN + from_quarter * QUARTER_MS
    end_ms = start_ms + length * QUARTER_MS

    assert coarser(quarters(cells), start_ms, end_ms) == within(cells, start_ms, end_ms)
    plain = sum(
        people
        for (_, minute, metric), people in cells.items()
        if start_ms <= minute * MINUTE < end_ms and metric == "entries"
    )
    assert total(coarser(quarters(cells), start_ms, end_ms)).entries == plain
