"""``musee alerts`` on the whole stack: what is open is listed, taken over and followed; wrong calls change nothing."""

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from streams.adapters import alert_tail, alert_topic
from streams.adapters.alert_store import AlertStore, Place
from streams.adapters.producer import Producer
from streams.cli import alerts as verbs
from streams.core.alerts import Alert, acknowledge
from streams.core.partitions import partition_of
from streams.core.sites import Gate, Site, Zone
from streams.errors import ConfigError
from streams.topology import ALERT, PARTITIONS
from tests.beds import wait_for
from tests.programs import World, environment, scan
from tests.verbs import Told, musee

MORNING = datetime(2026, 7, 2, 9, 0, tzinfo=UTC)  # 11:00 in Paris


def alerts(world: World, *arguments: str) -> Told:
    """Call a verb."""
    return musee(world.settings, "alerts", *arguments)


def listed(world: World, site: str, *arguments: str) -> list[dict[str, Any]]:
    told = alerts(world, "list", "--site", site, "--json", *arguments)
    assert told.returncode == 0, told.stderr
    return list(json.loads(told.stdout))


def new_sites(world: World, count: int = 1, **more: Any) -> list[str]:
    """Sites of their own for a test; they run on their events' clock."""
    names = [f"alerts-{uuid.uuid4().hex[:12]}" for _ in range(count)]
    made = [
        Site(
            name,
            "tests",
            "A full house",
            "Europe/Paris",
            replay=True,
            capacity=100,
            gates=(Gate("north", "North", "hall"),),
            zones=(Zone("hall", "Hall"),),
        )
        for name in names
    ]
    world.publish([replace(site, **more) for site in made])
    wait_for(lambda: set(names) <= known(world), what="the sites on the page")
    return names


def known(world: World) -> set[str]:
    answer = world.http.get(f"{world.console.address}/v1/now").json()
    return {site["site_id"] for site in answer["sites"]}


def now_is(world: World, site: str, minutes: float, people: int, direction: str = "IN") -> None:
    """Send people through the gate so many minutes after eleven."""
    at = (MORNING + timedelta(minutes=minutes)).isoformat(timespec="milliseconds")
    event = scan(site, "north", direction, time=at, party_size=people)
    wait_for(lambda: world.post([event]).status_code == 202, what="the site at the door")


def opened(world: World, site: str, rule: str = "capacity-85") -> dict[str, Any]:
    """Let people in, two at a time, until a rule opens."""
    before = int(rule.removeprefix("capacity-")) - 4
    now_is(world, site, 0, before)
    for step in range(20):
        now_is(world, site, 1 + step / 10, 2)
        inside = before + 2 * (step + 1)
        wait_for(lambda: world.now(site)["inside"] == inside, what="the count")  # noqa: B023 - called at once
        found: list[dict[str, Any]] = []
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline and not found:
            found = [one for one in listed(world, site) if one["rule"] == rule]
            time.sleep(0.2)
        if found:
            return found[0]
    raise AssertionError(f"{rule} did not open; the list says {listed(world, site, '--all')}")


def emptied(world: World, site: str, alert_id: str) -> dict[str, Any]:
    """Let everybody out, and wait until an alert is resolved."""
    now_is(world, site, 10, 200, "OUT")

    def is_over() -> bool:
        return alert_id not in {one["alert_id"] for one in listed(world, site)}

    wait_for(is_over, what="the resolution")
    return next(one for one in listed(world, site, "--all") if one["alert_id"] == alert_id)


def stored(world: World, site: str) -> dict[str, str]:
    """What the live store holds of a site's alerts."""
    told: dict[str, str] = world.redis().hgetall(f"a:{{{partition_of(site, PARTITIONS)}}}")  # type: ignore[assignment]
    return {name: text for name, text in told.items() if f"|{site}" in name}


async def published(world: World, alert_id: str) -> list[Alert]:
    """Every record of an alert, in the order in which they were appended."""
    found = []
    async with alert_tail._consumer(world.settings.kafka_servers) as consumer:
        ends = await consumer.end_offsets(alert_tail._PLACES)
        await consumer.seek_to_beginning(*alert_tail._PLACES)
        for place in alert_tail._PLACES:
            while await consumer.position(place) < ends[place]:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += [alert_topic.alert(record.value) for record in records]
    return [one for one in found if one.alert_id == alert_id]


# -- list and ack ----------------------------------------------------------------------------------------------------


def test_an_empty_list_says_when_there_would_be_one(world: World) -> None:
    (site,) = new_sites(world)

    told = alerts(world, "list", "--site", site)

    assert told.returncode == 0
    assert told.stdout.startswith("no alert is open at A full house; they open at 70, 85, 95 and 100 %")


