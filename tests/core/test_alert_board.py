"""What people are shown of alerts: the highest of each place, worst first, and how the command says them."""

import random
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from streams.adapters.alert_tail import Once
from streams.cli import alert_lines
from streams.console import alerts as console
from streams.core import alert_board
from streams.core.alerts import CAPACITY, SILENT, Alert, Observed, Scope, acknowledge, step
from streams.core.days import HOUR_MS, MINUTE_MS
from streams.core.sites import Site, Zone
from streams.errors import ConfigError

NOON = round(datetime(2026, 7, 2, 12, 0, tzinfo=UTC).timestamp() * 1000)  # 14:00 in Paris
LOUVRE = Site("louvre", "tests", "Musée du Louvre", "Europe/Paris", capacity=100, zones=(Zone("denon", "Denon", 60),))
PLAYED = replace(LOUVRE, site_id="calit2", name="Calit2", replay=True)
SITES = {site.site_id: site for site in (LOUVRE, PLAYED)}


def opened(people: int, scope: str = "louvre", at_ms: int = NOON, **more: object) -> list[Alert]:
    """Alerts of every level that so many of a hundred people open."""
    observed = Observed(Scope.of(scope), scope, at_ms, people, people - 5, people, 100)
    observed = replace(observed, **more)  # type: ignore[arg-type]  # fields by name
    alerts = (step(None, observed, rule, NOON) for rule in CAPACITY)
    return [alert for alert in alerts if alert is not None]


def silent(minutes: int = 40) -> Alert:
    alert = step(None, Observed(Scope("louvre"), "Louvre", NOON, minutes, minutes, minutes, 30), SILENT, NOON)
    assert alert is not None
    return alert


def taken(alert: Alert, until_ms: int = NOON + HOUR_MS) -> Alert:
    return acknowledge(alert, "duty desk", until_ms, NOON)


# -- the board -------------------------------------------------------------------------------------------------------


def test_of_each_place_the_highest_level_is_shown_and_the_others_stand_behind_it() -> None:
    alerts = [*opened(96), *opened(86, "louvre/zone:denon")]
    random.Random(7).shuffle(alerts)

    board = alert_board.board(alerts)

    assert [(str(one.scope), one.rule) for one in board.shown] == [
        ("louvre", "capacity-95"),
        ("louvre/zone:denon", "capacity-85"),
    ]
    assert len(board.lower) == 3
    assert sorted(one.alert_id for one in board.all) == sorted(one.alert_id for one in alerts)


def test_a_silence_and_a_crowd_of_one_place_are_two_things() -> None:
    shown = alert_board.board([silent(), *opened(101)]).shown

    assert [one.rule for one in shown] == ["capacity-100", "silent"]


def test_what_a_silence_hides_is_not_shown_and_not_lost() -> None:
    hidden = opened(86, "louvre/zone:denon", hidden_by=silent().alert_id)

    board = alert_board.board([silent(), *hidden])

    assert [one.rule for one in board.shown] == ["silent"]
    assert set(board.hidden) == set(hidden)


def test_a_resolved_alert_is_on_no_board() -> None:
    (alert,) = opened(72)

    assert alert_board.board([replace(alert, state="RESOLVED", resolved_ms=NOON)]).all == ()


def test_of_one_severity_the_one_that_nobody_looks_after_comes_first() -> None:
    mine, theirs = opened(72), opened(72, "calit2")

    shown = alert_board.board([taken(mine[0]), *theirs]).shown

    assert [str(one.scope) for one in shown] == ["calit2", "louvre"]


def test_the_newest_version_of_an_alert_holds_in_any_order() -> None:
    (first,) = opened(72)
    second = taken(first)

    for order in ([first, second], [second, first]):
        assert alert_board.newest(order) == {first.alert_id: second}


# -- following -------------------------------------------------------------------------------------------------------


def test_a_change_that_is_said_again_under_a_greater_version_is_news_once() -> None:
    (first,) = opened(72)
    again, next_one = replace(first, version=first.version + 5), taken(replace(first, version=first.version + 5))
    once = Once()

    assert [once.is_news(one) for one in (first, again, next_one, first, again)] == [True, False, True, False, False]


# -- the console -----------------------------------------------------------------------------------------------------


def test_the_page_names_the_zone_and_the_level() -> None:
    (_, alert) = opened(86, "louvre/zone:denon")

    said = console.shown(taken(alert), LOUVRE)

    assert (said.level, said.zone_id, said.zone, said.state) == (85, "denon", "Denon", "ACKNOWLEDGED")
    assert (said.acknowledged_by, said.acknowledged_until_ms) == ("duty desk", NOON + HOUR_MS)
    assert console.shown(silent(), LOUVRE).level is None


# -- the command: until when -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "minutes"),
    [
        ("+2h", 120),
        ("+90m", 90),
        ("+1h30m", 90),
        ("14:30", 30),
        ("23:00", 540),
        ("14:00", 24 * 60),  # now is over: the next one
        ("9:05", 19 * 60 + 5),
        ("2026-07-02T15:00:00+02:00", 60),
        ("2026-07-02T15:00", 60),
        ("2026-07-02T13:00:00Z", 60),
    ],
)
def test_until_is_a_span_a_time_of_day_or_an_instant(said: str, minutes: int) -> None:
    assert alert_lines.until_ms(said, NOON, "Europe/Paris") == NOON + minutes * MINUTE_MS


