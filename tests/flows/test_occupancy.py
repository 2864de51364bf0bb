"""People inside, on the whole stack: corrections in any order, recounts and late scans, resets after closing."""

import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from streams.adapters import avro, registry
from streams.adapters.producer import Outgoing
from streams.core.partitions import partition_of
from streams.core.sites import Gate, Site, Zone
from streams.topology import OCCUPANCY_CORRECTION, PARTITIONS
from tests.beds import wait_for
from tests.programs import World, scan

MORNING = datetime(2026, 7, 2, 9, 0, tzinfo=UTC)  # 11:00 in Paris
Events = list[dict[str, Any]]


def new_site(world: World, **more: Any) -> str:
    """A site of its own for a test; it runs on its events' clock."""
    name = f"crowd-{uuid.uuid4().hex[:12]}"
    site = Site(
        name,
        "tests",
        "A crowd",
        "Europe/Paris",
        replay=True,
        capacity=100,
        zones=(Zone("hall", "Hall", 60), Zone("attic", "Attic")),
        gates=(Gate("north", "North", "hall"), Gate("roof", "Roof", "attic")),
        **more,
    )
    world.publish([site])
    wait_for(lambda: name in known(world), what="the site at the console")
    return name


def known(world: World) -> set[str]:
    answer = world.http.get(f"{world.console.address}/v1/now").json()
    return {site["site_id"] for site in answer["sites"]}


def at(minutes: float) -> str:
    """So many minutes after eleven o'clock."""
    return (MORNING + timedelta(minutes=minutes)).isoformat(timespec="milliseconds")


def passed(site: str, minutes: float, people: int, direction: str = "IN", gate: str = "north", **more: Any) -> Any:
    return scan(site, gate, direction, time=at(minutes), party_size=people, **more)


def said(site: str, minutes: float, kind: str, value: int, **more: Any) -> Any:
    event = scan(site, type="musee.occupancy-correction.v1", time=at(minutes))
    data = {"site_id": site, "kind": kind, "value": value, "who": "duty manager", "why": "counted by hand"}
    return event | {"data": data | more}


def send(world: World, *batches: Iterable[Any]) -> None:
    """POST batches one after the other, each counted before the next."""
    for batch in batches:
        answer = world.post(list(batch))
        assert answer.status_code == 202, answer.text
        world.wait_quiet()


