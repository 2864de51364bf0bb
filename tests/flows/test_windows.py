"""Finals and revisions on the real stack: the same in any order, each with its cause, on each site's own clock."""

import itertools
import random
import time
import uuid
from typing import Any

import pytest

from streams.core.partitions import partition_of
from streams.core.sites import Gate, Site
from streams.core.windows import QUARTER_MS
from streams.topology import PARTITIONS, TICKET_SCAN
from tests.beds import wait_for
from tests.flows import truth, windows
from tests.programs import World

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
TEN = 1_422_871_200_000  # 2015-02-02T10:00Z
EVENING = TEN + 9 * HOUR_MS  # the last event of a day: its own window stays open
GATES = (Gate("gate-0", "Gate 0"), Gate("gate-1", "Gate 1"), Gate("gate-2", "Gate 2"), Gate("gate-3", "Gate 3"))
_NUMBERS = itertools.count()


def replayed(prefix: str, number: int = 0) -> Site:
    """A site on the clock of its events."""
    return Site(f"{prefix}-{number}", "tests", "Museum", "Europe/Paris", gates=GATES, replay=True)


def write(world: World, *records: dict[str, Any]) -> None:
    world.write(TICKET_SCAN.topic, [truth.encode(one) for one in records])


def said_of(world: World, site: str, gate: str | None = None) -> list[dict[str, Any]]:
    """What was said of a site, or of one of its gates, in the order of revisions."""
    found = [one for one in windows.published(world, site.rpartition("-")[0]) if one["site_id"] == site]
    return sorted((one for one in found if one["gate_id"] == gate), key=lambda one: one["revision"])


def told(one: dict[str, Any]) -> tuple[int, int | None, str | None]:
    return one["entries"], one["entries_before"], one["cause"]


@pytest.fixture
def prefix() -> str:
    """A name that no other test uses."""
    return f"win{next(_NUMBERS)}x{uuid.uuid4().hex[:4]}"


