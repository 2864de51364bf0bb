"""The strip of the pipeline's parts on the running stack: what hangs or is gone is named with its fix, and no other."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from streams.console.i18n import LANGUAGES
from streams.core.parts import FIXES, NAMES
from streams.embedded import doctor, record, status
from tests.beds import Part, wait_for
from tests.programs import World
from tests.verbs import musee

WITHIN_S = 6.0


def told(world: World) -> dict[str, Any]:
    return dict(world.http.get(f"{world.console.address}/v1/pipeline").json())


def states(world: World) -> dict[str, str]:
    return {one["part"]: one["state"] for one in told(world)["parts"]}


def part(world: World, name: str) -> dict[str, Any]:
    (found,) = [one for one in told(world)["parts"] if one["part"] == name]
    return dict(found)


def strip(world: World, language: str = "en") -> str:
    html = world.http.get(f"{world.console.address}/pipeline", params={"lang": language}).text
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html))


def within(claim: Callable[[], bool], what: str, within_s: float = WITHIN_S) -> float:
    began = time.monotonic()
    wait_for(claim, within_s=within_s, what=what)
    return time.monotonic() - began


@pytest.fixture
def watched(world: World) -> World:
    """All parts live, and somebody looking."""
    wait_for(lambda: set(states(world).values()) == {"live"}, within_s=40, what="a pipeline all of which is live")
    return world


@pytest.fixture
def recorded(watched: World) -> Iterator[World]:
    """The same, as a supervisor would have noted it."""
    home = watched.settings.home
    (home / "run").mkdir(exist_ok=True)
    mine = {one.name: record.Part(record.process(one.pid), (), str(one.log)) for one in watched.programs}
    record.write(home, record.Stack(record.process(watched.agents.pid), str(home), "running", {}, {}, mine))
    yield watched
    record.forget(home)


def test_every_part_says_how_it_is_and_none_of_them_needs_help(watched: World) -> None:
    found = told(watched)

    assert [one["part"] for one in found["parts"]] == list(NAMES)
    assert found["kind"] == "live"
    assert {one["fix"] for one in found["parts"]} == {None}
    assert part(watched, "agents")["lag_s"] < 4
    assert "The pipeline runs" in strip(watched)
    assert "What helps" not in strip(watched)


def test_agents_that_hang_are_named_with_their_fix_and_are_live_again_after(recorded: World) -> None:
    recorded.agents.stop()
    took = within(lambda: states(recorded)["agents"] == "away", "the strip naming the agents")
    print(f"\nagents named {took:.1f} s after they stopped")
    here, said, en_francais = part(recorded, "agents"), strip(recorded), strip(recorded, "fr")
    told_by_status = {one.part: one.fix for one in asyncio.run(status.report(recorded.settings)).rows}
    told_by_doctor = {one.what: one.fix for one in asyncio.run(doctor.findings(recorded.settings))}
    recorded.agents.cont()

    assert told_by_status["agents"] == told_by_doctor["running agents"] == here["fix"]
    assert (here["cause"], here["answer"]) == ("hangs", "no answer in time")
    assert "The pipeline has stopped" in said
    assert re.search(r"Agents: no answer in time Live figures do not move\. What helps: .*musee status", said)
    assert str(recorded.agents.log) in said
    assert "La chaîne est arrêtée" in en_francais
    within(lambda: set(states(recorded).values()) == {"live"}, "all live again", within_s=20)


def test_a_sink_that_died_is_named_and_the_live_figures_are_said_to_be_right(recorded: World) -> None:
    recorded.sink.kill()
    within(lambda: states(recorded)["sink"] == "away", "the strip naming the sink")
    here, others = part(recorded, "sink"), {**states(recorded), "sink": "live"}
    status_said = {one.part: one.fix for one in asyncio.run(status.report(recorded.settings)).rows}["sink"]
    said = strip(recorded)
    recorded.sink.start()

    assert set(others.values()) == {"live"}
    assert (here["cause"], here["fix"]) == ("down", status_said)
    assert told(recorded)["kind"] == "history" or states(recorded)["sink"] != "away"
    assert "Live figures are right; history has stopped." in said
    within(lambda: states(recorded)["sink"] == "live", "the sink live again", within_s=20)


@pytest.mark.parametrize(
    ("name", "kind", "variable"),
    [
        ("clickhouse", "history", "MUSEE_CLICKHOUSE"),
        ("redis", "stopped", "MUSEE_REDIS"),
        ("kafka", "stopped", "MUSEE_KAFKA"),
    ],
)
def test_a_store_that_hangs_is_named_and_its_owner_told_what_to_do(
    watched: World, name: str, kind: str, variable: str
) -> None:
    store: Part = getattr(watched.bed, name)
    store.stop()
    took = within(lambda: states(watched)[name] == "away", f"the strip naming {name}", within_s=8)
    print(f"\n{name} named {took:.1f} s after it stopped")
    here, found = part(watched, name), told(watched)
    store.cont()

    assert found["kind"] == kind
    assert here["fix"] == f"start it, or unset {variable} for the embedded one"
    within(lambda: states(watched)[name] == "live", f"{name} live again", within_s=20)


def test_every_page_has_the_strip_at_its_foot_and_it_names_all_parts(watched: World) -> None:
    for path in ("/", "/site/example", "/quality", "/site/nowhere", "/?lang=xx"):
        html = watched.http.get(f"{watched.console.address}{path}").text
        assert re.findall(r'data-pipeline-part="(\w+)"', html) == list(NAMES), path


def test_every_fix_is_said_in_every_language() -> None:
    assert set(FIXES.values()) <= LANGUAGES["fr"].messages.keys()


def test_doctor_finds_nothing_sick_in_a_stack_that_is_well(recorded: World) -> None:
    done = musee(recorded.settings, "doctor", "--json")

    assert '"running ' not in done.stdout
