"""Actions: what visitors do with exhibits, guides and shops, hour by hour.

Takes a frame of decoded actions, gives increments per site and hour. Pure. Called by ``agents.counts``.
"""

import polars as pl

from streams.core import hours
from streams.core.increments import Increments
from streams.core.sites import Sites

COLUMNS = (*hours.COLUMNS, "action", "duration_s")  # the duration is read so that its bounds are judged here too
KINDS = ("VIEW", "LISTEN", "LIKE", "SHARE", "SAVE", "ASK", "BUY", "OTHER")


def tally(frame: pl.DataFrame, _sites: Sites) -> Increments:
    """Actions per site and hour, all together and of each kind.

    Args:
        frame: one row per action, ``COLUMNS``; ``action`` is one of ``KINDS``.
        _sites: not needed.
    """
    frame = hours.counted(frame)
    metrics = {"actions": pl.len()}
    metrics |= {f"actions_{kind.lower()}": (pl.col("action").cast(pl.String) == kind).sum() for kind in KINDS}
    return Increments(hours.sums(frame, metrics), hours.last_heard(frame))
