"""Fixtures on real parts. ``MUSEE_*`` of the person who runs the tests stays outside, save the cache of downloads."""

import os
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

# Speed is measured by benchmarks: a busy machine must not make a property fail.
hypothesis_settings.register_profile("patient", deadline=None)
hypothesis_settings.load_profile("patient")


@pytest.fixture(scope="session")
def cache() -> Path:
    """Where Kafka's jars lie: the user's cache folder, so that they are fetched once."""
    return Path(_CACHE) if _CACHE else Settings.model_validate({}).cache


@pytest.fixture(scope="session")
def bed(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Bed]:
    """Kafka, Redis and ClickHouse, ready, for the whole session. Topics, keys and tables are the tests' own affair."""
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
    _, left = psutil.wait_procs(psutil.Process().children(recursive=True), timeout=5)
    assert not left, f"left running by the tests: {[(one.pid, one.cmdline()) for one in left]}"


@pytest.fixture(scope="session")
def running_world(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[World]:
    """Started once; tests use ``world``."""
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
    for part in (*running_world.bed.parts, *running_world.programs):
        part.cont()
    running_world.bed.start()
    for part in running_world.programs:
        part.spawn()
    for part in running_world.programs:
        part.start()
    return running_world
