"""One turn of the loop that says windows: bounded, fair, and silent about what is not counted or not there any more."""

import time
from collections.abc import AsyncIterator, Mapping
from typing import cast

import pytest
import redis

from streams.adapters.claims import Claim
from streams.adapters.fetches import Fetches
from streams.adapters.live_store import Confirmation, LiveStore
from streams.adapters.producer import Producer
from streams.adapters.window_store import WindowStore
from streams.agents import windows as loop
from streams.agents.windows import Bounds, Windows
from streams.config import Settings
from streams.core.partitions import partition_of
from streams.core.sites import Gate, Site
from streams.topology import AGENTS, LIVE, PARTITIONS, TICKET_SCAN
from tests.flows import windows
from tests.flows.counted import Counted, waiting


class _Claims:
    """Owns every partition."""

    claims: Mapping[tuple[str, int], Claim] = {
        (TICKET_SCAN.topic, number): Claim(TICKET_SCAN.topic, number, 0, -1) for number in range(PARTITIONS)
    }


class Loop:
    """The loop on a store of its own."""

    def __init__(self, settings: Settings, producer: Producer) -> None:
        self.settings = settings
        self.sites: dict[str, Site] = {}
        self.store = WindowStore(settings.redis_url, AGENTS)
        self.producer = producer

    def fresh(self, bounds: Bounds | None = None) -> Windows:
        return Windows(self.store, self.sites, self.producer, cast(Fetches, _Claims()), bounds)

    async def confirm(self, at_ms: int) -> None:
        """Say that everything appended until then is counted; the store keeps the latest that it was told."""
        live = LiveStore(self.settings.redis_url, AGENTS)
        await live.confirm([Confirmation(one.topic, p, -1, at_ms) for one in LIVE for p in range(PARTITIONS)])
        await live.close()

    async def said(self, prefix: str) -> dict[windows.Place, windows.Figures]:
        return windows.last(await windows.records(self.settings.kafka_servers, prefix))


@pytest.fixture
async def turning(own: Settings) -> AsyncIterator[Loop]:
    """The loop, its sites replay sites as soon as they are known."""
    one = Loop(own, Producer(own.kafka_servers, "tests", answer_s=30))
    yield one
    await one.producer.stop()
    await one.store.close()


async def counted(turning: Loop, prefix: str, scans: int, *, replay: bool = True) -> Counted:
    made = Counted(turning.settings, prefix)
    await made.open()
    await made.count(scans)
    for number in range(3):
        site_id = f"{prefix}-{number}"
        turning.sites[site_id] = Site(site_id, "tests", site_id, "UTC", replay=replay)
    return made


def client(settings: Settings) -> redis.Redis:
    return redis.Redis.from_url(settings.redis_url, decode_responses=True)


# -- not yet ---------------------------------------------------------------------------------------------------------


