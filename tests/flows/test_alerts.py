"""Alerts of capacities and silence: through the whole stack, and one turn of the loop over a store of its own."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import redis

from streams.adapters import alert_topic
from streams.adapters.alert_changes import change
from streams.adapters.alert_store import AlertStore, Place, key
from streams.adapters.headcount_store import HeadcountStore
from streams.adapters.live_view import LiveView
from streams.adapters.producer import Outgoing, Producer
from streams.agents.alerts import Alerts, Stores
from streams.config import Settings
from streams.core.alerts import Alert, RefusedAcknowledgement, Scope, acknowledge
from streams.core.days import MINUTE_MS
from streams.core.partitions import partition_of
from streams.core.sites import Site, Zone
from streams.topology import PARTITIONS
from tests.beds import wait_for
from tests.flows import levels
from tests.flows.levels import Levels
from tests.flows.test_occupancy import new_site, passed, send
from tests.programs import World

HOUR_MS = 60 * MINUTE_MS
Published = Callable[[Iterable[int]], Any]


class Loop:
    """The loop on a store of its own."""

    def __init__(self, settings: Settings, producer: Producer) -> None:
        self.settings = settings
        self.sites: dict[str, Site] = {}
        self.producer = producer
        self.stores = Stores(
            AlertStore(settings.redis_url), LiveView(settings.redis_url), HeadcountStore(settings.redis_url)
        )
        self.house = Levels(settings)

    def fresh(self, published: Published | None = None, producer: Producer | None = None, turn_s: float = 5) -> Alerts:
        """As after a start of the program."""
        read = published or partial(alert_topic.newest, self.settings.kafka_servers)
        owned = range(PARTITIONS)
        return Alerts(self.stores, self.sites, {}, producer or self.producer, lambda: owned, read, turn_s)

    async def said(self, name: str) -> list[Alert]:
        return sorted(await levels.said(self.settings.kafka_servers, name), key=lambda one: one.version)

    async def acknowledge(self, alert: Alert, producer: Producer | None = None) -> Alert | None:
        """As ``musee alerts ack`` does."""
        now_ms = time.time_ns() // 1_000_000

        def decide(stands: Alert | None, used: int) -> Alert:
            assert stands is not None
            return acknowledge(stands, "duty manager", now_ms + HOUR_MS, now_ms, used=used)

        place = Place(alert.rule, alert.scope)
        return await change(self.stores.alerts, producer or self.producer, place, decide)


@pytest.fixture
async def turning(own: Settings) -> AsyncIterator[Loop]:
    """The loop; nobody is counted yet."""
    one = Loop(own, Producer(own.kafka_servers, "tests", answer_s=30))
    await one.house.open()
    yield one
    await one.producer.stop()
    await one.stores.close()


def client(settings: Settings) -> redis.Redis:
    return redis.Redis.from_url(settings.redis_url)


async def nothing(partitions: Iterable[int]) -> Mapping[int, list[Alert]]:
    """A topic that was not read."""
    return {partition: [] for partition in partitions}


def at_85(said: Iterable[Alert]) -> list[tuple[str, str]]:
    """State and id of what one rule said."""
    return [(one.state, one.alert_id) for one in said if one.rule == "capacity-85"]


# -- the whole stack -------------------------------------------------------------------------------------------------


def judged(world: World) -> None:
    """Wait until the loop has turned twice."""
    name = "musee_agents_alerts_turn_seconds_count"
    turns = world.metric(world.agents, name)
    wait_for(lambda: world.metric(world.agents, name) >= turns + 2, what="two turns of the loop")


def test_scans_that_walk_around_the_threshold_open_one_alert_and_resolve_it(world: World) -> None:
    site = new_site(world, error_share=0.0)  # one hundred people are allowed
    levels_of = [(84, "IN"), (2, "IN"), (2, "OUT"), (2, "IN"), (7, "OUT")]  # 84 → 86 → 84 → 86 → 79

    inside = 0
    for place, (people, way) in enumerate(levels_of):
        inside += people if way == "IN" else -people
        send(world, [passed(site, 10 * place, people, way, gate="roof")])
        wait_for(lambda: world.now(site)["inside"] == inside, what=f"{inside} people")  # noqa: B023 - called at once
        judged(world)

    said = sorted(levels.told(world.settings, site), key=lambda one: one.version)
    told = [(one.state, one.value, one.limit, one.played) for one in said if one.rule == "capacity-85"]
    assert told == [("OPEN", 86, 100, True), ("RESOLVED", 79, 100, True)]
    assert len({one.alert_id for one in said if one.rule == "capacity-85"}) == 1
    assert [one.state for one in said if one.rule == "capacity-70"] == ["OPEN"]
    world.wait_quiet()
    asked = f"SELECT rule, state, value, high, versions, hidden_by FROM musee.v_alerts WHERE site_id = '{site}'"
    wait_for(lambda: len(world.query(asked)) == 2, what="both alerts in history")
    assert sorted(world.query(asked)) == [
        ("capacity-70", "OPEN", 84, 84, 1, None),
        ("capacity-85", "RESOLVED", 79, 79, 2, None),
    ]
    assert world.metric(world.agents, "musee_agents_alerts_open") >= 1


# -- what an emptied store forgot ------------------------------------------------------------------------------------


async def opened(turning: Loop, name: str, **more: Any) -> Alert:
    """An open alert of the rule at 85 %."""
    turning.sites[name] = levels.site(name, **more)
    await turning.house.set(name, 86)
    await turning.fresh().turn()
    return next(one for one in await turning.said(name) if one.rule == "capacity-85")


async def empty(turning: Loop, name: str, people: int) -> None:
    """An emptied store that was counted up again, by then with so many people."""
    with client(turning.settings) as looking:
        looking.flushdb()
    await turning.house.open()
    await turning.house.set(name, people)


async def test_an_alert_opened_before_the_store_was_emptied_is_resolved_by_its_id(turning: Loop) -> None:
    alert = await opened(turning, "emptied")

    await empty(turning, "emptied", 20)
    await turning.fresh().turn()

    said = at_85(await turning.said("emptied"))
    assert said == [("OPEN", alert.alert_id), ("RESOLVED", alert.alert_id)]


async def test_without_reading_the_topic_it_would_stay_open_for_ever(turning: Loop) -> None:
    alert = await opened(turning, "forgotten")

    await empty(turning, "forgotten", 20)
    await turning.fresh(published=nothing).turn()

    assert at_85(await turning.said("forgotten")) == [("OPEN", alert.alert_id)]


async def test_an_emptied_store_does_not_open_what_is_open(turning: Loop) -> None:
    await opened(turning, "still-full")

    await empty(turning, "still-full", 86)
    await turning.fresh().turn()

    assert [one.state for one in await turning.said("still-full")] == ["OPEN", "OPEN"]  # of two rules


async def test_a_store_that_came_back_from_an_older_log_learns_what_was_said_since(turning: Loop) -> None:
    loop = turning.fresh()
    turning.sites["older"] = levels.site("older")
    where = key(partition_of("older", PARTITIONS))
    await turning.house.confirm()
    await loop.turn()
    with client(turning.settings) as looking:
        before = looking.hgetall(where)
        await turning.house.set("older", 86)
        await loop.turn()
        looking.delete(where)
        looking.hset(where, mapping=before)

    await turning.house.set("older", 20)
    await loop.turn()

    said = at_85(await turning.said("older"))
    assert [state for state, _ in said] == ["OPEN", "RESOLVED"]
    assert len({one for _, one in said}) == 1


async def test_an_alert_of_a_site_that_is_gone_is_resolved(turning: Loop) -> None:
    await opened(turning, "closed-down")
    del turning.sites["closed-down"]

    await turning.fresh().turn()

    assert {state for state, _ in at_85(await turning.said("closed-down"))[1:]} == {"RESOLVED"}


# -- taking over -----------------------------------------------------------------------------------------------------


async def test_an_acknowledged_alert_is_said_at_once_and_resolved_by_the_loop(turning: Loop) -> None:
    alert = await opened(turning, "taken")

    taken = await turning.acknowledge(alert)
    await turning.house.set("taken", 20)
    await turning.fresh().turn()

    assert taken is not None
    assert taken.acknowledged_by == "duty manager"
    said = [one for one in await turning.said("taken") if one.rule == "capacity-85"]
    assert [one.state for one in said] == ["OPEN", "ACKNOWLEDGED", "RESOLVED"]
    assert said[-1].acknowledged_by == "duty manager"
    with pytest.raises(RefusedAcknowledgement, match="closed-alert"):
        await turning.acknowledge(alert)
    assert await turning.said("taken") == await turning.said("taken")


class _Between(Producer):
    """A producer that lets something happen between reserving and publishing."""

    def __init__(self, servers: str, happens: Callable[[], Any]) -> None:
        super().__init__(servers, "tests", answer_s=30)
        self._happens = happens
        self._left = 1

    async def write(self, topic: str, records: Any) -> None:
        if self._left:
            self._left = 0
            await self._happens()
        await super().write(topic, records)


async def test_who_acknowledges_while_the_loop_resolves_finds_it_closed(turning: Loop) -> None:
    alert = await opened(turning, "racing")
    await turning.house.set("racing", 66)  # only the rule at 85 % resolves
    refused = []

    async def acknowledged() -> None:
        with pytest.raises(RefusedAcknowledgement) as found:
            await turning.acknowledge(alert)
        refused.append(found.value.code)

    between = _Between(turning.settings.kafka_servers, acknowledged)
    await turning.fresh(producer=between).turn()
    await between.stop()
    await turning.fresh().turn()

    assert refused == ["closed-alert"]
    said = [one for one in await turning.said("racing") if one.rule == "capacity-85"]
    assert said[-1].state == "RESOLVED"
    assert {one.state for one in said} == {"OPEN", "RESOLVED"}
    assert levels.ambiguous(said) == []


async def test_a_loop_that_resolves_while_somebody_acknowledges_resolves_in_its_next_turn(turning: Loop) -> None:
    alert = await opened(turning, "raced")
    await turning.house.set("raced", 66)
    loop = turning.fresh()

    between = _Between(turning.settings.kafka_servers, loop.turn)
    taken = await turning.acknowledge(alert, between)
    await between.stop()
    await loop.turn()

    assert taken is not None
    said = [one for one in await turning.said("raced") if one.rule == "capacity-85"]
    assert said[-1].state == "RESOLVED"
    assert levels.ambiguous(said) == []
    assert len({one.alert_id for one in said}) == 1


async def test_resolutions_survive_whoever_acknowledges_at_the_same_time(turning: Loop) -> None:
    chance = random.Random(5)
    names = [f"both-{number}" for number in range(12)]
    alerts = [await opened(turning, name) for name in names]
    await turning.house.set_all(names, 66)
    loop = turning.fresh()

    async def taken(alert: Alert) -> bool:
        await asyncio.sleep(chance.random() * 0.1)
        try:
            return await turning.acknowledge(alert) is not None
        except RefusedAcknowledgement:
            return False

    _, *answers = await asyncio.gather(loop.turn(), *map(taken, alerts))
    await loop.turn()

    said = [one for name in names for one in await turning.said(f"{name}") if one.rule == "capacity-85"]
    print(f"\n{sum(answers)} of {len(names)} were acknowledged before they were resolved")
    last = {one.alert_id: one.state for one in sorted(said, key=lambda one: one.version)}
    assert set(last.values()) == {"RESOLVED"}
    assert len(last) == len(names)
    assert levels.ambiguous(said) == []


async def test_an_acknowledgement_that_compares_nothing_would_lose_the_resolution(turning: Loop) -> None:
    alert = await opened(turning, "careless")
    store, place = turning.stores.alerts, Place(alert.rule, alert.scope)
    held = await store.read(place)
    now_ms = time.time_ns() // 1_000_000
    await turning.house.set("careless", 66)
    await turning.fresh().turn()

    careless = acknowledge(alert, "duty manager", now_ms + HOUR_MS, now_ms)
    assert await store.reserve(held, careless) is None  # what was read is no more
    with client(turning.settings) as looking:
        looking.hset(key(place.partition), place.name, held.text)  # and who writes without comparing …
    reserved = await store.reserve(held, careless)

    assert reserved is not None
    assert await store.save(reserved) is not None
    stands = (await store.read(place)).alert
    assert stands is not None
    assert stands.is_open  # … opens again what was resolved


# -- silence ---------------------------------------------------------------------------------------------------------


async def quiet(turning: Loop, name: str, heard_min: float, people: int = 36) -> int:
    """A live site heard so long ago, with people in its hall; the time now."""
    now_ms = time.time_ns() // 1_000_000
    heard_ms = now_ms - round(heard_min * MINUTE_MS)
    await turning.house.count(name, heard_ms, people, "north", received_ms=heard_ms)
    await turning.house.confirm()
    return now_ms


async def test_silence_hides_the_alerts_of_a_sites_zones_until_it_is_heard_again(turning: Loop) -> None:
    name = "quiet"
    turning.sites[name] = levels.site(name, replay=False, expected_gap_min=10)
    loop = turning.fresh()
    await quiet(turning, name, 11)
    for _ in range(11):  # a site that does not change has its turn in one of ten
        await loop.turn()
    hidden = await turning.said(name)
    await quiet(turning, name, 0, people=1)
    await loop.turn()

    silent = [one for one in await turning.said(name) if one.rule == "silent"]
    assert [one.state for one in silent] == ["OPEN", "RESOLVED"]
    assert (silent[0].value, silent[0].limit, silent[0].played) == (11, 10, False)
    of_hall = [one for one in hidden if one.scope.zone_id == "hall" and one.rule == "capacity-85"]
    assert [(one.state, one.hidden_by) for one in of_hall] == [("OPEN", silent[0].alert_id)]
    of_hall = [one for one in await turning.said(name) if one.scope.zone_id == "hall" and one.rule == "capacity-85"]
    assert [(one.state, one.hidden_by) for one in of_hall] == [("OPEN", silent[0].alert_id), ("OPEN", None)]


async def test_a_dead_pipeline_is_not_told_as_a_silent_site(turning: Loop) -> None:
    name = "uncounted"
    turning.sites[name] = levels.site(name, replay=False, expected_gap_min=10)
    now_ms = time.time_ns() // 1_000_000
    heard_ms = now_ms - 11 * MINUTE_MS
    await turning.house.count(name, heard_ms, 36, received_ms=heard_ms)
    loop = turning.fresh()

    await turning.house.confirm(now_ms - 16_000)
    await loop.turn()
    assert await turning.said(name) == []
    await turning.house.confirm()
    await loop.turn()

    assert [one.rule for one in await turning.said(name) if one.scope == Scope(name)] == ["silent"]


async def test_a_replayed_site_is_never_silent(turning: Loop) -> None:
    turning.sites["played"] = levels.site("played", expected_gap_min=1)
    await turning.house.set("played", 10)
    loop = turning.fresh()

    for _ in range(11):
        await loop.turn()

    assert await turning.said("played") == []


# -- turns -----------------------------------------------------------------------------------------------------------


async def test_sites_that_a_turn_does_not_reach_are_judged_in_a_later_one(turning: Loop) -> None:
    names = [f"many-{number}" for number in range(20)]
    turning.sites |= {name: levels.site(name) for name in names}
    await turning.house.set_all(names, 86)
    loop = turning.fresh(turn_s=0.005)

    said = [await loop.turn() for _ in range(60)]

    assert sum(said) == 2 * len(names)
    assert max(said) < sum(said)


async def test_people_who_were_counted_late_are_judged_at_once(turning: Loop) -> None:
    turning.sites["late"] = levels.site("late")
    loop = turning.fresh()
    await turning.house.set("late", 60)
    morning_ms = levels.DAY_MS + 9 * HOUR_MS
    await turning.house.count("late", morning_ms + 5 * HOUR_MS, 1)
    await loop.turn()

    await turning.house.count("late", morning_ms + 20 * MINUTE_MS, 30, "north")  # an hour that was read before
    await turning.house.confirm()
    await loop.turn()

    said = [one for one in await turning.said("late") if one.rule == "capacity-85" and one.scope.is_site]
    assert [(one.state, one.value) for one in said] == [("OPEN", 91)]


async def test_the_level_of_a_new_business_day_resolves_what_yesterday_opened(turning: Loop) -> None:
    await opened(turning, "next-day")
    loop = turning.fresh()
    await loop.turn()

    await turning.house.count("next-day", levels.DAY_MS + 25 * HOUR_MS, 3)
    await turning.house.confirm()
    await loop.turn()

    said = [one for one in await turning.said("next-day") if one.rule == "capacity-85"]
    assert [(one.state, one.value) for one in said] == [("OPEN", 86), ("RESOLVED", 3)]


async def test_a_capacity_that_the_site_file_no_longer_names_is_judged_no_more(turning: Loop) -> None:
    await opened(turning, "unlimited")
    turning.sites["unlimited"] = replace(turning.sites["unlimited"], capacity=None)

    await turning.fresh().turn()

    assert [state for state, _ in at_85(await turning.said("unlimited"))] == ["OPEN", "RESOLVED"]


async def test_a_zone_has_a_capacity_of_its_own(turning: Loop) -> None:
    turning.sites["zoned"] = levels.site("zoned", zones=(Zone("hall", "Hall", 40), Zone("attic", "Attic", 5)))
    await turning.house.set("zoned", 34, "north")

    await turning.fresh().turn()

    said = await turning.said("zoned")
    assert {str(one.scope) for one in said} == {"zoned/zone:hall"}
    assert [(one.rule, one.limit, one.value) for one in said] == [("capacity-70", 40, 34), ("capacity-85", 40, 34)]
    assert said[0].advice == "Watch Hall (The zoned); have somebody ready at its doors."


async def test_a_broker_that_is_away_leaves_everything_to_a_later_turn(turning: Loop) -> None:
    turning.sites["unheard"] = levels.site("unheard")
    await turning.house.set("unheard", 86)
    nobody = Producer("127.0.0.1:1", "tests", answer_s=0.5)
    loop = turning.fresh(producer=nobody)

    assert await loop.turn() == 0
    assert await turning.fresh().turn() > 0

    assert [state for state, _ in at_85(await turning.said("unheard"))] == ["OPEN"]


def record_of(alert: Alert) -> Outgoing:
    return alert_topic.record(alert, alert.version)


async def test_an_alert_is_read_from_its_record_as_it_was(turning: Loop) -> None:
    alert = await opened(turning, "written")

    assert alert_topic.alert(record_of(alert).value) == alert
