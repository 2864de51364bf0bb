"""The wall of one museum in a browser: it fits every screen, says what the API says, greys itself and heals itself."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from streams.console import i18n
from streams.console.documents import Now, Site, read_now
from streams.console.pages.wall import WallWords
from streams.console.streams import COOKIE, PER_BROWSER
from streams.console.words import Words
from streams.core.sites import Site as Described
from tests.console.browser import Browser, Page
from tests.console.conftest import Crowd
from tests.console.live import LiveStack, stopped
from tests.console.test_every_page import AXE, AXE_JS
from tests.console.test_page import CLIPPED_JS
from tests.programs import World

SIZES = [(1920, 1080), (1080, 1920), (1280, 720), (390, 844)]
STALE_S = 5.0
HEARD_JS = "document.documentElement?.dataset.messageId !== undefined"
TRUST_JS = "document.getElementById('wall').dataset.trust"
SAID_JS = "document.querySelector('[data-wall=trust]').textContent"
STATES_JS = "[...new Set([...document.querySelectorAll('.figure')].map((one) => one.dataset.state))].join()"
FIGURES_JS = """Object.fromEntries([...document.querySelectorAll("[data-figure]")].map((one) =>
    [one.dataset.figure, [Number(one.dataset.value), one.textContent]]))"""
BREACHES_JS = f"""{AXE_JS}.then((told) =>
    told.violations.map((one) => `${{one.id}}: ${{one.nodes.map((node) => node.html.slice(0, 120)).join(" ")}}`))"""
# Blocks that leave the window or lie upon another; the page must neither scroll nor hide the last line.
LAYOUT_JS = """(() => {
  const found = [];
  const { scrollHeight, scrollWidth } = document.documentElement;
  if (scrollHeight > innerHeight || scrollWidth > innerWidth) found.push(`scrolls: ${scrollWidth} × ${scrollHeight}`);
  const blocks = [...document.querySelectorAll(
    "#banner:not([hidden]), .wall > header, .inside > :not([hidden]), .capacity, .today, .alert, .trust")];
  const boxes = blocks.map((one) => [one.className || one.tagName, one.getBoundingClientRect()]);
  for (const [name, box] of boxes) {
    const { left, top, right, bottom } = box;
    if (left < -1 || top < -1 || right > innerWidth + 1 || bottom > innerHeight + 1) found.push(`${name} leaves`);
    if (box.height < 8) found.push(`${name} has no room`);
  }
  boxes.forEach(([name, one], place) => {
    for (const [other, two] of boxes.slice(place + 1)) {
      if (one.left < two.right - 1 && two.left < one.right - 1 && one.top < two.bottom - 1 && two.top < one.bottom - 1)
        found.push(`${name} lies on ${other}`);
    }
  });
  const figure = document.querySelector(".count .figure").getBoundingClientRect();
  if (figure.height < innerHeight / 12) found.push(`the number is ${figure.height} high`);
  return found;
})()"""


@contextlib.asynccontextmanager
async def wall(browser: Browser, url: str, site_id: str, query: str = "", **window: Any) -> AsyncIterator[Page]:
    async with browser.page(**window) as page:
        await page.open(f"{url}/wall/{site_id}{query}")
        await page.until(HEARD_JS, within_s=15)
        yield page


@pytest.fixture(scope="module")
def troubled(crowd: Crowd) -> str:
    """A site with a long name, simulated and over its capacity."""
    site_id = crowd.sites[9]
    crowd.fill(site_id)
    return site_id


@pytest.mark.system
@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_the_wall_fits_and_nothing_lies_on_anything(
    live_stack: LiveStack, troubled: str, browser: Browser, tmp_path: Path, width: int, height: int
) -> None:
    for language, dark in (("en", False), ("fr", True)):
        window = {"width": width, "height": height, "dark": dark}
        async with wall(browser, live_stack.console_url, troubled, f"?lang={language}", **window) as page:
            await page.until("document.querySelector('.wall .alert') !== null", within_s=15)
            await page.screenshot(tmp_path / f"wall-{width}-{language}.png")

            assert await page.evaluate(LAYOUT_JS) == []
            assert await page.evaluate(f"({CLIPPED_JS})({width})") == []
            assert await page.evaluate("document.querySelectorAll('a, button, input, select, summary').length") == 0
            assert await page.evaluate("getComputedStyle(document.getElementById('banner')).display") != "none"
            await page.evaluate(AXE)
            assert await page.evaluate(BREACHES_JS) == []
            assert await page.breaches() == []
            assert page.foreign(live_stack.console_url) == []
            await page.evaluate("document.querySelector('h1').append(' and so on'.repeat(200))")
            assert await page.evaluate(LAYOUT_JS) == []
            await page.evaluate("document.querySelector('.range').style.position = 'absolute'")  # the control
            await page.evaluate("document.querySelector('.range').style.top = '50%'")
            assert await page.evaluate(LAYOUT_JS) != []


@pytest.mark.system
async def test_the_wall_says_what_the_api_says(
    live_stack: LiveStack, browser: Browser, api: httpx2.AsyncClient
) -> None:
    async with wall(browser, live_stack.console_url, "demo", "?lang=en") as page:
        for _ in range(100):
            before = (await api.get("/v1/now?site=demo")).json()["sites"][0]
            shown = await page.evaluate(FIGURES_JS)
            after = (await api.get("/v1/now?site=demo")).json()["sites"][0]
            if all(before[name] == after[name] == value for name, (value, _) in shown.items()):
                break
            await asyncio.sleep(0.1)

        assert {name: value for name, (value, _) in shown.items()} == {
            name: after[name] for name in ("inside", "entries")
        }
        assert {text for _, text in shown.values()} == {f"{after[name]:,}" for name in ("inside", "entries")}
        assert [url for url in page.requests if "/v1/" in url] == [f"{live_stack.console_url}/v1/feed?site=demo"]


@pytest.mark.system
async def test_a_wall_tells_stopped_counting_from_its_own_lost_line_and_comes_back_without_a_reload(
    world: World, live_stack: LiveStack, browser: Browser
) -> None:
    async with wall(browser, live_stack.console_url, "demo", "?lang=en") as page:
        await page.until(f"{TRUST_JS} !== 'stale'", within_s=10)
        origin = await page.evaluate("performance.timeOrigin")
        for pid, trust, words in (
            (live_stack.agents_pid, "stale", "counting stopped"),
            (world.console.pid, "lost", "this screen lost its connection"),
        ):
            before = await page.evaluate(SAID_JS)
            with stopped(pid):
                stopped_s = time.monotonic()
                await page.until(f"{STATES_JS} === 'stale'", within_s=STALE_S)
                await page.until(f"{TRUST_JS} === '{trust}'", within_s=STALE_S)
                said = await page.evaluate(SAID_JS)
                took_s = time.monotonic() - stopped_s
            await page.until(f"['live', 'quiet'].includes({TRUST_JS})", within_s=20)

            assert words in said
            assert said.startswith("Not current since ")
            assert words not in before
            assert took_s <= STALE_S
            assert words not in await page.evaluate(SAID_JS)
        assert await page.evaluate("performance.timeOrigin") == origin


@pytest.mark.system
async def test_one_silent_museum_is_silent_and_nothing_else(
    live_stack: LiveStack, crowd: Crowd, browser: Browser
) -> None:
    async with wall(browser, live_stack.console_url, crowd.mute, "?lang=en") as page:
        await page.until(f"{SAID_JS} === 'Counting goes on; this museum was not heard yet'", within_s=10)
    async with wall(browser, live_stack.console_url, crowd.sites[20], "?lang=en") as page:
        await page.until(f"{SAID_JS}.startsWith('Counting goes on; nothing heard from this museum for ')", within_s=10)

        assert await page.evaluate(STATES_JS) == "quiet"


@pytest.mark.system
async def test_a_wall_outlives_its_server_and_takes_up_a_new_build(
    world: World, live_stack: LiveStack, browser: Browser
) -> None:
    async with (
        wall(browser, live_stack.console_url, "demo") as kept,
        wall(browser, live_stack.console_url, "demo") as old,
    ):
        await old.evaluate("document.documentElement.dataset.build = 'older'")
        for page in (kept, old):
            await page.evaluate("globalThis.mark = 1")
        await asyncio.to_thread(world.console.kill)
        await asyncio.to_thread(world.console.start)
        await kept.until(f"['live', 'quiet'].includes({TRUST_JS})", within_s=20)
        await old.until(f"globalThis.mark === undefined && {HEARD_JS}", within_s=20)

        assert await kept.evaluate("globalThis.mark") == 1
        assert await old.evaluate("document.documentElement.dataset.build") != "older"


@pytest.mark.system
async def test_the_wall_of_an_unknown_museum_says_so_and_appears_when_it_is_known(
    world: World, live_stack: LiveStack, browser: Browser
) -> None:
    async with browser.page() as page:
        await page.open(f"{live_stack.console_url}/wall/hung-too-soon?lang=en")
        said = await page.evaluate("document.querySelector('main').textContent")
        await asyncio.to_thread(
            world.publish, [Described("hung-too-soon", "tests", "Musée 🏛 \u202e<b>", "Europe/Paris")]
        )
        await page.until("document.querySelector('h1')?.textContent.startsWith('Musée 🏛')", within_s=20)

        assert "hung-too-soon" in said
        assert await page.evaluate("document.body.dataset.kind") == "wall"
        assert await page.evaluate("document.querySelector('h1 b')") is None


@pytest.mark.system
async def test_a_refused_wall_says_why_and_comes_back(live_stack: LiveStack, browser: Browser, demo: object) -> None:
    async with wall(browser, live_stack.console_url, "demo", "?lang=en") as page:
        cookies = (await page.call("Network.getCookies"))["cookies"]
        (token,) = [one["value"] for one in cookies if one["name"] == COOKIE]
        greedy = httpx2.AsyncClient(
            base_url=live_stack.console_url, cookies={COOKIE: token}, trust_env=False, timeout=10,
            limits=httpx2.Limits(max_connections=None),
        )  # fmt: skip
        async with greedy:
            async with contextlib.AsyncExitStack() as stack:
                for _ in range(PER_BROWSER - 1):
                    await stack.enter_async_context(greedy.stream("GET", "/v1/feed?site=demo"))
                answer = await greedy.get("/v1/feed")
                await page.open(f"{live_stack.console_url}/site/demo?lang=en")  # leaves a place, and finds it taken
                await stack.enter_async_context(greedy.stream("GET", "/v1/feed?site=demo"))
                await page.open(f"{live_stack.console_url}/wall/demo?lang=en")
                await page.until(f"{SAID_JS}.includes('{PER_BROWSER} live pages open')", within_s=15)
                shown = await page.evaluate(STATES_JS)
            await page.until(f"['live', 'quiet'].includes({TRUST_JS})", within_s=20)

    assert answer.status_code == 429
    assert shown == "stale"


# -- what is said ----------------------------------------------------------------------------------------------------


def site(**said: object) -> Site:
    base = {
        "site_id": "x", "name": "X", "time_zone": "Europe/Paris", "replay": False, "partition": 0,
        "business_day": "2026-11-24", "inside": 0, "entries": 0, "exits": 0, "denied": 0, "state": "live",
        "confirmed_ms": NOW_MS - 1_000, "received_ms": NOW_MS - 1_000,
    }  # fmt: skip
    return msgspec.convert({**base, **said}, Site)


def now(missing: list[str]) -> Now:
    network = {"sites_known": 1, "sites_heard": 1, "inside": 0, "entries": 0, "exits": 0, "state": "live",
               "played": {"sites": 0, "inside": 0, "entries": 0, "simulated": 0}}  # fmt: skip
    pipeline = {"state": "stale", "confirmed_ms": None, "missing": missing}
    return read_now({"now_ms": NOW_MS, "stale_after_ms": 5000, "pipeline": pipeline, "network": network, "sites": []})


NOW_MS = 1_795_600_000_000
CASES: list[dict[str, object]] = [
    {"inside": 1248, "capacity": 1600, "inside_low": 1231, "inside_high": 1263},
    {"inside": 1599, "capacity": 1600},
    {"inside": 1600, "capacity": 1600},
    {"inside": 1601, "capacity": 1600},
    {"inside": 12_480, "capacity": 1600, "inside_low": 5, "inside_high": 5},
    {"inside": 3},
    {"state": "quiet", "received_ms": NOW_MS - 240_000},
    {"state": "quiet", "received_ms": None},
    {"state": "stale", "confirmed_ms": None},
    {"state": "stale", "confirmed_ms": NOW_MS - 60_000},
    {"state": "stale", "confirmed_ms": NOW_MS - 2 * 86_400_000},
    {"state": "rebuilding"},
]


@pytest.mark.system
@pytest.mark.parametrize("language", i18n.LANGUAGES)
async def test_the_wall_says_the_same_before_and_after_its_script_takes_over(
    live_stack: LiveStack, browser: Browser, language: str
) -> None:
    async with wall(browser, live_stack.console_url, "demo", f"?lang={language}") as page:
        told = [[msgspec.to_builtins(site(**case)), missing] for case in CASES for missing in ([], ["redis"])]
        script = f"""(async () => {{
            const page = document.querySelector('script[src*="wall.js"]').src;
            const wall = await import(page.replace("wall.js", "wall_words.js"));
            return {json.dumps(told)}.map(([site, missing]) => [wall.range(site), wall.share(site), wall.room(site),
                wall.fullness(site), wall.trust(site, site.state, {{ missing }}, {NOW_MS}, site.time_zone)]);
        }})()"""
        after = await page.evaluate(script)

    before = []
    for case in CASES:
        words = WallWords(Words(i18n.LANGUAGES[language]), site(**case), "Europe/Paris")
        said = [words.range(), words.share(), words.room(), words.fullness()]
        before += [[*said, words.trust(now(missing))] for missing in ([], ["redis"])]
    assert after == before


@pytest.mark.parametrize(
    ("inside", "room", "fullness"),
    [
        (0, "room for 100 more", ""),
        (89, "room for 11 more", ""),
        (90, "room for 10 more", "near"),
        (100, "full", "near"),
        (101, "1 too many", "over"),
    ],
)
def test_the_room_that_is_left_in_words(inside: int, room: str, fullness: str) -> None:
    words = WallWords(Words(), site(inside=inside, capacity=100), None)

    assert (words.room(), words.fullness()) == (room, fullness)


def test_stale_figures_of_a_site_without_a_zone_are_told_in_utc() -> None:
    words = WallWords(Words(), site(state="stale", confirmed_ms=NOW_MS), None)

    assert words.trust(now([])).endswith(" UTC: counting stopped")
