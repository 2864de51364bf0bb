"""Fixtures of the console's tests: the running world with the demo playing, and a browser."""

import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import httpx2
import pytest
import pytest_asyncio

from streams.core.sites import Gate, Site, Zone
from tests.beds import Part, wait_for
from tests.console.atlas import atlas as atlas
from tests.console.browser import Browser
from tests.console.live import LiveStack
from tests.programs import World, environment, scan


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


@pytest.fixture(scope="package")
def demo(running_world: World) -> Iterator[Part]:
    """A day of a recording, playing on site ``demo`` while the console is looked at, and no longer."""

    async def at_once() -> str | None:
        return None

    command = [sys.executable, "-m", "streams", "replay", "--demo"]
    log = running_world.settings.home / "logs" / "demo.log"
    part = Part("demo", "", command, at_once, log=log, env=environment(running_world.settings))
    part.start()
    yield part
    part.terminate()


@dataclass(frozen=True)
class Crowd:
    """Some sixty simulated sites, all heard, and as many that never were.

    Attributes:
        sites: ids of those heard.
        talkative: the one whose every family spoke.
        mute: one never heard.
    """

    world: World
    sites: tuple[str, ...]
    talkative: str
    mute: str

    @property
    def console_url(self) -> str:
        return self.world.console.address

    def fill(self, site_id: str) -> None:
        """More people than ``site_id`` has room for."""
        answer = self.world.post([_played(site_id, "ticket-scan", gate_id="main", direction="IN", party_size=500)])
        assert answer.status_code == 202, answer.text


def _played(site_id: str, family: str, **data: object) -> dict[str, object]:
    event = scan(site_id, type=f"musee.{family}.v1", time="2015-02-02T12:30:10Z")
    return event | {"data": {"site_id": site_id, "ingest_mode": "REPLAY", **data}}


@pytest.fixture(scope="session")
def crowd(running_world: World) -> Crowd:
    """Made known and heard once; their names are as long and as odd as those of real museums."""
    made = [
        Site(
            f"crowd-{place:02d}",
            "simulated",
            f"Musée départemental de la Résistance et de la Déportation <b>n° {place}</b>",
            "Europe/Paris",
            capacity=None if place == 7 else 100,
            replay=True,
            simulated=True,
            place="Saint-Remy-en-Bouzemont-Saint-Genest-et-Isson" if place % 9 == 0 else "Lyon",
            gates=(Gate("main", "Main door"),),
            zones=(Zone("nave", "Nave"), Zone("crypt", "Crypt")),
        )
        for place in range(60)
    ]
    silent = [Site(f"silent-{place:02d}", "museofile", f"Musée {place}", "Europe/Paris") for place in range(60)]
    running_world.revive()
    running_world.publish(made + silent)
    events = [
        _played(site.site_id, "ticket-scan", gate_id="main", direction="IN", party_size=1 + place)
        for place, site in enumerate(reversed(made))
    ]
    talkative = made[0].site_id
    events += [_played(talkative, "guestbook-entry", text="Très beau", rating=rating) for rating in (5, 4, 4, None)]
    events += [_played(talkative, "social-post", network="x", text="A day out")]
    events += [_played(talkative, "visitor-action", action=action) for action in ("VIEW", "LIKE")]
    events += [_played(talkative, "web-traffic", page_views=321, assets=5, robots=2, errors=0)]
    events += [_played(talkative, "position-update", zone_id="nave", session_id=f"phone {one}") for one in range(3)]
    events += [_played(talkative, "device-status", device_id=device, status="OK") for device in ("door", "kiosk")]
    clock = _played(talkative, "ticket-scan", gate_id="main", direction="IN") | {"time": "2015-02-02T12:31:00Z"}
    wait_for(lambda: running_world.post([*events, clock]).status_code == 202, what="sites known at the door")
    wait_for(lambda: running_world.now(made[-1].site_id)["entries"] > 0, what="a crowd")
    wait_for(lambda: running_world.now(talkative)["entries"] > 0, what="a talkative site")
    return Crowd(running_world, tuple(site.site_id for site in made), talkative, silent[0].site_id)


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
