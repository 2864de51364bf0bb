"""Recordings through the whole path by the command, and the check that has to notice when something is off."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest

from streams.adapters import readiness
from streams.check import recordings, report
from streams.check.files import RULES
from streams.replay.recordings import RECORDINGS
from tests.beds import Part
from tests.programs import World, environment, program

pytestmark = pytest.mark.timeout(900)  # the first test waits for sixteen replays, a minute on a quiet machine

PACKAGED = ("yelp", "xed", "sdu_tracks", "ble_library", "web_log")
TWEETS = """\
tweet_id,created_at,text,category
1,2015-06-17T09:59:59.999Z,The new room at @BritishMuseum,happy
2,2015-06-17T10:00:00.000Z,"First @user, then .@tate_stives and @tate",nocode
3,2015-06-17T10:00:00.001Z,@tate_kids and @tatemodern are nobody's,sad
4,2015-06-17T10:00:00.001Z,@tate_kids and @tatemodern are nobody's,sad
2,2015-06-17T10:00:00.000Z,"First @user, then .@tate_stives and @tate",nocode
5,noon,@tate,happy
"""


def _musee(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environment(world.settings)}
    command = [sys.executable, "-m", "streams", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)


def _checked(world: World, files: dict[str, Path], name: str) -> dict[str, Any]:
    """The report for machines; the packaged part where there is no file of ours."""
    world.wait_quiet()
    packaged = RECORDINGS[name].packaged
    path = files.get(name) or packaged
    assert path is not None
    return report.document(recordings.check(world.settings, RULES[name], path), everything=False, explain=False)


def _file(files: dict[str, Path], name: str) -> tuple[str, ...]:
    return ("--file", str(files[name])) if name in files else ()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Made-up files in the layouts of the recordings that do not ship with us, and of one that does."""
    folder = tmp_path_factory.mktemp("recordings")
    start = datetime(2005, 10, 29)  # the clocks go back in the second night
    half_hours = [(start + timedelta(minutes=30 * n), n % 7, (n * 3) % 5) for n in range(3 * 48)]
    calit2 = [f"{at:%Y-%m-%d %H:%M:%S},{entries},{exits},0" for at, entries, exits in half_hours]
    gym = [f"Wellness Centre,{'In' if n % 3 else 'Out'},3/9/2015 8:{n // 4:02d}" for n in range(200)]
    told = {
        "calit2": "\n".join(["timestamp,in_count,out_count,is_anomaly", *calit2]) + "\n",
        "gym_swipes": "\n".join(["DeviceName,Direction,AlarmDateTime", *gym]) + "\n",
        "smile_tweets": TWEETS,
    }
    for name, text in told.items():
        (folder / f"{name}.csv").write_text(text)
    return {name: folder / f"{name}.csv" for name in told}


@pytest.fixture(scope="module")
def replayed(running_world: World, files: dict[str, Path]) -> World:
    """The world after every recording was replayed twice."""
    names = (*files, *PACKAGED)
    running_world.revive()

    def twice(name: str) -> list[subprocess.CompletedProcess[str]]:
        return [_musee(running_world, "replay", name, "--speed", "max", *_file(files, name)) for _ in range(2)]

    with ThreadPoolExecutor(3) as pool:
        for name, ended in zip(names, pool.map(twice, names), strict=True):
            assert [one.returncode for one in ended] == [0, 0], f"{name}: {ended[0].stderr}{ended[1].stderr}"
    return running_world


@pytest.mark.parametrize("name", ["gym_swipes", "calit2", "smile_tweets", *PACKAGED])
def test_a_recording_replayed_twice_agrees_with_its_file(
    replayed: World, world: World, files: dict[str, Path], name: str
) -> None:
    told = _checked(world, files, name)

    assert told["agree"], told
    assert told["compared"] > 0
    assert told["landed"]["offsets"] == told["landed"]["rows"] > 0


def test_each_recording_is_told_in_its_own_words(replayed: World, world: World, files: dict[str, Path]) -> None:
    told = {name: _checked(world, files, name)["said"] for name in ("smile_tweets", *PACKAGED)}

    assert told["smile_tweets"] == [
        "4 posts (3 distinct texts), 6 lines, 1 unreadable",
        "britishmuseum 1, tate-stives 1, unplaced 2",
    ]
    assert told["yelp"][0].endswith("distinct texts)")
    assert told["xed"][0].endswith("unreadable")
    assert "people and" in told["sdu_tracks"][0]
    assert "0 only one of them" in told["sdu_tracks"][1]
    assert "M-D-YYYY H:MM:SS" in told["ble_library"][1]
    assert "lines stamped earlier than the line before" in told["web_log"][0]


@pytest.mark.parametrize(
    ("name", "pattern", "metric", "place"),
    [
        ("gym_swipes", "c:*:gym:2015-03-09T12", "wellness-centre|07|exits", "wellness-centre"),
        ("smile_tweets", "n:*:tate-stives:*", "social_posts", "tate-stives"),
        ("xed", "n:*:xed:*", "guestbook_entries", "xed"),
        ("web_log", "n:*:web-log:*", "web_robots", "web-log"),
        ("ble_library", "p:*:ble-library:*", "a-room|59", "ble-library/a-room"),
    ],
)
def test_one_added_to_a_cell_of_redis_is_named(
    replayed: World, world: World, files: dict[str, Path], name: str, pattern: str, metric: str, place: str
) -> None:
    client = world.redis()
    key = min(map(str, client.scan_iter(match=pattern)))
    client.hincrby(key, metric, 1)

    told = _checked(world, files, name)

    left = client.hincrby(key, metric, -1)
    if not left:
        client.hdel(key, metric)
    client.close()
    (different,) = told["differences"]
    assert different["name"] == place
    assert different["redis"] == different["file"] + 1 == different["clickhouse"] + 1


