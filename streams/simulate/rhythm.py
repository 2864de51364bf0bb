"""How a museum's year goes: when it is open, and how its yearly total falls on the days.

Pure. A day's weight is season × weekday × holidays, 0 where it is closed, scaled so that **the weights of a year add up
to the real yearly total**. What is assumed stands here as tables: they follow the habits of French museums (closed on
Mondays or Tuesdays, summer and Sundays full) and are no measurement. A museum's own habits come from a hash of its
reference, so that it is the same museum whatever the seed. Used by ``simulate.world`` and ``simulate.visits``.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import TypeVar

from streams.simulate import chance, holidays
from streams.simulate.reference import Place

_MUSEUM_MONTHS = (0.65, 0.80, 0.85, 1.10, 1.15, 1.00, 1.35, 1.50, 1.00, 1.00, 0.85, 0.80)
_MONUMENT_MONTHS = (0.40, 0.55, 0.70, 1.15, 1.20, 1.10, 1.60, 1.90, 1.10, 1.00, 0.60, 0.55)
_WEEKDAYS = (0.85, 0.90, 1.00, 0.90, 0.90, 1.25, 1.35)
_SCHOOL_HOLIDAY = 1.25
_BANK_HOLIDAY = 1.30
_FREE_SUNDAY = 1.50
# Closing days (0 is Monday) and how many museums of 100 keep them.
_CLOSED = (((), 15), ((0,), 33), ((1,), 42), ((0, 1), 10))
_ALWAYS_CLOSED = {(1, 1), (5, 1), (12, 25)}
_LARGE, _SMALL = 300_000, 20_000  # visits a year
_NOON = (12 * 60, 13 * 60 + 30)
_WINTER_MONTHS = {11, 12, 1, 2, 3}
_WEATHER_SHARED, _WEATHER_OWN = 0.08, 0.10  # spread of a day around its weight: the region's, the museum's own

_Choice = TypeVar("_Choice")


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A museum's habits.

    Attributes:
        closed_weekdays: 0 is Monday.
        winter_closed: opens from April to October only.
        opens, closes: minutes after local midnight.
        noon_closed: nobody is let in from 12:00 to 13:30, and everybody has to leave.
        late_weekday: open until 21:00 that day, ``None`` never.
        free_sunday: the first Sunday of a month is free.
    """

    closed_weekdays: frozenset[int]
    winter_closed: bool
    opens: int
    closes: int
    noon_closed: bool
    late_weekday: int | None
    free_sunday: bool

    def hours(self, day: date) -> list[tuple[int, int]]:
        """Open stretches of a day, minutes after local midnight; empty where it is closed."""
        if (
            day.weekday() in self.closed_weekdays
            or (day.month, day.day) in _ALWAYS_CLOSED
            or (self.winter_closed and day.month in _WINTER_MONTHS)
        ):
            return []
        closes = 21 * 60 if day.weekday() == self.late_weekday else self.closes
        if self.noon_closed:
            return [(self.opens, _NOON[0]), (_NOON[1], closes)]
        return [(self.opens, closes)]


def _habit(place: Place, name: str) -> random.Random:
    """Chance that is the same for a museum and habit on every machine, and independent of other habits."""
    return chance.of(place.ref, name)


def _pick(luck: random.Random, choices: Sequence[tuple[_Choice, int]]) -> _Choice:
    return luck.choices([one for one, _ in choices], [share for _, share in choices])[0]


@lru_cache(maxsize=4096)
def rhythm(place: Place) -> Rhythm:
    """The habits of a museum or monument."""
    large, small = place.yearly_total >= _LARGE, place.yearly_total < _SMALL
    closed = _pick(_habit(place, "closed"), _CLOSED)
    if place.monument and large:
        closed = ()
    elif large:
        closed = closed[:1] or (1,)
    return Rhythm(
        closed_weekdays=frozenset(closed),
        winter_closed=small and _habit(place, "winter").random() < 0.2,
        opens=_pick(_habit(place, "opens"), ((9 * 60, 20), (9 * 60 + 30, 15), (10 * 60, 65))),
        closes=_pick(_habit(place, "closes"), ((17 * 60, 20), (17 * 60 + 30, 15), (18 * 60, 55), (18 * 60 + 30, 10))),
        noon_closed=small and _habit(place, "noon").random() < 0.4,
        late_weekday=_pick(_habit(place, "late"), ((3, 50), (4, 50))) if large and not place.monument else None,
        free_sunday=not place.monument and _habit(place, "free").random() < 0.4,
    )


def _raw(place: Place, habits: Rhythm, day: date) -> float:
    """Weight before scaling."""
    if not habits.hours(day):
        return 0.0
    bank = holidays.is_bank_holiday(day)
    weight = (_MONUMENT_MONTHS if place.monument else _MUSEUM_MONTHS)[day.month - 1]
    weight *= _BANK_HOLIDAY if bank else _WEEKDAYS[day.weekday()]
    if holidays.is_school_holiday(day, place.department):
        weight *= _SCHOOL_HOLIDAY
    if habits.free_sunday and day.weekday() == 6 and day.day <= 7:
        weight *= _FREE_SUNDAY
    return weight


@lru_cache(maxsize=2048)
def year_weights(place: Place, year: int) -> tuple[float, ...]:
    """Visits to be expected on each day of a year, from 1 January; their sum is ``place.yearly_total``."""
    habits = rhythm(place)
    start = date(year, 1, 1)
    days = (date(year + 1, 1, 1) - start).days
    raw = [_raw(place, habits, start + timedelta(days=n)) for n in range(days)]
    scale = place.yearly_total / sum(raw)
    return tuple(weight * scale for weight in raw)


def expected(place: Place, day: date) -> float:
    """Visits to be expected on a day."""
    return year_weights(place, day.year)[day.timetuple().tm_yday - 1]


def busiest(place: Place, year: int) -> float:
    """Visits to be expected on the busiest day of a year."""
    return max(year_weights(place, year))


def visitors(place: Place, day: date, seed: int) -> int:
    """People who come on a day: what is expected, times the weather of the département and the museum's own luck."""
    weight = expected(place, day)
    if not weight:
        return 0
    shared = chance.of(seed, day, "weather", place.department)
    own = chance.of(seed, day, "luck", place.ref)
    factor = 1 + shared.gauss(0, _WEATHER_SHARED) + own.gauss(0, _WEATHER_OWN)
    return int(max(0.0, weight * factor) + own.random())


def year_total(place: Place, year: int, seed: int | None = None) -> float:
    """Visits of a year: the sum of the weights, or of the people who come with ``seed``."""
    if seed is None:
        return sum(year_weights(place, year))
    start = date(year, 1, 1)
    days = (date(year + 1, 1, 1) - start).days
    return sum(visitors(place, start + timedelta(days=n), seed) for n in range(days))
