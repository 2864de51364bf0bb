"""When events of a recording are due, how the demo goes round, and when a check may begin."""

import json
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.check import quiet
from streams.check.cells import Cell, side_by_side, totals
from streams.errors import StreamsError
from streams.replay import clock, demo

MINUTE_MS = 60_000


def due(times_ms: list[int], speed: float | None, longest_silence_s: float | None = None) -> list[float]:
    timed = clock.due(times_ms, lambda at_ms: at_ms, speed=speed, longest_silence_s=longest_silence_s)
    return [due_s for due_s, _ in timed]


def test_at_speed_60_a_minute_takes_a_second() -> None:
    assert due([0, MINUTE_MS, 3 * MINUTE_MS], 60.0) == [0.0, 1.0, 3.0]


def test_at_speed_max_everything_is_due_at_once() -> None:
    assert due([0, MINUTE_MS], None) == [0.0, 0.0]


def test_an_event_before_its_predecessor_is_due_with_it_and_delays_nobody() -> None:
    # 10:02   10:01   10:03
    assert due([2 * MINUTE_MS, MINUTE_MS, 3 * MINUTE_MS], 60.0) == [0.0, 0.0, 1.0]


def test_a_long_silence_is_cut_and_the_rest_keeps_its_pace() -> None:
    assert due([0, 60 * MINUTE_MS, 61 * MINUTE_MS], 60.0, longest_silence_s=5.0) == [0.0, 5.0, 6.0]


def test_neighbours_share_a_batch_that_goes_when_its_last_is_due() -> None:
    # 0.0  0.1  0.2 | 0.21 … 0.9
    timed = [(0.0, "a"), (0.1, "b"), (0.2, "c"), (0.21, "d"), (0.9, "e")]

    found = list(clock.batches(timed, most=500, flush_s=0.2))

    assert found == [
        clock.Batch(0.2, ("a", "b", "c")),
        clock.Batch(0.21, ("d",)),
        clock.Batch(0.9, ("e",)),
    ]


@given(
    times=st.lists(st.integers(0, 100_000), max_size=200),
    speed=st.sampled_from([None, 1.0, 60.0]),
    most=st.integers(1, 20),
)
def test_batches_hold_every_event_once_in_order_and_within_their_bounds(
    times: list[int], speed: float | None, most: int
) -> None:
    timed = list(enumerate(times))
    due_s = dict(zip(timed, due(times, speed), strict=True))

    found = list(clock.batches(clock.due(timed, lambda one: one[1], speed=speed), most=most))

    assert [item for batch in found for item in batch.items] == timed
    assert all(len(batch.items) <= most for batch in found)
    assert all(batch.due_s == due_s[batch.items[-1]] <= due_s[batch.items[0]] + clock.FLUSH_S for batch in found)
    assert all(one.due_s <= next_.due_s for one, next_ in pairwise(found))


def test_pace_waits_until_a_batch_is_due_and_not_at_all_when_behind() -> None:
    now_s, waited = [100.0], []

    def wait(pause_s: float) -> None:
        waited.append(pause_s)
        now_s[0] += pause_s

    for batch in clock.pace(
        [clock.Batch(1.0, ("a",)), clock.Batch(3.0, ("b",)), clock.Batch(3.5, ("c",))],
        clock=lambda: now_s[0],
        wait=wait,
    ):
        if batch.items == ("a",):
            now_s[0] += 5.0  # the door was away

    assert waited == [1.0]


@pytest.mark.parametrize("text", ["0", "-1", "inf", "nan", "fast", ""])
def test_a_speed_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        clock.parse_speed(text)


def test_a_round_of_the_demo_is_the_same_day_some_days_later() -> None:
    scans = demo.day_scans(demo.FILE)

    steps = list(demo.round_steps(scans, demo.Place(70, 0)))

    # 2005-11-04 is winter time: the wall clock is kept, the offset is not.
    assert [step.scan.at.replace(tzinfo=None) for step in steps[:1]] == [
        scans[0].at.replace(tzinfo=None, year=2005, month=11, day=4)
    ]
    assert steps[0].scan.time.endswith("-08:00")
    assert {step.scan.at.date() for step in steps} == {date(2005, 11, 4)}
    assert all(step.scan.at.hour >= demo.FROM.hour for step in steps)


