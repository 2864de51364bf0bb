"""The live feed: reads what changed in Redis once for all browsers, and hands it out.

Five times a second it reads the sites that changed (``console.reading``) and tells every subscriber
(``console.telling``). Once a second it says how old everything is, also when nothing changed: one confirmation per
partition, and every site names its own. Sites never heard are counted, not told.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from dataclasses import asdict
from typing import Any

import msgspec
import structlog

from streams.adapters.alert_view import AlertView
from streams.adapters.live_view import Level, LiveView
from streams.adapters.site_topic import SiteTopic
from streams.config import Settings
from streams.console import documents
from streams.console.alerts import Alerts, Listed
from streams.console.reading import Figures, Reading
from streams.console.telling import Document, Guard, Message, Telling
from streams.core import grains
from streams.core import now as present
from streams.core.days import MINUTE_MS, hours_between
from streams.core.partitions import partition_of
from streams.core.rebuilding import Progress
from streams.core.sites import Site, Sites
from streams.core.windows import Counts, Said
from streams.errors import Unavailable
from streams.topology import PARTITIONS

log = structlog.get_logger(__name__)

_EVERY_S = 0.2


class Feed:
    """All sites as they are now."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.redis_url
        self._topic = SiteTopic(settings.kafka_servers)
        self._view: LiveView | None = None
        self._reading = Reading()
        self._alert_view: AlertView | None = None
        self._alerts = Alerts()
        self._telling = Telling(self)
        self._minute = 0
        self._away: set[str] = {"redis"}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin reading; a Redis that is away is waited for."""
        self._view = LiveView(self._url)
        self._alert_view = AlertView(self._url)
        await self._topic.start()
        self._task = asyncio.create_task(self._run(self._view, self._alert_view), name="feed")

    async def stop(self) -> None:
        """End every stream and stop reading."""
        self._telling.stop()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._topic.stop()
        if self._view is not None:
            await self._view.close()
        if self._alert_view is not None:
            await self._alert_view.close()

    def missing(self) -> list[str]:
        """Dependencies that are away, for ``/ready``."""
        return sorted(self._away | (set() if self._topic.loaded else {"kafka"}))

    @property
    def known(self) -> list[str]:
        """Ids of all sites that a file describes."""
        return sorted(self._topic.sites)

    def site(self, site_id: str) -> Site:
        """What the site's file says; ``KeyError`` for an unknown one."""
        return self._topic.sites[site_id]

    @property
    def sites(self) -> Sites:
        """All sites that a file describes; changes in place."""
        return self._topic.sites

    def now(self, site_id: str | None = None, *, heard_only: bool = False) -> Document:
        """The ``/v1/now`` document, of one site, of all or of those ever heard; ``KeyError`` for an unknown site."""
        if site_id is not None:
            wanted = [self._topic.sites[site_id].site_id]
        else:
            wanted = self.heard() if heard_only else self.known
        now_ms = _now_ms()
        return self.opening() | {"sites": [self._document(name, now_ms) for name in wanted]}

    def head(self) -> Document:
        """The ``/v1/now`` document without any site."""
        return self.opening() | {"sites": []}

    def day(self, site_id: str) -> dict[str, Any]:
        """The day's line of a site in quarter-hours up to its own clock; ``KeyError`` for an unknown site."""
        site = self._topic.sites[site_id]
        now_ms = _now_ms()
        figures = self._reading.figures.get(site_id)
        day = figures.day if figures else present.current_day(site, None, now_ms)
        return {
            "site_id": site_id,
            "business_day": day.day.isoformat(),
            "time_zone": site.time_zone,
            "start_ms": day.start_ms,
            "end_ms": day.end_ms,
            "bins": present.quarters(
                figures.all_cells() if figures else {},
                day,
                figures.clock_ms(now_ms) if figures else now_ms,
                figures.corrections if figures else (),
            ),
        }

    async def settled(self, site_id: str) -> dict[str, Any]:
        """``day`` with how far each quarter-hour is settled, as far as Redis says; ``KeyError`` for an unknown site."""
        day = self.day(site_id)
        bins: list[dict[str, int]] = day["bins"]
        if self._view is None or not bins:
            return day
        hours = hours_between(day["start_ms"], bins[-1]["start_ms"] + 1)
        try:
            windows, watermark_ms = await self._view.windows(partition_of(site_id, PARTITIONS), site_id, hours)
        except Unavailable:
            return day
        told = [_settled(one, windows.get(one["start_ms"]), watermark_ms) for one in bins]
        return day | {"watermark_ms": watermark_ms, "bins": told}

    def gate_hours(self, site_id: str) -> dict[str, dict[int, Counts]]:
        """Gate → start of each local hour of the business day → what it counted; ``KeyError`` for an unknown site."""
        site, figures = self._topic.sites[site_id], self._reading.figures.get(site_id)
        return grains.gate_hours(figures.all_cells(), figures.day, site.time_zone) if figures else {}

    def alerts(self, site_id: str | None = None) -> Document:
        """The ``/v1/alerts`` document, of one site or of all; ``KeyError`` for an unknown site."""
        wanted = self._topic.sites if site_id is None else [self._topic.sites[site_id].site_id]
        return {
            "now_ms": _now_ms(),
            "missing": self.missing(),
            "unknown": list(self._alerts.unknown),
            **msgspec.to_builtins(self._alerts.count(wanted)),
            "alerts": self._alerts.documents(wanted),
        }

    def listed(self, site_id: str | None = None) -> list[Listed]:
        """Every alert that is not resolved, of one site or of all, for a page; ``KeyError`` for an unknown site."""
        sites = self._topic.sites
        return self._alerts.listed(sites if site_id is None else {site_id: sites[site_id]})

    def hurry(self) -> None:
        """Read the alerts in the next turn: one was changed by way of us."""
        self._alerts.hurry()

    @property
    def unknown(self) -> tuple[int, ...]:
        """Partitions whose alerts are being read back."""
        return self._alerts.unknown

    def some(self, site_ids: Iterable[str]) -> Document:
        """The ``/v1/now`` document of some sites; those that no file describes are left out."""
        now_ms = _now_ms()
        names = [name for name in site_ids if name in self._topic.sites]
        return self.head() | {"sites": [self._document(name, now_ms) for name in names]}

    def subscribe(
        self, site_id: str | None = None, last_id: str | None = None, guard: Guard | None = None
    ) -> AsyncGenerator[Message]:
        """Messages about one site or all, see ``Telling.subscribe``; ``KeyError`` for an unknown site."""
        wanted = None if site_id is None else self._topic.sites[site_id].site_id
        return self._telling.subscribe(wanted, last_id, guard)

    # -- documents ---------------------------------------------------------------------------------------------------

    def heard(self) -> list[str]:
        """Ids of the sites that ever said anything."""
        return sorted(name for name, figures in self._reading.figures.items() if figures.heard)

    def is_heard(self, site_id: str) -> bool:
        """Whether a site ever said anything."""
        figures = self._reading.figures.get(site_id)
        return figures is not None and figures.heard

    def describes(self, site_id: str) -> bool:
        """Whether a file describes a site."""
        return site_id in self._topic.sites

    def document(self, site_id: str) -> Document:
        """A site as ``/v1/now`` tells it; ``KeyError`` for an unknown one."""
        return self._document(site_id, _now_ms())

    def opening(self) -> Document:
        """What every message says beside its sites."""
        now_ms = _now_ms()
        oldest = _oldest(list(self._reading.vouched.values()))
        fresh = oldest is not None and now_ms - oldest <= present.STALE_AFTER_MS
        rebuilding = self._rebuilding()
        state = "rebuilding" if rebuilding else "live" if fresh else "stale"
        return {
            "now_ms": now_ms,
            "stale_after_ms": present.STALE_AFTER_MS,
            "pipeline": {"state": state, "confirmed_ms": oldest, "missing": self.missing()},
            "rebuilding": None if rebuilding is None else asdict(rebuilding),
            "network": self._network(now_ms),
            "confirmed": [self._reading.vouched[partition] for partition in range(PARTITIONS)],
        }

    def _rebuilding(self) -> Progress | None:
        """What is being counted anew; of a store that is away nobody knows."""
        return None if "redis" in self._away else self._reading.rebuilding

    def _is_rebuilt(self, partitions: Collection[int]) -> bool:
        """Whether one of these partitions is being counted anew, or waits for its turn beside others that are."""
        rebuilding = self._rebuilding()
        return rebuilding is not None and any(
            one in rebuilding.partitions or self._reading.vouched[one] is None for one in partitions
        )

    def _network(self, now_ms: int) -> Document:
        """Sums over the sites that were ever heard, as old as the oldest of them."""
        sums = dict.fromkeys(("inside", "entries", "exits"), 0)
        played = dict.fromkeys(("sites", "inside", "entries", "simulated"), 0)
        heard = 0
        received_ms = 0
        partitions = set()
        for name, figures in self._reading.figures.items():
            if not figures.heard:
                continue
            heard += 1
            partitions.add(partition_of(name, PARTITIONS))
            inside, entries = figures.people.inside, figures.totals.get("entries", 0)
            sums["inside"] += inside
            sums["entries"] += entries
            sums["exits"] += figures.totals.get("exits", 0)
            if figures.site.replay or figures.site.simulated:
                played["sites"] += 1
                played["inside"] += inside
                played["entries"] += entries
                played["simulated"] += figures.site.simulated
            received_ms = max(received_ms, figures.level.received_ms or 0)
        of = partitions or range(PARTITIONS)
        confirmed_ms = _oldest([self._reading.vouched[one] for one in of])
        return {
            "sites_known": len(self._topic.sites),
            "sites_heard": heard,
            **sums,
            "played": played,
            "alerts": msgspec.to_builtins(self._alerts.count(self._topic.sites)),
            "confirmed_ms": confirmed_ms,
            "received_ms": received_ms or None,
            "state": present.state(now_ms, confirmed_ms, received_ms or None, rebuilding=self._is_rebuilt(of)),
        }

    def _document(self, site_id: str, now_ms: int) -> Document:
        figures = self._reading.figures.get(site_id)
        if figures is None:  # described this very moment
            site: Site = self._topic.sites[site_id]
            figures = Figures(site, Level(None, None), present.current_day(site, None, now_ms))
        if figures.document is None:
            figures.document = documents.lasting(figures, now_ms)
        partition = partition_of(site_id, PARTITIONS)
        confirmed_ms = self._reading.vouched[partition] if figures.read else None
        rebuilding = self._is_rebuilt([partition])
        state = present.state(now_ms, confirmed_ms, figures.level.received_ms, rebuilding=rebuilding)
        told = msgspec.to_builtins(self._alerts.of(figures.site))
        return {**figures.document, "confirmed_ms": confirmed_ms, "state": state, "alerts": told}

    # -- telling -------------------------------------------------------------------------------------------------------

    def _minute_passed(self) -> list[str]:
        """Sites whose zones may look otherwise since another minute of the wall's clock is the last full one."""
        minute = _now_ms() // MINUTE_MS
        if minute == self._minute:
            return []
        self._minute = minute
        passed = []
        for name, figures in self._reading.figures.items():
            if figures.sessions and not figures.site.replay:
                figures.document = None
                passed.append(name)
        return passed

    async def _run(self, view: LiveView, alerts: AlertView) -> None:
        while True:
            turned_s = time.monotonic()
            changed: list[str] = []
            try:
                if self._away:
                    self._reading.forget()
                changed = await self._reading.turn(view, self._topic.sites, _now_ms())
                changed = sorted({*changed, *await self._alerts.turn(alerts)})
                self._away.clear()
            except Unavailable as away:
                if "redis" not in self._away:
                    log.warning("live state is away", error=away.detail)
                self._away.add("redis")
            except Exception:  # streams that freeze unseen are worse than a page that says so
                log.exception("turn of the feed failed")
                self._away.add("feed")
            changed += self._minute_passed()
            self._telling.tell(changed, turned_s)
            await asyncio.sleep(max(0.02, _EVERY_S - (time.monotonic() - turned_s)))


def _settled(one: dict[str, int], said: Said | None, watermark_ms: int | None) -> Document:
    """A bin of the day with its status, and the revision that was said last."""
    counted = Counts(one["entries"], one["exits"], one["denied"])
    status = grains.status(one["start_ms"], counted, said, watermark_ms)
    return {**one, "status": status, "revision": None if said is None else said.revision}


def _oldest(known: Sequence[int | None]) -> int | None:
    """The earliest of some moments; ``None`` if one of them is."""
    return None if None in known else min(one for one in known if one is not None)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
