"""The live time path in memory: batches, marks, watermarks and turns of the loop, deciding with the real ``core``.

A model of what the agents, the scripts of the live store and the loop do to a store that they share; nothing is decided
here. Whatever has a ``tally`` comes in by ``apply``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from streams.core import attendance, occupancy
from streams.core.days import HOUR_MS, MINUTE_MS, hour_name
from streams.core.fence import Answer
from streams.core.fence import decide as answer
from streams.core.increments import Increments
from streams.core.seen import Gathered, fresh, gather
from streams.core.sites import Sites
from streams.core.watermark import advance
from streams.core.windows import QUARTER_MS, Found, Publication, decide, is_due, within
from streams.core.windows import Said as SaidOfWindow

Crash = Literal["reserve", "publish"]
_TYPES: dict[str, pl.DataType] = {
    "occurred_at": pl.Datetime("ms", "UTC"),
    "received_at": pl.Datetime("ms", "UTC"),
    "test": pl.Boolean(),
    "party_size": pl.Int32(),
}


@dataclass(frozen=True, slots=True)
class Scan:
    """A ticket at a gate, as it lies in Kafka."""

    event_id: str
    site_id: str
    gate_id: str
    occurred_at: int
    received_at: int
    direction: str = "IN"
    outcome: str = "ACCEPTED"
    party_size: int = 1
    corrects: str | None = None
    ticket_pid: str | None = None
    test: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """An occupancy correction, as it lies in Kafka."""

    event_id: str
    site_id: str
    occurred_at: int
    kind: occupancy.Kind
    value: int
    zone_id: str | None = None
    test: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Scans of offsets ``prev + 1`` to ``last``, as ``frame`` makes them."""

    prev: int
    last: int
    scans: pl.DataFrame


def frame(scans: Sequence[Scan]) -> pl.DataFrame:
    """The columns that attendance asks for; what a scan does not say is null."""
    return pl.DataFrame(
        {name: [getattr(scan, name, None) for scan in scans] for name in attendance.COLUMNS},
        schema={name: _TYPES.get(name, pl.String()) for name in attendance.COLUMNS},
    )


def said_frame(said: Sequence[Said]) -> pl.DataFrame:
    """The columns that occupancy asks for, of corrections that are received when they are made."""
    types = {name: _TYPES.get(name, pl.String()) for name in occupancy.COLUMNS} | {"value": pl.Int32()}
    rows = {name: [getattr(one, name, None) for one in said] for name in types}
    return pl.DataFrame(rows | {"received_at": rows["occurred_at"]}, schema=types)


