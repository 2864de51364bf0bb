"""The page on a whole running stack: what it shows is what the API says, and it never looks fresher than it is.

Needs the fixture ``live_stack`` (traffic flowing on the site ``demo``); tests marked ``system`` need Chromium too.
"""

import asyncio
import json
import time
from pathlib import Path

import httpx2
import pytest

from streams.console import words
from streams.console.documents import read_now
from tests.console.browser import Browser, Page
from tests.console.live import LiveStack, line_to, stopped

MOVING = "demo"
SIZES = [(1920, 1080), (390, 844)]
WIDTHS = [320, 390, 1280, 1920]
STALE_S = 5.0  # the promise: no figure looks alive for longer than this
Figures = dict[tuple[str, str | None, str], int]  # (site, gate, kind) → number

FIGURES_JS = """[...document.querySelectorAll("[data-figure]")].map((one) => [
    one.dataset.site, one.dataset.gate ?? null, one.dataset.figure, one.dataset.value, one.textContent])"""
STATES_JS = """[...new Set([...document.querySelectorAll("[data-figure]")].map((one) => one.dataset.state))]"""
ALL_STALE_JS = f"JSON.stringify({STATES_JS}) === '[\"stale\"]'"
MOVING_IS_LIVE_JS = f"""[...document.querySelectorAll('[data-figure][data-site="{MOVING}"]')]
    .every((one) => one.dataset.state === "live")"""
CONNECTED_JS = 'document.documentElement.dataset.messageId !== undefined && document.querySelector(".uplot") !== null'

# Text that leaves the window or the box it is in; what is hidden on purpose is left out. The window's width is given,
# since a phone's window grows with what overflows it.
CLIPPED_JS = """(width) => {
  const found = [];
  const wide = document.scrollingElement.scrollWidth;
  if (wide > width) found.push(`the page is ${wide} wide`);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode;
    const said = text.data.trim();
    if (!said || text.parentElement.closest(".hidden, noscript, details:not([open]) > :not(summary)")) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    for (const box of range.getClientRects()) {
      if (box.width === 0) continue;
      if (box.left < -0.5 || box.right > width + 0.5) found.push(`${said} leaves the window`);
      for (let around = text.parentElement; around; around = around.parentElement) {
        const style = getComputedStyle(around);
        if (style.overflowX === "visible") continue;
        const edge = around.getBoundingClientRect();
        if (box.left < edge.left - 0.5 || box.right > edge.right + 0.5) found.push(`${said} is cut`);
      }
    }
  }
  return [...new Set(found)];
}"""


async def told_by_api(api: httpx2.AsyncClient) -> Figures:
    document = read_now((await api.get("/v1/now")).raise_for_status().json())
    told: Figures = {}
    for site in document.sites:
        for gate, source in [(None, site), *((gate.gate_id, gate) for gate in site.gates)]:
            for kind in ("entries", "exits", "denied"):
                told[site.site_id, gate, kind] = getattr(source, kind)
        told[site.site_id, None, "inside"] = site.inside
    return told


async def shown_by(page: Page) -> Figures:
    shown: Figures = {}
    for site, gate, kind, value, text in await page.evaluate(FIGURES_JS):
        assert text == words.number(int(value))
        shown[site, gate, kind] = int(value)
    return shown


async def agreed(page: Page, api: httpx2.AsyncClient, shot: Path) -> tuple[Figures, bytes]:
    """Figures and screenshot of a moment in which the API said the same before and after.

    The feed is at most a second behind, so on a page that keeps up such a moment comes soon.
    """
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        before = await told_by_api(api)
        first, picture, second = await shown_by(page), await page.screenshot(shot), await shown_by(page)
        after = await told_by_api(api)
        if before == after and first == second and first.items() <= after.items():
            return first, picture
    raise AssertionError(f"no moment of agreement in 30 s: page {first}, API {after}")


# -- what the page shows ---------------------------------------------------------------------------------------------


