"""Alerts on the running console: in the API, in the feed, and on the page as the API says them."""

import asyncio
import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from streams.console.alerts import Count
from streams.console.documents import read_now
from streams.console.words import Words
from streams.core.sites import Gate, Site, Zone
from tests.beds import wait_for
from tests.console.browser import Browser
from tests.console.test_alert_paint import alert, taken
from tests.console.test_page import CLIPPED_JS, HEARD_JS, WIDTHS
from tests.console.test_paint import NOW_MS
from tests.programs import World, scan
from tests.verbs import musee

words = Words()

MORNING = datetime(2026, 7, 2, 9, 0, tzinfo=UTC)  # 11:00 in Paris
STRIP_JS = "document.querySelector('#alerts').innerText"
MARK_JS = "document.querySelector('[data-alert-mark=\"{}\"]').innerText"


OPEN = [
    "capacity-100",
    "capacity-85",
]  # of the zone, of the whole site; each level is opened by itself, the lowest first


def enter(world: World, site: str, people: int, minutes: float = 0, direction: str = "IN") -> None:
    at = (MORNING + timedelta(minutes=minutes)).isoformat()
    event = scan(site, "north", direction, time=at, party_size=people)
    wait_for(lambda: world.post([event]).status_code == 202, what="the site at the door")


def told(world: World, site: str) -> list[dict[str, Any]]:
    """What ``/v1/now`` says of a site's alerts."""
    found: list[dict[str, Any]] = world.now(site)["alerts"]
    return found


def rules(world: World, site: str) -> list[str]:
    return [one["rule"] for one in told(world, site)]


@pytest.fixture
def full(world: World) -> str:
    """A site with a zone that is over its capacity, and over 85 % of its own."""
    name = f"full-{uuid.uuid4().hex[:8]}"
    zones = (Zone("hall", "The great hall of the western wing", 40), Zone("attic", "Attic"))
    gates = (Gate("north", "North", "hall"),)
    site = Site(name, "tests", "A full house", "Europe/Paris", capacity=100, replay=True, gates=gates, zones=zones)
    world.publish([site])
    enter(world, name, 86)
    wait_for(lambda: name in known(world) and rules(world, name) == OPEN, within_s=40, what="its alerts")
    return name


def known(world: World) -> set[str]:
    return {site["site_id"] for site in world.http.get(f"{world.console.address}/v1/now").json()["sites"]}


def all_of(world: World, site: str) -> dict[str, Any]:
    answer = world.http.get(f"{world.console.address}/v1/alerts", params={"site": site})
    assert answer.status_code == 200
    return dict(answer.json())


def acknowledge(world: World, alert_id: str, who: str = "duty desk") -> None:
    done = musee(world.settings, "alerts", "ack", alert_id, "--who", who, "--until", "+2h")
    assert done.returncode == 0, done.stderr


# -- the API ---------------------------------------------------------------------------------------------------------


def test_a_site_tells_the_highest_level_of_each_place_and_the_network_how_many(world: World, full: str) -> None:
    document = world.http.get(f"{world.console.address}/v1/now").json()
    zone, whole = told(world, full)

    assert (zone["rule"], zone["zone_id"], zone["zone"], zone["level"]) == (
        "capacity-100", "hall", "The great hall of the western wing", 100,
    )  # fmt: skip
    assert (whole["rule"], whole["zone_id"], whole["severity"], whole["state"]) == (
        "capacity-85",
        None,
        "warning",
        "OPEN",
    )
    assert whole["opened_ms"] == MORNING.timestamp() * 1000
    assert whole["advice"].startswith("Slow entry")
    shown = [one for site in document["sites"] for one in site["alerts"]]
    assert document["network"]["alerts"] == {
        "open": sum(one["state"] == "OPEN" for one in shown),
        "acknowledged": sum(one["state"] == "ACKNOWLEDGED" for one in shown),
    }
    read_now(document)


def test_all_alerts_have_an_address_of_their_own_with_what_pages_leave_out(world: World, full: str) -> None:
    document = all_of(world, full)

    assert (document["open"], document["acknowledged"]) == (2, 0)
    listed = {(one["rule"], one["zone_id"]): one["listed"] for one in document["alerts"]}
    assert listed == {
        ("capacity-100", "hall"): "shown",
        ("capacity-95", "hall"): "lower",
        ("capacity-85", "hall"): "lower",
        ("capacity-70", "hall"): "lower",
        ("capacity-85", None): "shown",
        ("capacity-70", None): "lower",
    }
    assert document["alerts"][0]["rule"] == "capacity-100"
    assert all("musee why" in one["evidence"] for one in document["alerts"])
    everywhere = world.http.get(f"{world.console.address}/v1/alerts").json()["alerts"]
    assert {one["alert_id"] for one in document["alerts"]} <= {one["alert_id"] for one in everywhere}
    assert world.http.get(f"{world.console.address}/v1/alerts?site=nope").status_code == 404


def test_whoever_takes_an_alert_over_is_told_and_a_resolved_one_is_gone(world: World, full: str) -> None:
    zone, whole = told(world, full)

    acknowledge(world, whole["alert_id"])
    wait_for(lambda: told(world, full)[-1]["acknowledged_by"] == "duty desk", what="who looks after it")
    assert all_of(world, full)["acknowledged"] == 1

    enter(world, full, 86, 5, "OUT")
    wait_for(lambda: told(world, full) == [], what="all resolved")
    assert all_of(world, full)["alerts"] == []
    assert zone["alert_id"] != whole["alert_id"]


