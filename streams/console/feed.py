"""The live feed: reads what changed in Redis once for all browsers, and hands it out.

Five times a second it asks each partition which sites changed since the version it knows, reads those, and tells every
subscriber. Once a second it says how old everything is, also when nothing changed. A browser that does not read gets a
snapshot instead of an ever longer queue.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import structlog

from streams.adapters import metrics
from streams.adapters.live_view import Level, LiveView
from streams.adapters.site_topic import SiteTopic
from streams.config import Settings
from streams.core import now as present
from streams.core.partitions import partition_of
from streams.core.sites import Site
from streams.errors import Unavailable
from streams.topology import PARTITIONS

log = structlog.get_logger(__name__)

_EVERY_S = 0.2
_BEAT_S = 1.0
_REREAD_S = 10.0  # days end without an event, and a restored store may show older versions
_QUEUE = 16


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the feed: ``snapshot`` holds all sites, ``delta`` those that changed."""

    event: str
    id: str
    data: dict[str, object]


@dataclass(slots=True)
class _Figures:
    """What is known of one site."""

    site: Site
    level: Level
    day: present.Day
    totals: dict[str, int]
    cells: dict[tuple[str, int, str], int]


class Feed:
    """All sites as they are now."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.redis_url
        self._topic = SiteTopic(settings.kafka_servers)
        self._view: LiveView | None = None
        self._figures: dict[str, _Figures] = {}
        self._confirmed: dict[int, int | None] = {}
        self._versions = dict.fromkeys(range(PARTITIONS), 0)
        self._epoch = f"{time.time_ns() // 1_000_000:x}"
        self._sequence = 0
        self._subscribers: set[asyncio.Queue[Message | None]] = set()
        self._away: set[str] = {"redis"}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin reading; a Redis that is away is waited for."""
        self._view = LiveView(self._url)
        await self._topic.start()
        self._task = asyncio.create_task(self._run(self._view), name="feed")

    async def stop(self) -> None:
        """End every stream and stop reading."""
        for queue in self._subscribers:
            with contextlib.suppress(asyncio.QueueFull):
                queue.put_nowait(None)
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._topic.stop()
        if self._view is not None:
            await self._view.close()

    def missing(self) -> list[str]:
        """Dependencies that are away, for ``/ready``."""
        return sorted(self._away | (set() if self._topic.loaded else {"kafka"}))

    def now(self, site_id: str | None = None) -> dict[str, object]:
        """The ``/v1/now`` document, of one site or all; ``KeyError`` for a site that no file describes."""
        wanted = sorted(self._topic.sites) if site_id is None else [self._topic.sites[site_id].site_id]
        return self._head() | {"sites": [self._document(name) for name in wanted]}

    def day(self, site_id: str) -> dict[str, object]:
        """The day's line of a site in quarter-hours up to its own clock; ``KeyError`` for an unknown site."""
        site = self._topic.sites[site_id]
        now_ms = _now_ms()
        figures = self._figures.get(site_id)
        day = figures.day if figures else present.current_day(site, None, now_ms)
        occurred_ms = figures.level.occurred_ms if figures else None
        until_ms = occurred_ms if site.replay and occurred_ms is not None else now_ms
        return {
            "site_id": site_id,
            "business_day": day.day.isoformat(),
            "time_zone": site.time_zone,
            "start_ms": day.start_ms,
            "end_ms": day.end_ms,
            "bins": present.quarters(figures.cells if figures else {}, day, until_ms),
        }

    async def subscribe(self) -> AsyncIterator[Message]:
        """A snapshot, then deltas; at least one message a second. Ends when the feed stops."""
        queue: asyncio.Queue[Message | None] = asyncio.Queue(_QUEUE)
        self._subscribers.add(queue)
        metrics.STREAMS.set(len(self._subscribers))
        try:
            yield self._snapshot()
            while (message := await queue.get()) is not None:
                yield message
        finally:
            self._subscribers.discard(queue)
            metrics.STREAMS.set(len(self._subscribers))

    # -- inside ------------------------------------------------------------------------------------------------------

    def _id(self) -> str:
        return f"{self._epoch}-{self._sequence}"

    def _head(self) -> dict[str, object]:
        now_ms = _now_ms()
        known = [self._confirmed.get(partition) for partition in range(PARTITIONS)]
        oldest = None if any(one is None for one in known) else min(one for one in known if one is not None)
        fresh = oldest is not None and now_ms - oldest <= present.STALE_AFTER_MS
        return {
            "now_ms": now_ms,
            "stale_after_ms": present.STALE_AFTER_MS,
            "pipeline": {"state": "live" if fresh else "stale", "confirmed_ms": oldest, "missing": self.missing()},
        }

    def _document(self, site_id: str) -> dict[str, object]:
        site = self._topic.sites[site_id]
        figures = self._figures.get(site_id)
        now_ms = _now_ms()
        day = figures.day if figures else present.current_day(site, None, now_ms)
        level = figures.level if figures else Level(None, None)
        totals = figures.totals if figures else {}
        inside, drift = present.inside(totals)
        confirmed_ms = self._confirmed.get(partition_of(site_id, PARTITIONS))
        sums = present.by_gate(figures.cells, day) if figures else {}
        names = {gate.gate_id: gate.name for gate in site.gates}
        return {
            "site_id": site_id,
            "name": site.name,
            "org_id": site.org_id,
            "time_zone": site.time_zone,
            "replay": site.replay,
            "note": site.note,
            "capacity": site.capacity,
            "business_day": day.day.isoformat(),
            "inside": inside,
            "drift": drift,
            **{metric: totals.get(metric, 0) for metric in present.METRICS},
            "occurred_ms": level.occurred_ms,
            "received_ms": level.received_ms,
            "confirmed_ms": confirmed_ms,
            "state": present.state(now_ms, confirmed_ms, level.received_ms),
            "gates": [
                {"gate_id": gate, "name": names.get(gate, gate), **sums.get(gate, dict.fromkeys(present.METRICS, 0))}
                for gate in dict.fromkeys([*names, *sorted(sums)])
            ],
        }

    def _snapshot(self) -> Message:
        return Message("snapshot", self._id(), self.now() | {"confirmed": self._confirmations()})

    def _confirmations(self) -> dict[str, int | None]:
        return {name: self._confirmed.get(partition_of(name, PARTITIONS)) for name in self._topic.sites}

    def _tell(self, changed: list[str]) -> None:
        self._sequence += 1
        documents = [self._document(name) for name in changed if name in self._topic.sites]
        data = self._head() | {"sites": documents, "confirmed": self._confirmations()}
        message = Message("delta", self._id(), data)
        for queue in self._subscribers:
            if queue.full():
                while not queue.empty():
                    queue.get_nowait()
                metrics.DROPPED.inc()
                queue.put_nowait(self._snapshot())
            else:
                queue.put_nowait(message)

    async def _run(self, view: LiveView) -> None:
        beat_s = reread_s = 0.0
        known: set[str] = set()
        while True:
            turned_s = time.monotonic()
            changed: list[str] = []
            try:
                if turned_s - reread_s >= _REREAD_S or self._away or known != set(self._topic.sites):
                    changed = sorted(self._topic.sites)
                    self._versions = await view.newest(range(PARTITIONS))
                    known = set(changed)
                    reread_s = turned_s
                else:
                    changed = await self._ask(view)
                await self._read(view, changed)
                self._confirmed = await view.confirmed(range(PARTITIONS))
                self._away.clear()
            except Unavailable as away:
                if "redis" not in self._away:
                    log.warning("live state is away", error=away.detail)
                self._away.add("redis")
                changed = []
            except Exception:  # streams that freeze unseen are worse than a page that says so
                log.exception("turn of the feed failed")
                self._away.add("feed")
                changed = []
            if changed or turned_s - beat_s >= _BEAT_S:
                self._tell(changed)
                beat_s = turned_s
            await asyncio.sleep(max(0.02, _EVERY_S - (time.monotonic() - turned_s)))

    async def _ask(self, view: LiveView) -> list[str]:
        """Sites changed since the last time."""
        changed = []
        for partition, members in (await view.changed(self._versions)).items():
            for name, version in members:
                self._versions[partition] = max(self._versions[partition], version)
                if name in self._topic.sites:
                    changed.append(name)
        return sorted(changed)

    async def _read(self, view: LiveView, names: list[str]) -> None:
        """Read the figures of ``names`` anew."""
        self._figures = {name: kept for name, kept in self._figures.items() if name in self._topic.sites}
        sites = {name: self._topic.sites[name] for name in names}  # the topic may change while Redis answers
        if not sites:
            return
        homes = {name: partition_of(name, PARTITIONS) for name in names}
        levels = await view.levels(homes)
        now_ms = _now_ms()
        days = {name: present.current_day(site, levels[name].occurred_ms, now_ms) for name, site in sites.items()}
        totals = await view.totals([(homes[name], name, days[name].day.isoformat()) for name in names])
        cells = await view.cells([(homes[name], name, days[name].hours()) for name in names])
        for name, total, found in zip(names, totals, cells, strict=True):
            self._figures[name] = _Figures(sites[name], levels[name], days[name], total, found)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
