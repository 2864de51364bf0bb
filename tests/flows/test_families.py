"""Every family, end to end: door → Kafka → agents → Redis, and → sink → ClickHouse; and what may not be stored."""

import time
import uuid
from typing import Any

import pytest

from streams.adapters import avro, live_keys, registry
from streams.adapters.producer import Outgoing
from streams.core.days import hour_name
from streams.core.partitions import partition_of
from streams.topology import GUESTBOOK_ENTRY, LANDED, PARTITIONS, POSITION_UPDATE, SOCIAL_POST, TICKET_SCAN, WEB_TRAFFIC
from tests.beds import wait_for
from tests.programs import World, scan

SITE = "example"
PLACE = partition_of(SITE, PARTITIONS)


def event(family: str, time_said: str, **data: Any) -> dict[str, Any]:
    """An event of any family as a CloudEvent."""
    made = scan(SITE, type=f"musee.{family}.v1", time=time_said)
    return made | {"data": {"site_id": SITE, **data}}


def hour_cells(world: World, at_ms: int) -> dict[str, int]:
    found = world.redis().hgetall(live_keys.hours(PLACE, SITE, hour_name(at_ms)))
    return {str(metric): int(value) for metric, value in found.items()}


def test_each_family_is_counted_once_and_lands_once_though_sent_twice(world: World) -> None:
    at_ms = (time.time_ns() // 3_600_000_000_000) * 3_600_000 - 3_600_000  # the hour before this one
    said = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_ms / 1000 + 90))
    minute = "01"
    before = hour_cells(world, at_ms)
    events = [
        event("guestbook-entry", said, text="Superbe,\nmais froid", rating=4),
        event("guestbook-entry", said, text="😀 sans note"),
        event("social-post", said, network="mastodon", text="at the @example"),
        event("position-update", said, session_id="phone-1", zone_id="hall", x_m=1.5, y_m=2.5),
        event("position-update", said, session_id="phone-1", zone_id="hall"),
        event("position-update", said, session_id="phone-2", zone_id="hall"),
        event("visitor-action", said, action="LIKE", item_id="joconde"),
        event("web-traffic", said, page_views=12, assets=30, robots=3, errors=1),
        event("device-status", said, device_id="turnstile-4", status="WARNING", battery_share=0.5),
    ]

    answers = [world.post(events) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 202], answers[0].text
    world.wait_quiet()
    gained = {name: value - before.get(name, 0) for name, value in hour_cells(world, at_ms).items()}
    assert {name: value for name, value in gained.items() if value} == {
        "guestbook_entries": 2,
        "guestbook_ratings": 1,
        "guestbook_rating_sum": 4,
        "social_posts": 1,
        "actions": 1,
        "actions_like": 1,
        "web_page_views": 12,
        "web_assets": 30,
        "web_robots": 3,
        "web_errors": 1,
    }
    redis = world.redis()
    assert redis.hget(live_keys.presence(PLACE, SITE, hour_name(at_ms)), f"hall|{minute}") == "2"
    heard = redis.hget(live_keys.devices(PLACE, SITE), "turnstile-4|occurred_ms")
    assert heard == str(at_ms + 90_000)
    start = f"toDateTime('{hour_name(at_ms).replace('T', ' ')}:00:00', 'UTC')"
    where = f"WHERE site_id = '{SITE}' AND ts_utc = {start}"
    assert world.query(f"SELECT entries, ratings, rating_sum, mean_rating FROM musee.v_guestbook {where}") == [
        (2, 1, 4, 4.0)
    ]
    assert world.query(f"SELECT posts FROM musee.v_social {where}") == [(1,)]
    assert world.query(f"SELECT action, actions FROM musee.v_actions {where}") == [("LIKE", 1)]
    assert world.query(f"SELECT page_views, assets, robots, errors FROM musee.v_web {where}") == [(12, 30, 3, 1)]
    assert world.query(
        f"SELECT zone_id, sessions FROM musee.v_presence WHERE site_id = '{SITE}' AND ts_utc = {start} + 60"
    ) == [("hall", 2)]
    assert world.query("SELECT status, reports FROM musee.v_devices WHERE device_id = 'turnstile-4'") == [
        ("WARNING", 1)
    ]


def test_no_session_identifier_gets_past_the_door(world: World) -> None:
    said = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    sent = [event("position-update", said, session_id="SECRET-PHONE-77", zone_id="hall") for _ in range(2)]

    assert world.post(sent).status_code == 202

    world.wait_quiet()
    rows = world.query("SELECT DISTINCT session_pid FROM musee.v_positions")
    assert all(len(pid) == 32 for (pid,) in rows)
    logs = "".join(part.log.read_text().lower() for part in world.programs)
    assert "secret-phone" not in logs
    redis = world.redis()
    members = [m for key in redis.scan_iter("u:*") for m in redis.sscan_iter(key)]
    assert members
    assert not any("SECRET" in str(member).upper() for member in members)


