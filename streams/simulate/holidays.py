"""Days off in France: bank holidays, and school holidays by academic zone.

Pure; the school calendar is ``data/school_holidays.csv`` (2024 to 2028). In other years no school holiday is known, so
none is assumed. Used by ``simulate.rhythm`` and ``simulate.visits``.
"""

import csv
from datetime import date, timedelta
from functools import cache

from streams.simulate.reference import DATA

# Académies since 2016. Corsica and the overseas départements have calendars of their own, which the file lacks: Corsica
# is taken like Nice, the others like Paris.
_ZONES = {
    "A": "01 03 07 15 16 17 19 21 23 24 25 26 33 38 39 40 42 43 47 58 63 64 69 70 71 73 74 79 86 87 89 90",
    "B": (
        "02 04 05 06 08 10 13 14 18 22 27 28 29 2A 2B 35 36 37 41 44 45 49 50 51 52 53 54 55 56 57 59 60 61 62 67 68 "
        "72 76 80 83 84 85 88"
    ),
    "C": "09 11 12 30 31 32 34 46 48 65 66 75 77 78 81 82 91 92 93 94 95 971 972 973 974 975 976",
}
ACADEMIC_ZONE = {department: zone for zone, told in _ZONES.items() for department in told.split()}
_FIXED = ((1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25))
_AFTER_EASTER = (1, 39, 50)  # Easter Monday, Ascension, Whit Monday


def easter(year: int) -> date:
    """Easter Sunday.

    Source: the Gregorian algorithm of Meeus, Jones and Butcher; J. Meeus, "Astronomical Algorithms", chapter 8.
    """
    century, rest = divmod(year, 100)
    moon = (19 * (year % 19) + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    week = (32 + 2 * (century % 4) + 2 * (rest // 4) - moon - rest % 4) % 7
    shift = (year % 19 + 11 * moon + 22 * week) // 451
    month, day = divmod(moon + week - 7 * shift + 114, 31)
    return date(year, month, day + 1)


@cache
def bank_holidays(year: int) -> frozenset[date]:
    """The eleven public holidays of the whole country."""
    moving = {easter(year) + timedelta(days=days) for days in _AFTER_EASTER}
    return frozenset({date(year, month, day) for month, day in _FIXED} | moving)


@cache
def _school_days_off() -> dict[str, frozenset[date]]:
    found: dict[str, set[date]] = {zone: set() for zone in _ZONES}
    with (DATA / "school_holidays.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            first, last = date.fromisoformat(row["first_day"]), date.fromisoformat(row["last_day"])
            found[row["zone"]] |= {first + timedelta(days=n) for n in range((last - first).days + 1)}
    return {zone: frozenset(days) for zone, days in found.items()}


def is_bank_holiday(day: date) -> bool:
    """Whether the whole country has the day off."""
    return day in bank_holidays(day.year)


def is_school_holiday(day: date, department: str) -> bool:
    """Whether the schools of a département are closed for holidays."""
    return day in _school_days_off()[ACADEMIC_ZONE[department]]
