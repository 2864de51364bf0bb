"""Recordings: file → scans. The extracts are invented; the real files stay outside the package."""

from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.check import files
from streams.replay import calit2, demo, gym_swipes
from streams.replay.recording import Fact, RecordingError, Unreadable, slug
from streams.replay.recordings import CALIT2, GYM_SWIPES, Recording, cloud_event

GYM_HEADER = "DeviceName,Direction,AlarmDateTime"
CALIT2_HEADER = "timestamp,in_count,out_count,is_anomaly"
GYM = """\
Wellness Centre,In,2/2/2015 8:11
Wellness Centre,In,2/2/2015 8:11
4th FL Wellness Centre - IN,Out,2/2/2015 8:11
Wellness Centre,In,7/14/2015 23:59
Wellness Centre,In,2/2/2015 8:11
"""
CALIT2_LINES = """\
2005-08-01 08:00:00,2,3,0
2005-08-01 08:30:00,0,0,1
2005-08-01 09:00:00,1,1,1
"""


def file(folder: Path, header: str, lines: str | bytes) -> Path:
    path = folder / "recording.csv"
    path.write_bytes(header.encode() + b"\n" + (lines if isinstance(lines, bytes) else lines.encode()))
    return path


def scans(recording: Recording, path: Path) -> list[Fact]:
    return [found for found in recording.read(path) if isinstance(found, Fact)]


def unreadable(recording: Recording, path: Path) -> list[int]:
    return [found.line for found in recording.read(path) if isinstance(found, Unreadable)]


def told(scan: Fact) -> tuple[object, ...]:
    return scan.fact_id, scan.time, scan.data["gate_id"], scan.data["direction"]


def test_gym_lines_become_scans_in_the_files_order_with_the_sites_offset(tmp_path: Path) -> None:
    path = file(tmp_path, GYM_HEADER, GYM)

    assert [told(scan) for scan in scans(GYM_SWIPES, path)] == [
        ("Wellness Centre,In,2/2/2015 8:11#0", "2015-02-02T08:11:00-05:00", "wellness-centre", "IN"),
        ("Wellness Centre,In,2/2/2015 8:11#1", "2015-02-02T08:11:00-05:00", "wellness-centre", "IN"),
        (
            "4th FL Wellness Centre - IN,Out,2/2/2015 8:11#0",
            "2015-02-02T08:11:00-05:00",
            "4th-fl-wellness-centre-in",
            "OUT",
        ),
        ("Wellness Centre,In,7/14/2015 23:59#0", "2015-07-14T23:59:00-04:00", "wellness-centre", "IN"),
        ("Wellness Centre,In,2/2/2015 8:11#2", "2015-02-02T08:11:00-05:00", "wellness-centre", "IN"),
    ]


def test_calit2_counts_become_scans_spread_over_their_half_hour_in_before_out(tmp_path: Path) -> None:
    # 08:00   05   07:30   15   22:30  25      08:30
    #   [-----O----I-------O----I------O---------)
    path = file(tmp_path, CALIT2_HEADER, CALIT2_LINES)

    assert [told(scan) for scan in scans(CALIT2, path)] == [
        ("2005-08-01 08:00:00,out#0", "2005-08-01T08:05:00-07:00", "main-door", "OUT"),
        ("2005-08-01 08:00:00,in#0", "2005-08-01T08:07:30-07:00", "main-door", "IN"),
        ("2005-08-01 08:00:00,out#1", "2005-08-01T08:15:00-07:00", "main-door", "OUT"),
        ("2005-08-01 08:00:00,in#1", "2005-08-01T08:22:30-07:00", "main-door", "IN"),
        ("2005-08-01 08:00:00,out#2", "2005-08-01T08:25:00-07:00", "main-door", "OUT"),
        ("2005-08-01 09:00:00,in#0", "2005-08-01T09:15:00-07:00", "main-door", "IN"),
        ("2005-08-01 09:00:00,out#0", "2005-08-01T09:15:00-07:00", "main-door", "OUT"),
    ]