def test_a_time_of_day_is_the_next_one_on_the_wall_of_both_nights_of_the_clock_change() -> None:
    paris = ZoneInfo("Europe/Paris")
    for day in (datetime(2026, 3, 28, 22, 30, tzinfo=paris), datetime(2026, 10, 24, 22, 30, tzinfo=paris)):
        until_ms = alert_lines.until_ms("08:00", round(day.timestamp() * 1000), "Europe/Paris")

        assert f"{datetime.fromtimestamp(until_ms / 1000, paris):%d %H:%M}" == f"{day.day + 1} 08:00"


@pytest.mark.parametrize("said", ["", "2h", "+", "+2", "+2d", "25:00", "14:60", "tomorrow", "+999999h", "-2h"])
def test_an_until_that_is_none_is_named_with_what_was_expected(said: str) -> None:
    with pytest.raises(ConfigError, match="is expected"):
        alert_lines.until_ms(said, NOON, "Europe/Paris")


# -- the command: which alert ----------------------------------------------------------------------------------------


def test_an_alert_is_found_by_the_beginning_of_its_id_and_an_open_one_before_a_resolved_one() -> None:
    one = replace(opened(72)[0], alert_id="aa11")
    resolved = replace(one, alert_id="aa22", state="RESOLVED")

    assert alert_lines.found([one, resolved], "AA") == one
    assert alert_lines.found([one, resolved], "aa22") == resolved
    assert alert_lines.found([one, resolved], "bb") is None


def test_a_beginning_that_several_ids_share_names_them_all() -> None:
    alerts = [replace(alert, alert_id=f"aa{place}1") for place, alert in enumerate(opened(96))]

    with pytest.raises(ConfigError) as refused:
        alert_lines.found(alerts, "aa")

    assert all(alert.alert_id in str(refused.value) for alert in alerts)


def test_no_name_is_no_beginning() -> None:
    with pytest.raises(ConfigError, match="name the alert"):
        alert_lines.found(opened(72), " ")


# -- the command: lines ----------------------------------------------------------------------------------------------


def test_a_row_tells_level_place_people_since_who_and_what_to_do() -> None:
    (*_, alert) = opened(86, "louvre/zone:denon")

    row = alert_lines.row(taken(alert), SITES, NOON)

    assert row[:-1] == (
        alert.alert_id[:8],
        "warning: 85 % of capacity",
        "Musée du Louvre",
        "Denon",
        "86 (81–86) of 100",
        "14:00",
        "by duty desk until 15:00",
    )
    assert row[-1] == alert.advice


def test_a_replayed_site_is_marked_and_its_acknowledgement_ends_by_utc() -> None:
    long_ago = round(datetime(2005, 8, 26, 12, 32, tzinfo=UTC).timestamp() * 1000)
    (alert,) = opened(72, "calit2", long_ago, played=True)

    row = alert_lines.row(taken(alert), SITES, NOON)

    assert row[2] == "Calit2 REPLAY"
    assert row[5] == "2005-08-26 14:32"
    assert row[6] == "by duty desk until 13:00 UTC"
    simulated = {"calit2": replace(PLAYED, simulated=True)}
    assert alert_lines.row(alert, simulated, NOON)[2] == "Calit2 SIMULATED"


def test_an_alert_of_a_site_that_nobody_describes_is_told_by_its_ids() -> None:
    row = alert_lines.row(opened(72, "gone/zone:hall")[0], SITES, NOON)

    assert row[2:4] == ("gone", "hall")
    assert row[5] == "12:00"


def test_a_change_is_one_line_whatever_its_state() -> None:
    (alert,) = opened(72)
    resolved = replace(alert, state="RESOLVED", resolved_ms=NOON)
    hidden = replace(alert, hidden_by="aa")

    lines = [alert_lines.line(one, SITES) for one in (alert, taken(alert), resolved, hidden)]

    assert all(line.startswith(f"2026-07-02T14:00:00+02:00  {alert.alert_id[:8]}  ") for line in lines)
    assert not any("\n" in line for line in lines)
    for line, said in zip(lines, ("OPEN", "by duty desk until 15:00", "RESOLVED", "hidden"), strict=True):
        assert said in line


def test_the_closing_line_counts_what_is_left_out_and_an_empty_list_says_when_there_would_be_one() -> None:
    crowded = alert_board.board([silent(), *opened(96), *opened(72, "louvre/zone:denon", hidden_by="aa")])
    calm = alert_board.board([])

    assert alert_lines.closing(crowded, 2, everything=False) == (
        "2 alerts; not shown: 2 lower levels of the same places and 1 hidden by the silence of their site (--all)"
    )
    assert alert_lines.closing(crowded, 5, everything=True) == "5 alerts"
    assert alert_lines.nothing(calm, LOUVRE).startswith("no alert is open at Musée du Louvre; they open at 70, 85")
