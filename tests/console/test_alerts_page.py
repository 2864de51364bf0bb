"""The page of alerts in a browser: without a mouse, beside what is typed, at every width, in both languages."""

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from streams.console import i18n
from streams.core.sites import Gate, Site, Zone
from tests.beds import wait_for
from tests.console.browser import Browser, Page
from tests.console.test_alert_page import OPEN, all_of, enter, known
from tests.console.test_every_page import AXE, AXE_JS
from tests.console.test_page import CLIPPED_JS, HEARD_JS, WIDTHS
from tests.programs import World

pytestmark = pytest.mark.system

HOSTILE = "<script>alert(1)</script> Musée \u202egnirts\u202c de l’Air 🏛 " + "M" * 300
SHOTS = os.environ.get("SHOTS")
FOCUS_JS = "document.activeElement.closest('[data-alert-id]')?.dataset.alertId"
CARD_JS = "document.querySelector('[data-alert-id=\"{}\"]')"


def made(world: World, name: str, **more: Any) -> str:
    """A site at 86 of 100 people, all of them in a hall for 40."""
    site_id = f"board-{time.time_ns():x}"
    site = Site(
        site_id, "tests", name, "Europe/Paris", capacity=100, replay=True,
        gates=(Gate("north", "North", "hall"),), zones=(Zone("hall", f"Hall of {name}", 40),), **more,
    )  # fmt: skip
    world.publish([site])
    enter(world, site_id, 86)
    wait_for(lambda: site_id in known(world) and rules(world, site_id) == OPEN, within_s=40, what="its alerts")
    return site_id


def rules(world: World, site: str) -> list[str]:
    return [one["rule"] for one in shown(world, site)]


def shown(world: World, site: str) -> list[dict[str, Any]]:
    """Alerts of a site that its page shows, worst first."""
    return [one for one in all_of(world, site)["alerts"] if one["listed"] == "shown"]


@pytest.fixture(scope="module")
def board(running_world: World) -> str:
    """A full zone (critical) in a site over 85 % (warning)."""
    return made(running_world, "Palais de la Découverte")


async def opened(page: Page, world: World, query: str) -> None:
    await page.open(f"{world.console.address}/alerts?{query}")
    await page.until(HEARD_JS, within_s=10)


async def test_without_a_mouse_an_alert_is_acknowledged_and_its_why_opened(world: World, browser: Browser) -> None:
    site = await asyncio.to_thread(made, world, "Musée Fabre")
    zone, whole = await asyncio.to_thread(shown, world, site)
    async with browser.page() as page:
        await opened(page, world, f"site={site}")
        await page.press("j")
        first = await page.evaluate(FOCUS_JS)
        await page.press("j")
        second = await page.evaluate(FOCUS_JS)
        await page.press("k", "j", "a")
        await page.press(*"duty desk", "Enter")
        await page.until(f"{CARD_JS.format(whole['alert_id'])}.dataset.alertState === 'ACKNOWLEDGED'", within_s=10)
        told = await page.evaluate(f"{CARD_JS.format(whole['alert_id'])}.innerText")
        where = await page.evaluate(FOCUS_JS)
        spoken = await page.evaluate("document.getElementById('announcer').textContent")
        list_ = await page.evaluate(f"{CARD_JS.format(whole['alert_id'])}.closest('[data-list]').dataset.list")

        await page.press("k", "a", "x", "Escape")
        closed = await page.evaluate(f"[{FOCUS_JS}, document.querySelector('form[data-take]:not([hidden])') === null]")
        link = await page.evaluate(f"{CARD_JS.format(zone['alert_id'])}.querySelector('[data-why]').pathname")
        await page.press("w")
        await page.until(f"location.pathname === {json.dumps(link)}", within_s=10)
        address = await page.evaluate("location.pathname + location.search")
        errors = list(page.errors)

    assert (first, second) == (zone["alert_id"], whole["alert_id"])
    assert "acknowledged by duty desk until" in told
    assert (where, list_, spoken) == (whole["alert_id"], "taken", "Acknowledged.")
    assert closed == [zone["alert_id"], True]
    assert address == f"/why/{site}?zone=hall"
    assert [error for error in errors if "404" not in error] == []
    assert (await asyncio.to_thread(shown, world, site))[1]["acknowledged_by"] == "duty desk"


