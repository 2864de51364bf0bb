"""Device clocks: how far what a device says about time is believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.clocks import trust

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
NOW = 1_774_000_000_000


@pytest.mark.parametrize(
    ("skew_ms", "believed"),
    [
        (0, "SYNCED"),
        (5 * MINUTE_MS, "SYNCED"),
        (5 * MINUTE_MS + 1, "DRIFTING"),
        (DAY_MS, "DRIFTING"),
        (DAY_MS + 1, "UNSYNCED"),
    ],
)
def test_trust_falls_with_the_skew_and_a_bound_belongs_to_the_better_side(skew_ms: int, believed: str) -> None:
    assert trust(NOW - skew_ms, NOW) == believed


def test_a_device_that_does_not_say_when_it_sent_is_unknown() -> None:
    assert trust(None, NOW) == "UNKNOWN"


@given(skew_ms=st.integers(0, 10 * DAY_MS))
def test_a_clock_that_runs_ahead_is_believed_as_far_as_one_that_runs_behind(skew_ms: int) -> None:
    assert trust(NOW - skew_ms, NOW) == trust(NOW + skew_ms, NOW)
