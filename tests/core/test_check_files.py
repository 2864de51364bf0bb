"""How the check adds a recording's file up, by small files of each layout."""

import gzip
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from streams.check import files, voices
from streams.check.cells import Cell
from streams.check.lines import FileError

AGENT = "Mozilla/5.0"


def counted(folder: Path, recording: str, *lines: str, first_day: date | None = None) -> files.Counted:
    """A file of these lines, counted as that recording."""
    path = folder / "recording"
    path.write_text("".join(line + "\n" for line in lines))
    return files.RULES[recording].count(path, first_day=first_day)


def plain(found: files.Counted) -> dict[tuple[str, str, str], int]:
    """Cells without the metric, which is the same in all."""
    return {(cell.place, cell.name, cell.when): amount for cell, amount in found.cells.items()}


# -- posts


@pytest.mark.parametrize(
    ("text", "site"),
    [
        ("at the @britishmuseum today", "britishmuseum"),
        (".@NationalGallery and @britishmuseum", "nationalgallery"),
        ("@user says @Tate_StIves, not @tate", "tate-stives"),
        ("see @tate's new room", "tate"),
        ("see @tateliverpool", "tateliverpool"),
        ("see @tate_kids @tatemodern", "unplaced"),
        ("write to desk@tate.example", "unplaced"),
        ("britishmuseum without the sign", "unplaced"),
        ("“@kettlesyard: come” MT", "kettlesyard"),
    ],
)
def test_a_post_counts_at_the_first_claimed_name_in_its_text(tmp_path: Path, text: str, site: str) -> None:
    found = counted(tmp_path, "smile_tweets", "tweet_id,created_at,text", f'7,2015-02-02T13:11:12.345Z,"{text}"')

    assert found.cells == {Cell("site", site, "2015-02-02T13", "social_posts"): 1}
    assert site in voices.TWEET_SITES


def test_a_post_that_is_told_twice_is_one_post(tmp_path: Path) -> None:
    line = "7,2015-02-02T13:11:12.345Z,at @tate,happy"
    found = counted(tmp_path, "smile_tweets", "tweet_id,created_at,text,category", line, line, line.replace("7,", "8,"))

    assert (found.lines, found.events, len(found.texts)) == (3, 2, 1)
    assert sum(found.cells.values()) == 2


@pytest.mark.parametrize(
    "line",
    [
        "7,2015-02-02T13:11:12.345Z,",
        "7,yesterday,at @tate",
        "7,2015-02-30T13:11:12Z,at @tate",
        '7,2015-02-02T13:11:12Z,"at',
    ],
)
def test_a_post_without_text_or_time_is_unreadable(tmp_path: Path, line: str) -> None:
    found = counted(tmp_path, "smile_tweets", "tweet_id,created_at,text", line)

    assert found.unreadable == [2]
    assert not found.cells


# -- entries


def test_entries_stand_ten_minutes_apart_and_48_on_a_day(tmp_path: Path) -> None:
    found = counted(tmp_path, "yelp", *(f"Entry {n}\t{n % 2}" for n in range(50)))

    # Ten o'clock in Phoenix is 17 h UTC; six entries an hour, and the last two stand on the next day.
    assert plain(found) == {("site", "yelp", f"2014-01-06T{hour}"): 6 for hour in range(17, 24)} | {
        ("site", "yelp", "2014-01-07T00"): 6,
        ("site", "yelp", "2014-01-07T17"): 2,
    }


def test_equal_entries_are_different_events(tmp_path: Path) -> None:
    found = counted(tmp_path, "yelp", "Good.\t1", "Good.\t1", "Bad.\t0")

    assert (found.events, len(found.texts)) == (3, 2)


def test_an_unreadable_line_moves_no_entry_behind_it(tmp_path: Path) -> None:
    found = counted(tmp_path, "xed", "A\t1", "no label", "B\t9", "C\t1\t2", "D\t", "\t3", '"E\t1, 8')

    assert found.unreadable == [2, 3, 4, 5, 6]
    assert plain(found) == {("site", "xed", "2014-01-06T09"): 2}
    assert found.texts == {"A", '"E'}


