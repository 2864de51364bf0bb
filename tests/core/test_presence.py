"""How many sessions were seen in a zone in a minute: a set, whatever the order and however often."""

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streams.core import presence
from streams.core.increments import Increments, merge
from tests.core.families import AT, HOUR, MINUTE_MS, frame

fixes = st.lists(
    st.fixed_dictionaries(
        {
            "zone_id": st.sampled_from(["hall", "room|1"]),
            "session_pid": st.sampled_from(["a", "b", "c"]),
            "occurred_at": st.integers(AT - 3 * MINUTE_MS, AT + 3 * MINUTE_MS),
            "test": st.booleans(),
        }
    ),
    max_size=40,
)


def tallied(events: list[dict[str, Any]]) -> Increments:
    return presence.tally(frame(presence.COLUMNS, events), {})


def fix(session: str, zone: str = "hall", at_ms: int = AT, **more: Any) -> dict[str, Any]:
    return {"session_pid": session, "zone_id": zone, "occurred_at": at_ms, **more}


def test_sessions_of_a_zone_and_minute_are_a_set() -> None:
    # 08:20:00       08:21:00
    #   [--a--b--a----)[--a------
    found = tallied([fix("a"), fix("b"), fix("a", at_ms=AT + 10_000), fix("a", at_ms=AT + 30_000)])

    key = f"p:{{}}:louvre:{HOUR}"
    assert found.unions == {
        ("louvre", key, "hall|20"): frozenset({"a", "b"}),
        ("louvre", key, "hall|21"): frozenset({"a"}),
    }


def test_a_session_may_be_in_two_zones_within_a_minute() -> None:
    found = tallied([fix("a", "hall"), fix("a", "stairs")])

    assert {field for _, _, field in found.unions} == {"hall|20", "stairs|20"}


def test_a_trial_is_nobody() -> None:
    assert tallied([fix("a", test=True)]).size == 0


@given(events=fixes, cut=st.integers(0, 40), seed=st.integers())
def test_order_cutting_and_repeating_do_not_matter(events: list[dict[str, Any]], cut: int, seed: int) -> None:
    shuffled = random.Random(seed).sample(events, len(events))

    assert merge([tallied(shuffled[:cut]), tallied(shuffled[cut:]), tallied(events[:cut])]) == tallied(events)
