"""The first paint: what a browser without a script shows, from documents of every shape the feed may give."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from streams.config import load
from streams.console import paint, shell
from streams.console.documents import (
    Bin,
    Day,
    Device,
    Gate,
    Network,
    Now,
    Pipeline,
    Played,
    Rebuilding,
    Site,
    Voice,
    Web,
    Zone,
)
from streams.console.i18n import LANGUAGES
from streams.console.words import Words

NOW_MS = 1_795_512_724_957  # 2026-11-24 09:32:04.957 UTC
SETTINGS = load({})
ASSETS = shell.load_assets()
words = Words()


def site(site_id: str = "louvre", **changes: object) -> Site:
    fields: dict[str, object] = {
        "name": "Musée du Louvre",
        "time_zone": "Europe/Paris",
        "replay": False,
        "partition": 3,
        "business_day": "2026-11-24",
        "inside": 12_480,
        "entries": 13_000,
        "exits": 520,
        "denied": 0,
        "state": "live",
        "occurred_ms": NOW_MS - 900,
        "received_ms": NOW_MS - 850,
        "confirmed_ms": NOW_MS - 800,
        "gates": (Gate("pyramid", "Pyramid", 13_000, 520, 0),),
    }
    return Site(site_id=site_id, **(fields | changes))  # type: ignore[arg-type]  # fields by name, checked by msgspec


def day(bins: Sequence[Bin] = (), on: str = "2026-11-24", zone: str = "Europe/Paris") -> Day:
    start = datetime.fromisoformat(on).replace(tzinfo=ZoneInfo(zone))
    start_ms = round(start.timestamp() * 1000)
    return Day(on, zone, start_ms, start_ms + 24 * 3_600_000, tuple(bins))


def network(*sites: Site, known: int | None = None) -> Network:
    heard = [one for one in sites if one.heard]
    made_up = [one for one in heard if one.replay or one.simulated]
    return Network(
        len(sites) if known is None else known,
        len(heard),
        sum(one.inside for one in heard),
        sum(one.entries for one in heard),
        sum(one.exits for one in heard),
        Played(
            len(made_up),
            sum(one.inside for one in made_up),
            sum(one.entries for one in made_up),
            sum(one.simulated for one in heard),
        ),
        "live",
        NOW_MS - 800,
        NOW_MS - 850,
    )


def page(
    *sites: Site,
    asked: str | None = None,
    missing: tuple[str, ...] = (),
    known: int | None = None,
    rebuilding: Rebuilding | None = None,
    language: str = "en",
) -> str:
    pipeline = Pipeline("live", NOW_MS - 800, missing)
    now = Now(NOW_MS, 4000, pipeline, network(*sites, known=known), sites, rebuilding)
    hero = {one.site_id: one for one in sites}.get(asked) if asked else None
    more: dict[str, Any] = paint.site(now, hero, day()) if hero else paint.overview(now)
    name = "site.html" if hero else "overview.html"
    if asked and not hero:
        name, more = "lost.html", {"unknown_site": asked, "known": [one.site_id for one in sites]}
    context = {
        **shell.context(now, ASSETS, LANGUAGES[language], hero=hero),
        "settings": SETTINGS,
        "access": None,
        **more,
    }
    return shell.environment().get_template(name).render(**context)


def large(**changes: Any) -> str:
    """The page of one site."""
    return page(site(**changes), asked="louvre")


def banner(html: str) -> str:
    return html[html.index('id="banner"') : html.index("<header")]


def test_a_figure_carries_its_site_its_raw_value_and_its_state() -> None:
    html = large()

    assert (
        'data-figure="inside" data-site="louvre" data-state="live" data-value="12480" data-digits="6">12,480</span>'
        in html
    )
    assert 'data-figure="entries" data-site="louvre" data-gate="pyramid"' in html


def test_the_age_tells_the_state_in_words() -> None:
    assert "counted 0.8 s ago" in large()
    assert "last heard 2 min ago" in large(state="quiet", received_ms=NOW_MS - 130_000)
    assert "not heard yet" in large(state="quiet", received_ms=None, occurred_ms=None)
    assert "stale since 10:31:44" in large(state="stale", confirmed_ms=NOW_MS - 20_000)
    assert "not counted yet" in large(state="stale", confirmed_ms=None)


def test_a_site_that_is_being_rebuilt_says_so_and_no_figure_of_it_is_live() -> None:
    rebuilding = Rebuilding(NOW_MS - 86_400_000, NOW_MS, NOW_MS, 0.4399, 57, (3,))

    html = page(site(state="rebuilding", confirmed_ms=None), asked="louvre", rebuilding=rebuilding)

    assert "Rebuilding from Kafka: from Mon 10:32 to Tue 10:32, 43 %</p>" in html
    assert "being rebuilt" in html
    assert set(re.findall(r'data-figure="[^>]*data-state="([a-z]+)"', html)) == {"rebuilding"}
    assert "from Mon 09:32 to Tue 09:32 UTC, 43 %" in page(site(), rebuilding=rebuilding)
    assert re.search(r'id="rebuilding" hidden></p>', large())


def test_a_replayed_site_has_a_banner_with_its_note_and_its_own_clock() -> None:
    occurred_ms = 1_125_084_720_000  # 2005-08-26 12:32 in Los Angeles

    said = banner(large(replay=True, note="A day of 2005", time_zone="America/Los_Angeles", occurred_ms=occurred_ms))

    assert "hidden" not in said.split(">")[0]
    assert "A day of 2005" in said
    assert "Friday 26 August 2005, 12:32" in said
    assert "SIMULATED" not in said


def test_a_simulated_site_says_so_in_words_whatever_its_note() -> None:
    said = banner(large(replay=True, simulated=True, note="Round 3"))

    assert "hidden" not in said.split(">")[0]
    assert "<strong>SIMULATED</strong>" in said
    assert "a program made up every figure on this page. <bdi>Round 3</bdi>" in said


def test_the_overview_says_how_many_of_its_sites_are_simulated() -> None:
    made_up, real = site("a", replay=True, simulated=True), site("b")

    assert "made up every figure on this page" in banner(page(made_up))
    assert "made up the figures of 1 of these 2 sites" in banner(page(made_up, real))
    assert re.search(r'id="banner"[^>]* hidden>', page(real))


def test_a_live_site_has_no_banner() -> None:
    assert re.search(r'id="banner"[^>]* hidden>', large())


def test_capacity_is_told_as_a_share_and_going_over_it_in_words() -> None:
    assert "39 % of 120<" in large(inside=47, capacity=120)
    assert "100 % of 120<" in large(inside=120, capacity=120)
    assert "150 % of 120, over capacity<" in large(inside=180, capacity=120)
    assert "data-share" not in large(capacity=None)


def test_denied_is_shown_only_when_somebody_was() -> None:
    assert '<div class="denied" hidden>' in large(denied=0)
    assert '<div class="denied">' in large(denied=3)


def test_distinct_tickets_stand_beside_the_entries_when_there_were_any() -> None:
    assert '<p class="unit" data-tickets="louvre">1,204 tickets</p>' in large(tickets=1_204)
    assert '<p class="unit" data-tickets="louvre">1 ticket</p>' in large(tickets=1)
    assert '<p class="unit" data-tickets="louvre" hidden></p>' in large()


def test_a_level_below_zero_is_shown_as_nought_and_said() -> None:
    assert "Shown as 0: 17 more went out than came in." in large(inside=0, drift=17)


def test_what_the_other_families_say_is_shown_where_there_is_something() -> None:
    html = large(
        voice=Voice(12, 9, 4.26, 3),
        web=Web(1_234),
        zones_ms=NOW_MS - NOW_MS % 60_000,
        zones=(Zone("nave", "Nave", 17),),
        devices=(Device("turnstile-1", NOW_MS - 9_000, NOW_MS - 8_000),),
    )

    assert 'data-figure="voice.mean_rating" data-site="louvre" data-state="live" data-value="4.26"' in html
    assert ">4.3</span>" in html
    assert 'data-figure="web.page_views" data-site="louvre" data-state="live" data-value="1234"' in html
    assert 'data-figure="sessions" data-site="louvre" data-zone="nave" data-state="live" data-value="17"' in html
    assert "turnstile-1" in html
    assert "last heard 8.0 s ago" in html
    assert html.count('<div class="maybe" hidden>') == 1  # nobody acted


def test_a_site_that_only_scans_shows_no_other_figures() -> None:
    html = large()

    assert html.count('<div class="maybe" hidden>') == 5
    assert "Zones" not in html
    assert "Devices" not in html


# -- the overview ----------------------------------------------------------------------------------------------------


def rows(html: str) -> list[str]:
    return re.findall(r'data-row="([^"]*)"', html)


def test_sites_stand_by_share_of_capacity_then_people_inside_and_without_a_capacity_last() -> None:
    sites = [
        site("large", inside=900, capacity=None),
        site("half", inside=50, capacity=100),
        site("crowded", inside=120, capacity=100),
        site("half-but-more", inside=500, capacity=1000),
        site("small", inside=9, capacity=None),
    ]

    assert rows(page(*sites)) == ["crowded", "half-but-more", "half", "large", "small"]


def test_the_sums_are_the_networks_and_sites_never_heard_are_only_counted() -> None:
    html = page(site("a", inside=5), site("b", inside=6), site("mute", received_ms=None, state="quiet"), known=1_168)

    assert 'data-figure="inside" data-site="" data-state="live" data-value="11"' in html
    assert 'data-figure="sites_heard" data-site="" data-state="live" data-value="2"' in html
    assert "1,166 more sites, not heard yet" in html
    assert rows(html) == ["b", "a"]


def test_of_sums_with_simulated_and_real_people_the_simulated_part_is_said() -> None:
    mixed = page(site("a", inside=5, entries=9, simulated=True, replay=True), site("b", inside=6))

    assert "5 of them inside simulated or replayed sites, 9 of the entries" in mixed
    assert '<p class="played" data-played hidden></p>' in page(site("b"))


def test_a_list_beyond_reading_ends_and_says_how_many_are_left_out() -> None:
    html = page(*(site(f"s{place:04d}", inside=place) for place in range(paint.LISTED + 7)))

    assert len(rows(html)) == paint.LISTED
    assert "7 more sites are heard and not listed" in html


def test_an_unknown_site_gets_a_sentence_and_links_to_the_known_ones() -> None:
    html = page(site("louvre"), site("orsay"), asked="nope")

    assert "No site is called “nope”." in html
    assert 'href="/site/louvre"' in html
    assert 'href="/site/orsay"' in html


def test_before_the_first_event_the_page_says_what_to_try() -> None:
    html = page()

    assert "Waiting for the first scan" in html
    assert f"curl {SETTINGS.gateway_url}/v1/events" in html
    assert "11 sites are known, none was heard yet." in page(known=11)


def test_a_missing_dependency_is_named_instead() -> None:
    assert "Waiting for kafka and redis" in page(missing=("kafka", "redis"))


def test_names_and_notes_are_text_never_markup() -> None:
    evil = '<script>alert(1)</script>"'
    changes: dict[str, Any] = {
        "name": evil, "note": evil, "place": evil, "replay": True, "zones_ms": NOW_MS, "zones": (Zone("z", evil, 1),),
        "devices": (Device(evil, 1, 2),), "gates": (Gate(evil, evil, 1, 1, 1),),
    }  # fmt: skip

    for html in (page(site("a&b", **changes), asked="a&b"), page(site("a&b", **changes))):
        assert "<script>alert" not in html
    assert 'href="/site/a%26b"' in html
    assert "No site is called “&lt;b&gt;”" in page(site(), asked="<b>")


# -- the day ---------------------------------------------------------------------------------------------------------


def quarter(of: Day, hour: float, inside: int = 0, entries: int = 0) -> Bin:
    return Bin(of.start_ms + round(hour * 3_600_000), entries, 0, 0, inside)


def test_a_quiet_day_shows_eight_to_twenty() -> None:
    view = paint.day_view(day(), NOW_MS)

    assert (view.from_clock, view.to_clock, view.line) == ("08:00", "20:00", "")


def test_the_hours_widen_to_wherever_somebody_passed() -> None:
    # 06:00 ...... 08:00 ------------------ 20:00 .... 23:00
    #      ^ 06:30                                 ^ 22:15
    empty = day()
    bins = [quarter(empty, 6.5, 1, entries=1), quarter(empty, 12, 1), quarter(empty, 22.25, 2, entries=1)]

    view = paint.day_view(day(bins), NOW_MS)

    assert (view.from_clock, view.to_clock, view.highest) == ("06:00", "23:00", 2)


def test_the_line_begins_with_the_level_before_and_ends_at_the_sites_clock() -> None:
    empty = day()
    bins = [quarter(empty, 8, 10, entries=10), quarter(empty, 8.25, 20, entries=10)]
    clock_ms = empty.start_ms + round(8.3 * 3_600_000)

    view = paint.day_view(day(bins), clock_ms)

    assert [end_ms for end_ms, _ in view.bins] == [bins[0].start_ms + 900_000, clock_ms]
    assert view.line.startswith(f"M0.0 {paint.DRAWING[1]:.1f} ")


@pytest.mark.parametrize("on", ["2026-03-29", "2026-10-25"])
def test_the_days_of_the_clock_change_show_the_same_hours(on: str) -> None:
    view = paint.day_view(day(on=on), NOW_MS)

    assert (view.from_clock, view.to_clock) == ("08:00", "20:00")


# -- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (-5, "0.0 s"),
        (849, "0.8 s"),
        (9_999, "9.9 s"),
        (59_999, "59 s"),
        (130_000, "2 min"),
        (3 * 3_600_000, "3 h"),
        (3 * 86_400_000, "3 days"),
    ],
)
def test_a_span_is_said_in_one_unit_and_never_rounded_up(ms: int, said: str) -> None:
    assert words.span(ms) == said


def test_a_moment_long_ago_carries_its_date() -> None:
    assert words.moment(NOW_MS, "Europe/Paris", NOW_MS) == "10:32:04"
    assert words.moment(NOW_MS - 86_400_000, "Europe/Paris", NOW_MS) == "23 Nov 10:32:04"


@pytest.mark.parametrize(("mean", "said"), [(None, "–"), (4.26, "4.3"), (4.25, "4.3"), (4.24, "4.2"), (5.0, "5.0")])
def test_a_mean_rating_has_one_decimal_and_a_tie_goes_up(mean: float | None, said: str) -> None:
    assert words.rating(mean) == said


def test_a_silent_device_of_a_stale_site_is_not_to_blame() -> None:
    assert words.device(NOW_MS - 60_000, "live", NOW_MS) == "last heard 1 min ago"
    assert words.device(NOW_MS - 60_000, "stale", NOW_MS) == "last heard 1 min ago, counting stopped"
