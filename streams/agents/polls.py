"""What one poll brought, decoded together: one frame for all partitions, one batch for each.

A frame costs some hundred microseconds whatever it holds, and a poll brings eight small fetches when little happens.
So they are read, looked up and tallied as one, and parted again by where a site lives. Made and used by
``agents.counts``.
"""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import faust
import polars as pl

from streams.adapters import frames
from streams.adapters.claims import Fetch
from streams.adapters.dead_letters import Culprit
from streams.adapters.live_store import Batch
from streams.core import clocks, increments, seen, sequences
from streams.core.days import MINUTE_MS
from streams.core.partitions import partition_of
from streams.core.sites import Sites
from streams.topology import PARTITIONS, Family, Live

Reason = clocks.Verdict | Literal["partition"]

_COLUMNS = (*clocks.COLUMNS, *sequences.COLUMNS, "device_at")
_PARTITION = "write with Kafka's own partitioner (murmur2)"
_DETAIL = {
    "clock": "the clock of its device is not believed: musee dlq retry --reason clock --shift says what its time was",
    "future": f"its time is more than {clocks.AHEAD_MS // MINUTE_MS} min ahead of its receipt",
}
MAX_CELLS = 1_500  # a script stays under 10 ms, or everybody else waits for it


async def together(stream: "faust.StreamT[Fetch]") -> AsyncIterator[list[Fetch]]:
    """Fetches of a channel, those that wait already together with the next, at most one of each partition."""
    queue = stream.channel.queue  # type: ignore[attr-defined]  # a channel, typed as any iterator
    async for fetch in stream:
        poll = {fetch.partition: fetch}
        while not queue.empty():
            fetch = queue.get_nowait().value
            if fetch.partition in poll:
                yield list(poll.values())
                poll = {}
            poll[fetch.partition] = fetch
        yield list(poll.values())


def _gathered(frame: pl.DataFrame) -> seen.Gathered:
    """Ids of a batch by what the devices said of the time.

    An event that was sent twice may have been corrected by another skew each time, and must be looked up where it is.
    """
    if frame["device_at"].null_count() < frame.height:
        frame = frame.select("event_id", occurred_at=pl.coalesce("device_at", "occurred_at"))
    return seen.gather(frame)


@dataclass(frozen=True, slots=True)
class Part:
    """One fetch of a poll as it goes to the store.

    Attributes:
        counted: events that change something.
        resent: events left out because their id was counted before.
        unreadable: reason → records that could not be read.
        late: events received too late to change anything live.
    """

    fetch: Fetch
    batch: Batch
    counted: int
    resent: int
    unreadable: Counter[str]
    late: int