async def test_every_way_is_reached_by_tab_alone_and_the_name_is_remembered(world: World, browser: Browser) -> None:
    site = await asyncio.to_thread(made, world, "Musée d’Unterlinden")
    zone, whole = await asyncio.to_thread(shown, world, site)

    async def tab_to(page: Page, wanted: str) -> None:
        for _ in range(60):
            await page.press("Tab")
            if await page.evaluate(f"document.activeElement.matches({json.dumps(wanted)})"):
                return
        raise AssertionError(f"{wanted} is not reached by Tab")

    async with browser.page() as page:
        await opened(page, world, f"site={site}")
        await tab_to(page, f"[data-alert-id='{zone['alert_id']}'] [data-acknowledge]")
        await page.press("Enter", *"night desk")
        await tab_to(page, "select[name=for]")
        await tab_to(page, "button[type=submit]")
        await page.press("Enter")
        await page.until(f"{CARD_JS.format(zone['alert_id'])}.dataset.alertState === 'ACKNOWLEDGED'", within_s=10)
        await opened(page, world, f"site={site}")
        remembered = await page.evaluate(f"{CARD_JS.format(whole['alert_id'])}.querySelector('[name=by]').value")
        stored = await page.evaluate("document.cookie")

    assert remembered == "night desk"
    assert "musee_post" not in stored  # no script reads it


async def test_a_form_half_filled_survives_an_update(world: World, browser: Browser) -> None:
    site = await asyncio.to_thread(made, world, "Musée de Grenoble")
    _, whole = await asyncio.to_thread(shown, world, site)
    async with browser.page() as page:
        await opened(page, world, f"site={site}")
        await page.evaluate("globalThis.same = true")
        await page.press("j", "j", "a", *"duty")
        form = f"{CARD_JS.format(whole['alert_id'])}.querySelector('form')"
        await page.evaluate(f"{form}.elements.for.value = 'own'")
        await page.evaluate(f"{form}.elements.for.dispatchEvent(new Event('change', {{ bubbles: true }}))")
        await page.evaluate(f"{form}.elements.time.value = '23:59'")
        await page.evaluate(f"{form}.elements.by.setSelectionRange(1, 3)")

        await asyncio.to_thread(enter, world, site, 12, 1)  # full: another alert, worse, and this one behind it
        await page.until(f"{CARD_JS.format(whole['alert_id'])}.dataset.listed === 'lower'", within_s=15)
        kept = await page.evaluate(
            f"(({{ elements: {{ by, time }} }}) => [by.value, by.selectionStart, by.selectionEnd, time.value,"
            f" document.activeElement === by])({form})"
        )
        await page.until("document.getElementById('announcer').textContent.includes('100 % of capacity')", within_s=10)
        worse = await page.evaluate("document.querySelector('[data-list=open] [data-cards]').innerText")

        await page.evaluate(f"{form}.elements.for.value = '60'")
        await page.press("Enter")
        await page.until(f"{CARD_JS.format(whole['alert_id'])}.dataset.alertState === 'ACKNOWLEDGED'", within_s=10)
        same = await page.evaluate("globalThis.same")

    assert kept == ["duty", 1, 3, "23:59", True]
    assert "100 % of capacity" in worse
    assert same


async def test_what_is_refused_is_said_beside_the_form_and_aloud(world: World, board: str, browser: Browser) -> None:
    zone, _ = await asyncio.to_thread(shown, world, board)
    async with browser.page() as page:
        await opened(page, world, f"site={board}&lang=fr")
        await page.press("j", "a")
        form = f"{CARD_JS.format(zone['alert_id'])}.querySelector('form')"
        await page.evaluate(f"{form}.elements.version.value = '1'")
        await page.press(*"poste", "Enter")
        await page.until(f"{form}.querySelector('[data-message]').textContent !== ''", within_s=10)
        said = await page.evaluate(f"{form}.querySelector('[data-message]').textContent")
        aloud = await page.evaluate("document.getElementById('announcer').textContent")

    assert said == aloud
    assert said.startswith("Cette alerte a évolué entre-temps. Rien n’a changé")
    assert (await asyncio.to_thread(shown, world, board))[0]["state"] == "OPEN"