def shown(world: World, site: str, claim: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
    wait_for(lambda: claim(world.now(site)), what=f"{what}; the page says {world.now(site)}")
    return world.now(site)


def corrections(world: World, site: str) -> dict[str, str]:
    """What the live store holds of a site."""
    return dict(world.redis().hgetall(f"o:{{{partition_of(site, PARTITIONS)}}}:{site}"))  # type: ignore[arg-type]


# -- corrections -----------------------------------------------------------------------------------------------------


def test_corrections_in_any_order_give_one_level(world: World) -> None:
    first, second = new_site(world), new_site(world)

    def events(site: str) -> Events:
        return [
            passed(site, 0, 40),
            said(site, 10, "ADJUST", 500),
            said(site, 20, "RECOUNT", 33),
            passed(site, 20.5, 7),  # in the minute of the recount: it holds from its end
            said(site, 25, "ADJUST", -3),
            passed(site, 30, 12, "OUT"),
            passed(site, 31, 5, gate="roof"),
        ]

    send(world, events(first))
    send(world, *[[event] for event in reversed(events(second))])

    for site in (first, second):
        now = shown(world, site, lambda now: now["inside"] == 33 - 3 - 12 + 5, "23 people")
        assert (now["inside_raw"], now["drift"]) == (40 + 7 - 12 + 5, 0)
        assert now["inside_low"] <= now["inside"] <= now["inside_high"]


def test_late_scans_of_before_a_recount_change_the_raw_level_only(world: World) -> None:
    site = new_site(world)
    send(world, [passed(site, 0, 30), passed(site, 60, 1)], [said(site, 30, "RECOUNT", 28)])
    shown(world, site, lambda now: now["inside"] == 29, "the recount and one more")

    send(world, [passed(site, 10, 4), passed(site, 45, 2)])

    now = shown(world, site, lambda now: now["inside"] == 31, "the one that came after the recount")
    assert now["inside_raw"] == 37
    line = world.http.get(f"{world.console.address}/v1/day", params={"site": site}).json()["bins"]
    assert {one["inside"] for one in line[-1:]} == {31}


def test_a_correction_of_a_zone_changes_the_zone_alone(world: World) -> None:
    site = new_site(world)

    send(world, [passed(site, 0, 30), passed(site, 1, 8, gate="roof"), said(site, 5, "RECOUNT", 3, zone_id="attic")])

    now = shown(world, site, lambda now: {one["zone_id"]: one["inside"] for one in now["levels"]} == ZONES, "the zones")
    assert now["inside"] == 38


ZONES = {"hall": 30, "attic": 3}


@pytest.mark.parametrize(
    ("outcome", "direction", "inside"),
    [("DENIED", "IN", 10), ("ANNULLED", "IN", 7), ("REVERTED", "OUT", 13), ("AUTO_EXIT", "OUT", 7)],
)
def test_each_outcome_does_what_it_says(world: World, outcome: str, direction: str, inside: int) -> None:
    site = new_site(world)

    send(world, [passed(site, 0, 10), passed(site, 5, 3, direction, outcome=outcome)])

    shown(world, site, lambda now: now["inside"] == inside and now["occurred_ms"] is not None, str(inside))


@pytest.mark.parametrize(
    ("more", "code", "path"),
    [
        ({"zone_id": "cellar"}, "unknown-zone", "/data/zone_id"),
        ({"value": -4}, "out-of-range", "/data/value"),
        ({"kind": "RESET", "value": -1}, "out-of-range", "/data/value"),
        ({"value": 1_000_001}, "out-of-range", "/data/value"),
        ({"kind": "GUESS"}, "out-of-range", "/data/kind"),
        ({"why": ""}, "out-of-range", "/data/why"),
    ],
)
def test_a_wrong_correction_is_refused_by_name_and_changes_nothing(
    world: World, more: dict[str, Any], code: str, path: str
) -> None:
    site = "example"
    before = world.now(site)["inside"], corrections(world, site)

    wrong = said(site, 0, "RECOUNT", 5)
    wrong["data"] |= more

    answer = world.post([scan(site), wrong])

    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert (fault["index"], fault["code"]) == (1, code)
    assert fault["path"] == path
    assert (world.now(site)["inside"], corrections(world, site)) == before


def written(site: str, **more: Any) -> Outgoing:
    """A correction as a producer with access to Kafka writes it."""
    now_ms = round(MORNING.timestamp() * 1000)
    record: dict[str, Any] = {
        "event_id": str(uuid.uuid4()),
        "org_id": "tests",
        "site_id": site,
        "occurred_at": now_ms,
        "received_at": now_ms,
        "clock_trust": "SYNCED",
        "ingest_mode": "LIVE",
        "producer": "tests",
        "test": False,
        "kind": "RECOUNT",
        "value": 5,
        "who": "tests",
        "why": "to see",
    }
    schema = registry.by_name(OCCUPANCY_CORRECTION.schema)
    return Outgoing(site, avro.encode(schema, dict.fromkeys(schema.fields) | record | more))


def test_what_a_direct_producer_writes_out_of_bounds_is_a_dead_letter_and_a_negative_recount_says_nothing(
    world: World,
) -> None:
    site = new_site(world)
    send(world, [passed(site, -5, 9)])

    world.write(OCCUPANCY_CORRECTION.topic, [written(site, value=2_000_000), written(site, value=-5)])
    world.wait_quiet()

    asked = f"SELECT reason FROM musee.v_dead_letters WHERE topic = '{OCCUPANCY_CORRECTION.topic}' AND key = '{site}'"
    wait_for(lambda: world.query(asked) == [("invalid",)], what="the dead letter")
    assert world.now(site)["inside"] == 9
    assert corrections(world, site) == {}


# -- resets ----------------------------------------------------------------------------------------------------------


def turn(world: World, site: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """One turn of the loop over one site, in a process of its own."""
    told = {"redis": world.settings.redis_url, "kafka": world.settings.kafka_servers, "site_id": site}
    command = [
        sys.executable,
        "-m",
        "tests.flows.resets_worker",
        json.dumps(told | {"time_zone": "Europe/Paris"} | more),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def count_of(done: subprocess.CompletedProcess[str]) -> int:
    """How many resets a turn wrote."""
    assert done.returncode == 0, done.stderr
    return int(done.stdout.splitlines()[-1])


def until_seven(site: str) -> Events:
    """A day that ends with three people too many, and a refused scan after 19:01 that lets the watermark pass it."""
    return [
        passed(site, 0, 10),
        passed(site, 200, 7, "OUT"),
        passed(site, 8 * 60 + 4, 1, outcome="DENIED"),
    ]


def test_a_reset_after_closing_is_published_once_though_the_loop_is_killed(world: World) -> None:
    site = new_site(world)
    send(world, until_seven(site))
    shown(world, site, lambda now: now["inside"] == 3, "three people")
    wait_for(lambda: world.now(site)["state"] != "stale", what="a counted partition")

    world.agents.stop()  # so that the reset is not counted before the second loop looks
    try:
        killed, again = turn(world, site, die="yes"), turn(world, site)
    finally:
        world.agents.cont()
    world.wait_quiet()

    assert killed.returncode == 9, killed.stderr
    assert count_of(again) == 1
    now = shown(world, site, lambda now: now["inside"] == 0, "an empty house")
    assert (now["drift"], now["inside_raw"], now["inside_high"]) == (0, 3, 0)
    asked = f"FROM musee.{{}} WHERE site_id = '{site}'"
    assert world.query(f"SELECT count() {asked.format('occupancy_correction')}") == [(2,)]  # it was written twice
    told = f"SELECT kind, value, drift, who, toString(local_date) {asked.format('v_occupancy_corrections')}"
    assert world.query(told) == [("RESET", 0, 3, "calendar", "2026-07-02")]
    assert list(corrections(world, site).values()) == ["RESET|0"]


def test_a_reset_that_was_counted_is_not_written_again(world: World) -> None:
    site = new_site(world)
    send(world, until_seven(site))
    wait_for(lambda: world.now(site)["state"] != "stale", what="a counted partition")

    first = turn(world, site)
    world.wait_quiet()
    second = turn(world, site)

    assert (count_of(first), count_of(second)) == (1, 0)


def test_resets_under_other_ids_would_be_seen_as_two(world: World) -> None:
    site = new_site(world)

    world.write(
        OCCUPANCY_CORRECTION.topic, [written(site, kind="RESET", value=0), written(site, kind="RESET", value=0)]
    )
    world.wait_quiet()

    assert world.query(f"SELECT count() FROM musee.v_occupancy_corrections WHERE site_id = '{site}'") == [(2,)]
    assert len(corrections(world, site)) == 2