@pytest.mark.system
@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_two_pictures_five_seconds_apart_equal_the_api_and_differ(
    live_stack: LiveStack, browser: Browser, api: httpx2.AsyncClient, tmp_path: Path, width: int, height: int
) -> None:
    async with browser.page(width=width, height=height) as page:
        await page.open(f"{live_stack.console_url}/?site={MOVING}")
        await page.until(CONNECTED_JS, within_s=10)

        for _ in range(6):  # a replayed night hour may have nobody at the door for five seconds
            one, picture = await agreed(page, api, tmp_path / f"{width}-1.png")
            await asyncio.sleep(5)
            other, later_picture = await agreed(page, api, tmp_path / f"{width}-2.png")
            if one != other:
                break

    assert one != other
    assert picture != later_picture
    sites = {site for site, _, _ in await told_by_api(api)}
    assert {(site, None, kind) for site in sites for kind in ("inside", "entries", "exits")} <= other.keys()
    assert any(site == MOVING and gate is not None for site, gate, _ in other)


@pytest.mark.system
async def test_every_figure_is_stale_five_seconds_after_counting_stopped_and_live_again_after_it_goes_on(
    live_stack: LiveStack, browser: Browser
) -> None:
    async with browser.page() as page:
        await page.open(live_stack.console_url)
        await page.until(CONNECTED_JS, within_s=10)
        await page.until(MOVING_IS_LIVE_JS, within_s=60)

        with stopped(live_stack.agents_pid):
            took_s = await page.until(ALL_STALE_JS, within_s=STALE_S)
            ages = await page.evaluate("[...document.querySelectorAll('[data-age]')].map((one) => one.innerText)")
            line = await page.evaluate("document.getElementById('connection').innerText")
            cut = []
            for width in WIDTHS:  # the words of this state are the longest
                await page.resize(width, 900)
                cut += await page.evaluate(f"({CLIPPED_JS})({width})")
        await page.until(MOVING_IS_LIVE_JS, within_s=60)

    assert took_s <= STALE_S
    assert all("stale since" in age for age in ages)
    assert "not counting since" in line
    assert cut == []


@pytest.mark.system
async def test_every_figure_is_stale_five_seconds_after_the_line_broke(live_stack: LiveStack, browser: Browser) -> None:
    async with browser.page() as page, line_to(live_stack.console_url) as (address, whole):
        await page.open(address)
        await page.until(CONNECTED_JS, within_s=10)
        await page.until(MOVING_IS_LIVE_JS, within_s=60)

        whole.clear()
        took_s = await page.until(ALL_STALE_JS, within_s=STALE_S)
        line = await page.evaluate("document.getElementById('connection').innerText")
        whole.set()
        await page.until(MOVING_IS_LIVE_JS, within_s=60)

    assert took_s <= STALE_S
    assert "connection lost since" in line


@pytest.mark.system
async def test_the_page_asks_nobody_else_breaks_no_policy_and_makes_no_error(
    live_stack: LiveStack, browser: Browser
) -> None:
    async with browser.page() as page:
        await page.open(live_stack.console_url)
        await page.until(CONNECTED_JS, within_s=10)
        await page.evaluate("document.querySelector('a[data-select]').click()")
        await page.until("location.search !== ''", within_s=10)
        await page.evaluate("document.querySelector('details').open = true")
        await asyncio.sleep(5)  # long enough for the day to be fetched anew

        clean = page.foreign(live_stack.console_url), await page.breaches(), list(page.errors)

        # The control: a picture from elsewhere and a style attribute are seen by the same eyes.
        await page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=http://192.0.2.1/x style=top:0>')")
        await page.until("breaches.length >= 2", within_s=10)

        assert clean == ([], [], [])
        assert page.foreign(live_stack.console_url) == ["http://192.0.2.1/x"]
        assert page.errors


@pytest.mark.system
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("address", ["/", f"/?site={MOVING}", "/?site=example", "/?site=no-such-site"])
async def test_no_text_is_cut_at_any_width(live_stack: LiveStack, browser: Browser, width: int, address: str) -> None:
    async with browser.page(width=width, height=900) as page:
        await page.open(live_stack.console_url + address)
        await page.until("document.documentElement.dataset.messageId !== undefined", within_s=10)
        await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")

        cut = await page.evaluate(f"({CLIPPED_JS})({width})")
        # The control: the same page with one line that may not wrap.
        await page.evaluate("document.querySelector('h1').textContent = 'W'.repeat(400)")
        await page.evaluate("document.querySelector('h1').style.whiteSpace = 'nowrap'")
        control = await page.evaluate(f"({CLIPPED_JS})({width})")

    assert cut == []
    assert control != []


