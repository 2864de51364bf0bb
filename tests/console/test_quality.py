"""Figures of quality on the running stack: what was planted on sites of its own is what is told, to the last event.

The feed and the history are those of the console, made here, so that each reading is a new one.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from streams.adapters import dead_letters
from streams.adapters.dead_letters import Culprit
from streams.adapters.producer import Producer
from streams.console import quality
from streams.console.documents import read_now
from streams.console.feed import Feed
from streams.console.quality import History, View
from streams.core.quality import Arrivals, Letters
from streams.topology import TICKET_SCAN
from tests.beds import wait_for
from tests.console.planted import MINUTE, SICK, Planted, plant, sent
from tests.programs import World

SCANS = TICKET_SCAN.topic
Read = Callable[..., Any]


@pytest.fixture(scope="module")
def planted(running_world: World) -> Planted:
    return plant(running_world)


@pytest_asyncio.fixture(scope="module")
async def feed(planted: Planted) -> AsyncIterator[Feed]:
    made = Feed(planted.world.settings)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def read(planted: Planted, feed: Feed) -> Read:
    def heard() -> bool:
        mine = (planted.sick, planted.odd, planted.well)
        return not feed.missing() and all(read_now(feed.now(name)).sites[0].heard for name in mine)

    async def now(site_id: str | None = None, day: str | None = None) -> View:
        wanted = quality.window(day, time.time_ns() // 1_000_000)
        taken = await whole(History(planted.world.settings), wanted)
        await asyncio.to_thread(wait_for, heard, what="the planted sites in the feed")
        return quality.view(feed, taken, site_id)

    return now


async def whole(history: History, wanted: quality.Window) -> quality.Taken:
    """What history says once it has counted, however busy the machine is."""
    async with asyncio.timeout(90):
        while (taken := await history.get(wanted)).absence == "counting":
            pass
    return taken


def of(shown: View, site: str) -> quality.Told:
    (found,) = [one for one in shown.sites if one.live.site_id == site]
    return found


def counted(told: quality.Told) -> Arrivals:
    assert told.judged.arrivals is not None
    return replace(told.judged.arrivals, received_ms=None, landed_ms=None)


async def test_the_figures_of_a_site_are_what_was_planted(planted: Planted, read: Read) -> None:
    told = of(await read(), planted.sick)

    assert counted(told) == SICK
    assert told.judged.arrivals is not None
    assert told.judged.arrivals.resent == 2
    assert told.judged.letters == (Letters(SCANS, "clock", 1, 0),)
    assert [one.device_id for one in told.judged.silent] == ["door"]
    assert told.judged.silent[0].minutes >= 40
    assert (told.judged.watched, told.judged.devices) == (2, 2)
    assert told.wrong == ("dead_letters", "devices", "late", "clocks", "resent")


async def test_control_one_more_of_each_changes_each_figure_by_one(planted: Planted, read: Read) -> None:
    before = counted(of(await read(), planted.odd))
    again = sent(planted.odd)

    planted.post(sent(planted.odd, 16 * MINUTE), again)
    planted.post(sent(planted.odd, skew_s=20 * MINUTE), again)
    await asyncio.to_thread(planted.letter, planted.odd)
    await asyncio.to_thread(planted.world.wait_quiet)

    after = of(await read(), planted.odd)
    assert counted(after) == before + Arrivals(events=3, records=4, judged=3, late=1, clocked=3, drifting=1)
    assert after.judged.letters == (Letters(SCANS, "short", 2, 0),)


async def test_an_event_on_the_allowed_lateness_is_not_late(planted: Planted, read: Read) -> None:
    before = counted(of(await read(), planted.odd))

    planted.post(sent(planted.odd, 15 * MINUTE - 5))
    await asyncio.to_thread(planted.world.wait_quiet)

    assert counted(of(await read(), planted.odd)) == before + Arrivals(events=1, records=1, judged=1, clocked=1)


async def test_a_block_that_was_landed_twice_is_no_resent_event(planted: Planted, read: Read) -> None:
    before = counted(of(await read(), planted.sick))
    rows = planted.world.query(f"SELECT count() FROM musee.ticket_scan WHERE site_id = '{planted.sick}'")[0][0]

    planted.world.query("SYSTEM STOP MERGES musee.ticket_scan")
    planted.world.query(
        f"INSERT INTO musee.ticket_scan SELECT * FROM musee.ticket_scan WHERE site_id = '{planted.sick}'"
    )
    landed = planted.world.query(f"SELECT count() FROM musee.ticket_scan WHERE site_id = '{planted.sick}'")[0][0]
    after = counted(of(await read(), planted.sick))
    planted.world.query("SYSTEM START MERGES musee.ticket_scan")

    assert landed == 2 * rows
    assert after == before


async def test_sites_without_trouble_are_told_apart_from_the_worst_which_comes_first(
    planted: Planted, read: Read
) -> None:
    shown = await read()

    mine = [one.live.site_id for one in shown.sites if one.live.site_id.endswith(planted.sick[-8:])]
    assert mine[:2] == [planted.sick, planted.odd]
    assert of(shown, planted.well).wrong == ()
    assert planted.well not in {one.live.site_id for one in shown.wrong}


async def test_a_replayed_site_is_neither_late_nor_silent(planted: Planted, read: Read) -> None:
    told = of(await read(), planted.replayed)

    assert counted(told) == Arrivals(events=2, records=2)  # a scan of last month, and what its device said
    assert (told.judged.watched, told.judged.silence, told.wrong) == (0, None, ())


async def test_a_dead_letter_whose_key_names_no_site_has_a_row_of_its_own(planted: Planted, read: Read) -> None:
    before = sum(one.found for one in (await read()).unplaced if one.reason == "short")

    await asyncio.to_thread(planted.letter, "nowhere-else")
    await asyncio.to_thread(planted.world.wait_quiet)
    shown = await read()

    assert sum(one.found for one in shown.unplaced if one.reason == "short") == before + 1
    assert not any(one.live.site_id == "nowhere-else" for one in shown.sites)


async def test_a_letter_that_was_tried_again_is_found_and_no_trouble(planted: Planted, read: Read) -> None:
    (topic, partition, offset, key) = planted.world.query(
        f"SELECT topic, partition, offset, key FROM musee.v_dead_letters WHERE key = '{planted.sick}'"
    )[0]
    producer = Producer(planted.world.settings.kafka_servers, "tests", answer_s=30)
    again = Culprit(topic, partition, offset, "clock", "tried again", str(key).encode(), None, 0)

    await dead_letters.write(producer, [again], "musee-dlq")
    await producer.stop()
    await asyncio.to_thread(planted.world.wait_quiet)

    told = of(await read(), planted.sick)
    assert told.judged.letters == (Letters(SCANS, "clock", 1, 1),)
    assert "dead_letters" not in told.wrong


async def test_a_day_holds_what_was_received_on_it_and_yesterday_nothing_of_today(planted: Planted, read: Read) -> None:
    at = datetime.now(UTC)
    shown = await read(planted.sick, day=at.date().isoformat())
    before = await read(planted.sick, day="2020-02-29")

    if at.hour or at.minute > 5:  # the planting may lie on both sides of midnight
        assert counted(of(shown, planted.sick)).records >= SICK.records
    assert counted(of(before, planted.sick)) == Arrivals()
    assert before.taken.window.end_ms - before.taken.window.start_ms == 86_400_000


@pytest.mark.parametrize("day", ["yesterday", "2026-13-01", "9999-01-01", "1999-12-31", "20260101", "2026-W01-1", "😀"])
def test_a_day_that_is_none_is_refused(day: str) -> None:
    with pytest.raises(ValueError, match="is no day between"):
        quality.window(day, time.time_ns() // 1_000_000)


async def test_a_window_is_counted_once_a_minute_for_whoever_asks(planted: Planted) -> None:
    history = History(planted.world.settings)
    wanted = quality.window(None, time.time_ns() // 1_000_000)

    taken = await asyncio.gather(*(whole(history, wanted) for _ in range(20)))
    later = await history.get(quality.window(None, time.time_ns() // 1_000_000))

    assert {id(one) for one in (*taken, later)} == {id(taken[0])}


async def test_while_history_is_away_the_live_part_stands_alone_and_says_so(planted: Planted, read: Read) -> None:
    feed_only = await read(planted.sick)
    away = planted.world.settings.model_copy(update={"clickhouse": "http://127.0.0.1:9"})
    wanted = quality.window(None, time.time_ns() // 1_000_000)

    taken = await whole(History(away), wanted)

    assert (taken.found, taken.absence) == (None, "away")
    assert taken.detail
    assert feed_only.taken.absence == ""
