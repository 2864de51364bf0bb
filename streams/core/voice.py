"""Voice: what visitors write, in guestbooks and on social networks, and which site a post speaks of.

Takes frames of decoded entries and posts, gives increments per site and hour. The texts themselves are not looked at
live, save for the accounts that a post names. Pure. Called by ``agents.counts``; ``place`` by the gateway.
"""

import re
from collections.abc import Mapping

import polars as pl

from streams.core import hours
from streams.core.increments import Increments
from streams.core.sites import Sites

GUESTBOOK_COLUMNS = (*hours.COLUMNS, "rating", "text", "language")  # texts: their lengths are judged here too
POST_COLUMNS = (*hours.COLUMNS, "network", "text", "language")
UNPLACED = "unplaced"

_MENTION = re.compile(r"(?<![\w@])@(\w+)", re.ASCII)  # an e-mail address names nobody


def tally_guestbook(frame: pl.DataFrame, _sites: Sites) -> Increments:
    """Entries, ratings given and their sum, per site and hour; the mean is their quotient, of any hours.

    Args:
        frame: one row per entry, ``GUESTBOOK_COLUMNS``; ``rating`` 1–5 or null.
        _sites: not needed.
    """
    frame = hours.counted(frame)
    metrics = {
        "guestbook_entries": pl.len(),
        "guestbook_ratings": pl.col("rating").count(),
        "guestbook_rating_sum": pl.col("rating").sum(),
    }
    return Increments(hours.sums(frame, metrics), hours.last_heard(frame))


def tally_posts(frame: pl.DataFrame, _sites: Sites) -> Increments:
    """Posts per site and hour."""
    frame = hours.counted(frame)
    return Increments(hours.sums(frame, {"social_posts": pl.len()}), hours.last_heard(frame))


def place(fields: Mapping[str, object], sites: Sites) -> str:
    """The site that a post is about: the first account named in its ``text`` that a site claims, else ``unplaced``.

    Letters' case does not matter; ``@tateliverpool`` does not name ``@tate``.
    """
    named = [account.lower() for account in _MENTION.findall(str(fields.get("text") or ""))]
    if not named:
        return UNPLACED
    claims = {handle: site.site_id for site in sites.values() for handle in site.handles}
    return next((claims[account] for account in named if account in claims), UNPLACED)
