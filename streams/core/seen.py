"""Which events were counted already: ids as 16 bytes, gathered by the hour of their event time.

A device that got no answer sends again, so the same event may stand in Kafka twice. Its id and event time are the same,
hence so is the set that it is looked up in. Pure; the sets are kept by ``adapters.live_store``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from streams.core.days import HOUR_MS, hour_name

ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class Ids:
    """Ids of one batch.

    Attributes:
        members: 16 bytes each, in the batch's order.
        by_hour: UTC hour name → indices into ``members``, ascending.
    """

    members: list[bytes]
    by_hour: dict[str, list[int]]

    def keep(self, kept: Sequence[bool]) -> dict[str, bytes]:
        """Hour → the kept ids, joined; hours without any are left out."""
        joined = {}
        for hour, places in self.by_hour.items():
            blob = b"".join([self.members[place] for place in places if kept[place]])
            if blob:
                joined[hour] = blob
        return joined


def gather(event_ids: Sequence[str], occurred_ms: Sequence[int]) -> Ids:
    """Ids of a batch.

    Raises:
        ValueError: one of them is not a UUID in its usual text form.
    """
    blob = bytes.fromhex("".join(event_ids).replace("-", ""))
    if len(blob) != ID_BYTES * len(event_ids):
        raise ValueError("an event_id is not a UUID")
    members = [blob[start : start + ID_BYTES] for start in range(0, len(blob), ID_BYTES)]
    hours = [at // HOUR_MS for at in occurred_ms]
    distinct = set(hours)
    if len(distinct) == 1:  # the live case: everything happened within the hour
        return Ids(members, {hour_name(occurred_ms[0]): list(range(len(members)))})
    by_hour: dict[str, list[int]] = {hour_name(hour * HOUR_MS): [] for hour in distinct}
    names = {hour: by_hour[hour_name(hour * HOUR_MS)] for hour in distinct}
    for place, hour in enumerate(hours):
        names[hour].append(place)
    return Ids(members, by_hour)


def first_of_each(members: Sequence[bytes], known: Sequence[bool]) -> list[bool]:
    """True for each id that is neither known nor a repetition within the batch."""
    fresh = []
    met: set[bytes] = set()
    for member, old in zip(members, known, strict=True):
        fresh.append(not old and member not in met)
        met.add(member)
    return fresh