def test_two_versions_of_a_scan_are_counted_and_landed_together(world: World) -> None:
    site, now_ms = "evolution-" + uuid.uuid4().hex[:6], time.time_ns() // 1_000_000
    older, newer = registry.by_name("ticket-scan.v1"), registry.by_name("ticket-scan.v2")
    common = registry_record(site, now_ms)

    world.write(
        TICKET_SCAN.topic,
        [
            Outgoing(
                site,
                avro.encode(newer, common | {"event_id": str(uuid.uuid4()), "slot_at": now_ms})
                if number % 3 == 0
                else avro.encode(older, common | {"event_id": str(uuid.uuid4())}),
            )
            for number in range(300)
        ],
    )

    world.wait_quiet()
    assert world.query(f"SELECT count(), count(slot_at) FROM musee.v_scans WHERE site_id = '{site}'") == [(300, 100)]
    partition = partition_of(site, PARTITIONS)
    (day,) = world.redis().keys(f"d:{{{partition}}}:{site}:*")
    assert world.redis().hget(day, "entries") == "300"


def registry_record(site: str, now_ms: int) -> dict[str, Any]:
    """A scan of the first version without its id."""
    return {
        "org_id": "tests",
        "site_id": site,
        "zone_id": None,
        "gate_id": "north",
        "device_id": None,
        "seq": None,
        "occurred_at": now_ms,
        "sent_at": None,
        "received_at": now_ms,
        "clock_trust": "UNKNOWN",
        "ingest_mode": "LIVE",
        "corrects": None,
        "producer": "tests",
        "test": False,
        "direction": "IN",
        "outcome": "ACCEPTED",
        "reason": None,
        "party_size": 1,
        "tariff": None,
        "ticket_pid": None,
        "offline": None,
        "forced": None,
    }


@pytest.mark.parametrize(
    ("family", "data", "code"),
    [
        (GUESTBOOK_ENTRY, {"text": "é" * 2_001}, "out-of-range"),
        (GUESTBOOK_ENTRY, {"text": "x", "rating": 6}, "out-of-range"),
        (GUESTBOOK_ENTRY, {"text": "x", "rating": 0}, "out-of-range"),
        (SOCIAL_POST, {"network": "x", "text": "é" * 2_001}, "out-of-range"),
        (POSITION_UPDATE, {"session_id": "a"}, "missing-field"),
        (POSITION_UPDATE, {"zone_id": "hall"}, "missing-field"),
        (WEB_TRAFFIC, {"page_views": -1}, "out-of-range"),
        (WEB_TRAFFIC, {"page_views": 1, "visitor_id": "x"}, "unknown-field"),
    ],
)
def test_what_can_never_be_counted_is_refused_at_the_door(world: World, family: Any, data: Any, code: str) -> None:
    said = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

    answer = world.post([event(family.name, said, **data)])

    assert answer.status_code in range(400, 500)
    assert answer.json()["errors"][0]["code"] == code


def test_what_slips_past_the_door_is_dead_lettered_with_its_fault(world: World) -> None:
    site, now_ms = "slipped-" + uuid.uuid4().hex[:6], time.time_ns() // 1_000_000
    schema = registry.by_name(GUESTBOOK_ENTRY.schema)
    common = {name: value for name, value in registry_record(site, now_ms).items() if name in schema.fields}

    def entry(text: str, rating: int | None) -> Outgoing:
        more = {"event_id": str(uuid.uuid4()), "text": text, "rating": rating, "language": None, "device_at": None}
        return Outgoing(site, avro.encode(schema, common | more))

    world.write(GUESTBOOK_ENTRY.topic, [entry("ok", 5), entry("x" * 2_001, None), entry("ok", 9), entry("ok", None)])

    world.wait_quiet()
    dead = f"SELECT detail FROM musee.v_dead_letters WHERE key = '{site}' AND reason = 'invalid' ORDER BY detail"
    wait_for(lambda: len(world.query(dead)) == 2, what="two dead letters")
    assert [detail for (detail,) in world.query(dead)] == [
        "rating is not from 1 to 5",
        "text has 2001 characters, 1 to 2000 are allowed",
    ]
    assert world.query(f"SELECT count() FROM musee.v_guestbook_entries WHERE site_id = '{site}'") == [(2,)]
    cells = world.redis().hgetall(live_keys.hours(partition_of(site, PARTITIONS), site, hour_name(now_ms)))
    assert cells["guestbook_entries"] == "2"


def test_web_traffic_has_no_field_for_a_visitor_and_no_family_one_for_a_label() -> None:
    labels = {"emotion", "polarity", "sentiment", "label", "anomaly", "flag", "category"}
    personal = {"visitor", "session", "user", "client", "address", "ip", "cookie", "ticket", "person", "email"}

    for family in LANDED:
        names = set(registry.by_name(family.schema).fields)
        assert not {name for name in names if set(name.split("_")) & labels}, family.name
    assert not {n for n in registry.by_name(WEB_TRAFFIC.schema).fields if set(n.split("_")) & personal}
    control = registry.by_name(POSITION_UPDATE.schema).fields
    assert {n for n in control if set(n.split("_")) & personal} == {"session_pid"}


def test_every_column_that_an_analyst_sees_says_what_it_is(world: World) -> None:
    silent = world.query(
        "SELECT table, name FROM system.columns WHERE database = 'musee' AND comment = '' AND table != 'migration'"
    )

    assert silent == []