async def test_without_a_script_an_alert_is_acknowledged_too(world: World, browser: Browser) -> None:
    site = await asyncio.to_thread(made, world, "Musée Rodin")
    zone, _ = await asyncio.to_thread(shown, world, site)
    async with browser.page(script=False) as page:
        await page.open(f"{world.console.address}/alerts?site={site}")
        link = await page.evaluate(f"{CARD_JS.format(zone['alert_id'])}.querySelector('[data-acknowledge]').href")
        await page.open(link)
        form = f"{CARD_JS.format(zone['alert_id'])}.querySelector('form')"
        assert await page.evaluate(f"!{form}.hidden && document.activeElement === {form}.elements.by")
        await page.press(*"duty desk", "Enter")
        await page.until("document.querySelector('#message')?.innerText === 'Acknowledged.'", within_s=10)

    assert (await asyncio.to_thread(shown, world, site))[0]["acknowledged_by"] == "duty desk"


async def test_hostile_names_are_text_and_leave_the_layout_whole(
    world: World, browser: Browser, tmp_path: Path
) -> None:
    site = await asyncio.to_thread(made, world, HOSTILE)
    zone, _ = await asyncio.to_thread(shown, world, site)
    url = f"{world.console.address}/v1/alerts/{zone['alert_id']}/acknowledge"
    answer = await asyncio.to_thread(
        lambda: httpx2.post(url, json={"by": "<img src=x onerror=alert(1)>\u202e" + "W" * 70, "minutes": 60})
    )
    assert answer.status_code == 200
    cut: list[str] = []
    for width in WIDTHS:
        async with browser.page(width=width, height=1400) as page:
            await opened(page, world, f"site={site}&acknowledge={zone['alert_id']}")
            cut += await page.evaluate(f"({CLIPPED_JS})({width})")
            marked = await page.evaluate("document.querySelectorAll('main script, main img').length")
            assert HOSTILE[:40] in await page.evaluate("document.querySelector('main').innerText")
            await page.screenshot((Path(SHOTS) if SHOTS else tmp_path) / f"hostile-{width}.png")
            assert page.errors == []
            assert await page.breaches() == []
            assert page.foreign(world.console.address) == []

    assert cut == []
    assert marked == 0


SMALL_JS = """[...document.querySelectorAll("main :is(a, button, input:not([type=hidden]), select, summary)")]
    .filter((one) => one.checkVisibility() && !one.closest("th") && one.getBoundingClientRect().height < 24)
    .map((one) => one.outerHTML.slice(0, 90))"""


@pytest.mark.parametrize("language", ["en", "fr"])
async def test_nothing_is_cut_and_nothing_is_in_the_other_language_at_any_width(
    world: World, board: str, browser: Browser, tmp_path: Path, language: str
) -> None:
    folder = Path(SHOTS) if SHOTS else tmp_path
    found: list[str] = []
    for width in WIDTHS:
        async with browser.page(width=width, height=1400, dark=(width in (390, 1280)) == (language == "en")) as page:
            await opened(page, world, f"lang={language}&site={board}")
            await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
            await page.press("j", "a")
            found += await page.evaluate(f"({CLIPPED_JS})({width})")
            found += await page.evaluate(SMALL_JS)
            await page.evaluate(AXE)
            told = (await page.evaluate(AXE_JS))["violations"]
            found += [f"{one['id']}: {node['html'][:200]}" for one in told for node in one["nodes"]]
            await page.screenshot(folder / f"alerts-{language}-{width}.png")
            said = await page.evaluate("document.querySelector('main').innerText")

    assert found == []
    pairs = [(text, told) for text, told in i18n.LANGUAGES["fr"].messages.items() if isinstance(told, str)]
    others = [pair[language == "en"] for pair in pairs if pair[0] != pair[1] and "{" not in pair[0]]
    assert [text for text in others if len(text) > 8 and text in said] == []


async def test_figures_are_the_apis(world: World, board: str, browser: Browser) -> None:
    async with browser.page() as page:
        await opened(page, world, "")
        wanted = await asyncio.to_thread(lambda: world.http.get(f"{world.console.address}/v1/alerts").json())
        painted = await page.evaluate(
            "Object.fromEntries([...document.querySelectorAll('[data-figure=\"alert.value\"]')]"
            ".map((one) => [one.dataset.alert, Number(one.dataset.value)]))"
        )
        counts = await page.evaluate(
            "[...document.querySelectorAll('.totals-line [data-figure]')].map((one) => Number(one.dataset.value))"
        )

    assert painted == {one["alert_id"]: one["value"] for one in wanted["alerts"]}
    assert counts[:2] == [wanted["open"], wanted["acknowledged"]]
