"""Alerts: when a level opens one, who takes it over, when it is resolved, and what it tells.

``step`` takes the alert of one rule and scope as it stands and what was observed there, and gives what is to be said;
``acknowledge`` is a person's part of it. A capacity rule walks on the **upper bound** of the people inside: it opens at
``entry`` per cent of the capacity, and resolves below ``exit``, but not before it was open for ``hold_ms``, so that a
level on the edge does not ring again and again. Each rule has an alert of its own in each scope.

An **episode** is one opening up to its resolution; it has one alert id, however often it is said. Every publication has
a greater version than the one before, and of several the greatest is right.

Pure; times are arguments. Called by ``agents.alerts`` (``step``), and for those who acknowledge by
``adapters.alert_desk`` (``acknowledge``), both by way of ``adapters.alert_changes``; read by the console.
"""

import unicodedata
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from streams.core import advice
from streams.core.days import HOUR_MS, MINUTE_MS
from streams.errors import StreamsError

State = Literal["OPEN", "ACKNOWLEDGED", "RESOLVED"]
Kind = Literal["capacity", "silent"]
Severity = Literal["notice", "warning", "serious", "critical"]

HOLD_MS = MINUTE_MS  # a party that comes in by one gate while another leaves by the next is no alert
LONGEST_MS = 24 * HOUR_MS  # whom it concerns changes with the day
LONGEST_NAME = 100
_NAMESPACE = uuid.UUID("0d9f7f52-5f0a-5c1e-9d5b-616c65727473")


class RefusedAcknowledgement(StreamsError):  # noqa: N818 - an answer
    """An acknowledgement that changes nothing.

    ``code`` is ``unknown-alert``, ``closed-alert``, ``changed-alert``, ``who`` or ``until``.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Rule:
    """When something is worth an alert.

    Attributes:
        name: e.g. ``capacity-85``; part of the alert's identity, and never used for another rule.
        entry: opens at so many per cent of the limit; ``exit``: resolves below so many, not above ``entry``.
        hold_ms: how long it stays open at least, by the site's clock.
    """

    name: str
    kind: Kind
    entry: int
    exit: int
    hold_ms: int
    severity: Severity


CAPACITY = (
    Rule("capacity-70", "capacity", 70, 65, HOLD_MS, "notice"),
    Rule("capacity-85", "capacity", 85, 80, HOLD_MS, "warning"),
    Rule("capacity-95", "capacity", 95, 90, HOLD_MS, "serious"),
    Rule("capacity-100", "capacity", 100, 95, HOLD_MS, "critical"),
)
SILENT = Rule("silent", "silent", 100, 100, 0, "warning")  # of the expected gap; a sign of life ends it at once
RULES = (SILENT, *CAPACITY)


@dataclass(frozen=True, slots=True)
class Scope:
    """What an alert speaks of: a site, one of its zones or one of its gates.

    As text ``louvre``, ``louvre/zone:denon`` or ``louvre/gate:pyramid``.
    """

    site_id: str
    zone_id: str | None = None
    gate_id: str | None = None

    @classmethod
    def of(cls, text: str) -> "Scope":
        """The scope that a text names; ``ValueError`` if it names none."""
        site_id, slash, part = text.partition("/")
        kind, _, name = part.partition(":")
        if site_id and not slash:
            return cls(site_id)
        if site_id and name and kind in ("zone", "gate"):
            return cls(site_id, zone_id=name) if kind == "zone" else cls(site_id, gate_id=name)
        raise ValueError(f"{text!r} names no scope: write SITE, SITE/zone:ZONE or SITE/gate:GATE")

    def __str__(self) -> str:
        if self.zone_id is not None:
            return f"{self.site_id}/zone:{self.zone_id}"
        return self.site_id if self.gate_id is None else f"{self.site_id}/gate:{self.gate_id}"

    @property
    def is_site(self) -> bool:
        """Whether it is a whole site."""
        return self.zone_id is None and self.gate_id is None


@dataclass(frozen=True, slots=True)
class Observed:
    """What a rule judges in one scope at one moment.

    Attributes:
        place: the scope's name as people say it.
        at_ms: that moment by the site's clock, epoch ms: its events' if it is replayed, else the time of day.
        value, low, high: people inside with bounds (capacity), or minutes without a sign of life (silent).
        limit: capacity in people, or the expected gap in minutes; ``None`` where nobody judges now: the site is closed,
            or its file asks no more for it. That resolves what is open.
        hidden_by: alert id of the site's open ``silent`` alert, for a zone or gate; else ``None``.
        played: the site is replayed or simulated.
    """

    scope: Scope
    place: str
    at_ms: int
    value: int
    low: int
    high: int
    limit: int | None
    hidden_by: str | None = None
    played: bool = False


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as it was last said.

    Figures, bounds, evidence and advice are those of the last change, not of now.

    Attributes:
        alert_id: UUIDv5 of rule, scope and episode: one per episode.
        episode: version of its opening, at least the time of day in ms then: no live store, emptied or not, has two.
        version: greater with every publication; the greatest is right.
        opened_ms, resolved_ms: by the site's clock, epoch ms; ``resolved_ms`` is ``None`` while it is not resolved.
        changed_ms: time of day of the last change, epoch ms.
        acknowledged_by: the post that took it over, ``None`` if nobody has; ``acknowledged_until_ms``: time of day at
            which it is open again, epoch ms.
        value, low, high: people inside with bounds (capacity), or minutes without a sign of life (silent).
        limit: the capacity in people, or the expected gap in minutes.
        entry, exit: thresholds of its rule, per cent of ``limit``.
        hidden_by: alert id of the site's open ``silent`` alert: while that is open, nobody need look at this one.
        played: the site is replayed or simulated: nobody is in danger.
    """

    alert_id: str
    rule: str
    kind: Kind
    severity: Severity
    scope: Scope
    episode: int
    version: int
    state: State
    opened_ms: int
    changed_ms: int
    resolved_ms: int | None
    acknowledged_by: str | None
    acknowledged_until_ms: int | None
    value: int
    low: int
    high: int
    limit: int
    entry: int
    exit: int
    hidden_by: str | None
    played: bool
    evidence: str
    advice: str

    @property
    def is_open(self) -> bool:
        """Whether it is not resolved: open, or acknowledged."""
        return self.state != "RESOLVED"

    @property
    def is_shown(self) -> bool:
        """Whether somebody should look now: open, taken over by nobody, and hidden by no silence."""
        return self.state == "OPEN" and self.hidden_by is None


