"""The first paint: what a browser without a script shows, from documents of every shape the feed may give."""

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from streams.config import load
from streams.console import paint, server, words
from streams.console.assets import Assets
from streams.console.documents import Bin, Day, Gate, Now, Pipeline, Site, State

NOW_MS = 1_795_512_724_957  # 2026-11-24 09:32:04.957 UTC
SETTINGS = load({})
ASSETS = Assets.load(Path(server.__file__).parent / "static")


def site(site_id: str = "louvre", **changes: object) -> Site:
    fields: dict[str, object] = {
        "name": "Musée du Louvre",
        "time_zone": "Europe/Paris",
        "replay": False,
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


def page(*sites: Site, asked: str | None = None, missing: tuple[str, ...] = ()) -> str:
    now = Now(NOW_MS, 4000, Pipeline("live", NOW_MS - 800, missing), sites)
    hero = {one.site_id: one for one in sites}.get(asked) if asked else paint.moving(sites)
    context = paint.context(now, asked=asked, hero=hero, day=day() if hero else None, assets=ASSETS)
    return paint.environment().get_template("page.html").render(**context, settings=SETTINGS)


def test_a_figure_carries_its_site_its_raw_value_and_its_state() -> None:
    html = page(site())

    assert (
        'data-figure="inside" data-site="louvre" data-state="live" data-value="12480" data-digits="6">12,480</span>'
        in html
    )
    assert 'data-figure="entries" data-site="louvre" data-gate="pyramid"' in html


def test_the_age_tells_the_state_in_words() -> None:
    assert "counted 0.8 s ago" in page(site())
    assert "last scan 2 min ago" in page(site(state="quiet", received_ms=NOW_MS - 130_000))
    assert "no scan yet" in page(site(state="quiet", received_ms=None, occurred_ms=None))
    assert "stale since 10:31:44" in page(site(state="stale", confirmed_ms=NOW_MS - 20_000))
    assert "not counted yet" in page(site(state="stale", confirmed_ms=None))


def test_a_replayed_site_has_a_banner_with_its_note_and_its_own_clock() -> None:
    occurred_ms = 1_125_084_720_000  # 2005-08-26 12:32 in Los Angeles

    html = page(site(replay=True, note="A day of 2005", time_zone="America/Los_Angeles", occurred_ms=occurred_ms))

    banner = html[html.index('id="banner"') : html.index("<header")]
    assert "hidden" not in banner.split(">")[0]
    assert "A day of 2005" in banner
    assert "Friday 26 August 2005, 12:32" in banner


def test_a_live_site_has_no_banner() -> None:
    assert re.search(r'id="banner"[^>]* hidden>', page(site()))


def test_capacity_is_told_as_a_share_and_going_over_it_in_words() -> None:
    assert "39 % of 120<" in page(site(inside=47, capacity=120))
    assert "100 % of 120<" in page(site(inside=120, capacity=120))
    assert "150 % of 120, over capacity<" in page(site(inside=180, capacity=120))
    assert "data-share" not in page(site(capacity=None))


def test_denied_is_shown_only_when_somebody_was() -> None:
    assert '<div class="denied" hidden>' in page(site(denied=0))
    assert '<div class="denied">' in page(site(denied=3))


def test_a_level_below_zero_is_shown_as_nought_and_said() -> None:
    assert "Shown as 0: 17 more went out than came in." in page(site(inside=0, drift=17))


def test_an_unknown_site_gets_a_sentence_and_links_to_the_known_ones() -> None:
    html = page(site("louvre"), site("orsay"), asked="nope")

    assert "No site is called “nope”." in html
    assert 'href="?site=louvre"' in html
    assert 'href="?site=orsay"' in html


def test_before_the_first_site_the_page_says_what_to_try() -> None:
    html = page()

    assert "Waiting for the first scan" in html
    assert f"curl {SETTINGS.gateway_url}/v1/events" in html


def test_a_missing_dependency_is_named_instead() -> None:
    assert "Waiting for kafka and redis" in page(missing=("kafka", "redis"))


def test_names_and_notes_are_text_never_markup() -> None:
    evil = '<script>alert(1)</script>"'

    html = page(site("a&b", name=evil, note=evil, replay=True), site("c"), asked=None)

    assert "<script>alert" not in html
    assert 'href="?site=c"' in html
    assert "No site is called “&lt;b&gt;”" in page(site(), asked="<b>")


@pytest.mark.parametrize(
    ("states", "ages_s", "chosen"),
    [
        (("quiet", "live", "live"), (9, 3, 1), 1),
        (("quiet", "quiet", "stale"), (900, 6, 7), 1),
        (("stale", "stale", "stale"), (9, 8, 7), 2),
    ],
)
def test_the_first_live_site_is_the_large_one_or_else_the_one_scanned_last(
    states: Sequence[State], ages_s: Sequence[int], chosen: int
) -> None:
    sites = [
        site(f"s{place}", state=state, received_ms=NOW_MS - 1000 * age_s)
        for place, (state, age_s) in enumerate(zip(states, ages_s, strict=True))
    ]

    assert paint.moving(sites) is sites[chosen]


def test_a_site_without_a_scan_comes_after_those_with_one() -> None:
    never, scanned = site("a", state="quiet", received_ms=None), site("b", state="quiet")

    assert paint.moving([never, scanned]) is scanned
    assert paint.moving([never]) is never
    assert paint.moving([]) is None


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
