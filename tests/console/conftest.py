"""Fixtures of the console's tests: the running world with the demo playing, and a browser."""

import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import httpx2
import pytest
import pytest_asyncio

from tests.beds import Part, wait_for
from tests.console.browser import Browser
from tests.console.live import LiveStack
from tests.programs import World, environment


@dataclass(frozen=True)
class _Stack:
    """The world as the console's tests see it."""

    world: World

    @property
    def console_url(self) -> str:
        return self.world.console.address

    @property
    def gateway_url(self) -> str:
        return self.world.gateway.address

    @property
    def agents_pid(self) -> int:
        return self.world.agents.pid


@pytest.fixture(scope="session")
def demo(running_world: World) -> Iterator[Part]:
    """The replay of ``musee up``, playing on site ``demo``."""

    async def at_once() -> str | None:
        return None

    command = [sys.executable, "-m", "streams", "replay", "--demo"]
    log = running_world.settings.home / "logs" / "demo.log"
    part = Part("demo", "", command, at_once, log=log, env=environment(running_world.settings))
    part.start()
    yield part
    part.terminate()


@pytest.fixture
def live_stack(world: World, demo: Part) -> LiveStack:
    """Everything running, figures of ``demo`` moving."""
    demo.start()
    wait_for(lambda: world.now("demo")["entries"] > 0, what="the demo's first figures")
    wait_for(lambda: world.now("demo")["state"] != "stale", what="a live pipeline")
    return _Stack(world)


@pytest_asyncio.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with await Browser.start() as started:
        yield started


@pytest_asyncio.fixture
async def api(live_stack: LiveStack) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=live_stack.console_url, trust_env=False, timeout=10) as client:
        yield client
