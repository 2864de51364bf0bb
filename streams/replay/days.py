"""A recording as if it had begun on another day.

Takes facts and a day, gives the same facts whole days later or earlier, at the same wall-clock times, as events of
their own. Pure: who wants today says which day that is. Used by ``replay.run``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from streams.replay.recording import Fact, Unreadable, keepable


def parse_day(text: str, today: date) -> date:
    """``today`` or ``YYYY-MM-DD``.

    Raises:
        ValueError: anything else.
    """
    if text == "today":
        return today
    day = date.fromisoformat(text)
    if day.isoformat() != text:  # 20260714 and 2026-W29-2 are dates to Python
        raise ValueError(text)
    return day


def begun_on(found: Iterable[Fact | Unreadable], day: date | None, zone: ZoneInfo) -> Iterator[Fact | Unreadable]:
    """Facts moved by whole days, so that the first is on ``day``; unchanged if that is ``None``.

    A time that the clock of ``zone`` skipped on its new day, or that no store can keep, is unreadable. Of an hour that
    the clock showed twice, the first stays the first.
    """
    moved_days: int | None = None
    for one in found:
        if day is None or isinstance(one, Unreadable):
            yield one
            continue
        there = one.at.astimezone(zone)
        if moved_days is None:
            moved_days = (day - there.date()).days
        yield _moved(one, there, moved_days, day, zone)


def _moved(fact: Fact, there: datetime, days: int, day: date, zone: ZoneInfo) -> Fact | Unreadable:
    try:
        at = there + timedelta(days=days)  # of aware times Python moves the wall clock
        shown = at.astimezone(UTC).astimezone(zone)
    except OverflowError:
        return Unreadable(fact.line, f"{there:%Y-%m-%d %H:%M:%S} moved by {days} days is in no year from 1 to 9999")
    if shown.replace(tzinfo=None) != at.replace(tzinfo=None):
        return Unreadable(fact.line, f"{at:%Y-%m-%d %H:%M:%S} never was in {zone.key}: the clock went forward")
    if not keepable(at):
        return Unreadable(fact.line, f"{at:%Y-%m-%d %H:%M:%S} is not between 1971 and 2099")
    return replace(fact, at=at, fact_id=f"as {day}: {fact.fact_id}")
