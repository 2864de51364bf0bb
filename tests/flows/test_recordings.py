"""Recordings through the whole path by the command, and the check that has to notice when something is off."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from streams.embedded import readiness
from tests.beds import Part
from tests.programs import World, environment, program


def _musee(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environment(world.settings)}
    command = [sys.executable, "-m", "streams", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def calit2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three made-up days of half-hours in the recording's layout."""
    file = tmp_path_factory.mktemp("calit2") / "three days.csv"
    start = datetime(2005, 10, 29)  # the clocks go back in the second night
    rows = [(start + timedelta(minutes=30 * n), n % 7, (n * 3) % 5) for n in range(3 * 48)]
    lines = [f"{at:%Y-%m-%d %H:%M:%S},{entries},{exits},0" for at, entries, exits in rows]
    file.write_text("\n".join(["timestamp,in_count,out_count,is_anomaly", *lines]) + "\n")
    return file


@pytest.fixture(scope="module")
def gym(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up morning in the recording's layout; equal lines are different people."""
    file = tmp_path_factory.mktemp("gym") / "gym.csv"
    lines = [f"Wellness Centre,{'In' if n % 3 else 'Out'},3/9/2015 8:{n // 4:02d}" for n in range(200)]
    file.write_text("\n".join(["DeviceName,Direction,AlarmDateTime", *lines]) + "\n")
    return file


@pytest.mark.parametrize("name", ["gym_swipes", "calit2"])
def test_a_recording_replayed_twice_agrees_with_its_file(world: World, name: str, gym: Path, calit2: Path) -> None:
    file = str(gym if name == "gym_swipes" else calit2)

    first, second = (_musee(world, "replay", name, "--file", file, "--speed", "max") for _ in range(2))
    check = _musee(world, "check", name, "--file", file)

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert check.returncode == 0, check.stdout + check.stderr
    assert "0 differences" in check.stdout


def test_one_person_added_by_hand_is_named(world: World, gym: Path) -> None:
    _musee(world, "replay", "gym_swipes", "--file", str(gym), "--speed", "max")
    client = world.redis()
    key = next(map(str, client.scan_iter(match="c:*:gym:2015-03-09T12")))
    client.hincrby(key, "wellness-centre|07|exits", 1)

    check = _musee(world, "check", "gym_swipes", "--file", str(gym))

    client.hincrby(key, "wellness-centre|07|exits", -1)
    assert check.returncode == 1
    assert "wellness-centre" in check.stdout
    assert "2015-03-09" in check.stdout
    assert "1 difference" in check.stdout


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


def test_without_the_seen_set_a_second_replay_is_reported_as_doubled(without_seen_set: World, gym: Path) -> None:
    _musee(without_seen_set, "replay", "gym_swipes", "--file", str(gym), "--speed", "max")

    check = _musee(without_seen_set, "check", "gym_swipes", "--file", str(gym))

    assert check.returncode == 1
    assert "redis" in check.stdout
    total = next(line for line in check.stdout.splitlines() if line.startswith("site gym") and " all " in line)
    file_entries, redis_entries, landed_entries = (int(word) for word in total.split()[3:6])
    assert file_entries == landed_entries
    assert redis_entries >= 2 * file_entries
