"""Who is who at one console: tokens, sessions, screens on walls, and wrong tries.

Takes requests, gives who asks (``Access``) or a refusal, and puts cookies on answers. What each may open is the affair
of ``console.access``, which calls it.
"""

import time
from dataclasses import dataclass

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from streams.adapters import keys
from streams.adapters.displays import Displays
from streams.config import Settings
from streams.console.attempts import Attempts
from streams.console.sessions import LIFE_S, Role, Sessions

log = structlog.get_logger(__name__)

_WALL_S = 400 * 86_400  # as long as browsers keep a cookie; each opening of the wall begins it anew
_FRESH = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Access:
    """Who asks.

    Attributes:
        role: ``operator`` looks and acts, ``viewer`` looks, ``display`` looks at one site.
        csrf: for ``<meta name="csrf-token">`` and the hidden field ``csrf``.
        site: of a display; ``None`` for the others, who see all.
        session_id: of the session or the display; empty on loopback and for bearers.
        ends_s: epoch seconds, ``None`` if it does not end by itself.
        by_header: told by a header, which no foreign page can make a browser send.
    """

    role: Role
    csrf: str
    site: str | None = None
    session_id: str = ""
    ends_s: float | None = None
    by_header: bool = False


class Refused(Exception):  # noqa: N818 - an answer
    """Not let in; ``code`` is stable, ``detail`` says what helps."""

    def __init__(self, status: int, code: str, detail: str, retry_s: float = 0.0) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.headers = {"Retry-After": f"{retry_s + 1:.0f}"} if retry_s else {}
        if status == 401:
            self.headers["WWW-Authenticate"] = "Bearer"


class Guard:
    """Knows who is who: tokens, sessions, displays and failed attempts of one console."""

    def __init__(self, settings: Settings) -> None:
        self._sessions = Sessions(settings, keys.console_key(settings))
        self._displays = Displays(settings.home)
        self._sign_ins = Attempts(most=10, window_s=60.0)
        self._headers = Attempts(most=60, window_s=60.0)  # of programs: one with an old token must not lock out people
        self.open = not self._sessions.needed

    def who(self, request: Request) -> Access | None:
        """Who asks, ``None`` if nobody that is known; raises ``Refused`` for a bearer of a wrong token."""
        if self.open:
            return Access("operator", self._sessions.csrf("open"))
        given = request.headers.get("authorization")
        if given is not None:
            scheme, _, token = given.partition(" ")
            found = self._tried(request, self._headers, token.strip()) if scheme.lower() == "bearer" else None
            if found is None:
                raise Refused(401, "unknown-token", "send «Authorization: Bearer TOKEN» with a token of the console")
            return found
        cookie = request.cookies.get(_cookie(request, "session"), "")
        session = self._sessions.read(cookie, time.time())
        if session:
            csrf = self._sessions.csrf(session.session_id)
            return Access(session.role, csrf, session_id=session.session_id, ends_s=session.ends_s)
        display = self._displays.of(request.cookies.get(_cookie(request, "wall"), ""))
        return Access("display", "", display.site_id, display.display_id) if display else None

    def stands(self, access: Access) -> bool:
        """Whether who was let in would be let in now."""
        if access.role == "display":
            return self._displays.get(access.session_id) is not None
        if access.ends_s is None:
            return True
        return self._sessions.stands(access.session_id, access.ends_s, time.time())

    def sign_in(self, request: Request, token: str, response: Response) -> Role:
        """Put a new session on a response, for a token of a person; raises ``Refused``."""
        found = self._tried(request, self._sign_ins, token)
        if found is None or found.role == "display":
            raise Refused(401, "unknown-token", "this token opens nothing here")
        cookie = self._sessions.begin(found.role, time.time())
        _keep(request, response, "session", cookie, LIFE_S)
        log.info("signed in", role=found.role)
        return found.role

    def sign_out(self, request: Request, response: Response) -> None:
        """End the session of a request, and its open streams with it."""
        access: Access = request.state.access
        if access.ends_s is not None:
            self._sessions.end(access.session_id, time.time())
        for name in ("session", "wall"):
            _keep(request, response, name, "", 0)

    def open_wall(self, request: Request, site_id: str, token: str) -> Response:
        """To the clean address of a wall, which its cookie opens from now on; raises ``Refused``."""
        response = RedirectResponse(request.url.path, 303, headers=_FRESH)
        if not self.open:
            found = self._tried(request, self._sign_ins, token)
            if found is None or found.site != site_id:
                raise Refused(403, "wall", "this link opens no wall: it was revoked, or is of another site")
            _keep(request, response, "wall", token, _WALL_S)
        return response

    def had_wall(self, request: Request) -> bool:
        """Whether a browser was a screen once."""
        return _cookie(request, "wall") in request.cookies

    def renewal(self, request: Request) -> list[tuple[bytes, bytes]]:
        """Headers that keep a screen's cookie for as long again."""
        response = Response()
        _keep(request, response, "wall", request.cookies.get(_cookie(request, "wall"), ""), _WALL_S)
        return [pair for pair in response.raw_headers if pair[0] == b"set-cookie"]

    def _tried(self, request: Request, attempts: Attempts, token: str) -> Access | None:
        address = request.client.host if request.client else ""
        wait_s = attempts.wait_s(address, time.monotonic())
        if wait_s:
            raise Refused(429, "later", f"too many wrong tokens; try again in {wait_s:.0f} s", wait_s)
        role = self._sessions.role_of(token)
        if role:
            return Access(role, self._sessions.csrf("bearer"), by_header=True)
        display = self._displays.of(token)
        if display:
            return Access("display", "", display.site_id, display.display_id, by_header=True)
        if attempts.fail(address, time.monotonic()):
            log.warning("too many wrong tokens", address=address)
        return None


def _cookie(request: Request, of: str) -> str:
    """Its name; by TLS one that neither a neighbour's name nor plain http can set."""
    return f"__Host-musee_{of}" if request.url.scheme == "https" else f"musee_{of}"


def _keep(request: Request, response: Response, of: str, value: str, for_s: int) -> None:
    response.set_cookie(
        _cookie(request, of), value, max_age=for_s, path="/", secure=True, httponly=True, samesite="strict"
    )
