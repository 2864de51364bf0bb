"""Device clocks: what a skew does to an event's time, how a device's skew is known, and what is not counted live."""

import random
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core import clocks
from streams.core.clocks import Judged, judge, trust, verdicts
from streams.core.sequences import Gaps, Numbers
from streams.core.sites import Site

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
NOW = 1_774_000_000_000


# -- one event -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("skew_ms", "shifted", "believed"),
    [
        (0, False, "SYNCED"),
        (2 * SECOND_MS, False, "SYNCED"),
        (2 * SECOND_MS + 1, True, "SYNCED"),
        (5 * MINUTE_MS, True, "SYNCED"),
        (5 * MINUTE_MS + 1, True, "DRIFTING"),
        (DAY_MS, True, "DRIFTING"),
        (DAY_MS + 1, False, "UNSYNCED"),
        (3 * 365 * DAY_MS, False, "UNSYNCED"),
    ],
)
@pytest.mark.parametrize("way", [1, -1], ids=["behind", "ahead"])
def test_a_skew_is_kept_corrected_or_quarantined_and_a_bound_belongs_to_the_better_side(
    skew_ms: int, shifted: bool, believed: str, way: int
) -> None:
    said_ms = NOW - way * skew_ms

    judged = judge(said_ms, way * skew_ms)

    assert judged == (Judged(NOW, said_ms, believed) if shifted else Judged(said_ms, None, believed))  # type: ignore[arg-type]


def test_a_device_that_does_not_say_when_it_sent_is_unknown_and_kept() -> None:
    assert judge(NOW, None) == Judged(NOW, None, "UNKNOWN")
    assert trust(None) == "UNKNOWN"


@pytest.mark.parametrize("skew_ms", [None, 0, HOUR_MS, 10 * 365 * DAY_MS])
def test_before_2020_no_clock_is_believed_whatever_its_skew(skew_ms: int | None) -> None:
    last_ms = round(datetime(2019, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp() * 1000)

    assert judge(last_ms, skew_ms) == Judged(last_ms, None, "UNSYNCED")
    assert judge(last_ms + SECOND_MS, None).trust == "UNKNOWN"  # the control


@given(waited_ms=st.integers(0, 72 * HOUR_MS), skew_ms=st.integers(-DAY_MS, DAY_MS))
def test_an_event_that_waited_on_its_device_is_corrected_by_the_clock_and_not_by_the_wait(
    waited_ms: int, skew_ms: int
) -> None:
    judged = judge(NOW - waited_ms - skew_ms, skew_ms)

    assert abs(judged.occurred_ms - (NOW - waited_ms)) <= 2 * SECOND_MS


# -- a device's skew -------------------------------------------------------------------------------------------------


def heard(*skews_ms: int) -> tuple[int, ...]:
    uploads: tuple[int, ...] = ()
    for skew_ms in skews_ms:
        uploads = clocks.upload(uploads, skew_ms)
    return uploads


def test_one_upload_that_was_held_up_does_not_move_a_device() -> None:
    assert clocks.skew(heard(90_000, 90_100, 90_050, 6 * HOUR_MS, 90_075)) == 90_075


def test_only_the_last_ten_uploads_count() -> None:
    uploads = heard(*[0] * 10, *[90_000] * 6)

    assert (len(uploads), clocks.skew(uploads)) == (10, 90_000)
    assert clocks.skew(heard(*[0] * 10, *[90_000] * 5)) == 0  # the control


def test_a_clock_that_was_set_right_is_believed_at_once() -> None:
    # it was three hours behind; by the old skew this upload would have left three hours after it came
    assert heard(*[3 * HOUR_MS] * 10, 150) == (150,)
    assert clocks.skew((*[3 * HOUR_MS] * 9, 150)) == 3 * HOUR_MS  # the control: the median alone


@given(skews_ms=st.lists(st.integers(-DAY_MS, DAY_MS), min_size=1, max_size=40))
def test_a_correction_never_puts_the_sending_far_behind_the_receipt(skews_ms: list[int]) -> None:
    uploads = heard(*skews_ms)

    assert clocks.skew(uploads) - uploads[-1] <= 5 * MINUTE_MS


# -- what is not counted live ----------------------------------------------------------------------------------------

SITES = {"old": Site("old", "tests", "A recording", "UTC", replay=True), "live": Site("live", "tests", "Live", "UTC")}


def frame(rows: list[tuple[str, int, str]]) -> pl.DataFrame:
    """Rows of (site, event time minus receipt in ms, trust)."""
    return pl.DataFrame(
        {
            "site_id": [site for site, _, _ in rows],
            "occurred_at": [NOW + ahead_ms for _, ahead_ms, _ in rows],
            "received_at": [NOW] * len(rows),
            "clock_trust": [trusted for _, _, trusted in rows],
        },
        schema={
            "site_id": pl.String,
            "occurred_at": pl.Datetime("ms", "UTC"),
            "received_at": pl.Datetime("ms", "UTC"),
            "clock_trust": pl.Categorical,
        },
    )


@pytest.mark.parametrize(
    ("ahead_ms", "trusted", "verdict"),
    [
        (0, "SYNCED", None),
        (5 * MINUTE_MS, "SYNCED", None),
        (5 * MINUTE_MS + 1, "DRIFTING", "future"),
        (-72 * HOUR_MS, "DRIFTING", None),
        (-72 * HOUR_MS - 1, "UNKNOWN", "late"),
        (0, "UNSYNCED", "clock"),
        (3 * 365 * DAY_MS, "UNSYNCED", "clock"),
        (-10 * 365 * DAY_MS, "UNSYNCED", "clock"),
    ],
)
def test_a_live_sites_event_is_judged_by_its_own_times(ahead_ms: int, trusted: str, verdict: str | None) -> None:
    row = ("live", ahead_ms, trusted)

    assert verdicts(frame([row]), SITES) == ({} if verdict is None else {0: verdict})
    assert verdicts(frame([("live", 0, "SYNCED"), row]), SITES) == ({} if verdict is None else {1: verdict})


@pytest.mark.parametrize(("ahead_ms", "trusted"), [(DAY_MS, "UNKNOWN"), (-DAY_MS * 3650, "UNSYNCED")])
def test_a_replayed_sites_time_is_what_it_says(ahead_ms: int, trusted: str) -> None:
    rows = [("old", ahead_ms, trusted), ("live", ahead_ms, trusted)]

    assert set(verdicts(frame(rows), SITES)) == {1}


@pytest.mark.parametrize(
    ("ahead_ms", "trusted", "verdict"),
    [(DAY_MS, "SYNCED", {}), (-100 * HOUR_MS, "UNKNOWN", {}), (DAY_MS, "UNSYNCED", {0: "clock"})],
)
def test_a_site_that_nobody_described_yet_may_be_a_replayed_one(
    ahead_ms: int, trusted: str, verdict: dict[int, str]
) -> None:
    assert verdicts(frame([("new", ahead_ms, trusted)]), SITES) == verdict


def test_nothing_is_judged_where_nothing_is() -> None:
    assert verdicts(frame([]), SITES) == {}


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["live", "old", "other"]),
            st.integers(-100 * HOUR_MS, HOUR_MS),
            st.sampled_from(["SYNCED", "UNSYNCED"]),
        ),
        max_size=30,
    )
)
def test_an_events_verdict_does_not_depend_on_its_neighbours(rows: list[tuple[str, int, str]]) -> None:
    alone = {n: found[0] for n, row in enumerate(rows) if (found := verdicts(frame([row]), SITES))}

    assert verdicts(frame(rows), SITES) == alone


