"""Web: what a site's web server counted, hour by hour. No visitor is in it.

Takes a frame of decoded reports, gives increments per site and hour. Pure. Called by ``agents.counts``.
"""

import polars as pl

from streams.core import hours
from streams.core.increments import Increments
from streams.core.sites import Sites

COUNTS = ("page_views", "assets", "robots", "errors")
COLUMNS = (*hours.COLUMNS, *COUNTS)


def tally(frame: pl.DataFrame, _sites: Sites) -> Increments:
    """Requests of each kind per site and hour; reports of one hour add up.

    Args:
        frame: one row per report, ``COLUMNS``; ``occurred_at`` lies in the hour that was counted.
        _sites: not needed.
    """
    frame = hours.counted(frame)
    metrics = {f"web_{name}": pl.col(name).cast(pl.Int64).sum() for name in COUNTS}
    return Increments(hours.sums(frame, metrics), hours.last_heard(frame))