def test_an_alert_is_listed_taken_over_twice_and_closed_for_good(world: World) -> None:
    (site,) = new_sites(world)
    one = opened(world, site)
    short = one["alert_id"][:8]

    told = alerts(world, "list", "--site", site)
    header, row, closing = (line.rstrip() for line in told.stdout.splitlines())
    assert header.split()[:2] == ["id", "level"]
    assert row.startswith(f"{short}  warning: 85 % of capacity  A full house REPLAY")
    assert "2026-07-02 11:0" in row
    assert "by nobody" in row
    assert closing == "1 alert; not shown: 1 lower level of the same places (--all)"
    assert [two["rule"] for two in listed(world, site, "--all")] == ["capacity-85", "capacity-70"]

    first = alerts(world, "ack", short, "--who", "duty desk", "--until", "+2h")
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith(f"{short}  warning: 85 % of capacity at A full house: by duty desk until ")
    second = alerts(world, "ack", one["alert_id"], "--who", " night desk ", "--until", "+3h", "--json")
    assert json.loads(second.stdout)["acknowledged_by"] == "night desk"
    (now,) = listed(world, site)
    assert (now["alert_id"], now["state"], now["acknowledged_by"]) == (one["alert_id"], "ACKNOWLEDGED", "night desk")
    assert now["version"] > json.loads(second.stdout)["version"] - 1 > one["version"]

    over = emptied(world, site, one["alert_id"])
    assert over["state"] == "RESOLVED"
    before = stored(world, site)
    refused = alerts(world, "ack", short, "--who", "duty desk", "--until", "+1h")
    assert refused.returncode == 2
    assert "was resolved at 2026-07-02T09:10:00Z" in refused.stderr
    assert stored(world, site) == before
    assert "resolved at 2026-07-02 11:10" in alerts(world, "list", "--site", site, "--all").stdout

    again = opened_again(world, site, one["alert_id"])  # now another episode holds the store's only place
    late = alerts(world, "ack", one["alert_id"], "--who", "duty desk", "--until", "+1h")
    assert late.returncode == 2
    assert "was resolved at" in late.stderr
    assert next(two for two in listed(world, site, "--all") if two["alert_id"] == again)["state"] == "OPEN"


def opened_again(world: World, site: str, before: str) -> str:
    """Fill the house again; the id of the rule's next episode."""
    now_is(world, site, 30, 220)

    def standing() -> list[str]:
        found = [one for one in listed(world, site, "--all") if one["state"] == "OPEN"]
        return [one["alert_id"] for one in found if one["rule"] == "capacity-85"]

    wait_for(lambda: bool(standing()), what="another episode")
    (one,) = standing()
    assert one != before
    return one


@pytest.mark.parametrize(
    ("who", "until", "said"),
    [
        ("  ", "+2h", "name the post"),
        ("x" * 101, "+2h", "name the post"),
        ("duty desk", "2020-01-01T00:00:00Z", "is not within the 24 hours"),
        ("duty desk", "+25h", "is not within the 24 hours"),
        ("duty desk", "soon", "--until soon: +2h"),
    ],
)
def test_a_wrong_acknowledgement_is_named_and_changes_nothing(world: World, who: str, until: str, said: str) -> None:
    one = some_alert(world)
    before = stored(world, one["site_id"])
    records = asyncio.run(published(world, one["alert_id"]))

    told = alerts(world, "ack", one["alert_id"], "--who", who, "--until", until)

    assert told.returncode == 2
    assert said in told.stderr
    assert stored(world, one["site_id"]) == before
    assert asyncio.run(published(world, one["alert_id"])) == records


_SOME: dict[int, dict[str, Any]] = {}


def some_alert(world: World) -> dict[str, Any]:
    """One that stays open and is never taken over, of this world."""
    if id(world) not in _SOME:
        (site,) = new_sites(world)
        _SOME[id(world)] = opened(world, site, "capacity-70")
    return _SOME[id(world)]


def test_an_id_that_nobody_has_and_a_site_that_is_none_are_named(world: World) -> None:
    assert alerts(world, "ack", "zzzz", "--who", "desk", "--until", "+1h").stderr.startswith(
        "zzzz: no alert has this id; musee alerts list shows them"
    )
    for verb in ("list", "tail"):
        told = alerts(world, verb, "--site", "nope")
        assert told.returncode == 2
        assert "'nope' is no site that is known" in told.stderr


def test_a_beginning_that_several_alerts_share_lists_them_and_changes_nothing(world: World) -> None:
    sites = new_sites(world, 5)
    for site in sites:
        now_is(world, site, 0, 150)
    wait_for(lambda: all(len(listed(world, site, "--all")) == 4 for site in sites), what="four levels each")
    ids = [one["alert_id"] for site in sites for one in listed(world, site, "--all")]  # 20 of 16 first digits
    digit = Counter(name[0] for name in ids).most_common(1)[0][0]
    before = [stored(world, site) for site in sites]

    told = alerts(world, "ack", digit, "--who", "desk", "--until", "+1h")

    assert told.returncode == 2
    assert "alerts begin so, say more of it" in told.stderr
    assert all(name in told.stderr for name in ids if name.startswith(digit))
    assert [stored(world, site) for site in sites] == before


