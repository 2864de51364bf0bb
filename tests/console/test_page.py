"""The page on a whole running stack: what it shows is what the API says, and it never looks fresher than it is.

Needs the fixture ``live_stack`` (traffic flowing on the site ``demo``); tests marked ``system`` need Chromium too.
"""

import asyncio
import json
import time
from pathlib import Path

import httpx2
import msgspec
import pytest

from streams.console.documents import Rebuilding, read_now
from streams.console.words import Words
from tests.console.browser import Browser, Page
from tests.console.conftest import Crowd
from tests.console.live import LiveStack, line_to, stopped

words = Words()

MOVING = "demo"
SIZES = [(1920, 1080), (390, 844)]
WIDTHS = [320, 390, 1280, 1920]
STALE_S = 5.0  # the promise: no figure looks alive for longer than this
Figures = dict[tuple[str, str | None, str], float | None]  # (site, gate or zone, kind) → number; no site: the network

FIGURES_JS = """[...document.querySelectorAll("[data-figure][data-site]")].map((one) => [
    one.dataset.site, one.dataset.gate ?? one.dataset.zone ?? null, one.dataset.figure, one.dataset.value,
    one.textContent])"""
LIVE_JS = """[...document.querySelectorAll("[data-figure][data-site]")]"""
STATES_JS = f"[...new Set({LIVE_JS}.map((one) => one.dataset.state))]"
ALL_STALE_JS = f"JSON.stringify({STATES_JS}) === '[\"stale\"]'"
MOVING_IS_LIVE_JS = f"""[...document.querySelectorAll('[data-figure][data-site="{MOVING}"]')]
    .every((one) => one.dataset.state === "live")"""
SHOWN_HEADING_JS = "document.querySelector('main :is(h1:not(.hidden), h2)')"
HEARD_JS = "document.documentElement.dataset.messageId !== undefined"
CONNECTED_JS = f'{HEARD_JS} && document.querySelector(".uplot") !== null'

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
    let heardOnly = false; // said to those who listen, where a heading says it to those who look
    for (let around = text.parentElement; around; around = around.parentElement) {
      heardOnly ||= getComputedStyle(around).clipPath === "inset(50%)";
    }
    if (heardOnly) continue;
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
        for zone in site.zones:
            told[site.site_id, zone.zone_id, "sessions"] = zone.sessions
        for kind in ("entries", "ratings", "mean_rating", "posts"):
            told[site.site_id, None, f"voice.{kind}"] = getattr(site.voice, kind)
        told[site.site_id, None, "inside"] = site.inside
        told[site.site_id, None, "actions"] = site.actions
        told[site.site_id, None, "web.page_views"] = site.web.page_views
    for kind in ("inside", "entries", "sites_heard"):
        told["", None, kind] = getattr(document.network, kind)
    return told


async def shown_by(page: Page) -> Figures:
    shown: Figures = {}
    for site, gate, kind, value, text in await page.evaluate(FIGURES_JS):
        if kind == "voice.mean_rating":
            shown[site, gate, kind] = float(value) if value else None
            assert text == words.rating(shown[site, gate, kind])
        else:
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
@pytest.mark.parametrize("address", ["/", f"/site/{MOVING}"])
async def test_two_pictures_five_seconds_apart_equal_the_api_and_differ(
    live_stack: LiveStack, crowd: Crowd, browser: Browser, api: httpx2.AsyncClient, tmp_path: Path,
    address: str, width: int, height: int,
) -> None:  # fmt: skip
    async with browser.page(width=width, height=height) as page:
        await page.open(live_stack.console_url + address)
        await page.until(HEARD_JS if address == "/" else CONNECTED_JS, within_s=10)

        for _ in range(6):  # a replayed night hour may have nobody at the door for five seconds
            one, picture = await agreed(page, api, tmp_path / f"{width}-1.png")
            await asyncio.sleep(5)
            other, later_picture = await agreed(page, api, tmp_path / f"{width}-2.png")
            if one != other:
                break

    assert one != other
    assert picture != later_picture
    sites = {"", MOVING, *crowd.sites} if address == "/" else {MOVING}
    assert {(site, None, kind) for site in sites for kind in ("inside", "entries")} <= other.keys()
    assert address == "/" or any(site == MOVING and gate is not None for site, gate, _ in other)


@pytest.mark.system
async def test_the_figures_of_the_other_families_are_the_apis(
    crowd: Crowd, browser: Browser, api: httpx2.AsyncClient, tmp_path: Path
) -> None:
    async with browser.page(width=390, height=844) as page:
        await page.open(f"{crowd.console_url}/site/{crowd.talkative}")
        await page.until(CONNECTED_JS, within_s=10)

        shown, _ = await agreed(page, api, tmp_path / "talkative.png")
        ages = await page.evaluate(
            "[...document.querySelectorAll('.devices [data-words]')].map((one) => one.innerText)"
        )

    kinds = {kind: value for (_, gate, kind), value in shown.items() if gate is None}
    assert kinds["voice.mean_rating"] == 4.33
    assert (kinds["voice.entries"], kinds["voice.posts"], kinds["actions"], kinds["web.page_views"]) == (4, 1, 2, 321)
    assert shown[crowd.talkative, "nave", "sessions"] == 3
    assert len(ages) == 2
    assert all("last heard" in age for age in ages)