def test_times_between_milliseconds_are_rounded_down_into_the_half_hour(tmp_path: Path) -> None:
    path = file(tmp_path, CALIT2_HEADER, "2005-08-01 08:00:00,7,0,0\n")

    assert [scan.time[11:23] for scan in scans(CALIT2, path)][:2] == ["08:02:08.571", "08:06:25.714"]


def test_a_half_hour_that_stands_twice_makes_scans_with_ids_of_their_own(tmp_path: Path) -> None:
    path = file(tmp_path, CALIT2_HEADER, "2005-08-01 08:00:00,1,0,0\n2005-08-01 08:00:00,1,0,0\n")

    assert [scan.fact_id for scan in scans(CALIT2, path)] == ["2005-08-01 08:00:00,in#0", "2005-08-01 08:00:00,in#1"]


def test_the_flag_column_changes_nothing(tmp_path: Path) -> None:
    flagged = scans(CALIT2, file(tmp_path, CALIT2_HEADER, CALIT2_LINES))
    without = "".join(line.rpartition(",")[0] + "\n" for line in CALIT2_LINES.splitlines())

    assert scans(CALIT2, file(tmp_path, "timestamp,in_count,out_count", without)) == flagged


def test_crlf_a_byte_order_mark_empty_lines_and_no_last_line_end_change_no_scan(tmp_path: Path) -> None:
    plain = [told(scan) for scan in scans(GYM_SWIPES, file(tmp_path, GYM_HEADER, GYM))]
    windows = ("\ufeff" + GYM_HEADER + "\r\n\r\n" + GYM.replace("\n", "\r\n").rstrip()).encode()
    (tmp_path / "windows.csv").write_bytes(windows)

    assert [told(scan) for scan in scans(GYM_SWIPES, tmp_path / "windows.csv")] == plain


def test_gym_lines_that_cannot_be_read_are_named_by_number_and_their_neighbours_kept(tmp_path: Path) -> None:
    good = "Wellness Centre,In,2/2/2015 8:11\n"
    bad = (
        b"Wellness Centre,Inside,2/2/2015 8:11\n"  # 2: another word
        b"Wellness Centre,In,13/2/2015 8:11\n"  # 3: no thirteenth month
        b"Wellness Centre,In,2/29/2015 8:11\n"  # 4: no leap year
        b"Wellness Centre,In,2015-02-02 8:11\n"  # 5: another way to write a date
        b"Wellness Centre,In\n"  # 6: a cell is missing
        b"Wellness Centre,In,2/2/2015 8:11,x\n"  # 7: a cell too many
        b'"Wellness Centre,In,2/2/2015 8:11\n'  # 8: an open quotation mark
        b"Wellness Centr\xe9,In,2/2/2015 8:11\n"  # 9: not UTF-8
        b"--,In,2/2/2015 8:11\n"  # 10: a name without a letter
        b"Wellness Centre,In,2/2/2015 24:11\n"  # 11: no such hour
        b"Wellness Centre,In,12/31/9999 23:59\n"  # 12: in UTC no such year
    )
    path = file(tmp_path, GYM_HEADER, bad + good.encode())

    assert unreadable(GYM_SWIPES, path) == list(range(2, 13))
    assert [scan.line for scan in scans(GYM_SWIPES, path)] == [13]


def test_calit2_lines_that_cannot_be_read_are_named_by_number_and_their_neighbours_kept(tmp_path: Path) -> None:
    bad = (
        "2005-08-01 08:00:00,-1,0,0\n"
        "2005-08-01 08:00:00,1.5,0,0\n"
        "2005-08-01 08:00:00,,0,0\n"
        "2005-08-01 08:10:00,1,0,0\n"
        "8/1/2005 8:00,1,0,0\n"
        "2005-08-01 08:00:00,99999999,0,0\n"
    )
    path = file(tmp_path, CALIT2_HEADER, bad + "2005-08-01 08:30:00,1,0,0\n")

    assert unreadable(CALIT2, path) == [2, 3, 4, 5, 6, 7]
    assert [scan.line for scan in scans(CALIT2, path)] == [8]


