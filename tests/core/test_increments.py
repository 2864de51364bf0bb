"""The algebra of live state: adds and maxima commute, so cutting and order change nothing."""

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from streams.core.increments import Increments, merge, split

NOTHING = Increments()
cell = st.tuples(
    st.sampled_from(["louvre", "gym"]), st.sampled_from(["c:{}:k", "d:{}:k"]), st.sampled_from(["in", "out"])
)
amounts = st.dictionaries(cell, st.integers(-1000, 1000), max_size=8)
members = st.dictionaries(cell, st.frozensets(st.sampled_from("abcdef"), min_size=1), max_size=8)
facts = st.dictionaries(cell, st.just("said"), max_size=8)
lines = st.dictionaries(
    cell, st.frozensets(st.sampled_from("abcdef"), min_size=1).map(sorted).map("\n".join), max_size=8
)
increments = st.builds(Increments, amounts, amounts, members, lines, facts, amounts)


@given(parts=st.lists(increments, max_size=6), seed=st.integers())
def test_the_order_of_batches_does_not_matter(parts: list[Increments], seed: int) -> None:
    shuffled = random.Random(seed).sample(parts, len(parts))

    assert merge(shuffled) == merge(parts)


@given(parts=st.lists(increments, max_size=6), at=st.integers(0, 6))
def test_how_batches_are_grouped_does_not_matter(parts: list[Increments], at: int) -> None:
    assert merge([merge(parts[:at]), merge(parts[at:])]) == merge(parts)


@given(one=increments)
def test_a_batch_without_effect_changes_nothing(one: Increments) -> None:
    assert merge([NOTHING, one, NOTHING]) == one


@given(one=increments, other=increments)
def test_adds_are_summed_and_maxima_keep_the_greater(one: Increments, other: Increments) -> None:
    merged = merge([one, other])

    assert merged.adds == {
        key: one.adds.get(key, 0) + other.adds.get(key, 0) for key in one.adds.keys() | other.adds.keys()
    }
    assert merged.maxima == {
        key: max(part.maxima[key] for part in (one, other) if key in part.maxima)
        for key in one.maxima.keys() | other.maxima.keys()
    }


@given(one=increments, other=increments)
def test_merging_leaves_the_parts_as_they_were(one: Increments, other: Increments) -> None:
    before = (dict(one.adds), dict(one.maxima), dict(other.adds), dict(other.maxima))

    merge([one, other])

    assert (one.adds, one.maxima, other.adds, other.maxima) == before


@given(one=increments)
def test_all_but_an_add_are_idempotent(one: Increments) -> None:
    assert replace(merge([one, one]), adds={}) == replace(one, adds={})


@given(whole=increments)
def test_each_site_goes_whole_to_its_home_and_nothing_is_lost(whole: Increments) -> None:
    parts = split(whole, {"louvre": 3, "gym": 5}.__getitem__)

    assert merge(parts.values()) == whole
    assert {home: part.sites for home, part in parts.items()} == {
        home: {site} for site, home in (("louvre", 3), ("gym", 5)) if site in whole.sites
    }


@given(whole=increments)
def test_size_is_the_number_of_cells_and_members_that_a_script_touches(whole: Increments) -> None:
    cells = len(whole.adds) + len(whole.maxima) + len(whole.facts) + len(whole.touches)
    sketched = sum(len(lines.splitlines()) for lines in whole.sketches.values())

    assert whole.size == cells + sum(map(len, whole.unions.values())) + sketched // 4
