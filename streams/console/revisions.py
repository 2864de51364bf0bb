"""What was said again of a day's quarter-hours: old and new counts, why, and when.

How far each quarter is settled comes live from Redis (``Feed.settled``); what a revision said before is only in the
warehouse. It is asked in a thread, once at a time per site and not more often than every few seconds, however many
pages look; a warehouse that is away is said so, and the page goes on without. Used by ``console.pages``.
"""

import asyncio
import time
from dataclasses import dataclass

import structlog

from streams.adapters import evidence_rows
from streams.adapters.evidence_rows import Place
from streams.adapters.history import RefusedQuery
from streams.config import Settings
from streams.core.answers import Revision
from streams.core.partitions import partition_of
from streams.errors import Unavailable
from streams.topology import PARTITIONS

log = structlog.get_logger(__name__)

_FRESH_S = 10.0
_PATIENCE_S = 2.0  # of a page; the answer is kept for the next one
_KEPT = 500  # site-days


@dataclass(frozen=True, slots=True)
class Told:
    """The revisions of a site's day that changed something, latest first, and when the warehouse said so (epoch ms)."""

    revisions: tuple[Revision, ...]
    asked_ms: int


class Revisions:
    """The revisions of any site's day, kept for some seconds."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[tuple[str, int], tuple[float, Told]] = {}
        self._asking: dict[tuple[str, int], asyncio.Task[Told | None]] = {}

    async def of(self, site_id: str, start_ms: int, end_ms: int) -> Told | None:
        """Those of ``[start_ms, end_ms)``; the last known ones while the warehouse is slow, ``None`` if none are."""
        key = site_id, start_ms
        known = self._known.get(key)
        if known is not None and time.monotonic() - known[0] < _FRESH_S:
            return known[1]
        if key not in self._asking:
            self._asking[key] = asyncio.create_task(self._ask(key, end_ms), name=f"revisions of {site_id}")
        try:
            async with asyncio.timeout(_PATIENCE_S):
                told = await asyncio.shield(self._asking[key])
        except TimeoutError:
            told = None
        return told or (known[1] if known else None)

    async def _ask(self, key: tuple[str, int], end_ms: int) -> Told | None:
        site_id, start_ms = key
        place = Place(site_id, partition_of(site_id, PARTITIONS), start_ms, end_ms)
        try:
            rows = await asyncio.to_thread(evidence_rows.windows, self._settings, place, None)
        except (Unavailable, RefusedQuery) as error:
            log.info("revisions not read", site=site_id, error=str(error)[:200])
            return None
        finally:
            self._asking.pop(key, None)
        changing = [row for row in rows if row.before is not None and row.before != row.counts]
        told = Told(tuple(reversed(changing)), time.time_ns() // 1_000_000)
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[key] = time.monotonic(), told
        return told