def test_subtitles_are_said_in_lines_entries_and_unreadable_ones(tmp_path: Path) -> None:
    found = counted(tmp_path, "xed", "A\t1", "no label")

    assert list(files.RULES["xed"].said(found)) == ["2 lines, 1 entries, 1 unreadable"]


# -- walks


def test_both_spellings_of_the_time_name_the_same_minute_and_a_phone_counts_once(tmp_path: Path) -> None:
    found = counted(
        tmp_path,
        "ble_library",
        "location,date,b3001",
        "I01,4-19-2016 9:37:23,-75",
        "I01,4-19-2016 9:37:26,-75",
        "I01,04-19-2016 09:37,-75",
        "K04,04-19-2016 09:37,-75",
        "K04,4-19-2016 9:38,-75",
        "K04,3-13-2016 2:30:00,-75",
    )

    # The fifth mixes the spellings; the sixth is in the hour that the clocks skip.
    assert found.unreadable == [6, 7]
    assert plain(found) == {
        ("zone", "ble-library/i01", "2016-04-19T13:37"): 1,
        ("zone", "ble-library/k04", "2016-04-19T13:37"): 1,
    }
    assert found.events == 4


CAMERA = [";time;id;x;y;height;cam", "0;1557995040213;27966;266;186;1176;D8", "1;1557995040214;27974;266;186;1176;D8"]
TAG = ["id;x;y;z;time", "0x6733;2096;874;552;2019-05-16 10:24:06.577"]


def test_camera_and_tag_meet_in_a_zone_of_the_common_plan(tmp_path: Path) -> None:
    (tmp_path / "raw_xovis.csv").write_text("\n".join(CAMERA))
    (tmp_path / "raw_uwbtags.csv").write_text("\n".join(TAG))

    found = files.RULES["sdu_tracks"].count(tmp_path)

    # (4700 - 14 * 186, 14 * 266 - 2850) = (2096, 874) mm, which is where the tag stands: the third cell of each axis.
    assert plain(found) == {
        ("zone", "sdu-cameras/c2-r2", "2019-05-16T08:24"): 2,
        ("zone", "sdu-tag/c2-r2", "2019-05-16T08:24"): 1,
    }
    said = next(iter(files.RULES["sdu_tracks"].said(found)))
    assert said == "2 camera points of 2 people and 1 points of one tag, 0 unreadable"


@pytest.mark.parametrize(("lines", "site"), [(CAMERA, "sdu-cameras"), (TAG, "sdu-tag")])
def test_a_single_file_of_tracks_speaks_of_its_own_site(tmp_path: Path, lines: list[str], site: str) -> None:
    assert counted(tmp_path, "sdu_tracks", *lines).sites == {site}


@pytest.mark.parametrize("place", ["-3801;874", "2096;20800", "2096.5;874", ";874"])
def test_a_tag_outside_the_plan_or_without_a_place_is_unreadable(tmp_path: Path, place: str) -> None:
    found = counted(tmp_path, "sdu_tracks", TAG[0], f"0x6733;{place};0;2019-05-16 10:24:06")

    assert found.unreadable == [2]


def test_a_folder_without_tracks_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="holds neither"):
        files.RULES["sdu_tracks"].count(tmp_path)


# -- requests


def request(path: str, status: int = 200, agent: str = AGENT, at: str = "17/May/2015:10:05:03 +0000") -> str:
    """A line of a Combined Log Format."""
    return f'v1 - - [{at}] "GET {path} HTTP/1.1" {status} 203 "http://a.example/" "{agent}"'


@pytest.mark.parametrize(
    ("line", "metric"),
    [
        (request("/"), "web_page_views"),
        (request("/style.CSS?v=1"), "web_assets"),
        (request("/page?file=a.png"), "web_page_views"),
        (request("/a.png", 404), "web_errors"),
        (request("/a.png", 404, "GoogleBot/2"), "web_robots"),
        (request("/robots.txt", 404), "web_robots"),
        (request("/", agent='say \\"hello\\"'), "web_page_views"),
    ],
)
def test_a_request_is_of_the_first_kind_that_fits(tmp_path: Path, line: str, metric: str) -> None:
    assert counted(tmp_path, "web_log", line).cells == {Cell("site", "web-log", "2015-05-17T10", metric): 1}


