"""Running numbers of devices: where a device's count jumps or goes back, events were lost or its memory was.

Takes frames of counted events, gives how many gaps they show. What was seen last is kept in memory only: a gap across a
restart is not seen. Called by ``agents.counts``.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

COLUMNS = ("site_id", "device_id", "seq")
"""What ``look`` needs."""
DEVICES = 50_000


@dataclass(frozen=True, slots=True)
class Gaps:
    """How often a number was more than one above the one before, and how often it was not above it."""

    jumps: int = 0
    backs: int = 0


@dataclass(slots=True)
class Numbers:
    """What each device numbered its last event of one family; a device numbers each family by itself.

    Attributes:
        most: devices that are remembered at least; those not heard for longest are forgotten, half of them at a time.
        recent: device → its number, of those heard since the others were put aside as ``before``.
        kept: batches that were not looked at yet: one look at many costs a fifth of a look at each.
        events: in them.
    """

    most: int = DEVICES
    recent: dict[int, int] = field(default_factory=dict)
    before: dict[int, int] = field(default_factory=dict)
    kept: list[pl.DataFrame] = field(default_factory=list)
    events: int = 0

    def keep(self, frame: pl.DataFrame) -> None:
        """Take in ``COLUMNS`` of a batch, in Kafka's order; events without device or number are passed over."""
        if frame.height and frame["seq"].null_count() < frame.height:
            self.kept.append(frame[list(COLUMNS)])
            self.events += frame.height

    def look(self) -> Gaps:
        """Compare what was kept with what was seen before, and remember it."""
        if not self.kept:
            return Gaps()
        frame = pl.concat(self.kept)
        self.kept, self.events = [], 0
        if frame["seq"].null_count() or frame["device_id"].null_count():
            frame = frame.filter(pl.col("seq").is_not_null() & pl.col("device_id").is_not_null())
        # 64 bits stand for a device: as numbers they cost a fifth of what pairs of names do.
        jumps, backs, runs = _runs(frame["site_id"].hash(1) ^ frame["device_id"].hash(2), frame["seq"])
        recent, before = self.recent, self.before
        for device, first, last in runs:
            known = recent.get(device)
            if known is None:
                known = before.get(device, first - 1)
            if first > known + 1:
                jumps += 1
            elif first <= known:
                backs += 1
            recent[device] = last
        if len(recent) > self.most:
            self.recent, self.before = {}, recent
        return Gaps(jumps, backs)


def _runs(devices: pl.Series, numbers: pl.Series) -> tuple[int, int, Iterable[tuple[int, int, int]]]:
    """Jumps and steps back within a batch, and each device's first and last number in it."""
    alike = pl.DataFrame([devices.alias("device"), numbers.alias("number")]).sort("device", maintain_order=True)
    devices, numbers = alike["device"], alike["number"]
    begins = devices.shift(1).ne_missing(devices)
    ends = begins.shift(-1, fill_value=True)
    step = numbers.diff()
    runs = zip(
        devices.filter(begins).to_list(), numbers.filter(begins).to_list(), numbers.filter(ends).to_list(), strict=True
    )
    return int((~begins & (step > 1)).sum()), int((~begins & (step < 1)).sum()), runs
