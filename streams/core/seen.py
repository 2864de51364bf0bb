"""Which events were counted already: ids as 16 bytes, gathered by the hour of their event time.

A device that got no answer sends again, so the same event may stand in Kafka twice. Its id and event time are the same,
hence so is the set that it is looked up in. Pure; the sets are kept by ``adapters.live_store``.
"""

from array import array
from binascii import unhexlify
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars as pl

from streams.core.days import HOUR_MS, hour_name

ID_BYTES = 16
_LETTERS = 36  # of a UUID
_DASHES = (8, 13, 18, 23)
_HOUR = (pl.col("occurred_at").to_physical() // HOUR_MS).alias("hour")
_IDS = (
    pl.col("event_id").str.join("").alias("text"),
    (pl.col("event_id").str.len_chars() == _LETTERS).all().alias("sound"),
    _HOUR.min().alias("first"),
    _HOUR.max().alias("last"),
)
Ids = dict[str, bytes]
"""UTC hour name → its ids, joined, in the order of the batch."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """The ids of one batch.

    Attributes:
        blob: 16 bytes each, joined, in the batch's order.
        by_hour: UTC hour name → places in the batch, ascending.
    """

    blob: bytes
    by_hour: dict[str, Sequence[int]]

    def __len__(self) -> int:
        return len(self.blob) // ID_BYTES

    def member(self, place: int) -> bytes:
        """One id."""
        return self.blob[place * ID_BYTES : (place + 1) * ID_BYTES]

    def part(self, first: int, end: int) -> "Gathered":
        """The ids of places ``[first, end)``, with places counted from ``first``."""
        blob = self.blob[first * ID_BYTES : end * ID_BYTES]
        if len(self.by_hour) == 1:
            return Gathered(blob, dict.fromkeys(self.by_hour, range(end - first)))
        by_hour = {hour: [p - first for p in places if first <= p < end] for hour, places in self.by_hour.items()}
        return Gathered(blob, {hour: places for hour, places in by_hour.items() if places})

    def joined(self, keep: Sequence[bool] | None = None) -> Ids:
        """Ids by hour, only those of the kept places; hours without any are left out."""
        if keep is None and len(self.by_hour) == 1 and self.blob:
            return dict.fromkeys(self.by_hour, self.blob)
        found = {}
        for hour, places in self.by_hour.items():
            blob = b"".join([self.member(place) for place in places if keep is None or keep[place]])
            if blob:
                found[hour] = blob
        return found


def gather(frame: pl.DataFrame) -> Gathered:
    """Ids of a batch with columns ``event_id`` (text) and ``occurred_at`` (datetime, ms).

    Raises:
        ValueError: an id is not a UUID in its usual text form.
    """
    if frame.height == 0:
        return Gathered(b"", {})
    text, sound, first, last = frame.select(_IDS).row(0)
    blob = _blob(text, frame.height) if sound else None
    if blob is None:
        raise ValueError("an event_id is not a UUID")
    if first == last:  # the live case: everything happened within the hour
        return Gathered(blob, {hour_name(first * HOUR_MS): range(frame.height)})
    places: dict[int, list[int]] = {}
    for place, hour in enumerate(frame.select(_HOUR).to_series().to_list()):
        places.setdefault(hour, []).append(place)
    return Gathered(blob, {hour_name(hour * HOUR_MS): found for hour, found in places.items()})


def _blob(text: str, count: int) -> bytes | None:
    """The 16 bytes of each of ``count`` ids of 36 letters, joined; ``None`` if one is no UUID.

    They are judged by where their dashes are, which is faster than a pattern.
    """
    if sum(text[place::_LETTERS].count("-") for place in _DASHES) != len(_DASHES) * count:
        return None
    try:
        digits = text.encode("ascii").translate(None, b"-")
        return unhexlify(digits) if len(digits) == 2 * ID_BYTES * count else None
    except ValueError:
        return None


def fresh(ids: Gathered, known: Collection[int]) -> list[bool] | None:
    """Which events of a batch count: neither known nor a repetition within the batch; ``None`` for all of them.

    Args:
        ids: of the batch.
        known: places whose id was counted before.
    """
    # Half of an id tells most apart, and as numbers they cost a third of what slices do.
    if not known and len(set(array("Q", ids.blob)[::2])) == len(ids):
        return None
    members = [ids.blob[start : start + ID_BYTES] for start in range(0, len(ids.blob), ID_BYTES)]
    mask = []
    met = {members[place] for place in known}
    for member in members:
        mask.append(member not in met)
        met.add(member)
    return None if all(mask) else mask
