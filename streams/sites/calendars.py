"""What a calendar may say: its keys, what each must look like, and how a table of them becomes a ``Calendar`` and back.

    site = "example"               # left out where the calendar is the [calendar] of a site's file
    time_zone = "Europe/Paris"     # may be left out; else it is the site's
    grace_min = 60                 # may be left out: minutes after closing from which the site counts as empty
    [week]                         # a weekday that is left out is closed
    tuesday = ["10:00-18:00"]
    friday = ["10:00-12:30", "14:00-01:30"]   # after midnight: up to the end of the site's business day
    [[exceptions]]
    date = 2026-12-25
    hours = []                     # closed
    reason = "Christmas"

In a site's file the same stands under ``[calendar]``, ``[calendar.week]`` and ``[[calendar.exceptions]]``. Used by
``sites.files``, ``sites.layout`` and ``sites.calendar_files``.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from streams.core.calendar import GRACE_MIN, Calendar, ExceptionalDay, Stretch
from streams.core.sites import Site
from streams.sites.flaws import Flaw, short
from streams.sites.positions import Place

Table = Mapping[str, Any]

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_KEYS = ("site", "time_zone", "grace_min", "week", "exceptions")
_EXCEPTION_KEYS = ("date", "hours", "reason")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d) ?[-–] ?(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")
_WRITE_HOURS = 'write open stretches such as ["10:00-12:30", "14:00-18:00"], or [] for closed'
_DAY_MIN = 24 * 60
_LONGEST_GRACE_MIN = 720


def flaws(table: object, below: Place, site: Site | None) -> list[Flaw]:
    """Everything that is wrong with a calendar.

    Args:
        table: as it was read.
        below: path of the table in its document.
        site: whose it is; ``None`` while that is not known: then what the site decides is not judged.
    """
    if not isinstance(table, Mapping):
        return [Flaw(below, f"= {short(table)} is not right", "write a [calendar] table with [calendar.week]")]
    return list(_flaws(table, below, site))


def calendar(table: Table, site: Site) -> Calendar:
    """The calendar that a table without flaws describes."""
    week = table["week"]
    exceptions = [
        ExceptionalDay(_date(row["date"]) or date.max, _read(row["hours"]), row["reason"])
        for row in table.get("exceptions", ())
    ]
    return Calendar(
        site.site_id,
        tuple(_read(week.get(name, [])) for name in WEEKDAYS),
        tuple(sorted(exceptions, key=lambda one: one.day)),
        table.get("grace_min", GRACE_MIN),
    )


def table(calendar: Calendar) -> dict[str, Any]:
    """The keys that describe a calendar, without its site; what has its default is left out."""
    said: dict[str, Any] = {} if calendar.grace_min == GRACE_MIN else {"grace_min": calendar.grace_min}
    week = zip(WEEKDAYS, calendar.week, strict=True)
    said["week"] = {name: _written(stretches) for name, stretches in week if stretches}
    if calendar.exceptions:
        said["exceptions"] = [
            {"date": one.day.isoformat(), "hours": _written(one.hours), "reason": one.reason}
            for one in calendar.exceptions
        ]
    return said


# -- faults ----------------------------------------------------------------------------------------------------------


def _flaws(table: Table, below: Place, site: Site | None) -> Iterator[Flaw]:
    known = _KEYS if not below else _KEYS[1:]
    yield from _unknown(table, known, below, "a calendar")
    end_min = None if site is None else site.business_day_end_hour * 60
    zone = table.get("time_zone")
    if zone is not None and not _is_zone(zone):
        yield Flaw((*below, "time_zone"), f"= {short(zone)} is not right", "write an IANA time zone, or remove it")
    elif zone is not None and site is not None and zone != site.time_zone:
        yield Flaw(
            (*below, "time_zone"), f"= {short(zone)} is not the site's", f'write "{site.time_zone}" or remove it'
        )
    grace = table.get("grace_min", GRACE_MIN)
    if isinstance(grace, bool) or not isinstance(grace, int) or not 0 <= grace <= _LONGEST_GRACE_MIN:
        yield Flaw((*below, "grace_min"), f"= {short(grace)} is not right", "write whole minutes from 0 to 720")
    week = table.get("week")
    if not isinstance(week, Mapping):
        yield Flaw((*below, "week"), "is missing" if week is None else f"= {short(week)} is not right", "add [week]")
    else:
        yield from _unknown(week, WEEKDAYS, (*below, "week"), "a weekday")
        for name in WEEKDAYS:
            if name in week:
                yield from _hours(week[name], (*below, "week", name), end_min)
    rows = table.get("exceptions", [])
    if not isinstance(rows, list):
        yield Flaw((*below, "exceptions"), f"= {short(rows)} is not right", "write [[exceptions]] tables")
        return
    seen: set[date] = set()
    for index, row in enumerate(rows):
        place = (*below, "exceptions", index)
        if isinstance(row, Mapping):
            yield from _exception(row, place, end_min, seen)
        else:
            yield Flaw(place, f"= {short(row)} is not right", "write an [[exceptions]] table with date, hours, reason")


def _unknown(table: Table, known: tuple[str, ...], below: Place, what: str) -> Iterator[Flaw]:
    for name in table:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            fix = f"write {near[0]}" if near else f"remove it; known: {', '.join(known)}"
            yield Flaw((*below, name), f"is no key of {what}" if what != "a weekday" else "is no weekday", fix)


def _exception(row: Table, place: Place, end_min: int | None, seen: set[date]) -> Iterator[Flaw]:
    yield from _unknown(row, _EXCEPTION_KEYS, place, "an exception")
    day = _date(row.get("date"))
    if day is None:
        wrong = "is missing" if "date" not in row else f"= {short(row['date'])} is no day"
        yield Flaw((*place, "date"), wrong, "write a day such as 2026-12-25")
    elif day in seen:
        yield Flaw((*place, "date"), f"= {day.isoformat()} stands twice", "give every day once, with all its hours")
    else:
        seen.add(day)
    if "hours" not in row:
        yield Flaw((*place, "hours"), "is missing", _WRITE_HOURS)
    else:
        yield from _hours(row["hours"], (*place, "hours"), end_min)
    reason = row.get("reason")
    if not isinstance(reason, str) or not reason.strip() or len(reason) > 200:
        wrong = "is missing" if reason is None else f"= {short(reason)} is not right"
        yield Flaw((*place, "reason"), wrong, "say why the day is another one, up to 200 characters")


def _hours(said: object, place: Place, end_min: int | None) -> Iterator[Flaw]:
    if not isinstance(said, list):
        yield Flaw(place, f"= {short(said)} is not right", _WRITE_HOURS)
        return
    found: list[Stretch] = []
    for one in said:
        read = _stretch(one)
        if read is None:
            yield Flaw(place, f"= {short(one)} is no stretch of time", _WRITE_HOURS)
            continue
        fault = _backward(read, one, end_min)
        if fault is not None:
            yield Flaw(place, *fault)
        else:
            found.append(_forward(read))
    for before, after in pairwise(sorted(found)):
        if after.opens_min < before.closes_min:
            wrong = f": {_text(before)} and {_text(after)} overlap"
            yield Flaw(place, wrong, "let one end before the next begins, or write them as one")


def _backward(read: Stretch, said: object, end_min: int | None) -> tuple[str, str] | None:
    """What is wrong with one stretch, and its fix."""
    if read.opens_min == read.closes_min:
        return f"= {short(said)} is no time at all", "let it close after it opens"
    if end_min is None:
        return None
    ends = f"{end_min // 60:02d}:00"
    if read.opens_min < end_min:
        wrong = f"= {short(said)} opens before the site's business day begins, at {ends}"
        return wrong, "give it to the day before, or let the day end earlier (business_day_end)"
    if read.closes_min < read.opens_min and read.closes_min > end_min:
        wrong = f"= {short(said)} closes before it opens; the site's business day ends at {ends}"
        return wrong, "let it close after it opens, or let the day end later (business_day_end)"
    return None


# -- reading and writing ---------------------------------------------------------------------------------------------


def _stretch(said: object) -> Stretch | None:
    """As written: a closing after midnight is still before the opening."""
    found = _HOURS.fullmatch(said) if isinstance(said, str) else None
    if found is None:
        return None
    opens = int(found[1]) * 60 + int(found[2])
    return Stretch(opens, _DAY_MIN if found[3] is None else int(found[3]) * 60 + int(found[4]))


def _forward(read: Stretch) -> Stretch:
    after_midnight = read.closes_min < read.opens_min
    return Stretch(read.opens_min, read.closes_min + _DAY_MIN) if after_midnight else read


def _read(said: object) -> tuple[Stretch, ...]:
    read = [_stretch(one) for one in said] if isinstance(said, list) else []
    return tuple(sorted(_forward(one) for one in read if one is not None))


def _is_zone(said: object) -> bool:
    try:
        return isinstance(said, str) and bool(ZoneInfo(said))
    except (ZoneInfoNotFoundError, ValueError, OSError):  # the others: an absolute path, the name of a folder
        return False


def _date(said: object) -> date | None:
    if isinstance(said, str):
        try:
            return date.fromisoformat(said)
        except ValueError:
            return None
    return said if isinstance(said, date) and not isinstance(said, datetime) else None


def _text(stretch: Stretch) -> str:
    closes = stretch.closes_min if stretch.closes_min <= _DAY_MIN else stretch.closes_min - _DAY_MIN
    return f"{stretch.opens_min // 60:02d}:{stretch.opens_min % 60:02d}-{closes // 60:02d}:{closes % 60:02d}"


def _written(stretches: tuple[Stretch, ...]) -> list[str]:
    return [_text(one) for one in stretches]
