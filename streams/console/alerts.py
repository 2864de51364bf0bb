"""The alerts as the console tells them: of each site the highest level of each place, all of them at ``/v1/alerts``.

Read once a second for all browsers, beside the figures; a site whose alerts changed is told anew. Used by
``console.feed`` and, for the shapes, ``console.documents``.
"""

import time
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from streams.adapters.alert_view import AlertView
from streams.core import alert_board
from streams.core.alert_board import Board
from streams.core.alerts import Alert, Kind, Severity, State
from streams.core.partitions import partition_of
from streams.core.sites import Site
from streams.topology import PARTITIONS

EVERY_S = 1.0
_NOTHING = Board((), (), ())
How = Literal["shown", "lower", "hidden"]


class Shown(msgspec.Struct, frozen=True):
    """An alert of a site that somebody should know of.

    Attributes:
        level: per cent of the capacity at which its rule opens, ``None`` of a silence.
        zone, gate: names of its zone or gate, ``None`` where it speaks of the whole site.
        version: greater with every change.
        opened_ms: by the site's clock; ``acknowledged_until_ms``: time of day.
        value, low, high: people inside with bounds, or minutes of silence, when it last changed; ``limit`` likewise.
    """

    alert_id: str
    rule: str
    kind: Kind
    level: int | None
    severity: Severity
    state: State
    version: int
    opened_ms: int
    advice: str
    zone_id: str | None = None
    zone: str | None = None
    gate_id: str | None = None
    gate: str | None = None
    acknowledged_by: str | None = None
    acknowledged_until_ms: int | None = None
    value: int = 0
    low: int = 0
    high: int = 0
    limit: int = 0

    @property
    def place(self) -> str | None:
        """The part of the site that it speaks of."""
        return self.zone or self.gate


@dataclass(frozen=True, slots=True)
class Listed:
    """An alert of a site that is not resolved, and whether people need to look at it.

    Attributes:
        listed: ``shown``, ``lower`` (a higher level of the same place is open) or ``hidden`` (by a silence).
    """

    site_id: str
    alert: Shown
    listed: How


class Count(msgspec.Struct, frozen=True):
    """Alerts of the network that its pages show, by who looks after them."""

    open: int = 0
    acknowledged: int = 0


class Alerts:
    """All alerts as they were last read.

    Attributes:
        unknown: partitions whose alerts the store does not know again yet; what was read of them before stays.
    """

    def __init__(self) -> None:
        self.unknown: tuple[int, ...] = ()
        self._boards: dict[str, Board] = {}
        self._read_s = -1e9

    async def turn(self, view: AlertView, now_s: float | None = None) -> list[str]:
        """Read them if a second has passed; returns the sites of which something else is shown now.

        Raises:
            Unavailable: Redis is away; what was read last stays.
        """
        now_s = time.monotonic() if now_s is None else now_s
        if now_s - self._read_s < EVERY_S:
            return []
        boards = sorted_out(await view.alerts())
        self._read_s = now_s
        self.unknown = view.unknown
        for name, board in self._boards.items():  # an emptied store does not say that nothing is open
            if partition_of(name, PARTITIONS) in self.unknown:
                boards.setdefault(name, board)
        stood, self._boards = self._boards, boards
        names = stood.keys() | boards.keys()
        return sorted(name for name in names if stood.get(name, _NOTHING).shown != boards.get(name, _NOTHING).shown)

    def hurry(self) -> None:
        """Read them in the next turn, whenever that is."""
        self._read_s = -1e9

    def of(self, site: Site) -> list[Shown]:
        """What a site shows, worst first."""
        return [shown(alert, site) for alert in self._boards.get(site.site_id, _NOTHING).shown]

    def count(self, sites: Container[str]) -> Count:
        """How many alerts some sites show."""
        told = [alert for name, board in self._boards.items() if name in sites for alert in board.shown]
        free = sum(alert.state == "OPEN" for alert in told)
        return Count(free, len(told) - free)

    def documents(self, sites: Container[str]) -> list[dict[str, object]]:
        """Every alert of some sites that is not resolved, worst first, also what their pages leave out.

        ``listed`` is ``shown``, ``lower`` (a higher level of the same place is open) or ``hidden`` (by a silence).
        """
        return [{**alert_board.document(alert), "listed": how} for alert, how in self._every(sites)]

    def listed(self, sites: Mapping[str, Site]) -> list[Listed]:
        """Every alert of some sites that is not resolved, worst first, for a page."""
        return [
            Listed(alert.scope.site_id, shown(alert, sites[alert.scope.site_id]), how)
            for alert, how in self._every(sites)
        ]

    def _every(self, sites: Container[str]) -> list[tuple[Alert, How]]:
        boards = [board for name, board in self._boards.items() if name in sites]
        how: dict[str, How] = {}
        for board in boards:
            how |= dict.fromkeys((alert.alert_id for alert in board.shown), "shown")
            how |= dict.fromkeys((alert.alert_id for alert in board.lower), "lower")
            how |= dict.fromkeys((alert.alert_id for alert in board.hidden), "hidden")
        alerts = alert_board.worst_first(alert for board in boards for alert in board.all)
        return [(alert, how[alert.alert_id]) for alert in alerts]


def sorted_out(alerts: Sequence[Alert]) -> dict[str, Board]:
    """Site → its board; sites without an alert that is open are left out."""
    by_site: dict[str, list[Alert]] = {}
    for alert in alerts:
        if alert.is_open:
            by_site.setdefault(alert.scope.site_id, []).append(alert)
    return {name: alert_board.board(some) for name, some in by_site.items()}


def shown(alert: Alert, site: Site) -> Shown:
    """An alert as ``/v1/now`` and the page tell it."""
    zones = {zone.zone_id: zone.name for zone in site.zones}
    gates = {gate.gate_id: gate.name for gate in site.gates}
    zone_id, gate_id = alert.scope.zone_id, alert.scope.gate_id
    return Shown(
        alert_id=alert.alert_id,
        rule=alert.rule,
        kind=alert.kind,
        level=alert.entry if alert.kind == "capacity" else None,
        severity=alert.severity,
        state=alert.state,
        version=alert.version,
        opened_ms=alert.opened_ms,
        advice=alert.advice,
        zone_id=zone_id,
        zone=None if zone_id is None else zones.get(zone_id, zone_id),
        gate_id=gate_id,
        gate=None if gate_id is None else gates.get(gate_id, gate_id),
        acknowledged_by=alert.acknowledged_by,
        acknowledged_until_ms=alert.acknowledged_until_ms,
        value=alert.value,
        low=alert.low,
        high=alert.high,
        limit=alert.limit,
    )
