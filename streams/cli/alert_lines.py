"""How ``musee alerts`` reads times and says alerts; pure, the clock is an argument.

Times of day are said in the zone of the alert's site; a replayed site runs on its events' clock, so what belongs to the
wall there (until when somebody looks after an alert) is said in UTC.
"""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from streams.core import alert_board
from streams.core.alert_board import Board
from streams.core.alerts import Alert
from streams.core.sites import Site
from streams.errors import ConfigError

Sites = Mapping[str, Site]
COLUMNS = ("id", "level", "site", "where", "inside", "since", "acknowledged", "what to do")
_AFTER = re.compile(r"\+(?=\d)(?:(\d{1,4})h)?(?:(\d{1,5})m)?")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")


def until_ms(said: str, now_ms: int, zone: str) -> int:
    """Epoch ms of ``--until``: ``+2h``, ``+90m``, ``+1h30m``; ``23:00``, the next one; or RFC 3339.

    Args:
        said: as it was typed.
        now_ms: time of day, epoch ms, UTC.
        zone: of times that do not name one.

    Raises:
        ConfigError: it is none of them.
    """
    here = ZoneInfo(zone)
    if (after := _AFTER.fullmatch(said)) is not None:
        return now_ms + (int(after[1] or 0) * 60 + int(after[2] or 0)) * 60_000
    try:
        if (clock := _CLOCK.fullmatch(said)) is not None:
            now = datetime.fromtimestamp(now_ms / 1000, here)
            at = now.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0, fold=0)
            if at.timestamp() * 1000 <= now_ms:
                at += timedelta(days=1)
        else:
            at = datetime.fromisoformat(said)
            at = at if at.tzinfo else at.replace(tzinfo=here)
        return round(at.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise ConfigError(f"--until {said}: +2h, +90m, 23:00 ({zone}) or RFC 3339 is expected") from None


def found(alerts: Collection[Alert], wanted: str) -> Alert | None:
    """The alert whose id begins so; one that is not resolved goes before those that are. ``None`` if there is none.

    Raises:
        ConfigError: several do, or nothing was named.
    """
    start = wanted.strip().lower()
    if not start:
        raise ConfigError("name the alert by its id, or the beginning of it: musee alerts list shows them")
    fitting = [alert for alert in alerts if alert.alert_id.startswith(start)]
    fitting = [alert for alert in fitting if alert.is_open] or fitting
    if len(fitting) > 1:
        lines = "\n".join(f"  {alert.alert_id}  {_heading(alert)}" for alert in alert_board.worst_first(fitting))
        raise ConfigError(f"{wanted}: {len(fitting)} alerts begin so, say more of it:\n{lines}")
    return fitting[0] if fitting else None


def row(alert: Alert, sites: Sites, now_ms: int) -> tuple[str, ...]:
    """A line of ``list``; figures and advice are those of the alert's last change."""
    return (
        alert.alert_id[: alert_board.SHORT],
        f"{alert.severity}: {alert_board.level(alert)}",
        site_name(alert, sites) + _mark(alert, sites),
        _part(alert, sites) or "-",
        alert_board.figures(alert),
        _since(alert, sites, now_ms),
        _standing(alert, sites),
        alert.advice,
    )


def line(alert: Alert, sites: Sites) -> str:
    """One change, as ``tail`` says it."""
    where = site_name(alert, sites) + (f", {part}" if (part := _part(alert, sites)) else "")
    changed = _moment(alert.changed_ms, _wall_zone(alert, sites))
    said = f"{changed}  {alert.alert_id[: alert_board.SHORT]}  {alert.state:<12}  {_heading(alert)} at {where}"
    said += f"{_mark(alert, sites)}: {alert_board.figures(alert)}"
    if alert.state == "ACKNOWLEDGED":
        said += f"; {_standing(alert, sites)}"
    return f"{said}; {'hidden, the whole site is silent' if alert.hidden_by else alert.advice}"


def closing(board: Board, listed: int, *, everything: bool) -> str:
    """What the list leaves out, and how to see it."""
    said = f"{_counted(listed, 'alert')}"
    if everything:
        return said
    left = []
    if board.lower:
        left.append(f"{_counted(len(board.lower), 'lower level')} of the same places")
    if board.hidden:
        left.append(f"{len(board.hidden):,} hidden by the silence of their site")
    return f"{said}; not shown: {' and '.join(left)} (--all)" if left else said


def nothing(board: Board, site: Site | None) -> str:
    """What an empty list says."""
    place = f" at {site.name}" if site is not None else ""
    if board.hidden:
        return f"no alert is open{place}, but {len(board.hidden):,} hidden by a silence: --all shows them"
    return (
        f"no alert is open{place}; they open at 70, 85, 95 and 100 % of the capacity in a site's file, and when a site "
        "is silent while it should not be. --all shows those resolved in the last 24 hours, musee alerts tail the next"
    )


def acknowledged(alert: Alert, sites: Sites) -> str:
    """What ``ack`` answers."""
    part = _part(alert, sites)
    where = site_name(alert, sites) + (f", {part}" if part else "")
    return f"{alert.alert_id[: alert_board.SHORT]}  {_heading(alert)} at {where}: {_standing(alert, sites)}"


def site_name(alert: Alert, sites: Sites) -> str:
    """Name of the alert's site, its id if no file describes it."""
    site = sites.get(alert.scope.site_id)
    return alert.scope.site_id if site is None else site.name


def zone_of_wall(site: Site | None) -> str:
    """The zone in which times of the wall are said and read at a site."""
    return "UTC" if site is None or site.replay else site.time_zone


# -- parts -----------------------------------------------------------------------------------------------------------


def _heading(alert: Alert) -> str:
    return f"{alert.severity}: {alert_board.level(alert)}"


def _wall_zone(alert: Alert, sites: Sites) -> str:
    return zone_of_wall(sites.get(alert.scope.site_id))


def _part(alert: Alert, sites: Sites) -> str | None:
    """Name of its zone or gate."""
    site, scope = sites.get(alert.scope.site_id), alert.scope
    zones = {} if site is None else {zone.zone_id: zone.name for zone in site.zones}
    gates = {} if site is None else {gate.gate_id: gate.name for gate in site.gates}
    if scope.zone_id is not None:
        return zones.get(scope.zone_id, scope.zone_id)
    return None if scope.gate_id is None else gates.get(scope.gate_id, scope.gate_id)


def _mark(alert: Alert, sites: Sites) -> str:
    """Whether anybody can be in danger."""
    site = sites.get(alert.scope.site_id)
    if site is not None and site.simulated:
        return " SIMULATED"
    return " REPLAY" if alert.played else ""


def _since(alert: Alert, sites: Sites, now_ms: int) -> str:
    """When it opened, by the site's clock; the date is left out on the day itself."""
    site = sites.get(alert.scope.site_id)
    zone = ZoneInfo("UTC" if site is None else site.time_zone)
    opened = datetime.fromtimestamp(alert.opened_ms / 1000, zone)
    today = datetime.fromtimestamp(now_ms / 1000, zone).date()
    return f"{opened:%H:%M}" if opened.date() == today else f"{opened:%Y-%m-%d %H:%M}"


def _standing(alert: Alert, sites: Sites) -> str:
    site = sites.get(alert.scope.site_id)
    if alert.state == "RESOLVED":
        zone = "UTC" if site is None else site.time_zone
        return f"resolved at {datetime.fromtimestamp((alert.resolved_ms or 0) / 1000, ZoneInfo(zone)):%Y-%m-%d %H:%M}"
    if alert.state == "OPEN" or alert.acknowledged_until_ms is None:
        return "hidden by the site's silence" if alert.hidden_by else "by nobody"
    zone = zone_of_wall(site)
    until = datetime.fromtimestamp(alert.acknowledged_until_ms / 1000, ZoneInfo(zone))
    return f"by {alert.acknowledged_by} until {until:%H:%M}{' UTC' if zone == 'UTC' else ''}"


def _moment(at_ms: int, zone: str) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
