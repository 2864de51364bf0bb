"""Fixtures on real parts, and how files run side by side.

``MUSEE_*`` of the person who runs the tests stays outside, save the cache of downloads. With ``-n`` each worker process
runs whole files and has a bed and a world of its own; nothing but the cache is shared.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import settings as hypothesis_settings

from streams.config import PREFIX, Settings
from tests.beds import Bed
from tests.programs import World

_CACHE = os.environ.get("MUSEE_CACHE")
for _name in [name for name in os.environ if name.startswith(PREFIX)]:
    del os.environ[_name]

# What nohup or a shell's & has us ignore, programs that tests start would ignore too; what is caught is not inherited.
for _number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, lambda *_: None)

# The brokers of tests live for minutes: 4.2 s of CPU for a start instead of 6.3, 9 % of a core at rest instead of 14.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")

# Speed is measured by benchmarks: a busy machine must not make a property fail.
hypothesis_settings.register_profile("patient", deadline=None)
hypothesis_settings.load_profile("patient")

# What takes longest begins first, or one worker would still be busy with it when the others have nothing left to do.
LONG = (
    "test_kill.py",
    "test_rebuild.py",
    "test_recordings.py",
    "test_alert_crashes.py",
    "test_embedded.py",
    "test_any_order.py",
    "test_outage.py",
    "test_windows.py",
    "test_wheel.py",
    "test_alerts_cli.py",
    "test_alerts.py",
    "test_occupancy.py",
    "test_simulate.py",
    "test_why.py",
    "test_new_topic.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONG)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Write what tests had to say beyond pass or fail, by ``record_property("told", …)``; workers cannot print."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, told in report.user_properties:
                if name == "told":
                    terminalreporter.write_line(str(told))


@pytest.fixture(scope="session")
def cache() -> Path:
    """Where Kafka's jars lie: the user's cache folder, so that they are fetched once."""
    return Path(_CACHE) if _CACHE else Settings.model_validate({}).cache


@pytest.fixture(scope="session")
def bed(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Bed]:
    """Kafka, Redis and ClickHouse, ready, for all tests of a process. Topics, keys and tables are their own affair."""
    bed = Bed(tmp_path_factory.mktemp("bed"), cache)
    try:
        bed.start()
        yield bed
    finally:
        bed.close()


@pytest.fixture
def settings(bed: Bed, tmp_path: Path) -> Settings:
    """Settings on the bed with free ports and a home of its own; a test that wants others uses ``model_copy``.

    A part that an earlier test left dead or stopped is brought back first.
    """
    for part in bed.parts:
        part.cont()
    bed.start()
    return bed.settings(tmp_path / "home")


@pytest.fixture(scope="session", autouse=True)
def nothing_left_running() -> Iterator[None]:
    """Fails the session when a test leaves a child of ours behind."""
    yield
    _, left = psutil.wait_procs(psutil.Process().children(recursive=True), timeout=30)
    assert not left, f"left running by the tests: {[(one.pid, one.cmdline()) for one in left]}"


@pytest.fixture(scope="session")
def running_world(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[World]:
    """Started once; tests use ``world``, fixtures that outlive a test call ``revive``."""
    folder = tmp_path_factory.mktemp("world")
    bed = Bed(folder, cache)
    world = World(bed, folder / "home")
    try:
        bed.start()
        world.start()
        yield world
    finally:
        world.close()
        bed.close()


@pytest.fixture
def world(running_world: World) -> World:
    """All parts running, whatever the test before did to them."""
    running_world.revive()
    return running_world
