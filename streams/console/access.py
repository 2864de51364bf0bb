"""Who may open what: every request of the console passes here before a page or an address of the API sees it.

On loopback without tokens everybody is an operator. With tokens a browser signs in at ``/login`` and keeps a cookie,
an API client sends ``Authorization: Bearer TOKEN``, and a screen on a wall has a token of its own (``musee display``)
that opens one site. Who it is stands in ``request.state.access``. Requests of foreign web pages are refused; whatever
changes something needs the CSRF token of its session. Streams end within seconds of what let them in.
"""

import asyncio
import contextlib
import hmac
from collections.abc import Callable
from urllib.parse import parse_qsl, quote, urlsplit

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.adapters.transport import PROBES
from streams.console import forms
from streams.console.guard import Access, Guard, Refused

log = structlog.get_logger(__name__)

SIGN_IN, SIGN_OUT = "/login", "/logout"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# What programs ask, not people: refused as a problem document. Everything else is a page.
_PROGRAMS = ("/v1/", "/metrics", "/subjects", "/schemas", "/compatibility", "/config", "/mode")
_READ_BY_POST = ("/subjects/", "/compatibility/")  # a schema registry is asked so; nothing is changed there
_OF_A_SITE = frozenset({"/v1/feed", "/v1/now", "/v1/day"})  # what a wall reads, always of its own site
_LOOK_S = 1.0  # how often an open stream is asked whether it still may
_FRESH = {"Cache-Control": "no-store"}

# Request, status, what went wrong: empty, ``unknown-token``, ``later``, ``wall`` (a link that opens none), ``display``.
SignInPage = Callable[[Request, int, str], Response]
Problem = Callable[[int, str, str], Response]  # status, code, detail


def require_operator(request: Request) -> None:
    """Let only those pass who may act. Origin and CSRF token were checked before the request came here.

    Raises:
        HTTPException: 403, with what is missing.
    """
    access = getattr(request.state, "access", None)
    if not isinstance(access, Access) or access.role != "operator":
        raise HTTPException(403, "this needs the operator's token; sign out, and in again with it")


class AccessControl:
    """The middleware, behind ``adapters.transport``.

    Args:
        app: the console's routes, ``/login`` and ``/logout`` among them.
        guard: who is who.
        problem: makes a problem document.
        page: makes the page with the field for a token.
    """

    def __init__(self, app: ASGIApp, guard: Guard, problem: Problem, page: SignInPage) -> None:
        self._app = app
        self._guard = guard
        self._problem = problem
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in, with ``state.access``, or answer it."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":  # we have none, and none may slip by
                await send({"type": "websocket.close", "code": 1008})
            else:
                await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            _ensure_own(request)
            access = self._guard.who(request)
            answer = self._wall_link(request)
            if access is None and answer is None:
                answer = self._unknown(request)
            elif access is not None and answer is None:
                _ensure_within(request, access)
                receive = await _proven(request, access)
        except Refused as refused:
            answer = self._refusal(request, refused)
        except HTTPException as fault:
            answer = self._problem(fault.status_code, "bad-form", fault.detail)
        if answer is not None:
            await answer(scope, receive, send)
            return
        scope.setdefault("state", {})["access"] = access or Access("viewer", "")
        if access is None or self._guard.open:
            await self._app(scope, receive, send)
        else:
            await self._while_it_stands(access, request, receive, send)

    def _wall_link(self, request: Request) -> Response | None:
        """``/wall/{site}?token=``: the cookie of that wall, and its address without the token."""
        token, path = request.query_params.get("token"), str(request.scope["path"])
        if request.method != "GET" or token is None or not path.startswith("/wall/"):
            return None
        return self._guard.open_wall(request, path.removeprefix("/wall/"), token)

    def _unknown(self, request: Request) -> Response | None:
        """What nobody in particular gets: the open paths, else the way to sign in."""
        path = request.scope["path"]
        if path in PROBES or path == SIGN_IN or path.startswith("/static/"):
            return None
        if path.startswith(_PROGRAMS):
            raise Refused(401, "not-signed-in", "sign in at /login, or send «Authorization: Bearer TOKEN»")
        if path.startswith("/wall/") and self._guard.had_wall(request):
            raise Refused(403, "wall", "this screen was revoked")
        to = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        if _is_navigation(request) and request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            # A link from elsewhere: the browser keeps the cookie back until the same is asked by a page of ours.
            page = self._page(request, 200, "")
            page.headers["Refresh"] = f"0;url={quote(to, safe='/?=&%')}"
            return page
        query = f"?next={quote(to, safe='')}" if request.method in _SAFE and to != "/" else ""
        return RedirectResponse(SIGN_IN + query, 303, headers=_FRESH)

    def _refusal(self, request: Request, refused: Refused) -> Response:
        if refused.code in ("wall", "display", "later") and not request.scope["path"].startswith(_PROGRAMS):
            answer = self._page(request, refused.status, refused.code)
        else:
            answer = self._problem(refused.status, refused.code, refused.detail)
        answer.headers.update(refused.headers)
        return answer

    async def _while_it_stands(self, access: Access, request: Request, receive: Receive, send: Send) -> None:
        """Answer until it is done, or until what let the request in has ended: revoked, signed out, over."""
        begun = done = False
        renewal = access.role == "display" and not access.by_header and request.scope["path"].startswith("/wall/")

        async def noted(message: Message) -> None:
            nonlocal begun, done
            if message["type"] == "http.response.start":
                begun = True
                if renewal:
                    message = {**message, "headers": [*message["headers"], *self._guard.renewal(request)]}
            await send(message)
            done = message["type"] == "http.response.body" and not message.get("more_body", False)

        task = asyncio.ensure_future(self._app(request.scope, receive, noted))
        try:
            while not (await asyncio.wait({task}, timeout=_LOOK_S))[0]:
                if begun and not self._guard.stands(access):
                    break
            else:
                await task
                return
        finally:
            if not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        log.info("stream ended, it may no longer", role=access.role, site=access.site)
        if not done:
            with contextlib.suppress(TimeoutError):  # of a browser that takes nothing the line is cut
                async with asyncio.timeout(1.0):
                    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _is_navigation(request: Request) -> bool:
    return request.method in _SAFE and request.headers.get("sec-fetch-mode") == "navigate"


