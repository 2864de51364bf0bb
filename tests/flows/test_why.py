"""Why this number: on the real stack the listed events add up to the figure, and what is taken away is noticed."""

import json
import random
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from streams.adapters import avro, evidence, history, keys, live_keys, registry, window_view
from streams.adapters.producer import Outgoing
from streams.core import answers, questions
from streams.core.days import MINUTE_MS, bounds, hour_name
from streams.core.evidence import Said, Scan, Step
from streams.core.partitions import partition_of
from streams.core.sites import Gate, Site, Zone
from streams.core.windows import Counts
from streams.simulate import plan, send, trouble
from streams.simulate.events import HOUR_MS
from streams.simulate.trouble import Trouble
from streams.topology import PARTITIONS, TICKET_SCAN
from tests.beds import wait_for
from tests.programs import World, scan
from tests.verbs import musee

SATURDAY = date(2026, 11, 28)
HARD = Trouble(late=0.1, offline_ms=6 * HOUR_MS, offline_share=0.2, dup=0.05, disorder=0.1)
QUESTIONS = 100
SEED = 70_011


def said(site: str, at: str, kind: str, value: int, **more: Any) -> dict[str, Any]:
    event = scan(site, type="musee.occupancy-correction.v1", time=at)
    data = {"site_id": site, "kind": kind, "value": value, "who": "duty manager", "why": "counted by hand"}
    return event | {"data": data | more}


def iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


def post(world: World, events: list[dict[str, Any]]) -> None:
    answer = world.post(events)
    assert answer.status_code == 202, answer.text


def extras(site: Site, luck: random.Random) -> list[dict[str, Any]]:
    """What a simulated day lacks: corrections by hand, a party undone, an exit by the clock, trials, one sent twice."""
    start_ms, _ = bounds(SATURDAY, site.time_zone, site.business_day_end_hour)
    gates = [gate.gate_id for gate in site.gates]

    def moment() -> str:
        return iso(start_ms + luck.randrange(9 * 60, 20 * 60) * MINUTE_MS + luck.randrange(MINUTE_MS))

    party = scan(site.site_id, gates[0], time=moment(), party_size=7)
    undone = scan(site.site_id, gates[0], time=moment(), party_size=7, outcome="ANNULLED", corrects=party["id"])
    return [
        party,
        party,
        undone,
        scan(site.site_id, gates[-1], "OUT", time=moment(), party_size=3, outcome="AUTO_EXIT"),
        scan(site.site_id, gates[-1], time=moment(), party_size=5, outcome="DENIED"),
        scan(site.site_id, gates[0], time=moment(), party_size=99, test=True),
        said(site.site_id, moment(), "RECOUNT", luck.randrange(80)),
        said(site.site_id, moment(), "ADJUST", luck.randrange(-9, 9)),
        said(site.site_id, moment(), "RECOUNT", luck.randrange(80)),
    ]


def _ignored(_: int) -> None:
    """How many were accepted."""


@pytest.fixture(scope="module")
def day(running_world: World, tmp_path_factory: pytest.TempPathFactory) -> list[Site]:
    """A hard simulated day of twelve sites, and what it lacks."""
    world = running_world
    world.revive()
    made = plan.make(plan.Run(12, SATURDAY, SEED, HARD), tmp_path_factory.mktemp("why"))
    world.publish(made.sites)
    sender = send.Sender(world.settings, keys.dev_key(world.settings), say=print)
    # What was delayed comes behind the finals, so that there is something to revise.
    at_once = {trouble.ON_TIME, trouble.DISORDERED}
    sender.run([[one for one in sends if one.cause in at_once] for sends in made.sends], speed=None, seen=_ignored)
    spans = {site.site_id: bounds(SATURDAY, site.time_zone, site.business_day_end_hour) for site in made.sites}
    wait_for(lambda: len(window_view.said(world.settings, spans)) > 100, within_s=60, what="the first finals")
    sender.run([[one for one in sends if one.cause not in at_once] for sends in made.sends], speed=None, seen=_ignored)
    luck = random.Random(SEED)
    for site in made.sites:
        post(world, extras(site, luck))
    world.wait_quiet()
    return made.sites


