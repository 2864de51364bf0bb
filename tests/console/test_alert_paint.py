"""What the page paints of alerts, in words: on a site's page each of them, on the network's page how many and where."""

import re
from typing import Any

from streams.console.alerts import Count, Shown
from streams.console.words import Words
from tests.console.test_paint import NOW_MS, large, page, site

words = Words()

HOUR_MS = 3_600_000


def alert(**changes: Any) -> Shown:
    fields: dict[str, Any] = {
        "alert_id": "1a2b3c4d-0000-5000-8000-000000000000",
        "rule": "capacity-85",
        "kind": "capacity",
        "level": 85,
        "severity": "warning",
        "state": "OPEN",
        "version": 7,
        "opened_ms": NOW_MS - HOUR_MS,
        "advice": "Slow entry to the hall.",
    }
    return Shown(**(fields | changes))


def taken(**changes: Any) -> Shown:
    by = {"state": "ACKNOWLEDGED", "acknowledged_by": "duty desk", "acknowledged_until_ms": NOW_MS + HOUR_MS}
    return alert(**(by | changes))


def strip(html: str) -> str:
    return html[html.index('id="alerts"') : html.index('<div class="column">')]


def test_an_alert_stands_above_the_headcount_in_words() -> None:
    html = large(alerts=(alert(zone_id="hall", zone="Hall"),))

    assert html.index("Warning: Hall, 85 % of capacity") < html.index("People inside")
    assert "since 09:32" in strip(html)  # in Paris
    assert "Slow entry to the hall." in strip(html)
    assert "not acknowledged" in strip(html)
    assert "(alert 1a2b3c4d)" in strip(html)


def test_who_looks_after_it_and_until_when_is_said_in_the_sites_time_or_in_utc_where_that_runs_otherwise() -> None:
    assert "acknowledged by duty desk until 11:32 <" in strip(large(alerts=(taken(),)))
    played = large(alerts=(taken(),), replay=True, occurred_ms=NOW_MS)
    assert "acknowledged by duty desk until 10:32 UTC <" in strip(played)


def test_of_another_day_since_carries_the_date_and_a_replayed_site_counts_by_its_own_clock() -> None:
    assert words.since(NOW_MS - 24 * HOUR_MS, "Europe/Paris", NOW_MS) == "since 23 Nov 10:32"
    occurred_ms = 1_125_084_720_000  # 2005-08-26 12:32 in Los Angeles
    played = large(
        alerts=(alert(opened_ms=occurred_ms),), replay=True, occurred_ms=occurred_ms, time_zone="America/Los_Angeles"
    )
    assert "since 12:32<" in strip(played)


def test_without_an_alert_there_is_an_empty_strip_and_no_count() -> None:
    assert 'class="alert"' not in strip(large())
    assert 'data-said=""' in strip(large())
    assert "data-alert-count>none open</span>" in page(site("a"))
    assert re.search(r'data-alert-mark="a" data-severity="" hidden></span>', page(site("a")))


def test_a_silence_is_an_alert_without_a_level() -> None:
    assert "Warning: silent" in strip(large(alerts=(alert(rule="silent", kind="silent", level=None),)))


def test_the_ranking_marks_the_sites_with_their_worst_alert_and_how_many_more() -> None:
    worse = alert(level=95, severity="serious")

    html = page(site("a", alerts=(worse, alert())), site("b", alerts=(taken(),)), site("c"))

    assert ">Serious: 95 % of capacity, and 1 more</span>" in html
    assert ">Warning: 85 % of capacity, acknowledged</span>" in html
    assert html.count(" hidden></span>") >= 1


def test_the_count_says_open_and_acknowledged_ones_apart() -> None:
    assert words.alerts(Count(1, 0)) == "1 alert open"
    assert words.alerts(Count(1_200, 2)) == "1,200 alerts open, 2 acknowledged"
    assert words.alerts(Count(0, 1)) == "0 alerts open, 1 acknowledged"
    assert words.alerts(Count()) == ""


def test_advice_names_and_posts_are_text_never_markup() -> None:
    evil = "<script>alert(1)</script>"

    for html in (
        large(alerts=(taken(zone_id="z", zone=evil, advice=evil, acknowledged_by=evil),)),
        page(site("a", alerts=(taken(zone_id="z", zone=evil, advice=evil, acknowledged_by=evil),))),
    ):
        assert "<script>alert" not in html


def test_the_script_can_tell_which_alerts_are_on_the_page() -> None:
    assert f'data-said="{alert().alert_id}:7"' in large(alerts=(alert(),))