# -- running numbers -------------------------------------------------------------------------------------------------


def numbered(*rows: tuple[str | None, int | None]) -> pl.DataFrame:
    """Rows of (device, its number)."""
    columns = {"site_id": ["live"] * len(rows), "device_id": [d for d, _ in rows], "seq": [n for _, n in rows]}
    return pl.DataFrame(columns, schema={"site_id": pl.String, "device_id": pl.String, "seq": pl.Int64})


def look(numbers: Numbers, *batches: pl.DataFrame) -> Gaps:
    for batch in batches:
        numbers.keep(batch)
    return numbers.look()


def test_a_number_that_jumps_or_does_not_rise_is_a_gap_within_and_across_batches() -> None:
    numbers = Numbers()

    first = look(numbers, numbered(("a", 7), ("b", 1), ("a", 8), ("b", 3), ("a", 8)))
    second = look(numbers, numbered(("a", 9), ("b", 2)))
    third = look(numbers, numbered(("a", 12)))

    assert (first, second, third) == (Gaps(jumps=1, backs=1), Gaps(backs=1), Gaps(jumps=1))


def test_the_first_number_of_a_device_is_no_gap_and_what_has_none_is_passed_over() -> None:
    numbers = Numbers()

    assert look(numbers, numbered(("a", 500))) == Gaps()
    assert look(numbers, numbered((None, 1), ("a", None), ("a", 501))) == Gaps()
    assert look(numbers, numbered((None, None))) == Gaps()


def test_the_same_device_at_another_site_is_another() -> None:
    numbers = Numbers()
    look(numbers, numbered(("a", 7)))

    assert look(numbers, numbered(("a", 100)).with_columns(site_id=pl.lit("other"))) == Gaps()


def test_what_is_remembered_is_bounded_and_the_devices_heard_last_are_in_it() -> None:
    numbers = Numbers(most=3)

    for number in range(20):
        look(numbers, numbered((f"d{number}", 1)))

    assert len(numbers.recent) + len(numbers.before) <= 8
    assert look(numbers, numbered(("d19", 5), ("d18", 5), ("d17", 5), ("d0", 5))) == Gaps(jumps=3)


@pytest.mark.parametrize("at_once", [1, 4], ids=["a batch at a time", "several at once"])
def test_gaps_are_those_of_a_plain_loop(at_once: int) -> None:
    chance = random.Random(5)
    numbers = Numbers()
    seen: dict[str, int] = {}
    found, wanted = [0, 0], [0, 0]
    for _ in range(50):
        batches = [
            [(chance.choice("abc"), chance.randrange(6)) for _ in range(chance.randrange(12))] for _ in range(at_once)
        ]
        gaps = look(numbers, *(numbered(*rows) for rows in batches))
        found = [found[0] + gaps.jumps, found[1] + gaps.backs]
        for device, number in (row for rows in batches for row in rows):
            before = seen.get(device, number - 1)
            wanted = [wanted[0] + (number > before + 1), wanted[1] + (number <= before)]
            seen[device] = number

    assert found == wanted
    assert min(wanted) > 20