@pytest.mark.system
@pytest.mark.parametrize("address", ["/", f"/site/{MOVING}"])
async def test_every_figure_is_stale_five_seconds_after_counting_stopped_and_live_again_after_it_goes_on(
    live_stack: LiveStack, crowd: Crowd, browser: Browser, address: str
) -> None:
    async with browser.page() as page:
        await page.open(live_stack.console_url + address)
        await page.until(HEARD_JS, within_s=10)
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
    assert ages
    assert all("stale since" in age for age in ages)
    assert "not counting since" in line
    assert cut == []


@pytest.mark.system
async def test_every_figure_is_stale_five_seconds_after_the_line_broke(live_stack: LiveStack, browser: Browser) -> None:
    async with browser.page() as page, line_to(live_stack.console_url) as (address, whole):
        await page.open(address)
        await page.until(HEARD_JS, within_s=10)
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
        await page.until(HEARD_JS, within_s=10)
        await page.evaluate("document.querySelector('a[data-select].name').click()")
        await page.until(f"location.pathname !== '/' && {CONNECTED_JS}", within_s=10)
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
@pytest.mark.parametrize("address", ["/", f"/site/{MOVING}", "/site/TALKATIVE", "/site/MUTE", "/site/no-such-site"])
async def test_no_text_is_cut_at_any_width(
    live_stack: LiveStack, crowd: Crowd, browser: Browser, width: int, address: str
) -> None:
    address = address.replace("TALKATIVE", crowd.talkative).replace("MUTE", crowd.mute)
    async with browser.page(width=width, height=900) as page:
        await page.open(live_stack.console_url + address)
        await page.until("document.documentElement.dataset.messageId !== undefined", within_s=10)
        await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")

        cut = await page.evaluate(f"({CLIPPED_JS})({width})")
        # The control: the same page with one line that may not wrap.
        await page.evaluate(f"{SHOWN_HEADING_JS}.textContent = 'W'.repeat(400)")
        await page.evaluate(f"{SHOWN_HEADING_JS}.style.whiteSpace = 'nowrap'")
        control = await page.evaluate(f"({CLIPPED_JS})({width})")

    assert cut == []
    assert control != []


@pytest.mark.system
async def test_without_javascript_the_figures_are_there_and_renew_themselves(
    live_stack: LiveStack, browser: Browser, api: httpx2.AsyncClient
) -> None:
    async with browser.page(script=False) as page:
        before = await told_by_api(api)
        await page.open(f"{live_stack.console_url}/site/{MOVING}")
        shown, after = await shown_by(page), await told_by_api(api)
        visible = await page.evaluate("document.querySelector('.inside .figure').getBoundingClientRect().height > 50")
        drawn = await page.evaluate("document.querySelector('#chart svg .line').getAttribute('d')")
        first_ms = int(await page.evaluate("document.documentElement.dataset.nowMs"))
        await page.until(f"Number(document.documentElement?.dataset.nowMs) > {first_ms}", within_s=10)

    assert visible
    assert drawn.startswith("M")
    for key, value in shown.items():
        low, high = sorted((before[key] or 0, after[key] or 0))
        assert low <= (value or 0) <= high


@pytest.mark.system
async def test_choosing_another_site_shows_it_large_without_leaving_the_page(
    live_stack: LiveStack, browser: Browser
) -> None:
    async with browser.page() as page:
        await page.open(live_stack.console_url)
        await page.until(HEARD_JS, within_s=10)
        await page.evaluate("globalThis.same = true")

        name = await page.evaluate("document.querySelector('a[data-select].name').textContent.trim()")
        await page.evaluate("document.querySelector('a[data-select].name').click()")
        await page.until(f"document.querySelector('h1').textContent === {json.dumps(name)}", within_s=10)
        await page.until(CONNECTED_JS, within_s=10)
        await page.evaluate("history.back()")
        await page.until("document.getElementById('page').dataset.hero === ''", within_s=10)
        await page.until("document.querySelectorAll('[data-row]').length > 1", within_s=10)

        assert await page.evaluate("globalThis.same")


