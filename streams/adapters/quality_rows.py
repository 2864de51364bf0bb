"""What history counted of a window of ingest time: arrivals by site, dead letters by site and reason.

One query for each family and one for the dead letters, each on one processor and with a time limit, so that asking
costs a control room nothing when there is much to count: a family that takes too long is named, and the others stand.
Rows landed twice are one record, and several records of an event are one event. Called by ``console.quality``.
"""

from collections import defaultdict
from dataclasses import dataclass

from streams.adapters import history
from streams.config import Settings
from streams.core.quality import LATE_MS, Arrivals, Letters
from streams.topology import (
    DEVICE_STATUS,
    GUESTBOOK_ENTRY,
    POSITION_UPDATE,
    SOCIAL_POST,
    TICKET_SCAN,
    VISITOR_ACTION,
    WEB_TRAFFIC,
)

FAMILIES = (
    TICKET_SCAN,
    DEVICE_STATUS,
    WEB_TRAFFIC,
    GUESTBOOK_ENTRY,
    SOCIAL_POST,
    VISITOR_ACTION,
    POSITION_UPDATE,
)
"""Those of ``musee.v_records``, the largest last."""
_ANSWER_S = 8
_TOO_MUCH = frozenset({159, 160, 241})  # time or memory: this family only
_LIMITS = "SETTINGS max_execution_time = 5, max_memory_usage = 2000000000, max_threads = 1"
_FROM = "fromUnixTimestamp64Milli({start:Int64}, 'UTC')"
_TO = "fromUnixTimestamp64Milli({end:Int64}, 'UTC')"
# What was received in the window landed after it began, give or take the clocks of two machines.
_RECEIVED = f"landed_at >= {_FROM} - INTERVAL 5 MINUTE AND received_at >= {_FROM} AND received_at < {_TO}"
_ARRIVALS = f"""\
SELECT site_id, count(), sum(records), countIf(isNotNull(late_s)),
       countIf(late_s * 1000 > {LATE_MS} AND NOT offline), countIf(late_s * 1000 > {LATE_MS} AND offline),
       countIf(clocked), countIf(clocked AND drifting AND NOT unsynced), countIf(clocked AND unsynced),
       toUnixTimestamp64Milli(max(received)), toUnixTimestamp64Milli(max(landed))
FROM
(
    SELECT site_id, event_id, uniqExact(kafka_partition, kafka_offset) AS records,
           argMin(tuple(r.late_s), r.received_at).1 AS late_s,
           max(ingest_mode = 'OFFLINE') AS offline,
           max(NOT replayed AND ingest_mode IN ('LIVE', 'OFFLINE')) AS clocked,
           max(clock_trust = 'DRIFTING') AS drifting, max(clock_trust = 'UNSYNCED') AS unsynced,
           max(received_at) AS received, max(landed_at) AS landed
    FROM musee.v_records AS r
    WHERE family = {{family:String}} AND {_RECEIVED} AND NOT test
    GROUP BY site_id, event_id
)
GROUP BY site_id
{_LIMITS}"""  # noqa: S608 - names of ours
_LETTERS = f"""\
SELECT if(key IN (SELECT site_id FROM musee.site), key, NULL) AS site_id, topic, reason, count(), sum(retried)
FROM
(
    SELECT topic, reason, any(d.key) AS key, min(d.dead_at) AS found, max(d.producer = 'musee-dlq') AS retried
    FROM musee.dead_letter AS d
    GROUP BY topic, partition, offset, reason
    HAVING found >= {_FROM} AND found < {_TO}
)
GROUP BY site_id, topic, reason
{_LIMITS}"""  # noqa: S608 - names of ours


@dataclass(frozen=True, slots=True)
class Found:
    """What was counted.

    Attributes:
        arrivals: by site.
        letters: by site; under ``None`` those whose key names no site that is known.
        missing: families, or ``dead-letter``, that took too long.
    """

    arrivals: dict[str, Arrivals]
    letters: dict[str | None, list[Letters]]
    missing: tuple[str, ...]


def count(settings: Settings, start_ms: int, end_ms: int) -> Found:
    """What was received, or found dead, in ``[start_ms, end_ms)``; blocks for some seconds at most.

    Raises:
        Unavailable: ClickHouse is away.
        RefusedQuery: it said no for another reason than time or memory.
    """
    window: dict[str, object] = {"start": start_ms, "end": end_ms}
    arrivals: dict[str, Arrivals] = {}
    missing = []
    for family in FAMILIES:
        rows = _rows(settings, _ARRIVALS, window | {"family": family.name})
        if rows is None:
            missing.append(family.name)
        for site_id, *numbers in rows or ():
            arrivals[site_id] = arrivals.get(site_id, Arrivals()) + Arrivals(*map(int, numbers))
    letters: dict[str | None, list[Letters]] = defaultdict(list)
    rows = _rows(settings, _LETTERS, window)
    if rows is None:
        missing.append("dead-letter")
    for site_id, topic, reason, found, retried in rows or ():
        letters[site_id].append(Letters(topic, reason, int(found), int(retried)))
    return Found(arrivals, dict(letters), tuple(missing))


def _rows(settings: Settings, sql: str, params: dict[str, object]) -> list[history.Row] | None:
    """``None`` if it was too much."""
    try:
        return history.query(settings, sql, params, answer_s=_ANSWER_S)
    except history.RefusedQuery as refused:
        if refused.code in _TOO_MUCH:
            return None
        raise
