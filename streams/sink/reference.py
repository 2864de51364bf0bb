"""Keeps ``musee.site`` up to the site topic, for the views' time zones and names. A removed site keeps its row."""

import asyncio

import structlog

from streams.adapters.site_topic import SiteTopic
from streams.adapters.warehouse import Warehouse
from streams.core.sites import Site
from streams.errors import RefusedBlock, Unavailable

log = structlog.get_logger(__name__)

_ALL_AGAIN_S = 600.0
_COLUMNS = (
    "site_id", "org_id", "name", "time_zone", "business_day_end_hour", "capacity", "replay", "note", "simulated",
    "place", "department", "region", "latitude", "longitude", "category", "themes", "handles", "reference",
    "source",
    "error_share",
)  # fmt: skip


async def follow_sites(topic: SiteTopic, warehouse: Warehouse) -> None:
    """Write every site that changed; a write that failed is tried again, and repeating one is harmless."""
    written: dict[str, Site] = {}
    while True:
        try:
            async with asyncio.timeout(_ALL_AGAIN_S):
                await topic.changed.wait()
        except TimeoutError:
            written.clear()  # the store may have come back empty; the same row twice is one row
        topic.changed.clear()
        changed = [site for site in topic.sites.values() if written.get(site.site_id) != site]
        if not changed:
            continue
        try:
            await warehouse.insert("site", _COLUMNS, [[getattr(site, name) for name in _COLUMNS] for site in changed])
        except (Unavailable, RefusedBlock) as error:
            log.warning("sites not written, trying again", error=str(error)[:200])
            await asyncio.sleep(1.0)
            topic.changed.set()
            continue
        written |= {site.site_id: site for site in changed}