@dataclass
class LiveModel:
    """One partition.

    Attributes:
        hashes: key → field → number, as in Redis.
        marks: touched windows, ``site|start`` → version of the batch that touched them last; ``causes`` likewise.
        reserved: window → greatest revision number that was taken.
        topic: what was published, in order.
        facts: key → field → text that was set first.
    """

    sites: Sites
    hashes: dict[str, dict[str, int]] = field(default_factory=dict)
    seen: dict[str, set[bytes]] = field(default_factory=dict)
    applied: int = -1
    version: int = 0
    marks: dict[str, int] = field(default_factory=dict)
    causes: dict[str, int] = field(default_factory=dict)
    watermarks: dict[str, int | None] = field(default_factory=dict)
    said: dict[str, SaidOfWindow] = field(default_factory=dict)
    reserved: dict[str, int] = field(default_factory=dict)
    topic: list[Publication] = field(default_factory=list)
    facts: dict[str, dict[str, str]] = field(default_factory=dict)

    # -- every batch --

    def count(self, batch: Batch) -> Answer:
        """What an agent does with a batch: leave out what was seen, tally, apply behind the fence."""
        said = answer(self.applied, batch.prev, batch.last)
        if said != "OK":
            return said
        ids = gather(batch.scans)
        mask = fresh(ids, self._known(ids))
        scans = batch.scans if mask is None else batch.scans.filter(pl.Series(mask))
        if scans.height:
            self.apply(attendance.tally(scans, self.sites))
        for hour, places in ids.by_hour.items():
            self.seen.setdefault(hour, set()).update(map(ids.member, places))
        self.applied = batch.last
        return said

    def correct(self, said: Sequence[Said]) -> None:
        """What an agent does with corrections; they are facts, so that it needs to know of none that it saw."""
        self.apply(occupancy.tally(said_frame(said), self.sites))

    def hear(self, site_id: str, occurred_ms: int) -> None:
        """A site sends something that is counted elsewhere: it moves the watermark all the same."""
        self.apply(Increments(maxima={(site_id, f"l:{{}}:{site_id}", "occurred_ms"): occurred_ms}))

    def apply(self, increments: Increments) -> None:
        """What the script of the live store does with a batch's effects."""
        self.version += 1
        for (_, key, name), amount in increments.adds.items():
            cells = self.hashes.setdefault(key, {})
            cells[name] = cells.get(name, 0) + amount
        for (_, key, name), value in increments.maxima.items():
            cells = self.hashes.setdefault(key, {})
            cells[name] = max(cells.get(name, value), value)
        for (_, key, name), text in increments.facts.items():
            self.facts.setdefault(key, {}).setdefault(name, text)
        for (_, _, window), cause in increments.touches.items():
            self.marks[window] = self.version
            self.causes[window] = max(self.causes.get(window, 0), cause)

    def _known(self, ids: Gathered) -> list[int]:
        return [
            place
            for hour, places in ids.by_hour.items()
            for place in places
            if ids.member(place) in self.seen.get(hour, ())
        ]

    # -- once a second --

    def turn(
        self, now_ms: int, crash: Crash | None = None, meanwhile: Callable[[], object] = lambda: None
    ) -> list[Publication]:
        """One turn of the loop: reserve, publish, confirm.

        Args:
            now_ms: time of day.
            crash: where the loop dies with the first window that it has something to say about.
            meanwhile: what an agent does between publishing and confirming.

        Returns:
            What was published.
        """
        first = len(self.topic)
        for site_id, site in self.sites.items():
            greatest = self.hashes.get(f"l:{{}}:{site_id}", {}).get("occurred_ms")
            self.watermarks[site_id] = advance(self.watermarks.get(site_id), greatest, now_ms, replay=site.replay)
        for window in self.due():
            found = self.read(window)
            publication = decide(found, now_ms)
            if publication is not None:
                assert self.reserved.get(window, 0) == found.reserved
                self.reserved[window] = publication.revision
                if crash == "reserve":
                    break
                self.topic.append(publication)
                if crash == "publish":
                    break
                meanwhile()
                self.said[window] = SaidOfWindow(publication.revision, publication.gates)
            if self.marks[window] == found.version:
                del self.marks[window], self.causes[window]
        return self.topic[first:]

    def due(self) -> list[str]:
        """Touched windows that their site's watermark has passed."""
        split = [(window, *window.rsplit("|", 1)) for window in self.marks]
        return [window for window, site_id, start in split if is_due(int(start), self.watermarks.get(site_id))]

    def read(self, window: str) -> Found:
        """What the loop reads of a window at once."""
        site_id, start = window.rsplit("|", 1)
        return Found(
            site_id,
            int(start),
            within(self.cells(site_id, int(start)), int(start), int(start) + QUARTER_MS),
            self.said.get(window),
            self.reserved.get(window, 0),
            self.marks.get(window, 0),
            self.causes.get(window, 0),
        )

    def level(self, site_id: str, span: tuple[int, int], zone_ids: Sequence[str | None]) -> list[occupancy.Level]:
        """People inside a site or zones of it at the end of ``[start_ms, end_ms)``, as a page works it out."""
        cells: dict[tuple[str, int, str], int] = {}
        for at_ms in range(span[0] // HOUR_MS * HOUR_MS, span[1], HOUR_MS):
            if f"c:{{}}:{site_id}:{hour_name(at_ms)}" in self.hashes:
                cells |= self.cells(site_id, at_ms)
        said = occupancy.corrections(self.facts.get(f"o:{{}}:{site_id}", {}))
        return [occupancy.level(cells, said, self.sites[site_id], span, zone_id=zone_id) for zone_id in zone_ids]

    def cells(self, site_id: str, at_ms: int) -> dict[tuple[str, int, str], int]:
        """Counts per gate, epoch minute and metric of the UTC hour that contains ``at_ms``."""
        first = at_ms // HOUR_MS * HOUR_MS // MINUTE_MS
        counts = {}
        for name, people in self.hashes.get(f"c:{{}}:{site_id}:{hour_name(at_ms)}", {}).items():
            gate, minute, metric = name.rsplit("|", 2)
            counts[gate, first + int(minute), metric] = people
        return counts
