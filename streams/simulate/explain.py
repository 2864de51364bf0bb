"""What a simulated year adds up to, in words. Called by ``musee simulate --explain``."""

from collections.abc import Iterator
from datetime import date, timedelta

from streams.simulate import holidays, rhythm, visits
from streams.simulate.reference import Place, first

_SHOWN = 10


def lines(count: int, year: int, seed: int) -> Iterator[str]:
    """The sums of a year's day weights and visitors beside the real totals, and what is assumed.

    Args:
        count: so many of the fixed order of places.
        year: which one.
        seed: of the visitors.
    """
    places = first(count)
    known = [place for place in places if place.total_year is not None]
    yield f"SIMULATED year {year}, {count:,} sites, seed {seed}"
    yield ""
    yield f"{'sites':<34} {'real totals':>12} {'day weights':>12} {'visitors':>12} {'off':>7}"
    yield _sums(f"{len(known):,} with a figure of their own", known, year, seed)
    if len(known) < len(places):
        others = [place for place in places if place.total_year is None]
        yield _sums(f"{len(others):,} estimated (category's median)", others, year, seed)
    yield ""
    yield from (_sums(place.name[:34], [place], year, seed) for place in sorted(known, key=_by_total)[:_SHOWN])
    yield ""
    yield "A day's weight is season × weekday × holidays, 0 on closing days, scaled to the yearly total."
    yield f"Bank holidays: {', '.join(f'{day:%d.%m.}' for day in sorted(holidays.bank_holidays(year)))}"
    day = date(year, 1, 1)
    off = sum(holidays.is_school_holiday(day + timedelta(days=n), "75") for n in range(365))
    yield f"School holidays in Paris: {off} days" + ("" if off else " (the calendar covers 2024 to 2028)")
    yield from (visits.__doc__ or "").strip().splitlines()[2:]


def _by_total(place: Place) -> tuple[int, str]:
    return -place.yearly_total, place.ref


def _sums(name: str, places: list[Place], year: int, seed: int) -> str:
    real = sum(place.yearly_total for place in places)
    weights = sum(rhythm.year_total(place, year) for place in places)
    people = sum(rhythm.year_total(place, year, seed) for place in places)
    off = (people - real) / real * 100 if real else 0.0
    return f"{name:<34} {real:>12,} {weights:>12,.0f} {people:>12,.0f} {off:>+6.2f}%"
