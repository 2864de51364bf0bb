"""``/v1/pipeline``: how each part of the pipeline is; ``/pipeline``: the same as the strip at every page's foot."""

import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from streams.console import answers, i18n
from streams.console.pipeline import Seen, document
from streams.console.shell import Parts


def routes(parts: Parts) -> list[BaseRoute]:
    """The document, and the strip, which is rendered once for each look and language whoever asks."""
    strips: dict[str, tuple[Seen | None, Response]] = {}

    async def told(_: Request) -> Response:
        return answers.document(document(parts.pipeline.look(), time.time_ns() // 1_000_000))

    async def strip(request: Request) -> Response:
        seen = parts.pipeline.look()
        try:
            code = i18n.of(request).code
        except i18n.UnknownLanguageError as unknown:
            return answers.problem(404, f"no language is called {str(unknown)!r}", code="unknown-language")
        kept = strips.get(code)
        if kept is None or kept[0] is not seen:
            kept = strips[code] = seen, parts.shell.page(request, "_pipeline.html")
            del kept[1].headers["set-cookie"]  # a page's own language is no reader's choice
        return kept[1]

    return [Route("/v1/pipeline", told), Route("/pipeline", strip)]
