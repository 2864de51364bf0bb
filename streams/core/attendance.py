"""Attendance: what ticket scans do to the counts of gates, sites and days.

Takes a frame of decoded scans, gives increments. Pure: business days come from the sites' files, times from the events.
Called by ``agents.counts``; the SQL of ``v_attendance_day`` states the same rule for history.
"""

from functools import lru_cache

import polars as pl

from streams.core import hours
from streams.core.days import MINUTE_MS, business_day, hour_name
from streams.core.increments import Cell, Increments
from streams.core.sites import Sites

COLUMNS = (*hours.COLUMNS, "gate_id", "direction", "outcome", "party_size")

# (outcome, direction) → (metric, people per head of the party); a denied scan counts as one, whatever its party.
EFFECT = {
    ("ACCEPTED", "IN"): ("entries", 1),
    ("ACCEPTED", "OUT"): ("exits", 1),
    ("ANNULLED", "IN"): ("entries", -1),
    ("ANNULLED", "OUT"): ("exits", -1),
    ("REVERTED", "IN"): ("entries", -1),
    ("REVERTED", "OUT"): ("exits", -1),
    ("AUTO_EXIT", "IN"): ("exits", 1),
    ("AUTO_EXIT", "OUT"): ("exits", 1),
}
DENIED = "denied"
NO_GATE = "-"


@lru_cache(maxsize=65_536)
def _names(minute: int, zone: str, end_hour: int) -> tuple[str, str, str]:
    """(UTC hour, minute in it, business day) of a minute since 1970, as they stand in keys."""
    at_ms = minute * MINUTE_MS
    return hour_name(at_ms), f"{minute % 60:02d}", business_day(at_ms, zone, end_hour).isoformat()


def tally(frame: pl.DataFrame, sites: Sites) -> Increments:
    """What a batch of scans adds.

    Args:
        frame: one row per scan, ``COLUMNS`` as the schema types them; ids already counted are taken out.
        sites: time zone and day end of each site; a site that nobody described counts in UTC days.

    Returns:
        Adds per gate and minute (``c``) and per site and business day (``d``), maxima of the last event and ingest
        time per site (``l``). Trial events (``test``) add nothing.
    """
    frame = hours.counted(frame)
    minute = (pl.col("occurred_at").to_physical() // MINUTE_MS).alias("minute")
    alike = frame.group_by("site_id", "gate_id", minute, "outcome", "direction", "party_size").len()
    adds: dict[Cell, int] = {}
    for site_id, gate_id, at, outcome, direction, party_size, scans in alike.rows():
        if outcome == "DENIED":
            metric, amount = DENIED, scans
        else:
            metric, people = EFFECT[outcome, direction]
            amount = people * party_size * scans
        site = sites.get(site_id)
        zone, end_hour = (site.time_zone, site.business_day_end_hour) if site else ("UTC", 0)
        hour, minute_name, day = _names(at, zone, end_hour)
        cell = (site_id, f"c:{{}}:{site_id}:{hour}", f"{gate_id or NO_GATE}|{minute_name}|{metric}")
        adds[cell] = adds.get(cell, 0) + amount
        daily = (site_id, f"d:{{}}:{site_id}:{day}", metric)
        adds[daily] = adds.get(daily, 0) + amount

    return Increments(adds, hours.last_heard(frame))
