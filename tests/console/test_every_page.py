"""What holds on every page: figures are the API's, nothing is cut, nothing is said in the other language, axe is mute.

Needs Chromium, and the running world with a simulated day of two hundred sites. Pictures go to ``tests/console/shots``.
"""

import asyncio
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from streams.console.i18n import LANGUAGES
from tests.beds import wait_for
from tests.console.browser import Browser, Page
from tests.console.catalogues import texts
from tests.console.conftest import Crowd
from tests.console.live import LiveStack, stopped
from tests.console.test_page import CLIPPED_JS, HEARD_JS, WIDTHS
from tests.programs import World
from tests.verbs import musee

pytestmark = pytest.mark.system

SHOTS = Path(__file__).parent / "shots"
AXE = (Path(__file__).parents[1] / "vendor" / "axe-core" / "axe.min.js").read_text()
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SITES = 200
SAMPLED = 50
PAGES = {
    "room": "/",
    "site": "/site/TALKATIVE",
    "replayed": "/site/demo",
    "alerts": "/alerts",
    "quality": "/quality",
    "never heard": "/site/MUTE",
    "wall": "/wall/TALKATIVE",
    "map": "/map",
    "département": "/map?department=75",
    "why": "/why/TALKATIVE",
    "why nothing": "/why/TALKATIVE?gate=nowhere",
    "why the network": "/why",
    "lost": "/site/no-such-site",
    "no such language": "/?lang=xx",
}
LIVE = ["room", "site", "replayed"]  # those whose figures are of /v1/now
NAMES = {"Somme"}  # a département too
AXE_JS = f"axe.run(document, {{runOnly: {json.dumps(TAGS)}, resultTypes: ['violations']}})"
FIGURES_JS = """[...document.querySelectorAll("[data-figure][data-site]")].map((one) => ({
    site: one.dataset.site, gate: one.dataset.gate ?? null, zone: one.dataset.zone ?? null, kind: one.dataset.figure,
    text: one.textContent, state: one.dataset.state, link: one.closest("a")?.href ?? null}))"""
# What is said on a page: texts and labels, not what is data (bdi), code, or in another language on purpose.
SAID_JS = """(() => {
  const said = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const own = document.documentElement.lang;
  const foreign = (one) => one.closest("bdi, code, pre, kbd") || one.closest("[lang]").lang !== own;
  while (walker.nextNode()) {
    const text = walker.currentNode;
    if (!foreign(text.parentElement)) said.push(text.data.replace(/\\s+/g, " ").trim());
  }
  for (const name of ["aria-label", "title", "placeholder", "alt"])
    for (const one of document.querySelectorAll(`[${name}]`))
      if (!foreign(one)) said.push(one.getAttribute(name).trim());
  return [...new Set(said)].filter(Boolean);
})()"""


@dataclass(frozen=True)
class Full:
    """The running world with its simulated day."""

    world: World
    crowd: Crowd

    def address(self, name: str) -> str:
        path = PAGES[name].replace("TALKATIVE", self.crowd.talkative).replace("MUTE", self.crowd.mute)
        return self.world.console.address + path


