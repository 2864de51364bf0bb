"""What ticket scans do to the counts of gates, sites and days."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.attendance import COLUMNS, tally
from streams.core.increments import Increments, merge
from streams.core.sites import Site

# 2026-07-14 10:20:30 in Paris.
AT = round(datetime(2026, 7, 14, 8, 20, 30, tzinfo=UTC).timestamp() * 1000)
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
SITES = {
    "louvre": Site("louvre", "louvre", "Louvre", "Europe/Paris", business_day_end_hour=2),
    "gym": Site("gym", "recordings", "Gym", "America/Toronto", replay=True),
}
DTYPES: dict[str, pl.DataType] = {
    "event_id": pl.String(),
    "site_id": pl.String(),
    "gate_id": pl.String(),
    "occurred_at": pl.Datetime("ms", "UTC"),
    "received_at": pl.Datetime("ms", "UTC"),
    "test": pl.Boolean(),
    "direction": pl.String(),
    "outcome": pl.String(),
    "party_size": pl.Int32(),
    "corrects": pl.String(),
    "ticket_pid": pl.String(),
}
Scan = dict[str, Any]


def scan(**said: Any) -> Scan:
    """A visitor who enters the Louvre by the north gate."""
    return {
        "event_id": "00000000-0000-4000-8000-000000000000",
        "site_id": "louvre",
        "gate_id": "north",
        "occurred_at": AT,
        "received_at": AT,
        "test": False,
        "direction": "IN",
        "outcome": "ACCEPTED",
        "party_size": 1,
        "corrects": None,
        "ticket_pid": None,
        **said,
    }


def frame(scans: Sequence[Scan]) -> pl.DataFrame:
    return pl.DataFrame({name: [one[name] for one in scans] for name in COLUMNS}, schema=DTYPES)


def tallied(*scans: Scan) -> Increments:
    return tally(frame(scans), SITES)


def cells(increments: Increments) -> dict[str, int]:
    """``gate|minute|metric`` → amount, whatever site and hour."""
    return {field: amount for (_, key, field), amount in increments.adds.items() if key.startswith("c:")}


def days(increments: Increments) -> dict[tuple[str, str], int]:
    """(business day, metric) → amount, whatever site."""
    return {
        (key.rpartition(":")[2], field): amount
        for (_, key, field), amount in increments.adds.items()
        if key.startswith("d:")
    }


# -- outcomes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "direction", "metric", "people"),
    [
        ("ACCEPTED", "IN", "entries", 3),
        ("ACCEPTED", "OUT", "exits", 3),
        ("ANNULLED", "IN", "entries", -3),
        ("ANNULLED", "OUT", "exits", -3),
        ("REVERTED", "IN", "entries", -3),
        ("REVERTED", "OUT", "exits", -3),
        ("AUTO_EXIT", "OUT", "exits", 3),
        ("AUTO_EXIT", "IN", "exits", 3),
        ("DENIED", "IN", "denied", 1),
        ("DENIED", "OUT", "denied", 1),
    ],
)
def test_an_outcome_moves_the_people_of_its_party_and_a_denial_is_one_scan(
    outcome: str, direction: str, metric: str, people: int
) -> None:
    found = tallied(scan(outcome=outcome, direction=direction, party_size=3))

    assert cells(found) == {f"north|20|{metric}": people}
    assert days(found) == {("2026-07-14", metric): people}


def test_an_annulled_scan_undoes_the_one_it_corrects() -> None:
    found = tallied(scan(party_size=4), scan(outcome="ANNULLED", party_size=4))

    assert set(found.adds.values()) == {0}


def test_equal_scans_are_counted_as_often_as_they_are_there() -> None:
    found = tallied(*[scan(party_size=2)] * 5, scan(party_size=1))

    assert cells(found) == {"north|20|entries": 11}


def test_a_trial_adds_nothing_and_is_not_the_last_that_a_site_said() -> None:
    found = tallied(scan(test=True), scan(site_id="gym", test=True))

    assert found == Increments()


def test_a_trial_does_not_take_real_scans_with_it() -> None:
    found = tallied(scan(), scan(test=True, occurred_at=AT + HOUR_MS))

    assert cells(found) == {"north|20|entries": 1}
    assert found.maxima["louvre", "l:{}:louvre", "occurred_ms"] == AT


def test_no_scans_add_nothing() -> None:
    assert tallied() == Increments()


# -- places ----------------------------------------------------------------------------------------------------------


def test_a_scan_without_a_gate_counts_at_the_gate_called_dash() -> None:
    found = tallied(scan(gate_id=None))

    assert cells(found) == {"-|20|entries": 1}


def test_gates_are_counted_apart_and_their_site_as_one() -> None:
    found = tallied(scan(), scan(gate_id="south"), scan(gate_id="south", direction="OUT"))

    assert cells(found) == {"north|20|entries": 1, "south|20|entries": 1, "south|20|exits": 1}
    assert days(found) == {("2026-07-14", "entries"): 2, ("2026-07-14", "exits"): 1}


def test_sites_are_counted_apart() -> None:
    found = tallied(scan(), scan(site_id="gym"))

    assert found.sites == {"louvre", "gym"}
    assert {key for _, key, _ in found.adds} == {
        "c:{}:louvre:2026-07-14T08",
        "d:{}:louvre:2026-07-14",
        "c:{}:gym:2026-07-14T08",
        "d:{}:gym:2026-07-14",
    }


# -- times -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("after_ms", "minute"), [(-1, "20"), (0, "21"), (MINUTE_MS - 1, "21")])
def test_a_scan_on_a_minutes_boundary_counts_in_the_next_minute(after_ms: int, minute: str) -> None:
    # 10:20      10:21      10:22
    #   [----------)[---------)
    #              ^ scan
    boundary = AT + 30_000

    assert cells(tallied(scan(occurred_at=boundary + after_ms))) == {f"north|{minute}|entries": 1}


@pytest.mark.parametrize(
    ("local", "day"),
    [
        ("2026-07-15T01:59:59.999+02:00", "2026-07-14"),
        ("2026-07-15T02:00:00+02:00", "2026-07-15"),
        ("2026-03-29T01:59:59.999+01:00", "2026-03-28"),
        ("2026-03-29T03:00:00+02:00", "2026-03-29"),
    ],
)
def test_a_night_until_two_belongs_to_the_day_before(local: str, day: str) -> None:
    occurred_at = round(datetime.fromisoformat(local).timestamp() * 1000)

    assert days(tallied(scan(occurred_at=occurred_at))) == {(day, "entries"): 1}


def test_a_site_that_nobody_described_counts_in_utc_days() -> None:
    # 00:30 in Paris is 22:30 UTC of the day before.
    late = round(datetime(2026, 7, 14, 22, 30, tzinfo=UTC).timestamp() * 1000)

    found = tallied(scan(site_id="unheard-of", occurred_at=late))

    assert days(found) == {("2026-07-14", "entries"): 1}
    assert cells(found) == {"north|30|entries": 1}


def test_a_scan_before_1970_counts_in_the_minute_it_happened_in() -> None:
    found = tallied(scan(site_id="unheard-of", occurred_at=-1))

    assert cells(found) == {"north|59|entries": 1}
    assert days(found) == {("1969-12-31", "entries"): 1}


def test_a_site_said_last_what_is_latest_not_what_came_last() -> None:
    found = tallied(scan(occurred_at=AT + 5, received_at=AT + 9), scan(occurred_at=AT, received_at=AT + 10))

    assert found.maxima == {
        ("louvre", "l:{}:louvre", "occurred_ms"): AT + 5,
        ("louvre", "l:{}:louvre", "received_ms"): AT + 10,
    }


# -- windows ---------------------------------------------------------------------------------------------------------


def touches(increments: Increments) -> dict[str, int]:
    """Window → cause."""
    return {field: cause for (_, key, field), cause in increments.touches.items() if key == "t:{}"}


QUARTER = AT // 900_000 * 900_000
OTHER_ID = "0b0e1f9c-7777-4888-9999-aaaabbbbcccc"


@pytest.mark.parametrize(("after_ms", "start_ms"), [(-1, QUARTER - 900_000), (0, QUARTER), (899_999, QUARTER)])
def test_a_scan_touches_the_quarter_hour_it_lies_in(after_ms: int, start_ms: int) -> None:
    # 10:00      10:15      10:30
    #   [----------)[---------)
    #              ^ scan
    assert touches(tallied(scan(occurred_at=QUARTER + after_ms))) == {f"louvre|{start_ms}": 1}


@pytest.mark.parametrize(
    ("outcome", "corrects", "cause"),
    [
        ("ACCEPTED", None, 1),
        ("DENIED", None, 1),
        ("AUTO_EXIT", None, 1),
        ("ACCEPTED", OTHER_ID, 2),
        ("ANNULLED", None, 4),
        ("REVERTED", OTHER_ID, 4),
    ],
)
def test_a_touch_tells_what_the_scan_does_to_what_was_said(outcome: str, corrects: str | None, cause: int) -> None:
    assert touches(tallied(scan(outcome=outcome, corrects=corrects))) == {f"louvre|{QUARTER}": cause}


def test_of_several_causes_the_one_that_tells_most_stays_whatever_the_order() -> None:
    some = [scan(), scan(outcome="ANNULLED"), scan(corrects=OTHER_ID), scan(occurred_at=QUARTER - 1)]

    for order in (some, some[::-1]):
        assert touches(tallied(*order)) == {f"louvre|{QUARTER}": 4, f"louvre|{QUARTER - 900_000}": 1}


def test_a_trial_touches_no_window() -> None:
    assert touches(tallied(scan(test=True), scan(site_id="gym"))) == {f"gym|{QUARTER}": 1}


# -- tickets ---------------------------------------------------------------------------------------------------------


def pid(number: int) -> str:
    """A pseudonym, as the door makes one."""
    return f"{number:032x}"


def tickets(increments: Increments) -> dict[str, set[int]]:
    """Site and business day → numbers of the tickets in its sketches."""
    found: dict[str, set[int]] = {}
    for (_, key, field), lines in merge([increments]).sketches.items():
        assert field == ""
        found[key.removeprefix("q:{}:")] = {int(member, 16) for member in lines.splitlines()}
    return found


def test_a_ticket_that_is_no_pseudonym_is_counted_too() -> None:
    found = tallied(*(scan(ticket_pid=f"Ticket n° {number}") for number in range(3)))

    assert [len(lines.splitlines()) for lines in found.sketches.values()] == [3]


def test_an_empty_pseudonym_is_no_ticket_whatever_stands_beside_it() -> None:
    found = tallied(scan(ticket_pid=pid(1)), scan(ticket_pid=""), scan(ticket_pid=""), scan(ticket_pid=pid(2)))

    assert tickets(found) == {"louvre:2026-07-14": {1, 2}}


def test_a_ticket_stands_once_in_the_sketch_of_its_business_day_however_often_it_enters() -> None:
    again = scan(ticket_pid=pid(1), gate_id="south", occurred_at=AT + HOUR_MS, party_size=2)

    found = tallied(scan(ticket_pid=pid(1)), again, scan(ticket_pid=pid(2)), scan())

    assert tickets(found) == {"louvre:2026-07-14": {1, 2}}
    assert days(found) == {("2026-07-14", "entries"): 5}


@pytest.mark.parametrize(
    "said",
    [
        {"direction": "OUT"},
        {"outcome": "DENIED"},
        {"outcome": "ANNULLED"},
        {"outcome": "REVERTED"},
        {"outcome": "AUTO_EXIT"},
        {"ticket_pid": None},
        {"ticket_pid": ""},
        {"test": True},
    ],
)
def test_only_an_accepted_entry_puts_its_ticket_into_a_sketch(said: Scan) -> None:
    found = tallied(scan(ticket_pid=pid(7), **said) if "ticket_pid" not in said else scan(**said))

    assert found.sketches == {}


def test_an_annulled_entry_leaves_its_ticket_in_the_sketch() -> None:
    found = tallied(scan(ticket_pid=pid(7)), scan(ticket_pid=pid(7), outcome="ANNULLED"))

    assert tickets(found) == {"louvre:2026-07-14": {7}}
    assert set(found.adds.values()) == {0}


def test_a_night_until_two_is_one_day_of_tickets_and_sites_have_sketches_of_their_own() -> None:
    # 2026-07-15 01:59:59.999 in Paris is of the day before, the next millisecond is not.
    two = round(datetime(2026, 7, 15, 0, 0, tzinfo=UTC).timestamp() * 1000)
    some = [scan(ticket_pid=pid(n), occurred_at=at) for n, at in ((1, two - HOUR_MS * 9), (2, two - 1), (3, two))]

    found = tallied(*some, scan(site_id="gym", ticket_pid=pid(1), occurred_at=two))

    assert tickets(found) == {"louvre:2026-07-14": {1, 2}, "louvre:2026-07-15": {3}, "gym:2026-07-14": {1}}


def test_tickets_that_differ_in_their_first_half_only_are_one_and_in_their_second_two() -> None:
    # 64 bits of 128 are sent; the sketch would keep no more of them.
    found = tallied(*(scan(ticket_pid=pid(number)) for number in (5, 5 + 2**64, 6)))

    assert tickets(found) == {"louvre:2026-07-14": {5, 6}}


# -- properties ------------------------------------------------------------------------------------------------------

scans = st.lists(
    st.builds(
        scan,
        site_id=st.sampled_from(["louvre", "gym", "unheard-of"]),
        gate_id=st.sampled_from([None, "north", "south"]),
        occurred_at=st.integers(AT - 30 * HOUR_MS, AT + 30 * HOUR_MS),
        received_at=st.integers(AT, AT + HOUR_MS),
        test=st.booleans(),
        direction=st.sampled_from(["IN", "OUT"]),
        outcome=st.sampled_from(["ACCEPTED", "DENIED", "ANNULLED", "REVERTED", "AUTO_EXIT"]),
        party_size=st.integers(1, 1000),
        ticket_pid=st.none() | st.integers(0, 5).map(pid),
    ),
    max_size=30,
)


@given(scans=scans, at=st.integers(0, 30), seed=st.integers())
def test_cutting_a_batch_anywhere_and_in_any_order_adds_the_same(scans: list[Scan], at: int, seed: int) -> None:
    shuffled = random.Random(seed).sample(scans, len(scans))

    parts = merge([tallied(*shuffled[:at]), tallied(*shuffled[at:])])

    assert parts == merge([tallied(*scans)])  # which sorts the lines of a sketch


def plainly(scans: Sequence[Scan]) -> Mapping[str, int]:
    """Metric → people, by a plain loop over the events that shares nothing with the code that counts."""
    people = {"entries": 0, "exits": 0, "denied": 0}
    for one in scans:
        if one["test"]:
            continue
        party = one["party_size"]
        if one["outcome"] == "DENIED":
            people["denied"] += 1
        elif one["outcome"] == "AUTO_EXIT":
            people["exits"] += party
        else:
            metric = "entries" if one["direction"] == "IN" else "exits"
            people[metric] += party if one["outcome"] == "ACCEPTED" else -party
    return people


@pytest.mark.parametrize("kind", ["c:", "d:"])
@given(scans=scans)
def test_minutes_and_days_sum_to_what_a_plain_loop_counts(kind: str, scans: list[Scan]) -> None:
    found = {"entries": 0, "exits": 0, "denied": 0}
    for (_, key, field), amount in tallied(*scans).adds.items():
        if key.startswith(kind):
            found[field.rpartition("|")[2]] += amount

    assert found == plainly(scans)


@given(scans=scans)
def test_the_sketches_hold_what_a_plain_loop_puts_into_a_set(scans: list[Scan]) -> None:
    held: dict[str, set[str]] = {}
    for one in scans:
        if one["outcome"] == "ACCEPTED" and one["direction"] == "IN" and one["ticket_pid"] and not one["test"]:
            held.setdefault(one["site_id"], set()).add(one["ticket_pid"][-16:])

    found: dict[str, set[str]] = {}
    for (site_id, _, _), lines in tallied(*scans).sketches.items():
        found.setdefault(site_id, set()).update(filter(None, lines.splitlines()))

    assert found == held
