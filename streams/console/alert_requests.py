"""What is asked for when an alert is acknowledged, or its past is looked at: read strictly, each fault by name.

Pure: the time of day is an argument. Used by ``console.alert_routes`` and ``console.pages.alerts``.
"""

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from streams.core.days import HOUR_MS, MINUTE_MS
from streams.errors import StreamsError

DAY_MS = 24 * HOUR_MS
LONGEST_STRETCH_MS = 366 * DAY_MS
LIMIT = 50  # episodes of a page of history, if nobody says otherwise
MOST = 500
FORM = "application/x-www-form-urlencoded"
_DIGITS = 14
_UUID = 36
_LAST_MS = 10**13  # of the year 2286: ClickHouse's times end soon after
_CHOICES = {"15": 15, "60": 60}
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::[0-9]{2})?")
_MEMBERS = {"by", "until", "minutes", "version"}


class RefusedRequest(StreamsError):  # noqa: N818 - an answer
    """A request that cannot be read; ``code`` is stable, ``status`` the answer's, ``member`` the culprit."""

    def __init__(self, code: str, detail: str, *, member: str, status: int = 422) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.member = member
        self.status = status


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """An acknowledgement as it was asked for.

    Attributes:
        until_ms: epoch ms, ``"closing"`` for the site's closing time.
        version: of the alert that its taker looked at, ``None`` if that does not matter.
    """

    by: str
    until_ms: int | Literal["closing"]
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which part of the past is asked for: ``[start_ms, end_ms)`` of the wall's clock, one page of it."""

    start_ms: int
    end_ms: int
    limit: int
    offset: int = 0


def from_json(body: bytes, now_ms: int) -> Acknowledgement:
    """Of ``{"by": "duty desk", "minutes": 60}``, or ``until`` instead: epoch ms, RFC 3339 or ``closing``.

    Raises:
        RefusedRequest: it is none of these.
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise RefusedRequest("malformed-json", "the body is no JSON", member="", status=400) from None
    if not isinstance(told, dict):
        raise RefusedRequest("wrong-type", "an object with by, and until or minutes, is expected", member="")
    if unknown := sorted(told.keys() - _MEMBERS):
        raise RefusedRequest("unknown-field", f"{unknown[0]!r:.60} is none of {', '.join(sorted(_MEMBERS))}", member="")
    by, version = told.get("by"), told.get("version")
    if not isinstance(by, str):
        raise RefusedRequest("who", "by: the post that looks after it, as text", member="by")
    if version is not None and not _is_whole(version):
        raise RefusedRequest("wrong-type", "version: a whole number, the alert's as it was seen", member="version")
    return Acknowledgement(by, _until(told, now_ms), version)


def from_form(body: bytes, now_ms: int, zone: str) -> Acknowledgement:
    """Of the page's form: ``by``, ``for`` (15, 60, closing, own), ``time`` (``14:30`` in ``zone``) and ``version``.

    Raises:
        RefusedRequest: what it says is no time.
    """
    told = fields(body)
    chosen, version = told.get("for", "60"), told.get("version", "")
    by = told.get("by", "")
    seen = int(version) if version.isascii() and version.isdigit() and len(version) <= _DIGITS + 4 else None
    if chosen == "closing":
        return Acknowledgement(by, "closing", seen)
    if chosen == "own":
        return Acknowledgement(by, next_time(told.get("time", ""), now_ms, zone), seen)
    if chosen not in _CHOICES:
        raise RefusedRequest("until", f"for: {', '.join(_CHOICES)}, closing or own", member="for")
    return Acknowledgement(by, now_ms + _CHOICES[chosen] * MINUTE_MS, seen)


def fields(body: bytes) -> dict[str, str]:
    """The fields of a form; of several of one name the last."""
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def uuid_of(said: str) -> str | None:
    """An alert's id as it is written; ``None`` for what cannot be one."""
    try:
        return str(uuid.UUID(said)) if len(said) == _UUID else None
    except ValueError:
        return None


def next_time(said: str, now_ms: int, zone: str) -> int:
    """The next time that the wall's clock shows ``HH:MM``, epoch ms.

    Raises:
        RefusedRequest: it is no time.
    """
    shown = _CLOCK.fullmatch(said)
    try:
        hour, minute = (int(shown[1]), int(shown[2])) if shown is not None else (-1, -1)
        now = datetime.fromtimestamp(now_ms / 1000, ZoneInfo(zone))
        at = now.replace(hour=hour, minute=minute, second=0, microsecond=0, fold=0)
    except ValueError:
        raise RefusedRequest("until", f"time: a time of day is expected, as 14:30 ({zone})", member="time") from None
    if round(at.timestamp() * 1000) <= now_ms:
        at += timedelta(days=1)
    return round(at.timestamp() * 1000)


def stretch(query: Mapping[str, str], now_ms: int) -> Stretch:
    """Of ``from``, ``to``, ``limit`` and ``offset``; the last seven days if nobody says otherwise.

    Raises:
        RefusedRequest: names the parameter.
    """
    end_ms = _instant(query["to"], "to") if query.get("to") else now_ms
    start_ms = _instant(query["from"], "from") if query.get("from") else end_ms - 7 * DAY_MS
    if not 0 < end_ms - start_ms <= LONGEST_STRETCH_MS:
        raise RefusedRequest("stretch", "from must be before to, by 366 days at most", member="from", status=400)
    return Stretch(start_ms, end_ms, _count(query, "limit", LIMIT, 1, MOST), _count(query, "offset", 0, 0, 1_000_000))


def _until(told: Mapping[str, Any], now_ms: int) -> int | Literal["closing"]:
    until, minutes = told.get("until"), told.get("minutes")
    if (until is None) == (minutes is None):
        raise RefusedRequest("until", "name either until or minutes", member="until")
    if minutes is not None:
        if not _is_whole(minutes):
            raise RefusedRequest("until", "minutes: a whole number of minutes from now", member="minutes")
        return now_ms + int(minutes) * MINUTE_MS
    if until == "closing":
        return "closing"
    if isinstance(until, int) and _is_whole(until):
        return until
    try:
        at = datetime.fromisoformat(until) if isinstance(until, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise RefusedRequest("until", "until: epoch ms, RFC 3339 with its offset, or closing", member="until")
    return round(at.timestamp() * 1000)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**16


def _instant(said: str, name: str) -> int:
    try:
        if said.isascii() and said.isdigit() and len(said) <= _DIGITS:
            at_ms = int(said)
        else:
            at = datetime.fromisoformat(said)
            at_ms = round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        at_ms = -1
    if not 0 <= at_ms < _LAST_MS:
        raise RefusedRequest("instant", f"{name}: epoch ms or RFC 3339 is expected", member=name, status=400)
    return at_ms


def _count(query: Mapping[str, str], name: str, otherwise: int, least: int, most: int) -> int:
    said = query.get(name) or str(otherwise)
    if not (said.isascii() and said.isdigit() and len(said) <= _DIGITS and least <= int(said) <= most):
        raise RefusedRequest(name, f"{name}: a whole number from {least} to {most}", member=name, status=400)
    return int(said)
