"""The page of what is behind a figure: it says the API's numbers, in both languages, and whether they add up.

Those marked ``system`` need Chromium. Pictures go to ``tests/console/shots``.
"""

import html
import re
from pathlib import Path
from urllib.parse import quote

import pytest

from streams.adapters import live_keys
from streams.core.partitions import partition_of
from streams.core.sites import Gate, Site, Zone
from streams.topology import PARTITIONS
from tests.beds import wait_for
from tests.console.browser import Browser
from tests.console.test_page import CLIPPED_JS, WIDTHS
from tests.console.test_why_route import at, of_family, told, why
from tests.programs import World, scan

SHOTS = Path(__file__).parent / "shots"
SITE = "why-page"
NAME = "Musée <script>alert(1)</script> \u202e de la Résistance \U0001f600 " + "n" * 2000
GATE = "Porte <b>nord</b> \u202e " + "x" * 150
OTHER = "side\u202e<b>"  # a gate that no file names
FIGURE = re.compile(r'data-figure="why\.([\w.]+)" data-value="([^"]*)"')


@pytest.fixture(scope="module")
def odd(running_world: World) -> Site:
    """A morning with everything there is to tell, at a site whose names are hostile."""
    world = running_world
    site = Site(
        SITE,
        "tests",
        NAME,
        "Europe/Paris",
        capacity=300,
        replay=True,
        zones=(Zone("hall", "Salle <i>\u202e"), Zone("attic", "Attic")),
        gates=(Gate("north", GATE, "hall", 0.015), Gate("roof", "Roof", "attic")),
    )
    world.publish([site])
    wait_for(lambda: why(world, SITE).status_code != 404, what="the site at the console")
    wait_for(lambda: "unknown-site" not in world.post([scan(SITE, direction="SIDEWAYS")]).text, what="it at the door")
    comings = [scan(SITE, "north", time=at(place), party_size=1 + place % 4) for place in range(120)]
    goings = [scan(SITE, "roof", "OUT", time=at(20 + place), party_size=1) for place in range(40)]
    said = {"who": "duty <u>manager</u>", "why": "counted by hand, \u202e both doors closed " + "w" * 150}
    recount = of_family(SITE, "occupancy-correction", 60, kind="RECOUNT", value=110, **said)
    told(world, [*comings, *goings, recount, of_family(SITE, "social-post", 5, network="x", text="A day out")])
    world.wait_quiet()
    wait_for(lambda: any(one["final"] for one in why(world, SITE).json()["windows"]), what="the first finals")
    told(world, [scan(SITE, "north", time=at(31), party_size=4), scan(SITE, OTHER, time=at(110))])
    world.wait_quiet()
    wait_for(lambda: any(len(one["revisions"]) > 1 for one in why(world, SITE).json()["windows"]), what="a revision")
    wait_for(lambda: world.now(SITE)["inside"] == why(world, SITE).json()["figure"]["inside"], what="all at the page")
    return site


def page(world: World, address: str, language: str = "en") -> str:
    answer = world.http.get(
        f"{world.console.address}{address}", headers={"Accept-Language": language}, timeout=30, follow_redirects=True
    )
    return answer.text


def numbers(text: str) -> dict[str, float]:
    return {name: float(value) for name, value in FIGURE.findall(text) if value}


def changes(text: str) -> list[int]:
    return [int(one) for one in re.findall(r'data-change="(-?\d+)"', text)]


def test_the_changes_on_all_pages_and_the_corrections_come_to_the_figure_that_the_page_shows(
    world: World, odd: Site
) -> None:
    now = world.now(SITE)
    address, found, seen = f"/why/{SITE}", list[int](), 0
    while True:
        text = page(world, address)
        found += changes(text)
        seen += 1
        older = re.search(r'href="([^"]+)#events" rel="next"', text)
        if older is None:
            break
        address = html.unescape(older[1])
    (correction,) = re.findall(r'data-term="corrections" data-value="(-?\d+)"', text)

    assert seen == 2
    assert len(found) == 162
    assert sum(found) + int(correction) == now["inside"] == numbers(text)["inside"]
    assert 'data-equal="true"' in text
    assert sum(found[1:]) + int(correction) != now["inside"]  # the control: with one event less they do not


