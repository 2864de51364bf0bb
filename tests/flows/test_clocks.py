"""Clocks of devices, end to end: each is routed as its skew says, nothing is counted in the future, nothing is lost."""

import asyncio
import json
import time
import uuid
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from streams.adapters import avro, frames, registry, retries
from streams.adapters.producer import Outgoing
from streams.adapters.warehouse import Warehouse
from streams.core import attendance
from streams.core.days import HOUR_MS, MINUTE_MS
from streams.core.partitions import partition_of
from streams.sink.presence import restate
from streams.topology import PARTITIONS, TICKET_SCAN
from tests.beds import wait_for
from tests.flows import truth
from tests.programs import World, scan
from tests.verbs import Told, musee

DAY_MS = 24 * HOUR_MS
YEAR_MS = 365 * DAY_MS
NEWEST = registry.by_name(TICKET_SCAN.schema)


def now() -> int:
    return time.time_ns() // 1_000_000


def said(at_ms: int) -> str:
    """As a device writes it."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


def minute(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M")


@pytest.fixture
def site(world: World) -> str:
    """A live museum that nobody else uses."""
    prefix = "clocks" + uuid.uuid4().hex[:8]
    world.publish(truth.sites(prefix, 1))
    name = f"{prefix}-0"
    # the gateway and the agents know it when a trial is taken
    wait_for(lambda: world.post([scan(name, test=True)]).status_code == 202, what="the site being known")
    return name


def rows(world: World, site: str) -> dict[str, tuple[int, int | None, str]]:
    """Gate → (occurred_at, device_at, clock_trust) as the topic holds them."""
    found = world.query(
        "SELECT gate_id, toUnixTimestamp64Milli(occurred_at), toUnixTimestamp64Milli(device_at), clock_trust "
        f"FROM musee.ticket_scan WHERE site_id = '{site}' AND NOT test"
    )
    return {str(gate): (occurred, device, trust) for gate, occurred, device, trust in found}


def letters(world: World, site: str) -> list[retries.Letter]:
    """Dead letters of a site."""
    found = asyncio.run(retries.read(world.settings.kafka_servers))
    return [letter for letter in found if letter.key == site.encode()]


def dlq(world: World, *arguments: str) -> Told:
    return musee(world.settings, "dlq", "retry", *arguments, "--json")


# -- each device as the table says -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Device:
    """A device whose clock is off, one scan, and what becomes of it.

    Attributes:
        off_ms: its clock minus the true time.
        ago_ms: how long before it was sent the scan happened, true time.
        sends: it says when it sent.
        answer: status at the door.
        shifted: its time is corrected.
    """

    name: str
    off_ms: int
    trust: str
    ago_ms: int = 0
    sends: bool = True
    answer: int = 202
    shifted: bool = False

    @property
    def counts(self) -> bool:
        return self.answer == 202 and self.trust != "UNSYNCED"


DEVICES = [
    Device("right", 0, "SYNCED"),
    Device("plus-90-s", 90_000, "SYNCED", shifted=True),
    Device("minus-3-h", -3 * HOUR_MS, "DRIFTING", shifted=True),
    Device("minus-3-h-offline-for-30", -3 * HOUR_MS, "DRIFTING", ago_ms=30 * HOUR_MS, shifted=True),
    Device("right-offline-for-30", 0, "SYNCED", ago_ms=30 * HOUR_MS),
    Device("plus-3-years", 3 * YEAR_MS, "UNSYNCED"),
    Device("minus-10-years", -10 * YEAR_MS, "UNSYNCED"),
    Device("silent-right", 0, "UNKNOWN", sends=False),
    Device("silent-minus-3-h", -3 * HOUR_MS, "UNKNOWN", sends=False),
    Device("silent-minus-10-years", -10 * YEAR_MS, "UNSYNCED", sends=False),
    Device("silent-plus-3-years", 3 * YEAR_MS, "UNKNOWN", sends=False, answer=422),
]


def send(world: World, site: str, device: Device, **more: Any) -> tuple[int, int, str]:
    """One upload: the door's answer, what the device said, the code of a refusal."""
    sent_ms = now() + device.off_ms
    at_ms = sent_ms - device.ago_ms
    data = {"device_id": device.name, "ticket_id": "T-1"} | ({"sent_at": said(sent_ms)} if device.sends else {})
    answer = world.post([scan(site, device.name, time=said(at_ms), **data, **more)])
    code = "" if answer.status_code == 202 else answer.json()["errors"][0]["code"]
    return answer.status_code, at_ms, code


