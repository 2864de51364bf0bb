"""A simulated day on the real stack: counted as the truth says, whoever is killed; and a check that notices."""

import threading
from datetime import date, datetime
from pathlib import Path

import msgspec
import pytest
import typer

from streams.adapters import keys, live_keys
from streams.adapters.gateway_client import GatewayClient
from streams.check import finals, simulated, truths
from streams.check.arrival import Backlog
from streams.cli.simulate import check_truth
from streams.core.partitions import partition_of
from streams.simulate import demo, plan, reference, rhythm, send
from streams.simulate.events import HOUR_MS
from streams.simulate.trouble import Trouble
from streams.topology import PARTITIONS
from tests.programs import World, environment, scan

SATURDAY = date(2026, 11, 28)
HARD = Trouble(late=0.1, offline_ms=6 * HOUR_MS, offline_share=0.2, dup=0.05, disorder=0.1)


def played(world: World, folder: Path, seed: int, *, kills: int = 0) -> plan.Plan:
    """Simulate a day of twelve sites; the agents are killed at evenly spread moments of the sending."""
    made = plan.make(plan.Run(12, SATURDAY, seed, HARD), folder)
    marks = [made.manifest["sends"] * n // (kills + 1) for n in range(1, kills + 1)]

    def seen(count: int) -> None:
        if marks and count >= marks[0]:
            marks.pop(0)
            world.agents.kill()
            world.agents.start()

    world.publish(made.sites)
    sender = send.Sender(world.settings, keys.dev_key(world.settings), say=print)
    sender.run(made.sends, speed=None, seen=seen)
    assert sender.accepted == made.manifest["sends"]
    assert not marks
    return made


def compared(world: World, folder: Path) -> simulated.Result:
    world.wait_quiet()
    return simulated.check_simulated(world.settings, folder)


@pytest.fixture(scope="module")
def truth(running_world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day that was played while the agents were killed twice."""
    folder = tmp_path_factory.mktemp("truth")
    running_world.revive()
    played(running_world, folder, 70_001, kills=2)
    return folder


def test_two_kills_of_the_agents_leave_no_difference(world: World, truth: Path) -> None:
    result = compared(world, truth)

    assert [str(one) for one in result.differences] == []
    assert result.strange == []
    assert {family for family, count in result.compared.items() if count} == set(simulated.FAMILIES)
    assert sum(result.compared.values()) > 2_000


def test_the_same_day_again_and_another_seed_beside_it_change_nothing(
    world: World, truth: Path, tmp_path: Path
) -> None:
    played(world, tmp_path / "again", 70_001)
    played(world, tmp_path / "other", 70_002)

    assert compared(world, truth).agree
    assert compared(world, tmp_path / "other").agree


def test_one_hincrby_is_named_by_site_gate_and_minute_and_ends_with_1(
    world: World, truth: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in environment(world.settings).items():
        monkeypatch.setenv(name, value)
    cell = next(cell for cell in truths.read(truth).cells if cell.family == "attendance" and cell.metric == "entries")
    hour, minute = cell.when.split(":")
    key = live_keys.cells(partition_of(cell.site_id, PARTITIONS), cell.site_id, hour)
    client = world.redis()
    client.hincrby(key, f"{cell.place}|{minute}|entries", 1)

    try:
        with pytest.raises(typer.Exit) as ended:
            check_truth(truth, as_json=False)
    finally:
        client.hincrby(key, f"{cell.place}|{minute}|entries", -1)
        client.close()

    told = capsys.readouterr().out
    assert ended.value.exit_code == 1
    assert f"DIFFERENT  attendance: site {cell.site_id}, gate {cell.place}, {cell.when}, entries: truth" in told
    assert "1 difference in" in told


def test_a_cell_that_no_event_accounts_for_is_named(world: World, truth: Path) -> None:
    site_id = next(iter(truths.read(truth).spans))
    partition = partition_of(site_id, PARTITIONS)
    client = world.redis()
    planted = [
        (live_keys.hours(partition, site_id, "2026-11-28T10"), "social_posts_by_nobody"),
        (live_keys.presence(partition, site_id, "2026-11-28T10"), "cellar|07"),
    ]
    for key, name in planted:
        client.hset(key, name, 3)

    found = [str(one) for one in compared(world, truth).differences]

    for key, name in planted:
        client.hdel(key, name)
    client.close()
    assert found == [
        f"presence: site {site_id}, zone cellar, 2026-11-28T10:07, sessions: truth 0, redis 3, clickhouse 0",
        f"social: site {site_id}, 2026-11-28T10, social_posts_by_nobody: truth 0, redis 3, clickhouse 0",
    ]


def test_a_window_said_otherwise_and_one_left_unsaid_are_named(
    world: World, truth: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = next(cell for cell in truths.read(truth).cells if cell.family == "attendance" and cell.metric == "entries")
    start_ms = round(datetime.fromisoformat(f"{cell.when}+00:00").timestamp()) * 1000 // 900_000 * 900_000
    partition = partition_of(cell.site_id, PARTITIONS)
    key = live_keys.windows(partition, cell.site_id, cell.when[:13])
    client = world.redis()
    said = str(client.hget(key, str(start_ms)))
    counts = msgspec.json.decode(said)
    counts["gates"][cell.place][0] += 1
    monkeypatch.setattr(finals, "_PATIENCE_S", 1.0)

    client.hset(key, str(start_ms), msgspec.json.encode(counts))
    wrong = compared(world, truth)
    client.hset(key, str(start_ms), said)
    world.agents.stop()
    client.zadd(live_keys.touched(partition), {f"{cell.site_id}|{start_ms}": 1})
    unsaid = compared(world, truth)
    world.agents.cont()
    client.close()

    assert {(one.cell.family, one.cell.site_id, one.redis - one.truth) for one in wrong.differences} == {
        ("windows", cell.site_id, 1)
    }
    assert {one.cell.place for one in wrong.differences} == {cell.place, ""}
    assert all(one.truth == one.clickhouse for one in wrong.differences)
    assert len(unsaid.strange) == 1
    assert "is due and was not said" in unsaid.strange[0]


def test_a_machine_that_redis_forgot_is_named(world: World, truth: Path) -> None:
    site_id = next(iter(truths.read(truth).spans))
    key = live_keys.devices(partition_of(site_id, PARTITIONS), site_id)
    client = world.redis()
    told = client.hgetall(key)
    client.delete(key)

    found = compared(world, truth).differences

    for name, value in told.items():
        client.hset(key, name, value)
    client.close()
    assert {one.cell.family for one in found} == {"devices"}
    assert all(one.cell.site_id == site_id and one.redis == 0 and one.truth == one.clickhouse for one in found)


def test_a_check_waits_for_what_was_sent_before_it_and_for_nothing_else(world: World) -> None:
    world.wait_quiet()
    before = Backlog(world.settings)
    assert set(before().values()) == {0}
    world.agents.stop()

    assert world.post([scan("example") for _ in range(5)]).status_code == 202

    assert before()["musee-agents"] == 0
    assert Backlog(world.settings)()["musee-agents"] == 5
    world.agents.cont()


def test_the_demo_plays_a_day_to_its_end_and_keeps_its_place(world: World, tmp_path: Path) -> None:
    places = reference.first(3)
    settings = world.settings.model_copy(update={"home": tmp_path})
    said: list[str] = []

    with GatewayClient(world.settings.gateway_url, keys.dev_key(world.settings)) as door:
        demo.play(
            door, settings, SATURDAY, say=said.append, speed=1e9, days_left=1, places=places, wait=_no_wait
        )  # fmt: skip

    world.wait_quiet()
    assert demo.load(tmp_path / "simulate.json") == demo.Mark(date(2026, 11, 29))
    assert said[0].startswith("SIMULATED: 3 sites on 2026-11-28, from event 0 of")
    for place in places:
        site = f"sim-{place.ref}"
        rows = world.query(f"SELECT sum(entries), sum(exits) FROM musee.v_attendance_day WHERE site_id = '{site}'")
        assert rows == [(rhythm.visitors(place, SATURDAY, demo.SEED),) * 2]


def _no_wait(seconds: float) -> None:
    threading.Event().wait(min(seconds, 0.05))