def test_a_figure_that_its_events_do_not_come_to_is_said_plainly(world: World, odd: Site) -> None:
    cells = live_keys.cells(partition_of(SITE, PARTITIONS), SITE, "2026-07-02T09")
    client = world.redis()
    client.hincrby(cells, "roof|30|exits", 5)
    try:
        texts = page(world, f"/why/{SITE}"), page(world, f"/why/{SITE}", "fr")
    finally:
        client.hincrby(cells, "roof|30|exits", -5)
        client.close()

    assert all('data-equal="false"' in text and 'data-equal="true"' not in text for text in texts)
    assert "The events do not add up to it." in texts[0]
    assert "gate roof, exits: figure 45, events 40" in texts[0]
    assert "Les événements ne donnent pas ce chiffre." in texts[1]
    assert 'data-equal="true"' in page(world, f"/why/{SITE}")


def test_every_figure_of_the_site_page_leads_to_a_page_that_says_the_same_number(world: World, odd: Site) -> None:
    site_page = page(world, f"/site/{SITE}")
    linked = re.findall(
        r'<a class="why" href="([^"]+)"><span class="figure" data-figure="([^"]+)"[^>]*? data-value="([^"]*)"',
        site_page,
    )

    shown = [(kind, value, numbers(page(world, html.unescape(href)))) for href, kind, value in linked]

    assert {"inside", "entries", "exits", "voice.posts"} <= {kind for kind, _, _ in shown}
    assert [one for one in shown if one[2] != ({one[0]: float(one[1])} if one[1] else {})] == []


def test_the_networks_figure_is_the_sum_of_the_sites_that_its_page_lists(world: World, odd: Site) -> None:
    text = page(world, "/why?figure=entries")

    assert sum(map(int, re.findall(r'data-site-value="(\d+)"', text))) == numbers(text)["entries"] > 0
    assert f'href="/why/{SITE}?figure=entries"' in text


def test_hostile_names_are_text_in_their_own_direction(world: World, odd: Site) -> None:
    text = page(world, f"/why/{SITE}") + page(world, f"/why/{SITE}?gate={quote(OTHER)}")

    assert "<script>alert" not in text
    assert "<b>nord" not in text
    assert "<u>manager" not in text
    for name in (NAME, GATE, OTHER, "duty <u>manager</u>"):
        assert f"<bdi>{html.escape(name, quote=False)}</bdi>".replace("'", "&#39;") in text


@pytest.mark.system
@pytest.mark.parametrize("width", WIDTHS)
async def test_nothing_is_cut_whatever_the_names(world: World, odd: Site, browser: Browser, width: int) -> None:
    SHOTS.mkdir(exist_ok=True)
    views = {
        "why-odd": "?lang=fr",
        "why-odd-gate": "?lang=en&gate=north",
        "why-odd-posts": "?lang=fr&figure=voice.posts",
    }
    for place, (name, query) in enumerate(views.items()):
        async with browser.page(width=width, height=844, dark=bool(place % 2) != (width in (390, 1280))) as tab:
            await tab.open(f"{world.console.address}/why/{SITE}{query}")
            await tab.screenshot(SHOTS / f"{name}-{width}.png", whole=width < 1000)
            await tab.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")

            assert await tab.evaluate(f"({CLIPPED_JS})({width})") == []
            assert tab.foreign(world.console.address) + tab.errors + await tab.breaches() == []


@pytest.mark.system
async def test_without_a_script_the_form_asks_for_another_gate_and_time(
    world: World, odd: Site, browser: Browser
) -> None:
    async with browser.page(width=1280, height=900, script=False) as tab:
        await tab.open(f"{world.console.address}/why/{SITE}?lang=en")
        await tab.evaluate("document.querySelector('select[name=gate]').value = 'roof'")
        await tab.evaluate("document.querySelector('input[name=from]').value = '2026-07-02T11:30'")
        await tab.evaluate("document.querySelector('input[name=to]').value = '2026-07-02T11:45'")
        await tab.evaluate("document.querySelector('form.ask').submit()")
        await tab.until("location.search.includes('gate=roof')", within_s=10)
        await tab.until("document.querySelector('[data-figure]') !== null", within_s=10)

        figure = "document.querySelector('[data-figure]').dataset"
        assert await tab.evaluate(f"[{figure}.figure, {figure}.value]") == ["why.entries", "0"]
        assert await tab.evaluate("document.querySelectorAll('tr[data-event]').length") == 15
        assert await tab.evaluate("document.querySelector('input[name=from]').value") == "2026-07-02T11:30"
        assert await tab.evaluate("[...document.querySelectorAll('[data-copy]')].every((one) => one.hidden)")