@pytest.mark.parametrize(
    ("recording", "header"), [(GYM_SWIPES, "DeviceName,Direction"), (CALIT2, GYM_HEADER), (GYM_SWIPES, "")]
)
def test_a_file_of_another_layout_is_refused_by_name(tmp_path: Path, recording: Recording, header: str) -> None:
    path = file(tmp_path, header, "")

    with pytest.raises(RecordingError, match=r"recording\.csv: line 1 must name the columns"):
        list(recording.read(path))


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="No such file"):
        list(GYM_SWIPES.read(tmp_path / "nothing.csv"))


def test_in_the_spring_night_the_hour_that_never_was_is_unreadable(tmp_path: Path) -> None:
    # 2015-03-08, Toronto: 01:59 −05:00 is followed by 03:00 −04:00
    times = ("1:59", "2:00", "2:59", "3:00")
    path = file(tmp_path, GYM_HEADER, "".join(f"Wellness Centre,In,3/8/2015 {time}\n" for time in times))

    assert [scan.time for scan in scans(GYM_SWIPES, path)] == ["2015-03-08T01:59:00-05:00", "2015-03-08T03:00:00-04:00"]
    assert unreadable(GYM_SWIPES, path) == [3, 4]


def test_in_the_autumn_night_the_hour_that_was_twice_is_taken_as_the_first(tmp_path: Path) -> None:
    # 2015-11-01, Toronto: 01:00–01:59 at −04:00, then again at −05:00
    times = ("0:59", "1:00", "1:59", "2:00")
    path = file(tmp_path, GYM_HEADER, "".join(f"Wellness Centre,In,11/1/2015 {time}\n" for time in times))

    assert [scan.time[11:] for scan in scans(GYM_SWIPES, path)] == [
        "00:59:00-04:00",
        "01:00:00-04:00",
        "01:59:00-04:00",
        "02:00:00-05:00",
    ]


def test_an_empty_half_hour_that_never_was_is_nothing_and_a_counted_one_unreadable(tmp_path: Path) -> None:
    # 2006-04-02, Los Angeles: 01:59 −08:00 is followed by 03:00 −07:00
    path = file(tmp_path, CALIT2_HEADER, "2006-04-02 02:00:00,0,0,0\n2006-04-02 02:30:00,1,0,0\n")

    assert unreadable(CALIT2, path) == [3]
    assert scans(CALIT2, path) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("4th FL Wellness Centre - IN", "4th-fl-wellness-centre-in"),
        ("Wellness Centre", "wellness-centre"),
        ("  Entrée  Nord/2 ", "entree-nord-2"),
        ("—", ""),
    ],
)
def test_a_readers_name_becomes_a_gate_id(name: str, expected: str) -> None:
    assert slug(name) == expected


def test_an_event_says_what_the_line_says_and_what_was_invented(tmp_path: Path) -> None:
    (scan,) = scans(CALIT2, file(tmp_path, CALIT2_HEADER, "2005-08-01 08:00:00,1,0,1\n"))

    assert cloud_event(scan, CALIT2) == {
        "specversion": "1.0",
        "id": "2005-08-01 08:00:00,in#0",
        "source": "/recordings/calit2",
        "type": "musee.ticket-scan.v1",
        "time": "2005-08-01T08:15:00-07:00",
        "data": {
            "site_id": "calit2",
            "gate_id": "main-door",
            "device_id": "main-door",
            "direction": "IN",
            "outcome": "ACCEPTED",
            "party_size": 1,
            "ingest_mode": "REPLAY",
            "producer": "replay/calit2 (order within half-hour invented)",
        },
    }


counts = st.integers(0, 400)


@given(count=st.integers(0, 5_000))
def test_spread_people_stand_inside_their_half_hour_and_ascend(count: int) -> None:
    offsets = calit2.spread(count)

    assert len(offsets) == count
    assert offsets == sorted(offsets)
    assert all(0 <= offset < calit2.HALF_HOUR_MS for offset in offsets)


