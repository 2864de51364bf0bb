"""Business days: which day of a site an instant belongs to.

A site's day ``D`` covers its local wall-clock time from ``D`` at the day-end hour to ``D + 1`` at the same hour, so a
scan at 01:30 belongs to yesterday where the day ends at 02:00. Days of the clock change have 23 or 25 hours.
Pure: instants come from events, zones from the site's file.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MINUTE_MS = 60_000
HOUR_MS = 3_600_000


def business_day(at_ms: int, zone: str, end_hour: int) -> date:
    """The business day that contains ``at_ms`` (epoch ms, UTC)."""
    local = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone)).replace(tzinfo=None)
    return (local - timedelta(hours=end_hour)).date()


def bounds(day: date, zone: str, end_hour: int) -> tuple[int, int]:
    """``[start_ms, end_ms)`` of a business day, epoch ms, UTC; 23 to 25 hours long."""

    def at(which: date) -> int:
        local = datetime.combine(which, time(end_hour), ZoneInfo(zone))
        return round(local.timestamp() * 1000)

    return at(day), at(day + timedelta(days=1))


def hour_name(at_ms: int) -> str:
    """UTC hour as it stands in keys, e.g. ``2015-02-02T13``."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H")


def hours_between(start_ms: int, end_ms: int) -> list[str]:
    """Names of the UTC hours that ``[start_ms, end_ms)`` touches, ascending."""
    first = start_ms - start_ms % HOUR_MS
    return [hour_name(at) for at in range(first, end_ms, HOUR_MS)]
