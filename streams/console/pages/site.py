"""``/site/{id}``: one site, large; ``/v1/revisions``: what was said again of its day."""

from typing import Any, get_args

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from streams.console import paint, plan
from streams.console.answers import document, problem, unknown_site
from streams.console.documents import read_day, read_now
from streams.console.revisions import Revisions
from streams.console.shell import Parts
from streams.core.grains import Grain


def routes(parts: Parts) -> list[BaseRoute]:
    """``/site/{id}``; 404 for an unknown one, with a page that says so and leads on."""
    revisions = Revisions(parts.settings)

    async def page(request: Request) -> Response:
        site_id = request.path_params["site_id"]
        try:
            now = read_now(parts.feed.now(site_id))
            day = read_day(await parts.feed.settled(site_id))
            gate_hours = parts.feed.gate_hours(site_id)
        except KeyError:
            return parts.shell.lost(request, site_id)
        (hero,) = now.sites
        grain: Grain = "hour" if request.query_params.get("grain") == "hour" else "quarter"
        more: dict[str, Any] = {
            **paint.site(now, hero, day, grain),
            "like": parts.like.of(hero, now.now_ms, bins=False),
            "plan": plan.of(parts, hero, request),
            "grains": [(one, plan.here(request, grain=one)) for one in get_args(Grain)],
            "revisions": await revisions.of(site_id, day.start_ms, day.end_ms),
            "gate_hours": gate_hours,
        }
        return parts.shell.page(request, "site.html", now=now, hero=hero, **more)

    async def revised(request: Request) -> Response:
        """Revisions of a site's business day that changed something, latest first; 503 while the history is away."""
        site_id = request.query_params.get("site")
        if not site_id:
            return problem(400, "name the site: /v1/revisions?site=ID", code="missing-site", sites=parts.feed.known)
        try:
            day = parts.feed.day(site_id)
        except KeyError:
            return unknown_site(site_id, parts.feed.known)
        told = await revisions.of(site_id, day["start_ms"], day["end_ms"])
        if told is None:
            return problem(503, "the history does not answer; musee status says more", code="history-away")
        head = {name: day[name] for name in ("site_id", "business_day", "time_zone")}
        return document(head | {"asked_ms": told.asked_ms, "revisions": msgspec.to_builtins(told.revisions)})

    return [Route("/site/{site_id}", page), Route("/v1/revisions", revised)]
