"""The map in a browser: it shows what the API says, moves with the feed, and needs neither eyes nor a mouse."""

import asyncio

import httpx2
import pytest

from tests.console.atlas import Atlas
from tests.console.browser import Browser, Page
from tests.console.live import stopped
from tests.console.test_every_page import AXE, AXE_JS, SHOTS
from tests.console.test_page import CLIPPED_JS, WIDTHS

pytestmark = pytest.mark.system

HEARD_JS = "document.documentElement.dataset.messageId !== undefined"
AREAS_JS = """[...document.querySelectorAll('[data-site^="area:"]')].map((one) =>
  [one.dataset.site.slice(5), one.dataset.figure, one.dataset.value, one.textContent])"""
STEPS_JS = """Object.fromEntries([...document.querySelectorAll("[data-area]")].map((one) =>
  [one.dataset.area, one.dataset.step]))"""
# Links less than 24 CSS pixels high that are no part of a sentence; of a shape there is one in the table.
SMALL_JS = """[...document.querySelectorAll("main a:not(svg a, .skip), main button, main summary")].filter((one) => {
  const box = one.getBoundingClientRect();
  return box.width > 0 && box.height < 24 && !one.closest("figcaption p, p.beside");
}).map((one) => `${one.textContent.trim()} ${one.getBoundingClientRect().height}`)"""
# Numbers on the map that run into another shape's number.
OVERLAPS_JS = """(() => {
  const boxes = [...document.querySelectorAll(".france text")].map((one) => [one, one.getBoundingClientRect()])
    .filter(([, box]) => box.width > 0);
  return boxes.flatMap(([one, a], place) => boxes.slice(place + 1)
    .filter(([, b]) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3)
    .map(([other]) => `${one.dataset.site} ${other.dataset.site}`));
})()"""


def text_of(selector: str) -> str:
    return f"document.querySelector({selector!r})?.textContent"


async def opened(page: Page, atlas: Atlas, query: str = "") -> None:
    await page.open(f"{atlas.console_url}/map{query}")
    await page.until(HEARD_JS, within_s=10)


async def told(atlas: Atlas) -> dict[str, dict[str, int]]:
    async with httpx2.AsyncClient(base_url=atlas.console_url, timeout=10) as client:
        document = (await client.get("/v1/map")).json()
    return {one["code"]: one for one in [*document["departments"], *document["elsewhere"]]}


async def differences(page: Page, atlas: Atlas) -> list[str]:
    """Where the page's sums are not the API's."""
    sums, wrong = await told(atlas), []
    for code, figure, value, text in await page.evaluate(AREAS_JS):
        area = sums[code]
        expected = str(area[figure]) if area["sites_heard"] or figure == "sites_heard" else ""
        if value != expected or text.replace(",", "").replace("–", "") != expected:
            wrong.append(f"{code} {figure}: {value} ({text}), not {expected}")
    return wrong


async def test_script_and_server_say_the_same_sums(browser: Browser, atlas: Atlas) -> None:
    async with browser.page() as page:
        await opened(page, atlas, "?department=75")
        assert await differences(page, atlas) == []

        # Nobody tells this page anything: only its script can know.
        await asyncio.to_thread(atlas.enter, atlas.sites["48"], 4321)
        await page.until(f"""{text_of('.france [data-site="area:48"]')}.length >= 5""", within_s=5)

        assert await differences(page, atlas) == []
        assert (await page.evaluate(STEPS_JS))["48"] == "4"
        assert page.errors == []
        assert await page.breaches() == []
        assert page.foreign(atlas.console_url) == []


async def test_a_sum_that_is_not_the_apis_would_be_noticed(browser: Browser, atlas: Atlas) -> None:
    async with browser.page(script=False) as page:
        await page.open(f"{atlas.console_url}/map")
        await page.evaluate("""document.querySelector('.france [data-site="area:69"]').dataset.value = "1" """)

        assert [one.split(":")[0] for one in await differences(page, atlas)] == ["69 inside"]


async def test_choosing_a_departement_lists_its_sites_with_live_figures(browser: Browser, atlas: Atlas) -> None:
    async with browser.page() as page:
        await opened(page, atlas)
        await page.evaluate("""document.querySelector('.france a[data-area="33"]').dispatchEvent(
            new MouseEvent("click", {bubbles: true, cancelable: true}))""")
        await page.until("document.querySelector('#chosen-title') !== null", within_s=5)
        before = int(await page.evaluate("""document.querySelector('#chosen [data-figure="inside"]').dataset.value"""))
        await asyncio.to_thread(atlas.enter, atlas.sites["33"], 5)
        site = f"""#chosen [data-site="{atlas.sites["33"]}"][data-figure="inside"]"""
        await page.until(f"document.querySelector({site!r}).dataset.value === '{before + 5}'", within_s=5)
        total = """document.querySelector('#chosen [data-site="area:33"][data-figure="inside"]').dataset.value"""
        await page.until(f"{total} === '{before + 5}'", within_s=5)

        assert await page.evaluate("location.search") == "?department=33"
        assert await page.evaluate("""document.querySelector('.france a[aria-current]').dataset.area""") == "33"


