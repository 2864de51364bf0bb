"""``/login`` and ``/logout``: a field for a token, and the way out. Works without a script.

``console.access`` lets everybody here, and shows the same page where it turns somebody away.
"""

import re

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from streams.console import forms, i18n
from streams.console.access import SIGN_IN, SIGN_OUT
from streams.console.answers import FRESH
from streams.console.guard import Guard, Refused
from streams.console.shell import Parts

_LOCAL = re.compile(r"/(?![/\\])[^\x00-\x20\\]*")


def routes(parts: Parts) -> list[BaseRoute]:
    """Both; ``app.state.guard`` knows who is who."""

    async def sign_in(request: Request) -> Response:
        guard: Guard = request.app.state.guard
        if guard.open:  # nobody has to
            return _to("/")
        if request.method != "POST":
            return page(parts, request, 200, "")
        given = await forms.fields(request)
        answer = _to(_local(given.get("next", "")))
        try:
            guard.sign_in(request, given.get("token", "").strip(), answer)
        except Refused as refused:
            answer = page(parts, request, refused.status, refused.code, given.get("next", ""))
            answer.headers.update(refused.headers)
        return answer

    async def sign_out(request: Request) -> Response:
        answer = _to(SIGN_IN)
        request.app.state.guard.sign_out(request, answer)
        return answer

    return [Route(SIGN_IN, sign_in, methods=["GET", "POST"]), Route(SIGN_OUT, sign_out, methods=["POST"])]


def page(parts: Parts, request: Request, status: int, said: str, to: str | None = None) -> Response:
    """The page with the field.

    Args:
        parts: of the console.
        request: whose language decides.
        status: of the answer.
        said: the code of what went wrong, empty if nothing did; see ``console.access``.
        to: where a sign-in leads; unset: what the address says.
    """
    if request.query_params.get("lang", i18n.SOURCE) not in i18n.LANGUAGES:
        return _to(SIGN_IN)  # the page that says so shows more than somebody unknown is to see
    leads = _local(request.query_params.get("next", "") if to is None else to)
    return parts.shell.page(request, "login.html", status=status, said=said, leads=leads)


def _local(address: str) -> str:
    """An address of ours; anything else is the control room."""
    return address if _LOCAL.fullmatch(address) else "/"


def _to(address: str) -> Response:
    return RedirectResponse(address, 303, headers=FRESH)
