"""The HTTP interface of ClickHouse over the embedded engine, for unmodified clients on this machine.

Takes requests, gives results as a server would. ``/`` runs statements, ``/ping`` says ``Ok.``, ``/health`` asks the
engine, ``/metrics`` speaks Prometheus. There are no users: it must listen on loopback only.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TypeVar

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from streams.embedded import clickhouse_answers as answers
from streams.embedded import clickhouse_metrics as metrics
from streams.embedded import clickhouse_request as requests
from streams.embedded.clickhouse_answers import Answer, Header
from streams.embedded.clickhouse_engine import Engine, Lane
from streams.embedded.clickhouse_errors import TOO_LARGE, QueryRefused, refusal
from streams.embedded.clickhouse_request import ClientGone, Limits, Request
from streams.embedded.clickhouse_sql import MAX_STATEMENT_BYTES, Insert, statement

_ASK_AGAIN_S = 0.5
_SWEEP_S = 1.0
_HEALTH_S = 5.0

T = TypeVar("T")


def application(engine: Engine, limits: Limits) -> Starlette:
    """The endpoint as an ASGI application; its life cycle ends the engine's idle sessions, not the engine."""

    async def ping(_: HttpRequest) -> Response:
        return PlainTextResponse("Ok.\n")

    async def health(_: HttpRequest) -> Response:
        try:
            async with asyncio.timeout(_HEALTH_S):
                well = await engine.errands.run(engine.is_well)
        except TimeoutError:
            well = False
        figures = {"version": engine.store.version, "queries": engine.queries.held, "inserts": engine.inserts.held}
        return JSONResponse({"status": "ok" if well else "unwell", **figures}, 200 if well else 503)

    async def figures(_: HttpRequest) -> Response:
        for lane in (engine.queries, engine.inserts):
            metrics.HELD.labels(lane.name).set(lane.held)
        metrics.SESSIONS.set(len(engine.sessions))
        return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def sweep() -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            await engine.errands.run(engine.sessions.end_idle)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        sweeper = asyncio.create_task(sweep())
        try:
            yield
        finally:
            sweeper.cancel()

    return Starlette(
        routes=[
            Route("/ping", ping),
            Route("/replicas_status", ping),
            Route("/health", health),
            Route("/metrics", figures),
            Route("/", _Statements(engine, limits), methods=["GET", "POST"]),
        ],
        lifespan=lifespan,
    )


class _Statements:
    """Runs the statement of each request."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self._engine = engine
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        query_id = ""
        body_read = False
        try:
            headers = Headers(scope=scope)
            requests.ensure_local(headers)
            url = dict(QueryParams(scope["query_string"]))
            query_id = url.get("query_id", "")
            request = requests.read(scope["method"], url, headers)
            query_id = request.query_id
            chunks = await requests.body(receive, headers, self._limits)
            body_read = True
            metrics.RECEIVED_BYTES.inc(sum(map(len, chunks)))
            if headers.get("Content-Type", "").startswith("multipart/form-data"):
                url |= requests.form(headers["Content-Type"], b"".join(chunks))
                request, chunks = requests.read(scope["method"], url, headers), []
            if not request.query and not chunks:
                await _send(send, 200, [(b"content-type", b"text/plain; charset=UTF-8")], b"Ok.\n")
                return
            await _Exchange(self._engine, self._limits, request, receive, send).run(chunks)
        except ClientGone:
            metrics.GONE.inc()
        except QueryRefused as refused:
            metrics.ERRORS.labels(refused.code).inc()
            content = answers.refusal_body(refused, self._engine.store.version)
            refusal_headers = answers.refusal_headers(refused, query_id)
            if not body_read:
                refusal_headers.append((b"connection", b"close"))
            await _send(send, refused.status, refusal_headers, content)


class _Exchange:
    """One request whose body is here, and its answer."""

    def __init__(self, engine: Engine, limits: Limits, request: Request, receive: Receive, send: Send) -> None:
        self._engine = engine
        self._limits = limits
        self._request = request
        self._receive = receive
        self._send = send
        # What comes after the body can only be the end of the connection.
        self._gone = asyncio.create_task(self._wait_for_end())

    async def run(self, chunks: list[bytes]) -> None:
        """Run the statement and send its result.

        Raises:
            QueryRefused: nothing was sent yet.
            ClientGone: the client left.
        """
        started = time.perf_counter()
        kind = "query"
        try:
            if self._request.is_packed:
                chunks = await self._until_done(
                    self._engine.inserts, partial(self._request.plain, chunks, self._limits)
                )
            found = requests.split(self._request.query, chunks)
            chunks.clear()
            if isinstance(found, bytes):
                await self._query(found)
            else:
                kind = "insert"
                await self._insert(*found)
        finally:
            self._gone.cancel()
            (metrics.INSERTS if kind == "insert" else metrics.QUERIES).inc()
            metrics.SECONDS.labels(kind).observe(time.perf_counter() - started)

    async def _wait_for_end(self) -> None:
        await self._receive()

    async def _insert(self, insert: Insert, data: list[bytes | memoryview]) -> None:
        work = partial(self._engine.insert, insert, data, self._request.order)
        # Also for a client that left: it may have been told nothing, but the rows were sent whole.
        outcome = await self._until_done(self._engine.inserts, work)
        metrics.INSERTED_ROWS.inc(outcome.rows_written)
        plain = {"Content-Type": answers.content_type(None)}
        await _send(self._send, 200, answers.headers(self._engine, self._request, outcome, plain), b"")

    async def _query(self, text: bytes) -> None:
        if len(text) > MAX_STATEMENT_BYTES:
            raise refusal(TOO_LARGE, "QUERY_IS_TOO_LARGE", f"the statement has {len(text)} bytes")
        answer = Answer(self._engine, self._request, statement(text))
        try:
            await self._send_result(answer)
        except asyncio.CancelledError:
            raise  # the process ends, and a thread may still be at work on this answer
        except BaseException:
            await self._engine.errands.run(answer.close)
            raise
        if answer.refused is not None:
            metrics.ERRORS.labels(answer.refused.code).inc()

    async def _send_result(self, answer: Answer) -> None:
        lane = self._engine.queries
        piece: bytes | None = await self._until_done(lane, answer.begin, answer)
        if answer.whole:
            await _send(self._send, 200, answer.headers(), piece or b"")
            return
        await self._send({"type": "http.response.start", "status": 200, "headers": answer.headers()})
        while piece is not None:
            if piece:
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            piece = await self._until_done(lane, answer.next_piece, answer, is_new=False)
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _until_done(
        self, lane: Lane, work: Callable[[], T], answer: Answer | None = None, *, is_new: bool = True
    ) -> T:
        """The result of work in a thread; when the client leaves, its query is killed, and the thread waited for.

        Args:
            lane: of the thread.
            work: to be done.
            answer: for queries: what ends them.
            is_new: it may be refused when too much is waiting.
        """
        future = lane.run(work, is_new=is_new)
        either: set[asyncio.Future[T] | asyncio.Task[None]] = {future, self._gone}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not future.done():
            if answer is not None:
                answer.is_unwanted = True
            while not future.done():
                for mark in answer.marks if answer is not None else ():
                    await self._engine.errands.run(partial(self._engine.kill, mark))
                await asyncio.wait({future}, timeout=_ASK_AGAIN_S)
        if self._gone.done() and answer is not None:
            with suppress(QueryRefused):
                future.result()
            raise ClientGone
        return future.result()


async def _send(send: Send, status: int, headers: list[Header], body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
