"""How the page says ages, times and shares, before its script takes over and says the same (``static/words.js``).

Pure: instants come in as epoch ms, UTC. Used by ``console.paint``; a test holds both tellings together.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from streams.console.alerts import Count, Shown
from streams.console.documents import Network, Rebuilding, Site, State

_SECOND, _MINUTE, _HOUR, _DAY = 1_000, 60_000, 3_600_000, 86_400_000


def number(value: int) -> str:
    """``12,480``."""
    return f"{value:,}"


def span(ms: int) -> str:
    """A duration in one unit, rounded down: ``0.8 s``, ``12 s``, ``2 min``, ``3 h``, ``2 days``; never negative."""
    ms = max(0, ms)
    if ms < 10 * _SECOND:
        return f"{ms // 100 / 10:.1f} s"
    if ms < _MINUTE:
        return f"{ms // _SECOND} s"
    if ms < _HOUR:
        return f"{ms // _MINUTE} min"
    if ms < 2 * _DAY:
        return f"{ms // _HOUR} h"
    return f"{ms // _DAY} days"


def moment(at_ms: int, zone: str, now_ms: int) -> str:
    """Time of day with seconds; the date goes first when it is half a day or more ago."""
    local = datetime.fromtimestamp(at_ms // 1000, ZoneInfo(zone))
    date = f"{local.day} {local:%b} " if now_ms - at_ms >= _DAY // 2 else ""
    return f"{date}{local:%H:%M:%S}"


def clock(at_ms: int, zone: str) -> str:
    """``14:32``, on the site's wall."""
    return f"{datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone)):%H:%M}"


def date(at_ms: int, zone: str) -> str:
    """``Friday 26 August 2005``."""
    local = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone))
    return f"{local:%A} {local.day} {local:%B %Y}"


def iso(at_ms: int) -> str:
    """The instant for machines, e.g. of a ``<time>``."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def site_clock_ms(site: Site, now_ms: int) -> int | None:
    """What time it is at a site: the wall's, or of a replayed one its last event's; ``None`` before the first."""
    return site.occurred_ms if site.replay else now_ms


def age(site: Site | Network, now_ms: int, wall_zone: str | None = None) -> str:
    """How old a site's figures are, in words that also tell its state.

    ``wall_zone`` is the one in which the whole page says since when it is stale; without one it is UTC, and says so.
    A replayed site's own would be taken for that site's time.
    """
    if site.state == "rebuilding":
        return "being rebuilt"
    if site.state == "stale":
        if site.confirmed_ms is None:
            return "not counted yet"
        suffix = "" if wall_zone else " UTC"
        return f"stale since {moment(site.confirmed_ms, wall_zone or 'UTC', now_ms)}{suffix}"
    if site.state == "quiet":
        return heard(site.received_ms, now_ms)
    return f"counted {span(now_ms - (site.confirmed_ms or now_ms))} ago"


def heard(received_ms: int | None, now_ms: int) -> str:
    """When a site or a device was heard last."""
    return "not heard yet" if received_ms is None else f"last heard {span(now_ms - received_ms)} ago"


def device(received_ms: int | None, state: State, now_ms: int) -> str:
    """The same of a device, whose silence means nothing while nobody counts."""
    return f"{heard(received_ms, now_ms)}{', counting stopped' if state == 'stale' else ''}"


def rating(mean: float | None) -> str:
    """``4.3``, of five; a dash where nobody rated."""
    return "–" if mean is None else f"{math.floor(mean * 10 + 0.5) / 10:.1f}"  # JavaScript rounds a tie the other way


def rebuilding(one: Rebuilding | None, wall_zone: str | None = None) -> str:
    """What is counted again after the live state was lost, and how far; empty when nothing is.

    ``Rebuilding from Kafka: from Tue 10:00 to Wed 12:03, 43 %``; the zone is told as by ``age``.
    """
    if one is None:
        return ""
    start, end = (weekday_clock(at_ms, wall_zone or "UTC") for at_ms in (one.from_ms, one.to_ms))
    suffix = "" if wall_zone else " UTC"
    return f"Rebuilding from Kafka: from {start} to {end}{suffix}, {math.floor(100 * one.share)} %"


def weekday_clock(at_ms: int, zone: str) -> str:
    """``Tue 10:00``."""
    return f"{datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone)):%a %H:%M}"


def unheard(sites: int) -> str:
    """``1,166 more sites, not heard yet``; empty when there are none."""
    return f"{number(sites)} more {'site' if sites == 1 else 'sites'}, not heard yet" if sites > 0 else ""


def known(sites: int) -> str:
    """``11 sites are known, none was heard yet.``"""
    return f"{number(sites)} {'site is' if sites == 1 else 'sites are'} known, none was heard yet."


def played(network: Network) -> str:
    """How much of the network's sums nobody caused today; empty when that is nothing or, said by the banner, all."""
    part = network.played
    if part.sites == 0 or part.sites == network.sites_heard:
        return ""
    return f"{number(part.inside)} of them inside simulated or replayed sites, {number(part.entries)} of the entries"


