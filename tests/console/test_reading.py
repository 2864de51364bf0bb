"""Which sites are read when, on a real store: bounded a turn, oldest change first, nothing forgotten or overclaimed."""

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import redis

from streams.adapters import live_keys
from streams.adapters.live_store import LiveStore
from streams.adapters.live_view import Life, LiveView, Wanted
from streams.config import Settings
from streams.console import reading
from streams.console.reading import SITES_A_TURN, Reading
from streams.console.rebuilds import Rebuilds
from streams.core.partitions import partition_of
from streams.core.rebuilding import Rebuild
from streams.core.sites import Site
from streams.topology import AGENTS, LIVE, PARTITIONS, TICKET_SCAN

DAY = "2015-02-02"
TEN, FIVE = f"{DAY}T10", f"{DAY}T05"
AT_1030 = 1_422_873_000_000
REBUILD = Rebuild(0, 10, AT_1030 - 1, AT_1030, AT_1030)


class Store:
    """The live store as the agents would write it, by hand."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self.sites: dict[str, Site] = {}

    def describe(self, *names: str) -> None:
        for name in names:
            self.sites[name] = Site(name, "tests", name, "UTC", replay=True)

    def enter(self, name: str, people: int = 1, hour: str = TEN, gate: str = "main", *, said: bool = True) -> None:
        partition = partition_of(name, PARTITIONS)
        pipe = self.client.pipeline()
        pipe.hincrby(live_keys.cells(partition, name, hour), f"{gate}|30|entries", people)
        pipe.hincrby(live_keys.day(partition, name, DAY), "entries", people)
        pipe.hset(live_keys.level(partition, name), mapping={"occurred_ms": AT_1030, "received_ms": AT_1030})
        pipe.execute()
        if said:
            self.say(name)

    def say(self, name: str) -> None:
        partition = partition_of(name, PARTITIONS)
        version = self.client.incr(live_keys.changes(partition))
        self.client.zadd(live_keys.changed(partition), {name: version})

    def confirm(self, at_ms: int) -> None:
        for partition in range(PARTITIONS):
            fields = {live_keys.fence_field(AGENTS, family.topic): str(at_ms) for family in LIVE}
            for field, at in fields.items():
                self.client.hset(live_keys.confirmed(partition), field, at)


@pytest.fixture
def store(settings: Settings) -> Store:
    client: redis.Redis = redis.Redis.from_url(settings.redis_url)
    client.flushdb()
    return Store(client)


@pytest_asyncio.fixture
async def view(settings: Settings) -> AsyncIterator[LiveView]:
    opened = LiveView(settings.redis_url)
    yield opened
    await opened.close()


async def turn(read: Reading, view: LiveView, store: Store) -> list[str]:
    return await read.turn(view, store.sites, AT_1030)


async def settled(read: Reading, view: LiveView, store: Store) -> list[list[str]]:
    """Turns until one finds nothing; what each of them read."""
    told = []
    while changed := await turn(read, view, store):
        told.append(changed)
    assert read.waiting == 0
    return told


def _partition(name: str) -> int:
    return partition_of(name, PARTITIONS)


def entries(read: Reading, name: str) -> int:
    gates = sum(gate["entries"] for gate in read.figures[name].gates.values())
    assert gates == read.figures[name].totals.get("entries", 0)
    return gates


async def test_a_turn_reads_a_bounded_number_and_the_rest_comes_in_the_order_of_its_change(
    store: Store, view: LiveView
) -> None:
    names = [f"s{place:03d}" for place in range(2 * SITES_A_TURN + 50)]
    read = Reading()
    store.describe(*names)
    for name in names:
        store.enter(name)
    await settled(read, view, store)

    first, second = names[-SITES_A_TURN:], names[:-SITES_A_TURN]
    for name in first:
        store.enter(name)
    told = [await turn(read, view, store)]
    for name in second:
        store.enter(name)
    told += await settled(read, view, store)

    assert max(map(len, told)) == SITES_A_TURN
    assert set(told[0]) == set(first)
    assert all(entries(read, name) == 2 for name in names)


async def test_while_a_site_waits_nobody_vouches_beyond_its_change(
    store: Store, view: LiveView, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Reading()
    neighbours = [f"s{place}" for place in range(200) if partition_of(f"s{place}", PARTITIONS) == 3][:3]
    store.describe(*neighbours)
    store.confirm(1_000)
    for name in neighbours:
        store.enter(name)
    await turn(read, view, store)
    assert read.vouched[3] == 1_000

    monkeypatch.setattr(reading, "SITES_A_TURN", 1)
    store.confirm(2_000)
    for name in neighbours:
        store.enter(name)
    vouched = []
    for at_ms in (3_000, 4_000, 5_000):
        await turn(read, view, store)
        vouched.append(read.vouched[3])
        store.confirm(at_ms)

    assert vouched == [1_000, 1_000, 4_000]
    assert all(read.vouched[partition] == 4_000 for partition in range(PARTITIONS))


async def test_a_late_scan_of_another_hour_is_found_by_the_days_total(store: Store, view: LiveView) -> None:
    read = Reading()
    store.describe("louvre")
    store.enter("louvre", 3)
    await turn(read, view, store)

    store.enter("louvre", 4, hour=FIVE, gate="late")
    await turn(read, view, store)

    assert read.figures["louvre"].gates["late"]["entries"] == 4
    assert entries(read, "louvre") == 7


async def test_only_hours_around_the_clock_are_read_when_nothing_else_changed(store: Store, view: LiveView) -> None:
    read = Reading()
    store.describe("louvre")
    store.enter("louvre", 3)
    store.enter("louvre", 2, hour=FIVE)
    await turn(read, view, store)
    asked: list[Wanted] = []
    whole = view.read

    async def noted(wanted: list[Wanted]) -> object:
        asked.extend(wanted)
        return await whole(wanted)

    view.read = noted  # type: ignore[method-assign,assignment]  # listens, changes nothing
    store.enter("louvre", 1)
    await turn(read, view, store)

    assert [list(one.cells) for one in asked] == [[TEN]]
    assert entries(read, "louvre") == 6


async def test_counts_of_another_hour_are_found_within_a_round(store: Store, view: LiveView) -> None:
    read = Reading()
    store.describe("louvre")
    store.enter("louvre")
    await turn(read, view, store)

    store.client.hincrby(live_keys.hours(partition_of("louvre", PARTITIONS), "louvre", FIVE), "actions", 5)
    store.say("louvre")
    await turn(read, view, store)
    assert not read.figures["louvre"].counts
    read.figures["louvre"].counts_whole_s = time.monotonic() - 2 * reading.COUNTS_WHOLE_S  # as if so long ago
    await turn(read, view, store)
    await turn(read, view, store)

    assert read.figures["louvre"].counts == {FIVE: {"actions": 5}}


async def test_what_nobody_announced_is_found_within_a_round(store: Store, view: LiveView) -> None:
    read = Reading()
    store.describe("louvre")
    store.enter("louvre")
    await turn(read, view, store)

    store.enter("louvre", said=False)
    read.forget()  # as after Redis came back; a round of ten seconds does the same
    await turn(read, view, store)

    assert entries(read, "louvre") == 2


async def test_a_store_that_came_back_older_is_believed_at_once(store: Store, view: LiveView) -> None:
    read = Reading()
    store.describe("louvre")
    store.enter("louvre")
    snapshot = {key: store.client.dump(key) for key in store.client.scan_iter()}
    store.enter("louvre")
    await turn(read, view, store)
    assert entries(read, "louvre") == 2

    store.client.flushdb()
    for key, value in snapshot.items():
        store.client.restore(key, 0, value or b"")
    await turn(read, view, store)

    assert entries(read, "louvre") == 1


async def begun_anew(store: Store, url: str, rebuild: Rebuild | None) -> None:
    """The store emptied and fences put, as the agents do it."""
    store.client.flushdb()
    writer = LiveStore(url, AGENTS)
    for partition in range(PARTITIONS):
        for family in LIVE:
            await writer.set_fence(family.topic, partition, -1, rebuild if family is TICKET_SCAN else None)
    await writer.close()


async def test_an_emptied_store_is_not_vouched_for_before_everything_is_read_again(
    store: Store, view: LiveView, settings: Settings
) -> None:
    read = Reading()
    store.describe("louvre", "orsay")
    await begun_anew(store, settings.redis_url, None)
    store.confirm(1_000)
    for name in ("louvre", "orsay"):
        store.enter(name, 5)
    await settled(read, view, store)
    assert set(read.vouched.values()) == {1_000}

    # So fast that the console never sees it empty, and with more changes than before: only its age tells.
    await begun_anew(store, settings.redis_url, None)
    store.confirm(2_000)
    for name in ("louvre", "orsay"):
        store.enter(name, 2)
        for _ in range(5):
            store.say(name)
    for name in ("louvre", "orsay"):
        assert entries(read, name) == 5
    vouched = []
    for _ in range(3):
        await turn(read, view, store)
        vouched.append({partition: read.vouched[partition] for partition in map(_partition, ("louvre", "orsay"))})

    assert set(vouched[0].values()) == {None}
    assert set(vouched[-1].values()) == {2_000}
    assert [entries(read, name) for name in ("louvre", "orsay")] == [2, 2]


async def test_a_site_that_is_being_counted_again_stays_heard_and_is_forgotten_if_it_does_not_come_back(
    store: Store, view: LiveView, settings: Settings
) -> None:
    read = Reading()
    store.describe("louvre")
    store.confirm(1_000)
    store.enter("louvre", 5)
    await settled(read, view, store)

    await begun_anew(store, settings.redis_url, REBUILD)
    for _ in range(3):
        await turn(read, view, store)
    assert read.figures["louvre"].heard
    assert entries(read, "louvre") == 0
    assert read.vouched[_partition("louvre")] is None
    told = read.rebuilding
    assert told is not None
    assert told.partitions == tuple(range(PARTITIONS))

    store.client.delete(*map(live_keys.rebuilt, range(PARTITIONS)))
    store.confirm(2_000)
    read.forget()  # as a round of ten seconds does
    await settled(read, view, store)
    assert read.rebuilding is None
    assert not read.figures["louvre"].heard


def test_the_share_counts_topics_that_are_done_until_all_are() -> None:
    rebuilds = Rebuilds()
    scans, web = (Rebuild(0, 100, 1_000, 9_000, 9_000), Rebuild(50, 150, 2_000, 9_500, 9_500))

    def told(**left: int) -> tuple[float, int, tuple[int, ...]] | None:
        notes = {"scans": scans, "web": web}
        rebuilds.take({3: Life(9_000, {name: (notes[name], records) for name, records in left.items()})})
        one = rebuilds.progress
        return None if one is None else (one.share, one.records_left, one.partitions)

    shares = [
        told(),
        told(scans=100, web=100),
        told(scans=0, web=80),
        told(web=80),
        told(web=20),
        told(),
        told(web=100),
    ]

    assert shares == [None, (0.0, 200, (3,)), (0.6, 80, (3,)), (0.6, 80, (3,)), (0.9, 20, (3,)), None, (0.0, 100, (3,))]


async def test_a_site_never_heard_costs_one_question_and_is_not_heard(store: Store, view: LiveView) -> None:
    read = Reading()
    store.describe("mute", "louvre")
    store.enter("louvre")

    before = store.client.info("commandstats").get("cmdstat_hgetall", {"calls": 0})["calls"]
    store.sites.pop("louvre")
    for _ in range(3):
        await turn(read, view, store)
    after = store.client.info("commandstats").get("cmdstat_hgetall", {"calls": 0})["calls"]

    assert after == before
    assert read.figures["mute"].read
    assert not read.figures["mute"].heard


async def test_a_site_that_is_taken_away_is_forgotten(store: Store, view: LiveView) -> None:
    read = Reading()
    store.describe("louvre", "orsay")
    store.enter("louvre")
    await turn(read, view, store)

    del store.sites["louvre"]
    store.say("louvre")
    await turn(read, view, store)

    assert read.figures.keys() == {"orsay"}
    assert read.waiting == 0
