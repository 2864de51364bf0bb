"""Presence: how many sessions were seen in a zone, minute by minute.

Takes a frame of decoded positions, gives sets of session pseudonyms per zone and minute, of which only the sizes stay:
a set is the same whatever the order and however often a phone reports. Dwell is minutes seen: the sum over minutes of
a zone is the time that all sessions together spent there. Pure. Called by ``agents.counts``.
"""

from functools import lru_cache

import polars as pl

from streams.core import hours
from streams.core.days import MINUTE_MS, hour_name
from streams.core.increments import Cell, Increments
from streams.core.sites import Sites

_JUDGED = ("x_m", "y_m", "accuracy_m")  # read so that their bounds are judged here too
COLUMNS = (*hours.COLUMNS, "zone_id", "session_pid", *_JUDGED)


@lru_cache(maxsize=65_536)
def _names(minute: int) -> tuple[str, str]:
    """(UTC hour, minute in it) of a minute since 1970, as they stand in keys."""
    return hour_name(minute * MINUTE_MS), f"{minute % 60:02d}"


def tally(frame: pl.DataFrame, _sites: Sites) -> Increments:
    """Sessions per site, zone and minute.

    Args:
        frame: one row per position, ``COLUMNS``; neither zone nor session is ever null.
        _sites: not needed.

    Returns:
        Unions of ``p`` cells, ``zone|minute``, and maxima of the site's last event and ingest time.
    """
    minute = (pl.col("occurred_at").to_physical() // MINUTE_MS).alias("minute")
    frame = hours.counted(frame)
    seen = frame.group_by("site_id", "zone_id", minute).agg(pl.col("session_pid").unique())
    unions: dict[Cell, frozenset[str]] = {}
    for site_id, zone_id, at, sessions in seen.rows():
        hour, minute_name = _names(at)
        unions[site_id, f"p:{{}}:{site_id}:{hour}", f"{zone_id}|{minute_name}"] = frozenset(sessions)
    return Increments(maxima=hours.last_heard(frame), unions=unions)
