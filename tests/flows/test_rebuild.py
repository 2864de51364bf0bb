"""An emptied store is rebuilt from Kafka, and workers may come and go: the figures are the same."""

import threading
import time

from streams.embedded import readiness
from streams.topology import TICKET_SCAN
from tests.beds import Part, free_port, wait_for
from tests.flows import truth
from tests.programs import World, environment, program


def test_an_emptied_redis_is_rebuilt_without_a_new_event(world: World) -> None:
    world.publish(truth.sites("flush", 6))
    made = truth.make("flush", 20_000, now_ms=time.time_ns() // 1_000_000, site_count=6)
    world.write(TICKET_SCAN.topic, made.records)
    world.wait_quiet()
    assert truth.differences(world, made) == {}
    colds = world.metric(world.agents, "musee_agents_fence_answers_total", answer="COLD")

    world.redis().flushall()

    wait_for(lambda: truth.differences(world, made) == {}, within_s=60, what="the rebuilt figures")
    assert world.metric(world.agents, "musee_agents_fence_answers_total", answer="COLD") > colds
    wait_for(lambda: world.now("example")["state"] != "stale", what="a confirmed figure")


def _second_worker(world: World) -> Part:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    env = environment(world.settings) | {"MUSEE_SLOT": "1", "MUSEE_AGENTS_PORT": str(port)}
    ready = readiness.http(f"{address}/ready")
    return Part("agents-1", address, program("agents"), ready, log=world.settings.home / "logs/agents-1.log", env=env)


def test_a_second_worker_comes_is_killed_and_comes_again(world: World) -> None:
    world.publish(truth.sites("scale", 12))
    made = truth.make("scale", 40_000, now_ms=time.time_ns() // 1_000_000)
    second = _second_worker(world)
    writer = threading.Thread(target=_slowly, args=(world, made))
    writer.start()

    second.start()
    time.sleep(3)
    shared = world.metric(second, "musee_agents_counted_events_total")
    second.kill()
    second.start()
    time.sleep(3)
    second.terminate()
    writer.join()
    world.wait_quiet(within_s=120)

    assert shared > 0  # it had work
    assert truth.differences(world, made) == {}


def _slowly(world: World, made: truth.Truth) -> None:
    for start in range(0, len(made.records), 500):
        world.write(TICKET_SCAN.topic, made.records[start : start + 500])
        time.sleep(0.25)
