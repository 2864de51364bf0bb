"""A store that is away is waited for: nothing is lost, nobody is told "accepted" for what can be lost."""

import threading
import time
from collections.abc import Iterator

import httpx2
import pytest

from streams.topology import TICKET_SCAN
from tests.beds import Part, wait_for
from tests.flows import truth
from tests.programs import World, scan

AWAY_S = 30.0


@pytest.fixture
def kafka_stopped(world: World) -> Iterator[Part]:
    world.bed.kafka.stop()
    yield world.bed.kafka
    world.bed.kafka.cont()


def test_without_kafka_the_door_says_503_within_five_seconds(world: World, kafka_stopped: Part) -> None:
    answer, took_s = _refused(world)
    if took_s > 5:  # a busy machine holds up one request, not two
        answer, took_s = _refused(world)

    print(f"\n503 after {took_s:.2f} s")
    assert took_s <= 5
    assert (answer.status_code, answer.json()["code"]) == (503, "kafka-unavailable")
    assert int(answer.headers["retry-after"]) > 0
    wait_for(lambda: world.http.get(f"{world.gateway.address}/ready").status_code == 503, what="not ready")
    assert world.http.get(f"{world.gateway.address}/ready").json()["missing"] == ["kafka"]


def _refused(world: World) -> tuple[httpx2.Response, float]:
    """The answer and how many seconds it took."""
    started = time.monotonic()
    answer = world.post([scan("example", "north")])
    return answer, time.monotonic() - started


def test_kafka_killed_and_back_the_door_takes_the_same_events_again(world: World) -> None:
    event = scan("example", "north")
    world.bed.kafka.kill()
    assert world.post([event]).status_code == 503

    world.bed.kafka.start()

    wait_for(lambda: world.post([event]).status_code == 202, within_s=60, what="a 202")


@pytest.mark.parametrize("name", ["redis", "clickhouse"])
def test_a_store_away_for_thirty_seconds_leaves_no_difference(world: World, name: str) -> None:
    since = truth.ends(world)
    world.publish(truth.sites(f"away-{name}", 4))
    made = truth.make(f"away-{name}", 20_000, now_ms=time.time_ns() // 1_000_000, site_count=4)
    writer = threading.Thread(target=_slowly, args=(world, made))
    store: Part = getattr(world.bed, name)
    program = world.agents if name == "redis" else world.sink
    assigned = world.metric(program, "musee_reader_assignments_total")
    writer.start()
    time.sleep(2)

    store.stop()
    time.sleep(AWAY_S / 2)
    ready = world.http.get(f"{program.address}/ready")
    stale = world.now("example") if name == "redis" else None
    time.sleep(AWAY_S / 2)
    store.cont()
    writer.join()
    world.wait_quiet(within_s=120)

    assert (ready.status_code, ready.json()["missing"]) == (503, [name])
    assert stale is None or stale["state"] == "stale"
    assert truth.differences(world, made) == {}
    assert truth.offsets_missing(world, since) == []
    assert world.metric(program, "musee_reader_assignments_total") == assigned  # it kept its place in the group


def _slowly(world: World, made: truth.Truth) -> None:
    for start in range(0, len(made.records), 500):
        world.write(TICKET_SCAN.topic, made.records[start : start + 500])
        time.sleep(0.5)