def asked(site: Site, luck: random.Random) -> questions.Question:
    """A figure at random: the day, or an interval that may begin the day before and end the day after."""
    start_ms, end_ms = bounds(SATURDAY, site.time_zone, site.business_day_end_hour)
    gate = luck.choice([None, None, *(gate.gate_id for gate in site.gates)])
    if luck.random() < 0.2:
        return questions.Question(site, start_ms, end_ms, gate, so_far=True)
    widest = range(start_ms - 2 * HOUR_MS, end_ms + 2 * HOUR_MS, MINUTE_MS)
    opening = range(start_ms + 10 * HOUR_MS, start_ms + 18 * HOUR_MS, MINUTE_MS)
    first, last = sorted(luck.sample(luck.choice([widest, opening]), 2))
    return questions.Question(site, first, last, gate)


def without(found: answers.Answer, step: Step) -> answers.Figure:
    """The sum if one of the listed events were not there."""
    less = replace(found.account, steps=tuple(one for one in found.account.steps if one is not step))
    level = found.sum.level
    return answers.Figure(less.gates, None if level is None else replace(level, raw=less.raw, corrected=less.corrected))


@pytest.mark.timeout(600)  # some 0.5 s each on an idle machine, a few on a busy one
def test_the_sum_of_the_listed_events_is_the_figure_a_hundred_times_of_a_hundred(
    world: World, day: list[Site], record_property: Callable[[str, object], None]
) -> None:
    luck = random.Random(SEED)
    equal = noticed = tried = events = corrections = revisions = opened = people = 0
    faults = []
    for _ in range(QUESTIONS):
        question = asked(luck.choice(day), luck)
        found = evidence.answer(world.settings, question)
        records = [step.record for step in found.account.steps]
        summed = sum((one.counts for one in records if isinstance(one, Scan)), Counts())
        if found.equal and summed == found.figure.counts:
            equal += 1
        else:
            faults.append((question, found.differences, found.reasons))
        if scans := [step for step in found.account.steps if isinstance(step.record, Scan)]:
            tried += 1
            noticed += bool(answers.compare(found.figure, without(found, luck.choice(scans))))
        events += sum(isinstance(one, Scan) for one in records)
        corrections += sum(isinstance(one, Said) for one in records)
        revisions += sum(len(window.revisions) > 1 for window in found.windows)
        opened += bool(found.account.opening)
        people += found.figure.counts.entries
    told = (
        f"{equal} of {QUESTIONS} figures equal the sum of their events: {events:,} events, {people:,} people in, "
        f"{corrections} corrections, {revisions:,} revised quarter-hours, {opened} with people inside before; "
        f"without one of their events {noticed} of {tried} differ"
    )
    record_property("told", told)

    assert faults == []
    assert noticed == tried > 50
    assert min(events, corrections, revisions, opened) > 20


def test_what_was_said_of_each_quarter_is_what_its_events_come_to(world: World, day: list[Site]) -> None:
    question = questions.Question(day[0], *bounds(SATURDAY, day[0].time_zone, 0), so_far=True)
    wait_for(
        lambda: any(one.agrees for one in evidence.answer(world.settings, question).windows), what="finals in history"
    )

    windows = evidence.answer(world.settings, question).windows

    assert {one.agrees for one in windows if one.revisions} == {True}
    assert all(one.revisions[0].cause is None and one.revisions[0].before is None for one in windows if one.revisions)
    assert all(
        two.before == one.counts for w in windows for one, two in zip(w.revisions, w.revisions[1:], strict=False)
    )


# -- controls --------------------------------------------------------------------------------------------------------


def new_site(world: World, **more: Any) -> Site:
    """A site of its own for a test, on its events' clock unless ``more`` says otherwise."""
    name = f"why-{uuid.uuid4().hex[:12]}"
    site = Site(
        name,
        "tests",
        "A reason",
        "Europe/Paris",
        zones=(Zone("hall", "Hall"), Zone("attic", "Attic")),
        gates=(Gate("north", "North", "hall"), Gate("roof", "Roof", "attic")),
        **({"replay": True} | more),
    )
    world.publish([site])
    wait_for(lambda: name in known(world), what="the site at the console")
    return site


def known(world: World) -> set[str]:
    answer = world.http.get(f"{world.console.address}/v1/now").json()
    return {site["site_id"] for site in answer["sites"]}


MORNING = datetime(2026, 7, 2, 9, 0, tzinfo=UTC)  # 11:00 in Paris