def alert_id(rule: str, scope: Scope, episode: int) -> str:
    """Identity of an episode."""
    return str(uuid.uuid5(_NAMESPACE, f"{rule}|{scope}|{episode}"))


def step(alert: Alert | None, observed: Observed, rule: Rule, now_ms: int, *, used: int = 0) -> Alert | None:
    """What is to be said of one rule and scope now.

    Args:
        alert: as it was last said, resolved ones too; ``None`` before the first.
        observed: of the alert's scope.
        rule: the alert's rule as it is now.
        now_ms: time of day, epoch ms, UTC; versions follow it, acknowledgements end by it.
        used: greatest version that may have been used for this rule and scope.

    Returns:
        ``None`` where nothing changes: a figure that moves between the thresholds is not said again.
    """
    version = max(now_ms, used + 1, 0 if alert is None else alert.version + 1)
    if alert is None or not alert.is_open:
        if observed.limit is None or not _reaches(observed, observed.limit, rule.entry):
            return None
        return _opened(observed, observed.limit, rule, version, now_ms)
    if observed.limit is None or (not _reaches(observed, observed.limit, rule.exit) and _held(alert, observed, rule)):
        done = _refreshed(alert, observed, rule, version, now_ms)
        text = _told(observed, rule, "RESOLVED")
        return replace(done, state="RESOLVED", resolved_ms=observed.at_ms, evidence=text[0], advice=text[1])
    until_ms = alert.acknowledged_until_ms
    over = alert.state == "ACKNOWLEDGED" and (until_ms is None or now_ms >= until_ms)
    if not over and alert.hidden_by == observed.hidden_by:
        return None
    again = _refreshed(alert, observed, rule, version, now_ms)
    return replace(again, state="OPEN", acknowledged_by=None, acknowledged_until_ms=None) if over else again