@pytest.fixture(scope="module")
def day(running_world: World, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Two hundred sites, a whole day, sent at once."""
    folder = tmp_path_factory.mktemp("day") / "truth"
    told = musee(
        running_world.settings,
        "simulate",
        "--sites",
        str(SITES),
        "--seed",
        "60606",
        "--speed",
        "max",
        "-o",
        str(folder),
    )
    assert told.returncode == 0, told.stderr
    running_world.wait_quiet(120)
    now = f"{running_world.console.address}/v1/now"
    wait_for(lambda: running_world.http.get(now).json()["network"]["sites_heard"] > SITES, what="two hundred sites")


@pytest.fixture
def full(live_stack: LiveStack, world: World, crowd: Crowd, day: None) -> Full:
    return Full(world, crowd)


async def opened(page: Page, address: str, language: str = "en") -> None:
    if "lang=" not in address:
        address += f"{'&' if '?' in address else '?'}lang={language}"
    await page.open(address)
    await page.until(HEARD_JS, within_s=20)


def clean(page: Page, full: Full) -> list[str]:
    """Requests to other hosts and errors of a page."""
    return page.foreign(full.world.console.address) + page.errors


# -- figures -----------------------------------------------------------------------------------------------------------


def of_api(document: dict[str, Any], figure: dict[str, Any]) -> tuple[Any, str]:
    """Value and state of a figure as ``/v1/now`` tells them."""
    sites = {site["site_id"]: site for site in document["sites"]} | {"": document["network"]}
    site = sites[figure["site"]]
    source = site
    if figure["gate"] is not None:
        source = next(one for one in site["gates"] if one["gate_id"] == figure["gate"])
    elif figure["zone"] is not None:
        parts = [*site["zones"], *site["levels"]]
        source = next(one for one in parts if one["zone_id"] == figure["zone"] and figure["kind"] in one)
    value: Any = source
    for name in figure["kind"].split("."):
        value = value[name]
    return value, site["state"]


async def sampled(page: Page, api: httpx2.AsyncClient, seed: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Figures of a page, fifty at most, and how those differ from the API, as of a moment in which that stood still."""
    for _ in range(40):
        before = (await api.get("/v1/now")).json()
        figures = await page.evaluate(FIGURES_JS)
        after = (await api.get("/v1/now")).json()
        some = random.Random(seed).sample(figures, min(SAMPLED, len(figures)))
        told = [(of_api(before, one), of_api(after, one), one) for one in some]
        if all(one == other for one, other, _ in told):
            wrong = [f"{one} is {api}" for api, _, one in told if not shows(one, *api)]
            if not wrong:
                return some, []
        await asyncio.sleep(0.2)
    return some, wrong


def shows(figure: dict[str, Any], value: Any, state: str) -> bool:
    digits = re.sub(r"[^\d.–]", "", figure["text"])
    same = digits == ("–" if value is None else f"{value:.1f}" if isinstance(value, float) else str(value))
    return same and figure["state"] == state and bool(figure["link"])


@pytest.mark.parametrize("name", LIVE)
async def test_fifty_figures_are_those_of_the_api_with_its_state_and_lead_to_what_is_behind_them(
    full: Full, browser: Browser, api: httpx2.AsyncClient, name: str
) -> None:
    async with browser.page(width=1280, height=900) as page:
        await opened(page, full.address(name))
        figures, wrong = await sampled(page, api, name)
        await page.evaluate("document.querySelector('[data-figure][data-site]').textContent = '987654321'")
        spoilt = await page.evaluate(FIGURES_JS)

        assert clean(page, full) + await page.breaches() == []

    assert wrong == []
    assert len(figures) == SAMPLED or name != "room"
    assert all("/why" in one["link"] for one in figures)
    document = (await api.get("/v1/now")).json()
    assert not shows(spoilt[0], *of_api(document, spoilt[0])), "a figure that is wrong must be noticed"


# -- for everyone ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("name", PAGES)
async def test_axe_finds_nothing_in_light_or_dark(full: Full, browser: Browser, name: str, language: str) -> None:
    found = []
    async with browser.page(width=1280, height=900) as page:
        await opened(page, full.address(name), language)
        await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
        await page.evaluate(AXE)
        for scheme in ("light", "dark"):
            await page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            for violation in (await page.evaluate(AXE_JS))["violations"]:
                found += [f"{scheme}: {violation['id']}: {node['html'][:200]}" for node in violation["nodes"]]
        noticed = found or await _axe_notices(page)

    assert found == []
    assert noticed


async def _axe_notices(page: Page) -> bool:
    """The control: a picture without a text."""
    await page.evaluate(
        "document.querySelector('main').append(Object.assign(document.createElement('img'), {src: ''}))"
    )
    told = await page.evaluate(AXE_JS)
    return "image-alt" in {one["id"] for one in told["violations"]}


@pytest.mark.parametrize("name", PAGES)
async def test_nothing_is_cut_or_leaves_the_window_in_the_longer_language(
    full: Full, browser: Browser, name: str
) -> None:
    SHOTS.mkdir(exist_ok=True)
    cut = []
    for dark, widths in ((False, WIDTHS[::2]), (True, WIDTHS[1::2])):
        async with browser.page(width=widths[0], height=900, dark=dark) as page:
            await opened(page, full.address(name), "fr")
            for width in widths:
                await page.resize(width, 1080 if width > 1000 else 844)
                await page.screenshot(SHOTS / f"{name.replace(' ', '-')}-{width}.png", whole=False)
                await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
                cut += await page.evaluate(f"({CLIPPED_JS})({width})")

    assert not cut, "; ".join(cut)


# -- languages ---------------------------------------------------------------------------------------------------------


def patterns(language: str) -> Iterator[re.Pattern[str]]:
    """What a text of ``language`` looks like on a page, of those that the other one says otherwise."""
    french = LANGUAGES["fr"].messages
    for one in texts():
        told = french[one.ids[0]]
        said = {"en": one.ids, "fr": (told,) if isinstance(told, str) else told}
        forms = {name: [re.sub(r"\s+", " ", form) for form in some] for name, some in said.items()}
        other = "fr" if language == "en" else "en"
        for form in forms[language]:
            plain = re.sub(r"\{\w+\}", "", form)
            told_apart = plain == form or len(re.findall(r"[^\W\d_]", plain)) >= 4
            if form not in forms[other] and form not in NAMES and told_apart:
                parts = (re.escape(part) for part in re.split(r"\{\w+\}", form))
                yield re.compile(".+".join(parts))


@pytest.mark.parametrize("language", ["en", "fr"])
async def test_a_page_says_nothing_in_the_other_language(full: Full, browser: Browser, language: str) -> None:
    foreign = list(patterns("fr" if language == "en" else "en"))
    own = list(patterns(language))
    wrong, right = [], 0
    for name in PAGES:
        if name == "no such language":
            continue
        async with browser.page(width=1280, height=900) as page:
            await opened(page, full.address(name), language)
            said = await page.evaluate(SAID_JS)
        wrong += [f"{name}: {one}" for one in said if any(pattern.fullmatch(one) for pattern in foreign)]
        right += sum(any(pattern.fullmatch(one) for pattern in own) for one in said)

    assert wrong == []
    assert right > 30, "the texts of the page's own language are recognised, so the other's would be too"


# -- three things that look alike --------------------------------------------------------------------------------------

LINE_JS = "document.getElementById('connection').innerText"
STATES_JS = "[...new Set([...document.querySelectorAll('[data-figure][data-site]')].map((one) => one.dataset.state))]"


async def test_a_stopped_pipeline_a_lost_connection_and_a_silent_site_are_told_apart_in_words(
    full: Full, browser: Browser
) -> None:
    SHOTS.mkdir(exist_ok=True)
    async with browser.page(width=1280, height=900) as page:
        await opened(page, full.world.console.address + "/")
        await page.evaluate("globalThis.same = true")
        moving = "document.querySelector('[data-figure=inside][data-site=demo]').dataset.state"
        await page.until(f"{moving} === 'live'", within_s=60)

        age = "document.querySelector('[data-age=\"{}\"]').innerText"
        silent = await page.evaluate(age.format(full.crowd.sites[-1]))
        others = await page.evaluate(age.format("demo"))
        await page.screenshot(SHOTS / "silent-site.png")
        assert ("last heard" in silent, "counted" in others) == (True, True)

        with stopped(full.world.agents.pid):
            stopped_s = await page.until(f"JSON.stringify({STATES_JS}) === '[\"stale\"]'", within_s=5)
            line = await page.evaluate(LINE_JS)
            await page.screenshot(SHOTS / "pipeline-stopped.png")
        assert "not counting since" in line
        await page.until(f"{moving} === 'live'", within_s=60)

        with stopped(full.world.console.pid):
            lost_s = await page.until(f"{LINE_JS}.includes('connection lost')", within_s=5)
            await page.screenshot(SHOTS / "connection-lost.png")
        await page.until(f"{moving} === 'live'", within_s=60)

        assert await page.evaluate("globalThis.same"), "back to live without a reload"
    print(f"\nagents stopped: every figure stale after {stopped_s:.1f} s; console stopped: told after {lost_s:.1f} s")
