"""Frames of decoded events as the tallies get them, for tests of any family."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

AT = round(datetime(2026, 7, 14, 8, 20, 30, tzinfo=UTC).timestamp() * 1000)
HOUR = "2026-07-14T08"
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
_TIMES = ("occurred_at", "received_at")
_TYPES: dict[str, Any] = {
    "test": pl.Boolean,
    "rating": pl.Int32,
    "page_views": pl.Int32,
    "assets": pl.Int32,
    "robots": pl.Int32,
    "errors": pl.Int32,
    "action": pl.Categorical,
}
_ENVELOPE = {
    "event_id": "00000000-0000-4000-8000-000000000000",
    "site_id": "louvre",
    "occurred_at": AT,
    "received_at": AT + 1000,
    "test": False,
}


def frame(columns: Sequence[str], events: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """One row per event; what an event does not say is that of the envelope, or null."""
    types = {name: pl.Datetime("ms", "UTC") if name in _TIMES else _TYPES.get(name, pl.String) for name in columns}
    rows = [_ENVELOPE | event for event in events]
    return pl.DataFrame({name: [row.get(name) for row in rows] for name in columns}, schema=types)
