"""A recording begun on another day, and how heavy a request may be."""

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.replay import clock, days
from streams.replay.recording import Fact, Unreadable
from streams.replay.recordings import CALIT2, GYM_SWIPES, RECORDINGS, XED, YELP
from streams.replay.run import plan

HEADER = "DeviceName,Direction,AlarmDateTime\n"


def gym(folder: Path, *times: str) -> Path:
    path = folder / "gym.csv"
    path.write_text(HEADER + "".join(f"Hall,In,{time}\n" for time in times))
    return path


def moved(path: Path, day: date) -> list[Fact | Unreadable]:
    return list(days.begun_on(GYM_SWIPES.read(path), day, GYM_SWIPES.zone))


def test_the_first_day_becomes_the_day_and_the_wall_clock_is_kept_across_the_summer(tmp_path: Path) -> None:
    path = gym(tmp_path, "2/2/2015 8:11", "2/4/2015 23:59")

    found = moved(path, date(2026, 7, 14))

    assert [one.time for one in found if isinstance(one, Fact)] == [
        "2026-07-14T08:11:00-04:00",
        "2026-07-16T23:59:00-04:00",
    ]


def test_moved_facts_are_events_of_their_own_and_say_so(tmp_path: Path) -> None:
    path = gym(tmp_path, "2/2/2015 8:11")

    (batch,) = plan(GYM_SWIPES, path, speed=None, day=date(2026, 7, 14), unreadable=[])

    event = batch.items[0].event
    assert event["id"] == "as 2026-07-14: Hall,In,2/2/2015 8:11#0"
    assert isinstance(event["data"], dict)
    assert event["data"]["producer"] == "replay/gym_swipes (days moved, first is 2026-07-14)"


def test_what_was_invented_is_said_beside_the_move() -> None:
    assert YELP.packaged is not None
    first = next(plan(YELP, YELP.packaged, speed=None, day=date(2026, 7, 14), unreadable=[]))

    data = first.items[0].event["data"]
    assert isinstance(data, dict)
    assert data["producer"] == "replay/yelp (times invented; days moved, first is 2026-07-14)"


def test_without_a_day_nothing_is_moved(tmp_path: Path) -> None:
    path = gym(tmp_path, "2/2/2015 8:11")

    assert list(days.begun_on(GYM_SWIPES.read(path), None, GYM_SWIPES.zone)) == list(GYM_SWIPES.read(path))


def test_a_time_that_the_clock_skipped_on_its_new_day_is_unreadable(tmp_path: Path) -> None:
    # 2026-03-08, Toronto: 01:59 −05:00 is followed by 03:00 −04:00
    path = gym(tmp_path, "2/2/2015 1:59", "2/2/2015 2:30", "2/2/2015 3:00")

    first, lost, last = moved(path, date(2026, 3, 8))

    assert isinstance(lost, Unreadable)
    assert (lost.line, lost.reason) == (
        3,
        "2026-03-08 02:30:00 never was in America/Toronto: the clock went forward",
    )
    assert isinstance(first, Fact)
    assert isinstance(last, Fact)


@pytest.mark.parametrize("day", [date(1, 1, 1), date(9999, 12, 31), date(1960, 1, 1)])
def test_a_move_beyond_any_calendar_of_ours_leaves_unreadable_lines(tmp_path: Path, day: date) -> None:
    path = gym(tmp_path, "2/2/2015 8:11", "2/4/2015 8:11")

    assert all(isinstance(one, Unreadable) for one in moved(path, day))


def test_unreadable_lines_stay_where_they_are(tmp_path: Path) -> None:
    path = gym(tmp_path, "broken", "2/2/2015 8:11")

    assert [type(one).__name__ for one in moved(path, date(2026, 7, 14))] == ["Unreadable", "Fact"]


@given(day=st.dates(date(1972, 1, 1), date(2099, 1, 1)))
def test_every_wall_clock_time_is_kept_or_named(tmp_path_factory: pytest.TempPathFactory, day: date) -> None:
    path = gym(tmp_path_factory.mktemp("gym"), *(f"2/2/2015 {hour}:30" for hour in range(24)))

    found = moved(path, day)

    assert len(found) == 24
    assert [one.time[:16] for one in found if isinstance(one, Fact)] == [
        f"{day}T{hour:02d}:30" for hour, one in enumerate(found) if isinstance(one, Fact)
    ]
    assert sum(isinstance(one, Unreadable) for one in found) <= 1


def test_today_and_a_date_are_days_and_nothing_else_is() -> None:
    today = date(2026, 7, 14)

    assert days.parse_day("today", today) == today
    assert days.parse_day("2005-08-26", today) == date(2005, 8, 26)
    for text in ("tomorrow", "20050826", "2005-W34-5", "26/08/2005", ""):
        with pytest.raises(ValueError, match=r".*"):
            days.parse_day(text, today)


@given(weights=st.lists(st.integers(1, 100), max_size=60), most_bytes=st.integers(1, 150))
def test_batches_stay_under_their_weight_unless_a_single_item_is_heavier(weights: list[int], most_bytes: int) -> None:
    timed = [(0.0, item) for item in enumerate(weights)]

    found = list(clock.batches(timed, size_bytes=lambda item: item[1], most=20, most_bytes=most_bytes))

    assert [item for batch in found for item in batch.items] == list(enumerate(weights))
    assert all(sum(weight for _, weight in batch.items) <= most_bytes or len(batch.items) == 1 for batch in found)


def test_a_request_full_of_the_longest_texts_stays_below_what_the_door_takes(tmp_path: Path) -> None:
    path = tmp_path / "long.tsv"
    path.write_text("".join(f"{'🏛' * 1_990}{n:05d}\t1\n" for n in range(300)))

    found = list(plan(XED, path, speed=None, day=None, unreadable=[]))

    sizes = [len(json.dumps([item.event for item in batch.items], separators=(",", ":"))) for batch in found]
    assert sum(len(batch.items) for batch in found) == 300
    assert max(sizes) <= clock.MOST_BYTES + 1 < 1024 * 1024
    assert len(sizes) > 1


def test_every_recording_says_where_its_events_go_and_its_files() -> None:
    for recording in RECORDINGS.values():
        assert recording.where
        if recording.packaged is not None:
            assert all(path.is_file() for path in recording.files(recording.packaged))
            folder = recording.packaged if recording.packaged.is_dir() else recording.packaged.parent
            assert "Licence" in (folder / "ATTRIBUTION.md").read_text()
    assert CALIT2.where == "site calit2"
