"""Like days: which earlier day of a site today is compared with, and how far that one had come by the same time.

A like day is the same weekday one to four weeks earlier, the latest on which somebody was counted; days that the site's
calendar calls exceptional (a bank holiday, a closure) are like no weekday. Times of day are minutes of the site's wall
clock, counted from midnight of the business day, so that days of the clock change compare too; from 1440 on they are
after midnight. Pure. Called by ``console.likeday``.
"""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

from streams.core.calendar import Calendar, reason

WEEKS = (1, 2, 3, 4)
BIN_MIN = 15


@dataclass(frozen=True, slots=True)
class Bin:
    """A quarter-hour of a like day: who passed in it, and people inside at its end, as the gates counted them.

    ``start_min`` is the wall clock's time of its start.
    """

    start_min: int
    entries: int
    exits: int
    inside: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """A day of a site by the minute.

    Attributes:
        minutes: times of day at which somebody passed, ascending, each once: an hour that came twice is one.
        entries, exits: people who passed in each of them.
    """

    day: date
    minutes: Sequence[int]
    entries: Sequence[int]
    exits: Sequence[int]
    _sums: Sequence[int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_sums", array("q", accumulate(self.entries, initial=0)))

    def entries_until(self, minute: int) -> int:
        """People admitted before a time of day."""
        return self._sums[bisect_left(self.minutes, minute)]

    def bins(self) -> tuple[Bin, ...]:
        """The quarter-hours from the first with somebody in it to the last, those without too."""
        flows: dict[int, tuple[int, int]] = {}
        for minute, entries, exits in zip(self.minutes, self.entries, self.exits, strict=True):
            came, left = flows.get(minute // BIN_MIN, (0, 0))
            flows[minute // BIN_MIN] = came + entries, left + exits
        inside, told = 0, []
        for quarter in range(min(flows, default=0), max(flows, default=-1) + 1):
            came, left = flows.get(quarter, (0, 0))
            inside += came - left
            told.append(Bin(quarter * BIN_MIN, came, left, max(0, inside)))
        return tuple(told)


def excluded(today: date, calendar: Calendar | None) -> list[date]:
    """The days that would be candidates for ``today`` but for the calendar."""
    days = [today - timedelta(weeks=weeks) for weeks in WEEKS]
    return [] if calendar is None else [day for day in days if reason(calendar, day) is not None]


def candidates(today: date, calendar: Calendar | None = None) -> list[date]:
    """The days that may be like ``today``, the best first."""
    never = excluded(today, calendar)
    days = [today - timedelta(weeks=weeks) for weeks in WEEKS]
    return [day for day in days if day not in never]


def minute_of(at_ms: int, day: date, zone: str) -> int:
    """The wall clock's time of day at an instant, in minutes from midnight of the business day ``day``."""
    local = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone)).replace(tzinfo=None)
    return int((local - datetime.combine(day, time())) // timedelta(minutes=1))


def instant_of(minute: int, day: date, zone: str) -> int:
    """The instant (epoch ms, UTC) at which the clocks of ``day`` show a time of day; of two the earlier."""
    local = datetime.combine(day, time(), ZoneInfo(zone)) + timedelta(minutes=minute)
    return round(local.timestamp() * 1000)


def change(now: int, then: int) -> float | None:
    """By which share ``now`` exceeds ``then``, negative if it is less; ``None`` where nothing was."""
    return (now - then) / then if then > 0 else None