def test_requests_count_in_their_utc_hour_and_steps_back_are_counted(tmp_path: Path) -> None:
    times = ["17/May/2015:10:05:03 +0000", "17/May/2015:10:05:02 +0000", "17/May/2015:13:05:02 +0200"]
    found = counted(tmp_path, "web_log", *(request("/", at=at) for at in times), "not a request")

    assert plain(found) == {("site", "web-log", "2015-05-17T10"): 2, ("site", "web-log", "2015-05-17T11"): 1}
    assert (found.lines, found.unreadable, found.back) == (4, [4], 1)


def test_a_packed_log_reads_like_a_plain_one(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(gzip.compress((request("/") + "\n").encode()))

    assert sum(files.RULES["web_log"].count(path).cells.values()) == 1


LATE = 'c - - [18/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "-" "x"'


def test_a_log_moved_to_another_day_begins_there_with_its_earliest_request(tmp_path: Path) -> None:
    found = counted(tmp_path, "web_log", LATE, LATE.replace("18/May", "17/May"), first_day=date(2026, 3, 29))

    assert {cell.when for cell in found.cells} == {"2026-03-29T10", "2026-03-30T10"}


# -- all


# What strptime, strip and split would take, and the recordings' layouts do not have.
LENIENT = {
    "gym_swipes": ("DeviceName,Direction,AlarmDateTime", ["Hall,In,2/2/2015 8:1", "Hall,In,2/2/2015  8:11"]),
    "sdu_tracks": (
        "id;x;y;z;time",
        [f"{name};0;0;0;2019-05-16 10:24:06" for name in ("", "x" * 201, "\x01", "\x7f")],
    ),
    "smile_tweets": (
        "tweet_id,created_at,text\n7,2015-02-02T13:11:12Z,at @tate",
        ["7,2016-02-02T13:11:12Z,at @tate", "7,2015-02-02T13:11:12Z,at @kettlesyard"],
    ),
    "web_log": (
        LATE,
        [
            LATE.replace("18/May/2015:10:05:03 +0000", stamp)
            for stamp in ("18/may/2015:10:05:03 +0000", "8/May/2015:10:05:03 +0000", "18/May/2015:10:05:03 UTC")
        ],
    ),
    "xed": ("A\t1", ["A\t1,\u00a02", "A\t\x0b1", "A\t1\x0c"]),
}


@pytest.mark.parametrize("recording", LENIENT)
def test_what_only_looks_like_the_layout_is_unreadable(tmp_path: Path, recording: str) -> None:
    before, lines = LENIENT[recording]
    found = counted(tmp_path, recording, before, *lines)

    assert len(found.unreadable) == len(lines)


def test_another_layout_is_refused_with_the_columns_that_are_missing(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="line 1 must name the columns date, location"):
        counted(tmp_path, "ble_library", "place,day")


def test_a_column_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="each once"):
        counted(tmp_path, "ble_library", "location,date,location", "I01,4-19-2016 9:37:23,I02")


def test_a_recording_moved_to_another_day_keeps_its_clock(tmp_path: Path) -> None:
    lines = ["DeviceName,Direction,AlarmDateTime", "Hall,In,2/2/2015 8:11", "Hall,In,2/4/2015 0:10"]
    found = counted(tmp_path, "gym_swipes", *lines, first_day=date(2026, 7, 1))

    assert {cell.when for cell in found.cells} == {"2026-07-01", "2026-07-03"}


def test_a_moved_entry_counts_in_the_utc_hour_of_its_new_season(tmp_path: Path) -> None:
    # Ten o'clock in Paris: 9 h UTC in January, 8 h in July.
    assert plain(counted(tmp_path, "xed", "A\t1", first_day=date(2026, 7, 1))) == {("site", "xed", "2026-07-01T08"): 1}


def test_every_recording_has_metrics_sites_and_words_of_its_own() -> None:
    claimed = Counter((site, metric) for rule in files.RULES.values() for site in rule.sites for metric in rule.metrics)

    assert set(claimed.values()) == {1}
    assert all(rule.words for rule in files.RULES.values())
