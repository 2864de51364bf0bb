"""What one poll brought, decoded together: one frame for all partitions, one batch for each.

A frame costs some hundred microseconds whatever it holds, and a poll brings eight small fetches when little happens.
So they are read, looked up and tallied as one, and parted again by where a site lives. Made and used by
``agents.counts``.
"""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import faust
import polars as pl

from streams.adapters import frames
from streams.adapters.claims import Fetch
from streams.adapters.dead_letters import Culprit
from streams.adapters.live_store import Batch
from streams.core import increments, seen
from streams.core.partitions import partition_of
from streams.core.sites import Sites
from streams.topology import PARTITIONS, Family, Live

MAX_CELLS = 1_000  # a script stays under 10 ms, or everybody else waits for it


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


@dataclass(frozen=True, slots=True)
class Part:
    """One fetch of a poll as it goes to the store.

    Attributes:
        counted: events that change something.
        resent: events left out because their id was counted before.
        unreadable: reason → records that could not be read.
    """

    fetch: Fetch
    batch: Batch
    counted: int
    resent: int
    unreadable: Counter[str]


class Poll:
    """Fetches of one family from different partitions."""

    def __init__(self, fetches: Sequence[Fetch], family: Family, live: Live) -> None:
        self._fetches = list(fetches)
        self._live = live
        self._values = [value for fetch in fetches for value in fetch.values]
        starts = [0]
        for fetch in fetches:
            starts.append(starts[-1] + len(fetch.values))
        self._starts = starts
        batch = frames.read(self._values, family.name, live.columns)
        try:
            self._ids = seen.gather(batch.frame)
        except ValueError:  # a block does not look into its strings
            batch = frames.one_by_one(self._values, family.name, live.columns)
            self._ids = seen.gather(batch.frame)
        self._frame = batch.frame
        self._places = range(len(self._values)) if batch.places is None else batch.places
        self._rejects = batch.rejects
        self._bound()
        self.misplaced = self._take_out_misplaced()
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

    def _take_out_misplaced(self) -> list[Culprit]:
        """Records whose site lives in another partition; the frame goes on without them."""
        culprits: list[Culprit] = []
        strange: list[int] = []
        for fetch, (first, end) in zip(self._fetches, self._rows, strict=True):
            names = self._frame["site_id"].slice(first, end - first)
            homes = {name: partition_of(name, PARTITIONS) for name in names.unique().to_list()}
            if all(home == fetch.partition for home in homes.values()):
                continue
            for row, name in enumerate(names.to_list(), first):
                if homes[name] != fetch.partition:
                    strange.append(row)
                    culprits.append(self._misplaced(fetch, self._places[row], homes[name]))
        if strange:
            stay = [row for row in range(self._frame.height) if row not in set(strange)]
            self._frame = self._frame[stay]
            self._places = [self._places[row] for row in stay]
            self._bound()
            self._ids = seen.gather(self._frame)
        return culprits

    def _misplaced(self, fetch: Fetch, place: int, home: int) -> Culprit:
        index = place - self._starts[self._fetches.index(fetch)]
        return Culprit(
            topic=fetch.topic,
            partition=fetch.partition,
            offset=fetch.offset(index),
            reason="partition",
            detail=f"its site lives in partition {home}: write with Kafka's own partitioner (murmur2)",
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
        frame, keep = self._frame, self._keep
        if keep is not None:
            frame = frame.filter(pl.Series(keep, dtype=pl.Boolean))
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
            parts.append(Part(fetch, batch, counted, end - first - counted, self._unreadable(number)))
        return parts, too_large

    def _unreadable(self, number: int) -> Counter[str]:
        start, end = self._starts[number], self._starts[number + 1]
        return Counter(reason for place, reason in self._rejects if start <= place < end)
