"""Another schema registry, small and writable: what Confluent's does on the paths that our client asks."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.beds import free_port


class OtherRegistry:
    """Gives ids from ``first`` on, in the order of registration; a schema is known by its text."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.subjects: dict[str, list[str]] = {}
        self.ids: dict[str, int] = {}
        self.app = Starlette(
            routes=[
                Route("/subjects/{subject}", self._look_up, methods=["POST"]),
                Route("/subjects/{subject}/versions", self._register, methods=["POST"]),
            ]
        )

    async def _look_up(self, request: Request) -> Response:
        subject, text = request.path_params["subject"], json.loads(await request.body())["schema"]
        known = self.subjects.get(subject)
        if known is None:
            return JSONResponse({"error_code": 40401, "message": f"Subject '{subject}' not found."}, 404)
        if text not in known:
            return JSONResponse({"error_code": 40403, "message": "Schema not found"}, 404)
        return JSONResponse(
            {"subject": subject, "version": known.index(text) + 1, "id": self.ids[text], "schema": text}
        )

    async def _register(self, request: Request) -> Response:
        text = json.loads(await request.body())["schema"]
        number = self.ids.setdefault(text, self.first + len(self.ids))
        known = self.subjects.setdefault(request.path_params["subject"], [])
        if text not in known:
            known.append(text)
        return JSONResponse({"id": number})


@contextmanager
def serving(app: Starlette) -> Iterator[str]:
    """The URL of ``app``, served by a thread."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