def at(minutes: float) -> str:
    return (MORNING + timedelta(minutes=minutes)).isoformat(timespec="milliseconds")


def morning(world: World) -> Site:
    """Seven in and two out at the north gate, one in at the roof, and a recount of nine between."""
    site = new_site(world)
    name = site.site_id
    post(
        world,
        [
            scan(name, "north", time=at(0), party_size=7),
            scan(name, "roof", time=at(10), party_size=1),
            said(name, at(20), "RECOUNT", 9),
            scan(name, "north", "OUT", time=at(30), party_size=2),
        ],
    )
    world.wait_quiet()
    return site


def so_far(site: Site) -> questions.Question:
    return questions.ask(site, round(MORNING.timestamp() * 1000), 0)


@contextmanager
def planted(world: World, key: str, field: str, amount: int = 1) -> Iterator[None]:
    client = world.redis()
    client.hincrby(key, field, amount)
    try:
        yield
    finally:
        client.hincrby(key, field, -amount)
        client.close()


def test_a_row_planted_in_the_live_store_is_noticed_and_named(world: World) -> None:
    site = morning(world)
    home = partition_of(site.site_id, PARTITIONS)
    cell = live_keys.cells(home, site.site_id, "2026-07-02T09"), "north|30|exits"
    total = live_keys.day(home, site.site_id, "2026-07-02"), "entries"

    with planted(world, *cell):
        one = evidence.answer(world.settings, so_far(site))
    with planted(world, *total):
        other = evidence.answer(world.settings, so_far(site))

    assert "gate north, exits: figure 3, events 2" in one.differences
    assert "entries of the business day: figure 9, events 8" in other.differences
    assert one.reasons == ("none is known: everything counted has landed, so one of the two stores is wrong",)
    assert evidence.answer(world.settings, so_far(site)).equal


def test_an_event_taken_out_of_history_is_noticed(world: World) -> None:
    site = morning(world)
    assert evidence.answer(world.settings, so_far(site)).equal

    gone = f"DELETE FROM musee.ticket_scan WHERE site_id = '{site.site_id}' AND gate_id = 'roof'"
    history.table(world.settings, gone, write=True)

    found = evidence.answer(world.settings, so_far(site))
    assert "gate roof, entries: figure 1, events 0" in found.differences
    assert musee(world.settings, "why", site.site_id).returncode == 1


def test_a_correction_taken_out_of_history_is_noticed(world: World) -> None:
    site = morning(world)

    gone = f"DELETE FROM musee.occupancy_correction WHERE site_id = '{site.site_id}'"
    history.table(world.settings, gone, write=True)

    found = evidence.answer(world.settings, so_far(site))
    assert "inside: figure 7, events 6" in found.differences
    assert any(
        one.startswith("correction RECOUNT 9 (") and one.endswith("in live state alone") for one in found.differences
    )


def test_hours_that_live_state_no_longer_holds_are_the_reason(world: World) -> None:
    site = morning(world)
    client = world.redis()
    client.delete(live_keys.cells(partition_of(site.site_id, PARTITIONS), site.site_id, "2026-07-02T09"))
    client.close()

    found = evidence.answer(world.settings, so_far(site))

    assert not found.equal
    assert found.reasons[0].startswith("of 1 hours with events live state holds nothing")


def test_rows_that_have_not_landed_yet_are_waited_for_and_then_the_reason(world: World) -> None:
    site = morning(world)
    world.sink.stop()
    try:
        post(world, [scan(site.site_id, "north", time=at(40), party_size=4)])
        wait_for(lambda: not world.behind()["musee-agents"], what="counting")
        early = evidence.answer(world.settings, so_far(site), patience_s=0.3)
    finally:
        world.sink.cont()
    late = evidence.answer(world.settings, so_far(site), patience_s=30)

    assert "gate north, entries: figure 11, events 7" in early.differences
    assert early.reasons == (
        "1 records of the site's partition are counted and have not landed in history yet; ask again",
    )
    assert late.equal
    assert late.sum.counts.entries == 12