@pytest.mark.parametrize(
    ("name", "tables", "site", "complaints"),
    [
        ("smile_tweets", {"social_post": "occurred_at"}, "britishmuseum", {"events", "distinct texts"}),
        ("yelp", {"guestbook_entry": "occurred_at"}, "yelp", {"events"}),
        ("web_log", {"web_traffic": "occurred_at"}, "web-log", set()),
        ("sdu_tracks", {"position_update": "occurred_at", "presence_minute": "ts_utc"}, "sdu-tag", set()),
    ],
)
def test_a_minute_that_is_gone_from_clickhouse_is_named(
    replayed: World,
    world: World,
    files: dict[str, Path],
    name: str,
    tables: dict[str, str],
    site: str,
    complaints: set[str],
) -> None:
    table = next(iter(tables))
    ((minute,),) = world.query(f"SELECT min(toStartOfMinute(occurred_at)) FROM musee.{table} WHERE site_id = '{site}'")
    client = clickhouse_connect.get_client(dsn=world.settings.clickhouse_url, autogenerate_session_id=False)
    for gone, time in tables.items():
        rows = f"musee.{gone} WHERE site_id = '{site}' AND toStartOfMinute({time}) = '{minute:%Y-%m-%d %H:%M:%S}'"
        client.command(f"CREATE TABLE musee.aside_{gone} ENGINE = Memory AS SELECT * FROM {rows}")
        client.command(f"DELETE FROM {rows}")

    told = _checked(world, files, name)

    for gone in tables:
        client.command(f"INSERT INTO musee.{gone} SELECT * FROM musee.aside_{gone}")
        client.command(f"DROP TABLE musee.aside_{gone}")
    client.close()
    assert told["differences"]
    assert {one["name"].partition("/")[0] for one in told["differences"]} == {site}
    assert all(one["clickhouse"] < one["file"] == one["redis"] for one in told["differences"])
    assert complaints <= {fact["name"] for fact in told["facts"] if fact["file"] != fact["clickhouse"]}
    assert _checked(world, files, name)["agree"]


def test_a_recording_played_as_another_day_is_checked_as_that_day(
    replayed: World, world: World, tmp_path: Path
) -> None:
    file = tmp_path / "tracks.csv"
    file.write_text("id;x;y;z;time\n0x1;2096;874;0;2019-05-16 10:24:06.577\n0x1;2096;874;0;2019-05-17 10:24:06\n")
    _musee(world, "replay", "sdu_tracks", "--file", str(file), "--as", "2026-01-16")

    told = json.loads(
        _musee(world, "check", "sdu_tracks", "--file", str(file), "--as", "2026-01-16", "--all", "--json").stdout
    )

    # The packaged walk is of 2019; the moved one is in winter time, an hour later by UTC.
    moved = {one["when"]: (one["file"], one["redis"], one["clickhouse"]) for one in told["cells"] if one["file"]}
    assert moved == {"2026-01-16T09:24": (1, 1, 1), "2026-01-17T09:24": (1, 1, 1)}


def test_the_report_for_people_names_what_differs_and_ends_with_their_number(
    replayed: World, world: World, files: dict[str, Path]
) -> None:
    client = world.redis()
    key = next(map(str, client.scan_iter(match="c:*:gym:2015-03-09T12")))
    client.hincrby(key, "wellness-centre|07|exits", 1)

    check = _musee(world, "check", "gym_swipes", "--explain", *_file(files, "gym_swipes"))

    client.hincrby(key, "wellness-centre|07|exits", -1)
    client.close()
    again = _musee(world, "check", "gym_swipes", *_file(files, "gym_swipes"))
    assert (again.returncode, again.stdout.splitlines()[-1][:16]) == (0, "0 differences in")
    assert check.returncode == 1
    assert "SCAN MATCH c:{" in check.stdout
    assert "DIFFERENT  gate wellness-centre, 2015-03-09, exits: file 67, redis 68, clickhouse 67" in check.stdout
    assert check.stdout.splitlines()[-1].startswith("1 difference in ")


@pytest.fixture
def without_seen_set(world: World) -> Iterator[World]:
    """The agents with the test switch off, on a store that has forgotten the recording's ids."""
    world.agents.terminate()
    careless = Part(
        "agents without the seen set",
        world.agents.address,
        program("agents"),
        readiness.http(f"{world.agents.address}/ready"),
        log=world.settings.home / "logs" / "careless.log",
        env=environment(world.settings) | {"MUSEE_SEEN_SET": "false"},
    )
    careless.start()
    yield world
    careless.terminate()
    world.agents.start()


def test_without_the_seen_set_another_replay_is_reported_as_doubled(
    replayed: World, without_seen_set: World, files: dict[str, Path]
) -> None:
    _musee(without_seen_set, "replay", "gym_swipes", "--speed", "max", *_file(files, "gym_swipes"))

    told = _checked(without_seen_set, files, "gym_swipes")

    assert not told["agree"]
    (entries,) = (one for one in told["totals"] if (one["place"], one["metric"]) == ("site", "entries"))
    assert entries["file"] == entries["clickhouse"]
    assert entries["redis"] == 2 * entries["file"]
