"""Counts per hour: what several families add up to, and when a site was last heard.

Takes a frame of decoded events, gives cells of ``n`` (hour of a site) and ``l`` (site). Pure. Shared by the modules
that count voices, web traffic and actions; coarser windows are sums of these.
"""

from collections.abc import Mapping
from functools import lru_cache

import polars as pl

from streams.core.days import HOUR_MS, hour_name
from streams.core.increments import Cell

COLUMNS = ("event_id", "site_id", "occurred_at", "received_at", "test")
"""What every tally needs."""

_named = lru_cache(maxsize=65_536)(hour_name)


def counted(frame: pl.DataFrame) -> pl.DataFrame:
    """The events that count: trials are kept in history and counted nowhere."""
    return frame.filter(~pl.col("test")) if frame["test"].any() else frame


def sums(frame: pl.DataFrame, metrics: Mapping[str, pl.Expr]) -> dict[Cell, int]:
    """Adds per site, UTC hour and metric.

    Args:
        frame: ``site_id`` and ``occurred_at`` (datetime, ms), one row per event that counts.
        metrics: name → aggregation that gives a whole number for the events of one hour.

    Returns:
        Only what is not zero.
    """
    hour = (pl.col("occurred_at").to_physical() // HOUR_MS).alias("hour")
    grouped = frame.group_by("site_id", hour).agg([value.alias(name) for name, value in metrics.items()])
    adds: dict[Cell, int] = {}
    for site_id, at, *amounts in grouped.rows():
        key = f"n:{{}}:{site_id}:{_named(at * HOUR_MS)}"
        for name, amount in zip(metrics, amounts, strict=True):
            if amount:
                adds[site_id, key, name] = amount
    return adds


LAST = (pl.col("occurred_at").max().to_physical(), pl.col("received_at").max().to_physical())
"""What ``maxima`` takes, of the events of a site."""


def maxima(site_id: str, occurred_ms: int, received_ms: int) -> dict[Cell, int]:
    """When a site was last heard, as cells."""
    key = f"l:{{}}:{site_id}"
    return {(site_id, key, "occurred_ms"): occurred_ms, (site_id, key, "received_ms"): received_ms}


def last_heard(frame: pl.DataFrame) -> dict[Cell, int]:
    """Maxima of event and ingest time per site of the events that count."""
    found: dict[Cell, int] = {}
    for site_id, occurred_ms, received_ms in frame.group_by("site_id").agg(*LAST).rows():
        found |= maxima(site_id, occurred_ms, received_ms)
    return found
