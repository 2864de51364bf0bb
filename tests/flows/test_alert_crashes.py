"""The loop that judges capacities killed between its steps: no alert is missing, each is resolved once by its id."""

import asyncio
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from streams.config import Settings
from tests.flows import levels
from tests.flows.levels import Levels

TIMES = 10
KILLED = -signal.SIGKILL


def command(settings: Settings, step: str, count: int, names: list[str]) -> list[str]:
    """What runs the loop until it dies at a step or has said everything."""
    told = [settings.kafka_servers, settings.redis_url, step, str(count), *names]
    return [sys.executable, "-m", "tests.flows.alert_worker", *told]


def loop(settings: Settings, step: str, names: list[str], count: int = 1) -> int:
    """Run it; its exit code."""
    return subprocess.run(
        command(settings, step, count, names), timeout=60, check=False, capture_output=True
    ).returncode


def three(prefix: str) -> list[str]:
    return [f"{prefix}-{number}" for number in range(3)]


@pytest.mark.parametrize("step", ["reserve", "publish", "save"])
def test_a_loop_killed_at_a_step_again_and_again_loses_and_contradicts_nothing(own: Settings, step: str) -> None:
    names, house = three(f"alert-{step}"), Levels(own)
    asyncio.run(house.open())
    walks: dict[str, list[int]] = {name: [] for name in names}
    deaths = []

    for turn in range(TIMES):
        people = 60 if turn % 2 else 86 + turn
        asyncio.run(house.set_all(names, people))
        deaths += [loop(own, step, names, 1 + turn % 3), loop(own, step, names)]  # the second one while it mends
        assert loop(own, "none", names) == 0
        for walk in walks.values():
            walk.append(people)

    said = levels.told(own, f"alert-{step}")
    found = levels.episodes(said)
    print(f"\n{step}: {deaths.count(KILLED)} deaths, {len(said)} records of {sum(n for n, _ in found.values())} alerts")
    assert deaths.count(KILLED) == 2 * TIMES
    assert found == levels.due(walks)
    assert all(opened == resolved for opened, resolved in found.values())
    assert levels.ambiguous(said) == []


@pytest.mark.parametrize("step", ["reserve", "publish", "save"])
def test_an_alert_that_a_dead_loop_began_is_resolved_though_the_level_fell_meanwhile(own: Settings, step: str) -> None:
    prefix = f"alert-fell-{step}"
    names, house = three(prefix), Levels(own)
    asyncio.run(house.open())

    for _ in range(3):
        asyncio.run(house.set_all(names, 86))
        assert loop(own, step, names) == KILLED
        asyncio.run(house.set_all(names, 20))
        assert loop(own, "none", names) == 0

    said = levels.told(own, prefix)
    found = levels.episodes(said)
    assert found
    assert all(opened == resolved for opened, resolved in found.values())
    assert levels.ambiguous(said) == []


def test_the_check_notices_a_loop_that_saves_before_it_publishes(own: Settings) -> None:
    names, house = three("alert-wrong"), Levels(own)
    asyncio.run(house.open())

    asyncio.run(house.set_all(names, 86))
    assert loop(own, "wrong", names) == KILLED
    assert loop(own, "none", names) == 0
    asyncio.run(house.set_all(names, 60))
    assert loop(own, "none", names) == 0

    found = levels.episodes(levels.told(own, "alert-wrong"))
    expected = levels.due(dict.fromkeys(names, (86, 60)))
    lost = [key for key, counts in expected.items() if found.get(key) != counts]
    assert len(lost) == 1  # it was never said to be open


def test_the_check_notices_a_resolution_that_is_saved_before_it_is_published(own: Settings) -> None:
    names, house = three("alert-late"), Levels(own)
    asyncio.run(house.open())

    asyncio.run(house.set_all(names, 86))
    assert loop(own, "none", names) == 0
    asyncio.run(house.set_all(names, 60))
    assert loop(own, "wrong", names) == KILLED
    assert loop(own, "none", names) == 0

    found = levels.episodes(levels.told(own, "alert-late"))
    assert [counts for counts in found.values() if counts[0] != counts[1]] == [(1, 0)]  # open for ever


def test_two_loops_at_once_contradict_each_other_nowhere(own: Settings) -> None:
    names, house = three("alert-both"), Levels(own)
    asyncio.run(house.open())
    walk = [90, 60, 99, 20]

    for people in walk:
        asyncio.run(house.set_all(names, people))
        both = [subprocess.Popen(command(own, "none", 1, names), stdout=subprocess.DEVNULL) for _ in range(2)]
        assert [one.wait(30) for one in both] == [0, 0]
        assert loop(own, "none", names) == 0  # who was overtaken may have ended first

    said = levels.told(own, "alert-both")
    assert levels.episodes(said) == levels.due(dict.fromkeys(names, walk))
    assert levels.ambiguous(said) == []


def test_the_check_notices_a_version_that_is_used_twice(own: Settings) -> None:
    names, house = three("alert-twice"), Levels(own)
    asyncio.run(house.open())
    asyncio.run(house.set_all(names, 86))
    assert loop(own, "none", names) == 0
    said = levels.told(own, "alert-twice")
    assert levels.ambiguous(said) == []

    forged = replace(said[0], high=said[0].high + 1)

    assert levels.ambiguous([*said, forged]) == [str((forged.rule, str(forged.scope), forged.version))]
