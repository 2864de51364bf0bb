"""The windows: once a second, says each touched quarter-hour that its site's watermark has passed.

Read → decide (``core.windows``) → **reserve** a revision number → **publish** → **confirm**. A crash between any two
leaves the mark, so that the window is said again under a higher number, and the greatest is right; in another order a
crash would lose one. First finals and revisions go the same way. A turn is bounded and never waits for the batches nor
lets them wait; what it does not reach is taken a second later. Run by ``agents.app``.

A partition says nothing while its input is not all counted, so that neither a rebuild nor a backlog is told as final;
for the same reason an idle site's clock is the moment until which everything is counted, not the wall's.
"""

import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog

from streams.adapters import avro, metrics, registry
from streams.adapters.fetches import Fetches
from streams.adapters.producer import Outgoing, Producer
from streams.adapters.window_store import Mark, WindowStore
from streams.agents.completeness import Completeness, day_start, share
from streams.core import watermark
from streams.core.sites import Site, Sites
from streams.core.windows import NOTHING, Counts, Found, Publication, decide, is_due, total
from streams.errors import Unavailable
from streams.topology import ATTENDANCE_WINDOW, LIVE_HORIZON_MS, TICKET_SCAN

log = structlog.get_logger(__name__)

_COUNTED_WITHIN_MS = 15_000  # a partition further behind says nothing
_AHEAD_MS = watermark.CREDIBLE_AHEAD_MS
_LOOKED_AT = 2_000  # marks of a partition and turn: those that are not due must not hide the others
_AT_ONCE = 100  # windows of one publication: what it costs is waiting for the answers, not the windows


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one turn may do, over all partitions."""

    windows: int = 500
    seconds: float = 0.5


@dataclass(frozen=True, slots=True)
class Saying:
    """One window as it goes out."""

    found: Found
    publication: Publication
    completeness: float
    watermark_ms: int


class Windows:
    """Says the windows of the partitions that this worker counts scans of."""

    def __init__(
        self, store: WindowStore, sites: Sites, producer: Producer, fetches: Fetches, bounds: Bounds | None = None
    ) -> None:
        self.store = store
        self.producer = producer
        self._sites = sites
        self._fetches = fetches
        self._bounds = bounds or Bounds()
        self._completeness = Completeness(store)
        self._places: dict[int, int] = {}
        self._late_since_s: dict[int, float] = {}
        self._turns = 0
        self._away = ""

    async def turn(self) -> None:
        """One turn over all owned partitions; a store or broker that is away leaves the rest to the next turn."""
        ends_s = time.monotonic() + self._bounds.seconds
        left = self._bounds.windows
        claims = list(self._fetches.claims.values())
        owned = sorted({claim.partition for claim in claims if claim.topic == TICKET_SCAN.topic})
        self._turns += 1
        first = self._turns % max(1, len(owned))  # so that no partition is always the one that is not reached
        try:
            for partition in owned[first:] + owned[:first]:
                left -= await self._partition(partition, left, ends_s)
        except Unavailable as away:
            if away.dependency != self._away:
                log.warning("windows wait", dependency=away.dependency, error=away.detail)
            self._away = away.dependency
        else:
            self._away = ""

    async def _partition(self, partition: int, most: int, ends_s: float) -> int:
        """Say what is due in a partition, ``most`` windows at most; how many were taken."""
        place = self._places.get(partition, 0)
        look = await self.store.look(partition, place, _LOOKED_AT)
        metrics.WINDOWS_PENDING.labels(partition).set(look.total)
        now_ms = time.time_ns() // 1_000_000
        if look.counted_ms is None or now_ms - look.counted_ms > _COUNTED_WITHIN_MS:
            return 0
        marks_of = await self._watermarks(partition, {mark.site_id for mark in look.marks}, look.counted_ms)
        due = sorted(
            (mark for mark in look.marks if is_due(mark.start_ms, marks_of[mark.site_id])),
            key=lambda mark: (mark.start_ms, mark.site_id),
        )
        taken = 0
        while taken < min(most, len(due)) and time.monotonic() < ends_s:
            some = due[taken : min(taken + _AT_ONCE, most)]
            await self._take(partition, some, marks_of)
            taken += len(some)
        # Marks that are not due stay in front of the set: the next turn looks behind them.
        behind = place + len(look.marks) - taken
        self._places[partition] = behind if behind < look.total - taken else 0
        if taken == len(due):
            self._late_since_s.pop(partition, None)
        since_s = self._late_since_s.setdefault(partition, time.monotonic()) if taken < len(due) else None
        metrics.WINDOWS_BEHIND.labels(partition).set(0 if since_s is None else time.monotonic() - since_s)
        return taken

    async def _watermarks(self, partition: int, site_ids: Iterable[str], counted_ms: int) -> dict[str, int | None]:
        """The watermark of each site now; keeps those that moved."""
        levels = await self.store.levels(partition, list(site_ids))
        found: dict[str, int | None] = {}
        rising: dict[str, int] = {}
        exact: dict[str, int] = {}
        for site_id, level in levels.items():
            site = self._sites.get(site_id)
            replay = site is not None and site.replay
            found[site_id] = at_ms = watermark.of_site(
                level.watermark_ms, level.occurred_ms, level.received_ms, counted_ms, replay=replay
            )
            if at_ms is not None and at_ms != level.watermark_ms:
                (exact if replay else rising)[site_id] = at_ms
        await self.store.keep_watermarks(partition, rising, exact)
        return found

    async def _take(self, partition: int, marks: Sequence[Mark], marks_of: dict[str, int | None]) -> None:
        """Say these windows, or take their marks away where there is nothing to say."""
        sites = {mark.site_id: self._sites.get(mark.site_id) for mark in marks}
        reads = await self.store.read(
            partition, [(mark, day_start(mark.start_ms, sites[mark.site_id])) for mark in marks]
        )
        by_mark = {Mark(read.found.site_id, read.found.start_ms): read for read in reads}
        shares = await self._completeness.of(
            partition, [(mark, read, sites[mark.site_id]) for mark, read in by_mark.items()]
        )
        now_ms = time.time_ns() // 1_000_000
        to_say: list[Saying] = []
        nothing: list[Found] = []
        for mark, read in by_mark.items():
            found = read.found
            if _expired(found, sites[mark.site_id], now_ms):
                nothing.append(found)
                continue
            publication = decide(found, now_ms)
            if publication is None:
                nothing.append(found)
            else:
                to_say.append(Saying(found, publication, share(shares, mark), marks_of[mark.site_id] or 0))
        await self.store.forget(partition, nothing)
        if to_say:
            await self._say(partition, to_say)

    async def _say(self, partition: int, to_say: list[Saying]) -> None:
        """Reserve, publish, confirm; a window whose number somebody else took is left to its next turn."""
        reserved = await self.store.reserve(partition, [(one.found, one.publication) for one in to_say])
        mine = [one for one, ok in zip(to_say, reserved, strict=True) if ok]
        await self.producer.write(ATTENDANCE_WINDOW.topic, [record for one in mine for record in _records(one)])
        await self.store.confirm(partition, [(one.found, one.publication) for one in mine])
        for one in mine:
            metrics.WINDOWS_SAID.labels("final" if one.publication.before is None else "revised").inc()


def _expired(found: Found, site: Site | None, now_ms: int) -> bool:
    """Whether the live store no longer holds all that happened in a window: then history alone can say.

    Its cells are gone, or begun anew by an event that came after they were gone; or it was never said, and may have
    begun before what a rebuild reads: an event may be appended so much earlier than it says to have happened. A
    replayed site's times say nothing about when its records were appended.
    """
    replay = site is not None and site.replay
    if found.said is None:
        return not found.gates or (not replay and found.start_ms < now_ms - LIVE_HORIZON_MS + _AHEAD_MS)
    return not found.said.gates.keys() <= found.gates.keys()


def _records(said: Saying) -> list[Outgoing]:
    """The site and each of its gates, as records to write."""
    one = said.publication
    before = one.before
    rows: list[tuple[str | None, Counts, Counts | None]] = [
        (None, total(one.gates), None if before is None else total(before))
    ]
    rows += [(gate, now, None if before is None else before.get(gate, NOTHING)) for gate, now in one.gates.items()]
    return [_record(said, *row) for row in rows]


def _record(said: Saying, gate_id: str | None, now: Counts, before: Counts | None) -> Outgoing:
    one = said.publication
    gate = "" if gate_id is None else f"|{gate_id}"
    name = f"musee:attendance-window:{one.site_id}{gate}|{one.start_ms}|{one.revision}"
    record = {
        "event_id": str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
        "site_id": one.site_id,
        "gate_id": gate_id,
        "start_at": one.start_ms,
        "end_at": one.end_ms,
        "entries": now.entries,
        "exits": now.exits,
        "denied": now.denied,
        "entries_before": None if before is None else before.entries,
        "exits_before": None if before is None else before.exits,
        "denied_before": None if before is None else before.denied,
        "revision": one.revision,
        "cause": one.cause,
        "completeness": said.completeness,
        "watermark_at": said.watermark_ms,
        "published_at": time.time_ns() // 1_000_000,
    }
    return Outgoing(one.site_id, avro.encode(registry.by_name(ATTENDANCE_WINDOW.schema), record))
