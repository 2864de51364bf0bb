"""An emptied store is rebuilt from Kafka, and workers may come and go: the figures are the same."""

import asyncio
import json
import re
import threading
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from streams.adapters import keys, live_format, live_keys, readiness
from streams.adapters.live_store import LiveStore
from streams.check import simulated, truths
from streams.core.partitions import partition_of
from streams.simulate import plan, send
from streams.simulate.events import HOUR_MS
from streams.simulate.trouble import Trouble
from streams.topology import AGENTS, PARTITIONS, TICKET_SCAN
from tests.beds import Part, free_port, wait_for
from tests.bench import scans
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

    wait_for(lambda: truth.differences(world, made) == {}, what="the rebuilt figures")
    assert world.metric(world.agents, "musee_agents_fence_answers_total", answer="COLD") > colds
    wait_for(lambda: world.now("example")["state"] != "stale", what="a confirmed figure")


class Witness(threading.Thread):
    """Asks the API without pause from the moment in which the live store is emptied."""

    def __init__(self, world: World, site_id: str) -> None:
        super().__init__()
        self.world, self.site_id = world, site_id
        self.answers: list[tuple[float, dict[str, Any]]] = []  # seconds since then, /v1/now
        self.flushed = False

    def run(self) -> None:
        client = self.world.redis()
        client.flushall()
        client.close()
        begun = time.monotonic()
        while not self.whole and time.monotonic() - begun < 120:
            url = f"{self.world.console.address}/v1/now"
            document = self.world.http.get(url, params={"site": self.site_id}).json()
            self.answers.append((time.monotonic() - begun, document))
            time.sleep(0.02)

    @property
    def said(self) -> list[tuple[float, dict[str, Any]]]:
        """Answers that told of a rebuild."""
        return [(at_s, document["rebuilding"]) for at_s, document in self.answers if document["rebuilding"]]

    @property
    def whole(self) -> bool:
        """Whether it is over: told of, then no more, and counted up."""
        last = self.answers[-1][1] if self.answers else None
        return bool(self.said) and last is not None and last["sites"][0]["state"] not in ("stale", "rebuilding")


def _fill(world: World, records: int) -> None:
    """Scans of other sites, so that a rebuild has something to do."""
    asyncio.run(scans.fill(world.settings.kafka_servers, TICKET_SCAN.topic, records))


def test_a_redis_emptied_in_the_middle_of_a_day_says_rebuilding_and_then_everything_as_the_truth(
    world: World, tmp_path: Path
) -> None:
    _fill(world, 120_000)
    hard = Trouble(late=0.1, offline_ms=6 * HOUR_MS, offline_share=0.2, dup=0.05, disorder=0.1)
    made = plan.make(plan.Run(30, date(2026, 11, 28), 80_001, hard), tmp_path)
    witness = Witness(world, made.sites[0].site_id)

    def seen(count: int) -> None:
        if count >= made.manifest["sends"] // 2 and not witness.flushed:
            witness.flushed = True
            witness.start()

    world.publish(made.sites)
    sender = send.Sender(world.settings, keys.dev_key(world.settings), say=print)
    sender.run(made.sends, speed=None, seen=seen)
    witness.join()
    world.wait_quiet(within_s=120)
    result = simulated.check_simulated(world.settings, tmp_path)

    first_s, first = witness.said[0]
    took_s = witness.answers[-1][0]
    records = max(round(one["records_left"] / (1 - one["share"])) for _, one in witness.said if one["share"] < 1)
    print(f"\nsaid after {first_s:.2f} s; {records:,} records in {took_s:.1f} s, {records / took_s:,.0f} events/s")
    print(f"{sum(result.compared.values()):,} cells compared, {len(result.differences)} differences")
    assert [str(one) for one in result.differences] == []
    assert result.strange == []
    assert first_s < 10  # two seconds on a machine that does nothing else
    assert first["from_ms"] < min(first["to_ms"], first["since_ms"])
    shares = [document["share"] for _, document in witness.said]
    assert shares[0] < 0.9
    assert max(shares) > 0.5
    dark = [document for at_s, document in witness.answers if at_s >= 1 and document["rebuilding"]]
    ours = partition_of(witness.site_id, PARTITIONS)
    assert all(document["pipeline"]["state"] == "rebuilding" for document in dark)
    assert all(
        document["sites"][0]["state"] == "rebuilding"
        for document in dark
        if ours in document["rebuilding"]["partitions"]
    )
    early = [document["sites"][0]["state"] for at_s, document in witness.answers if 1 <= at_s < first_s]
    assert set(early) <= {"stale"}

    # The control: a cell that no event accounts for.
    cell = next(
        cell for cell in truths.read(tmp_path).cells if cell.family == "attendance" and cell.metric == "entries"
    )
    hour, minute = cell.when.split(":")
    client = world.redis()
    key = live_keys.cells(partition_of(cell.site_id, PARTITIONS), cell.site_id, hour)
    client.hincrby(key, f"{cell.place}|{minute}|entries", 1)
    planted = simulated.check_simulated(world.settings, tmp_path)
    client.hincrby(key, f"{cell.place}|{minute}|entries", -1)
    client.close()
    assert len(planted.differences) == 1


