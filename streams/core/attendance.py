"""Attendance: what ticket scans do to the counts of gates, sites and days.

Takes a frame of decoded scans, gives increments. Pure: business days come from the sites' files, times from the events.
Called by ``agents.counts``; the SQL of ``v_attendance_day`` and ``v_tickets_day`` states the same rules for history.

Distinct tickets of a business day are those of its accepted entries, in HyperLogLogs: any order and any repetition give
the same. One has a standard error of 1.04/√16384 = 0.81 % at most, and some 0.6 % on a day of a museum, so that of 200
days the worst was off by 1.4 to 3.6 % (16 seeds, 12 of them beyond 2 %). A day's tickets are therefore parted into
eight by the last letter of their pseudonym, each part has a sketch, and the number is the sum: 0.81/√8 = 0.29 % at
most, the worst of 200 days 0.7 to 1.8 % (``tests/adapters/test_uniques.py``). Nothing can be taken out of a sketch: a
ticket whose entry was annulled or reverted later stays counted, here and in history.
Source: Flajolet et al., "HyperLogLog", AofA 2007; Ertl, arXiv:1702.01284, for the estimator that the server uses.
"""

from collections import defaultdict
from functools import lru_cache

import polars as pl

from streams.core import hours
from streams.core.days import MINUTE_MS, business_day, hour_name
from streams.core.increments import BETWEEN, Cell, Increments
from streams.core.sites import Sites

COLUMNS = (*hours.COLUMNS, "gate_id", "direction", "outcome", "party_size", "corrects", "ticket_pid")

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
LATE, CORRECTION, ANNULLED = 1, 2, 4  # codes of core.windows.CAUSES: why a window is touched, the greatest is told
_TAKES_BACK = frozenset({"ANNULLED", "REVERTED"})
_QUARTER = 15  # minutes
# Of 32 hex digits. The sketch keeps 64 bits of a hash of what it is given, so 64 bits of a pseudonym lose nothing: two
# of 10,000 tickets are taken for one with a probability of 3e-12. Half the bytes, on the wire and in the server's log.
_TICKET_DIGITS = 16
_ENTERED = (pl.col("outcome") == "ACCEPTED") & (pl.col("direction") == "IN")
_TICKETS = pl.col("ticket_pid").filter(_ENTERED).str.tail(_TICKET_DIGITS).str.join(BETWEEN).alias("tickets")
TICKET_PARTS = 8  # sketches of a day; apply.lua parts the tickets by the last digit
_MS = pl.col("occurred_at").to_physical()
_MINUTE = (_MS // MINUTE_MS).alias("minute")
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
        time per site (``l``), each quarter-hour that a scan lies in (``t``), with the reason why it may have to be said
        again, and the tickets of accepted entries per site and business day (``q``), by the end of their pseudonym.
        Trial events (``test``) do nothing.
    """
    frame = hours.counted(frame)
    alike = frame.group_by("site_id", "gate_id", _MINUTE, "outcome", "direction", "party_size").len()
    adds: dict[Cell, int] = {}
    touched: dict[tuple[str, int], int] = {}
    places: dict[tuple[str, int], tuple[str, str, str]] = {}  # the names of a site's minute are made once
    for site_id, gate_id, at, outcome, direction, party_size, scans in zip(*map(pl.Series.to_list, alike), strict=True):
        if outcome == "DENIED":
            metric, amount = DENIED, scans
        else:
            metric, people = EFFECT[outcome, direction]
            amount = people * party_size * scans
        place = places.get((site_id, at))
        if place is None:
            hour, minute_name, day = _named(site_id, at, sites)
            place = places[site_id, at] = f"c:{{}}:{site_id}:{hour}", minute_name, f"d:{{}}:{site_id}:{day}"
            touched.setdefault((site_id, at // _QUARTER), LATE)
        if outcome in _TAKES_BACK:
            touched[site_id, at // _QUARTER] = ANNULLED
        cells, minute_name, daily = place
        cell = (site_id, cells, f"{gate_id or NO_GATE}|{minute_name}|{metric}")
        adds[cell] = adds.get(cell, 0) + amount
        cell = (site_id, daily, metric)
        adds[cell] = adds.get(cell, 0) + amount

    if frame["corrects"].null_count() < frame.height:
        correcting = frame.filter(pl.col("corrects").is_not_null()).select("site_id", _MINUTE // _QUARTER)
        for window in correcting.unique().rows():
            touched[window] = max(CORRECTION, touched[window])
    touches = {
        (site_id, "t:{}", f"{site_id}|{quarter * _QUARTER * MINUTE_MS}"): cause
        for (site_id, quarter), cause in touched.items()
    }
    maxima, sketches = _of_sites(frame, sites)
    return Increments(adds, maxima, sketches=sketches, touches=touches)


def _named(site_id: str, minute: int, sites: Sites) -> tuple[str, str, str]:
    """``_names`` of a minute at a site."""
    site = sites.get(site_id)
    return _names(minute, site.time_zone, site.business_day_end_hour) if site else _names(minute, "UTC", 0)


def _of_sites(frame: pl.DataFrame, sites: Sites) -> tuple[dict[Cell, int], dict[Cell, str]]:
    """When each site was last heard, and the tickets of its business days."""
    maxima: dict[Cell, int] = {}
    sketches: dict[Cell, str] = {}
    torn: list[str] = []
    heard = frame.group_by("site_id").agg(*hours.LAST, _MS.min().alias("first"), _TICKETS)
    for site_id, occurred_ms, received_ms, first_ms, tickets in heard.rows():
        maxima |= hours.maxima(site_id, occurred_ms, received_ms)
        if not tickets.strip(BETWEEN):
            continue
        day, last_day = (_named(site_id, at_ms // MINUTE_MS, sites)[2] for at_ms in (first_ms, occurred_ms))
        if day == last_day:
            sketches[site_id, f"q:{{}}:{site_id}:{day}", ""] = tickets
        else:
            torn.append(site_id)
    if torn:
        sketches |= _by_day(frame.filter(pl.col("site_id").is_in(torn)), sites)
    return maxima, sketches


def _by_day(frame: pl.DataFrame, sites: Sites) -> dict[Cell, str]:
    """The tickets of sites of which a batch holds several business days, as after a day without network."""
    held: defaultdict[Cell, list[str]] = defaultdict(list)
    for site_id, at, tickets in frame.group_by("site_id", _MINUTE).agg(_TICKETS).rows():
        if tickets.strip(BETWEEN):
            held[site_id, f"q:{{}}:{site_id}:{_named(site_id, at, sites)[2]}", ""].append(tickets)
    return {cell: BETWEEN.join(some) for cell, some in held.items()}
