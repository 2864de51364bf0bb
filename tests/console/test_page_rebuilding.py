"""The page while lost figures are counted again: it says so in words, and takes none of them for a live one."""

import asyncio
import time
from pathlib import Path

import pytest

from streams.topology import TICKET_SCAN
from tests.bench import scans
from tests.console.browser import Browser
from tests.console.conftest import Crowd
from tests.console.live import LiveStack

RECORDS = 400_000
SAID_JS = """(() => {
    const said = document.getElementById("rebuilding");
    return said.hidden ? null : said.textContent;
})()"""
LIVE_JS = """[...document.querySelectorAll("[data-figure][data-site]")]"""
STATES_JS = f"[...new Set({LIVE_JS}.map((one) => one.dataset.state))]"
WHOLE_JS = f"""({SAID_JS}) === null && {STATES_JS}.every((one) => one === "live" || one === "quiet")"""


@pytest.mark.system
@pytest.mark.parametrize("large", [False, True], ids=["overview", "site"])
async def test_the_page_says_that_it_is_being_rebuilt_within_seconds_and_shows_no_live_figure(
    live_stack: LiveStack, crowd: Crowd, browser: Browser, tmp_path: Path, *, large: bool
) -> None:
    world = crowd.world
    if not large:  # both rebuild them
        await scans.fill(world.settings.kafka_servers, TICKET_SCAN.topic, RECORDS)
    await asyncio.to_thread(world.wait_quiet, 120)
    address = live_stack.console_url + (f"/site/{crowd.talkative}" if large else "/")
    client = world.redis()

    async with browser.page() as page:
        await page.open(address)
        await page.until(WHOLE_JS, within_s=60)
        client.flushall()
        begun = time.monotonic()
        await page.until(f"({SAID_JS}) !== null", within_s=15)
        said_s = time.monotonic() - begun
        said = await page.evaluate(SAID_JS)
        states = set(await page.evaluate(STATES_JS))
        await page.screenshot(tmp_path / f"rebuilding-{'site' if large else 'overview'}.png")
        painted = await asyncio.to_thread(world.http.get, address)
        await page.until(WHOLE_JS, within_s=120)
    client.close()

    print(f"\nsaid on the page after {said_s:.2f} s: {said}; figures {sorted(states)}")
    assert said.startswith("Rebuilding from Kafka: from ")
    assert said.endswith(" %")
    assert "rebuilding" in states
    assert not large or states == {"rebuilding"}
    assert "Rebuilding from Kafka: from " in painted.text
