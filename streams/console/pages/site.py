"""``/site/{id}``: one site, large."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from streams.console import paint
from streams.console.documents import read_day, read_now
from streams.console.shell import Parts


def routes(parts: Parts) -> list[BaseRoute]:
    """``/site/{id}``; 404 for an unknown one, with a page that says so and leads on."""

    async def page(request: Request) -> Response:
        site_id = request.path_params["site_id"]
        try:
            now = read_now(parts.feed.now(site_id))
            day = read_day(parts.feed.day(site_id))
        except KeyError:
            return parts.shell.lost(request, site_id)
        (hero,) = now.sites
        return parts.shell.page(request, "site.html", now=now, hero=hero, **paint.site(now, hero, day))

    return [Route("/site/{site_id}", page)]