State = dict[str, Any]


def _state(world: World) -> State:
    """All that the store holds but seen ids, fences, confirmations and versions; watermarks of live sites move."""
    client = world.redis()
    found: State = {}
    for key in sorted(map(str, client.scan_iter(count=1_000))):
        if not re.fullmatch(r"[cdgnopquwt]c?:\{[0-9]\}.*|l:.*", key):
            continue
        if key.startswith("q"):
            found[key] = client.pfcount(key)
        elif key.startswith("u"):
            found[key] = client.scard(key)
        elif key.startswith("t:"):
            found[key] = sorted(client.zrange(key, 0, -1))
        elif client.type(key) == "hash":
            found[key] = {name: told for name, told in client.hgetall(key).items() if name != "watermark_ms"}
    client.close()
    return {key: value for key, value in found.items() if value}


def _gates(state: State) -> dict[tuple[str, str], Any]:
    return {
        (key, start): json.loads(told)
        for key, hash_ in state.items()
        if key.startswith("w:")
        for start, told in hash_.items()
        if start.isdecimal()
    }


def test_at_rest_every_family_is_rebuilt_and_windows_are_said_again_equal_under_higher_numbers(
    world: World, tmp_path: Path
) -> None:
    made = plan.make(plan.Run(4, date(2026, 11, 27), 80_002), tmp_path)
    world.publish(made.sites)
    send.Sender(world.settings, keys.dev_key(world.settings), say=print).run(
        made.sends, speed=None, seen=lambda _: None
    )
    world.wait_quiet(within_s=120)
    assert simulated.check_simulated(world.settings, tmp_path).agree  # and every window that is due was said
    before = _state(world)

    colds = world.metric(world.agents, "musee_agents_fence_answers_total", answer="COLD")
    begun = time.monotonic()
    world.redis().flushall()
    wait_for(
        lambda: world.metric(world.agents, "musee_agents_fence_answers_total", answer="COLD") > colds,
        what="the agents' noticing at rest",
    )
    noticed_s = time.monotonic() - begun
    wait_for(lambda: _gates(_state(world)).keys() >= _gates(before).keys(), within_s=120, what="windows said again")
    world.wait_quiet()
    assert simulated.check_simulated(world.settings, tmp_path).agree

    after = _state(world)
    print(f"\nnoticed at rest after {noticed_s:.2f} s; {len(before):,} keys, {len(_gates(before)):,} windows")
    assert noticed_s < 10  # one second on a machine that does nothing else
    assert {key[0] for key in before} >= set("cdglnpuw")
    others = {key for key in before | after if not key.startswith(("w:", "t"))}
    assert {key: (before.get(key), after.get(key)) for key in others if before.get(key) != after.get(key)} == {}
    was, now = _gates(before), _gates(after)
    assert {place: said["gates"] for place, said in now.items()} == {
        place: said["gates"] for place, said in was.items()
    }
    assert all(now[place]["revision"] > said["revision"] for place, said in was.items())


