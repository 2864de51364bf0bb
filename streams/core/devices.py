"""Devices: when each machine was last heard.

Takes a frame of decoded reports, gives maxima per device. Pure. Called by ``agents.counts``.
"""

import polars as pl

from streams.core import hours
from streams.core.increments import Cell, Increments
from streams.core.sites import Sites

_JUDGED = ("status", "detail", "battery_share", "queued", "firmware")  # read so that they are judged here too
COLUMNS = (*hours.COLUMNS, "device_id", *_JUDGED)


def tally(frame: pl.DataFrame, _sites: Sites) -> Increments:
    """Last sign of life of each device, by its own clock and by the gateway's.

    Args:
        frame: one row per report, ``COLUMNS``; ``device_id`` is never null.
        _sites: not needed.
    """
    frame = hours.counted(frame)
    last = frame.group_by("site_id", "device_id").agg(pl.col("occurred_at", "received_at").max().to_physical())
    maxima: dict[Cell, int] = {}
    for site_id, device_id, occurred_ms, received_ms in last.rows():
        maxima[site_id, f"g:{{}}:{site_id}", f"{device_id}|occurred_ms"] = occurred_ms
        maxima[site_id, f"g:{{}}:{site_id}", f"{device_id}|received_ms"] = received_ms
    return Increments(maxima=maxima | hours.last_heard(frame))