def _ensure_own(request: Request) -> None:
    """Refuse what a foreign web page makes a browser send; following a link to a page of ours is none of that."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site not in (None, "same-origin", "none") and not _is_navigation(request):
        raise Refused(403, "cross-origin", f"a web page of another origin asked ({site}); only ours may")
    # A page without referrer sends «null» with its own forms; then only the browser's other word counts.
    if origin is not None and not (origin == "null" and site == "same-origin") and not _same(request, origin):
        raise Refused(403, "cross-origin", f"a web page of {origin[:100]!r} asked; only ours may")


def _same(request: Request, origin: str) -> bool:
    usual = {"http": 80, "https": 443}
    try:
        theirs, ours = urlsplit(origin), urlsplit(f"{request.url.scheme}://{request.headers.get('host', '')}")
        return (theirs.scheme, theirs.hostname, theirs.port or usual.get(theirs.scheme)) == (
            ours.scheme, ours.hostname, ours.port or usual.get(ours.scheme),
        )  # fmt: skip
    except ValueError:
        return False


def _ensure_within(request: Request, access: Access) -> None:
    """Keep a screen to its site, and who only looks from acting."""
    path = request.scope["path"]
    if path in PROBES or path in (SIGN_IN, SIGN_OUT) or path.startswith("/static/"):
        return
    if access.role == "display":
        asked = parse_qsl(request.url.query, keep_blank_values=True)
        sites = [value for name, value in asked if name == "site"]
        its_own = path == f"/wall/{access.site}" or (path in _OF_A_SITE and sites == [access.site])
        if request.method not in _SAFE or not its_own:
            raise Refused(403, "display", f"this screen may open /wall/{access.site} and its figures, nothing else")
    elif access.role != "operator" and request.method not in _SAFE and not path.startswith(_READ_BY_POST):
        raise Refused(403, "operator-only", "this needs the operator's token; sign out, and in again with it")


async def _proven(request: Request, access: Access) -> Receive:
    """What the handler is to read the body from; raises ``Refused`` for a write that no form of ours has sent.

    A program without cookie and origin cannot be tricked by a web page, and needs no CSRF token.
    """
    headers = request.headers
    from_browser = any(name in headers for name in ("cookie", "origin", "sec-fetch-site"))
    if request.method in _SAFE or access.by_header or not from_browser or request.scope["path"] == SIGN_IN:
        return request.receive
    given, receive = headers.get("x-csrf-token"), request.receive
    if given is None and forms.is_form(request):
        body = await forms.body(request)
        receive = _again(body, request.receive)
        given = forms.parsed(body).get("csrf")
    if not access.csrf or not hmac.compare_digest((given or "").encode(), access.csrf.encode()):
        raise Refused(403, "csrf", "the CSRF token of the page is missing or old: load the page again")
    return receive


def _again(body: bytes, receive: Receive) -> Receive:
    """A body that was read, to be read once more."""
    left = [body]

    async def read() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return read
