"""Any order of arrival gives the same final windows and people inside, and what comes again changes nothing."""

import itertools
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.core.days import bounds, business_day
from streams.core.occupancy import Level
from streams.core.windows import QUARTER_MS, Counts, Gates, Publication, coarser, is_due, latest, total
from tests.core.arrivals import (
    HOUR,
    MINUTE,
    NIGHTS,
    QUARTER,
    SECOND,
    SITES,
    Arrival,
    Case,
    Sums,
    Then,
    cases,
    true_days,
    true_levels,
    truth,
)
from tests.core.live_model import Batch, Crash, LiveModel, Said, Scan, frame

CASES = {"deep": 10_000, "mutants": 400}.get(settings.get_current_profile_name(), 2_000)
AT_LEAST = 0.1
ZONES = (None, "hall", "attic")
KINDS = ("undone scan", "crash", "idle gates", "correction", "anchor of a day with scans after it")
CRASHES: dict[Then, Crash] = {"die reserving": "reserve", "die publishing": "publish"}


@dataclass
class Run:
    """A case on its way through the model, and what a reader of the topic makes of it.

    Attributes:
        windows: site → start of a window → what was said last; hours and days are read from it.
        now: time of day.
    """

    case: Case
    scans: pl.DataFrame
    model: LiveModel = field(default_factory=lambda: LiveModel(SITES))
    windows: dict[str, dict[int, Gates]] = field(default_factory=lambda: {site: {} for site in SITES})
    now: int = 0
    batches: list[Batch] = field(default_factory=list)

    def all(self, arrivals: Sequence[Arrival]) -> "Run":
        """Every arrival with what happens then, until nothing is left to say."""
        waiting: list[int] = []
        interrupts = False
        latest_ms = self.case.night.start + 72 * HOUR  # whatever the order, nothing is older than that when it comes
        for one in arrivals:
            self.now = min(max(self.now, self.case.occurred_at(one.place) + one.delay_ms), latest_ms)
            waiting.append(one.place)
            if one.then in ("go on", "meanwhile"):
                interrupts |= one.then == "meanwhile"
                continue
            if interrupts:
                self.turn(meanwhile=waiting)
            else:
                self.come(waiting)
            waiting, interrupts = [], False
            if one.then == "idle":
                self.now = min(self.now + 40 * MINUTE, latest_ms)
            self.turn(back_ms=90 * SECOND if one.then == "back" else 0, crash=CRASHES.get(one.then))
        self.come(waiting)
        self.turn()
        self.end()
        return self

    def end(self) -> None:
        """Five days later every site is heard once more: every window is final."""
        self.now += 120 * HOUR
        for site_id in SITES:
            self.model.hear(site_id, self.now)
        self.turn()

    def come(self, places: Sequence[int]) -> None:
        """One batch of scans, one of corrections: they come in topics of their own."""
        count = len(self.case.scans)
        if scanned := [place for place in places if place < count]:
            prev = self.batches[-1].last if self.batches else -1
            self.batches.append(Batch(prev, prev + len(scanned), self.scans[scanned]))
            assert self.model.count(self.batches[-1]) == "OK"
        if said := [self.case.corrections[place - count] for place in places if place >= count]:
            self.model.correct(said)

    def turn(self, back_ms: int = 0, crash: Crash | None = None, meanwhile: Sequence[int] = ()) -> None:
        """The loop turns once, and nothing that must hold after it fails to."""
        stood = dict(self.model.watermarks)
        waiting = [meanwhile] if meanwhile else []
        published = self.model.turn(self.now - back_ms, crash, lambda: self.come(waiting.pop() if waiting else ()))
        if waiting:  # it had nothing to say
            self.come(waiting.pop())
        for site_id, watermark in self.model.watermarks.items():
            before = stood.get(site_id)
            assert before is None or (watermark is not None and watermark >= before), "a watermark fell"
        for one in published:
            self.windows[one.site_id][one.start_ms] = one.gates
            assert one.end_ms == one.start_ms + QUARTER
            assert (one.cause is None) == (one.before is None), "a revision without cause, or a cause without revision"
        if crash is None and not meanwhile:
            assert self.model.due() == [], "a touched window is final and was not said"
            self.final_is_final()
        self.coarser_are_sums(published)

    def final_is_final(self) -> None:
        """What was said of a window is what is counted in it now: a final one is never left behind."""
        for window, said in self.model.said.items():
            assert self.model.read(window).gates == said.gates, f"{window} changed and was not revised"

    def coarser_are_sums(self, published: Sequence[Publication]) -> None:
        """Hours and business days that are final are what a plain sum of what was said last makes them."""
        for site_id, start_ms in {(one.site_id, one.start_ms) for one in published}:
            site, said = SITES[site_id], self.windows[site_id]
            hour_ms = start_ms - start_ms % HOUR
            day = business_day(start_ms, site.time_zone, site.business_day_end_hour)
            for first, end in (hour_ms, hour_ms + HOUR), bounds(day, site.time_zone, site.business_day_end_hour):
                if is_due(end - QUARTER_MS, self.model.watermarks[site_id]):
                    plain = [counts for at, gates in said.items() if first <= at < end for counts in gates.values()]
                    assert total(coarser(said, first, end)) == sum(plain, Counts()), "a coarser window stands apart"

    def finals(self) -> dict[tuple[str, int], Sums]:
        """(site, start) → what was said last."""
        return {
            key: {gate: (counts.entries, counts.exits, counts.denied) for gate, counts in one.gates.items()}
            for key, one in latest(self.model.topic).items()
        }

    def days(self) -> Counter[tuple[str, str, str]]:
        """(site, business day, metric) → sum of the day's windows."""
        people: Counter[tuple[str, str, str]] = Counter()
        for site_id, starts in self.case.night.days.items():
            site = SITES[site_id]
            for day in {business_day(at, site.time_zone, site.business_day_end_hour) for at in starts.values()}:
                sums = total(coarser(self.windows[site_id], *bounds(day, site.time_zone, site.business_day_end_hour)))
                for metric in ("entries", "exits", "denied"):
                    people[site_id, day.isoformat(), metric] += getattr(sums, metric)
        return people

    def levels(self) -> dict[tuple[str, str, str], Level]:
        """(site, business day, zone or nothing) → people inside at its end."""
        found = {}
        for site_id, starts in self.case.night.days.items():
            site = SITES[site_id]
            for name in [*starts][:-1]:
                span = bounds(date.fromisoformat(name), site.time_zone, site.business_day_end_hour)
                for zone, level in zip(ZONES, self.model.level(site_id, span, ZONES), strict=True):
                    found[site_id, name, zone or ""] = level
        return found

    def counted_days(self) -> Counter[tuple[str, str, str]]:
        """(site, business day, metric) → people, as they were counted with each batch."""
        return Counter(
            {
                (key.split(":")[2], key.split(":")[3], metric): people
                for key, cells in self.model.hashes.items()
                if key.startswith("d:")
                for metric, people in cells.items()
            }
        )


def in_order(case: Case, scans: pl.DataFrame, arrivals: Sequence[Arrival]) -> Run:
    """A run of a case, checked against the truth."""
    run = Run(case, scans).all(arrivals)
    assert run.finals() == truth(case)
    assert run.days() == true_days(case)
    assert run.counted_days() == true_days(case)
    assert {key: (one.raw, one.corrected) for key, one in run.levels().items()} == true_levels(case)
    undoing = [scan for scan in case.scans if scan.outcome in ("ANNULLED", "REVERTED")]
    undone = {(scan.site_id, scan.occurred_at - scan.occurred_at % QUARTER) for scan in undoing}
    revisions: dict[tuple[str, int], int] = {}
    for one in run.model.topic:
        window = (one.site_id, one.start_ms)
        assert one.revision > revisions.get(window, 0), "a revision number was used twice"
        revisions[window] = one.revision
        assert one.cause != "ANNULLED" or window in undone, "nothing was undone"
    return run


def replayed(run: Run, arrivals: Sequence[Arrival]) -> None:
    """Asserts that a prefix that comes again changes nothing, as the same records or the same scans in new ones."""
    said, counted = len(run.model.topic), {key: dict(cells) for key, cells in run.model.hashes.items()}
    levels = run.levels()
    for batch in run.batches:
        assert run.model.count(batch) == "DUP"
    run.come([one.place for one in arrivals[: run.case.replayed]])
    run.turn()
    assert run.model.hashes == counted, "what came again was counted"
    assert len(run.model.topic) == said, "what came again was said"
    assert run.levels() == levels, "what came again moved somebody"


@dataclass
class Seen:
    """How many cases held what."""

    cases: int = 0
    held: Counter[str] = field(default_factory=Counter)

    def add(self, case: Case, runs: Sequence[Run]) -> None:
        """One more case."""
        causes = {one.cause for run in runs for one in run.model.topic}
        self.cases += 1
        self.held["revision"] += bool(causes - {None})
        self.held["annulled revision"] += "ANNULLED" in causes
        self.held["duplicate"] += case.resent
        self.held["correction"] += bool(case.corrections)
        self.held["anchor of a day with scans after it"] += _anchored(case)
        self.held["undone scan"] += case.undone
        self.held["clock change"] += case.night.name in ("spring", "autumn")
        self.held[f"{case.night.name} night"] += 1
        self.held["crash"] += any(one.then in CRASHES for one in case.arrivals)
        self.held["idle gates"] += any(one.then == "idle" for one in case.arrivals)

    def __str__(self) -> str:
        parts = [f"{name} {held} ({held / self.cases:.0%})" for name, held in sorted(self.held.items())]
        return f"any order: {self.cases} cases, of these with {' · '.join(parts)}"


def _anchored(case: Case) -> bool:
    """Whether somebody counted who was inside and somebody passed later that day."""
    anchors = [one for one in case.corrections if one.kind != "ADJUST"]
    return any(
        one.site_id == scan.site_id and scan.occurred_at // MINUTE > one.occurred_at // MINUTE
        for one in anchors
        for scan in case.scans
    )


