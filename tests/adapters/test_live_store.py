"""The live store on a real Valkey: a batch has its effect once, whatever the store or the sender forget.

It has a server of its own, since it empties it, changes its settings and sets it back to older states.
"""

import asyncio
import hashlib
import random
import re
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import redis

from streams.adapters import live_format, live_keys
from streams.adapters.live_store import Batch, Confirmation, LiveStore
from streams.adapters.live_view import LiveView, Wanted
from streams.core import seen
from streams.core.fence import Answer, decide
from streams.core.increments import Increments
from streams.core.rebuilding import Rebuild
from streams.errors import ConfigError, Unavailable
from streams.topology import AGENTS, LIVE, PARTITIONS
from tests.beds import Bed, wait_for

TOPIC = "musee.ticket-scan.v1"
FAMILY = "ticket-scan"
HOUR = "2026-07-14T08"
HOUR_MS = 3_600_000
EIGHT = 1_784_016_000_000  # the start of that hour
GAP_LINE = "if tonumber(ARGV[2]) ~= applied then return 'GAP' end"
Snapshot = dict[bytes, bytes]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[str]:
    """A Valkey for this module."""
    bed = Bed(tmp_path_factory.mktemp("live-store"), cache)
    try:
        bed.start("redis")
        yield bed.redis.address
    finally:
        bed.close()


@pytest.fixture
def client(url: str) -> Iterator[redis.Redis]:
    """Looks into the server, which is empty at first."""
    with redis.Redis.from_url(url) as client:
        client.flushall()
        yield client


@pytest.fixture
async def store(url: str, client: redis.Redis) -> AsyncIterator[LiveStore]:
    """The store under test."""
    store = LiveStore(url, AGENTS)
    yield store
    await store.close()


def entries(people: int, site: str = "louvre") -> Increments:
    """People who came in at eight."""
    return Increments(
        {
            (site, f"c:{{}}:{site}:{HOUR}", "north|00|entries"): people,
            (site, f"d:{{}}:{site}:2026-07-14", "entries"): people,
        },
        {(site, f"l:{{}}:{site}", "occurred_ms"): EIGHT},
    )


def batch(prev: int, last: int, *, people: int = 1, partition: int = 3, ids: seen.Ids | None = None) -> Batch:
    return Batch(TOPIC, partition, prev, last, entries(people), ids or {})


def gathered(events: list[tuple[int, int]]) -> seen.Gathered:
    """(number of the id, epoch ms) of each event."""
    return seen.gather(
        pl.DataFrame(
            {"event_id": [str(uuid.UUID(int=number)) for number, _ in events], "occurred_at": [at for _, at in events]},
            schema={"event_id": pl.String(), "occurred_at": pl.Datetime("ms", "UTC")},
        )
    )


def keys_in(client: redis.Redis) -> list[bytes]:
    return list(map(bytes, client.scan_iter()))


def snapshot(client: redis.Redis) -> Snapshot:
    return {key: bytes(client.dump(key) or b"") for key in keys_in(client)}


def set_back(client: redis.Redis, before: Snapshot) -> None:
    """The server as it was, as after a crash that lost the end of its log."""
    client.flushall()
    for key, value in before.items():
        client.restore(key, 0, value)


def people(client: redis.Redis, partition: int = 3) -> int:
    return int(client.hget(live_keys.cells(partition, "louvre", HOUR), "north|00|entries") or 0)


