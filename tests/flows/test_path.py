"""One scan, end to end: door → Kafka → agents → Redis → page, and → sink → ClickHouse."""

import pytest

from tests.beds import wait_for
from tests.programs import World, scan


def test_a_scan_at_the_door_reaches_the_page_and_history_once(world: World) -> None:
    before = world.now("example")
    event = scan("example", "north", party_size=3, ticket_id="T-4711")

    first, again = world.post([event]), world.post([event])

    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["event_ids"] == again.json()["event_ids"]
    wait_for(lambda: world.now("example")["entries"] == before["entries"] + 3, what="the page's figure")
    world.wait_quiet()
    now = world.now("example")
    assert (now["entries"], now["inside"]) == (before["entries"] + 3, before["inside"] + 3)
    event_id = first.json()["event_ids"][0]
    assert world.query(f"SELECT count() FROM musee.ticket_scan WHERE event_id = '{event_id}'") == [(2,)]
    assert world.query(f"SELECT party_size FROM musee.v_scans WHERE event_id = '{event_id}'") == [(3,)]


def test_a_ticket_id_never_leaves_the_door(world: World) -> None:
    answer = world.post([scan("example", "north", ticket_id="SECRET 12-34"), scan("example", ticket_id="secret1234")])

    world.wait_quiet()

    ids = "', '".join(answer.json()["event_ids"])
    rows = world.query(f"SELECT DISTINCT ticket_pid FROM musee.v_scans WHERE event_id IN ('{ids}')")
    assert len(rows) == 1  # written differently, the same ticket
    assert len(rows[0][0]) == 32
    logs = "".join(part.log.read_text().lower() for part in world.programs)
    assert "secret" not in logs


def test_the_figures_say_until_when_they_are_complete(world: World) -> None:
    world.post([scan("example", "south", "OUT")])

    wait_for(lambda: world.now("example")["state"] == "live", what="a live figure")

    now = world.now("example")
    assert now["confirmed_ms"] is not None


@pytest.mark.parametrize("name", ["gateway", "agents", "sink", "console"])
def test_every_program_says_how_it_is(world: World, name: str) -> None:
    part = getattr(world, name)

    health, ready, metrics = (world.http.get(f"{part.address}/{path}") for path in ("health", "ready", "metrics"))

    assert health.status_code == 200
    assert ready.json() == {"status": "ready", "missing": []}
    assert "musee_" in metrics.text