def test_figure_and_sum_are_of_the_same_moment_while_events_keep_coming(world: World) -> None:
    site = new_site(world, replay=False)
    over = threading.Event()

    def keep_sending() -> None:
        while not over.is_set():
            post(world, [scan(site.site_id, "north") for _ in range(7)])

    sender = threading.Thread(target=keep_sending)
    sender.start()
    try:
        question = questions.ask(site, None, round(datetime.now(UTC).timestamp() * 1000))
        found = [evidence.answer(world.settings, question, patience_s=30) for _ in range(10)]
    finally:
        over.set()
        sender.join()

    assert [one.differences for one in found] == [()] * 10
    counts = [one.sum.counts.entries for one in found]
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


# -- what is left out ------------------------------------------------------------------------------------------------


def misplaced(site: str, at_ms: int) -> Outgoing:
    """A scan as a producer with another partitioner writes it."""
    schema = registry.by_name(TICKET_SCAN.schema)
    record: dict[str, Any] = {
        "event_id": str(uuid.uuid4()),
        "org_id": "tests",
        "site_id": site,
        "gate_id": "north",
        "occurred_at": at_ms,
        "received_at": at_ms,
        "clock_trust": "SYNCED",
        "ingest_mode": "LIVE",
        "producer": "tests",
        "test": False,
        "direction": "IN",
        "outcome": "ACCEPTED",
        "party_size": 50,
    }
    away = next(n for n in range(100) if partition_of(f"k{n}", PARTITIONS) != partition_of(site, PARTITIONS))
    return Outgoing(f"k{away}", avro.encode(schema, dict.fromkeys(schema.fields) | record))


def test_what_is_not_counted_is_left_out_in_words_and_the_rest_is_equal(world: World) -> None:
    site = new_site(world, replay=False)
    now = datetime.now(UTC).replace(microsecond=0)
    start = now - timedelta(minutes=30)
    old = now - timedelta(hours=80)
    twice = scan(site.site_id, "north", time=start.isoformat(), party_size=2)
    trial = scan(site.site_id, "north", time=start.isoformat(), test=True)
    lost_clock = scan(site.site_id, "north", time=start.isoformat(), sent_at=(now - timedelta(days=3)).isoformat())
    post(world, [twice, twice, trial, scan(site.site_id, "north", time=old.isoformat()), lost_clock])
    world.write(TICKET_SCAN.topic, [misplaced(site.site_id, round(start.timestamp() * 1000))])
    world.wait_quiet()
    begin, end = (f"{moment:%Y-%m-%dT%H:%M}Z" for moment in (old - timedelta(minutes=1), now + timedelta(minutes=1)))

    told = musee(world.settings, "why", site.site_id, "--from", begin, "--to", end, "--json")

    found = json.loads(told.stdout)
    assert told.returncode == 0, found["differences"]
    assert found["equal"]
    assert (found["figure"]["entries"], found["sum"]["entries"]) == (2, 2)
    assert [(one["event_id"], one["sent"]) for one in found["events"]] == [(twice["id"], 2)]
    assert found["left_out"] == {"test": 1, "clock": 1, "late": 1, "misplaced": 1, "resent": 1}


# -- the verb --------------------------------------------------------------------------------------------------------


def test_the_verb_lists_every_event_with_its_effect_and_says_equal(world: World) -> None:
    site = morning(world)

    told = musee(world.settings, "why", site.site_id)

    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    assert lines[0] == f"A reason ({site.site_id} replayed): business day 2026-07-02 so far, local time Europe/Paris"
    assert lines[1].startswith("figure (Redis)        8 entries, 2 exits, 0 denied; inside 7 (")
    assert lines[2].startswith("events (ClickHouse)   8 entries, 2 exits, 0 denied; inside 7 (")
    assert lines[3] == "equal"
    rows = [line.split() for line in lines if line[:3] == "11:"]
    assert [row[:6] for row in rows[:2]] == [
        ["11:00:00", "north", "IN", "ACCEPTED", "7", "+7"],
        ["11:10:00", "roof", "IN", "ACCEPTED", "1", "+1"],
    ]
    assert rows[2][1:4] == ["RECOUNT", "9", "+1"]
    assert rows[3][5:7] == ["-2", "7"]


