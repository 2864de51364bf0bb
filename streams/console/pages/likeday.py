"""``/v1/like-day``: today against a like day, of a site or of the network."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from streams.console import i18n
from streams.console.answers import document, problem, unknown_site
from streams.console.documents import read_now
from streams.console.likewords import Phrases
from streams.console.shell import Parts
from streams.console.words import Words


def routes(parts: Parts) -> list[BaseRoute]:
    """``/v1/like-day``, of the network or of ``?site=ID``; ``said`` is in the reader's language (``?lang=``)."""

    async def api(request: Request) -> Response:
        site_id = request.query_params.get("site")
        try:
            language = i18n.of(request)
        except i18n.UnknownLanguageError as unknown:
            return problem(404, f"there is no language {str(unknown)[:40]!r}", code="unknown-language")
        try:
            now = read_now(parts.feed.now(site_id, heard_only=site_id is None))
        except KeyError:
            return unknown_site(str(site_id), parts.feed.known)
        if site_id is None:
            like = parts.like.network(now.sites, now.now_ms)
        else:
            (site,) = now.sites
            like = parts.like.of(site, now.now_ms)
        phrases = Phrases(Words(language))
        told = {
            "now_ms": now.now_ms,
            **msgspec.to_builtins(like),
            "said": phrases.said(like),
            "then": phrases.then(like),
        }
        answer = document(told)
        answer.headers["Vary"] = "Accept-Language, Cookie"
        return answer

    return [Route("/v1/like-day", api)]