async def test_a_partition_that_is_being_counted_up_says_nothing(turning: Loop) -> None:
    made = await counted(turning, "turn-up", 10)
    with client(turning.settings) as looking:  # as after COLD: one family has not caught up once since
        for number in range(PARTITIONS):
            looking.hdel(f"h:{{{number}}}", f"{AGENTS}|{LIVE[-1].topic}")

    await turning.fresh().turn()

    assert await turning.said(made.prefix) == {}
    await turning.confirm(time.time_ns() // 1_000_000)
    await turning.fresh().turn()
    assert await turning.said(made.prefix) == windows.of_cells(made.cells)


async def test_a_partition_that_is_far_behind_says_nothing(turning: Loop) -> None:
    made = await counted(turning, "turn-behind", 10)
    with client(turning.settings) as looking:
        for number in range(PARTITIONS):
            for name, value in looking.hgetall(f"h:{{{number}}}").items():
                looking.hset(f"h:{{{number}}}", name, int(value) - 16_000)

    await turning.fresh().turn()

    assert await turning.said(made.prefix) == {}
    await turning.confirm(time.time_ns() // 1_000_000)
    await turning.fresh().turn()
    assert await turning.said(made.prefix) == windows.of_cells(made.cells)


# -- no longer -------------------------------------------------------------------------------------------------------


async def test_a_window_whose_cells_have_expired_is_not_said_and_its_mark_goes(turning: Loop) -> None:
    made = await counted(turning, "turn-gone", 10)
    await turning.fresh().turn()
    said = await turning.said(made.prefix)
    with client(turning.settings) as looking:
        looking.delete(*looking.scan_iter("c:*"))
    await made.count(1)  # days later a scan comes in: alone it is not the window

    await turning.fresh().turn()

    now = windows.of_cells(made.cells)
    assert waiting(turning.settings) == 0
    assert {where: told for where, told in (await turning.said(made.prefix)).items() if where in said} == said
    assert len(now) - len(said) <= 2  # a window that was never said may be told from its first scan on


async def test_a_live_window_older_than_the_horizon_that_was_never_said_is_history(turning: Loop) -> None:
    made = await counted(turning, "turn-old", 10, replay=False)

    await turning.fresh().turn()

    assert await turning.said(made.prefix) == {}
    assert waiting(turning.settings) == 0


# -- bounds ----------------------------------------------------------------------------------------------------------


async def test_a_turn_says_so_many_windows_and_the_next_one_goes_on(turning: Loop) -> None:
    made = await counted(turning, "turn-bound", 60)
    due = waiting(turning.settings)
    one = turning.fresh(Bounds(windows=5, seconds=10))

    await one.turn()
    first = waiting(turning.settings)
    while waiting(turning.settings):
        await one.turn()

    assert due - first == 5
    assert await turning.said(made.prefix) == windows.of_cells(made.cells)


async def test_a_turn_without_time_leaves_everything_for_the_next(turning: Loop) -> None:
    made = await counted(turning, "turn-time", 10)
    due = waiting(turning.settings)

    await turning.fresh(Bounds(seconds=0)).turn()

    assert waiting(turning.settings) == due
    await turning.fresh().turn()
    assert await turning.said(made.prefix) == windows.of_cells(made.cells)


async def test_windows_that_stay_open_do_not_hide_those_that_are_due(
    turning: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_LOOKED_AT", 4)
    made = await counted(turning, "turn-hidden", 40)
    with client(turning.settings) as looking:  # in front of all others
        for site_id in (f"{made.prefix}-{number}" for number in range(3)):
            partition = partition_of(site_id, PARTITIONS)
            for number in range(9):
                looking.zadd(f"t:{{{partition}}}", {f"{site_id}|{4_000_000_000_000 + number * 900_000}": 0})

    one = turning.fresh()
    for _ in range(20):
        await one.turn()

    assert waiting(turning.settings) == 27
    assert await turning.said(made.prefix) == windows.of_cells(made.cells)


# -- completeness ----------------------------------------------------------------------------------------------------


async def test_completeness_is_the_share_of_described_gates_heard_since_the_day_began(turning: Loop) -> None:
    made = Counted(turning.settings, "turn-share")
    await made.open()
    site_id = f"{made.prefix}-0"
    gates = tuple(Gate(name, name) for name in ("north", "south", "east", "west"))
    turning.sites[site_id] = Site(site_id, "tests", site_id, "UTC", gates=gates, replay=True)
    await made.one(site_id, "north", 9 * 60)
    await made.one(site_id, "south", 11 * 60)
    await made.one(site_id, "unknown", 11 * 60)
    await made.one(site_id, "north", 13 * 60)
    await made.confirm()

    await turning.fresh().turn()

    told = await windows.records(turning.settings.kafka_servers, made.prefix)
    shares = {one["start_at"]: one["completeness"] for one in told if one["gate_id"] is None}
    assert [share for _, share in sorted(shares.items())] == [0.25, 0.5, 0.5]