def test_of_an_interval_the_people_inside_before_are_told_and_of_a_gate_or_zone_only_its_own(world: World) -> None:
    site = morning(world)
    interval = ("--from", "11:05", "--to", "2026-07-02T09:31Z", "--json")

    whole, gate, zone = (
        json.loads(musee(world.settings, "why", site.site_id, *more, *interval).stdout)
        for more in ((), ("--gate", "north"), ("--zone", "attic"))
    )

    assert (whole["from"], whole["to"]) == ("2026-07-02T11:05:00.000+02:00", "2026-07-02T11:31:00.000+02:00")
    assert (whole["opening"]["corrected"], whole["sum"]["inside"], len(whole["corrections"])) == (7, 7, 1)
    assert [one["inside"] for one in gate["events"]] == [-2]
    assert (gate["figure"]["exits"], gate["opening"], gate["corrections"]) == (2, None, [])
    assert (zone["sum"]["entries"], zone["sum"]["inside"], zone["equal"]) == (1, 1, True)


def test_a_terminal_gets_forty_rows_and_is_told_how_to_see_the_rest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = new_site(world)
    post(world, [scan(site.site_id, "north", time=at(place)) for place in range(45)])
    world.wait_quiet()
    in_a_pipe = musee(world.settings, "why", site.site_id).stdout
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")

    shown, everything = (
        musee(world.settings, "why", site.site_id),
        musee(world.settings, "why", site.site_id, "--limit", "0"),
    )

    assert in_a_pipe.count("ACCEPTED") == everything.stdout.count("ACCEPTED") == 45
    assert shown.stdout.count("ACCEPTED") == 40
    assert "40 of 45, 5 more: --limit 0" in shown.stdout


def test_no_pseudonym_of_a_ticket_is_printed(world: World) -> None:
    site = new_site(world)
    post(world, [scan(site.site_id, "north", time=at(0), ticket_id="TICKET-4711")])
    world.wait_quiet()
    ((pid,),) = world.query(f"SELECT ticket_pid FROM musee.ticket_scan WHERE site_id = '{site.site_id}'")

    told = [musee(world.settings, "why", site.site_id, *more).stdout for more in ((), ("--json",))]

    assert pid
    assert all(str(pid) not in one and "4711" not in one for one in told)


@pytest.mark.parametrize(
    ("arguments", "culprit", "expected"),
    [
        (("exampel",), "exampel", "did you mean example?"),
        (("example", "--gate", "cellar-door"), "cellar-door", "its gates: north, south"),
        (("example", "--zone", "cellar"), "cellar", "its zones: "),
        (("example", "--gate", "main-door", "--zone", "cellar"), "--gate or --zone", "not both"),
        (("example", "--from", "11:00", "--to", "10:00"), "--from", "the first must be before the second"),
        (("example", "--from", "11:00", "--to", "11:00"), "--from", "the first must be before the second"),
        (("example", "--from", "noon"), "--from noon", "HH:MM of today"),
        (("example", "--to", "25:00"), "--to 25:00", "HH:MM of today"),
        (("example", "--from", "2026-02-30T10:00"), "2026-02-30T10:00", "there is no such time"),
        (("example", "--from", "2026-07-02T10:00:30"), "2026-07-02T10:00:30", "a whole minute"),
        (("example", "--from", "2026-03-29T02:30"), "2026-03-29T02:30", "skips that time"),
        (("example", "--from", "2026-10-25T02:30"), "2026-10-25T02:30", "say 2026-10-25T00:30Z or 2026-10-25T01:30Z"),
        (("example", "--from", "2026-01-01T00:00", "--to", "2026-07-01T00:00"), "--from", "31 days at most"),
    ],
)
def test_a_wrong_call_is_told_what_was_expected(
    world: World, arguments: tuple[str, ...], culprit: str, expected: str
) -> None:
    told = musee(world.settings, "why", *arguments)

    assert told.returncode == 2
    assert told.stdout == ""
    assert culprit in told.stderr
    assert expected in told.stderr


def test_a_time_of_day_after_midnight_belongs_to_the_business_day_that_ends_later(world: World) -> None:
    site = new_site(world, business_day_end_hour=2)
    clock_ms = round(MORNING.timestamp() * 1000)

    found = questions.ask(site, clock_ms, 0, start="23:00", end="01:30")

    assert hour_name(found.start_ms) == "2026-07-02T21"
    assert found.end_ms - found.start_ms == 150 * MINUTE_MS


def test_the_help_has_an_example(world: World) -> None:
    assert "musee why example --gate main-door --from 10:00 --to 11:30" in musee(world.settings, "why", "--help").stdout