def acknowledge(alert: Alert, who: str, until_ms: int, now_ms: int, *, used: int = 0) -> Alert:
    """The alert taken over by somebody until a time of day; at that time it is open again, unless it is resolved.

    One that is acknowledged already is taken over by the next.

    Args:
        alert: as it stands.
        who: a post, not the name of a person.
        until_ms: epoch ms, UTC, at most ``LONGEST_MS`` from now.
        now_ms: time of day, epoch ms, UTC.
        used: greatest version that may have been used for its rule and scope.

    Raises:
        RefusedAcknowledgement: the alert is resolved, nobody is named, or the time is over or too far away.
    """
    if not alert.is_open:
        raise RefusedAcknowledgement(
            "closed-alert",
            f"{alert.alert_id} ({alert.rule} of {alert.scope}) was resolved at {moment(alert.resolved_ms or 0)}: "
            "only an open alert can be acknowledged",
        )
    name = who.strip()
    if not 0 < len(name) <= LONGEST_NAME or not _is_text(name):
        raise RefusedAcknowledgement("who", f"name the post that takes it over, in 1 to {LONGEST_NAME} characters")
    if not now_ms < until_ms <= now_ms + LONGEST_MS:
        hours = LONGEST_MS // HOUR_MS
        raise RefusedAcknowledgement(
            "until",
            f"{moment(until_ms)} is not within the {hours} hours after {moment(now_ms)}: name a time in them",
        )
    version = max(now_ms, used + 1, alert.version + 1)
    return replace(
        alert,
        state="ACKNOWLEDGED",
        version=version,
        changed_ms=now_ms,
        acknowledged_by=name,
        acknowledged_until_ms=until_ms,
    )


def moment(at_ms: int) -> str:
    """Epoch ms as RFC 3339, to the second; a number that no calendar holds stays a number."""
    try:
        return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, OSError, ValueError):
        return str(at_ms)


# -- parts -----------------------------------------------------------------------------------------------------------


def _is_text(name: str) -> bool:
    """Whether a name can be read and written: something in it shows, and nothing in it steers a printer."""
    kinds = [unicodedata.category(letter) for letter in name]
    return any(kind[0] not in "CZM" for kind in kinds) and not {"Cc", "Cs"} & set(kinds)


def _reaches(observed: Observed, limit: int, percent: int) -> bool:
    """Whether the upper bound is at or above a share of the limit."""
    return observed.high * 100 >= percent * limit


def _held(alert: Alert, observed: Observed, rule: Rule) -> bool:
    """Whether it was open long enough; a replay that begins anew goes back in time, and must not hold it for ever."""
    return not 0 <= observed.at_ms - alert.opened_ms < rule.hold_ms


def _opened(observed: Observed, limit: int, rule: Rule, version: int, now_ms: int) -> Alert:
    evidence, todo = _told(observed, rule, "OPEN")
    return Alert(
        alert_id=alert_id(rule.name, observed.scope, version),
        rule=rule.name,
        kind=rule.kind,
        severity=rule.severity,
        scope=observed.scope,
        episode=version,
        version=version,
        state="OPEN",
        opened_ms=observed.at_ms,
        changed_ms=now_ms,
        resolved_ms=None,
        acknowledged_by=None,
        acknowledged_until_ms=None,
        value=observed.value,
        low=observed.low,
        high=observed.high,
        limit=limit,
        entry=rule.entry,
        exit=rule.exit,
        hidden_by=observed.hidden_by,
        played=observed.played,
        evidence=evidence,
        advice=todo,
    )


def _refreshed(alert: Alert, observed: Observed, rule: Rule, version: int, now_ms: int) -> Alert:
    evidence, todo = _told(observed, rule, "OPEN")
    return replace(
        alert,
        version=version,
        changed_ms=now_ms,
        value=observed.value,
        low=observed.low,
        high=observed.high,
        limit=alert.limit if observed.limit is None else observed.limit,
        entry=rule.entry,
        exit=rule.exit,
        hidden_by=observed.hidden_by,
        evidence=evidence,
        advice=todo,
    )


def _told(observed: Observed, rule: Rule, state: State) -> tuple[str, str]:
    """Evidence and advice in plain English."""
    place, limit = observed.place, observed.limit
    if limit is None:
        return (
            f"{place} is not judged any more: it is closed, or its file asks no more for it.",
            advice.NOTHING,
        )
    command = f"musee why {observed.scope.site_id}"
    if rule.kind == "silent":
        evidence = f"Nothing was heard of {place} for {observed.value} min; a gap of {limit} min is expected. {command}"
        if state == "RESOLVED":
            return f"{place} is heard again. {command}", advice.HEARD_AGAIN
        return evidence, advice.SILENT.format(place=place)
    share = observed.high * 100 / limit
    figures = (
        f"{observed.value} people in {place}, between {observed.low} and {observed.high}; {limit} are allowed: "
        f"the upper bound is {share:.1f} %"
    )
    if state == "RESOLVED":
        told = advice.BELOW.format(exit=rule.exit, place=place)
        return f"{figures}, below {rule.exit} %. {command}", told
    return f"{figures}, the rule opens at {rule.entry} %. {command}", advice.at_level(rule.entry).format(place=place)
