"""Which events were counted already: ids as 16 bytes, gathered by the hour of their event time.

A device that got no answer sends again, so the same event may stand in Kafka twice. Its id and event time are the same,
hence so is the set that it is looked up in. Pure; the sets are kept by ``adapters.live_store``.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars as pl

from streams.core.days import HOUR_MS, hour_name

ID_BYTES = 16
_UUID = r"\A[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\z"
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
    if not frame["event_id"].str.contains(_UUID).all():
        raise ValueError("an event_id is not a UUID")
    text: str = frame.select(pl.col("event_id").str.join("")).item()
    blob = bytes.fromhex(text.replace("-", ""))
    hours = frame["occurred_at"].to_physical() // HOUR_MS
    if hours.min() == hours.max():  # the live case: everything happened within the hour
        return Gathered(blob, {hour_name(hours[0] * HOUR_MS): range(frame.height)})
    places: dict[int, list[int]] = {}
    for place, hour in enumerate(hours.to_list()):
        places.setdefault(hour, []).append(place)
    return Gathered(blob, {hour_name(hour * HOUR_MS): found for hour, found in places.items()})


def fresh(ids: Gathered, known: Collection[int]) -> list[bool] | None:
    """Which events of a batch count: neither known nor a repetition within the batch; ``None`` for all of them.

    Args:
        ids: of the batch.
        known: places whose id was counted before.
    """
    members = [ids.blob[start : start + ID_BYTES] for start in range(0, len(ids.blob), ID_BYTES)]
    if not known and len(set(members)) == len(members):
        return None
    mask = []
    met = {members[place] for place in known}
    for member in members:
        mask.append(member not in met)
        met.add(member)
    return mask