# -- the fence -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
async def test_the_script_answers_as_its_model_and_changes_cells_only_when_it_says_ok(
    store: LiveStore, client: redis.Redis, seed: int
) -> None:
    chance = random.Random(seed)
    fences: dict[int, int] = {}
    counted = Counter[int]()
    answers = Counter[str]()

    for step in range(250):
        partition = chance.randrange(2)
        if step in (20, 40):  # until then the partition is cold
            await store.set_fence(TOPIC, step // 20 - 1, 100)
            fences[step // 20 - 1] = 100
        applied = fences.get(partition)
        prev = (100 if applied is None else applied) + chance.choice((0, 0, 0, -5, -1, 1, 7))
        last = prev + chance.randrange(1, 6)
        (answer,) = await store.apply(FAMILY, [batch(prev, last, people=last, partition=partition)])

        assert answer == decide(applied, prev, last)
        answers[answer] += 1
        if answer == "OK":
            fences[partition] = last
            counted[partition] += last
        assert await store.fences(TOPIC, [0, 1]) == {0: fences.get(0), 1: fences.get(1)}
        assert {number: people(client, number) for number in (0, 1)} == {0: counted[0], 1: counted[1]}

    assert answers.keys() == {"OK", "DUP", "GAP", "COLD"}


async def fence_of(store: LiveStore) -> int:
    found = (await store.fences(TOPIC, [3]))[3]
    assert found is not None
    return found


async def people_lost_or_doubled(store: LiveStore, client: redis.Redis, seed: int) -> int:
    """A sender brings a log of 400 people to a store that is set back now and then; how many are miscounted.

    The sender believes what it was answered, and reads again from the fence only when it is told that it must.
    """
    chance = random.Random(seed)
    await store.set_fence(TOPIC, 3, -1)
    before = snapshot(client)
    place = -1
    while place < 399:
        if chance.random() < 0.1:
            set_back(client, before)
        if chance.random() < 0.2:
            before = snapshot(client)
        last = min(place + chance.randrange(1, 6), 399)
        (answer,) = await store.apply(FAMILY, [batch(place, last, people=last - place)])
        place = last if answer in ("OK", "DUP") else await fence_of(store)
        if place == 399 and await confirm(store, TOPIC, 3, place, None) == "GAP":
            place = await fence_of(store)
    return abs(people(client) - 400)


@pytest.mark.parametrize("seed", range(5))
async def test_nobody_is_lost_or_doubled_when_the_store_goes_back_to_an_older_state(
    store: LiveStore, client: redis.Redis, seed: int
) -> None:
    assert await people_lost_or_doubled(store, client, seed) == 0


async def test_control_a_fence_that_only_checks_newer_loses_people(store: LiveStore, client: redis.Redis) -> None:
    script = store._apply
    assert GAP_LINE in script.text.decode()
    script.text = script.text.decode().replace(GAP_LINE, "").encode()
    script.sha = hashlib.sha1(script.text, usedforsecurity=False).hexdigest()
    miscounted = []

    for seed in range(5):
        client.flushall()
        miscounted.append(await people_lost_or_doubled(store, client, seed))

    assert max(miscounted) > 0


async def test_of_two_senders_of_one_partition_each_batch_has_its_effect_once(
    url: str, store: LiveStore, client: redis.Redis
) -> None:
    other = LiveStore(url, AGENTS)
    await store.set_fence(TOPIC, 3, -1)

    for last in range(0, 50, 5):
        await store.apply(FAMILY, [batch(last - 5 if last else -1, last, people=5)])
        await other.apply(FAMILY, [batch(last - 5 if last else -1, last, people=5)])
    await other.close()

    assert people(client) == 50


async def test_batches_sent_together_are_judged_each_by_itself_and_in_their_order(
    store: LiveStore, client: redis.Redis
) -> None:
    await store.set_fence(TOPIC, 3, 10)
    await store.set_fence(TOPIC, 5, 10)

    answers = await store.apply(
        FAMILY,
        [batch(10, 12), batch(12, 13), batch(11, 15, partition=5), batch(10, 11, partition=6), batch(9, 12)],
    )

    assert answers == ["OK", "OK", "GAP", "COLD", "DUP"]
    assert [people(client, partition) for partition in (3, 5, 6)] == [2, 0, 0]


async def test_a_fence_is_set_where_there_is_none_and_an_existing_one_stays(store: LiveStore) -> None:
    assert await store.fences(TOPIC, [3]) == {3: None}

    await store.set_fence(TOPIC, 3, 7)
    await store.set_fence(TOPIC, 3, 2)

    assert await store.fences(TOPIC, [3]) == {3: 7}


async def test_a_fence_can_be_moved_past_records_that_are_gone(store: LiveStore) -> None:
    await store.set_fence(TOPIC, 3, 7)

    await store.move_fence(TOPIC, 3, 7, 99)

    assert await store.fences(TOPIC, [3]) == {3: 99}


async def test_a_fence_that_went_on_meanwhile_is_not_moved_back(store: LiveStore) -> None:
    await store.set_fence(TOPIC, 3, 120)

    await store.move_fence(TOPIC, 3, 7, 99)

    assert await store.fences(TOPIC, [3]) == {3: 120}


async def test_applications_and_topics_do_not_fence_each_other(url: str, store: LiveStore) -> None:
    other = LiveStore(url, "others")

    await store.set_fence(TOPIC, 3, 7)

    assert await other.fences(TOPIC, [3]) == {3: None}
    assert await store.fences("musee.counter-flow.v1", [3]) == {3: None}
    await other.close()


# -- cells -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [1, -7, 0, 99_999_999, 100_000_000, 2_000_000_000_000, 2**53 - 1])
async def test_an_amount_of_any_size_is_added_exactly(store: LiveStore, client: redis.Redis, amount: int) -> None:
    await store.set_fence(TOPIC, 3, -1)

    await store.apply(FAMILY, [batch(-1, 0, people=amount)])

    assert people(client) == amount


async def test_a_maximum_is_raised_and_never_lowered(store: LiveStore, client: redis.Redis) -> None:
    await store.set_fence(TOPIC, 3, -1)
    key = live_keys.level(3, "louvre")

    for last, value in enumerate([1_784_017_230_501, 1_784_017_230_500, 1_784_017_230_502]):
        raised = Increments({}, {("louvre", "l:{}:louvre", "occurred_ms"): value})
        await store.apply(FAMILY, [Batch(TOPIC, 3, last - 1, last, raised, {})])

    assert client.hget(key, "occurred_ms") == b"1784017230502"


def sessions(*names: str, minute: str = "hall|20") -> Increments:
    return Increments(unions={("louvre", f"p:{{}}:louvre:{HOUR}", minute): frozenset(names)})


async def test_a_session_is_counted_once_however_often_it_comes(store: LiveStore, client: redis.Redis) -> None:
    await store.set_fence(TOPIC, 3, 0)
    seen_twice = [sessions("a", "b"), sessions("b", "c"), sessions("a", minute="hall|21")]

    for offset, said in enumerate(seen_twice):
        assert await store.apply(FAMILY, [Batch(TOPIC, 3, offset, offset + 1, said, {})]) == ["OK"]

    assert client.hgetall(live_keys.presence(3, "louvre", HOUR)) == {b"hall|20": b"3", b"hall|21": b"1"}


async def test_members_are_kept_24_hours_and_their_count_with_the_cells(store: LiveStore, client: redis.Redis) -> None:
    await store.set_fence(TOPIC, 3, 0)
    await store.apply(FAMILY, [Batch(TOPIC, 3, 0, 1, sessions("a"), {})])

    counts = live_keys.presence(3, "louvre", HOUR)
    assert client.ttl(live_keys.members(counts)) in range(24 * 3600 - 5, 24 * 3600 + 1)
    assert client.ttl(counts) in range(98 * 3600 - 5, 98 * 3600 + 1)


async def test_the_console_reads_what_the_agents_wrote(url: str, store: LiveStore) -> None:
    view = LiveView(url)
    await store.set_fence(TOPIC, 3, -1)

    await store.apply(FAMILY, [batch(-1, 0, people=4)])
    await store.apply(FAMILY, [batch(0, 1, people=2)])

    assert await view.totals([(3, "louvre", "2026-07-14")]) == [{"entries": 6}]
    (found,) = await view.read([Wanted("louvre", 3, "2026-07-14", {HOUR: EIGHT // 60_000}, (), {})])
    assert found.cells == {HOUR: {("north", EIGHT // 60_000, "entries"): 6}}
    assert (await view.levels({"louvre": 3}))["louvre"].occurred_ms == EIGHT
    assert await view.newest([3]) == {3: 2}
    assert await view.changed({3: 1}) == {3: [("louvre", 2)]}
    assert await view.changed({3: 2}) == {3: []}
    await view.close()


@pytest.mark.parametrize("site", ["louvre", "{9}", "a{}b", "a:b", "musée"])
async def test_all_keys_of_a_partition_share_its_hash_tag(store: LiveStore, client: redis.Redis, site: str) -> None:
    await store.set_fence(TOPIC, 3, -1)
    ids = gathered([(1, EIGHT), (2, EIGHT + HOUR_MS)]).joined()

    await store.apply(FAMILY, [Batch(TOPIC, 3, -1, 0, entries(1, site), ids)])
    await confirm(store, TOPIC, 3, 0, EIGHT)

    keys = {key.decode() for key in keys_in(client)} - {live_keys.FORMAT}
    assert keys == {
        "f:{3}",
        "h:{3}",
        "v:{3}",
        "v:{3}:n",
        f"c:{{3}}:{site}:{HOUR}",
        f"d:{{3}}:{site}:2026-07-14",
        f"l:{{3}}:{site}",
        f"s:{{3}}:{FAMILY}:{HOUR}",
        f"s:{{3}}:{FAMILY}:2026-07-14T09",
    }
    assert {re.search(r"\{(.*?)\}", key)[1] for key in keys} == {"3"}  # type: ignore[index]  # each has one


async def test_cells_and_seen_ids_outlive_the_horizon_and_a_fence_everything(
    store: LiveStore, client: redis.Redis
) -> None:
    await store.set_fence(TOPIC, 3, -1)

    await store.apply(FAMILY, [batch(-1, 0, ids=gathered([(1, EIGHT)]).joined())])

    hours = {key.decode(): (client.ttl(key) + 60) // 3600 for key in keys_in(client)}
    assert hours[live_keys.cells(3, "louvre", HOUR)] == 72 + 26
    assert hours[live_keys.day(3, "louvre", "2026-07-14")] == 72 + 26
    assert hours[live_keys.seen(3, FAMILY, HOUR)] == 72 + 2
    assert client.ttl(live_keys.fence(3)) == -1


async def test_another_write_lets_a_cell_live_as_long_from_then(store: LiveStore, client: redis.Redis) -> None:
    await store.set_fence(TOPIC, 3, -1)
    await store.apply(FAMILY, [batch(-1, 0)])
    key = live_keys.cells(3, "louvre", HOUR)
    client.expire(key, 60)

    await store.apply(FAMILY, [batch(0, 1)])

    assert client.ttl(key) > 97 * 3600


# -- seen ids --------------------------------------------------------------------------------------------------------


async def test_ids_are_known_once_they_were_applied_in_their_partition_and_family_and_nowhere_else(
    store: LiveStore,
) -> None:
    ids = gathered([(1, EIGHT), (2, EIGHT), (3, EIGHT)])
    applied = gathered([(1, EIGHT), (3, EIGHT)])
    await store.set_fence(TOPIC, 3, -1)
    assert await store.known(FAMILY, [(3, ids)]) == [set()]

    await store.apply(FAMILY, [batch(-1, 0, ids=applied.joined())])

    assert await store.known(FAMILY, [(3, ids), (4, ids)]) == [{0, 2}, set()]
    assert await store.known("counter-flow", [(3, ids)]) == [set()]


@pytest.mark.parametrize(("prev", "last"), [(5, 9), (-1, 0)], ids=["a gap", "a repetition"])
async def test_ids_of_a_batch_without_effect_are_not_known(store: LiveStore, prev: int, last: int) -> None:
    ids = gathered([(1, EIGHT)])
    await store.set_fence(TOPIC, 3, 2)

    await store.apply(FAMILY, [batch(prev, last, ids=ids.joined())])

    assert await store.known(FAMILY, [(3, ids)]) == [set()]


async def test_ids_of_several_hours_are_found_at_their_places_in_the_batch(
    store: LiveStore, client: redis.Redis
) -> None:
    # 08     09     10
    #  [------)[-----)[-----
    #  0  2    1      3  4
    ids = gathered(
        [(10, EIGHT), (11, EIGHT + HOUR_MS), (12, EIGHT + 1), (13, EIGHT + 2 * HOUR_MS), (14, EIGHT + 2 * HOUR_MS)]
    )
    await store.set_fence(TOPIC, 3, -1)

    await store.apply(FAMILY, [batch(-1, 4, ids=ids.joined([True, True, False, False, True]))])

    assert await store.known(FAMILY, [(3, ids)]) == [{0, 1, 4}]
    assert client.scard(live_keys.seen(3, FAMILY, HOUR)) == 1


async def test_two_batches_of_four_thousand_ids_fill_one_set(store: LiveStore, client: redis.Redis) -> None:
    first = gathered([(number, EIGHT) for number in range(4_000)])
    second = gathered([(number, EIGHT) for number in range(4_000, 8_000)])
    await store.set_fence(TOPIC, 3, -1)

    answers = await store.apply(
        FAMILY, [batch(-1, 3_999, ids=first.joined()), batch(3_999, 7_999, ids=second.joined())]
    )

    assert answers == ["OK", "OK"]
    assert client.scard(live_keys.seen(3, FAMILY, HOUR)) == 8_000
    assert await store.known(FAMILY, [(3, first), (3, second)]) == [set(range(4_000))] * 2


@pytest.mark.parametrize("count", [1, 999, 1_000, 1_001, 2_000, 2_001])
async def test_every_id_arrives_where_a_script_sends_them_by_the_thousand(
    store: LiveStore, client: redis.Redis, count: int
) -> None:
    ids = gathered([(number, EIGHT) for number in range(count)])
    await store.set_fence(TOPIC, 3, -1)

    await store.apply(FAMILY, [batch(-1, count, ids=ids.joined())])

    assert client.smembers(live_keys.seen(3, FAMILY, HOUR)) == {ids.member(place) for place in range(count)}
    assert await store.known(FAMILY, [(3, ids)]) == [set(range(count))]


async def test_no_ids_are_asked_for_nothing(store: LiveStore) -> None:
    assert await store.known(FAMILY, [(3, gathered([]))]) == [set()]


async def confirm(store: LiveStore, topic: str, partition: int, applied: int, at_ms: int | None) -> Answer:
    (answer,) = await store.confirm([Confirmation(topic, partition, applied, at_ms)])
    return answer


# -- confirmations ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fence", "believed", "answer"), [(None, 5, "COLD"), (4, 5, "GAP"), (5, 5, "OK"), (6, 5, "OK")]
)
async def test_a_moment_is_confirmed_only_by_a_fence_that_is_as_far_as_we_believe(
    store: LiveStore, client: redis.Redis, fence: int | None, believed: int, answer: str
) -> None:
    if fence is not None:
        await store.set_fence(TOPIC, 3, fence)

    assert await confirm(store, TOPIC, 3, believed, EIGHT) == answer
    assert (client.hget(live_keys.confirmed(3), live_keys.fence_field(AGENTS, TOPIC)) is not None) == (answer == "OK")


async def test_a_confirmation_never_goes_back(url: str, store: LiveStore) -> None:
    view = LiveView(url)
    for family in LIVE:
        await store.set_fence(family.topic, 3, 5)

    for family in LIVE:
        await confirm(store, family.topic, 3, 5, EIGHT)
        await confirm(store, family.topic, 3, 5, EIGHT - 1)

    assert await view.confirmed([3, 4]) == {3: EIGHT, 4: None}
    await view.close()


async def test_comparing_the_fence_confirms_nothing(store: LiveStore, client: redis.Redis) -> None:
    await store.set_fence(TOPIC, 3, 5)

    assert await confirm(store, TOPIC, 3, 5, None) == "OK"
    assert not client.exists(live_keys.confirmed(3))


# -- a server with troubles ------------------------------------------------------------------------------------------


async def test_a_server_that_forgot_the_scripts_gets_them_again_and_nothing_is_doubled(
    store: LiveStore, client: redis.Redis
) -> None:
    ids = gathered([(1, EIGHT)])
    await store.set_fence(TOPIC, 3, -1)
    await store.apply(FAMILY, [batch(-1, 0)])

    client.script_flush()

    assert await store.apply(FAMILY, [batch(0, 1), batch(1, 2, ids=ids.joined())]) == ["OK", "OK"]
    client.script_flush()
    assert await store.known(FAMILY, [(3, ids)]) == [{0}]
    client.script_flush()
    assert await confirm(store, TOPIC, 3, 2, None) == "OK"
    assert people(client) == 3


async def test_a_full_server_is_away_and_took_nothing(store: LiveStore, client: redis.Redis) -> None:
    await store.set_fence(TOPIC, 3, -1)
    client.config_set("maxmemory", "1")
    try:
        with pytest.raises(Unavailable, match="redis"):
            await store.apply(FAMILY, [batch(-1, 0, ids=gathered([(1, EIGHT)]).joined())])
    finally:
        client.config_set("maxmemory", "0")

    assert (await store.fences(TOPIC, [3]), people(client)) == ({3: -1}, 0)
    assert await store.apply(FAMILY, [batch(-1, 0)]) == ["OK"]


async def test_a_server_that_is_away_is_said_to_be() -> None:
    nowhere = LiveStore("redis://127.0.0.1:1/0", "tests")

    with pytest.raises(Unavailable, match="redis"):
        await nowhere.apply(FAMILY, [batch(-1, 0)])
    with pytest.raises(Unavailable, match="redis"):
        await nowhere.fences(TOPIC, [3])
    await nowhere.close()


async def test_a_server_set_as_we_start_ours_passes(store: LiveStore) -> None:
    await store.check()


@pytest.mark.parametrize(
    ("setting", "wrong", "right", "named"),
    [
        ("maxmemory-policy", "allkeys-lru", "noeviction", "evicts keys"),
        ("maxmemory-policy", "volatile-ttl", "noeviction", "evicts keys"),
        ("appendonly", "no", "yes", "keeps no log"),
    ],
)
async def test_a_server_that_may_forget_is_refused(
    store: LiveStore, client: redis.Redis, setting: str, wrong: str, right: str, named: str
) -> None:
    client.config_set(setting, wrong)
    try:
        with pytest.raises(ConfigError, match=named):
            await store.check()
    finally:
        client.config_set(setting, right)
        wait_for(lambda: not client.info("persistence")["aof_rewrite_in_progress"], what="the log's first rewrite")


# -- rebuilds --------------------------------------------------------------------------------------------------------

REBUILD = Rebuild(10, 20, EIGHT - 72 * HOUR_MS, EIGHT, EIGHT)


async def test_what_is_counted_anew_is_noted_with_its_fence_and_forgotten_at_its_end(
    url: str, store: LiveStore, client: redis.Redis
) -> None:
    view = LiveView(url)
    await store.set_fence(TOPIC, 3, 9, REBUILD)

    left = []
    for prev, last in [(9, 14), (14, 18), (18, 19)]:
        left.append((await view.lives([3]))[3].rebuilds)
        await store.apply(FAMILY, [batch(prev, last)])
        await confirm(store, TOPIC, 3, last, None)

    assert left == [{TOPIC: (REBUILD, records)} for records in (10, 5, 1)]
    assert (await view.lives([3]))[3].rebuilds == {}
    assert not client.exists(live_keys.rebuilt(3))
    await view.close()


async def test_a_fence_beyond_the_end_forgets_what_a_crash_left(url: str, store: LiveStore) -> None:
    view = LiveView(url)
    await store.set_fence(TOPIC, 3, 9, REBUILD)
    await store.apply(FAMILY, [batch(9, 30)])
    # Whoever counted it died before it could say so.
    assert (await view.lives([3]))[3].rebuilds == {TOPIC: (REBUILD, 0)}

    await confirm(store, TOPIC, 3, 30, None)

    assert (await view.lives([3]))[3].rebuilds == {}
    await view.close()


async def test_a_fence_that_stands_is_left_alone_and_nothing_is_noted(store: LiveStore, client: redis.Redis) -> None:
    await store.set_fence(TOPIC, 3, 15)

    await store.set_fence(TOPIC, 3, 9, REBUILD)

    assert await store.fences(TOPIC, [3]) == {3: 15}
    assert not client.exists(live_keys.rebuilt(3))


async def test_a_life_begins_with_the_first_fence_and_ends_with_the_state(
    url: str, store: LiveStore, client: redis.Redis
) -> None:
    view = LiveView(url)

    async def since() -> int | None:
        return (await view.lives([3]))[3].since_ms

    before = await since()
    await store.set_fence(TOPIC, 3, 9)
    first = await since()
    await store.set_fence("musee.web-traffic.v1", 3, 9)
    again = await since()
    client.flushall()
    await store.set_fence(TOPIC, 3, 9)

    assert before is None
    assert first == again
    assert first is not None
    assert (await since() or 0) > first
    await view.close()


# -- formats ---------------------------------------------------------------------------------------------------------


def plant(client: redis.Redis, version: str | None, *, many: int = 0) -> None:
    """Live state as a program of format 1 left it, and things of others."""
    if version is not None:
        client.set(live_keys.FORMAT, version)
    for partition in range(PARTITIONS):
        client.hset(live_keys.fence(partition), live_keys.fence_field(AGENTS, TOPIC), "41")
        client.hset(live_keys.confirmed(partition), live_keys.fence_field(AGENTS, TOPIC), str(EIGHT))
        client.hset(live_keys.cells(partition, "louvre", HOUR), "north|00|entries", 7)
        client.hset(f"a:{{{partition}}}", "rule|scope", "{}")
        client.zadd(live_keys.touched(partition), {"louvre|1": 1})
    pipe = client.pipeline()
    for number in range(many):
        pipe.set(f"s:{{{number % PARTITIONS}}}:family:{number}", number)
    pipe.execute()
    client.set("session:of-another-program", "kept")


@pytest.mark.parametrize("version", ["1", "0", "unheard-of", None])
async def test_state_of_an_older_or_unknown_format_is_taken_away_and_nothing_else(
    store: LiveStore, client: redis.Redis, version: str | None
) -> None:
    plant(client, version, many=5_000)

    await store.check()

    assert {key.decode() for key in keys_in(client)} == {
        live_keys.FORMAT,
        "session:of-another-program",
        *(live_keys.fence(partition) for partition in range(PARTITIONS)),
    }
    assert client.get(live_keys.FORMAT) == live_keys.FORMAT_VERSION.encode()
    assert await store.fences(TOPIC, range(PARTITIONS)) == dict.fromkeys(range(PARTITIONS))
    await store.set_fence(TOPIC, 3, -1)
    assert await store.apply(FAMILY, [batch(-1, 0)]) == ["OK"]
    assert people(client) == 1


async def test_state_of_our_format_is_left_alone(store: LiveStore, client: redis.Redis) -> None:
    await store.check()
    await store.set_fence(TOPIC, 3, -1)
    await store.apply(FAMILY, [batch(-1, 0)])
    before = snapshot(client)

    await store.check()

    assert snapshot(client) == before


@pytest.mark.parametrize("where", ["whole", "fences"])
async def test_state_of_a_newer_format_is_refused_and_left_alone(
    store: LiveStore, client: redis.Redis, where: str
) -> None:
    plant(client, "3" if where == "whole" else "1")
    if where == "fences":  # a newer program takes the old state away at this moment
        client.hset(live_keys.fence(5), live_keys.FORMAT_FIELD, "3 somebody")
    before = snapshot(client)

    with pytest.raises(ConfigError, match="upgrade this program"):
        await store.check()

    assert snapshot(client) == before


@pytest.mark.parametrize(("taken", "sealed"), [(0, 0), (0, 3), (1_500, 8)])
async def test_a_program_that_died_while_it_took_state_away_is_finished_by_the_next(
    store: LiveStore, client: redis.Redis, taken: int, sealed: int
) -> None:
    plant(client, live_keys.FORMAT_VERSION if sealed == PARTITIONS else "1", many=3_000)
    for partition in range(sealed):
        client.delete(live_keys.fence(partition), live_keys.confirmed(partition))
        client.hset(live_keys.fence(partition), live_keys.FORMAT_FIELD, f"{live_keys.FORMAT_VERSION} the-dead")
    for number in range(taken):
        client.delete(f"s:{{{number % PARTITIONS}}}:family:{number}")

    await store.check()

    assert not [key for key in keys_in(client) if key[:2] in (b"s:", b"c:", b"a:", b"t:", b"h:")]
    await store.set_fence(TOPIC, 3, -1)


async def test_nobody_counts_while_state_is_taken_away(store: LiveStore, client: redis.Redis) -> None:
    plant(client, "1")
    client.delete(live_keys.fence(3))
    client.hset(live_keys.fence(3), live_keys.FORMAT_FIELD, f"{live_keys.FORMAT_VERSION} somebody")

    with pytest.raises(Unavailable, match="taking live state"):
        await store.set_fence(TOPIC, 3, -1)
    assert await store.apply(FAMILY, [batch(-1, 0)]) == ["COLD"]
    assert await confirm(store, TOPIC, 3, 0, EIGHT) == "COLD"
    assert people(client) == 7


async def test_a_program_that_runs_while_the_format_changes_under_it_finds_no_fence_and_may_put_none(
    store: LiveStore, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.check()
    await store.set_fence(TOPIC, 3, -1)
    await store.apply(FAMILY, [batch(-1, 0)])

    monkeypatch.setattr(live_format, "_OURS", "3")  # a newer program starts
    await store.check()
    monkeypatch.undo()

    assert await store.apply(FAMILY, [batch(0, 1)]) == ["COLD"]
    with pytest.raises(ConfigError, match="format '3', this program writes 2: upgrade"):
        await store.set_fence(TOPIC, 3, 0)
    assert await store.fences(TOPIC, [3]) == {3: None}
    assert people(client) == 0


async def test_two_programs_that_find_old_state_leave_one_clean_state(
    url: str, store: LiveStore, client: redis.Redis
) -> None:
    plant(client, "1", many=20_000)
    other = LiveStore(url, AGENTS)

    async def start(one: LiveStore) -> int:
        waited = 0
        while True:
            try:
                await one.check()
            except Unavailable:
                waited += 1
                await asyncio.sleep(0.02)
            else:
                await one.set_fence(TOPIC, 3, -1)
                return waited

    waited = await asyncio.gather(start(store), start(other))

    assert min(waited) == 0  # one of them did it
    assert await store.apply(FAMILY, [batch(-1, 0)]) == ["OK"]
    assert people(client) == 1
    assert not list(client.scan_iter("s:*"))
    await other.close()


async def test_who_slept_while_taking_state_away_and_was_overtaken_stops_and_takes_nothing(
    store: LiveStore, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(client, "1", many=5_000)
    whole = live_format._pass

    async def slept(*arguments: Any) -> int:
        monkeypatch.setattr(live_format, "_pass", whole)
        client.delete(live_keys.EMPTYING)  # the lease runs out
        await store.check()
        await store.set_fence(TOPIC, 3, -1)
        await store.apply(FAMILY, [batch(-1, 0)])
        return await whole(*arguments)

    monkeypatch.setattr(live_format, "_pass", slept)

    with pytest.raises(Unavailable, match="another program"):
        await store.check()

    assert people(client) == 1
    await store.check()
    assert people(client) == 1
