"""The console: an overview of all sites, a page of each, their API and its live feed, on loopback.

``/`` is whole without a script; ``/v1/now``, ``/v1/day``, ``/v1/alerts`` and the server-sent events of ``/v1/feed``
tell the same figures. What they are is the feed's business; here they get addresses. Started by ``musee console``.
"""

import contextlib
import json
import random
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import msgspec
import uvicorn
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.adapters import logs, probes
from streams.config import LOOPBACK, Settings
from streams.console import paint, registry
from streams.console.assets import Assets
from streams.console.documents import read_day, read_now
from streams.console.feed import Feed

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_EVERY_ANSWER = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_STATIC = Path(__file__).parent / "static"
_NAMED = 20  # sites in a sentence
_FRESH = {"Cache-Control": "no-store"}
_PING_S = 15
_STUCK_S = 30.0  # a browser that takes nothing for so long is cut off; it comes back by itself
_RETRY_MS = (500, 3_000)  # spread out, or all walls of a house would come back in the same instant


class _Headers:
    """Puts the headers of every answer on it, streams included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _EVERY_ANSWER.items():
                    headers[name] = value
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


def _problem(status: int, detail: str, **members: object) -> JSONResponse:
    """A problem document (RFC 9457)."""
    document = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse({**document, **members}, status, headers=_FRESH, media_type="application/problem+json")


async def _refused(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    response = _problem(error.status_code, error.detail)
    response.headers.update(error.headers or {})
    return response


class _Console:
    """The routes over one feed."""

    def __init__(self, settings: Settings, feed: Feed) -> None:
        self._settings = settings
        self._feed = feed
        self.assets = Assets.load(_STATIC, paint.TEMPLATES)
        self._template = paint.environment().get_template("page.html")

    def _unknown(self, site_id: str) -> JSONResponse:
        known = self._feed.known
        more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
        detail = f"no site is called {site_id!r}; known: {', '.join(known[:_NAMED]) or 'none yet'}{more}"
        return _problem(404, detail, code="unknown-site", sites=known)

    async def page(self, request: Request) -> Response:
        """The overview, or the site named ``?site=``; 404 for an unknown one, with a page that says so and goes on."""
        asked = request.query_params.get("site") or None
        now = read_now(self._feed.now(heard_only=True))
        hero = None
        if asked is not None:
            with contextlib.suppress(KeyError):
                (hero,) = read_now(self._feed.now(asked)).sites
        day = read_day(self._feed.day(hero.site_id)) if hero else None
        context = paint.context(now, asked=asked, hero=hero, day=day, assets=self.assets)
        html = self._template.render(**context, settings=self._settings)
        return HTMLResponse(html, 404 if asked and hero is None else 200, headers=_FRESH)

    async def now(self, request: Request) -> Response:
        """All sites, or the one named ``?site=``."""
        site_id = request.query_params.get("site")
        try:
            return _document(self._feed.now(site_id))
        except KeyError:
            return self._unknown(str(site_id))

    async def day(self, request: Request) -> Response:
        """A site's business day in quarters of an hour."""
        site_id = request.query_params.get("site")
        if not site_id:
            return _problem(400, "name the site: /v1/day?site=ID", code="missing-site", sites=self._feed.known)
        try:
            return _document(self._feed.day(site_id))
        except KeyError:
            return self._unknown(site_id)

    async def alerts(self, request: Request) -> Response:
        """Alerts that are not resolved, of all sites or of the one named ``?site=``."""
        site_id = request.query_params.get("site")
        try:
            return _document(self._feed.alerts(site_id))
        except KeyError:
            return self._unknown(str(site_id))

    async def feed(self, _: Request) -> Response:
        """Server-sent events: ``hello`` (the build), a ``snapshot``, then a ``delta`` at least once a second."""
        return EventSourceResponse(self._events(), ping=_PING_S, send_timeout=_STUCK_S, headers=_FRESH)

    async def _events(self) -> AsyncIterator[ServerSentEvent]:
        hello = {"build": self.assets.build}
        yield ServerSentEvent(json.dumps(hello), event="hello", retry=random.randint(*_RETRY_MS))  # noqa: S311 - no secret
        messages = self._feed.subscribe()
        try:
            async for message in messages:
                yield ServerSentEvent(message.data, event=message.event, id=message.id)
        finally:
            if isinstance(messages, AsyncGenerator):  # the feed forgets this browser now, not at the next collection
                await messages.aclose()


def _document(document: Mapping[str, object]) -> Response:
    """JSON; of a thousand sites ten times as fast as the standard library makes it."""
    return Response(msgspec.json.encode(document), headers=_FRESH, media_type="application/json")


def application(settings: Settings, feed: Feed) -> Starlette:
    """The console over ``feed``, which it starts and stops."""
    console = _Console(settings, feed)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await feed.start()
        try:
            yield
        finally:
            await feed.stop()

    routes = [
        Route("/", console.page),
        Route("/v1/now", console.now),
        Route("/v1/day", console.day),
        Route("/v1/alerts", console.alerts),
        Route("/v1/feed", console.feed),
        Route("/static/{build}/{name:path}", console.assets.serve),
        *registry.routes(),
        *probes.routes(feed.missing),
    ]
    return Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(_Headers)],
        exception_handlers={HTTPException: _refused},
    )


def serve(settings: Settings) -> None:
    """Run the console until SIGTERM or SIGINT."""
    logs.configure("console")
    uvicorn.run(
        application(settings, Feed(settings)),
        host=LOOPBACK,
        port=settings.console_port,
        log_config=None,  # ours, not uvicorn's
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )
