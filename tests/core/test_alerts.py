"""Alerts: opened once, resolved once, taken over in between, whatever the level does."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.alerts import (
    CAPACITY,
    HOLD_MS,
    LONGEST_MS,
    RULES,
    SILENT,
    Alert,
    Observed,
    RefusedAcknowledgement,
    Rule,
    Scope,
    acknowledge,
    alert_id,
    step,
)

MINUTE_MS = 60_000
NOW_MS = 1_784_016_000_000
LOUVRE = Scope("louvre")
DENON = Scope("louvre", "denon")
AT_85 = next(rule for rule in CAPACITY if rule.entry == 85)
WALK = (840, 860, 845, 860, 790)  # of 1,000: 84 → 86 → 84.5 → 86 → 79 %


def seen(
    high: int, minute: float = 0, *, limit: int | None = 1_000, scope: Scope = LOUVRE, hidden: str | None = None
) -> Observed:
    """An upper bound at a minute; the figure and the lower bound are less."""
    return Observed(scope, "the Louvre", NOW_MS + round(minute * MINUTE_MS), high - 10, high - 20, high, limit, hidden)


def walk(observed: Iterable[Observed], rule: Rule = AT_85) -> list[Alert]:
    """What is said of some observations, one after the other."""
    said: list[Alert] = []
    for one in observed:
        again = step(said[-1] if said else None, one, rule, one.at_ms)
        if again is not None:
            said.append(again)
    return said


def opened() -> Alert:
    """An open alert."""
    alert = step(None, seen(860), AT_85, NOW_MS)
    assert alert is not None
    return alert


# -- opening and resolving -------------------------------------------------------------------------------------------


def test_a_level_that_walks_around_the_threshold_opens_once_and_resolves_once() -> None:
    said = walk(seen(high, 10 * place) for place, high in enumerate(WALK))

    assert [(one.state, one.high) for one in said] == [("OPEN", 860), ("RESOLVED", 790)]
    assert said[0].alert_id == said[1].alert_id
    assert (said[1].opened_ms, said[1].resolved_ms) == (NOW_MS + 10 * MINUTE_MS, NOW_MS + 40 * MINUTE_MS)


def test_without_a_lower_exit_the_same_walk_would_ring_twice() -> None:
    said = walk((seen(high, 10 * place) for place, high in enumerate(WALK)), replace(AT_85, exit=85))

    assert [one.state for one in said] == ["OPEN", "RESOLVED", "OPEN", "RESOLVED"]


@pytest.mark.parametrize("rule", CAPACITY, ids=lambda rule: rule.name)
def test_a_rule_opens_at_its_entry_and_resolves_below_its_exit(rule: Rule) -> None:
    below, at = seen(rule.entry * 10 - 1), seen(rule.entry * 10)
    still, under = seen(rule.exit * 10, 5), seen(rule.exit * 10 - 1, 5)

    assert step(None, below, rule, NOW_MS) is None
    alert = step(None, at, rule, NOW_MS)
    assert alert is not None
    assert alert.severity == rule.severity
    assert step(alert, still, rule, NOW_MS) is None
    done = step(alert, under, rule, NOW_MS)
    assert done is not None
    assert done.state == "RESOLVED"


def test_the_upper_bound_is_judged_and_not_the_figure() -> None:
    doubtful = Observed(LOUVRE, "the Louvre", NOW_MS, 500, 100, 850, 1_000)
    sure = Observed(LOUVRE, "the Louvre", NOW_MS, 849, 849, 849, 1_000)

    assert step(None, doubtful, AT_85, NOW_MS) is not None
    assert step(None, sure, AT_85, NOW_MS) is None


def test_an_alert_stays_open_for_its_hold_whatever_the_level_does() -> None:
    # opened     hold ends
    #   [------------)----
    #   86   10    10  10
    early = (HOLD_MS - 1) / MINUTE_MS
    said = walk([seen(860), seen(100, early / 2), seen(100, early)])
    assert [one.state for one in said] == ["OPEN"]

    said = walk([seen(860), seen(100, early), seen(100, 1)])
    assert [one.state for one in said] == ["OPEN", "RESOLVED"]


def test_a_replay_that_begins_anew_does_not_hold_an_alert_for_ever() -> None:
    said = walk([seen(860), seen(100, -600)])

    assert [one.state for one in said] == ["OPEN", "RESOLVED"]


def test_what_nobody_judges_any_more_is_resolved_at_once_and_keeps_its_limit() -> None:
    said = walk([seen(860), seen(860, 0.1, limit=None)])

    assert [(one.state, one.limit) for one in said] == [("OPEN", 1_000), ("RESOLVED", 1_000)]


def test_a_figure_that_moves_between_the_thresholds_is_not_said_again() -> None:
    assert len(walk(seen(high, place) for place, high in enumerate((860, 990, 801, 1_200)))) == 1


def test_every_episode_has_an_id_of_its_own_though_the_site_plays_the_same_day_again() -> None:
    first, done = walk([seen(860), seen(100, 5)])

    again = step(done, seen(860), AT_85, NOW_MS)

    assert again is not None
    assert again.opened_ms == first.opened_ms
    assert again.alert_id != first.alert_id
    assert again.alert_id == alert_id("capacity-85", LOUVRE, again.episode)


def test_a_version_follows_the_time_of_day_and_never_falls() -> None:
    alert = opened()

    assert alert.version == alert.episode == NOW_MS
    done = step(alert, seen(100, 5), AT_85, NOW_MS - 3_600_000)
    assert done is not None
    assert done.version == alert.version + 1
    later = step(None, seen(860), AT_85, NOW_MS, used=NOW_MS + 7)
    assert later is not None
    assert later.version == later.episode == NOW_MS + 8


# -- hidden ----------------------------------------------------------------------------------------------------------


def test_an_alert_is_hidden_while_its_site_is_silent_and_shown_again_afterwards() -> None:
    silent = alert_id("silent", LOUVRE, NOW_MS)
    levels = [seen(860, 0), seen(870, 1, hidden=silent), seen(880, 2, hidden=silent), seen(890, 3)]

    said = walk(levels)

    assert [(one.state, one.hidden_by, one.high) for one in said] == [
        ("OPEN", None, 860), ("OPEN", silent, 870), ("OPEN", None, 890)
    ]  # fmt: skip
    assert [one.is_shown for one in said] == [True, False, True]


# -- taking over -----------------------------------------------------------------------------------------------------


def test_an_acknowledged_alert_is_quiet_until_its_time_and_open_again_then() -> None:
    alert = acknowledge(opened(), " duty manager ", NOW_MS + 30 * MINUTE_MS, NOW_MS)
    assert (alert.state, alert.acknowledged_by) == ("ACKNOWLEDGED", "duty manager")
    assert not alert.is_shown

    assert step(alert, seen(900, 29.9), AT_85, NOW_MS + 30 * MINUTE_MS - 1) is None
    again = step(alert, seen(900, 30), AT_85, NOW_MS + 30 * MINUTE_MS)

    assert again is not None
    assert (again.state, again.acknowledged_by, again.acknowledged_until_ms) == ("OPEN", None, None)
    assert again.alert_id == alert.alert_id


def test_an_acknowledged_alert_is_resolved_like_any_other_and_says_who_had_it() -> None:
    alert = acknowledge(opened(), "duty manager", NOW_MS + LONGEST_MS, NOW_MS)

    done = step(alert, seen(100, 5), AT_85, NOW_MS)

    assert done is not None
    assert (done.state, done.acknowledged_by) == ("RESOLVED", "duty manager")


def test_an_acknowledged_alert_may_be_taken_over_by_the_next() -> None:
    first = acknowledge(opened(), "duty manager", NOW_MS + MINUTE_MS, NOW_MS)

    second = acknowledge(first, "security post", NOW_MS + 2 * MINUTE_MS, NOW_MS)

    assert second.acknowledged_by == "security post"
    assert second.version > first.version


@pytest.mark.parametrize(
    ("who", "minutes", "code"),
    [
        (" ", 30, "who"),
        ("x" * 101, 30, "who"),
        ("duty manager", 0, "until"),
        ("duty manager", -1, "until"),
        ("duty manager", 24 * 60 + 1, "until"),
    ],
)
def test_an_acknowledgement_names_a_post_and_a_time_within_a_day(who: str, minutes: int, code: str) -> None:
    with pytest.raises(RefusedAcknowledgement) as refused:
        acknowledge(opened(), who, NOW_MS + minutes * MINUTE_MS, NOW_MS)

    assert refused.value.code == code


def test_a_resolved_alert_cannot_be_acknowledged_and_is_named() -> None:
    *_, done = walk([seen(860), seen(100, 5)])

    with pytest.raises(RefusedAcknowledgement, match=rf"closed-alert: {done.alert_id} .* resolved at 2026-07-14T08:05"):
        acknowledge(done, "duty manager", NOW_MS + MINUTE_MS, NOW_MS)


# -- what it tells ---------------------------------------------------------------------------------------------------


def test_every_level_advises_something_else_and_names_the_place_and_the_command() -> None:
    alerts = [step(None, seen(1_000, scope=DENON), rule, NOW_MS) for rule in CAPACITY]

    told = [one for one in alerts if one is not None]
    assert len({one.advice for one in told}) == len(CAPACITY)
    assert all("the Louvre" in one.advice and "musee why louvre" in one.evidence for one in told)
    assert "990 people in the Louvre, between 980 and 1000; 1000 are allowed" in told[0].evidence
    assert {one.severity for one in told} == {"notice", "warning", "serious", "critical"}


def test_silence_tells_how_long_and_what_to_check() -> None:
    heard = Observed(LOUVRE, "the Louvre", NOW_MS, 0, 0, 0, 30)
    quiet = Observed(LOUVRE, "the Louvre", NOW_MS, 30, 30, 30, 30)

    assert step(None, heard, SILENT, NOW_MS) is None
    alert = step(None, quiet, SILENT, NOW_MS)
    assert alert is not None
    assert "for 30 min; a gap of 30 min is expected" in alert.evidence
    assert "Check the network and the gates" in alert.advice
    done = step(alert, heard, SILENT, NOW_MS)
    assert done is not None
    assert done.evidence.startswith("the Louvre is heard again")


def test_names_of_rules_are_given_once() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.exit <= rule.entry for rule in RULES)


# -- scopes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", [LOUVRE, DENON, Scope("louvre", gate_id="pyramid")])
def test_a_scope_is_read_from_its_own_text(scope: Scope) -> None:
    assert Scope.of(str(scope)) == scope
    assert scope.is_site == (scope == LOUVRE)


@pytest.mark.parametrize("text", ["", "/", "louvre/", "louvre/zone", "louvre/zone:", "/zone:denon", "louvre/room:a"])
def test_what_names_no_scope_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="names no scope"):
        Scope.of(text)


# -- whatever the level does -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Moment:
    """What happens in one turn: the level, whether it is judged and hidden, and who takes the alert over."""

    high: int
    seconds: int
    judged: bool
    hidden: bool
    taken_min: int | None


moments = st.lists(
    st.builds(
        Moment,
        st.one_of(st.integers(0, 120), st.integers(78, 87)),
        st.integers(0, 90),
        st.sampled_from([True] * 9 + [False]),
        st.sampled_from([False] * 4 + [True]),
        st.none() | st.integers(1, 5),
    ),
    max_size=60,
)


def live(moments: Sequence[Moment], *, people: bool = True) -> list[tuple[Alert, Observed]]:
    """What is said over some moments, and of what; without ``people`` nobody takes an alert over."""
    said: list[tuple[Alert, Observed]] = []
    at_ms, stands = NOW_MS, None
    for one in moments:
        at_ms += one.seconds * 1_000
        hidden = "a-silence" if one.hidden else None
        limit = 100 if one.judged else None
        seen_now = Observed(DENON, "Denon", at_ms, one.high, one.high, one.high, limit, hidden)
        if people and one.taken_min is not None and stands is not None and stands.is_open:
            stands = acknowledge(stands, "duty manager", at_ms + one.taken_min * MINUTE_MS, at_ms)
            said.append((stands, seen_now))
        again = step(stands, seen_now, AT_85, at_ms)
        if again is not None:
            stands = again
            said.append((again, seen_now))
        assert step(stands, seen_now, AT_85, at_ms) is None  # what was said once is not said again
    return said


@given(moments)
def test_an_alert_is_resolved_once_and_the_next_has_another_id(moments: list[Moment]) -> None:
    resolved: set[str] = set()
    stands: Alert | None = None
    for one, observed in live(moments):
        assert one.alert_id not in resolved
        if stands is None or not stands.is_open:
            assert one.state == "OPEN"
            assert observed.high >= AT_85.entry
        else:
            assert one.alert_id == stands.alert_id
            assert one.opened_ms == stands.opened_ms
        if one.state == "RESOLVED":
            resolved.add(one.alert_id)
            low = observed.high < AT_85.exit and observed.at_ms - one.opened_ms >= HOLD_MS
            assert low or observed.limit is None
        stands = one


@given(moments)
def test_every_version_is_greater_than_the_one_before(moments: list[Moment]) -> None:
    versions = [one.version for one, _ in live(moments)]

    assert versions == sorted(set(versions))


@given(moments)
def test_whoever_takes_an_alert_over_changes_nothing_about_when_it_opens_and_resolves(moments: list[Moment]) -> None:
    def episodes(said: list[tuple[Alert, Observed]]) -> list[tuple[int, int | None]]:
        last = {one.episode: (one.opened_ms, one.resolved_ms) for one, _ in said}
        return [last[episode] for episode in sorted(last)]

    assert episodes(live(moments)) == episodes(live(moments, people=False))
