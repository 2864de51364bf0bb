"""Alerts in the live store on a real Valkey: what is begun is found again, nobody overwrites what he did not read."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis

from streams.adapters import alert_topic
from streams.adapters.alert_store import AlertStore, Held, Place, key
from streams.adapters.alert_view import AlertView
from streams.core.alerts import CAPACITY, Alert, Observed, Scope, step
from tests.beds import Bed

NOW_MS = 1_784_016_000_000
RULE = CAPACITY[1]
PLACE = Place(RULE.name, Scope("louvre", "denon"))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, cache: object) -> Iterator[str]:
    """A Valkey for this module."""
    bed = Bed(tmp_path_factory.mktemp("alert-store"), cache)  # type: ignore[arg-type]  # a path
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
async def store(url: str, client: redis.Redis) -> AsyncIterator[AlertStore]:
    """The store under test."""
    store = AlertStore(url)
    yield store
    await store.close()


def alert(version: int = NOW_MS) -> Alert:
    """An alert that was opened."""
    made = step(None, Observed(PLACE.scope, "Denon", NOW_MS, 80, 70, 90, 100), RULE, version)
    assert made is not None
    return made


async def said(store: AlertStore, one: Alert) -> Held:
    """Reserve and save."""
    reserved = await store.reserve(await store.read(PLACE), one)
    assert reserved is not None
    saved = await store.save(reserved)
    assert saved is not None
    return saved


async def test_what_was_never_said_is_nothing(store: AlertStore) -> None:
    held = await store.read(PLACE)

    assert held == Held(PLACE)
    assert held.used == 0
    part = (await store.look([PLACE.partition]))[PLACE.partition]
    assert (part.marked, part.held, part.newest) == (False, {}, 0)


async def test_what_is_reserved_is_found_beside_what_was_saved(store: AlertStore) -> None:
    first = alert()
    await said(store, first)
    second = replace(first, version=NOW_MS + 9, state="ACKNOWLEDGED", acknowledged_by="post")

    reserved = await store.reserve(await store.read(PLACE), second)

    assert reserved == await store.read(PLACE)
    assert reserved is not None
    assert (reserved.alert, reserved.begun, reserved.used) == (first, second, NOW_MS + 9)
    assert await store.alerts() == [first]  # what was not published is not shown


async def test_a_version_is_reserved_once(store: AlertStore) -> None:
    held = await store.read(PLACE)

    assert await store.reserve(held, alert()) is not None
    assert await store.reserve(held, alert(NOW_MS + 1)) is None


async def test_who_was_overtaken_saves_nothing(store: AlertStore) -> None:
    slow = await store.reserve(await store.read(PLACE), alert())
    assert slow is not None
    quick = await said(store, alert(NOW_MS + 1))

    assert await store.save(slow) is None
    assert await store.read(PLACE) == quick


async def test_a_store_that_was_emptied_in_between_saves_nothing(store: AlertStore, client: redis.Redis) -> None:
    reserved = await store.reserve(await store.read(PLACE), alert())
    client.flushall()

    assert reserved is not None
    assert await store.save(reserved) is None
    assert client.keys("*") == []


async def test_what_the_topic_knows_better_is_taken_and_the_partition_marked(store: AlertStore) -> None:
    old, new = alert(), replace(alert(), version=NOW_MS + 5, state="RESOLVED", resolved_ms=NOW_MS)
    await said(store, old)

    assert await store.restore(PLACE.partition, [new]) == 1
    assert await store.restore(PLACE.partition, [old]) == 0

    part = (await store.look([PLACE.partition]))[PLACE.partition]
    assert part.marked
    assert part.held[PLACE].alert == new
    assert part.newest == NOW_MS + 5


async def test_what_was_published_and_not_saved_is_saved_by_the_topic(store: AlertStore) -> None:
    first = alert()
    await store.reserve(await store.read(PLACE), first)

    assert await store.restore(PLACE.partition, [first]) == 1

    held = await store.read(PLACE)
    assert (held.alert, held.begun) == (first, None)


async def test_what_was_begun_after_the_topic_ends_stays_begun(store: AlertStore) -> None:
    first = alert()
    second = replace(first, version=NOW_MS + 9)
    await said(store, first)
    await store.reserve(await store.read(PLACE), second)

    assert await store.restore(PLACE.partition, [first]) == 0

    assert (await store.read(PLACE)).begun == second


async def test_an_alert_is_found_by_its_id(store: AlertStore) -> None:
    one = alert()
    await said(store, one)

    assert await store.find(one.alert_id) == one
    assert await store.find("another") is None


async def test_scripts_that_the_server_lost_are_sent_again(store: AlertStore, client: redis.Redis) -> None:
    client.script_flush()

    await said(store, alert())

    assert client.hlen(key(PLACE.partition)) == 1


# -- what others wrote -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more",
    [
        {"state": "SNOOZED"},
        {"kind": "weather"},
        {"scope": Scope("a/b")},
        {"scope": Scope("louvre", "")},
        {"rule": ""},
        {"rule": "a|b"},
    ],
)
def test_an_alert_that_this_program_does_not_understand_is_refused_when_it_is_read(more: dict[str, Any]) -> None:
    assert alert_topic.alert(alert_topic.record(alert(), NOW_MS).value) == alert()

    with pytest.raises(ValueError, match=r"^invalid$"):
        alert_topic.alert(alert_topic.record(replace(alert(), **more), NOW_MS).value)


async def test_what_cannot_be_read_in_the_store_is_left_out_and_the_others_stay(
    store: AlertStore, client: redis.Redis, url: str
) -> None:
    await said(store, alert())
    client.hset(
        key(PLACE.partition), mapping={"capacity-85|a/b": "{}", "capacity-85|gym": '{"alert": {"state": "ODD"}}'}
    )
    view = AlertView(url)

    assert await store.alerts() == await view.alerts() == [alert()]
    await view.close()


async def test_a_partition_that_was_not_read_back_is_named(store: AlertStore, url: str) -> None:
    view = AlertView(url)
    await store.restore(3, [])

    assert await view.alerts() == []
    assert view.unknown == (0, 1, 2, 4, 5, 6, 7)
    await view.close()
