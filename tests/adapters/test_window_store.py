"""Windows in the live store on a real Valkey: read as one, numbered once, marks kept for what came meanwhile."""

import time
from collections.abc import AsyncIterator, Iterator, Mapping

import pytest
import redis

from streams.adapters import live_keys
from streams.adapters.live_store import Batch, Confirmation, LiveStore
from streams.adapters.window_store import Level, Look, Mark, WindowStore
from streams.core.increments import Increments
from streams.core.windows import Counts, Found, Publication, Said, decide
from streams.topology import AGENTS, LIVE
from tests.beds import Bed

TOPIC = "musee.ticket-scan.v1"
PARTITION = 3
HOUR = "2026-07-14T08"
EIGHT = 1_784_016_000_000  # the start of that hour
QUARTER_MS = 900_000
SECOND = Mark("louvre", EIGHT + QUARTER_MS)
NOW_MS = EIGHT + 3_600_000


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, cache: object) -> Iterator[str]:
    """A Valkey for this module."""
    bed = Bed(tmp_path_factory.mktemp("window-store"), cache)  # type: ignore[arg-type]  # a path
    try:
        bed.start("redis")
        yield bed.redis.address
    finally:
        bed.close()


@pytest.fixture
def client(url: str) -> Iterator[redis.Redis]:
    """Looks into the server, which is empty at first."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        client.flushall()
        yield client


@pytest.fixture
async def live(url: str, client: redis.Redis) -> AsyncIterator[LiveStore]:
    """Counts, and is not behind."""
    live = LiveStore(url, AGENTS)
    await live.set_fence(TOPIC, PARTITION, -1)
    await live.confirm([Confirmation(TOPIC, PARTITION, -1, 1)])
    yield live
    await live.close()


@pytest.fixture
async def store(url: str, client: redis.Redis) -> AsyncIterator[WindowStore]:
    """The store under test."""
    store = WindowStore(url, AGENTS)
    yield store
    await store.close()


async def count(live: LiveStore, cells: Mapping[str, int], cause: int = 1, mark: Mark = SECOND) -> None:
    """Count cells of the hour and touch a window."""
    prev = (await live.fences(TOPIC, [PARTITION]))[PARTITION]
    assert prev is not None
    site = mark.site_id
    done = Increments(
        {(site, f"c:{{}}:{site}:{HOUR}", name): people for name, people in cells.items()},
        touches={(site, "t:{}", mark.member): cause},
    )
    assert await live.apply("ticket-scan", [Batch(TOPIC, PARTITION, prev, prev + 1, done, {})]) == ["OK"]


async def found(store: WindowStore, mark: Mark = SECOND) -> Found:
    """The window as it is."""
    (read,) = await store.read(PARTITION, [(mark, 0)])
    return read.found


def publication(one: Found, now_ms: int = NOW_MS) -> Publication:
    said = decide(one, now_ms)
    assert said is not None
    return said


async def said(store: WindowStore, one: Found) -> Publication:
    """Say a window."""
    out = publication(one)
    assert await store.reserve(PARTITION, [(one, out)]) == [True]
    assert await store.confirm(PARTITION, [(one, out)]) == [True]
    return out


def marks(client: redis.Redis) -> list[str]:
    return [str(one) for one in client.zrange(live_keys.touched(PARTITION), 0, -1)]


# -- reading ---------------------------------------------------------------------------------------------------------


async def test_a_window_is_the_sum_of_its_own_minutes(store: WindowStore, live: LiveStore) -> None:
    # 08:00      08:15           08:30
    #   [----------)[--------------)
    #           14   15    29        30
    cells = {f"north|{minute}|entries": 10**place for place, minute in enumerate(("14", "15", "29", "30"))}
    await count(live, cells | {"a|b|20|exits": 5}, cause=4)

    one = await found(store)

    assert one == Found("louvre", SECOND.start_ms, {"north": Counts(110), "a|b": Counts(0, 5)}, None, 0, 1, 4)


async def test_gates_of_the_hour_were_heard_until_the_windows_end_and_since_the_day_began(
    store: WindowStore, live: LiveStore
) -> None:
    await count(live, {"yesterday|04|exits": 1, "early|05|denied": 1, "now|29|entries": 1, "later|30|entries": 1})

    (read,) = await store.read(PARTITION, [(SECOND, EIGHT + 5 * 60_000)])

    assert read.heard == {"early", "now"}
    assert await store.gates(PARTITION, [("louvre", EIGHT, 5), ("louvre", EIGHT - 3_600_000, 0)]) == [
        {"early", "now", "later"},
        frozenset(),
    ]


async def test_a_mark_that_is_gone_is_not_read(store: WindowStore) -> None:
    assert await store.read(PARTITION, [(SECOND, 0)]) == []


async def test_marks_are_looked_at_from_the_one_touched_longest_ago_on(store: WindowStore, live: LiveStore) -> None:
    first, second, third = (Mark("louvre", EIGHT + number * QUARTER_MS) for number in range(3))
    for mark in (second, first, third, second):
        await count(live, {}, mark=mark)

    assert await store.look(PARTITION, 0, 2) == Look([first, third], 3, None)
    assert await store.look(PARTITION, 2, 2) == Look([second], 3, None)


async def test_a_window_is_not_read_while_its_partition_is_counted_up_after_it_was_emptied(
    store: WindowStore, live: LiveStore, client: redis.Redis
) -> None:
    await count(live, {"north|20|entries": 7})
    assert (await found(store)).gates == {"north": Counts(7)}
    client.flushall()
    await live.set_fence(TOPIC, PARTITION, -1)
    await count(live, {"north|20|entries": 2})  # the half of it

    assert await store.read(PARTITION, [(SECOND, 0)]) == []
    await live.confirm([Confirmation("musee.web-traffic.v1", PARTITION, 0, NOW_MS)])  # another family is counted up
    assert await store.read(PARTITION, [(SECOND, 0)]) == []

    await count(live, {"north|20|entries": 5})
    await live.confirm([Confirmation(TOPIC, PARTITION, 1, NOW_MS)])
    assert (await found(store)).gates == {"north": Counts(7)}


async def test_a_partition_is_counted_as_far_as_its_family_that_is_furthest_behind(
    store: WindowStore, live: LiveStore
) -> None:
    now_ms = time.time_ns() // 1_000_000
    for place, family in enumerate(LIVE):
        assert (await store.look(PARTITION, 0, 1)).counted_ms is None  # one that was never confirmed may hold anything
        await live.set_fence(family.topic, PARTITION, -1)
        await live.confirm([Confirmation(family.topic, PARTITION, -1, now_ms - place)])

    assert (await store.look(PARTITION, 0, 1)).counted_ms == now_ms - len(LIVE) + 1


# -- saying ----------------------------------------------------------------------------------------------------------


async def test_what_was_said_is_kept_and_the_mark_goes(
    store: WindowStore, live: LiveStore, client: redis.Redis
) -> None:
    await count(live, {"north|20|entries": 7})

    out = await said(store, await found(store))

    assert marks(client) == []
    assert client.hgetall(live_keys.causes(PARTITION)) == {}
    assert 0 < int(client.ttl(live_keys.windows(PARTITION, "louvre", HOUR))) <= 98 * 3600
    await count(live, {"north|20|entries": 1}, cause=2)
    again = await found(store)
    assert again.said == Said(out.revision, {"north": Counts(7)})
    assert (again.reserved, again.cause, again.gates) == (NOW_MS, 2, {"north": Counts(8)})


async def test_a_window_touched_while_it_is_said_keeps_its_mark(
    store: WindowStore, live: LiveStore, client: redis.Redis
) -> None:
    await count(live, {"north|20|entries": 7})
    one = await found(store)
    out = publication(one)
    await store.reserve(PARTITION, [(one, out)])
    await count(live, {"north|20|entries": 1})

    assert await store.confirm(PARTITION, [(one, out)]) == [True]

    assert marks(client) == [SECOND.member]
    assert publication(await found(store)).before == {"north": Counts(7)}


async def test_a_number_is_taken_once(store: WindowStore, live: LiveStore, client: redis.Redis) -> None:
    await count(live, {"north|20|entries": 7})
    one = await found(store)
    first, second = publication(one), publication(one, NOW_MS + 1)

    assert await store.reserve(PARTITION, [(one, first)]) == [True]
    assert await store.reserve(PARTITION, [(one, second)]) == [False]

    assert publication(await found(store)).revision == NOW_MS + 1  # above the one that may have been published


async def test_who_was_overtaken_confirms_nothing(store: WindowStore, live: LiveStore, client: redis.Redis) -> None:
    await count(live, {"north|20|entries": 7})
    slow = await found(store)
    slow_out = publication(slow)
    await store.reserve(PARTITION, [(slow, slow_out)])
    await count(live, {"north|20|entries": 1})
    quick = await said(store, await found(store))

    assert await store.confirm(PARTITION, [(slow, slow_out)]) == [False]

    await count(live, {})
    assert (await found(store)).said == Said(quick.revision, {"north": Counts(8)})


async def test_a_store_that_was_emptied_in_between_confirms_nothing(
    store: WindowStore, live: LiveStore, client: redis.Redis
) -> None:
    await count(live, {"north|20|entries": 7})
    one = await found(store)
    out = publication(one)
    await store.reserve(PARTITION, [(one, out)])
    client.flushall()
    await live.set_fence(TOPIC, PARTITION, -1)
    await count(live, {"north|20|entries": 2})  # half of it is counted again, under the same version

    assert await store.confirm(PARTITION, [(one, out)]) == [False]

    assert marks(client) == [SECOND.member]


async def test_a_window_of_which_there_is_nothing_to_say_loses_its_mark_unless_it_was_touched_again(
    store: WindowStore, live: LiveStore, client: redis.Redis
) -> None:
    await count(live, {})
    one = await found(store)
    await count(live, {})

    await store.forget(PARTITION, [one])
    assert marks(client) == [SECOND.member]
    await store.forget(PARTITION, [await found(store)])

    assert marks(client) == []
    assert client.keys("w:*") == []


async def test_scripts_that_the_server_lost_are_sent_again(
    store: WindowStore, live: LiveStore, client: redis.Redis
) -> None:
    await count(live, {"north|20|entries": 7})
    client.script_flush()

    await said(store, await found(store))

    assert marks(client) == []


# -- watermarks ------------------------------------------------------------------------------------------------------


async def test_a_watermark_never_falls_but_where_it_follows_its_events(store: WindowStore, client: redis.Redis) -> None:
    await store.keep_watermarks(PARTITION, {"louvre": NOW_MS}, {"gym": NOW_MS})

    await store.keep_watermarks(PARTITION, {"louvre": NOW_MS - 1, "orsay": 5}, {"gym": NOW_MS - 1})

    assert await store.levels(PARTITION, ["louvre", "gym", "orsay", "rodin"]) == {
        "louvre": Level(None, None, NOW_MS),
        "gym": Level(None, None, NOW_MS - 1),
        "orsay": Level(None, None, 5),
        "rodin": Level(None, None, None),
    }