@pytest.mark.timeout(3600)  # the deep profile takes minutes
def test_any_order_of_arrival_gives_the_same_finals_and_a_replayed_prefix_changes_nothing(
    record_property: Callable[[str, object], None],
) -> None:
    seen = Seen()

    @settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=cases(), shuffle=st.randoms(use_true_random=False))
    def check(case: Case, shuffle: random.Random) -> None:
        scans, permuted = frame(case.scans), shuffle.sample(case.arrivals, len(case.arrivals))
        as_it_came, shuffled = in_order(case, scans, case.arrivals), in_order(case, scans, permuted)
        assert shuffled.finals() == as_it_came.finals()
        assert shuffled.levels() == as_it_came.levels()
        replayed(as_it_came, case.arrivals)
        replayed(shuffled, permuted)
        seen.add(case, (as_it_came, shuffled))

    check()

    record_property("told", str(seen))
    assert seen.cases >= CASES
    for kind in (*KINDS, "revision", "duplicate", "clock change", "spring night", "autumn night"):
        assert seen.held[kind] >= AT_LEAST * seen.cases, kind


# Réunion's day and Paris's jump of the clock at 01:00 UTC: scans on and before edges, one resent, one undone, one late.
NIGHT = next(night for night in NIGHTS if night.name == "spring")
JUMP = NIGHT.days["paris"]["2026-03-29"]
SIX = Case(
    NIGHT,
    (
        Scan("00000000-0000-4000-8000-000000000001", "paris", "north", JUMP - 1, JUMP, party_size=2),
        Scan("00000000-0000-4000-8000-000000000002", "paris", "north", JUMP, JUMP),
        Scan("00000000-0000-4000-8000-000000000003", "paris", "north", JUMP, JUMP, outcome="ANNULLED"),
        Scan("00000000-0000-4000-8000-000000000004", "reunion", "sea", JUMP - 5 * HOUR, JUMP, direction="OUT"),
        Scan("00000000-0000-4000-8000-000000000005", "recorded", "-", JUMP - HOUR, JUMP, outcome="DENIED"),
    ),
    tuple(Arrival(place, 40 * MINUTE, "turn") for place in (0, 1, 2, 3, 4, 1)),
    replayed=6,
)
# The same night's people: two counts of one minute, an adjustment between them, a scan in that minute and one after.
COUNTED = Case(
    NIGHT,
    (
        Scan("00000000-0000-4000-8000-000000000011", "paris", "north", JUMP + 30 * SECOND, JUMP, party_size=7),
        Scan("00000000-0000-4000-8000-000000000012", "paris", "south", JUMP + MINUTE, JUMP, party_size=2),
    ),
    tuple(Arrival(place, 40 * MINUTE, "turn") for place in (0, 1, 2, 3, 4, 2)),
    6,
    (
        Said("00000000-0000-4000-8000-000000000013", "paris", JUMP + 10 * SECOND, "RECOUNT", 40),
        Said("00000000-0000-4000-8000-000000000014", "paris", JUMP + 20 * SECOND, "ADJUST", 500),
        Said("00000000-0000-4000-8000-000000000015", "paris", JUMP + 30 * SECOND, "RECOUNT", 30),
    ),
)


@pytest.mark.parametrize("case", [SIX, COUNTED], ids=["scans", "corrections"])
def test_any_order_of_six_arrivals_ends_alike_all_720_of_them(case: Case) -> None:
    scans = frame(case.scans)

    for arrivals in itertools.permutations(case.arrivals):
        run = in_order(case, scans, arrivals)
        replayed(run, arrivals)
        if case is COUNTED:
            assert run.levels()["paris", "2026-03-29", ""].corrected == 32


@pytest.mark.parametrize("died", CRASHES)
def test_any_order_holds_when_what_a_dying_loop_may_have_said_is_undone_before_it_turns_again(died: Then) -> None:
    # final: 1 visitor · a late one comes, the loop takes a number (and says 2) and dies · the late one is annulled
    first, late = SIX.scans[1], replace(SIX.scans[1], event_id=SIX.scans[3].event_id)
    scans = (first, late, replace(SIX.scans[2], corrects=late.event_id))
    thens: tuple[Then, ...] = ("turn", died, "turn")
    case = Case(NIGHT, scans, tuple(Arrival(place, 40 * MINUTE, then) for place, then in enumerate(thens)), replayed=3)

    run = in_order(case, frame(scans), case.arrivals)

    assert [one.gates["north"].entries for one in run.model.topic] == ([1, 1] if died == "die reserving" else [1, 2, 1])


@settings(max_examples=CASES // 10, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=cases(), shuffle=st.randoms(use_true_random=False))
def test_any_order_that_fills_an_empty_store_again_says_the_same_under_higher_numbers(
    case: Case, shuffle: random.Random
) -> None:
    scans = frame(case.scans)
    first = in_order(case, scans, case.arrivals)

    again = Run(case, scans, now=first.now + SECOND)
    for one in shuffle.sample(case.arrivals, len(case.arrivals)):
        again.come([one.place])
    again.end()

    assert again.finals() == truth(case)
    assert again.levels() == first.levels()
    assert latest([*again.model.topic, *first.model.topic]) == latest(again.model.topic)
