"""``/metrics``, ``/health`` and ``/ready``, the same on every program.

Health says that the process answers; ready says that it can do its work, and names the missing dependency if not.
"""

import contextlib
from collections.abc import Callable, Iterator

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from streams.config import LOOPBACK

Missing = Callable[[], list[str]]
MayRead = Callable[[Request], bool]
# A web page that has its own name point to 127.0.0.1 reads nothing here.
_OURS_ALONE = Middleware(TrustedHostMiddleware, allowed_hosts=[LOOPBACK, "localhost"], www_redirect=False)


def routes(missing: Missing, may_read: MayRead = lambda _: True) -> list[Route]:
    """Routes of the three probes.

    Args:
        missing: names the dependencies that are away, none when ready.
        may_read: who gets the metrics; health and readiness say so little that everybody does.
    """

    async def metrics(request: Request) -> Response:
        if not may_read(request):
            return Response("send «Authorization: Bearer TOKEN»\n", 401, headers={"WWW-Authenticate": "Bearer"})
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def health(_: Request) -> JSONResponse:
        return JSONResponse({"status": "alive"})

    async def ready(_: Request) -> JSONResponse:
        away = missing()
        return JSONResponse({"status": "not ready" if away else "ready", "missing": away}, 503 if away else 200)

    return [Route("/metrics", metrics), Route("/health", health), Route("/ready", ready)]


def server(port: int, missing: Missing) -> uvicorn.Server:
    """A server of nothing but the probes, for programs without pages; ``await server.serve()`` runs it."""
    config = uvicorn.Config(
        Starlette(routes=list(routes(missing)), middleware=[_OURS_ALONE]),
        host=LOOPBACK,
        port=port,
        log_config=None,
        access_log=False,
        lifespan="off",
    )
    return Unsignalled(config)


class Unsignalled(uvicorn.Server):
    """A server that leaves signals to the program it is part of."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield
