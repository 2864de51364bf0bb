"""Which events were counted already: an event counts at its first appearance, however the stream is cut."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.seen import Gathered, fresh, gather

HOUR_MS = 3_600_000
TEN = round(datetime(2026, 7, 14, 10, tzinfo=UTC).timestamp() * 1000)


def identity(number: int) -> str:
    return str(uuid.UUID(int=number))


def frame(events: Sequence[tuple[str, int]]) -> pl.DataFrame:
    """(event id, epoch ms) as a frame."""
    return pl.DataFrame(
        {"event_id": [one for one, _ in events], "occurred_at": [at_ms for _, at_ms in events]},
        schema={"event_id": pl.String(), "occurred_at": pl.Datetime("ms", "UTC")},
    )


def gathered(*events: tuple[int, int]) -> Gathered:
    """(number, epoch ms) of each event."""
    return gather(frame([(identity(number), at_ms) for number, at_ms in events]))


def packed(*numbers: int) -> bytes:
    return b"".join(uuid.UUID(int=number).bytes for number in numbers)


# -- gather ----------------------------------------------------------------------------------------------------------


def test_ids_are_gathered_by_the_hour_in_which_they_happened() -> None:
    # 10:00            11:00
    #   [----------------)[-------
    #   1    3            2
    ids = gathered((1, TEN), (2, TEN + HOUR_MS), (3, TEN + HOUR_MS - 1))

    assert ids.joined() == {"2026-07-14T10": packed(1, 3), "2026-07-14T11": packed(2)}


def test_a_batch_of_one_hour_is_one_set_in_the_order_of_the_batch() -> None:
    assert gathered((3, TEN), (1, TEN), (2, TEN + 5)).joined() == {"2026-07-14T10": packed(3, 1, 2)}


def test_an_empty_batch_has_no_ids() -> None:
    ids = gathered()

    assert (len(ids), ids.joined(), fresh(ids, [])) == (0, {}, None)


def test_only_kept_ids_are_joined_and_an_hour_without_any_is_left_out() -> None:
    ids = gathered((1, TEN), (2, TEN + HOUR_MS), (3, TEN))

    assert ids.joined([True, False, False]) == {"2026-07-14T10": packed(1)}


def test_upper_and_lower_case_are_one_id() -> None:
    lower = "0b0e1f9c-1111-4222-8333-4444aaaabbbb"

    ids = gather(frame([(lower, TEN), (lower.upper(), TEN)]))

    assert fresh(ids, []) == [True, False]


@pytest.mark.parametrize(
    "texts",
    [
        [""],
        ["gym"],
        [identity(1)[:-1]],
        [identity(1) + "0"],
        [identity(1)[:-1] + "g"],
        [identity(1) + "\n"],
        [f"{{{identity(1)}}}"],
        [identity(1).replace("-", "")],
        ["0000000-00000-0000-0000-000000000001"],
        [identity(1)[:-2], identity(2) + "00"],
        [identity(1)[:-1], "0" + identity(2)],
        [identity(1)[:-2] + "  "],
        [identity(1)[:-1] + "\uff11"],
        [identity(1)[:-1] + "-"],
    ],
    ids=[
        "empty",
        "a word",
        "a digit short",
        "a digit long",
        "no hex digit",
        "a line end",
        "braces",
        "no dashes",
        "dashes elsewhere",
        "two whose lengths make up for each other",
        "two that share a digit",
        "blanks",
        "a digit of another script",
        "a fifth dash",
    ],
)
def test_what_is_no_uuid_in_its_usual_form_is_refused(texts: list[str]) -> None:
    with pytest.raises(ValueError, match=r"UUID|hex"):
        gather(frame([(text, TEN) for text in texts]))


events = st.lists(st.tuples(st.integers(0, 2**128 - 1), st.integers(TEN - 3 * HOUR_MS, TEN + 3 * HOUR_MS)), max_size=30)


@given(events=events)
def test_every_id_is_in_the_set_of_its_hour_and_in_no_other(events: list[tuple[int, int]]) -> None:
    found = gathered(*events).joined()

    expected: dict[str, bytes] = {}
    for number, at_ms in events:
        hour = datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H")
        expected[hour] = expected.get(hour, b"") + packed(number)
    assert found == expected


@given(events=events, bounds=st.tuples(st.integers(0, 30), st.integers(0, 30)).map(sorted))
def test_a_part_of_a_batch_is_what_gathering_that_part_gives(events: list[tuple[int, int]], bounds: list[int]) -> None:
    first, end = (min(bound, len(events)) for bound in bounds)

    part = gathered(*events).part(first, end)

    assert len(part) == end - first
    assert part.joined() == gathered(*events[first:end]).joined()


# -- fresh -----------------------------------------------------------------------------------------------------------


def test_an_event_that_was_counted_before_does_not_count() -> None:
    assert fresh(gathered((1, TEN), (2, TEN), (3, TEN)), [1]) == [True, False, True]


def test_of_an_event_that_stands_twice_in_a_batch_the_first_counts() -> None:
    assert fresh(gathered((1, TEN), (2, TEN), (1, TEN)), []) == [True, True, False]


def test_a_repetition_of_a_known_event_does_not_count_either() -> None:
    assert fresh(gathered((1, TEN), (2, TEN), (1, TEN)), [2]) == [False, True, False]


def test_a_batch_of_new_events_needs_no_mask() -> None:
    assert fresh(gathered((1, TEN), (2, TEN)), []) is None


@given(stream=st.lists(st.integers(0, 12), max_size=40), cuts=st.lists(st.integers(0, 40), max_size=5))
def test_an_event_counts_once_however_the_stream_is_cut(stream: list[int], cuts: list[int]) -> None:
    # An event resent has the time it had before, hence the hour too.
    numbers = [(number, TEN + number * HOUR_MS // 4) for number in stream]
    store: dict[str, set[bytes]] = {}
    counted: list[bool] = []

    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(numbers)], strict=True):
        ids = gathered(*numbers[start:end])
        known = {
            place
            for hour, places in ids.by_hour.items()
            for place in places
            if ids.member(place) in store.get(hour, set())
        }
        mask = fresh(ids, known)
        for hour, blob in ids.joined(mask).items():
            store.setdefault(hour, set()).update(blob[at : at + 16] for at in range(0, len(blob), 16))
        counted += [True] * len(ids) if mask is None else mask

    assert counted == [number not in stream[:place] for place, number in enumerate(stream)]
