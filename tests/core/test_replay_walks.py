"""Recordings of walks: file → positions. The extracts are invented; the packaged files are whole."""

from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.replay import sdu_tracks
from streams.replay.recording import Fact, RecordingError, Unreadable
from streams.replay.recordings import BLE_LIBRARY, SDU_TRACKS, Recording, cloud_event

CAMERA = ";time;id;x;y;height;cam\r\n0;1557995040213;27966;266;186;1176;D8:80\r\n"
TAG = "id;x;y;z;time\n0x6733;2096;874;552;2019-05-16 10:24:00.213\n"
LIBRARY = "location,date,b3001,b3002\n"
WEARER = {"27966", "27984"}  # the camera lost who wears the tag and found them again


def facts(recording: Recording, path: Path) -> list[Fact]:
    return [found for found in recording.read(path) if isinstance(found, Fact)]


def unreadable(recording: Recording, path: Path) -> list[int]:
    return [found.line for found in recording.read(path) if isinstance(found, Unreadable)]


def written(path: Path, content: str) -> Path:
    path.write_bytes(content.encode())
    return path


def test_camera_and_tag_tell_the_same_place_in_swapped_axes_of_their_own(tmp_path: Path) -> None:
    (camera,) = facts(SDU_TRACKS, written(tmp_path / "camera.csv", CAMERA))
    (tag,) = facts(SDU_TRACKS, written(tmp_path / "tag.csv", TAG))

    assert camera.data == {"session_id": "27966", "zone_id": "c2-r2", "x_m": 2.096, "y_m": 0.874}
    assert tag.data == {"session_id": "0x6733", "zone_id": "c2-r2", "x_m": 2.096, "y_m": 0.874}
    assert camera.at_ms == tag.at_ms == 1_557_995_040_213
    assert (camera.site_id, tag.site_id) == ("sdu-cameras", "sdu-tag")


def test_a_position_is_handed_over_with_its_session_and_without_a_device(tmp_path: Path) -> None:
    (fact,) = facts(SDU_TRACKS, written(tmp_path / "tag.csv", TAG))

    assert cloud_event(fact, SDU_TRACKS) == {
        "specversion": "1.0",
        "id": "0x6733;2096;874;552;2019-05-16 10:24:00.213#0",
        "source": "/recordings/sdu_tracks",
        "type": "musee.position-update.v1",
        "time": "2019-05-16T10:24:00.213+02:00",
        "data": {
            "site_id": "sdu-tag",
            "session_id": "0x6733",
            "zone_id": "c2-r2",
            "x_m": 2.096,
            "y_m": 0.874,
            "ingest_mode": "REPLAY",
            "producer": "replay/sdu_tracks",
        },
    }


def test_a_point_on_a_line_belongs_to_the_cell_that_begins_there() -> None:
    assert [sdu_tracks.zone(1_199, 799), sdu_tracks.zone(1_200, 799), sdu_tracks.zone(1_200, 800)] == [
        "c1-r1",
        "c2-r1",
        "c2-r2",
    ]
    assert sdu_tracks.zone(-3_800, -4_200) == "c0-r0"


@given(x_mm=st.integers(-40_000, 40_000), y_mm=st.integers(-40_000, 40_000))
def test_a_point_has_a_cell_exactly_on_the_plan(x_mm: int, y_mm: int) -> None:
    inside = -3_800 <= x_mm < 21_200 and -4_200 <= y_mm < 20_800

    assert (sdu_tracks.zone(x_mm, y_mm) is not None) == inside


def test_points_that_cannot_be_read_are_named_by_number(tmp_path: Path) -> None:
    good = "7;1557995040213;27966;266;186;1176;D8:80\n"
    bad = (
        "0;1557995040213;27966;266.5;186;1176;x\n"  # 2: no whole number
        "0;1557995040213;27966;;186;1176;x\n"  # 3: no number
        "0;soon;27966;266;186;1176;x\n"  # 4: no time
        "0;9999999999999;27966;266;186;1176;x\n"  # 5: the year 2286
        "0;1557995040213;;266;186;1176;x\n"  # 6: nobody
        "0;1557995040213;27966;266;9999;1176;x\n"  # 7: outside the plan
        "0;1557995040213;27966;266;186\n"  # 8: cells are missing
    )
    path = written(tmp_path / "camera.csv", CAMERA.partition("\r\n")[0] + "\n" + bad + good)

    assert unreadable(SDU_TRACKS, path) == list(range(2, 9))
    assert [fact.line for fact in facts(SDU_TRACKS, path)] == [9]


@pytest.mark.parametrize("told", ["2019-05-16", "2019-05-16 25:00:00", "16/05/2019 10:24:00", "2019-03-31 02:30:00"])
def test_a_tags_time_that_never_was_in_copenhagen_is_unreadable(tmp_path: Path, told: str) -> None:
    path = written(tmp_path / "tag.csv", f"{TAG}0x6733;2096;874;552;{told}\n")

    assert unreadable(SDU_TRACKS, path) == [3]


def test_a_folder_is_played_in_the_order_of_both_clocks_each_file_in_its_own(tmp_path: Path) -> None:
    # tag      24:06.577                 24:06.685
    # camera             24:06.600
    written(tmp_path / "raw_uwbtags.csv", TAG.replace("00.213", "06.577") + "0x6733;1;1;0;2019-05-16 10:24:06.685\nx\n")
    written(tmp_path / "raw_xovis.csv", CAMERA.replace("1557995040213", "1557995046600"))

    found = list(SDU_TRACKS.read(tmp_path))

    assert [(type(one).__name__, one.line) for one in found] == [
        ("Fact", 2),
        ("Fact", 2),
        ("Fact", 3),
        ("Unreadable", 4),
    ]
    assert [one.site_id for one in found if isinstance(one, Fact)] == ["sdu-tag", "sdu-cameras", "sdu-tag"]
    assert isinstance(found[3], Unreadable)
    assert found[3].reason.startswith("raw_uwbtags.csv: ")


