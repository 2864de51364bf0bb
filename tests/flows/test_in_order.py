"""A simulated day that came late, twice and out of order has the figures of the same day sent in order."""

import json
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from streams.adapters import keys, live_keys, window_view
from streams.check import orders, simulated, truths
from streams.core.partitions import partition_of
from streams.simulate import plan, send, trouble
from streams.simulate.events import HOUR_MS
from streams.simulate.trouble import Trouble
from streams.topology import PARTITIONS
from tests.beds import wait_for
from tests.programs import World
from tests.verbs import musee

SUNDAY = date(2026, 10, 25)  # 25 hours in Paris
HARD = Trouble(late=0.2, offline_ms=6 * HOUR_MS, offline_share=0.4, dup=0.05, disorder=0.1)
AT_ONCE = {trouble.ON_TIME, trouble.DISORDERED}
Sends = list[list[trouble.Sent]]


def send_all(world: World, sends: Sends) -> None:
    sender = send.Sender(world.settings, keys.dev_key(world.settings), say=print)
    sender.run(sends, speed=None, seen=lambda _: None)


@pytest.fixture(scope="module")
def folder(running_world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Truths of a day of fifteen sites, sent twice: with trouble, what was delayed behind the finals; and in order."""
    world, folder = running_world, tmp_path_factory.mktemp("orders") / "truth"
    world.revive()
    run = plan.Run(15, SUNDAY, 70_003, HARD)
    made = plan.make(run, folder)
    assert min(made.manifest["sends_by_cause"][cause] for cause in ("LATE", "OFFLINE", "RESENT")) > 10
    world.publish(made.sites)
    send_all(world, [[one for one in sends if one.cause in AT_ONCE] for sends in made.sends])
    spans = truths.read(folder).spans
    wait_for(lambda: len(window_view.said(world.settings, spans)) > 100, within_s=60, what="the first finals")
    send_all(world, [[one for one in sends if one.cause not in AT_ONCE] for sends in made.sends])
    ordered = plan.make_in_order(run, folder)
    assert (ordered.manifest["sends_by_cause"], ordered.manifest["events"]) == ({}, made.manifest["events"])
    world.publish(ordered.sites)
    send_all(world, ordered.sends)
    return folder


def checked(world: World, folder: Path) -> tuple[int, dict[str, Any]]:
    told = musee(world.settings, "check", "simulate", "--truth", str(folder), "--json")
    return told.returncode, json.loads(told.stdout)


@pytest.mark.timeout(240)
def test_windows_are_revised_and_end_as_the_truth_and_as_the_same_day_sent_in_order(world: World, folder: Path) -> None:
    code, told = checked(world, folder)

    assert (code, told["differences"], told["strange"]) == (0, [], [])
    assert (told["in_order"]["agree"], told["in_order"]["apart"]) == (True, [])
    assert told["in_order"]["figures"] > 2_000
    (note,) = (one for one in told["notes"] if one.startswith("windows: "))
    final, revised, still_open = (int(word.replace(",", "")) for word in note.split() if word[0].isdigit())
    assert final > 100
    assert revised > 0, "nothing came behind its final: the finals alone were compared"
    assert still_open == 0
    first, second = ({site.partition("-")[2]: site for site in one.spans} for one in both(folder))
    assert first.keys() == second.keys()
    for name in first:
        apart = partial(_apart, world, first[name], second[name])
        wait_for(partial(_equal, apart), what=f"the pages of both being alike; {apart()}")
        one = shown(world, first[name])
        assert one["inside_low"] <= one["inside"] <= one["inside_high"]


def both(folder: Path) -> tuple[truths.Truth, truths.Truth]:
    truth = truths.read(folder)
    other = truths.read_in_order(folder, truth)
    assert other is not None
    return truth, other


def _equal(apart: Callable[[], dict[str, Any]]) -> bool:
    return not apart()  # figures of hours long past are read every ten seconds


def _apart(world: World, site: str, other: str) -> dict[str, Any]:
    """What the page says otherwise of two sites."""
    one, two = shown(world, site), shown(world, other)
    return {key: (one[key], two[key]) for key in one if one[key] != two[key]}


def shown(world: World, site: str) -> dict[str, Any]:
    """What ``/v1/now`` says of a site, without what names it or says when it was received."""
    now = world.now(site)
    assert now["occurred_ms"] is not None
    for machine in now["devices"]:
        del machine["received_ms"]
    return {key: value for key, value in now.items() if key not in OWN}


# Whose site it is, when that was received, and an estimate that depends on the tickets' names.
OWN = {"site_id", "partition", "received_ms", "confirmed_ms", "state", "alerts", "handles", "tickets"}


def test_one_figure_that_an_order_has_changed_is_named(world: World, folder: Path) -> None:
    _, other = both(folder)
    cell = next(cell for cell in other.cells if cell.family == "attendance" and cell.metric == "entries")
    site_id = cell.site_id
    key = live_keys.windows(partition_of(site_id, PARTITIONS), site_id, cell.when[:13])
    client = world.redis()
    start, said = next((str(at), str(text)) for at, text in client.hgetall(key).items() if str(at).isdecimal())
    wrong = json.loads(said)
    wrong["gates"][cell.place] = [99, 0, 0]
    heard = live_keys.level(partition_of(site_id, PARTITIONS), site_id)

    client.hset(key, start, json.dumps(wrong))
    client.hincrby(heard, "occurred_ms", 1)
    found = orders.check_orders(world.settings, folder)
    client.hset(key, start, said)
    client.hincrby(heard, "occurred_ms", -1)
    client.close()

    assert found is not None
    assert not found.agree
    assert {(one.cell.family, one.cell.site_id) for one in found.apart} == {
        ("windows", site_id.partition("-")[2]),
        ("watermark", site_id.partition("-")[2]),
    }
    assert any("in order 99" in line for line in orders.lines(found))


def test_a_truth_of_another_run_in_its_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    truth = truths.read(tmp_path)
    assert truths.read_in_order(tmp_path, truth) is None

    inner = tmp_path / truths.IN_ORDER
    inner.mkdir()
    for path in folder.iterdir():
        if path.is_file():
            (inner / path.name).write_bytes(path.read_bytes())
    manifest = json.loads((inner / "manifest.json").read_bytes())
    (inner / "manifest.json").write_text(json.dumps(manifest | {"seed": 8}))

    with pytest.raises(truths.TruthError, match="not the run of"):
        truths.read_in_order(tmp_path, truth)


def test_a_day_sent_without_the_other_one_is_compared_with_its_truth_alone(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "truth"
    told = musee(
        world.settings, "simulate", "--sites", "2", "--day", "2026-10-25", "--seed", "70004", "--in-order",
        "--truth-only", "-o", str(folder),
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert (folder / truths.IN_ORDER / "manifest.json").exists()

    told = musee(
        world.settings, "simulate", "--sites", "2", "--day", "2026-10-25", "--seed", "70004", "-o", str(folder)
    )

    assert told.returncode == 0, told.stderr
    assert not (folder / truths.IN_ORDER / "manifest.json").exists()
    world.wait_quiet()
    assert orders.check_orders(world.settings, folder) is None
    assert simulated.check_simulated(world.settings, folder).agree