def in_the_future(world: World, site: str) -> list[str]:
    """Whatever in Redis or in a view lies ahead of now, of a site."""
    found = []
    redis = world.redis()
    for key in map(str, redis.scan_iter(match=f"*{site}*", count=1000)):
        when = key.split(":")[3 if key.startswith("q:") else -1]
        if when[:4].isdigit() and when > minute(now() + HOUR_MS)[: len(when)]:
            found.append(key)
    level = redis.hgetall(f"l:{{{partition_of(site, PARTITIONS)}}}:{site}")
    found += [f"l {name!r}" for name, value in level.items() if int(value) > now() + 5 * MINUTE_MS]
    redis.close()
    columns = world.query(
        "SELECT table, name FROM system.columns WHERE database = 'musee' AND startsWith(table, 'v_') "
        "AND type LIKE '%Date%' AND name != 'device_at' AND table IN "
        "(SELECT table FROM system.columns WHERE database = 'musee' AND name = 'site_id')"
    )
    assert len(columns) > 20
    for view, column in columns:
        ahead = f"{column} > now() + INTERVAL 1 DAY"
        if view == "v_records":  # what came in as it came, for the figures of quality: quarantined records say so there
            ahead += " AND clock_trust != 'UNSYNCED'"
        ((count,),) = world.query(f"SELECT count() FROM musee.{view} WHERE site_id = '{site}' AND {ahead}")
        found += [f"{view}.{column}"] * bool(count)
    return found


def test_each_device_is_routed_by_its_skew_and_nothing_is_counted_in_the_future(world: World, site: str) -> None:
    begun_ms = now()

    answers = {device: send(world, site, device) for device in DEVICES}

    world.wait_quiet()
    assert {d.name: status for d, (status, _, _) in answers.items()} == {d.name: d.answer for d in DEVICES}
    assert {code for _, _, code in answers.values()} == {"", "future"}
    topic = rows(world, site)
    assert topic.keys() == {device.name for device in DEVICES if device.answer == 202}
    for device, (_, at_ms, _) in answers.items():
        if device.answer != 202:
            continue
        occurred_ms, device_ms, trust = topic[device.name]
        assert (trust, device_ms) == (device.trust, at_ms if device.shifted else None), device.name
        if device.shifted:
            assert 0 <= occurred_ms - (at_ms - device.off_ms) < 5_000, device.name
        else:
            assert occurred_ms == at_ms, device.name
    counted = {(site, device.name, minute(topic[device.name][0]), "entries"): 1 for device in DEVICES if device.counts}
    assert truth.live_cells(world, site.removesuffix("-0")) == counted
    assert truth.landed_cells(world, site.removesuffix("-0")) == counted
    dead = letters(world, site)
    assert sorted(letter.reason for letter in dead) == ["clock"] * 3
    assert in_the_future(world, site) == []
    heard = world.redis().hgetall(f"l:{{{partition_of(site, PARTITIONS)}}}:{site}")
    assert begun_ms <= int(str(heard["occurred_ms"])) <= now() + 5_000

    # The controls: without its verdict the scan of the future opens a cell there, and its row is where nobody counts.
    whole = frames.read([letter.value for letter in dead], TICKET_SCAN.name, attendance.COLUMNS).frame
    years = {key.split(":")[-1][:4] for _, key, _ in attendance.tally(whole, {}).adds if key.startswith("c:")}
    assert str((datetime.now(UTC) + timedelta(days=3 * 365)).year) in years
    assert world.query(
        f"SELECT count() FROM musee.ticket_scan WHERE site_id = '{site}' AND occurred_at > now() + 9"
    ) == [(1,)]


