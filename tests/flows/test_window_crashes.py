"""The loop killed between its steps: no window is missing, and none has two different last values."""

import asyncio
import signal
import subprocess
import sys
from typing import Any

import pytest

from streams.config import Settings
from tests.flows import windows
from tests.flows.counted import Counted, waiting

TIMES = 10


def command(settings: Settings, step: str, count: int = 1) -> list[str]:
    """What runs the loop until it dies at a step or has said everything."""
    return [
        sys.executable, "-m", "tests.flows.window_worker", settings.kafka_servers, settings.redis_url, step, str(count)
    ]  # fmt: skip


def loop(settings: Settings, step: str, count: int = 1) -> int:
    """Run it; its exit code."""
    return subprocess.run(command(settings, step, count), timeout=60, check=False).returncode


def told(settings: Settings, prefix: str) -> list[dict[str, Any]]:
    return asyncio.run(windows.records(settings.kafka_servers, prefix))


@pytest.mark.parametrize("step", ["reserve", "half", "publish", "confirm"])
def test_a_loop_killed_at_a_step_again_and_again_loses_and_contradicts_nothing(own: Settings, step: str) -> None:
    site = Counted(own, f"crash-{step}")
    asyncio.run(site.open())
    deaths = []

    for turn in range(TIMES):
        asyncio.run(site.count(12))
        deaths.append(loop(own, step, 1 + turn % 2))
    asyncio.run(site.count(1))
    assert loop(own, "none") == 0

    said = told(own, site.prefix)
    print(f"\n{step}: {deaths.count(-signal.SIGKILL)} deaths, {len(said)} records of {len(windows.last(said))} windows")
    assert deaths.count(-signal.SIGKILL) >= TIMES - 1
    assert windows.last(said) == windows.of_cells(site.cells)
    assert windows.ambiguous(said) == []
    assert waiting(own) == 0


def test_the_check_notices_a_loop_that_confirms_before_it_publishes(own: Settings) -> None:
    site = Counted(own, "crash-wrong")
    asyncio.run(site.open())
    asyncio.run(site.count(12))

    died = loop(own, "wrong")
    assert died == -signal.SIGKILL
    assert loop(own, "none") == 0

    lost = windows.of_cells(site.cells).keys() - windows.last(told(own, site.prefix)).keys()
    assert lost
    assert waiting(own) == 0


def test_two_loops_at_once_contradict_each_other_nowhere(own: Settings) -> None:
    site = Counted(own, "crash-both")
    asyncio.run(site.open())

    for _ in range(4):
        asyncio.run(site.count(40))
        both = [subprocess.Popen(command(own, "none")) for _ in range(2)]
        assert [one.wait(30) for one in both] == [0, 0]

    said = told(own, site.prefix)
    assert windows.last(said) == windows.of_cells(site.cells)
    assert windows.ambiguous(said) == []


def test_the_check_notices_a_revision_that_is_used_twice(own: Settings) -> None:
    site = Counted(own, "crash-twice")
    asyncio.run(site.open())
    asyncio.run(site.count(3))
    assert loop(own, "none") == 0
    said = told(own, site.prefix)
    assert windows.ambiguous(said) == []

    forged = {**said[0], "entries": said[0]["entries"] + 1}

    assert windows.ambiguous([*said, forged]) == [(windows.place(forged), forged["revision"])]