async def test_a_change_of_alerts_alone_is_a_delta_of_its_site(world: World, full: str) -> None:
    (_, whole) = await asyncio.to_thread(told, world, full)
    kinds = []
    async with (
        httpx2.AsyncClient(base_url=world.console.address, trust_env=False, timeout=10) as api,
        api.stream("GET", "/v1/feed") as answer,
        asyncio.timeout(30),
    ):
        kind, taking = "", None
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            kind = value if name == "event" else kind
            if name != "data" or kind == "hello":
                continue
            kinds.append(kind)
            taking = taking or asyncio.create_task(asyncio.to_thread(acknowledge, world, whole["alert_id"]))
            mine = [site for site in json.loads(value)["sites"] if site["site_id"] == full]
            if kind == "delta" and mine and mine[0]["alerts"][-1]["acknowledged_by"] == "duty desk":
                break
        assert taking is not None
        await taking

    assert kinds[0] == "snapshot"
    assert kinds[-1] == "delta"


# -- the page --------------------------------------------------------------------------------------------------------


@pytest.mark.system
async def test_the_strip_follows_the_alerts_without_reloading(world: World, full: str, browser: Browser) -> None:
    zone, whole = await asyncio.to_thread(told, world, full)
    async with browser.page() as page:
        await page.open(f"{world.console.address}/site/{full}")
        await page.until(HEARD_JS, within_s=10)
        await page.evaluate("globalThis.same = true")
        before = await page.evaluate(STRIP_JS)
        above = await page.evaluate(
            "document.querySelector('#alerts').getBoundingClientRect().bottom"
            " <= document.querySelector('.now .inside').getBoundingClientRect().top"
        )

        await asyncio.to_thread(acknowledge, world, whole["alert_id"])
        await page.until(f"{STRIP_JS}.includes('acknowledged by duty desk until')", within_s=15)
        await asyncio.to_thread(enter, world, full, 80, 5, "OUT")
        await page.until("document.querySelector('#alerts .alert') === null", within_s=15)
        gone = await page.evaluate("document.querySelector('#alerts').getBoundingClientRect().height")

        assert await page.evaluate("globalThis.same")
        assert page.errors == []
        assert await page.breaches() == []

    assert above
    assert "Critical: The great hall of the western wing, 100 % of capacity since 11:00" in before
    assert zone["advice"] in before
    assert before.count("not acknowledged") == 2
    assert gone == 0


@pytest.mark.system
async def test_the_network_says_how_many_and_marks_where(
    world: World, full: str, browser: Browser, tmp_path: Path
) -> None:
    async with browser.page() as page:
        await page.open(world.console.address)
        await page.until(HEARD_JS, within_s=10)
        mark = await page.evaluate(MARK_JS.format(full))
        api = world.http.get(f"{world.console.address}/v1/now").json()["network"]["alerts"]
        await page.until(
            f"document.querySelector('[data-alert-count]').innerText === {json.dumps(words.alerts(Count(**api)))}",
            within_s=10,
        )
        (_, whole) = await asyncio.to_thread(told, world, full)
        await asyncio.to_thread(enter, world, full, 86, 5, "OUT")
        await page.until(f"document.querySelector('[data-alert-mark=\"{full}\"]').hidden", within_s=15)

    assert mark == "Critical: The great hall of the western wing, 100 % of capacity, and 1 more"
    assert whole["state"] == "OPEN"


@pytest.mark.system
@pytest.mark.parametrize("dark", [False, True])
async def test_no_word_of_an_alert_is_cut_at_any_width(
    world: World, full: str, browser: Browser, tmp_path: Path, dark: bool
) -> None:
    (_, whole) = await asyncio.to_thread(told, world, full)
    await asyncio.to_thread(acknowledge, world, whole["alert_id"], "W" * 100)
    cut: list[str] = []
    for width in WIDTHS:
        async with browser.page(width=width, height=900, dark=dark) as page:
            for place, address in (("site", f"/site/{full}"), ("network", "/")):
                await page.open(world.console.address + address)
                await page.until(HEARD_JS, within_s=10)
                cut += await page.evaluate(f"({CLIPPED_JS})({width})")
                await page.screenshot(tmp_path / f"{place}-{width}-{'dark' if dark else 'light'}.png")

    assert cut == []


@pytest.mark.system
async def test_the_script_says_alerts_as_the_server_does(world: World, full: str, browser: Browser) -> None:
    counts = [Count(), Count(1), Count(2_000, 3), Count(0, 1)]
    lists = [
        [],
        [alert()],
        [alert(zone="Hall", zone_id="h", level=95, severity="serious"), taken()],
        [taken(gate="North", gate_id="n", kind="silent", level=None)],
    ]
    zone = "America/Los_Angeles"
    moments = [NOW_MS, NOW_MS - 3_600_000, NOW_MS - 11 * 3_600_000, NOW_MS - 70 * 86_400_000]
    as_json = [[{name: getattr(one, name) for name in one.__struct_fields__} for one in some] for some in lists]

    async with browser.page() as page:
        await page.open(world.console.address)
        said = await page.evaluate(
            f"""(async () => {{
            const page = document.querySelector("script[type=module]").src;
            const words = await import(page.replace("page.js", "words.js"));
            return [{json.dumps([[one.open, one.acknowledged] for one in counts])}
                    .map(([open, acknowledged]) => words.alerts({{ open, acknowledged }})),
                {json.dumps(as_json)}.map(words.alertMark), {json.dumps(as_json)}.map(words.alertsSaid),
                {moments}.map((at) => words.since(at, "{zone}", {NOW_MS}))];
            }})()"""
        )

    assert said == [
        [words.alerts(one) for one in counts],
        [words.alert_mark(some) for some in lists],
        [words.alerts_said(some) for some in lists],
        [words.since(at, zone, NOW_MS) for at in moments],
    ]