@pytest.mark.system
@pytest.mark.parametrize(
    ("address", "said"), [(f"/site/{MOVING}", "Replay"), ("/site/TALKATIVE", "SIMULATED"), ("/", "SIMULATED")]
)
async def test_the_banner_cannot_be_scrolled_away(
    live_stack: LiveStack, crowd: Crowd, browser: Browser, address: str, said: str
) -> None:
    async with browser.page(width=390, height=600) as page:
        await page.open(live_stack.console_url + address.replace("TALKATIVE", crowd.talkative))
        await page.until(HEARD_JS, within_s=10)

        await page.evaluate("scrollTo(0, document.body.scrollHeight)")
        seen = await page.evaluate("[scrollY, document.getElementById('banner').getBoundingClientRect().top]")
        over = await page.evaluate("document.elementFromPoint(195, 4).closest('#banner') !== null")
        words = await page.evaluate("document.querySelector('#banner strong').innerText")

    assert seen[0] > 0
    assert seen[1] == 0
    assert over
    assert words == said


@pytest.mark.system
async def test_sites_never_heard_are_counted_and_not_listed_and_have_their_page(
    live_stack: LiveStack, crowd: Crowd, browser: Browser
) -> None:
    async with browser.page() as page:
        await page.open(live_stack.console_url)
        await page.until(HEARD_JS, within_s=10)
        counted = await page.evaluate("document.querySelector('[data-unheard]').innerText")
        listed = await page.evaluate("[...document.querySelectorAll('[data-row]')].map((row) => row.dataset.row)")

        await page.open(f"{live_stack.console_url}/site/{crowd.mute}")
        await page.until("document.querySelector('.figure').dataset.state === 'quiet'", within_s=10)
        age = await page.evaluate("document.querySelector('.age').innerText")
        with stopped(live_stack.agents_pid):
            await page.until(ALL_STALE_JS, within_s=STALE_S)

    assert "not heard yet" in counted
    assert set(crowd.sites) <= set(listed)
    assert crowd.mute not in listed
    assert "not heard yet" in age


@pytest.mark.system
async def test_rows_go_to_todays_rank_by_themselves(live_stack: LiveStack, crowd: Crowd, browser: Browser) -> None:
    order = "[...document.querySelectorAll('[data-row]')].map((row) => row.dataset.row)"
    async with browser.page() as page:
        await page.open(live_stack.console_url)
        await page.until(HEARD_JS, within_s=10)
        before = await page.evaluate(order)

        crowd.fill(crowd.sites[-1])
        await page.until(f"({order})[0] === '{crowd.sites[-1]}'", within_s=20)

    assert before[0] != crowd.sites[-1]


@pytest.mark.system
async def test_the_script_says_everything_as_the_server_does(live_stack: LiveStack, browser: Browser) -> None:
    now_ms, zone = 1_795_512_724_957, "America/Los_Angeles"
    spans = [0, 849, 9_999, 10_000, 59_999, 60_000, 3_599_999, 3_600_000, 172_799_999, 172_800_000]
    moments = [now_ms, now_ms - 43_200_000, now_ms - 70 * 86_400_000]
    shares = [(0, 120), (47, 120), (120, 120), (180, 120), (5, 0)]
    rebuilding = Rebuilding(now_ms - 259_200_000, now_ms, now_ms, 0.4399, 57, (3,))
    means = [None, 1.0, 4.24, 4.25, 4.35, 4.26, 5.0]

    async with browser.page() as page:
        await page.open(live_stack.console_url)
        said = await page.evaluate(
            f"""(async () => {{
            const page = document.querySelector("script[type=module]").src;
            const words = await import(page.replace("page.js", "words.js"));
            return [{spans}.map(words.span), {moments}.map((at) => words.moment(at, "{zone}", {now_ms})),
                {moments}.map((at) => `${{words.date(at, "{zone}")}} ${{words.clock(at, "{zone}")}}`),
                {[list(share) for share in shares]}.map((one) => words.share(...one)),
                {json.dumps(means)}.map(words.rating), [0, 1, 1166].map(words.unheard),
                [null, {now_ms} - 61000].map((at) => words.device(at, "stale", {now_ms})),
                [words.number(1234567), words.drift(1234), words.drift(0), words.raw(17)],
                [words.bounds(998, 1002), words.bounds(7, 7)], [0, 1, 1204].map(words.tickets),
                [null, {msgspec.json.encode(rebuilding).decode()}].map((one) => words.rebuilding(one, "{zone}"))];
            }})()"""
        )

    assert said == [
        [words.span(ms) for ms in spans],
        [words.moment(at, zone, now_ms) for at in moments],
        [f"{words.date(at, zone)} {words.clock(at, zone)}" for at in moments],
        [words.share(*share) for share in shares],
        [words.rating(mean) for mean in means],
        [words.unheard(sites) for sites in (0, 1, 1166)],
        [words.device(at, "stale", now_ms) for at in (None, now_ms - 61_000)],
        [words.number(1_234_567), words.drift(1234), words.drift(0), words.raw(17)],
        [words.bounds(998, 1_002), words.bounds(7, 7)],
        [words.tickets(distinct) for distinct in (0, 1, 1_204)],
        [words.rebuilding(one, zone) for one in (None, rebuilding)],
    ]