def test_no_two_rounds_share_an_id_and_the_last_step_leads_to_the_next_round() -> None:
    scans = demo.day_scans(demo.FILE)

    first, second = (list(demo.round_steps(scans, demo.Place(number))) for number in (0, 1))

    ids = {step.scan.fact_id for step in first + second}
    assert len(ids) == 2 * len(scans)
    assert [step.after for step in first[-2:]] == [demo.Place(0, len(scans) - 1), demo.Place(1, 0)]


def test_the_demo_goes_on_where_it_was_kept(tmp_path: Path) -> None:
    scans = demo.day_scans(demo.FILE)
    kept = tmp_path / "demo.json"
    all_steps = list(demo.round_steps(scans, demo.Place(3)))

    demo.keep(kept, all_steps[9].after)
    rest = list(demo.round_steps(scans, demo.load(kept)))

    assert [step.scan.fact_id for step in rest] == [step.scan.fact_id for step in all_steps[10:]]
    assert json.loads(kept.read_text()) == {"round": 3, "index": 10}
    assert [path.name for path in tmp_path.iterdir()] == ["demo.json"]


def test_the_demo_begins_at_the_beginning_when_nothing_was_kept(tmp_path: Path) -> None:
    assert demo.load(tmp_path / "demo.json") == demo.Place(0, 0)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"round": 1}', '{"round": "x", "index": 0}', '{"round": -1, "index": 0}']
)
def test_a_damaged_place_is_named_and_not_taken_for_the_beginning(tmp_path: Path, content: str) -> None:
    (tmp_path / "demo.json").write_text(content)

    with pytest.raises(StreamsError, match=r"demo\.json"):
        demo.load(tmp_path / "demo.json")


def waited_for(answers: list[dict[str, int]], longest_s: float = 60.0) -> tuple[dict[str, int], int]:
    """(groups never without lag, times asked), one answer a call, the last one for ever."""
    now_s, asked = [0.0], [0]

    def lags() -> dict[str, int]:
        asked[0] += 1
        return answers[min(asked[0], len(answers)) - 1]

    def sleep(pause_s: float) -> None:
        now_s[0] += pause_s

    left = quiet.wait(lags, lambda _: None, longest_s=longest_s, clock=lambda: now_s[0], sleep=sleep)
    return left, asked[0]


def test_a_group_that_was_without_lag_once_need_not_stay_so() -> None:
    answers = [{"agents": 5, "sink": 9}, {"agents": 0, "sink": 2}, {"agents": 1, "sink": 0}]

    assert waited_for(answers) == ({}, 3)


def test_a_group_that_never_catches_up_is_named_after_the_deadline() -> None:
    left, asked = waited_for([{"agents": 0, "sink": 7}], longest_s=1.0)

    assert left == {"sink": 7}
    assert asked <= 7


CELL = Cell("gate", "north", "2015-02-02", "entries")


@pytest.mark.parametrize("values", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (2, 2, 1), (2, 1, 2), (1, 2, 2)])
def test_a_cell_differs_unless_all_three_say_the_same(values: tuple[int, int, int]) -> None:
    file, redis, clickhouse = ({CELL: value} if value else {} for value in values)

    (found,) = side_by_side(file, redis, clickhouse)

    assert found.differs
    assert str(found) == (
        f"gate north, 2015-02-02, entries: file {values[0]}, redis {values[1]}, clickhouse {values[2]}"
    )


def test_a_witness_that_says_nothing_says_nought() -> None:
    (found,) = side_by_side({}, {CELL: 0}, {})

    assert not found.differs


def test_totals_add_days_up_and_keep_places_apart() -> None:
    next_day, elsewhere = CELL._replace(when="2015-02-03"), CELL._replace(name="south")

    found = totals(side_by_side({CELL: 1, next_day: 2, elsewhere: 4}, {CELL: 3}, {}))

    assert [(one.cell.name, one.cell.when, one.file, one.redis, one.clickhouse) for one in found] == [
        ("north", "all", 3, 3, 0),
        ("south", "all", 4, 0, 0),
    ]
