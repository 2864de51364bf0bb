"""The console: its pages, their API and its live feed.

Pages (``console.pages``) are whole without a script; ``/v1/now``, ``/v1/day``, ``/v1/alerts`` and the server-sent
events of ``/v1/feed`` tell the same figures. What they are is the feed's business; here they get addresses. Started by
``musee console``.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.adapters import listeners, logs, probes
from streams.adapters.transport import Transport
from streams.config import Settings
from streams.console import registry
from streams.console.access import AccessControl
from streams.console.answers import document, problem, unknown_site
from streams.console.feed import Feed
from streams.console.guard import Guard
from streams.console.likeday import LikeDays
from streams.console.pages import alerts, login, overview, pipeline, quality, site, wall, why
from streams.console.pages import likeday as like_page
from streams.console.pages import map as map_page
from streams.console.pipeline import Pipeline
from streams.console.shell import Parts, Shell, load_assets
from streams.console.streams import BrowserCookie, Protocol, Streams
from streams.core import grains

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_EVERY_ANSWER = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # none at all would hide the origin of our own forms from us
    "Cross-Origin-Resource-Policy": "same-origin",
}
_PAGES = (login, overview, site, wall, why, map_page, like_page, pipeline, quality, alerts)


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


def _not_let_in(status: int, code: str, detail: str) -> Response:
    return problem(status, detail, code=code)


async def _refused(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    response = problem(error.status_code, error.detail)
    response.headers.update(error.headers or {})
    return response


class _Api:
    """The documents over one feed."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    async def now(self, request: Request) -> Response:
        """All sites, or the one named ``?site=``."""
        site_id = request.query_params.get("site")
        try:
            return document(self._feed.now(site_id))
        except KeyError:
            return unknown_site(str(site_id), self._feed.known)

    async def day(self, request: Request) -> Response:
        """A site's business day in quarter-hours, each with how far it is settled; in hours with ``grain=hour``."""
        site_id = request.query_params.get("site")
        if not site_id:
            return problem(400, "name the site: /v1/day?site=ID", code="missing-site", sites=self._feed.known)
        grain = request.query_params.get("grain", "quarter")
        if grain not in ("quarter", "hour"):
            return problem(400, f"grain={grain!r}: quarter and hour are known", code="unknown-grain")
        try:
            day = self._feed.day(site_id) if grain == "hour" else await self._feed.settled(site_id)
        except KeyError:
            return unknown_site(site_id, self._feed.known)
        return document(day | {"bins": grains.hourly(day["bins"], day["time_zone"])} if grain == "hour" else day)

    async def alerts(self, request: Request) -> Response:
        """Alerts that are not resolved, of all sites or of the one named ``?site=``."""
        site_id = request.query_params.get("site")
        try:
            return document(self._feed.alerts(site_id))
        except KeyError:
            return unknown_site(str(site_id), self._feed.known)


def application(settings: Settings, feed: Feed) -> Starlette:
    """The console over ``feed``, which it starts and stops."""
    assets = load_assets()
    api = _Api(feed)
    streams = Streams(feed.subscribe, assets.build, lambda site_id: unknown_site(site_id, feed.known))
    like = LikeDays(settings, feed)
    watched = Pipeline(settings, feed)
    parts = Parts(settings, feed, assets, Shell(settings, feed, assets, watched), like, watched)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await feed.start()
        await like.start()
        await watched.start()
        try:
            yield
        finally:
            await watched.stop()
            await like.stop()
            await feed.stop()

    routes = [
        *(route for page in _PAGES for route in page.routes(parts)),
        Route("/v1/now", api.now),
        Route("/v1/day", api.day),
        Route("/v1/alerts", api.alerts),
        Route("/v1/feed", streams.feed),
        Route("/static/{build}/{name:path}", assets.serve),
        *registry.routes(),
        *probes.routes(feed.missing),
    ]
    guard = Guard(settings)
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[
            Middleware(_Headers),
            Middleware(Transport, settings=settings, refuse=_not_let_in),
            Middleware(BrowserCookie),
            Middleware(AccessControl, guard=guard, problem=_not_let_in, page=partial(login.page, parts)),
        ],
        exception_handlers={HTTPException: _refused},
    )
    app.state.guard = guard
    return app


def serve(settings: Settings) -> None:
    """Run the console until SIGTERM or SIGINT."""
    listeners.ensure_allowed(settings, "console")
    logs.configure("console")
    uvicorn.run(
        application(settings, Feed(settings)),
        **listeners.options(settings),
        port=settings.console_port,
        http=Protocol,
        log_config=None,  # ours, not uvicorn's
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )
