"""How far lost state is counted again: one share over all that is read again, whatever was done first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.rebuilding import Progress, Rebuild, progress

SCANS = Rebuild(10, 110, 1_000, 9_000, 9_000)
WEB = Rebuild(0, 300, 2_000, 9_500, 9_400)


@pytest.mark.parametrize(
    ("applied", "left"), [(None, 100), (9, 100), (10, 99), (108, 1), (109, 0), (5_000, 0), (-1, 100)]
)
def test_what_is_left_is_what_lies_between_the_fence_and_the_end_that_the_log_had(
    applied: int | None, left: int
) -> None:
    assert SCANS.left(applied) == left


def test_several_rebuilds_are_told_as_one() -> None:
    found = progress({(3, "scans"): (SCANS, 50), (5, "web"): (WEB, 0)}, frozenset({3}))

    assert found == Progress(1_000, 9_500, 9_000, 1 - 50 / 400, 50, (3,))


def test_nothing_is_told_when_nothing_is_rebuilt() -> None:
    assert progress({}, frozenset()) is None
    assert progress({(3, "scans"): (SCANS, 0)}, frozenset()) is None


@given(
    applied=st.lists(st.tuples(st.integers(-5, 200), st.integers(0, 50)), min_size=1, max_size=6),
    first=st.integers(0, 100),
)
def test_a_share_lies_between_nought_and_one_and_never_falls_while_fences_rise(
    applied: list[tuple[int, int]], first: int
) -> None:
    rebuild = Rebuild(first, first + 100, 0, 1, 1)

    def share(fences: list[int]) -> float:
        parts = {(place, "scans"): (rebuild, rebuild.left(fence)) for place, fence in enumerate(fences)}
        found = progress(parts, frozenset(range(len(fences))))
        assert found is not None
        return found.share

    before = share([fence for fence, _ in applied])
    after = share([fence + more for fence, more in applied])
    assert 0 <= before <= after <= 1
