"""Keeps the counts of presence when the positions go: sessions per zone and minute, restated from the raw rows.

Positions are kept for 24 hours after they were received, ``musee.presence_minute`` for ever. A pass recounts every hour
of a site that rows have landed in since the pass before, and the largest count of a minute holds, so a pass may be
repeated, and a late position never shrinks a minute whose other positions have gone already. Run by ``sink.worker``.
"""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog

from streams.adapters.warehouse import Warehouse
from streams.errors import RefusedBlock, Unavailable

log = structlog.get_logger(__name__)

EVERY_S = 60.0
_OVERLAP = timedelta(minutes=5)  # a block is stamped when it is sent, and seen when it is written
_RESTATE = """\
INSERT INTO musee.presence_minute (site_id, zone_id, ts_utc, sessions)
SELECT site_id, zone_id, toStartOfMinute(occurred_at) AS minute, uniqExact(session_pid)
FROM musee.position_update
WHERE NOT test
  AND (clock_trust != 'UNSYNCED'
       AND (occurred_at <= received_at + INTERVAL 5 MINUTE OR site_id NOT IN (SELECT site_id FROM musee.site))
       OR site_id IN (SELECT site_id FROM musee.site FINAL WHERE replay))
  AND (site_id, toStartOfHour(occurred_at)) IN
(
    SELECT site_id, toStartOfHour(occurred_at)
    FROM musee.position_update
    WHERE _landed_at >= {since:DateTime64(3, 'UTC')}
)
GROUP BY site_id, zone_id, minute
SETTINGS max_partitions_per_insert_block = 2000"""  # recordings of many years may come in one hour


async def restate(warehouse: Warehouse, since: datetime) -> datetime:
    """Recount what has landed since an instant; returns the one to begin the next pass from.

    Raises:
        Unavailable: ClickHouse is away.
    """
    ((now,),) = await warehouse.query("SELECT now64(3, 'UTC')")
    await warehouse.command(_RESTATE, {"since": since})
    begun: datetime = now.replace(tzinfo=UTC)
    return begun - _OVERLAP


async def keep_counts(warehouse: Warehouse) -> None:
    """Recount once a minute; the first pass looks at everything that is there."""
    since = datetime.fromtimestamp(0, UTC)
    while True:
        try:
            since = await restate(warehouse, since)
        except (Unavailable, RefusedBlock) as error:
            log.warning("presence not restated, trying again", error=str(error)[:200])
        await asyncio.sleep(EVERY_S)