def share(inside: int, capacity: int) -> str:
    """``39 % of 120``, and over it so in words."""
    percent = f"{100 * inside // capacity} % of {number(capacity)}" if capacity else f"of {number(capacity)}"
    return f"{percent}, over capacity" if inside > capacity else percent


def bounds(low: int, high: int) -> str:
    """``(231–263)``; empty where nothing can be off."""
    return f"({number(low)}–{number(high)})" if low < high else ""


def drift(below_zero: int) -> str:
    """Why an inside of nought is no measurement; empty when it is one."""
    if below_zero <= 0:
        return ""
    return f"Shown as 0: {number(below_zero)} more went out than came in."


def tickets(distinct: int) -> str:
    """``1,204 tickets``, of which some may have entered more than once; empty when there was none."""
    return f"{number(distinct)} {'ticket' if distinct == 1 else 'tickets'}" if distinct > 0 else ""


def raw(below_zero: int) -> str:
    """The same where there is little room: ``raw −17``; empty when there is nothing to say."""
    return f"raw −{number(below_zero)}" if below_zero > 0 else ""


def alert(one: Shown) -> str:
    """``Warning: Hall, 85 % of capacity``."""
    return f"{one.severity.capitalize()}: {_level(one)}"


def alerts(count: Count) -> str:
    """``3 alerts open, 1 acknowledged``; empty when there is none."""
    if count.open + count.acknowledged == 0:
        return ""
    said = f"{number(count.open)} {'alert' if count.open == 1 else 'alerts'} open"
    return f"{said}, {number(count.acknowledged)} acknowledged" if count.acknowledged else said


def alert_mark(shown: Sequence[Shown]) -> str:
    """The worst of a site's alerts where there is little room, and how many more; empty when there is none."""
    if not shown:
        return ""
    worst = f"{alert(shown[0])}{', acknowledged' if shown[0].state == 'ACKNOWLEDGED' else ''}"
    return f"{worst}, and {len(shown) - 1} more" if len(shown) > 1 else worst


def alerts_said(shown: Sequence[Shown]) -> str:
    """Which alerts are on the page, for its script to compare."""
    return " ".join(f"{one.alert_id}:{one.version}" for one in shown)


def since(opened_ms: int, zone: str, clock_ms: int) -> str:
    """``since 14:32``, with the date if that was on another day; both instants are of the site's clock."""
    local, now = (datetime.fromtimestamp(at_ms // 1000, ZoneInfo(zone)) for at_ms in (opened_ms, clock_ms))
    day = "" if local.date() == now.date() else f"{local.day} {local:%b} "
    return f"since {day}{local:%H:%M}"


def taken(one: Shown, zone: str | None) -> str:
    """Who looks after an alert, until when by the clock of ``zone``; without one, as at a replayed site, in UTC."""
    if one.acknowledged_by is None or one.acknowledged_until_ms is None:
        return "not acknowledged"
    until = f"{clock(one.acknowledged_until_ms, zone or 'UTC')}{'' if zone else ' UTC'}"
    return f"acknowledged by {one.acknowledged_by} until {until}"


def _level(one: Shown) -> str:
    what = "silent" if one.level is None else f"{one.level} % of capacity"
    return f"{one.place}, {what}" if one.place else what
