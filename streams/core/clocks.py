"""Device clocks: how far what a device says about time is believed, and what becomes of its events.

Skew is the gateway's receipt minus the device's own ``sent_at``, stamped at each try: positive where the device's clock
is behind. ``upload`` and ``judge`` are the gateway's (``gateway.skews``, ``gateway.accept``), ``verdicts`` the agents'
(``agents.polls``); the views of history state the same rule in SQL. Pure: receipt is an argument.

An event waits on its device for hours or days when there is no network: that it happened long before it was sent is no
skew.
"""

from dataclasses import dataclass
from statistics import median_low
from typing import Literal, cast

import polars as pl

from streams.core.days import HOUR_MS, MINUTE_MS
from streams.core.sites import Sites

Trust = Literal["SYNCED", "DRIFTING", "UNSYNCED", "UNKNOWN"]
Verdict = Literal["clock", "future", "late"]

AHEAD_MS = 5 * MINUTE_MS  # a live site's event may be this far ahead of the gateway
LATE_MS = 72 * HOUR_MS  # what a live site sends later than this changes history only
FIRST_MS = 1_577_836_800_000  # 2020-01-01: no device of a live site was there before, a clock without battery is
UPLOADS = 10  # whose median is a device's skew
_KEPT_MS = 2_000  # the network's own delay: nothing to correct
_SYNCED_MS = 5 * MINUTE_MS
_DRIFTING_MS = 24 * HOUR_MS
_SET_MS = 5 * MINUTE_MS


def trust(skew_ms: int | None) -> Trust:
    """How far a clock is believed; ``UNKNOWN`` if the device did not say when it sent."""
    if skew_ms is None:
        return "UNKNOWN"
    if abs(skew_ms) <= _SYNCED_MS:
        return "SYNCED"
    return "DRIFTING" if abs(skew_ms) <= _DRIFTING_MS else "UNSYNCED"


def upload(before: tuple[int, ...], skew_ms: int) -> tuple[int, ...]:
    """The skews of a device's last uploads, with one more; the newest is last.

    On its way an upload can only be held up, which adds to its skew. One far below the others therefore says that the
    clock was set: corrected by theirs, it would have been sent after it was received. What was before is forgotten.
    """
    if before and skew_ms < skew(before) - _SET_MS:
        return (skew_ms,)
    return (*before, skew_ms)[-UPLOADS:]


def skew(uploads: tuple[int, ...]) -> int:
    """Median of skews, ms; of two in the middle the lower one, which was held up less."""
    return median_low(uploads)


@dataclass(frozen=True, slots=True)
class Judged:
    """An event's time as it goes into its record.

    Attributes:
        occurred_ms: corrected, or as the device said.
        device_ms: what the device said, ``None`` where that was not corrected.
    """

    occurred_ms: int
    device_ms: int | None
    trust: Trust


def judge(occurred_ms: int, skew_ms: int | None) -> Judged:
    """What a live site's event becomes; a replayed site's times are what they say and are not judged.

    Args:
        occurred_ms: as the device said.
        skew_ms: of its clock, ``None`` if it did not say when it sent.

    Returns:
        Up to 2 s kept, up to 24 h corrected, ``DRIFTING`` from 5 min on. ``UNSYNCED`` and as it was beyond that and
        before 2020: such an event is taken, and counted nowhere until somebody says what its time was.
    """
    if occurred_ms < FIRST_MS:
        return Judged(occurred_ms, None, "UNSYNCED")
    trusted = trust(skew_ms)
    if skew_ms is None or trusted == "UNSYNCED" or abs(skew_ms) <= _KEPT_MS:
        return Judged(occurred_ms, None, trusted)
    return Judged(occurred_ms + skew_ms, occurred_ms, trusted)


def is_future(occurred_ms: int, received_ms: int) -> bool:
    """Whether an event is further ahead of its receipt than any correction leaves room for."""
    return occurred_ms - received_ms > AHEAD_MS


COLUMNS = ("site_id", "occurred_at", "received_at", "clock_trust")
"""What ``verdicts`` needs."""


def verdicts(frame: pl.DataFrame, sites: Sites) -> dict[int, Verdict]:
    """Row → why it is not counted live; rows that are counted are left out.

    ``clock``: its clock is not believed; ``future``: it is ahead of its receipt; ``late``: it was received more than
    72 h after it happened. Depends on the record and its site only, so that it is the same whenever it is read again.

    Args:
        frame: ``COLUMNS``, one row per event.
        sites: those that are replayed are not judged; one that nobody described yet may turn out to be, so only what
            the gateway has judged of it, ``clock``, holds.
    """
    if frame.height == 0:
        return {}
    # A cast costs a twentieth of to_physical(), which makes a query of it.
    ahead = frame["occurred_at"].cast(pl.Int64) - frame["received_at"].cast(pl.Int64)
    unsynced = frame["clock_trust"] == "UNSYNCED"
    least, most = cast(int, ahead.min()), cast(int, ahead.max())
    if least >= -LATE_MS and most <= AHEAD_MS and not unsynced.any():
        return {}
    odd = unsynced | (ahead > AHEAD_MS) | (ahead < -LATE_MS)
    rows = pl.DataFrame({"site_id": frame["site_id"], "ahead_ms": ahead, "unsynced": unsynced}).with_row_index("row")
    rows = rows.filter(odd)
    met = rows["site_id"].unique().to_list()
    replayed = [name for name in met if name in sites and sites[name].replay]
    unknown = [name for name in met if name not in sites]
    rows = rows.filter(~pl.col("site_id").is_in(replayed) & (pl.col("unsynced") | ~pl.col("site_id").is_in(unknown)))
    found: dict[int, Verdict] = {}
    for row, _, ahead_ms, is_unsynced in rows.iter_rows():
        found[row] = "clock" if is_unsynced else "future" if ahead_ms > AHEAD_MS else "late"
    return found
