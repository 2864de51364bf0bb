"""How far a site's input is complete."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.watermark import advance, is_credible, of_site

MINUTE = 60_000
HOUR = 60 * MINUTE
NOW = 1_784_000_000_000
times = st.integers(NOW - 100 * HOUR, NOW + 100 * HOUR)
perhaps = st.none() | times


def test_the_watermark_is_two_minutes_behind_the_greatest_event() -> None:
    assert advance(None, NOW, NOW, replay=False) == NOW - 2 * MINUTE


def test_a_late_event_does_not_move_it() -> None:
    assert advance(NOW - 2 * MINUTE, NOW - HOUR, NOW, replay=False) == NOW - 2 * MINUTE


@pytest.mark.parametrize("greatest_ms", [None, NOW - HOUR])
def test_an_idle_live_site_follows_the_time_of_day_by_five_minutes(greatest_ms: int | None) -> None:
    assert advance(NOW - HOUR, greatest_ms, NOW, replay=False) == NOW - 5 * MINUTE


def test_a_replay_site_follows_only_its_events() -> None:
    greatest_ms = NOW - 9_000 * HOUR

    assert advance(None, greatest_ms, NOW, replay=True) == greatest_ms - 2 * MINUTE


def test_a_replay_site_that_was_never_heard_has_none() -> None:
    assert advance(None, None, NOW, replay=True) is None


def test_a_live_site_that_was_never_heard_has_one() -> None:
    assert advance(None, None, NOW, replay=False) == NOW - 5 * MINUTE


def test_a_clock_that_goes_back_does_not_take_it_along() -> None:
    stood_ms = advance(None, None, NOW, replay=False)

    assert advance(stood_ms, None, NOW - HOUR, replay=False) == stood_ms


@given(steps=st.lists(st.tuples(perhaps, times), min_size=1), replay=st.booleans())
def test_it_never_falls_whatever_is_heard_and_whatever_time_it_is(
    steps: list[tuple[int | None, int]], replay: bool
) -> None:
    stood_ms = None
    for greatest_ms, now_ms in steps:
        moved_ms = advance(stood_ms, greatest_ms, now_ms, replay=replay)
        assert stood_ms is None or (moved_ms is not None and moved_ms >= stood_ms)
        stood_ms = moved_ms


@given(heard=st.lists(times, min_size=1), now_ms=times, replay=st.booleans(), shuffle=st.randoms())
def test_the_order_in_which_events_are_heard_does_not_matter(
    heard: list[int], now_ms: int, replay: bool, shuffle: random.Random
) -> None:
    def after(times_ms: list[int]) -> int | None:
        stood_ms = None
        for at_ms in times_ms:
            stood_ms = advance(stood_ms, at_ms, now_ms, replay=replay)
        return stood_ms

    assert after(shuffle.sample(heard, len(heard))) == after(heard) == advance(None, max(heard), now_ms, replay=replay)


@pytest.mark.parametrize(
    ("ahead_ms", "replay", "credible"),
    [(0, False, True), (5 * MINUTE, False, True), (5 * MINUTE + 1, False, False), (9_000 * HOUR, True, True)],
)
def test_a_time_is_credible_up_to_five_minutes_ahead_of_receipt(ahead_ms: int, replay: bool, credible: bool) -> None:
    assert is_credible(NOW + ahead_ms, NOW, replay=replay) is credible


FAR = 4_000_000_000_000


@pytest.mark.parametrize("stood_ms", [None, NOW - HOUR, FAR - 2 * MINUTE], ids=["none", "an hour ago", "moved before"])
def test_a_receipt_that_has_not_come_moves_no_live_site_and_what_it_moved_before_is_not_believed(
    stood_ms: int | None,
) -> None:
    assert of_site(stood_ms, FAR, FAR, NOW, replay=False) == NOW - 5 * MINUTE


def test_a_site_goes_by_its_events_and_a_replayed_one_by_nothing_else() -> None:
    assert of_site(None, NOW + MINUTE, NOW, NOW, replay=False) == NOW - MINUTE
    assert of_site(NOW, FAR, FAR, NOW, replay=True) == FAR - 2 * MINUTE
    assert of_site(NOW, None, None, NOW, replay=True) is None
