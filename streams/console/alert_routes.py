"""``POST /v1/alerts/{alert_id}/acknowledge`` and ``GET /v1/alerts/history``.

An acknowledgement comes as JSON, or from a page's form, which is led back to its page with a message; either goes the
way of ``musee alerts ack``. The past is ClickHouse's: asked in a thread, and not for long. Used by
``console.pages.alerts``.
"""

import asyncio
import time
from dataclasses import asdict
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from streams.adapters import alert_history, calendar_topic
from streams.adapters.alert_desk import AlertDesk
from streams.adapters.alert_history import Past
from streams.config import Settings
from streams.console import access, alert_requests
from streams.console.alert_requests import DAY_MS, FORM, Acknowledgement, RefusedRequest, Stretch
from streams.console.answers import document, problem, unknown_site
from streams.console.feed import Feed
from streams.console.shell import Parts
from streams.core import alert_board
from streams.core.alerts import LONGEST_MS, Alert, RefusedAcknowledgement
from streams.core.calendar import closing
from streams.core.sites import Site
from streams.errors import Unavailable

POST_COOKIE = "musee_post"  # the post that acknowledged last from this browser
_REMEMBERED_S = 365 * 86_400
_LONGEST_BODY = 10_000
_WITHIN_S = 12.0
_SEEN_WITHIN_S = 1.5
_HISTORY_S = 10.0
_CALENDAR_S = 5.0
_STATUS = {"unknown-alert": 404, "closed-alert": 409, "changed-alert": 409, "who": 422, "until": 422}


def routes(parts: Parts) -> list[BaseRoute]:
    """Both."""

    async def acknowledge(request: Request) -> Response:
        access.require_operator(request)
        return await _acknowledged(parts, request)

    async def history(request: Request) -> Response:
        return await _history(parts, request)

    return [
        Route("/v1/alerts/{alert_id}/acknowledge", acknowledge, methods=["POST"]),
        Route("/v1/alerts/history", history),
    ]


async def read_past(settings: Settings, site_id: str | None, stretch: Stretch) -> Past:
    """What ClickHouse knows of a stretch; ``Unavailable`` if it does not answer in time."""
    asked = asyncio.to_thread(
        alert_history.read, settings, site_id, stretch.start_ms, stretch.end_ms,
        limit=stretch.limit, offset=stretch.offset,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_HISTORY_S):
            return await asked
    except TimeoutError:
        raise Unavailable("clickhouse", f"it did not answer within {_HISTORY_S:g} s") from None


def rate(count: int, stretch: Stretch) -> tuple[float, float]:
    """Alerts a day and an hour of a stretch, to three digits: every hour counts as one somebody sits at the desk."""
    days = (stretch.end_ms - stretch.start_ms) / DAY_MS
    return round(count / days, 3), round(count / days / 24, 3)


# -- acknowledging ---------------------------------------------------------------------------------------------------


async def _acknowledged(parts: Parts, request: Request) -> Response:
    alert_id = request.path_params["alert_id"]
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (FORM, "application/json"):
        return problem(415, f"send application/json or {FORM}", code="unknown-media-type")
    body = await _body(request)
    if body is None:
        return problem(413, f"a body of {_LONGEST_BODY:,} bytes at most is expected", code="too-large")
    led_back = kind == FORM and "text/html" in request.headers.get("accept", "")
    try:
        async with asyncio.timeout(_WITHIN_S):
            said = await _take_over(parts, alert_id, body, is_form=kind == FORM)
    except (RefusedAcknowledgement, RefusedRequest) as refused:
        status = refused.status if isinstance(refused, RefusedRequest) else _STATUS[refused.code]
        if led_back:
            return _back(body, alert_id, refused=refused.code)
        return problem(status, refused.detail, code=refused.code)
    except (Unavailable, TimeoutError) as away:
        name = away.dependency if isinstance(away, Unavailable) else "live state"
        if led_back:
            return _back(body, alert_id, refused="unavailable")
        detail = f"{away or 'no answer in time'}; look whether the alert is acknowledged before you send it again"
        return _away(name, detail, after_s=2)
    await _seen(parts.feed, said)
    answer = _back(body, alert_id, done="acknowledged") if led_back else document(alert_board.document(said))
    if kind == FORM and said.acknowledged_by is not None:
        secure = request.url.scheme == "https"
        name = urlencode({"": said.acknowledged_by})[1:]  # a cookie holds no other letters
        answer.set_cookie(POST_COOKIE, name, max_age=_REMEMBERED_S, samesite="strict", httponly=True, secure=secure)
    return answer


