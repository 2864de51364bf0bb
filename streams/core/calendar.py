"""Calendar: when a site is open, and when it counts as empty again.

Hours are minutes of the site's wall clock, counted from midnight of the day; from 1440 on they are after midnight, and
belong to the day before as long as its business day lasts. Instants of a day of the clock change are those the wall
clock shows. A site without a calendar has no resets but the implicit one: every business day begins empty.

Pure. Read from the ``site-calendar`` topic by ``adapters.calendar_topic``, written by ``cli.calendar``; ``due_reset``
is called by ``agents.resets``.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from streams.core.days import MINUTE_MS, bounds, business_day
from streams.core.occupancy import reset_id
from streams.core.sites import Site

GRACE_MIN = 60  # guards' last round; nobody is asked to leave by a counter


@dataclass(frozen=True, slots=True, order=True)
class Stretch:
    """Open from ``opens_min`` to ``closes_min``, minutes after midnight of its day."""

    opens_min: int
    closes_min: int


@dataclass(frozen=True, slots=True)
class ExceptionalDay:
    """A day that is not like its weekday; without hours it is closed."""

    day: date
    hours: tuple[Stretch, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Calendar:
    """When a site is open.

    Attributes:
        week: open stretches from Monday to Sunday, each day's ascending; an empty day is closed.
        grace_min: minutes after the last closing from which the site counts as empty.
    """

    site_id: str
    week: tuple[tuple[Stretch, ...], ...]
    exceptions: tuple[ExceptionalDay, ...] = ()
    grace_min: int = GRACE_MIN


Calendars = Mapping[str, Calendar]


@dataclass(frozen=True, slots=True)
class Reset:
    """A reset that is due.

    Attributes:
        day: the business day that it ends.
        start_ms: when that day began; what is inside is counted from there.
        at_ms: its event time; the site is empty from the end of that minute.
        overdue: the next business day has begun: only the drift is still worth telling, if anybody was there.
    """

    site_id: str
    day: date
    event_id: str
    start_ms: int
    at_ms: int
    overdue: bool = False


def hours(calendar: Calendar, day: date) -> tuple[Stretch, ...]:
    """The open stretches of a day; empty where it is closed."""
    for one in calendar.exceptions:
        if one.day == day:
            return one.hours
    return calendar.week[day.weekday()]


def reason(calendar: Calendar, day: date) -> str | None:
    """Why a day is not like its weekday; ``None`` if it is."""
    return next((one.reason for one in calendar.exceptions if one.day == day), None)


def opened(calendar: Calendar, site: Site, day: date) -> list[tuple[int, int]]:
    """The open stretches of a day, ``[start_ms, end_ms)``, epoch ms, UTC, ascending."""
    zone = site.time_zone
    return [(_at(day, one.opens_min, zone), _at(day, one.closes_min, zone)) for one in hours(calendar, day)]


def is_open(calendar: Calendar, site: Site, at_ms: int) -> bool:
    """Whether the doors are open at an instant."""
    day = business_day(at_ms, site.time_zone, site.business_day_end_hour)
    return any(start <= at_ms < end for start, end in opened(calendar, site, day))


def empty_from(calendar: Calendar, site: Site, day: date) -> int | None:
    """Event time of a day's reset: last closing + grace, or the last ms of the business day if that comes first.

    ``None`` for a day on which the site is closed: its end is the implicit reset.
    """
    stretches = opened(calendar, site, day)
    if not stretches:
        return None
    last_ms = max(end for _, end in stretches)
    _, end_ms = bounds(day, site.time_zone, site.business_day_end_hour)
    return min(last_ms + calendar.grace_min * MINUTE_MS, end_ms - 1)


def closing(calendar: Calendar | None, site: Site, at_ms: int) -> int:
    """When the doors close for good that day, epoch ms; its end where nobody knows, or they have closed."""
    day = business_day(at_ms, site.time_zone, site.business_day_end_hour)
    _, end_ms = bounds(day, site.time_zone, site.business_day_end_hour)
    ahead = [] if calendar is None else [end for _, end in opened(calendar, site, day) if end > at_ms]
    return min(max(ahead, default=end_ms), end_ms)


def due_reset(site: Site, calendar: Calendar | None, watermark_ms: int | None, known: Collection[str]) -> Reset | None:
    """The reset that a site's watermark has passed and that nobody wrote yet.

    The watermark, and not the time of day: what happened before the reset has been counted then, save what is late.

    Args:
        site: whose.
        calendar: its hours, ``None`` if it has none.
        watermark_ms: epoch ms, UTC; ``None`` if the site was never heard.
        known: event ids of the site's corrections.

    Returns:
        Yesterday's before today's if both are due; ``None`` if none is. Older ones are of no use: the days that they
        ended are over.
    """
    if calendar is None or watermark_ms is None:
        return None
    today = business_day(watermark_ms, site.time_zone, site.business_day_end_hour)
    for day in (today - timedelta(days=1), today):
        at_ms = empty_from(calendar, site, day)
        event_id = reset_id(site.site_id, day)
        if at_ms is None or event_id in known or watermark_ms < (at_ms // MINUTE_MS + 1) * MINUTE_MS:
            continue
        start_ms, _ = bounds(day, site.time_zone, site.business_day_end_hour)
        return Reset(site.site_id, day, event_id, start_ms, at_ms, overdue=day != today)
    return None


def _at(day: date, minute: int, zone: str) -> int:
    """Epoch ms of a minute on the wall clock; one that the clock change skips is as long after the last before it."""
    wall = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)
    return round(wall.replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)
