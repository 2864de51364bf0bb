"""Rows of history behind a figure: scans, corrections, what was said of windows, dead letters.

The raw tables and not the views, since only they say where in Kafka a row lay: what live state holds is everything up
to an offset, and exactly that is asked for. No column that names a ticket is read. Called by ``adapters.evidence``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from streams.adapters import history
from streams.config import Settings
from streams.core.answers import Revision
from streams.core.days import HOUR_MS
from streams.core.evidence import NO_GATE, Said, Scan
from streams.core.questions import WrongQuestion
from streams.core.windows import QUARTER_MS, Counts
from streams.topology import OCCUPANCY_CORRECTION, TICKET_SCAN

# A resent event may have been corrected by another skew, which is 24 h at most: its other rows lie no further away.
_AROUND_MS = 25 * HOUR_MS
_ALL = 10**18
_AT = "fromUnixTimestamp64Milli({{{name}:Int64}}, 'UTC')"
_HEAD = """\
SELECT toString(event_id), _partition, _offset, toUnixTimestamp64Milli(occurred_at),
       toUnixTimestamp64Milli(received_at), toUnixTimestamp64Milli(device_at),
       clock_trust, ingest_mode, test, toString(corrects)"""
_ROWS = """
FROM musee.{{table}}
WHERE site_id = {{site:String}} AND occurred_at >= {wide_from} AND occurred_at < {wide_to}
  AND (_partition != {{home:Int32}} OR _offset <= {{upto:Int64}})
  AND event_id IN (SELECT event_id FROM musee.{{table}}
                   WHERE site_id = {{site:String}} AND occurred_at >= {start} AND occurred_at < {end})
LIMIT 1 BY _partition, _offset
LIMIT {{most:UInt64}}"""
_BEHIND = _ROWS.format(
    **{name: _AT.format(name=name) for name in ("start", "end", "wide_from", "wide_to")},
)
_SCANS = _HEAD + ", ifNull(gate_id, '-'), direction, outcome, party_size" + _BEHIND.replace("{table}", "ticket_scan")
_SAID = _HEAD + ", kind, value, zone_id, who, why" + _BEHIND.replace("{table}", "occupancy_correction")
_WINDOWS = f"""\
SELECT toUnixTimestamp64Milli(start_at), revision, cause, entries, exits, denied,
       entries_before, exits_before, denied_before, completeness,
       toUnixTimestamp64Milli(watermark_at), toUnixTimestamp64Milli(published_at)
FROM musee.attendance_window
WHERE site_id = {{site:String}} AND ifNull(gate_id, '') = {{gate:String}}
  AND start_at >= {_AT.format(name="start")} AND start_at < {_AT.format(name="end")}
ORDER BY start_at, revision
LIMIT 1 BY start_at, revision"""  # noqa: S608 - names of ours
_LETTERS = f"""\
SELECT reason, count()
FROM musee.v_dead_letters
WHERE topic IN {{topics:Array(String)}} AND key = {{site:String}} AND appended_at >= {_AT.format(name="since")}
GROUP BY reason
ORDER BY reason"""  # noqa: S608 - names of ours


@dataclass(frozen=True, slots=True)
class Limits:
    """What a question may cost: rows of events at most (``None``: all there are), seconds that history may take."""

    rows: int | None = None
    answer_s: float = history.ANSWER_S


@dataclass(frozen=True, slots=True)
class Place:
    """Which rows of a site are asked for: of ``[start_ms, end_ms)`` and, in its partition, up to an offset each."""

    site_id: str
    home: int
    start_ms: int
    end_ms: int
    limits: Limits = Limits()

    def params(self, upto: int) -> dict[str, object]:
        """What the SQL binds."""
        return {
            "site": self.site_id,
            "home": self.home,
            "upto": upto,
            "start": self.start_ms,
            "end": self.end_ms,
            "wide_from": self.start_ms - _AROUND_MS,
            "wide_to": self.end_ms + _AROUND_MS,
            "most": _ALL if self.limits.rows is None else self.limits.rows + 1,
        }

    def rows(self, settings: Settings, sql: str, upto: int) -> list[history.Row]:
        """Rows of the answer to ``sql``; errors as ``history.query``, and ``WrongQuestion`` if they are too many."""
        rows = self.query(settings, sql, self.params(upto))
        most = self.limits.rows
        if most is not None and len(rows) > most:
            said = f"more than {most:,} events stand behind it: ask for less time"
            raise WrongQuestion("too-much", said, most=f"{most}")
        return rows

    def query(self, settings: Settings, sql: str, params: Mapping[str, object]) -> list[history.Row]:
        """As ``history.query``, no longer than is allowed."""
        return history.query(settings, sql, params, answer_s=self.limits.answer_s)


def scans(settings: Settings, place: Place, upto: int) -> list[Scan]:
    """Rows of every scan of which one row lies in the interval; errors as ``Place.rows``."""
    rows = place.rows(settings, _SCANS, upto)
    return [Scan(*_head(row), str(row[10] or NO_GATE), str(row[11]), str(row[12]), int(row[13])) for row in rows]


def said(settings: Settings, place: Place, upto: int) -> list[Said]:
    """The same of corrections."""
    rows = place.rows(settings, _SAID, upto)
    return [Said(*_head(row), row[10], int(row[11]), row[12], str(row[13]), str(row[14])) for row in rows]


def _head(row: history.Row) -> tuple[str, int, int, int, int, int | None, str, str, bool, str | None]:
    """The fields of ``Record``, in their order."""
    return cast(
        tuple[str, int, int, int, int, int | None, str, str, bool, str | None], (*row[:8], bool(row[8]), row[9])
    )


def windows(settings: Settings, place: Place, gate_id: str | None) -> list[Revision]:
    """What was said of the windows that the interval touches, of a gate or the whole site, by start and revision."""
    params = place.params(0) | {"gate": gate_id or "", "start": place.start_ms // QUARTER_MS * QUARTER_MS}
    return [
        Revision(
            int(row[0]),
            int(row[1]),
            row[2],
            Counts(*map(int, row[3:6])),
            None if row[6] is None else Counts(*map(int, row[6:9])),
            float(row[9]),
            int(row[10]),
            int(row[11]),
        )
        for row in place.query(settings, _WINDOWS, params)
    ]


def dead_letters(settings: Settings, place: Place, since_ms: int) -> dict[str, int]:
    """Reason → dead letters of a site's scans and corrections that were appended since."""
    params = {"topics": [TICKET_SCAN.topic, OCCUPANCY_CORRECTION.topic], "site": place.site_id, "since": since_ms}
    return {str(reason): int(count) for reason, count in place.query(settings, _LETTERS, params)}
