"""A whole world for the flows: a bed of its own, so that every offset in it can be accounted for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.beds import Bed
from tests.programs import World


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