def test_state_of_an_older_format_is_counted_anew_when_the_agents_start(world: World) -> None:
    world.publish(truth.sites("format", 6))
    made = truth.make("format", 5_000, now_ms=time.time_ns() // 1_000_000, site_count=6)
    world.write(TICKET_SCAN.topic, made.records)
    world.wait_quiet()
    assert truth.differences(world, made) == {}

    world.agents.terminate()
    client = world.redis()
    for partition in range(PARTITIONS):  # as format 1 was: nothing but fences in their hash
        client.hdel(live_keys.fence(partition), live_keys.FORMAT_FIELD, live_keys.SINCE_FIELD)
    client.set(live_keys.FORMAT, "1")
    key = next(map(str, client.scan_iter("c:*:format-*")))
    client.hincrby(key, "gate-0|00|entries", 1_000)  # counted another way then
    assert truth.differences(world, made) != {}
    world.agents.start()

    wait_for(lambda: truth.differences(world, made) == {}, what="the rebuilt figures")
    assert client.get(live_keys.FORMAT) == live_keys.FORMAT_VERSION
    client.close()


def test_agents_under_which_a_newer_program_takes_the_state_over_stop_and_name_both_formats(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.publish(truth.sites("newer", 6))
    made = truth.make("newer", 5_000, now_ms=time.time_ns() // 1_000_000, site_count=6)
    world.write(TICKET_SCAN.topic, made.records)
    world.wait_quiet()

    async def take_over() -> None:
        newer = LiveStore(world.settings.redis_url, AGENTS)
        await newer.check()
        await newer.close()

    with monkeypatch.context() as patched:
        patched.setattr(live_format, "_OURS", "3")
        asyncio.run(take_over())
    wait_for(lambda: not world.agents.running, what="the end of the older agents")
    started_again = world.agents.log.read_text().count("upgrade this program")
    world.agents.spawn()
    wait_for(lambda: not world.agents.running, what="the end of the agents that were started again")

    client = world.redis()
    left = sorted(map(str, client.scan_iter("[a-z]:{*}*")))
    told = world.agents.log.read_text()
    client.flushall()
    client.close()
    world.agents.start()
    assert left == [live_keys.fence(partition) for partition in range(PARTITIONS)]  # nothing was counted
    assert started_again >= 1
    assert "agents: Redis holds live state of format '3', this program writes 2: upgrade this program" in told
    wait_for(lambda: truth.differences(world, made) == {}, what="the figures after emptying by hand")


def _second_worker(world: World) -> Part:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    env = environment(world.settings) | {"MUSEE_SLOT": "1", "MUSEE_AGENTS_PORT": str(port)}
    ready = readiness.http(f"{address}/ready")
    return Part("agents-1", address, program("agents"), ready, log=world.settings.home / "logs/agents-1.log", env=env)


def test_a_second_worker_comes_is_killed_and_comes_again(world: World) -> None:
    world.publish(truth.sites("scale", 12))
    made = truth.Truth("scale")
    second = _second_worker(world)
    enough = threading.Event()
    writer = threading.Thread(target=truth.keep_writing, args=(world, made, enough), kwargs={"every_s": 0.25})
    writer.start()

    try:
        for end in (second.kill, second.terminate):
            second.start()
            wait_for(
                lambda: world.metric(second, "musee_agents_counted_events_total") > 0, what="its share of the work"
            )
            end()
    finally:
        enough.set()
        writer.join()
    world.wait_quiet(within_s=120)

    assert truth.differences(world, made) == {}