def test_a_folder_without_one_of_the_two_and_a_file_of_neither_layout_are_refused(tmp_path: Path) -> None:
    written(tmp_path / "raw_xovis.csv", CAMERA)

    with pytest.raises(RecordingError, match=r"raw_uwbtags\.csv: No such file"):
        list(SDU_TRACKS.read(tmp_path))
    with pytest.raises(RecordingError, match="must name the columns"):
        list(SDU_TRACKS.read(written(tmp_path / "other.csv", "a;b\n1;2\n")))
    with pytest.raises(RecordingError, match="must name the columns"):
        list(SDU_TRACKS.read(written(tmp_path / "no.csv", 'no "CSV;\0"x\n')))


def walked(found: list[Fact], sessions: set[str]) -> set[tuple[int, object]]:
    """(minute, zone) in which one of the sessions was seen."""
    return {(fact.at_ms // 60_000, fact.data["zone_id"]) for fact in found if fact.data["session_id"] in sessions}


def test_the_packaged_tracks_have_the_counts_of_their_attribution() -> None:
    assert SDU_TRACKS.packaged is not None
    found = facts(SDU_TRACKS, SDU_TRACKS.packaged)

    people: defaultdict[str | None, set[object]] = defaultdict(set)
    for fact in found:
        people[fact.site_id].add(fact.data["session_id"])
    assert Counter(fact.site_id for fact in found) == {"sdu-cameras": 1_312, "sdu-tag": 827}
    assert {site: len(sessions) for site, sessions in people.items()} == {"sdu-cameras": 8, "sdu-tag": 1}
    assert len({fact.fact_id for fact in found}) == 2_139
    assert all(one.at_ms <= other.at_ms for one, other in pairwise(found))


def test_who_wears_the_tag_and_the_tag_walk_the_same_zones_in_the_same_minutes() -> None:
    assert SDU_TRACKS.packaged is not None
    found = facts(SDU_TRACKS, SDU_TRACKS.packaged)

    tag = walked(found, {"0x6733"})

    assert walked(found, WEARER) == tag
    assert (len(tag), len({zone for _, zone in tag})) == (10, 4)
    assert not walked(found, {"27974", "27976", "27978", "27979", "27981"}) & tag


def test_with_its_axes_unswapped_the_camera_sees_the_wearer_elsewhere(tmp_path: Path) -> None:
    # The control of the test above.
    assert SDU_TRACKS.packaged is not None
    header, *lines = (SDU_TRACKS.packaged / "raw_xovis.csv").read_text().splitlines()
    swapped = [";".join([*cells[:3], cells[4], cells[3], *cells[5:]]) for cells in (line.split(";") for line in lines)]
    found = facts(SDU_TRACKS, written(tmp_path / "swapped.csv", "\n".join([header, *swapped])))

    assert walked(found, WEARER) != walked(facts(SDU_TRACKS, SDU_TRACKS.packaged), {"0x6733"})


def test_both_spellings_of_a_librarys_time_are_read_month_first(tmp_path: Path) -> None:
    path = written(tmp_path / "b.csv", f"{LIBRARY}I01,4-19-2016 9:37:23,-200,-75\nK04,05-06-2016 13:07,-200,-70\n")

    assert [(fact.time, fact.data) for fact in facts(BLE_LIBRARY, path)] == [
        ("2016-04-19T09:37:23-04:00", {"session_id": "phone", "zone_id": "i01"}),
        ("2016-05-06T13:07:00-04:00", {"session_id": "phone", "zone_id": "k04"}),
    ]


def test_fixes_that_differ_in_a_signal_alone_have_ids_of_their_own_and_equal_ones_are_counted(tmp_path: Path) -> None:
    path = written(tmp_path / "b.csv", LIBRARY + "".join(f"I01,4-19-2016 9:37:23,-200,{n}\n" for n in (-75, -76, -75)))

    assert [fact.fact_id for fact in facts(BLE_LIBRARY, path)] == [
        "I01,4-19-2016 9:37:23,-200,-75#0",
        "I01,4-19-2016 9:37:23,-200,-76#0",
        "I01,4-19-2016 9:37:23,-200,-75#1",
    ]


@pytest.mark.parametrize(
    "fix",
    [
        ",4-19-2016 9:37:23",
        "I01,4-19-2016 9:37",
        "I01,13-19-2016 9:37:23",
        "I01,3-13-2016 2:30:00",
        "I01,",
        "I01",
        f"{'İ' * 150},4-19-2016 9:37:23",
    ],  # 300 characters in lower case
)
def test_a_fix_without_a_cell_or_a_time_that_was_is_unreadable(tmp_path: Path, fix: str) -> None:
    path = written(tmp_path / "b.csv", f"{LIBRARY}{fix},-200,-75\nI01,4-19-2016 9:37:23,-200,-75\n")

    assert unreadable(BLE_LIBRARY, path) == [2]
    assert [fact.line for fact in facts(BLE_LIBRARY, path)] == [3]


def test_the_packaged_library_has_852_fixes_in_105_zones() -> None:
    assert BLE_LIBRARY.packaged is not None
    found = facts(BLE_LIBRARY, BLE_LIBRARY.packaged)

    assert (len(found), len({fact.data["zone_id"] for fact in found})) == (852, 105)
    assert len({fact.fact_id for fact in found}) == 852
    assert unreadable(BLE_LIBRARY, BLE_LIBRARY.packaged) == []