FAMILIES: dict[str, dict[str, Any]] = {
    "guestbook-entry": {"text": "Superbe", "rating": 4},
    "social-post": {"network": "mastodon", "text": "beau"},
    "position-update": {"session_id": "phone-1", "zone_id": "hall"},
    "visitor-action": {"action": "LIKE"},
    "web-traffic": {"page_views": 12},
    "device-status": {"status": "OK"},
}


def test_no_family_counts_in_the_future_and_each_keeps_what_the_device_said(world: World, site: str) -> None:
    for number, (family, data) in enumerate(FAMILIES.items()):
        for off_ms in (3 * YEAR_MS, -10 * YEAR_MS, -3 * HOUR_MS):
            sent_ms = now() + off_ms
            more = {"device_id": f"{number} {off_ms}", "sent_at": said(sent_ms)}
            event = scan(site, type=f"musee.{family}.v1", time=said(sent_ms))
            answer = world.post([event | {"data": {"site_id": site, **more, **data}}])
            assert answer.status_code == 202, answer.text

    world.wait_quiet()
    asyncio.run(_restate_presence(world))
    assert in_the_future(world, site) == []
    assert Counter((letter.topic, letter.reason) for letter in letters(world, site)) == {
        (f"musee.{family}.v1", "clock"): 2 for family in FAMILIES
    }
    for family in FAMILIES:
        table = family.replace("-", "_")
        found = world.query(
            "SELECT clock_trust, toUnixTimestamp64Milli(occurred_at) - toUnixTimestamp64Milli(device_at) "
            f"FROM musee.{table} WHERE site_id = '{site}' ORDER BY clock_trust, occurred_at"
        )
        assert [(trust, kept is None or kept // HOUR_MS) for trust, kept in found] == [
            ("DRIFTING", 3),
            ("UNSYNCED", True),
            ("UNSYNCED", True),
        ], family
    ((presence,),) = world.query(f"SELECT sum(sessions) FROM musee.v_presence WHERE site_id = '{site}'")
    assert presence == 1


async def _restate_presence(world: World) -> None:
    """What the sink does once a minute."""
    warehouse = Warehouse(world.settings.clickhouse_url)
    try:
        await restate(warehouse, datetime.fromtimestamp(0, UTC))
    finally:
        await warehouse.close()


def test_a_trial_is_counted_nowhere_whatever_its_clock(world: World, site: str) -> None:
    for device in DEVICES:
        assert send(world, site, device, test=True)[0] == device.answer

    world.wait_quiet()
    assert truth.live_cells(world, site.removesuffix("-0")) == {}
    assert truth.landed_cells(world, site.removesuffix("-0")) == {}
    ((stored,),) = world.query(f"SELECT count() FROM musee.ticket_scan WHERE site_id = '{site}' AND test")
    assert stored == sum(device.answer == 202 for device in DEVICES) + 1  # and the one that the fixture sent


def test_a_clock_that_was_set_right_is_not_corrected_any_more(world: World, site: str) -> None:
    late, right = DEVICES[2], replace(DEVICES[2], off_ms=0)
    for _ in range(3):
        assert send(world, site, late)[0] == 202

    status, at_ms, _ = send(world, site, right)

    assert status == 202
    world.wait_quiet()
    found = world.query(
        "SELECT toUnixTimestamp64Milli(occurred_at), clock_trust FROM musee.v_scans "
        f"WHERE site_id = '{site}' AND device_at IS NULL AND NOT test"
    )
    assert found == [(at_ms, "SYNCED")]


def test_a_replayed_sites_times_are_what_they_say(world: World, site: str) -> None:
    (described,) = truth.sites(site.removesuffix("-0"), 1)
    old = replace(described, site_id=f"{site}-old", replay=True)
    world.publish([old])
    wait_for(lambda: world.post([scan(old.site_id, test=True)]).status_code == 202, what="the site being known")
    for device in (DEVICES[2], DEVICES[5], DEVICES[6]):
        assert send(world, old.site_id, device)[0] == 202

    world.wait_quiet()

    assert [device_ms for _, device_ms, _ in rows(world, old.site_id).values()] == [None] * 3
    ((counted,),) = world.query(f"SELECT sum(entries) FROM musee.v_attendance_minute WHERE site_id = '{old.site_id}'")
    assert counted == 3
    assert sum(truth.live_cells(world, site.removesuffix("-0")).values()) == 3


# -- what comes past the door ----------------------------------------------------------------------------------------


def record(site: str, at_ms: int, received_ms: int, **more: Any) -> Outgoing:
    """A scan of the newest schema, written by somebody with access to Kafka."""
    fields = {"slot_at": None, "device_at": None} | truth.record(site, "gate-1", at_ms, received_at=received_ms)
    return Outgoing(site, avro.encode(NEWEST, fields | more))


def test_a_verdict_takes_one_record_and_its_neighbours_count(world: World, site: str) -> None:
    at_ms = now()
    late = world.metric(world.agents, "musee_agents_late_events_total", family="ticket-scan")

    world.write(
        TICKET_SCAN.topic,
        [
            record(site, at_ms, at_ms),
            record(site, at_ms + 5 * MINUTE_MS + 1, at_ms),
            record(site, at_ms, at_ms, clock_trust="UNSYNCED"),
            record(site, at_ms - 73 * HOUR_MS, at_ms),
            record(site, at_ms - 71 * HOUR_MS, at_ms),
            record(site, at_ms + 5 * MINUTE_MS, at_ms),
        ],
    )

    world.wait_quiet()
    live = {(site, "gate-1", minute(t), "entries") for t in (at_ms, at_ms + 5 * MINUTE_MS, at_ms - 71 * HOUR_MS)}
    assert truth.live_cells(world, site.removesuffix("-0")) == dict.fromkeys(live, 1)
    history = live | {(site, "gate-1", minute(at_ms - 73 * HOUR_MS), "entries")}
    assert truth.landed_cells(world, site.removesuffix("-0")) == dict.fromkeys(history, 1)
    assert sorted(letter.reason for letter in letters(world, site)) == ["clock", "future"]
    assert world.metric(world.agents, "musee_agents_late_events_total", family="ticket-scan") == late + 1


@pytest.mark.parametrize(("kept", "counted"), [(True, 1), (False, 2)], ids=["device_at", "without it"])
def test_an_event_sent_twice_is_known_though_its_correction_fell_into_the_next_hour(
    world: World, site: str, kept: bool, counted: int
) -> None:
    hour_ms = now() // HOUR_MS * HOUR_MS
    more = {"event_id": str(uuid.uuid4()), "device_at": hour_ms - 3 * HOUR_MS if kept else None}

    for at_ms in (hour_ms - 10, hour_ms + 10):  # two fetches: one alone finds its repetitions itself
        world.write(TICKET_SCAN.topic, [record(site, at_ms, hour_ms + 20, **more)])
        world.wait_quiet()

    assert sum(truth.live_cells(world, site.removesuffix("-0")).values()) == counted
    assert sum(truth.landed_cells(world, site.removesuffix("-0")).values()) == 1


def test_a_number_that_jumps_or_goes_back_is_counted_and_its_event_kept(world: World, site: str) -> None:
    def gaps() -> tuple[float, float]:
        jumps, backs = (world.metric(world.agents, "musee_device_gap_total", kind=kind) for kind in ("jump", "back"))
        return jumps, backs

    before = gaps()

    for number in (1, 2, 5, 3):
        assert world.post([scan(site, device_id="turnstile", seq=number)]).status_code == 202
        world.wait_quiet()

    wait_for(lambda: gaps()[1] > before[1], what="the look once a second")
    assert gaps() == (before[0] + 1, before[1] + 1)
    assert sum(truth.live_cells(world, site.removesuffix("-0")).values()) == 4


# -- released --------------------------------------------------------------------------------------------------------


def test_what_was_quarantined_is_released_once_at_the_time_that_it_was(world: World, site: str) -> None:
    since = said(now())
    _, at_ms, _ = send(world, site, DEVICES[5])
    world.wait_quiet()
    assert truth.landed_cells(world, site.removesuffix("-0")) == {}

    first, second = (dlq(world, "--reason", "clock", "--shift", "auto", "--since", since) for _ in range(2))

    assert json.loads(first.stdout) == {"produced": 1, "before": 0, "impossible": {}}
    assert json.loads(second.stdout) == {"produced": 0, "before": 1, "impossible": {}}
    world.wait_quiet()
    ((occurred_ms, device_ms, trust),) = world.query(
        "SELECT toUnixTimestamp64Milli(occurred_at), toUnixTimestamp64Milli(device_at), clock_trust "
        f"FROM musee.v_scans WHERE site_id = '{site}' AND NOT test"
    )
    assert 0 <= occurred_ms - (at_ms - 3 * YEAR_MS) < 5_000
    assert (device_ms, trust) == (at_ms, "DRIFTING")
    counted = {(site, DEVICES[5].name, minute(occurred_ms), "entries"): 1}
    assert truth.live_cells(world, site.removesuffix("-0")) == counted
    assert truth.landed_cells(world, site.removesuffix("-0")) == counted
    assert world.query(
        f"SELECT uniqExact(event_id), count() FROM musee.ticket_scan WHERE site_id = '{site}' AND NOT test"
    ) == [(1, 2)]
    assert in_the_future(world, site) == []


def test_a_person_may_say_by_how_much(world: World, site: str) -> None:
    since = said(now())
    _, at_ms, _ = send(world, site, DEVICES[9])  # ten years behind, and it does not say when it sent
    world.wait_quiet()

    auto = dlq(world, "--reason", "clock", "--shift", "auto", "--since", since)
    too_far = dlq(world, "--reason", "clock", "--shift", "4000d", "--since", since)
    too_little = dlq(world, "--reason", "clock", "--shift", "+2h", "--since", since)
    right = dlq(world, "--reason", "clock", "--shift", str(10 * YEAR_MS), "--since", since)

    assert (auto.returncode, too_far.returncode, too_little.returncode, right.returncode) == (1, 1, 1, 0)
    assert "it does not say when it was sent" in auto.stderr
    assert "its shifted time is in the future" in too_far.stderr
    assert "its shifted time is before 2020" in too_little.stderr
    world.wait_quiet()
    assert truth.landed_cells(world, site.removesuffix("-0")) == {
        (site, DEVICES[9].name, minute(at_ms + 10 * YEAR_MS), "entries"): 1
    }


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--reason", "clock"), "--reason clock: its time is wrong, say by how much: --shift auto"),
        (("--reason", "partition", "--shift", "auto"), "--shift is for --reason clock and future, not for partition"),
        (("--reason", "clock", "--shift", "soon"), "--shift soon: auto is expected, or by how much"),
        (("--reason", "clock", "--shift", "2 h"), "--shift 2 h: auto is expected, or by how much"),
    ],
)
def test_a_wrong_shift_is_answered_with_a_sentence(world: World, arguments: tuple[str, ...], sentence: str) -> None:
    told = dlq(world, *arguments)

    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith(sentence)
