"""``/``: the control room, the whole network on one screen."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from streams.console import paint, plan
from streams.console.documents import read_now
from streams.console.shell import Parts

_SOUGHT = 100  # characters


def routes(parts: Parts) -> list[BaseRoute]:
    """``/``; its older form ``/?site=ID`` leads to the site's own page."""

    async def page(request: Request) -> Response:
        if asked := request.query_params.get("site"):
            return RedirectResponse(f"/site/{quote(asked, safe='')}", 307)
        sought = request.query_params.get("q", "").strip()[:_SOUGHT]
        now = read_now(parts.feed.now(heard_only=True))
        told = paint.overview(now, sought, parts.feed.known)
        worst = next(iter(paint.ranked([site for site in now.sites if site.heard])), None)
        told["like"] = parts.like.network(now.sites, now.now_ms, bins=False)
        told |= {"worst": worst, "plan": plan.of(parts, worst, request) if worst else None}
        return parts.shell.page(request, "overview.html", now=now, **told)

    return [Route("/", page)]
