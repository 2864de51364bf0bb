"""Silence: whether a site has said nothing for longer than it should.

A site with a calendar is judged while it is open, and its silence counts from its opening at the earliest; one without
is judged only if its file says how long a gap is expected. Minutes of silence are judged by ``core.alerts`` like people
against a capacity. Pure. Called by ``agents.alerts``.
"""

from typing import NamedTuple

from streams.core.calendar import Calendar, opened
from streams.core.clocks import AHEAD_MS
from streams.core.days import MINUTE_MS, business_day
from streams.core.sites import Site

EXPECTED_GAP_MIN = 30  # of an open house whose file says nothing: somebody comes, leaves, or a device reports


class Silence(NamedTuple):
    """How long a site has said nothing, in full minutes, and how long is expected at most."""

    minutes: int
    gap_min: int


def silence(site: Site, calendar: Calendar | None, heard_ms: int | None, now_ms: int) -> Silence | None:
    """A live site's silence.

    Args:
        site: whose.
        calendar: its hours, ``None`` if it has none.
        heard_ms: when the gateway last received anything of it, epoch ms; ``None`` if it never did.
        now_ms: time of day, epoch ms, UTC.

    Returns:
        ``None`` where it is not judged: a replayed or simulated site, one that was never heard or is closed now, one of
        which nobody knows when it should speak. Once ``minutes`` reaches ``gap_min`` it has been silent too long.
    """
    if site.replay or site.simulated or heard_ms is None or heard_ms > now_ms + AHEAD_MS:
        return None  # a time that has not come is some writer's error, and hides when it was heard
    since_ms = heard_ms
    if calendar is None:
        gap_min = site.expected_gap_min
    else:
        gap_min = site.expected_gap_min or EXPECTED_GAP_MIN
        day = business_day(now_ms, site.time_zone, site.business_day_end_hour)
        stretch = next((one for one in opened(calendar, site, day) if one[0] <= now_ms < one[1]), None)
        if stretch is None:
            return None
        since_ms = max(since_ms, stretch[0])
    return None if gap_min is None else Silence(max(0, now_ms - since_ms) // MINUTE_MS, gap_min)
