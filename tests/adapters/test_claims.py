"""Claims: what was read, what the store holds, since when something waits."""

import pytest

from streams.adapters.claims import Claim


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("streams.adapters.claims.time.monotonic", lambda: now[0])
    return now


def test_the_clock_of_progress_starts_when_something_begins_to_wait(clock: list[float]) -> None:
    claim = Claim("topic", 3, next=10, applied=9)

    clock[0] += 3600  # a quiet night
    claim.extend(10)

    assert claim.backlog == 1
    assert clock[0] - claim.progress_s == 0


def test_more_records_behind_a_waiting_one_do_not_hide_how_long_it_waits(clock: list[float]) -> None:
    claim = Claim("topic", 3, next=10, applied=9)
    claim.extend(10)

    clock[0] += 50
    claim.extend(20)

    assert clock[0] - claim.progress_s == 50


def test_a_moment_is_confirmed_once_everything_until_then_is_applied() -> None:
    claim = Claim("topic", 3, next=10, applied=9)
    claim.extend(12)
    claim.behind_from, claim.complete_at_ms = 13, 5_000

    claim.advance(11)
    before = claim.confirmed_ms
    claim.advance(12)

    assert (before, claim.confirmed_ms) == (None, 5_000)
