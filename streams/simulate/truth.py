"""The truth about a simulated day, counted here by itself and written before the first event is sent.

Takes what will be sent, gives files. Shares no code with what counts live or in SQL: plain loops over plain events, so
that a bug there cannot hide here. The same events give the same bytes. Read by ``check.simulated``.

| file | one row for each |
| --- | --- |
| ``attendance.csv`` | site, gate (``-`` where none is named) and UTC minute: entries, exits, denied |
| ``presence.csv`` | site, zone and UTC minute: distinct sessions |
| ``hours.csv`` | site, UTC hour and metric: guestbook, posts, requests, actions |
| ``devices.csv`` | site and machine: last report (epoch ms), its status, number of reports |
| ``deliveries.csv`` | event that was sent again, late, in a burst or overtaken, or that is no plain passage |
| ``sites.csv`` | site: what it plays, its visitors and events |
| ``manifest.json`` | the run: options, sums, SHA-256 of each file; written last |
"""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from streams.core.sites import Site
from streams.errors import StreamsError
from streams.simulate.events import Event, minute_name
from streams.simulate.reference import Place
from streams.simulate.trouble import Sent

FORMAT = 1
MANIFEST = "manifest.json"
IN_ORDER = "in-order"  # folder in the truth's: the same day at sites of its own, everything sent in order
HEADERS = {
    "attendance.csv": ("site_id", "gate_id", "minute_utc", "entries", "exits", "denied"),
    "presence.csv": ("site_id", "zone_id", "minute_utc", "sessions"),
    "hours.csv": ("site_id", "hour_utc", "metric", "value"),
    "devices.csv": ("site_id", "device_id", "last_occurred_ms", "status", "reports"),
    "deliveries.csv": ("site_id", "event_id", "family", "what", "occurred_ms", "sent_ms"),
    "sites.csv": (
        "site_id", "name", "place", "department", "time_zone", "yearly_total", "total_year", "visitors", "events",
        "sends",
    ),
}  # fmt: skip
_LISTED_OUTCOMES = {"DENIED", "ANNULLED", "REVERTED", "AUTO_EXIT"}


class TruthError(StreamsError):
    """The folder cannot take the truth, or does not hold one; names it."""


class Counted:
    """One site's events, counted."""

    def __init__(self) -> None:
        self.passages: dict[tuple[str, str], list[int]] = {}
        self.sessions: dict[tuple[str, str], set[str]] = {}
        self.hours: Counter[tuple[str, str]] = Counter()
        self.devices: dict[str, tuple[int, str, int]] = {}
        self._known: set[str] = set()

    @property
    def events(self) -> int:
        """Distinct events."""
        return len(self._known)

    def add(self, event: Event) -> bool:
        """Count an event unless it came before or is a trial; whether it is new."""
        if event.event_id in self._known:
            return False
        self._known.add(event.event_id)
        if not event.data.get("test"):
            getattr(self, "_" + event.family.replace("-", "_"))(event.data, event.at_ms)
        return True

    def _ticket_scan(self, data: Mapping[str, Any], at_ms: int) -> None:
        cell = self.passages.setdefault((data.get("gate_id", "-"), minute_name(at_ms)), [0, 0, 0])
        outcome, party = data["outcome"], data["party_size"]
        if outcome == "DENIED":
            cell[2] += 1
        elif outcome == "AUTO_EXIT":
            cell[1] += party
        else:
            way = 0 if data["direction"] == "IN" else 1
            cell[way] += party if outcome == "ACCEPTED" else -party  # the others take a passage back

    def _position_update(self, data: Mapping[str, Any], at_ms: int) -> None:
        self.sessions.setdefault((data["zone_id"], minute_name(at_ms)), set()).add(data["session_id"])

    def _visitor_action(self, data: Mapping[str, Any], at_ms: int) -> None:
        self._hour(at_ms, {"actions": 1, f"actions_{data['action'].lower()}": 1})

    def _guestbook_entry(self, data: Mapping[str, Any], at_ms: int) -> None:
        self._hour(at_ms, {"guestbook_entries": 1})
        if data.get("rating") is not None:
            self._hour(at_ms, {"guestbook_ratings": 1, "guestbook_rating_sum": data["rating"]})

    def _social_post(self, data: Mapping[str, Any], at_ms: int) -> None:
        self._hour(at_ms, {"social_posts": 1})

    def _web_traffic(self, data: Mapping[str, Any], at_ms: int) -> None:
        names = {"page_views": "web_page_views", "assets": "web_assets", "robots": "web_robots", "errors": "web_errors"}
        self._hour(at_ms, {metric: data[name] for name, metric in names.items()})

    def _device_status(self, data: Mapping[str, Any], at_ms: int) -> None:
        last_ms, status, reports = self.devices.get(data["device_id"], (-1, "", 0))
        if at_ms > last_ms:
            last_ms, status = at_ms, data["status"]
        self.devices[data["device_id"]] = (last_ms, status, reports + 1)

    def _hour(self, at_ms: int, more: Mapping[str, int]) -> None:
        for metric, number in more.items():
            self.hours[minute_name(at_ms)[:13], metric] += number


