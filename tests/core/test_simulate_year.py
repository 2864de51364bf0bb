"""A simulated year adds up to the real totals, and a museum keeps its habits."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import ConfigError
from streams.simulate import holidays, reference, rhythm, world

YEAR = 2026
MUSEUMS = reference.museums()
KNOWN = [place for place in MUSEUMS if place.total_year is not None]
places = st.sampled_from([*MUSEUMS, *reference.monuments()])
days = st.dates(date(2024, 1, 1), date(2028, 12, 31))


def test_the_museums_are_all_there_with_their_real_totals() -> None:
    assert len(MUSEUMS) == 1_227
    assert len(KNOWN) == 1_098
    assert sum(place.yearly_total for place in KNOWN) == 65_669_214


def test_a_museum_without_a_figure_gets_its_categorys_median() -> None:
    totals = sorted(place.yearly_total for place in KNOWN if place.category == "Ecomusée")
    middle = len(totals) // 2
    median = totals[middle] if len(totals) % 2 else (totals[middle - 1] + totals[middle]) / 2

    estimated = {place.yearly_total for place in MUSEUMS if place.category == "Ecomusée" and place.total_year is None}

    assert estimated == {round(median)}


def test_monuments_have_the_total_of_the_year_before_the_pandemic() -> None:
    by_ref = {place.ref: place for place in reference.monuments()}

    assert len(by_ref) == 99
    assert by_ref["abbaye-de-cluny"].total_year == 2019
    assert all(place.yearly_total > 0 and place.latitude is None for place in by_ref.values())


def test_twenty_two_museums_lie_overseas_in_six_zones() -> None:
    overseas = [place for place in MUSEUMS if place.overseas]

    assert len(overseas) == 22
    assert {place.time_zone for place in overseas} == {
        "America/Guadeloupe", "America/Martinique", "America/Cayenne", "America/Miquelon", "Indian/Reunion",
        "Indian/Mayotte",
    }  # fmt: skip


@pytest.mark.parametrize("year", [2024, 2026])
def test_the_weights_of_a_year_add_up_to_the_yearly_total(year: int) -> None:
    for place in (*MUSEUMS, *reference.monuments()):
        assert rhythm.year_total(place, year) == pytest.approx(place.yearly_total)


def test_the_visitors_of_a_year_add_up_to_the_real_totals_within_two_percent() -> None:
    visitors = sum(rhythm.year_total(place, YEAR, seed=7) for place in KNOWN)

    assert visitors == pytest.approx(65_669_214, rel=0.02)


def test_a_year_with_one_day_twice_as_full_does_not_add_up() -> None:
    weights = list(rhythm.year_weights(KNOWN[0], YEAR))
    weights[weights.index(max(weights))] *= 2

    assert sum(weights) != pytest.approx(KNOWN[0].yearly_total)


@given(place=places, day=days, seed=st.integers(0, 9))
def test_nobody_comes_when_it_is_closed(place: reference.Place, day: date, seed: int) -> None:
    if not rhythm.rhythm(place).hours(day):
        assert rhythm.visitors(place, day, seed) == 0
        assert rhythm.expected(place, day) == 0


@given(place=places, day=days)
def test_open_stretches_follow_each_other(place: reference.Place, day: date) -> None:
    stretches = rhythm.rhythm(place).hours(day)

    minutes = [minute for stretch in stretches for minute in stretch]
    assert minutes == sorted(set(minutes))
    assert all(0 < minute < 24 * 60 for minute in minutes)


def test_most_museums_close_on_mondays_or_tuesdays() -> None:
    week = [date(2026, 6, 1) + timedelta(days=n) for n in range(7)]
    open_on = [sum(bool(rhythm.rhythm(place).hours(day)) for place in MUSEUMS) for day in week]

    assert max(open_on[:2]) < min(open_on[2:])
    assert min(open_on[2:]) == len(MUSEUMS)


def test_christmas_and_may_day_are_closed_everywhere() -> None:
    for day in (date(2026, 12, 25), date(2026, 5, 1), date(2026, 1, 1)):
        assert not any(rhythm.rhythm(place).hours(day) for place in MUSEUMS)


@pytest.mark.parametrize(
    ("year", "easter"),
    [(2024, date(2024, 3, 31)), (2025, date(2025, 4, 20)), (2026, date(2026, 4, 5)), (2027, date(2027, 3, 28))],
)
def test_easter_is_when_it_was_and_will_be(year: int, easter: date) -> None:
    assert holidays.easter(year) == easter
    assert len(holidays.bank_holidays(year)) == 11


def test_school_holidays_differ_by_academic_zone() -> None:
    winter = date(2026, 2, 10)  # zone A: 7 to 22 February; zone C: from 21 February

    assert holidays.is_school_holiday(winter, "69")
    assert not holidays.is_school_holiday(winter, "75")


def test_every_departement_of_the_reference_has_an_academic_zone() -> None:
    departments = {place.department for place in (*MUSEUMS, *reference.monuments())}

    assert departments <= set(holidays.ACADEMIC_ZONE)


def test_a_smaller_network_is_a_part_of_a_larger_one() -> None:
    assert reference.first(1_227)[:12] == reference.first(12)
    assert set(reference.first(1_227)) == set(MUSEUMS)
    assert set(reference.first(1_326)) - set(MUSEUMS) == set(reference.monuments())


@pytest.mark.parametrize("count", [0, 1_327])
def test_more_sites_than_there_are_is_refused_with_their_number(count: int) -> None:
    with pytest.raises(ConfigError, match="1,326 are available"):
        reference.first(count)


def test_simulated_sites_are_marked_and_never_share_an_id() -> None:
    seven, eight = (
        [world.simulated(place, world.tag(seed), date(2026, 11, 24)) for place in reference.first(1_326)]
        for seed in (7, 8)
    )

    assert all(site.simulated and site.replay for site in seven)
    assert len({site.site_id for site in seven + eight}) == 2 * 1_326
    assert len({handle for site in seven + eight for handle in site.handles}) == 2 * 1_326
    assert all(1 <= len(site.gates) <= 6 and 2 <= len(site.zones) <= 8 for site in seven)
    assert all(len(site.site_id) <= 80 for site in seven)