# -- races -----------------------------------------------------------------------------------------------------------


def sound(records: list[Alert], stands: Alert) -> bool:
    """Whether of several who spoke at once each was heard, and the store holds what was said last."""
    versions = [one.version for one in records]
    return len(set(versions)) == len(versions) and max(records, key=lambda one: one.version) == stands


async def _stands(world: World, alert: Alert) -> Alert:
    store = AlertStore(world.settings.redis_url)
    try:
        stands = (await store.read(Place(alert.rule, alert.scope))).alert
    finally:
        await store.close()
    assert stands is not None
    return stands


async def _found(world: World, alert_id: str) -> Alert:
    told, _ = await verbs._told(world.settings)
    return next(one for one in told if one.alert_id == alert_id)


def test_of_eight_who_take_an_alert_over_at_once_each_is_heard_and_the_last_one_holds(world: World) -> None:
    (site,) = new_sites(world)
    one = opened(world, site, "capacity-70")

    async def together() -> tuple[list[Alert], list[Alert], Alert]:
        said = await asyncio.gather(
            *(verbs._take_over(world.settings, one["alert_id"], f"desk {n}", "+2h") for n in range(8))
        )
        records = await published(world, one["alert_id"])
        return [alert for _, alert in said], records, await _stands(world, said[0][1])

    said, records, stands = asyncio.run(together())

    assert {alert.acknowledged_by for alert in said} == {f"desk {n}" for n in range(8)}
    assert {one.acknowledged_by for one in records} >= {alert.acknowledged_by for alert in said}
    assert sound(records, stands)


def test_the_control_who_does_not_look_again_before_saving_says_one_number_twice(world: World) -> None:
    (site,) = new_sites(world)
    one = opened(world, site, "capacity-70")

    async def carelessly() -> tuple[list[Alert], Alert]:
        alert = await _found(world, one["alert_id"])
        now_ms = time.time_ns() // 1_000_000
        both = [acknowledge(alert, f"desk {n}", now_ms + 60_000, now_ms) for n in range(2)]
        producer = Producer(world.settings.kafka_servers, "tests", answer_s=30)
        try:
            for said in both:
                await producer.write(ALERT.topic, [alert_topic.record(said, now_ms)])
        finally:
            await producer.stop()
        return await published(world, one["alert_id"]), both[-1]

    assert not sound(*asyncio.run(carelessly()))


def test_an_alert_that_is_resolved_while_many_take_it_over_stays_resolved(world: World) -> None:
    (site,) = new_sites(world)
    one = opened(world, site, "capacity-70")
    outcomes: list[str] = []

    async def keep_taking() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                await verbs._take_over(world.settings, one["alert_id"], "desk", "+2h")
                outcomes.append("taken")
            except ConfigError as refused:
                outcomes.append(str(refused))
                return

    leaving = threading.Timer(1.0, now_is, (world, site, 10, 200, "OUT"))
    leaving.start()
    asyncio.run(keep_taking())
    leaving.join()

    async def afterwards() -> tuple[list[Alert], Alert]:
        return await published(world, one["alert_id"]), await _found(world, one["alert_id"])

    records, stands = asyncio.run(afterwards())
    assert "was resolved" in outcomes[-1]
    assert "taken" in outcomes
    assert stands.state == "RESOLVED"
    assert sound(records, stands)


# -- tail ------------------------------------------------------------------------------------------------------------


def test_changes_are_followed_once_each_and_ctrl_c_ends_it_well(world: World) -> None:
    (site,) = new_sites(world)
    command = [sys.executable, "-m", "streams", "alerts", "tail", "--site", site, "--json"]
    following = subprocess.Popen(
        command,
        env=environment(world.settings) | {"PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert following.stderr is not None
        assert following.stdout is not None
        assert following.stderr.readline() == "listening; Ctrl-C ends it\n"
        one = opened(world, site, "capacity-70")
        alerts(world, "ack", one["alert_id"], "--who", "desk", "--until", "+2h")
        alert = asyncio.run(_found(world, one["alert_id"]))
        again = replace(alert, version=alert.version + 1)  # as after a crash: the same under a greater version
        other = replace(alert, version=alert.version + 2, acknowledged_by="night desk")  # the control: not the same
        world.write(ALERT.topic, [alert_topic.record(said, alert.changed_ms) for said in (alert, again, again, other)])
        told = [json.loads(following.stdout.readline()) for _ in range(3)]
    finally:
        following.send_signal(signal.SIGINT)
        rest, _ = following.communicate(timeout=60)

    assert [(line["state"], line["acknowledged_by"]) for line in told] == [
        ("OPEN", None),
        ("ACKNOWLEDGED", "desk"),
        ("ACKNOWLEDGED", "night desk"),
    ]
    assert {line["alert_id"] for line in told} == {one["alert_id"]}
    assert rest == ""
    assert following.returncode == 0
