"""Scans that come in odd ways through the real door: offline for days, taken back before they come, by two gateways."""

import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from streams.adapters import readiness
from streams.core.days import HOUR_MS, MINUTE_MS
from streams.core.partitions import partition_of
from streams.core.sites import Gate, Site, Zone
from streams.core.windows import QUARTER_MS
from streams.topology import PARTITIONS
from tests.beds import Part, free_port, wait_for
from tests.flows import truth
from tests.programs import World, environment, program, scan

GATES = (Gate("north", "North", "hall"), Gate("south", "South", "hall"))


def now() -> int:
    return time.time_ns() // 1_000_000


def said(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


def minute(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M")


@pytest.fixture
def prefix(world: World) -> str:
    """Of a live museum that nobody else uses."""
    prefix = "edge" + uuid.uuid4().hex[:8]
    zones = (Zone("hall", "Hall"),)
    world.publish([Site(f"{prefix}-0", "tests", "Edges", "Europe/Paris", gates=GATES, zones=zones)])
    wait_for(lambda: world.post([scan(f"{prefix}-0", test=True)]).status_code == 202, what="the site being known")
    return prefix


def post(world: World, *events: dict[str, Any]) -> None:
    answer = world.post(list(events))
    assert answer.status_code == 202, answer.text
    world.wait_quiet()


def last_said(world: World, site: str) -> dict[int, tuple[int, int, str | None]]:
    """Start of a window → entries, exits and cause of what was said of the whole site last."""
    rows = world.query(
        "SELECT toUnixTimestamp(ts_utc) * 1000, entries, exits, cause FROM musee.v_attendance_window "
        f"WHERE site_id = '{site}' AND gate_id IS NULL"
    )
    return {int(at): (int(entries), int(exits), cause) for at, entries, exits, cause in rows}


def test_an_upload_after_6_and_71_hours_offline_counts_everywhere_and_one_after_73_in_history_alone(
    world: World, prefix: str
) -> None:
    site, sent_ms = f"{prefix}-0", now()
    late = world.metric(world.agents, "musee_agents_late_events_total", family="ticket-scan")
    ago = {hours: sent_ms - hours * HOUR_MS for hours in (6, 71, 73)}

    post(
        world,
        *(
            scan(
                site, "north", time=said(at_ms), device_id="handheld", sent_at=said(sent_ms),
                ingest_mode="OFFLINE", offline=True,
            )
            for at_ms in ago.values()
        ),
    )  # fmt: skip

    live = {(site, "north", minute(ago[hours]), "entries"): 1 for hours in (6, 71)}
    assert truth.live_cells(world, prefix) == live
    assert truth.landed_cells(world, prefix) == live | {(site, "north", minute(ago[73]), "entries"): 1}
    assert world.metric(world.agents, "musee_agents_late_events_total", family="ticket-scan") == late + 1
    wanted = {ago[hours] // QUARTER_MS * QUARTER_MS: (1, 0, None) for hours in (6, 71)}
    wait_for(lambda: last_said(world, site) == wanted, what=f"two finals and no third; {last_said(world, site)}")


@pytest.mark.parametrize("outcome", ["ANNULLED", "REVERTED"])
def test_a_scan_that_is_taken_back_before_it_comes_leaves_nobody(world: World, prefix: str, outcome: str) -> None:
    site, at_ms = f"{prefix}-0", now() - 2 * HOUR_MS
    name, start_ms = str(uuid.uuid4()), at_ms // QUARTER_MS * QUARTER_MS
    undone = {"outcome": outcome, "corrects": name}

    post(world, scan(site, "north", time=said(at_ms), party_size=4, **undone))
    wait_for(lambda: last_said(world, site) == {start_ms: (-4, 0, None)}, what="the final of what is taken back")
    assert world.now(site)["drift"] == (4 if now_is_the_day_of(world, site, at_ms) else 0)
    post(world, scan(site, "north", time=said(at_ms), party_size=4, id=name))

    wait_for(lambda: last_said(world, site)[start_ms][:2] == (0, 0), what="the revision")
    assert last_said(world, site)[start_ms][2] in ("LATE", "ANNULLED")
    shown = world.now(site)
    assert (shown["inside"], shown["drift"], shown["inside_raw"]) == (0, 0, 0)
    assert sum(truth.landed_cells(world, prefix).values()) == 0


def now_is_the_day_of(world: World, site: str, at_ms: int) -> bool:
    """Whether the page shows the business day that an instant lies in: soon after midnight it does not."""
    rows = world.query(f"SELECT toString(local_date) FROM musee.v_attendance_day WHERE site_id = '{site}'")
    return (world.now(site)["business_day"],) in rows


def test_who_is_let_out_by_the_closing_is_an_exit_and_a_reverted_party_stays(world: World, prefix: str) -> None:
    site, at_ms = f"{prefix}-0", now() - MINUTE_MS
    out = str(uuid.uuid4())

    post(
        world,
        scan(site, "north", time=said(at_ms), party_size=6),
        scan(site, "south", "OUT", time=said(at_ms), party_size=5, id=out),
        scan(site, "south", "OUT", time=said(at_ms), party_size=5, outcome="REVERTED", corrects=out),
        scan(site, "south", "OUT", time=said(at_ms), party_size=2, outcome="AUTO_EXIT", reason="closing"),
        scan(site, "north", "IN", time=said(at_ms), party_size=9, outcome="DENIED", reason="full"),
    )

    cells = truth.live_cells(world, prefix)
    assert cells == {
        (site, "north", minute(at_ms), "entries"): 6,
        (site, "south", minute(at_ms), "exits"): 2,
        (site, "north", minute(at_ms), "denied"): 1,
    }
    assert truth.landed_cells(world, prefix) == cells


@pytest.fixture
def second(world: World) -> Iterator[Part]:
    """One more gateway on the same stack."""
    settings = world.settings.model_copy(update={"gateway_port": free_port()})
    address = f"http://127.0.0.1:{settings.gateway_port}"
    log = world.settings.home / "logs" / "gateway-2.log"
    part = Part(
        "gateway-2", address, program("gateway"), readiness.http(f"{address}/ready"), log=log, env=environment(settings)
    )
    try:
        part.start()
        yield part
    finally:
        part.terminate()


def test_a_device_that_uploads_through_two_gateways_is_corrected_alike_and_counted_once(
    world: World, prefix: str, second: Part
) -> None:
    site, off_ms, real = f"{prefix}-0", -3 * HOUR_MS, world.gateway
    true_ms = now() - 10 * MINUTE_MS
    ids = [str(uuid.uuid4()) for _ in range(6)]
    wait_for(lambda: _through(world, second, scan(site, test=True)) == 202, what="the site at the second gateway")

    for number, name in enumerate(ids):
        for part in (real, second) if number % 2 else (second, real):  # each event through both
            event = scan(
                site, "north", id=name, time=said(true_ms + off_ms + number), device_id="turnstile",
                sent_at=said(now() + off_ms),
            )  # fmt: skip
            assert _through(world, part, event) == 202

    world.wait_quiet()
    live = truth.live_cells(world, prefix)
    assert sum(live.values()) == len(ids)
    assert truth.landed_cells(world, prefix) == live
    rows = world.query(
        "SELECT count(), uniqExact(event_id), min(toUnixTimestamp64Milli(occurred_at)), "
        f"max(toUnixTimestamp64Milli(occurred_at)), groupUniqArray(clock_trust) FROM musee.ticket_scan "
        f"WHERE site_id = '{site}' AND NOT test"
    )
    ((count, distinct, first, last, trusts),) = rows
    assert (count, distinct, trusts) == (2 * len(ids), len(ids), ["DRIFTING"])
    assert true_ms <= first <= last < true_ms + 5_000


def _through(world: World, part: Part, event: dict[str, Any]) -> int:
    headers = world.authorization | {"Content-Type": "application/cloudevents-batch+json"}
    return world.http.post(f"{part.address}/v1/events", json=[event], headers=headers).status_code


def test_trials_are_stored_and_counted_nowhere(world: World, prefix: str) -> None:
    site, at_ms = f"{prefix}-0", now() - 2 * HOUR_MS
    recount = {"kind": "RECOUNT", "value": 40, "who": "duty manager", "why": "a trial"}

    def events(**more: Any) -> list[dict[str, Any]]:
        correction = scan(site, type="musee.occupancy-correction.v1", time=said(at_ms + MINUTE_MS))
        return [
            scan(site, "north", time=said(at_ms), party_size=3, ticket_id="T-1", **more),
            correction | {"data": {"site_id": site, **recount, **more}},
        ]

    post(world, *events(test=True))

    assert truth.live_cells(world, prefix) == {}
    assert truth.landed_cells(world, prefix) == {}
    assert keys_of(world, site) == []
    assert world.query(f"SELECT count() FROM musee.ticket_scan WHERE site_id = '{site}'") == [(2,)]
    assert world.query(f"SELECT count() FROM musee.occupancy_correction WHERE site_id = '{site}'") == [(1,)]
    views = world.query(
        "SELECT DISTINCT table FROM system.columns WHERE database = 'musee' AND startsWith(table, 'v_') "
        "AND name = 'site_id' AND table NOT IN (SELECT table FROM system.columns WHERE name = 'test')"
    )
    assert len(views) > 8
    counts = {view: world.query(f"SELECT count() FROM musee.{view} WHERE site_id = '{site}'") for (view,) in views}
    assert {view for view, rows in counts.items() if rows != [(0,)]} <= DESCRIBING
    assert world.now(site)["inside"] == 0

    post(world, *events())  # the control

    assert {key[0] for key in keys_of(world, site)} >= {"c", "d", "l", "o"}
    wait_for(lambda: last_said(world, site) == {at_ms // QUARTER_MS * QUARTER_MS: (3, 0, None)}, what="the window")


DESCRIBING = {"v_sites", "v_site", "v_site_calendar"}  # views that say what a site is


def keys_of(world: World, site: str) -> list[str]:
    """Keys and marks of Redis that know of a site, save which events it has seen."""
    client = world.redis()
    found = [str(key) for key in client.scan_iter(match=f"*{site}*", count=1_000)]
    marked = f"t:{{{partition_of(site, PARTITIONS)}}}"
    found += [marked] * any(str(member).startswith(f"{site}|") for member in client.zrange(marked, 0, -1))
    client.close()
    return found