async def test_without_a_script_a_shape_is_a_link_to_its_sites(browser: Browser, atlas: Atlas) -> None:
    async with browser.page(script=False) as page:
        await page.open(f"{atlas.console_url}/map")
        address = await page.evaluate("""document.querySelector('.france a[data-area="2A"]').href.baseVal""")
        for _ in range(10):  # a page of one moment, beside an API in which the demo goes on
            await page.open(f"{atlas.console_url}/map{address}")
            if not (apart := await differences(page, atlas)):
                break

        assert "Musée Corse-du-Sud" in await page.evaluate("document.querySelector('#chosen').textContent")
        assert apart == []


async def test_a_shape_is_reached_and_followed_by_keys_and_says_what_it_is(browser: Browser, atlas: Atlas) -> None:
    async with browser.page() as page:
        await opened(page, atlas)
        await page.evaluate("""document.querySelector('.france a[data-area="13"]').focus()""")
        named = await page.evaluate("document.activeElement.getAttribute('aria-label')")
        for kind in ("rawKeyDown", "char", "keyUp"):
            more = {"text": "\\r"} if kind == "char" else {}
            await page.call(
                "Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, **more
            )
        await page.until("document.querySelector('#chosen-title') !== null", within_s=5)

        assert named.startswith("Bouches-du-Rhône, 13: 2,000 people inside; ")
        assert "Bouches-du-Rhône" in await page.evaluate(text_of("#chosen-title"))


async def test_stopped_counting_hatches_every_shape_and_says_so(browser: Browser, atlas: Atlas) -> None:
    clear = """[...document.querySelectorAll(".france a")].filter((one) =>
        getComputedStyle(one.querySelector(".hatched")).display === "none"
        && one.querySelector("text").dataset.value).length"""
    label = """document.querySelector('.france a[data-area="75"]').getAttribute("aria-label")"""
    async with browser.page() as page:
        await opened(page, atlas)
        await page.until(f"{clear} > 80", within_s=5)
        with stopped(atlas.world.agents.pid):
            await page.until(f"{clear} === 0", within_s=6)
            await page.until(f"{label}.includes('stale since')", within_s=3)
        await page.until(f"{clear} > 80", within_s=10)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
async def test_nothing_is_cut_and_nothing_overlaps(browser: Browser, atlas: Atlas, width: int, dark: bool) -> None:
    SHOTS.mkdir(exist_ok=True)
    wrong = []
    async with browser.page(width=width, height=1080 if width > 500 else 1700, dark=dark) as page:
        for language in ("en", "fr"):
            for name, query in (("map", ""), ("map-chosen", "&department=21")):
                await opened(page, atlas, f"?lang={language}{query}")
                await page.screenshot(SHOTS / f"{name}-{width}-{language}-{'dark' if dark else 'light'}.png")
                for looked in (f"({CLIPPED_JS})({width})", SMALL_JS, OVERLAPS_JS):
                    wrong += [f"{name} {language}: {one}" for one in await page.evaluate(looked)]
        spoil = "document.querySelector('.sums .figure').textContent = '7'.repeat(200)"
        noticed = await page.evaluate(f"(() => {{ {spoil}; return ({CLIPPED_JS})({width}); }})()")

    assert wrong == []
    assert noticed, "what leaves the window must be noticed"


@pytest.mark.parametrize(("language", "dark"), [("en", False), ("fr", True)])
async def test_axe_finds_nothing(browser: Browser, atlas: Atlas, language: str, dark: bool) -> None:
    async with browser.page(width=1280, height=900, dark=dark) as page:
        await opened(page, atlas, f"?lang={language}&department=75")
        await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
        await page.evaluate(AXE)
        found = (await page.evaluate(AXE_JS))["violations"]
        await page.evaluate(
            "document.querySelector('.unit').insertAdjacentHTML('beforeend', '<b id=spoilt><a href=x></a></b>')"
        )
        noticed = (await page.evaluate(AXE_JS.replace("document", "'#spoilt'")))["violations"]

    assert [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]] == []
    assert noticed, "a link without a name must be noticed"


async def test_the_french_page_says_nothing_in_english(browser: Browser, atlas: Atlas) -> None:
    async with browser.page() as page:
        await opened(page, atlas, "?lang=fr&department=75")
        said = await page.evaluate("document.body.innerText")

        assert "Les musées par département" in said
        assert "21\u202f000" in said
        for english in ("people inside", "sites heard", "not heard yet", "In today", "stale", "Outside"):
            assert english not in said