async def _take_over(parts: Parts, alert_id: str, body: bytes, *, is_form: bool) -> Alert:
    now_ms = _now_ms()
    asked = None if is_form else alert_requests.from_json(body, now_ms)  # what cannot be read needs no store
    wanted = alert_requests.uuid_of(alert_id)
    desk = AlertDesk(parts.settings.redis_url, parts.settings.kafka_servers, "musee-console", answer_s=4.0)
    try:
        alert = None
        if wanted is not None:
            alert = await desk.find(lambda alerts: next((one for one in alerts if one.alert_id == wanted), None))
        if alert is None:
            raise RefusedAcknowledgement("unknown-alert", f"{alert_id!r:.80}: no alert has this id, see /v1/alerts")
        site = parts.feed.sites.get(alert.scope.site_id)
        asked = asked or alert_requests.from_form(body, now_ms, wall_zone(site))
        until_ms = await _until_ms(parts.settings, asked, site, now_ms)
        return await desk.take_over(alert, asked.by, until_ms, asked.version)
    finally:
        await desk.close()


async def _until_ms(settings: Settings, asked: Acknowledgement, site: Site | None, now_ms: int) -> int:
    if asked.until_ms != "closing":
        return asked.until_ms
    if site is None or site.replay:
        detail = "closing: the site runs on its events' clock, name minutes or a time"
        raise RefusedRequest("until", detail, member="until")
    calendars = await calendar_topic.read(settings.kafka_servers, _CALENDAR_S)
    return min(closing(calendars.get(site.site_id), site, now_ms), now_ms + LONGEST_MS)


def wall_zone(site: Site | None) -> str:
    """The zone in which the wall's time is read at a site; a replayed one has none of its own."""
    return "UTC" if site is None or site.replay else site.time_zone


async def _body(request: Request) -> bytes | None:
    """The body, ``None`` if it is too long."""
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length) > _LONGEST_BODY:
        return None
    body = await request.body()
    return body if len(body) <= _LONGEST_BODY else None


def _back(body: bytes, alert_id: str, **message: str) -> Response:
    """To the page that the form is on, with a message about an alert."""
    told = alert_requests.fields(body).get("back", "")
    parts = urlsplit(told) if local(told) else urlsplit("/alerts")
    kept = [(name, value) for name, value in parse_qsl(parts.query) if name in ("site", "lang", "history")]
    query = urlencode([*kept, *message.items(), ("alert", alert_id[:36])])
    return RedirectResponse(f"{parts.path}?{query}#message", 303)


def local(address: str) -> bool:
    """Whether an address is a page of ours; browsers take a backslash, and two slashes, for the way to another host."""
    plain = address.isascii() and address.isprintable() and "\\" not in address
    return plain and address.startswith("/") and not address.startswith("//")


async def _seen(feed: Feed, said: Alert) -> None:
    """Wait until the pages know, so that whoever is led back sees it; the alerts are read once a second otherwise."""
    feed.hurry()
    deadline = time.monotonic() + _SEEN_WITHIN_S
    while time.monotonic() < deadline:
        stands = [one.alert for one in feed.listed() if one.alert.alert_id == said.alert_id]
        if not stands or stands[0].version >= said.version:
            return
        await asyncio.sleep(0.05)


# -- the past --------------------------------------------------------------------------------------------------------


async def _history(parts: Parts, request: Request) -> Response:
    site_id = request.query_params.get("site") or None
    if site_id is not None and site_id not in parts.feed.sites:
        return unknown_site(site_id, parts.feed.known)
    try:
        stretch = alert_requests.stretch(request.query_params, _now_ms())
        past = await read_past(parts.settings, site_id, stretch)
    except RefusedRequest as refused:
        return problem(refused.status, refused.detail, code=refused.code, parameter=refused.member)
    except Unavailable as away:
        return _away(away.dependency, str(away), after_s=5)
    rates = {name: rate(count, stretch) for name, count in (("real", past.opened), ("played", past.played))}
    return document(
        {
            "now_ms": _now_ms(),
            "site_id": site_id,
            "from_ms": stretch.start_ms,
            "to_ms": stretch.end_ms,
            "total": past.total,
            "limit": stretch.limit,
            "offset": stretch.offset,
            "rate": {
                name: {"opened": count, "per_day": rates[name][0], "per_hour": rates[name][1]}
                for name, count in (("real", past.opened), ("played", past.played))
            },
            "alerts": [asdict(one) for one in past.episodes],
        }
    )


def _away(dependency: str, detail: str, *, after_s: int) -> Response:
    answer = problem(503, detail, code="unavailable", dependency=dependency)
    answer.headers["Retry-After"] = str(after_s)
    return answer


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