@settings(deadline=None)  # a full day makes 20,000 scans
@given(half_hours=st.lists(st.tuples(counts, counts), max_size=48))
def test_as_many_people_come_out_of_the_reader_as_the_file_counts(
    tmp_path_factory: pytest.TempPathFactory, half_hours: list[tuple[int, int]]
) -> None:
    lines = "".join(
        f"2005-08-01 {n // 2:02d}:{n % 2 * 30:02d}:00,{came},{left}\n" for n, (came, left) in enumerate(half_hours)
    )
    path = file(tmp_path_factory.mktemp("calit2"), "timestamp,in_count,out_count", lines)

    found = scans(CALIT2, path)

    assert sum(scan.data["direction"] == "IN" for scan in found) == sum(came for came, _ in half_hours)
    assert sum(scan.data["direction"] == "OUT" for scan in found) == sum(left for _, left in half_hours)
    assert [scan.at_ms for scan in found] == sorted(scan.at_ms for scan in found)
    assert len({scan.fact_id for scan in found}) == len(found)


names = st.sampled_from(["Wellness Centre", "4th FL Wellness Centre - IN", "Café — Nord", "x" * 201, "--"])
ways = st.sampled_from(["In", "Out", "in", ""])
moments = st.datetimes().map(lambda at: f"{at.month}/{at.day}/{at.year:04d} {at.hour}:{at.minute:02d}")


@given(swipes=st.lists(st.tuples(names, ways, moments), max_size=30))
def test_the_reader_of_the_check_and_that_of_the_replay_agree_on_every_swipe(
    tmp_path_factory: pytest.TempPathFactory, swipes: list[tuple[str, str, str]]
) -> None:
    path = file(tmp_path_factory.mktemp("gym"), GYM_HEADER, "".join(",".join(swipe) + "\n" for swipe in swipes))
    rule = files.RULES["gym_swipes"]

    counted = rule.count(path)

    assert counted.unreadable == unreadable(GYM_SWIPES, path)
    found = Counter(
        ("gate", str(scan.data["gate_id"]), f"{scan.at:%Y-%m-%d}", *scan.counts) for scan in scans(GYM_SWIPES, path)
    )
    assert {tuple(cell): people for cell, people in counted.cells.items() if cell.place == "gate"} == {
        (place, gate, date.fromisoformat(day.zfill(10)).isoformat(), metric): people
        for (place, gate, day, metric), people in found.items()
    }


def test_the_packaged_part_of_calit2_has_the_counts_of_its_attribution_and_no_flag() -> None:
    assert CALIT2.packaged is not None
    found = scans(CALIT2, CALIT2.packaged)

    assert CALIT2.packaged.read_text().splitlines()[0] == "timestamp,in_count,out_count"
    assert Counter(scan.data["direction"] for scan in found) == {"IN": 7_319, "OUT": 6_854}
    assert len({scan.at.date() for scan in found}) == 42
    assert Counter(scan.data["direction"] for scan in found if scan.at.date() == date(2005, 8, 18)) == {
        "IN": 418,
        "OUT": 435,
    }
    assert Counter(scan.data["direction"] for scan in found if scan.at.date() == demo.DAY) == {"IN": 272, "OUT": 255}


def test_gym_swipes_is_not_packaged() -> None:
    assert GYM_SWIPES.packaged is None
    assert gym_swipes.ZONE.key == "America/Toronto"


@pytest.mark.parametrize("year", ["1969", "2110"])
def test_a_year_that_no_store_can_keep_is_an_unreadable_line(tmp_path: Path, year: str) -> None:
    file = tmp_path / "gym.csv"
    file.write_text(f"DeviceName,Direction,AlarmDateTime\nHall,In,2/2/{year} 8:00\nHall,In,2/2/2015 8:00\n")

    bad, good = gym_swipes.read(file)

    assert isinstance(bad, Unreadable)
    assert bad.line == 2
    assert isinstance(good, Fact)


def test_a_half_hour_without_people_says_nothing_even_in_a_year_that_no_store_keeps(tmp_path: Path) -> None:
    path = file(tmp_path, CALIT2_HEADER, "0001-01-01 00:00:00,0,0,0\n9999-12-31 23:30:00,0,0,0\n")

    assert list(CALIT2.read(path)) == []
