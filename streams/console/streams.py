"""``/v1/feed``: the open streams, how many there may be, and what becomes of one that nobody reads.

A browser is known by a random cookie that comes with its first page and says nothing else; whoever sends none counts by
address. So one browser with two hundred pages is refused its thirteenth, and the others notice nothing. A stream whose
browser takes no byte for half a minute is cut off: closing it politely would wait for that browser for ever.
"""

import asyncio
import contextlib
import json
import random
import re
import secrets
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator

import structlog
from sse_starlette import EventSourceResponse
from sse_starlette.sse import SendTimeoutError
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as Sent
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from streams.console.answers import FRESH, problem
from streams.console.telling import Guard, Message, chunk

log = structlog.get_logger(__name__)

COOKIE = "musee_browser"
PER_BROWSER = 12
AT_ALL = 1_000
RETRY_AFTER_S = 5
_TOKEN = re.compile(r"[0-9A-Za-z_-]{22}")
_KEPT_S = 365 * 86_400
_COMMENT_S = 15
_STUCK_S = 30.0
_RETRY_MS = (500, 3_000)  # spread out, or all walls of a house would come back in the same instant
_ABORT = "musee.abort"  # extension of a request's scope: drops its connection with what was not sent

Subscribe = Callable[[str | None, str | None, Guard | None], AsyncGenerator[Message]]


class Places:
    """How many streams are open, of each browser and in all."""

    def __init__(self, per_browser: int = PER_BROWSER, at_all: int = AT_ALL) -> None:
        self._limits = {"browser": per_browser, "console": at_all}
        self._open: Counter[str] = Counter()

    def refusal(self, browser: str) -> Response | None:
        """Why this browser gets no more streams, ``None`` if it does."""
        if self._open[browser] >= self._limits["browser"]:
            return self._refused("browser", "live pages are open in this browser: close one")
        if self._open.total() >= self._limits["console"]:
            return self._refused("console", "live pages are open on this console, of all browsers")
        return None

    def _refused(self, scope: str, what: str) -> Response:
        limit = self._limits[scope]
        answer = problem(
            429, f"{limit} {what}; trying again", code="too-many-streams", scope=scope, limit=limit,
            retry_after_s=RETRY_AFTER_S,
        )  # fmt: skip
        answer.headers["Retry-After"] = str(RETRY_AFTER_S)
        return answer

    @contextlib.contextmanager
    def taken(self, browser: str) -> Iterator[None]:
        """Hold one as long as a stream is open."""
        self._open[browser] += 1
        try:
            yield
        finally:
            self._open[browser] -= 1
            if self._open[browser] <= 0:
                del self._open[browser]


class Streams:
    """The route of the feed."""

    def __init__(
        self, subscribe: Subscribe, build: str, unknown: Callable[[str], Response], places: Places | None = None
    ) -> None:
        self._subscribe = subscribe
        self._build = build
        self._unknown = unknown
        self._places = places or Places()

    async def feed(self, request: Request) -> Response:
        """Server-sent events: ``hello`` (the build), a ``snapshot`` or what was missed, then a ``delta`` every second.

        ``?site=`` restricts them to a site. ``Last-Event-ID``, or ``?last_id=`` for a script that cannot set it, names
        the last message seen. Whoever may withdraw a right leaves a coroutine function in
        ``request.state.stream_guard``: it is asked every few seconds and ends the stream by false.
        """
        site_id = request.query_params.get("site")
        last_id = request.headers.get("last-event-id") or request.query_params.get("last_id")
        guard = getattr(request.state, "stream_guard", None)
        try:
            messages = self._subscribe(site_id, last_id, guard)
        except KeyError:
            return self._unknown(str(site_id))
        browser = browser_of(request)
        return self._places.refusal(browser) or _Stream(self._events(messages), self._places, browser)

    async def _events(self, messages: AsyncGenerator[Message]) -> AsyncIterator[bytes]:
        retry = b"retry: %d\r\n" % random.randint(*_RETRY_MS)  # noqa: S311 - no secret
        async with contextlib.aclosing(messages):  # the feed forgets this browser now, not at the next collection
            yield chunk("hello", json.dumps({"build": self._build}).encode(), retry)
            async for message in messages:
                yield message.chunk


class _Stream(EventSourceResponse):
    """One open stream; it takes its place when it begins, for a stream that never begins would hold one for ever."""

    def __init__(self, events: AsyncIterator[bytes], places: Places, browser: str) -> None:
        super().__init__(events, ping=_COMMENT_S, send_timeout=_STUCK_S, headers=FRESH)
        self._places = places
        self._browser = browser

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._places.taken(self._browser):
            try:
                await super().__call__(scope, receive, send)
            except SendTimeoutError:
                log.info("stream cut off, nobody reads it", stuck_s=_STUCK_S)
                scope.get("extensions", {}).get(_ABORT, _nothing)()
                await asyncio.sleep(0)  # the server notices that the connection is gone before it asks why no end came


def _nothing() -> None:
    """A server that cannot drop connections."""


class Protocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # uvicorn chooses it as it is imported
    """Uvicorn's, whose requests can drop their connection: it closes only after all was sent, which may be never."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin a connection."""
        super().connection_made(transport)
        application: ASGIApp = self.app

        async def with_abort(scope: Scope, receive: Receive, send: Send) -> None:
            scope["extensions"] = {**scope.get("extensions", {}), _ABORT: transport.abort}
            await application(scope, receive, send)

        self.app: ASGIApp = with_abort


# -- browsers --------------------------------------------------------------------------------------------------------


def browser_of(request: Request) -> str:
    """Who asks: the cookie of our pages, else the address."""
    return _token(request) or f"at {request.client.host if request.client else ''}"


def _token(request: HTTPConnection) -> str | None:
    token = request.cookies.get(COOKIE, "")
    return token if _TOKEN.fullmatch(token) else None


class BrowserCookie:
    """Gives each browser that is shown a page, and has none, a cookie by which its streams are counted."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def with_cookie(message: Sent) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html") and not _token(HTTPConnection(scope)):
                    headers.append("Set-Cookie", _cookie(secure=scope["scheme"] == "https"))
            await send(message)

        await self._app(scope, receive, with_cookie if scope["type"] == "http" else send)


def _cookie(*, secure: bool) -> str:
    ending = "; Secure" if secure else ""
    return f"{COOKIE}={secrets.token_urlsafe(16)}; Max-Age={_KEPT_S}; Path=/; HttpOnly; SameSite=Strict{ending}"
