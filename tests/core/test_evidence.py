"""Evidence: the events behind a figure, stated apart from what counts, come to what is counted."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core import attendance, clocks, evidence, occupancy
from streams.core.days import MINUTE_MS, bounds, business_day
from streams.core.evidence import Account, Said, Scan, Scope, account, cells, fold
from streams.core.occupancy import level
from streams.core.seen import fresh, gather
from streams.core.sites import Gate, Site, Zone
from streams.core.windows import NOTHING, Counts, total, within
from tests.core import live_model

HOUR_MS = 60 * MINUTE_MS
HOME, ELSEWHERE = 3, 5
SITE = Site(
    "louvre",
    "louvre",
    "Louvre",
    "Europe/Paris",
    business_day_end_hour=2,
    zones=(Zone("hall", "Hall"), Zone("attic", "Attic")),
    gates=(Gate("north", "North", "hall"), Gate("roof", "Roof", "attic")),
)
NOON = 1_793_361_600_000  # 2026-10-30 12:00 UTC
FIRST = bounds(business_day(NOON, SITE.time_zone, 2), SITE.time_zone, 2)[0]
DAYS = [FIRST, FIRST + 24 * HOUR_MS]


def scan(minute: int, **more: object) -> Scan:
    """A party of two that comes in at the north gate, so many minutes after the day began."""
    at_ms = FIRST + minute * MINUTE_MS
    given_ = {"event_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{minute}{sorted(more.items(), key=str)}"))}
    plain = {
        "partition": HOME,
        "offset": 0,
        "occurred_ms": at_ms,
        "received_ms": at_ms + 1_000,
        "device_ms": None,
        "clock_trust": "SYNCED",
        "ingest_mode": "LIVE",
        "test": False,
        "corrects": None,
        "gate_id": "north",
        "direction": "IN",
        "outcome": "ACCEPTED",
        "party_size": 2,
    }
    return Scan(**(plain | given_ | more))  # type: ignore[arg-type]


def said(minute: int, kind: str, value: int, zone: str | None = None, **more: object) -> Said:
    """A correction; ``more`` are fields of every record."""
    one = scan(minute, **{"event_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{minute}{kind}{value}{zone}")), **more})
    head = {name: getattr(one, name) for name in evidence.Record.__dataclass_fields__}
    return Said(**head, kind=kind, value=value, zone_id=zone, who="duty", why="counted")  # type: ignore[arg-type]


def numbered(records: Iterable[Scan]) -> list[Scan]:
    """With offsets in their order."""
    return [replace(one, offset=offset) for offset, one in enumerate(records)]


# -- what counts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "direction", "counts", "inside"),
    [
        ("ACCEPTED", "IN", Counts(entries=2), 2),
        ("ACCEPTED", "OUT", Counts(exits=2), -2),
        ("ANNULLED", "IN", Counts(entries=-2), -2),
        ("REVERTED", "OUT", Counts(exits=-2), 2),
        ("AUTO_EXIT", "IN", Counts(exits=2), -2),
        ("DENIED", "IN", Counts(denied=1), 0),
    ],
)
def test_each_outcome_moves_its_party(outcome: str, direction: str, counts: Counts, inside: int) -> None:
    found = account([scan(5, outcome=outcome, direction=direction)], (), DAYS[:1], (FIRST, FIRST + HOUR_MS))

    assert found.gates == {"north": counts}
    assert [step.inside for step in found.steps] == [inside]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"test": True}, "test"),
        ({"clock_trust": "UNSYNCED"}, "clock"),
        ({"received_ms": FIRST - 6 * MINUTE_MS}, "future"),
        ({"received_ms": FIRST + 73 * HOUR_MS}, "late"),
        ({"partition": ELSEWHERE}, "misplaced"),
    ],
)
def test_what_does_not_count_is_left_out_by_its_reason(more: dict[str, object], reason: str) -> None:
    found = fold([scan(0, **more)], SITE, HOME)

    assert found.events == ()
    assert found.why_not(FIRST, FIRST + MINUTE_MS) == {reason: 1}
    assert found.why_not(FIRST + MINUTE_MS, FIRST + HOUR_MS) == {}


def test_a_replayed_site_is_taken_at_its_word() -> None:
    odd = [scan(0, clock_trust="UNSYNCED"), scan(1, received_ms=FIRST + 90 * HOUR_MS)]

    assert len(fold(odd, replace(SITE, replay=True), HOME).events) == 2


def test_an_event_that_comes_again_counts_once_as_it_came_first() -> None:
    first = scan(5, event_id="a")
    again = replace(first, offset=7, party_size=9)

    found = fold([again, first, again], SITE, HOME)

    assert found.events == (first,)
    assert found.copies == {"a": 2}
    assert found.why_not(*DAYS) == {"resent": 1}


def test_one_released_from_quarantine_counts_as_it_was_released() -> None:
    wrong = scan(5, event_id="a", clock_trust="UNSYNCED")
    right = replace(wrong, offset=4, occurred_ms=FIRST + 9 * MINUTE_MS, clock_trust="DRIFTING")

    found = fold([wrong, right], SITE, HOME)

    assert found.events == (right,)
    assert found.why_not(*DAYS) == {}


def test_one_that_comes_again_under_another_hour_is_told_apart() -> None:
    first = scan(5, event_id="a", received_ms=FIRST + 2 * HOUR_MS)
    moved = replace(first, offset=4, occurred_ms=first.occurred_ms + HOUR_MS, device_ms=first.occurred_ms)

    assert fold([first, moved], SITE, HOME).why_not(*DAYS) == {"resent": 1}
    assert fold([first, replace(moved, device_ms=None)], SITE, HOME).why_not(*DAYS) == {"resent-elsewhen": 1}


# -- steps -----------------------------------------------------------------------------------------------------------


def test_a_recount_is_a_step_of_what_it_changes_and_holds_from_the_end_of_its_minute() -> None:
    # minute  10      20               30
    #         +10     +4, recount 33   −2
    scans = [scan(10, party_size=10), scan(20, party_size=4), scan(30, direction="OUT")]
    recount = said(20, "RECOUNT", 33)

    found = account(scans, [recount], DAYS[:1], (FIRST, DAYS[1]))

    assert [(step.inside, step.stands) for step in found.steps] == [(10, 10), (4, 14), (19, 33), (-2, 31)]
    assert (found.raw, found.corrected) == (12, 31)


def test_an_interval_opens_with_the_level_of_the_day_so_far() -> None:
    found = account([scan(1), scan(40)], (), DAYS[:1], (FIRST + 30 * MINUTE_MS, FIRST + HOUR_MS))

    assert (found.opening, len(found.steps), found.corrected) == (2, 1, 4)


def test_a_business_day_begins_with_nobody_inside() -> None:
    found = account([scan(1), scan(24 * 60 + 5)], (), DAYS, (FIRST, DAYS[1] + HOUR_MS))

    assert [step.inside for step in found.steps] == [2, -2, 2]
    assert (found.raw, found.corrected, total(found.gates)) == (2, 2, Counts(entries=4))


def test_a_scan_on_the_end_of_an_interval_is_in_the_next_one() -> None:
    # 00:10     00:11
    #   [---------)
    #             ^ scan
    one, edge = scan(11), (FIRST + 10 * MINUTE_MS, FIRST + 11 * MINUTE_MS)

    assert account([one], (), DAYS[:1], edge).steps == ()
    assert len(account([one], (), DAYS[:1], (edge[1], edge[1] + MINUTE_MS)).steps) == 1


# -- the same as what is counted -------------------------------------------------------------------------------------

_scans = st.builds(
    lambda minute, ms, gate, outcome, direction, party, more: scan(
        minute, gate_id=gate, outcome=outcome, direction=direction, party_size=party, **_odd(minute, ms, more)
    ),
    st.one_of(st.integers(0, 90), st.integers(24 * 60 - 5, 24 * 60 + 40)),
    st.sampled_from([0, 1, 59_999]),
    st.sampled_from(["north", "roof", "unknown", "-"]),
    st.sampled_from(["ACCEPTED", "ACCEPTED", "ACCEPTED", "DENIED", "ANNULLED", "REVERTED", "AUTO_EXIT"]),
    st.sampled_from(["IN", "OUT"]),
    st.integers(1, 40),
    st.sampled_from(["", "", "", "", "test", "clock", "future", "late", "misplaced"]),
)


def _odd(minute: int, ms: int, what: str) -> dict[str, object]:
    at_ms = FIRST + minute * MINUTE_MS + ms
    received_ms = {"future": at_ms - clocks.AHEAD_MS - 1, "late": at_ms + clocks.LATE_MS + 1}.get(what, at_ms)
    trust = "UNSYNCED" if what == "clock" else "SYNCED"
    partition = ELSEWHERE if what == "misplaced" else HOME
    return {
        "occurred_ms": at_ms,
        "received_ms": received_ms,
        "clock_trust": trust,
        "partition": partition,
        "test": what == "test",
    }


_said = st.builds(
    lambda minute, kind, value, zone: said(minute, kind, value if kind == "ADJUST" else abs(value), zone),
    st.one_of(st.integers(0, 90), st.integers(24 * 60, 24 * 60 + 40)),
    st.sampled_from(["RESET", "RECOUNT", "ADJUST"]),
    st.integers(-20, 60),
    st.sampled_from([None, None, "hall", "attic"]),
)
_edges = st.one_of(st.integers(0, 95), st.integers(24 * 60 - 10, 24 * 60 + 45))


def counted(records: Sequence[Scan]) -> dict[tuple[str, int, str], int]:
    """The minutes that the live path makes of rows in their order: judged, looked up, tallied."""
    home = [one for one in records if one.partition == HOME]
    frame = pl.DataFrame(
        {
            "site_id": [SITE.site_id for _ in home],
            "occurred_at": [one.occurred_ms for one in home],
            "received_at": [one.received_ms for one in home],
            "clock_trust": [one.clock_trust for one in home],
        },
        schema={
            "site_id": pl.String(),
            "occurred_at": pl.Datetime("ms", "UTC"),
            "received_at": pl.Datetime("ms", "UTC"),
            "clock_trust": pl.String(),
        },
    )
    out = clocks.verdicts(frame, {SITE.site_id: SITE})
    scans = live_model.frame(
        [
            live_model.Scan(
                one.event_id,
                SITE.site_id,
                one.gate_id,
                one.occurred_ms,
                one.received_ms,
                one.direction,
                one.outcome,
                one.party_size,
                one.corrects,
                test=one.test,
            )
            for place, one in enumerate(home)
            if place not in out
        ]
    )
    if not scans.height:
        return {}
    mask = fresh(gather(scans), set())
    scans = scans if mask is None else scans.filter(pl.Series(mask))
    found = {}
    for (_, key, name), people in attendance.tally(scans, {SITE.site_id: SITE}).adds.items():
        if key.startswith("c:"):
            gate, minute, metric = name.rsplit("|", 2)
            hour = live_hour(key)
            found[gate, hour + int(minute), metric] = people
    return found


def live_hour(key: str) -> int:
    """First epoch minute of the hour that a key ends in."""
    text = key.rsplit(":", 1)[1]
    return (
        int(pl.Series([text + ":00"]).str.to_datetime("%Y-%m-%dT%H:%M", time_unit="ms").to_physical()[0]) // MINUTE_MS
    )


@settings(max_examples=500, deadline=None)
@given(
    drawn=st.lists(_scans, max_size=25),
    again=st.lists(st.integers(0, 24), max_size=5),
    corrections=st.lists(_said, max_size=6, unique_by=lambda one: one.event_id),
    edges=st.tuples(_edges, _edges).filter(lambda two: two[0] != two[1]),
    zone=st.sampled_from([None, None, "hall", "attic"]),
)
def test_the_steps_add_up_to_what_was_counted_and_to_the_level(
    drawn: list[Scan], again: list[int], corrections: list[Said], edges: tuple[int, int], zone: str | None
) -> None:
    records = numbered(drawn + [drawn[place] for place in again if place < len(drawn)])
    live = counted(records)
    start_ms, end_ms = (FIRST + minute * MINUTE_MS for minute in sorted(edges))
    days = [day for day in DAYS if day == FIRST or day < end_ms]
    days = days[1:] if len(days) > 1 and days[1] <= start_ms else days
    gates = None if zone is None else frozenset(gate.gate_id for gate in SITE.gates if gate.zone_id == zone)

    events, spoken = fold(records, SITE, HOME).events, fold(corrections, SITE, HOME).events
    found = account(events, spoken, days, (start_ms, end_ms), Scope(gates, zone))

    passed = within(live, start_ms, end_ms)
    assert {gate: counts for gate, counts in found.gates.items() if counts != NOTHING} == {
        gate: counts for gate, counts in passed.items() if counts != NOTHING and (gates is None or gate in gates)
    }
    stands = level(live, [one.correction for one in spoken], SITE, (days[-1], end_ms), zone_id=zone)
    assert (found.raw, found.corrected) == (stands.raw, stands.corrected)
    assert bool(found.steps) is False or found.steps[-1].stands == found.corrected
    bounds_ = level(cells(events), [one.correction for one in spoken], SITE, (days[-1], end_ms), zone_id=zone)
    assert (bounds_.low, bounds_.high) == (stands.low, stands.high)


def without(whole: Account, place: int) -> Account:
    return replace(whole, steps=whole.steps[:place] + whole.steps[place + 1 :])


def test_a_step_that_is_left_out_changes_the_sum() -> None:
    scans = [scan(10, party_size=10), scan(20, party_size=4), scan(30, direction="OUT"), scan(31, outcome="DENIED")]
    whole = account(scans, [said(20, "RECOUNT", 33)], DAYS[:1], (FIRST, DAYS[1]))

    for place in range(len(whole.steps)):
        less = without(whole, place)
        assert (less.gates, less.raw, less.corrected) != (whole.gates, whole.raw, whole.corrected)


def test_levels_are_told_apart_from_the_tally() -> None:
    """The sum shares no code with what counts, or a fault of one would be the other's."""
    assert not {"attendance", "hours", "increments"} & set(vars(evidence))
    assert occupancy.Correction in vars(evidence).values()
