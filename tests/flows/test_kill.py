"""Killed again and again, everything is counted once and lands once; and it did hurt."""

import os
import random
import threading
import time

from streams.adapters import history
from streams.core.partitions import partition_of
from streams.topology import PARTITIONS, TICKET_SCAN
from tests.beds import Part, wait_for
from tests.flows import truth
from tests.programs import World


class _Hurt:
    """What the metrics of killed programs said before they died."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.answers = {"GAP": 0.0, "DUP": 0.0, "COLD": 0.0}
        self.reinserted = 0.0
        self.lag_at_kill: list[int] = []

    def note(self, part: Part) -> None:
        if part is self._world.agents:
            for answer in self.answers:
                self.answers[answer] += self._world.metric(part, "musee_agents_fence_answers_total", answer=answer)
        if part is self._world.sink:
            self.reinserted += self._world.metric(part, "musee_sink_reinserted_rows_total", table="ticket_scan")


def _kill_while_behind(world: World, part: Part, group: str, hurt: _Hurt) -> None:
    """Stop the program until it is more than 1,000 records behind, let it run a moment, kill it."""
    part.stop()
    wait_for(lambda: world.behind()[group] > 1_000, within_s=60, what=f"{group} falling behind")
    hurt.lag_at_kill.append(world.behind()[group])
    part.cont()
    hurt.note(part)
    part.kill()
    part.start()


def _tear_log(world: World, size: int) -> None:
    """Cut the end off Redis' log, as a power failure would: with fsync every second, a second may be missing."""
    (log,) = (world.bed.folder / "redis" / "appendonlydir").glob("*.incr.aof")
    os.truncate(log, max(0, log.stat().st_size - size))


def test_kills_of_every_part_leave_no_difference(world: World) -> None:
    chance = random.Random(5)
    since = truth.ends(world)
    world.publish(truth.sites("kill", 12))
    made = truth.Truth("kill")
    enough = threading.Event()
    writer = threading.Thread(target=truth.keep_writing, args=(world, made, enough))
    hurt = _Hurt(world)
    plan = (
        [("agents", "musee-agents")] * 5 + [("sink", "musee-sink")] * 5 + [("redis", "")] * 3 + [("clickhouse", "")] * 3
    )
    chance.shuffle(plan)

    writer.start()
    for name, group in plan:
        if group:
            _kill_while_behind(world, getattr(world, name), group, hurt)
        else:
            store = getattr(world.bed, name)
            store.kill()
            if name == "redis":
                _tear_log(world, chance.randrange(2_000, 60_000))
            time.sleep(chance.uniform(0.2, 1.0))
            store.start()
        time.sleep(chance.uniform(0.2, 0.8))
    enough.set()
    writer.join()
    world.wait_quiet(within_s=120)
    hurt.note(world.agents)
    hurt.note(world.sink)

    print(f"\n{len(made.records):,} records of {made.events:,} events; lag at kills {hurt.lag_at_kill}")
    print(f"fence answers {hurt.answers}; rows inserted again {hurt.reinserted:,.0f}")
    assert truth.differences(world, made) == {}
    assert truth.offsets_missing(world, since) == []
    assert min(hurt.lag_at_kill) > 1_000
    assert hurt.answers["GAP"] + hurt.answers["DUP"] > 0
    assert hurt.reinserted > 0


def test_the_check_notices_one_person_and_one_row(world: World) -> None:
    since = truth.ends(world)
    world.publish(truth.sites("control", 1))
    made = truth.make("control", 200, now_ms=time.time_ns() // 1_000_000, site_count=1)
    world.write(TICKET_SCAN.topic, made.records)
    world.wait_quiet()
    assert truth.differences(world, made) == {}
    client = world.redis()
    key = next(client.scan_iter(match="c:*:control-0:*"))

    client.hincrby(key, "gate-1|00|entries", 1)

    assert list(truth.differences(world, made)) == ["redis"]
    client.hincrby(key, "gate-1|00|entries", -1)
    made.cells["control-0", "gate-1", "2020-01-01T00:00", "entries"] = 1  # as if one row had never landed
    assert list(truth.differences(world, made)) == ["redis", "clickhouse"]
    assert truth.offsets_missing(world, since) == []
    home = partition_of("control-0", PARTITIONS)
    gone = f"DELETE FROM musee.ticket_scan WHERE _partition = {home} AND _offset = {since[home]}"
    history.table(world.settings, gone, write=True)
    assert [partition for partition, _, _ in truth.offsets_missing(world, since)] == [home]
