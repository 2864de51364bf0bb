"""What guestbook entries and posts do to the counts of hours, and which site a post is about."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core import voice
from streams.core.increments import merge
from streams.core.sites import Site
from tests.core.families import AT, HOUR, HOUR_MS, frame

SITES = {
    name: Site(name, "recordings", name, "Europe/London", handles=handles)
    for name, handles in {
        "tate": ("tate",),
        "tate-liverpool": ("tateliverpool",),
        "british-museum": ("britishmuseum", "bm_friends"),
        "quiet": (),
    }.items()
}
entries = st.lists(
    st.fixed_dictionaries(
        {
            "site_id": st.sampled_from(["louvre", "gym"]),
            "occurred_at": st.integers(AT - 3 * HOUR_MS, AT + 3 * HOUR_MS),
            "rating": st.none() | st.integers(1, 5),
            "test": st.booleans(),
        }
    ),
    max_size=40,
)


def entered(*events: dict[str, Any]) -> dict[tuple[str, str, str], int]:
    return voice.tally_guestbook(frame(voice.GUESTBOOK_COLUMNS, events), {}).adds


def placed(text: str) -> str:
    return voice.place({"text": text}, SITES)


def test_an_entry_counts_and_its_rating_adds_up() -> None:
    adds = entered({"text": "Magnifique", "rating": 5}, {"text": "Bien", "rating": 2}, {"text": "Froid"})

    key = f"n:{{}}:louvre:{HOUR}"
    assert adds == {
        ("louvre", key, "guestbook_entries"): 3,
        ("louvre", key, "guestbook_ratings"): 2,
        ("louvre", key, "guestbook_rating_sum"): 7,
    }


def test_an_entry_without_a_rating_is_none_of_zero() -> None:
    assert {name for _, _, name in entered({"text": "Beau"})} == {"guestbook_entries"}


def test_an_entry_on_the_hour_counts_in_the_hour_that_begins() -> None:
    full = AT - AT % HOUR_MS

    adds = entered({"text": "a", "occurred_at": full}, {"text": "b", "occurred_at": full - 1})

    assert {key for _, key, _ in adds} == {f"n:{{}}:louvre:{HOUR}", "n:{}:louvre:2026-07-14T07"}


def test_a_trial_counts_nowhere_and_is_no_sign_of_life() -> None:
    found = voice.tally_guestbook(frame(voice.GUESTBOOK_COLUMNS, [{"text": "x", "test": True}]), {})

    assert found.size == 0


@given(events=entries, cut=st.integers(0, 40), seed=st.integers())
def test_order_and_cutting_do_not_matter(events: list[dict[str, Any]], cut: int, seed: int) -> None:
    shuffled = random.Random(seed).sample(events, len(events))

    def tallied(some: list[dict[str, Any]]) -> Any:
        return voice.tally_guestbook(frame(voice.GUESTBOOK_COLUMNS, some), {})

    assert merge([tallied(shuffled[:cut]), tallied(shuffled[cut:])]) == tallied(events)


def test_a_post_counts_at_its_site() -> None:
    found = voice.tally_posts(
        frame(voice.POST_COLUMNS, [{"text": "@louvre"}, {"text": "@louvre", "site_id": "gym"}]), {}
    )

    assert sorted(found.adds.values()) == [1, 1]
    assert found.sites == {"louvre", "gym"}


@pytest.mark.parametrize(
    ("text", "site"),
    [
        ("Off to @tate today", "tate"),
        ("Off to @TATE!", "tate"),
        ("@tateliverpool is not there", "tate-liverpool"),
        ("first @BritishMuseum, then @tate", "british-museum"),
        ("with @somebody to @tate", "tate"),
        (".@bm_friends: hello", "british-museum"),
        ("write to info@tate.org.uk", "unplaced"),
        ("tate without a sign", "unplaced"),
        ("@tatemodern", "unplaced"),
        ("@quiet", "unplaced"),
        ("", "unplaced"),
    ],
)
def test_a_post_belongs_to_the_first_site_that_claims_an_account_it_names(text: str, site: str) -> None:
    assert placed(text) == site


def test_a_post_without_text_is_unplaced() -> None:
    assert voice.place({}, SITES) == "unplaced"
