"""The resets: after closing, writes that a site is empty again, and how far its count had drifted.

Once a second it looks at a part of the sites, at all of them every ten seconds. A reset is due when the site's
watermark has passed closing and grace (``core.calendar.due_reset``); it goes out as an ``occupancy-correction`` like
anybody's and takes effect when it is counted. Its event id is made of site and day: whoever writes it again, after a
crash or as another worker, writes the same event. A partition whose input is not all counted waits: its drift would be
wrong. Corrections that no business day asks for any more are taken away from the live store.
Run by ``agents.app``.
"""

import importlib.metadata
import time
from collections.abc import Callable, Iterable
from datetime import timedelta

import structlog

from streams.adapters import avro, registry
from streams.adapters.occupancy_store import OccupancyStore
from streams.adapters.producer import Outgoing, Producer
from streams.core import occupancy, watermark
from streams.core.calendar import Calendars, Reset, due_reset
from streams.core.days import MINUTE_MS, business_day
from streams.core.occupancy import reset_id
from streams.core.partitions import partition_of
from streams.core.sites import Site, Sites
from streams.errors import Unavailable
from streams.topology import LIVE_KEPT_MS, OCCUPANCY_CORRECTION, PARTITIONS

log = structlog.get_logger(__name__)

_ROUND = 10  # turns in which every site is looked at once
_COUNTED_WITHIN_MS = 15_000  # a partition further behind waits
_SETTLED = 50_000  # event ids remembered; forgetting them costs a look each
_PRODUCER = f"agents/{importlib.metadata.version('data-musee')}"


class Resets:
    """Writes the resets of the partitions that this worker counts.

    Args:
        store: the live store.
        sites: all that are known.
        calendars: by site.
        producer: of this worker.
        owned: the partitions that this worker counts now.
    """

    def __init__(
        self,
        store: OccupancyStore,
        sites: Sites,
        calendars: Calendars,
        producer: Producer,
        owned: Callable[[], Iterable[int]],
    ) -> None:
        self._store = store
        self._sites = sites
        self._calendars = calendars
        self._producer = producer
        self._owned = owned
        self._turns = 0
        self._settled: set[str] = set()  # also what is on its way through Kafka
        self._away = ""

    async def turn(self, round_of: int = _ROUND) -> int:
        """Look at one of ``round_of`` parts of the sites; how many resets were written.

        A store or broker that is away leaves the rest to the next round.
        """
        self._turns += 1
        owned = set(self._owned())
        by_partition: dict[int, list[str]] = {}
        for place, name in enumerate(sorted(self._sites)):
            partition = partition_of(name, PARTITIONS)
            if partition in owned and place % round_of == self._turns % round_of:
                by_partition.setdefault(partition, []).append(name)
        written = 0
        try:
            for partition, names in by_partition.items():
                written += await self._partition(partition, names)
        except Unavailable as away:
            if away.dependency != self._away:
                log.warning("resets wait", dependency=away.dependency, error=away.detail)
            self._away = away.dependency
        else:
            self._away = ""
        return written

    async def _partition(self, partition: int, names: list[str]) -> int:
        counted_ms, heard = await self._store.look(partition, names)
        if counted_ms is None or time.time_ns() // 1_000_000 - counted_ms > _COUNTED_WITHIN_MS:
            return 0
        written = 0
        old = {}
        for name, said in heard.items():
            site = self._sites.get(name)
            if site is None:  # taken away meanwhile
                continue
            mark_ms = watermark.of_site(
                said.watermark_ms, said.occurred_ms, said.received_ms, counted_ms, replay=site.replay
            )
            if mark_ms is None:
                continue
            if gone := [one for one in said.corrections if one.occurred_ms < mark_ms - LIVE_KEPT_MS]:
                old[name] = gone
            today = business_day(mark_ms, site.time_zone, site.business_day_end_hour)
            ids = {reset_id(name, day) for day in (today - timedelta(days=1), today)}
            known = {one.event_id for one in said.corrections} | (ids & self._settled)
            while (reset := due_reset(site, self._calendars.get(name), mark_ms, known)) is not None:
                written += await self._settle(partition, site, reset)
                known.add(reset.event_id)
        if old:
            await self._store.forget(partition, old)
        return written

    async def _settle(self, partition: int, site: Site, reset: Reset) -> bool:
        """Write a reset, and whether it was; a day that is over and on which nobody came needs none."""
        span = reset.start_ms, (reset.at_ms // MINUTE_MS + 1) * MINUTE_MS
        counted = await self._store.read(partition, site.site_id, span)
        if len(self._settled) >= _SETTLED:
            self._settled.clear()
        if reset.overdue and not counted.cells:
            self._settled.add(reset.event_id)
            return False
        drift = occupancy.level(counted.cells, counted.corrections, site, span).corrected
        record: avro.Record = {
            "event_id": reset.event_id,
            "org_id": site.org_id,
            "site_id": site.site_id,
            "zone_id": None,
            "gate_id": None,
            "device_id": None,
            "seq": None,
            "occurred_at": reset.at_ms,
            "sent_at": None,
            "received_at": time.time_ns() // 1_000_000,
            "clock_trust": "SYNCED",
            "ingest_mode": "LIVE",
            "corrects": None,
            "producer": _PRODUCER,
            "test": False,
            "kind": "RESET",
            "value": 0,
            "who": "calendar",
            "why": f"closed on {reset.day.isoformat()}, grace is over",
            "drift": drift,
            "device_at": None,
        }
        value = avro.encode(registry.by_name(OCCUPANCY_CORRECTION.schema), record)
        await self._producer.write(OCCUPANCY_CORRECTION.topic, [Outgoing(site.site_id, value)])
        self._settled.add(reset.event_id)
        log.info("site counts as empty", site=site.site_id, day=reset.day.isoformat(), drift=drift)
        return True