def count(events: Iterable[Event]) -> Counted:
    """Count one site's events."""
    counted = Counted()
    for event in events:
        counted.add(event)
    return counted


class Writer:
    """Writes a truth site by site; complete once ``close`` has written the manifest."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = ExitStack()
        self._rows = dict.fromkeys(HEADERS, 0)
        self._families: Counter[str] = Counter()
        self._causes: Counter[str] = Counter()
        self._visitors = self._sends = self._sites = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / MANIFEST).unlink(missing_ok=True)  # while it is missing, nobody takes the rest for a truth
            (folder / IN_ORDER / MANIFEST).unlink(missing_ok=True)
            opened = {
                name: self._files.enter_context((folder / name).open("w", encoding="utf-8", newline=""))
                for name in HEADERS
            }
        except OSError as error:
            self._files.close()
            raise TruthError(f"{folder}: {error.strerror or error}") from error
        self._writers = {name: csv.writer(file, lineterminator="\n") for name, file in opened.items()}
        for name, header in HEADERS.items():
            self._writers[name].writerow(header)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    def _write(self, name: str, rows: Sequence[Sequence[object]]) -> None:
        self._writers[name].writerows(rows)
        self._rows[name] += len(rows)

    def site(self, place: Place, site: Site, visitors: int, sends: Sequence[Sent]) -> None:
        """Add a site; sites come by id."""
        counted = Counted()
        new = Counter(one.event.family for one in sends if counted.add(one.event))
        self._families += new
        self._causes.update(one.cause for one in sends if one.cause)
        self._sites += 1
        self._visitors += visitors
        self._sends += len(sends)
        name = site.site_id
        self._write("attendance.csv", [(name, *cell, *n) for cell, n in sorted(counted.passages.items()) if any(n)])
        self._write("presence.csv", [(name, *cell, len(who)) for cell, who in sorted(counted.sessions.items())])
        self._write("hours.csv", [(name, *cell, number) for cell, number in sorted(counted.hours.items()) if number])
        self._write("devices.csv", [(name, device, *told) for device, told in sorted(counted.devices.items())])
        self._write("deliveries.csv", sorted(row for one in sends for row in _listed(one)))
        told = (place.name, place.place, place.department, place.time_zone, place.yearly_total, place.total_year or "")
        self._write("sites.csv", [(name, *told, visitors, counted.events, len(sends))])

    def close(self, run: Mapping[str, object]) -> dict[str, Any]:
        """Write the manifest, ``run`` in front, and give it back."""
        self._files.close()
        manifest: dict[str, Any] = {
            "format": FORMAT,
            **run,
            "site_count": self._sites,
            "visitors": self._visitors,
            "events": sum(self._families.values()),
            "sends": self._sends,
            "events_by_family": dict(sorted(self._families.items())),
            "sends_by_cause": dict(sorted(self._causes.items())),
            "files": {
                name: {
                    "rows": self._rows[name],
                    "sha256": hashlib.sha256((self._folder / name).read_bytes()).hexdigest(),
                }
                for name in sorted(HEADERS)
            },
        }
        text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
        (self._folder / MANIFEST).write_text(text, encoding="utf-8")
        return manifest


def _listed(one: Sent) -> list[tuple[object, ...]]:
    """What is worth telling of a try: why it was not sent at once, and what is special about the event."""
    event = one.event
    special = [one.cause] if one.cause else []
    if one.cause != "RESENT":
        outcome = event.data.get("outcome")
        special += [str(outcome)] if outcome in _LISTED_OUTCOMES else []
        special += ["TRIAL"] if event.data.get("test") else []
    return [(event.site_id, event.event_id, event.family, what, event.at_ms, one.send_ms) for what in special]
