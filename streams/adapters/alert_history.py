"""Alerts of the past, from ClickHouse: each episode with who looked after it, and how many opened in a time.

An episode belongs to a stretch of the wall's clock in which something was said of it, so one that was opened before
and resolved within is there too. What was last said of it is the view's affair (``v_alerts``); how it came there is in
the raw rows. Blocking. Called by the console.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from streams.adapters import history
from streams.config import Settings
from streams.errors import Unavailable

WITHIN_S = 8
_TIMEOUT = 159  # ClickHouse's number for a query that took too long
_AT = "fromUnixTimestamp64Milli({{{0}:Int64}}, 'UTC')"
_MS = "toUnixTimestamp64Milli({0})"
_SAID = f"""\
SELECT alert_id, any(site_id) AS site, any(episode) AS raised, any(played) AS made_up
FROM musee.alert
WHERE changed_at >= {_AT.format("start")} AND changed_at < {_AT.format("end")}
  AND ({{site:String}} = '' OR site_id = {{site:String}})
GROUP BY alert_id"""  # noqa: S608 - names of ours
_COUNT = f"""\
SELECT count(), countIf(raised >= {{start:Int64}} AND raised < {{end:Int64}} AND NOT made_up),
       countIf(raised >= {{start:Int64}} AND raised < {{end:Int64}} AND made_up)
FROM ({_SAID}) SETTINGS max_execution_time = {WITHIN_S}"""  # noqa: S608
_IDS = f"""\
SELECT toString(alert_id), site FROM ({_SAID})
ORDER BY raised DESC, alert_id LIMIT {{limit:UInt32}} OFFSET {{offset:UInt32}}
SETTINGS max_execution_time = {WITHIN_S}"""  # noqa: S608
_EPISODES = f"""\
SELECT toString(v.alert_id), v.site_id, v.zone_id, v.gate_id, v.rule, v.kind, v.severity, v.state,
       s.raised, {_MS.format("v.opened_at")}, {_MS.format("v.resolved_at")},
       v.value, v.low, v.high, v.limit_value, v.entry_percent, s.peak, toString(v.hidden_by), v.played, v.advice,
       s.taken
FROM musee.v_alerts AS v
INNER JOIN (
    SELECT alert_id, any(episode) AS raised, max(high) AS peak,
           groupUniqArrayIf(
               tuple({_MS.format("changed_at")}, ifNull(acknowledged_by, ''),
                     ifNull({_MS.format("acknowledged_until")}, toInt64(0))),
               state = 'ACKNOWLEDGED') AS taken
    FROM musee.alert
    WHERE site_id IN {{sites:Array(String)}} AND alert_id IN {{ids:Array(UUID)}}
    GROUP BY alert_id
) AS s ON s.alert_id = v.alert_id
WHERE v.site_id IN {{sites:Array(String)}} AND v.alert_id IN {{ids:Array(UUID)}}
ORDER BY s.raised DESC, v.alert_id
SETTINGS max_execution_time = {WITHIN_S}"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Taken:
    """One acknowledgement: by which post, when and until when by the wall's clock, epoch ms."""

    by: str
    at_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Episode:
    """An alert from its opening to its resolution, as it was last said.

    Attributes:
        level: per cent of the capacity at which its rule opens; ``None`` of a silence.
        raised_ms: when it was opened by the wall's clock; ``opened_ms`` and ``resolved_ms`` by the site's.
        duration_s: seconds between these two, ``None`` while it is not resolved.
        peak: greatest upper bound that was said of it: figures are said when an alert changes, not all the time.
        acknowledged: every time that somebody took it over, the first one first.
    """

    alert_id: str
    site_id: str
    zone_id: str | None
    gate_id: str | None
    rule: str
    kind: str
    severity: str
    state: str
    raised_ms: int
    opened_ms: int
    resolved_ms: int | None
    duration_s: int | None
    value: int
    low: int
    high: int
    limit: int
    level: int | None
    peak: int
    hidden_by: str | None
    played: bool
    advice: str
    acknowledged: tuple[Taken, ...]


@dataclass(frozen=True, slots=True)
class Past:
    """A page of the episodes of a stretch, the latest first.

    Attributes:
        total: of which something was said in it.
        opened, played: how many opened in it, at real sites and at those that are replayed or simulated.
    """

    total: int
    opened: int
    played: int
    episodes: tuple[Episode, ...]


def read(settings: Settings, site_id: str | None, start_ms: int, end_ms: int, *, limit: int, offset: int = 0) -> Past:
    """The episodes of ``[start_ms, end_ms)`` of one site or of all.

    Raises:
        Unavailable: ClickHouse is away, has no such table yet, or takes too long.
    """
    stretch = {"start": start_ms, "end": end_ms, "site": site_id or ""}
    ((total, opened, played),) = _rows(settings, _COUNT, stretch)
    named = _rows(settings, _IDS, stretch | {"limit": limit, "offset": offset}) if total else []
    if not named:
        return Past(total, opened, played, ())
    wanted: dict[str, object] = {
        "ids": [alert_id for alert_id, _ in named],
        "sites": sorted({site for _, site in named}),
    }
    return Past(total, opened, played, tuple(_episode(*row) for row in _rows(settings, _EPISODES, wanted)))


def _rows(settings: Settings, sql: str, params: dict[str, object]) -> list[history.Row]:
    try:
        return history.query(settings, sql, params)
    except history.RefusedQuery as refused:
        if refused.code == _TIMEOUT:
            raise Unavailable("clickhouse", f"it did not answer within {WITHIN_S} s") from refused
        raise Unavailable("clickhouse", refused.detail) from refused


def _episode(*row: Any) -> Episode:
    (alert_id, site_id, zone_id, gate_id, rule, kind, severity, state, raised_ms, opened_ms, resolved_ms,
     value, low, high, limit, entry, peak, hidden_by, played, advice, taken) = row  # fmt: skip
    return Episode(
        alert_id=alert_id,
        site_id=site_id,
        zone_id=zone_id,
        gate_id=gate_id,
        rule=rule,
        kind=kind,
        severity=severity,
        state=state,
        raised_ms=raised_ms,
        opened_ms=opened_ms,
        resolved_ms=resolved_ms,
        duration_s=None if resolved_ms is None else max(0, resolved_ms - opened_ms) // 1000,
        value=value,
        low=low,
        high=high,
        limit=limit,
        level=entry if kind == "capacity" else None,
        peak=peak,
        hidden_by=hidden_by,
        played=bool(played),
        advice=advice,
        acknowledged=_takings(taken),
    )


def _takings(rows: Collection[tuple[int, str, int]]) -> tuple[Taken, ...]:
    """Each acknowledgement once: what is said again, after a crash or since a silence began, has the same end."""
    first: dict[tuple[str, int], int] = {}
    for at_ms, by, until_ms in sorted(rows):
        first.setdefault((by, until_ms), at_ms)
    return tuple(Taken(by, at_ms, until_ms) for (by, until_ms), at_ms in first.items())
