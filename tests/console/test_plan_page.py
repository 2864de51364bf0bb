"""Floor plans on a running stack: numbers are the API's, keys reach every zone, and a plan that lies is not shown.

Needs the session's running world; tests marked ``system`` need Chromium too.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import pytest

from streams import package_data
from streams.core import plans
from streams.core.plans import SVG
from streams.core.sites import Gate, Plan, Site, Zone
from tests.beds import wait_for
from tests.console.browser import Browser, Page
from tests.console.conftest import _played
from tests.console.test_every_page import SHOTS
from tests.console.test_page import CLIPPED_JS, CONNECTED_JS, HEARD_JS
from tests.programs import World

HOUSE = "plan-house"
SHOWN_JS = """[...document.querySelectorAll("#plan .counts [data-figure]")].map((one) => [
    one.dataset.zone, one.dataset.figure, Number(one.dataset.value), one.textContent])"""
LABELS_JS = """Object.fromEntries([...document.querySelectorAll("#plan a.zone")].map((one) =>
    [one.dataset.planZone, one.getAttribute("aria-label")]))"""
BANDS_JS = """Object.fromEntries([...document.querySelectorAll("#plan a.zone")].map((one) =>
    [one.dataset.planZone, Number(one.dataset.band)]))"""


def drawn(*zones: str) -> str:
    """A plan with a row of rooms."""
    rooms = "".join(
        f'<rect data-zone="{zone}" x="{10 * place}" width="10" height="9"/>' for place, zone in enumerate(zones)
    )
    return f'<svg xmlns="{SVG}" viewBox="0 0 40 10">{rooms}</svg>'


@dataclass(frozen=True)
class House:
    """A museum of two floors: people in the hall, guides in its rooms; and some whose plans are wrong."""

    world: World

    @property
    def url(self) -> str:
        return self.world.console.address

    def page(self, path: str) -> str:
        """HTML of a page of the console."""
        self.world.http.cookies.clear()  # one remembers the language
        return self.world.http.get(f"{self.url}{path}").text

    def enter(self, people: int) -> None:
        """Let some into the hall."""
        event = _played(HOUSE, "ticket-scan", gate_id="main", direction="IN", party_size=people)
        wait_for(lambda: self.world.post([event]).status_code == 202, what="the door to know the house")


def _floors() -> tuple[Plan, ...]:
    folder = package_data.folder("sites") / "plans"
    read = [plans.read((folder / f"house-{floor}.svg").read_bytes())[0] for floor in ("ground", "first")]
    ground, first = (one.svg for one in read if one is not None)
    return Plan(0, "Ground floor", ground, "Rez-de-chaussée"), Plan(1, "First floor", first, "1er étage")


@pytest.fixture(scope="module")
def house(running_world: World) -> House:
    rooms = tuple(Zone(f"room-{one}", f"Room {one}") for one in range(1, 8))
    site = Site(
        HOUSE,
        "simulated",
        "Musée de la Maison à deux étages",
        "Europe/Paris",
        capacity=500,
        replay=True,
        simulated=True,
        zones=(Zone("hall", "Hall", 99), *rooms),
        gates=(Gate("main", "Main door", "hall"), Gate("garden", "Garden gate", "hall")),
        plans=_floors(),
    )
    roof = Plan(0, "Ground floor", drawn("hall", "roof"))
    odd = replace(site, site_id="plan-odd", plans=(roof,), zones=site.zones[:2])
    evil = (
        f'<svg xmlns="{SVG}" viewBox="0 0 9 9" onload="alert(1)"><g data-zone="hall"/><script>alert(2)</script></svg>'
    )
    damaged = replace(odd, site_id="plan-damaged", plans=(Plan(0, "Ground floor", evil),))
    running_world.publish([site, odd, damaged, replace(odd, site_id="plan-none", plans=())])
    made = House(running_world)
    made.enter(84)
    events = [
        _played(HOUSE, "position-update", zone_id=zone, session_id=f"{zone} {one}")
        for zone, seen in (("room-1", 3), ("room-3", 21), ("room-4", 6))
        for one in range(seen)
    ]
    clock = _played(HOUSE, "ticket-scan", gate_id="main", direction="IN") | {"time": "2015-02-02T12:31:00Z"}
    assert running_world.post([*events, clock]).status_code == 202
    wait_for(lambda: (now := running_world.now(HOUSE))["zones"] and now["entries"] == 85, what="the house to be heard")
    return made


def told(world: World) -> dict[str, int]:
    """Zone → what ``/v1/now`` says of it: people where there is a headcount, else sessions."""
    now = world.now(HOUSE)
    return {one["zone_id"]: one["sessions"] for one in now["zones"]} | {
        one["zone_id"]: one["inside"] for one in now["levels"]
    }


# -- without a script ------------------------------------------------------------------------------------------------


def test_floors_and_zones_are_links_that_keep_the_rest_of_the_address(house: House) -> None:
    html = house.page(f"/site/{HOUSE}?floor=1&grain=hour&zone=room-4")

    assert f'href="/site/{HOUSE}?grain=hour&amp;floor=0"' in html
    assert f'href="/site/{HOUSE}?grain=hour&amp;floor=1&amp;zone=room-7"' in html
    assert 'data-plan-zone="hall"' not in html  # on the other floor
    assert '<h3 id="zone-panel-title" tabindex="-1"><bdi>Room 4</bdi></h3>' in html


def test_a_zone_opens_the_floor_it_is_on(house: House) -> None:
    assert 'data-floor="1" aria-current="page"' in house.page(f"/site/{HOUSE}?zone=room-6")


@pytest.mark.parametrize(
    "query", ["floor=99", "floor=%3Cscript%3E", "zone=nowhere", "floor=&zone=", "floor=1&floor=x&zone=%00"]
)
def test_nonsense_in_the_address_opens_the_ground_floor_and_no_zone(house: House, query: str) -> None:
    html = house.page(f"/site/{HOUSE}?{query}")

    assert 'data-floor="0" aria-current="page"' in html
    assert "zone-panel-title" not in html
    assert "<script>" not in html


def test_each_zone_says_its_figure_aloud_in_the_readers_language(house: House) -> None:
    english, french = (" ".join(house.page(f"/site/{HOUSE}?lang={lang}").split()) for lang in ("en", "fr"))

    assert 'aria-label="Hall: 85 people, 85 % of 99"' in english.replace("\u00a0", " ")
    assert 'aria-label="Hall : 85 personnes, 85 % de 99"' in french.replace("\u202f", " ")
    assert 'aria-label="Room 3 : 21 visiteurs suivis"' in french
    assert "Rez-de-chaussée" in french


def test_a_plan_that_does_not_match_its_zones_is_a_list_that_says_why(house: House) -> None:
    html = house.page("/site/plan-odd")

    assert "The plan is not shown" in html
    assert "<code>room-1</code>" in html
    assert "<code>roof</code>" in html
    assert "data-plan-zone" not in html
    assert "<bdi>Room 1</bdi>" in html  # in the list


def test_a_drawing_that_came_past_the_check_is_judged_again_and_not_shown(house: House) -> None:
    html = house.page("/site/plan-damaged")

    assert "A drawing of it cannot be read." in html
    assert "onload" not in html
    assert "alert(" not in html


def test_a_site_without_a_plan_has_none_and_says_nothing_of_it(house: House) -> None:
    assert 'id="plan"' not in house.page("/site/plan-none")


def test_the_day_by_hours_is_the_sum_of_its_quarters(house: House) -> None:
    quarters = house.world.http.get(f"{house.url}/v1/day", params={"site": HOUSE}).json()["bins"]
    hours = house.world.http.get(f"{house.url}/v1/day", params={"site": HOUSE, "grain": "hour"}).json()["bins"]

    assert len(hours) == -(-len(quarters) // 4)
    for metric in ("entries", "exits"):
        assert sum(one[metric] for one in hours) == sum(one[metric] for one in quarters) >= 0
    assert {one["status"] for one in quarters} <= {"final", "provisional", "revising"}
    assert house.world.http.get(f"{house.url}/v1/day", params={"site": HOUSE, "grain": "week"}).status_code == 400


def test_revisions_are_told_with_old_and_new_counts(house: House) -> None:
    answer = house.world.http.get(f"{house.url}/v1/revisions", params={"site": HOUSE})

    assert answer.status_code == 200
    assert answer.json()["revisions"] == []
    assert "No quarter-hour of this day was revised." in house.page(f"/site/{HOUSE}")
    assert house.world.http.get(f"{house.url}/v1/revisions", params={"site": "nobody"}).status_code == 404


# -- in a browser ----------------------------------------------------------------------------------------------------


async def opened(page: Page, house: House, path: str) -> None:
    await page.open(house.url + path)
    await page.until(CONNECTED_JS, within_s=15)


@pytest.mark.system
async def test_numbers_on_the_plan_follow_the_feed_with_their_colours_and_words(house: House, browser: Browser) -> None:
    async with browser.page() as page:
        await opened(page, house, f"/site/{HOUSE}?lang=en")
        before: dict[str, str] = await page.evaluate(LABELS_JS)
        bands: dict[str, int] = await page.evaluate(BANDS_JS)
        assert bands | {"hall": 4} == {"hall": 4, "room-1": 1, "room-2": 0, "room-3": 3}

        house.enter(20)
        people = told(house.world)["hall"]
        await page.until(f"{LABELS_JS}.hall !== {before['hall']!r}", within_s=10)
        await page.until(f"{BANDS_JS}.hall === 5", within_s=10)

        people = told(house.world)["hall"]
        labels: dict[str, str] = await page.evaluate(LABELS_JS)
        assert labels["hall"] == f"Hall: {people} people, {100 * people // 99} % of 99, over capacity"
        for zone, _, value, text in await page.evaluate(SHOWN_JS):
            assert (value, text) == (told(house.world)[zone], str(value))
        assert page.errors == []
        assert await page.breaches() == []


@pytest.mark.system
async def test_keys_reach_every_zone_and_open_its_panel(house: House, browser: Browser) -> None:
    async with browser.page() as page:
        await opened(page, house, f"/site/{HOUSE}?lang=en")
        await page.evaluate("document.querySelector('.floors a').focus()")
        met = []
        for _ in range(12):
            await press(page, "Tab")
            met.append(await page.evaluate("document.activeElement.dataset?.planZone ?? null"))
            if met[-1] == "hall":
                break
        assert {"room-1", "room-2", "room-3", "hall"} <= set(met)

        await press(page, "Enter")
        await page.until("document.activeElement.id === 'zone-panel-title'", within_s=10)

        panel: Any = await page.evaluate("document.getElementById('zone-panel').textContent")
        assert "Hall" in panel
        assert "99" in panel
        assert await page.evaluate("location.search.includes('zone=hall')")
        why = await page.evaluate("document.querySelector('#zone-panel .ways a').getAttribute('href')")
        assert why == f"/why/{HOUSE}?zone=hall"
        await page.evaluate("document.querySelector('.floors a[data-floor=\"1\"]').click()")
        await page.until("document.querySelector('[data-plan-zone=room-6]') !== null", within_s=10)
        assert await page.evaluate("document.activeElement.dataset.floor") == "1"
        assert page.errors == []


@pytest.mark.system
async def test_the_grain_changes_without_a_reload_and_the_table_with_it(house: House, browser: Browser) -> None:
    rows = "document.querySelectorAll('#day-table tbody tr').length"
    async with browser.page() as page:
        await opened(page, house, f"/site/{HOUSE}?lang=en")
        await page.evaluate("globalThis.stayed = true")
        quarters = await page.evaluate(rows)

        await page.evaluate("document.querySelector('[data-grain=hour]').click()")
        await page.until(f"{rows} < {quarters}", within_s=10)

        assert await page.evaluate(rows) == -(-quarters // 4)
        assert await page.evaluate("globalThis.stayed")
        assert await page.evaluate("document.querySelector('[data-grain=hour]').getAttribute('aria-current')") == "true"
        assert await page.evaluate("location.search.includes('grain=hour')")
        assert page.errors == []


@pytest.mark.system
@pytest.mark.parametrize("lang", ["en", "fr"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_nothing_leaves_the_window_or_its_box(house: House, browser: Browser, lang: str, dark: bool) -> None:
    SHOTS.mkdir(exist_ok=True)
    for width in (320, 390, 1280, 1920):
        async with browser.page(width=width, height=900, dark=dark) as page:
            for path in (f"/site/{HOUSE}?zone=hall", "/site/plan-odd"):
                await page.open(f"{house.url}{path}{'&' if '?' in path else '?'}lang={lang}")
                await page.until(HEARD_JS, within_s=15)
                assert await page.evaluate(f"({CLIPPED_JS})({width})") == []
                shot = SHOTS / f"{path.split('/')[-1].split('?')[0]}-{width}-{lang}-{'dark' if dark else 'light'}.png"
                await page.screenshot(shot, whole=True)
            assert page.foreign(house.url) == []
            assert await page.breaches() == []


async def press(page: Page, key: str) -> None:
    codes = {"Tab": 9, "Enter": 13}
    for kind in ("keyDown", "keyUp"):
        text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
        await page.call(
            "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key], **text
        )
    await asyncio.sleep(0.02)