def test_a_replay_site_never_looks_at_the_wall_and_a_live_one_that_is_idle_does(world: World, prefix: str) -> None:
    #      10:00    10:15      10:30      10:32
    #        [---------)---lateness---|  2 min
    #         ^ scan                         ^ the event that makes it final
    replay = replayed(prefix)
    live = next(
        Site(f"{prefix}-{n}", "tests", "Museum", "Europe/Paris", gates=GATES)
        for n in itertools.count(1)
        if partition_of(f"{prefix}-{n}", PARTITIONS) == partition_of(replay.site_id, PARTITIONS)
    )
    world.publish([replay, live])
    ago = (time.time_ns() // 1_000_000 - 2 * HOUR_MS) // QUARTER_MS * QUARTER_MS

    write(
        world,
        truth.record(replay.site_id, "gate-0", TEN, party_size=3),
        truth.record(replay.site_id, "gate-1", TEN + 32 * MINUTE_MS - 1),
        truth.record(live.site_id, "gate-0", ago),
    )

    wait_for(lambda: len(said_of(world, live.site_id)) == 1, what="the idle site's final")
    assert said_of(world, replay.site_id) == []
    write(world, truth.record(replay.site_id, "gate-1", TEN + 32 * MINUTE_MS))
    wait_for(lambda: len(said_of(world, replay.site_id)) == 1, what="the replay site's final")
    (final,) = said_of(world, replay.site_id)
    assert (final["start_at"], told(final)) == (TEN, (3, None, None))
    assert final["watermark_at"] == TEN + 30 * MINUTE_MS
    assert final["completeness"] == 0.25  # of four gates only one was heard before 10:15
    assert [told(one) for one in said_of(world, replay.site_id, "gate-0")] == [(3, None, None)]


def test_what_comes_after_the_final_is_a_revision_with_its_cause(world: World, prefix: str) -> None:
    site = replayed(prefix).site_id
    world.publish([replayed(prefix)])
    first = truth.record(site, "gate-0", TEN, party_size=4)
    write(world, first, truth.record(site, "gate-0", TEN + HOUR_MS))
    wait_for(lambda: len(said_of(world, site)) == 1, what="the final")

    write(world, truth.record(site, "gate-1", TEN + 1))
    wait_for(lambda: len(said_of(world, site)) == 2, what="the late one")
    write(world, truth.record(site, "gate-0", TEN, outcome="ANNULLED", party_size=4, corrects=first["event_id"]))
    wait_for(lambda: len(said_of(world, site)) == 3, what="the annulled one")
    write(world, truth.record(site, "gate-0", TEN, party_size=2, corrects=first["event_id"]))
    wait_for(lambda: len(said_of(world, site)) == 4, what="the correction")
    write(world, first)  # resent: nothing changes
    world.wait_quiet()

    assert [told(one) for one in said_of(world, site)] == [
        (4, None, None),
        (5, 4, "LATE"),
        (1, 5, "ANNULLED"),
        (3, 1, "CORRECTION"),
    ]
    assert [told(one) for one in said_of(world, site, "gate-1")] == [
        (1, 0, "LATE"),
        (1, 1, "ANNULLED"),
        (1, 1, "CORRECTION"),
    ]
    rows = world.query(
        "SELECT gate_id, entries, entries_before, cause, revisions FROM musee.v_attendance_window "
        f"WHERE site_id = '{site}' ORDER BY gate_id NULLS FIRST"
    )
    assert rows == [
        (None, 3, 1, "CORRECTION", 4),
        ("gate-0", 2, 0, "CORRECTION", 4),
        ("gate-1", 1, 1, "CORRECTION", 3),
    ]


def test_sent_in_order_or_shuffled_late_and_twice_the_last_revisions_are_the_same(world: World, prefix: str) -> None:
    chance = random.Random(9)
    orders = {"a": f"{prefix}a", "b": f"{prefix}b"}
    world.publish([replayed(one, number) for one in orders.values() for number in range(3)])
    day = [
        (
            chance.randrange(3),
            f"gate-{chance.randrange(4)}",
            TEN + chance.randrange(4 * HOUR_MS),
            {
                "direction": chance.choice(("IN", "OUT")),
                "outcome": chance.choice(("ACCEPTED", "ACCEPTED", "ACCEPTED", "DENIED", "ANNULLED", "AUTO_EXIT")),
                "party_size": chance.randrange(1, 4),
            },
        )
        for _ in range(600)
    ]
    evening: list[tuple[int, str, int, dict[str, Any]]] = [(n, "gate-0", EVENING, {}) for n in range(3)]

    for name, sent in (
        (orders["a"], sorted(day, key=lambda one: one[2]) + evening),
        (orders["b"], chance.sample(day + evening, len(day) + len(evening))),
    ):
        records = [truth.record(f"{name}-{n}", gate, at_ms, **more) for n, gate, at_ms, more in sent]
        for start in range(0, len(records), 120):
            write(world, *records[start : start + 120], *records[max(0, start - 10) : start])
            time.sleep(1.1)  # a turn of the loop in between
    wait_for(lambda: due(world, prefix) == 0, what="everything that is due")

    shown = {name: windows.last(windows.published(world, name)) for name in orders.values()}
    ordered, shuffled = (
        {(site[-1], gate, at_ms): said for (site, gate, at_ms), said in shown[name].items()} for name in orders.values()
    )
    world.wait_quiet()
    assert ordered == shuffled == plainly(day)
    assert [one for one in windows.published(world, orders["b"]) if one["cause"] == "LATE"]
    assert windows.landed(world, orders["b"]) == shown[orders["b"]]


def plainly(day: list[tuple[int, str, int, dict[str, Any]]]) -> dict[tuple[str, str | None, int], windows.Figures]:
    """Quarter-hours by a plain loop over the scans."""
    sums: dict[tuple[str, str | None, int], list[int]] = {}
    for number, gate, at_ms, scan in day:
        party = scan["party_size"]
        for place in (gate, None):
            told = sums.setdefault((str(number), place, at_ms // QUARTER_MS * QUARTER_MS), [0, 0, 0])
            if scan["outcome"] == "DENIED":
                told[2] += 1
            elif scan["outcome"] == "AUTO_EXIT":
                told[1] += party
            else:
                told[0 if scan["direction"] == "IN" else 1] += party if scan["outcome"] == "ACCEPTED" else -party
    return {place: (entries, exits, denied) for place, (entries, exits, denied) in sums.items()}


def due(world: World, prefix: str) -> int:
    """Marks that are left of a test's windows before the last of them, which stays."""
    client = world.redis()
    marks = [str(one) for number in range(PARTITIONS) for one in client.zrange(f"t:{{{number}}}", 0, -1)]
    client.close()
    return sum(one.startswith(prefix) and int(one.rpartition("|")[2]) < EVENING for one in marks)


def test_an_emptied_redis_says_everything_again_and_nothing_wrong_in_between(world: World, prefix: str) -> None:
    world.publish([replayed(prefix, number) for number in range(6)])
    made = truth.make(prefix, 20_000, now_ms=TEN, site_count=6)
    evening = [truth.encode(truth.record(f"{prefix}-{n}", "gate-0", EVENING)) for n in range(6)]
    world.write(TICKET_SCAN.topic, [*made.records, *evening])
    should = windows.of_cells(made.cells)
    wait_for(lambda: windows.last(windows.published(world, prefix)) == should, what="the finals")
    before = max(one["revision"] for one in windows.published(world, prefix))

    world.redis().flushall()

    def again() -> list[dict[str, Any]]:
        return [one for one in windows.published(world, prefix) if one["revision"] > before]

    wait_for(lambda: windows.last(again()) == should, within_s=120, what="the finals again")
    assert [one for one in again() if windows.figures(one) != should[windows.place(one)]] == []
    assert windows.ambiguous(windows.published(world, prefix)) == []
    assert windows.last(windows.published(world, prefix)) == should


def test_a_broker_that_is_away_holds_the_windows_back_and_loses_none(world: World, prefix: str) -> None:
    site = replayed(prefix).site_id
    world.publish([replayed(prefix)])
    write(world, truth.record(site, "gate-0", TEN), truth.record(site, "gate-0", EVENING))
    wait_for(lambda: len(said_of(world, site)) == 1, what="the final")
    write(world, truth.record(site, "gate-1", TEN))
    world.bed.kafka.kill()
    time.sleep(2)

    world.bed.kafka.start()

    wait_for(lambda: bool(said_of(world, site)) and said_of(world, site)[-1]["entries"] == 2, within_s=60)
    wait_for(lambda: due(world, prefix) == 0, what="the marks gone")
    assert world.agents.running