@pytest.mark.system
async def test_without_javascript_the_figures_are_there_and_renew_themselves(
    live_stack: LiveStack, browser: Browser, api: httpx2.AsyncClient
) -> None:
    async with browser.page(script=False) as page:
        before = await told_by_api(api)
        await page.open(f"{live_stack.console_url}/?site={MOVING}")
        shown, after = await shown_by(page), await told_by_api(api)
        visible = await page.evaluate("document.querySelector('.inside .figure').getBoundingClientRect().height > 50")
        drawn = await page.evaluate("document.querySelector('#chart svg .line').getAttribute('d')")
        first_ms = int(await page.evaluate("document.documentElement.dataset.nowMs"))
        await page.until(f"Number(document.documentElement?.dataset.nowMs) > {first_ms}", within_s=10)

    assert visible
    assert drawn.startswith("M")
    for key, value in shown.items():
        low, high = sorted((before[key], after[key]))
        assert low <= value <= high


@pytest.mark.system
async def test_choosing_another_site_shows_it_large_without_leaving_the_page(
    live_stack: LiveStack, browser: Browser
) -> None:
    async with browser.page() as page:
        await page.open(f"{live_stack.console_url}/?site={MOVING}")
        await page.until(CONNECTED_JS, within_s=10)
        await page.evaluate("globalThis.same = true")

        name = await page.evaluate("document.querySelector('a[data-select] .name').firstChild.data.trim()")
        await page.evaluate("document.querySelector('a[data-select]').click()")
        await page.until(f"document.querySelector('h1').textContent === {json.dumps(name)}", within_s=10)
        await page.until(CONNECTED_JS, within_s=10)
        await page.evaluate("history.back()")
        await page.until(f"document.getElementById('page').dataset.hero === '{MOVING}'", within_s=10)

        assert await page.evaluate("globalThis.same")


@pytest.mark.system
async def test_the_banner_of_a_replayed_site_cannot_be_scrolled_away(live_stack: LiveStack, browser: Browser) -> None:
    async with browser.page(width=390, height=600) as page:
        await page.open(f"{live_stack.console_url}/?site={MOVING}")
        await page.until(CONNECTED_JS, within_s=10)

        await page.evaluate("scrollTo(0, document.body.scrollHeight)")
        seen = await page.evaluate("[scrollY, document.getElementById('banner').getBoundingClientRect().top]")

    assert seen[0] > 0
    assert seen[1] == 0


@pytest.mark.system
async def test_the_script_says_everything_as_the_server_does(live_stack: LiveStack, browser: Browser) -> None:
    now_ms, zone = 1_795_512_724_957, "America/Los_Angeles"
    spans = [0, 849, 9_999, 10_000, 59_999, 60_000, 3_599_999, 3_600_000, 172_799_999, 172_800_000]
    moments = [now_ms, now_ms - 43_200_000, now_ms - 70 * 86_400_000]
    shares = [(0, 120), (47, 120), (120, 120), (180, 120), (5, 0)]

    async with browser.page() as page:
        await page.open(live_stack.console_url)
        said = await page.evaluate(
            f"""(async () => {{
            const page = document.querySelector("script[type=module]").src;
            const words = await import(page.replace("page.js", "words.js"));
            return [{spans}.map(words.span), {moments}.map((at) => words.moment(at, "{zone}", {now_ms})),
                {moments}.map((at) => `${{words.date(at, "{zone}")}} ${{words.clock(at, "{zone}")}}`),
                {[list(share) for share in shares]}.map((one) => words.share(...one)),
                [words.number(1234567), words.drift(1234), words.drift(0), words.raw(17)]];
            }})()"""
        )

    assert said == [
        [words.span(ms) for ms in spans],
        [words.moment(at, zone, now_ms) for at in moments],
        [f"{words.date(at, zone)} {words.clock(at, zone)}" for at in moments],
        [words.share(*share) for share in shares],
        [words.number(1_234_567), words.drift(1234), words.drift(0), words.raw(17)],
    ]