class Poll:
    """Fetches of one family from different partitions.

    Attributes:
        culprits: records to dead-letter: in the wrong partition, or of a time that is not believed.
    """

    def __init__(self, fetches: Sequence[Fetch], family: Family, live: Live, sites: Sites) -> None:
        self._fetches = list(fetches)
        self._live = live
        self._values = [value for fetch in fetches for value in fetch.values]
        starts = [0]
        for fetch in fetches:
            starts.append(starts[-1] + len(fetch.values))
        self._starts = starts
        columns = tuple(dict.fromkeys((*live.columns, *_COLUMNS)))
        batch = frames.read(self._values, family.name, columns)
        try:
            self._ids = _gathered(batch.frame)
        except ValueError:  # a block does not look into its strings
            batch = frames.one_by_one(self._values, family.name, columns)
            self._ids = _gathered(batch.frame)
        self._frame = batch.frame
        self._places = range(len(self._values)) if batch.places is None else batch.places
        self._rejects = batch.rejects
        self._bound()
        self._late = [0] * len(self._fetches)
        self.culprits = self._take_out(sites)
        self._keep: list[bool] | None = None

    def _bound(self) -> None:
        """Rows ``[first, end)`` of each fetch."""
        if len(self._places) == len(self._values):
            self._rows = list(pairwise(self._starts))
            return
        self._rows = []
        row = 0
        for _, end_value in pairwise(self._starts):
            first = row
            while row < len(self._places) and self._places[row] < end_value:
                row += 1
            self._rows.append((first, row))

    def _take_out(self, sites: Sites) -> list[Culprit]:
        """What can never be counted, and what came too late to; the frame goes on without either."""
        out: dict[int, tuple[Reason, str]] = {
            row: (verdict, _DETAIL.get(verdict, "")) for row, verdict in clocks.verdicts(self._frame, sites).items()
        }
        for fetch, (first, end) in zip(self._fetches, self._rows, strict=True):
            names = self._frame["site_id"].slice(first, end - first)
            homes = {name: partition_of(name, PARTITIONS) for name in names.unique().to_list()}
            if all(home == fetch.partition for home in homes.values()):
                continue
            for row, name in enumerate(names.to_list(), first):
                if homes[name] != fetch.partition:
                    out[row] = "partition", f"its site lives in partition {homes[name]}: {_PARTITION}"
        if not out:
            return []
        culprits = []
        for number, (fetch, (first, end)) in enumerate(zip(self._fetches, self._rows, strict=True)):
            for row in (row for row in range(first, end) if row in out):
                reason, detail = out[row]
                if reason == "late":
                    self._late[number] += 1
                else:
                    culprits.append(self._culprit(number, fetch, self._places[row], reason, detail))
        stay = [row for row in range(self._frame.height) if row not in out]
        self._frame = self._frame[stay]
        self._places = [self._places[row] for row in stay]
        self._bound()
        self._ids = _gathered(self._frame)
        return culprits

    def _culprit(self, number: int, fetch: Fetch, place: int, reason: str, detail: str) -> Culprit:
        index = place - self._starts[number]
        return Culprit(
            topic=fetch.topic,
            partition=fetch.partition,
            offset=fetch.offset(index),
            reason=reason,
            detail=detail,
            key=fetch.key(index),
            value=fetch.values[index],
            appended_ms=fetch.appended_ms(index),
        )

    def ids(self) -> list[tuple[int, seen.Gathered]]:
        """(partition, ids) of each fetch."""
        return [
            (fetch.partition, self._ids.part(first, end))
            for fetch, (first, end) in zip(self._fetches, self._rows, strict=True)
        ]

    def leave_out(self, known: Sequence[set[int]]) -> None:
        """Count only what is not ``known`` (places within each fetch's ids) and not a repetition within its fetch."""
        masks = [
            seen.fresh(self._ids.part(first, end), found) or [True] * (end - first)
            for (first, end), found in zip(self._rows, known, strict=True)
        ]
        keep = [one for mask in masks for one in mask]
        self._keep = None if all(keep) else keep

    def parts(self, sites: Sites) -> tuple[list[Part], list[Fetch]]:
        """What each fetch does to the store, and the fetches that would do too much at once."""
        keep = self._keep
        frame = self._kept(0, self._frame.height)
        by_home = increments.split(self._live.tally(frame, sites), lambda site: partition_of(site, PARTITIONS))
        parts: list[Part] = []
        too_large: list[Fetch] = []
        for number, (fetch, (first, end)) in enumerate(zip(self._fetches, self._rows, strict=True)):
            added = by_home.get(fetch.partition, increments.Increments())
            if added.size > MAX_CELLS and len(fetch.values) > 1:
                too_large.append(fetch)
                continue
            kept = None if keep is None else keep[first:end]
            ids = self._ids.part(first, end).joined(kept)
            batch = Batch(fetch.topic, fetch.partition, fetch.prev, fetch.last, added, ids)
            counted = end - first if kept is None else sum(kept)
            parts.append(
                Part(fetch, batch, counted, end - first - counted, self._unreadable(number), self._late[number])
            )
        return parts, too_large

    def _kept(self, first: int, end: int) -> pl.DataFrame:
        """Rows ``[first, end)`` without those that were left out."""
        frame = self._frame.slice(first, end - first)
        return frame if self._keep is None else frame.filter(pl.Series(self._keep[first:end], dtype=pl.Boolean))

    def numbered(self, fetches: Sequence[Fetch]) -> pl.DataFrame:
        """``sequences.COLUMNS`` of the events that count, of some of the fetches."""
        if len(fetches) == len(self._fetches):  # the usual case
            return self._kept(0, self._frame.height)
        parts = [
            self._kept(first, end)
            for fetch, (first, end) in zip(self._fetches, self._rows, strict=True)
            if fetch in fetches
        ]
        return pl.concat(parts) if parts else self._frame.clear()

    def _unreadable(self, number: int) -> Counter[str]:
        start, end = self._starts[number], self._starts[number + 1]
        return Counter(reason for place, reason in self._rejects if start <= place < end)
