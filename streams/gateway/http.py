"""The HTTP door: ``POST /v1/events``.

Takes CloudEvents and Avro in the ways that ``gateway.modes`` lists, all checked and answered alike.
202 only after Kafka has all of them on all replicas; 503 with ``Retry-After`` when it did not say so; 4xx with code and
path, and nothing produced, for what can never succeed.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.metadata import version
from typing import cast

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from streams.adapters import arrivals, keys, listeners, logs, metrics, probes
from streams.adapters.producer import Producer
from streams.adapters.site_topic import SiteTopic
from streams.adapters.transport import Transport
from streams.config import Settings
from streams.errors import RejectedEvent, Unavailable
from streams.gateway import auth
from streams.gateway.accept import Door, RefusedBatch, accept
from streams.gateway.modes import Mode, mode_of
from streams.gateway.problems import problem
from streams.gateway.skews import Skews

log = structlog.get_logger(__name__)

BODY_BYTES = 1024 * 1024
FILE_BYTES = 8 * BODY_BYTES  # of an Avro object container file
_RETRY_AFTER_S = "2"


async def _body(request: Request, mode: Mode) -> bytes:
    """The request's body, never more than allowed in memory."""
    detail = f"a body may hold {BODY_BYTES} bytes, an Avro file {FILE_BYTES}; send smaller batches"
    most = FILE_BYTES if mode.files else BODY_BYTES
    if int(request.headers.get("content-length") or 0) > most:
        raise RejectedEvent("too-large", detail, status=413)
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > most:
            raise RejectedEvent("too-large", detail, status=413)
        pieces.append(piece)
    body = b"".join(pieces)
    if size > BODY_BYTES and not arrivals.is_container(body):
        raise RejectedEvent("too-large", detail, status=413)
    return body


async def _accepted(body: bytes, mode: Mode, request: Request) -> list[str]:
    """Event ids of what the body holds, all of it in Kafka; files one at a time, for what they unpack to is large."""
    state = request.app.state
    received_ms = time.time_ns() // 1_000_000
    if not (mode.files and arrivals.is_container(body)):
        return await accept(mode.read(body), state.door, received_ms)
    async with state.one_file:
        return await accept(await asyncio.to_thread(mode.read, body), state.door, received_ms)


async def post_events(request: Request) -> Response:
    """Take one event or a batch; see the module."""
    started = time.perf_counter()
    state = request.app.state
    try:
        auth.check(request.headers.get("authorization"), state.dev_key)
        mode = mode_of(request.headers)
        body = await _body(request, mode)
        if not state.sites.sites:  # not read yet, or nobody has applied any: the device must keep its event
            raise Unavailable("kafka", "no site is known yet")
        ids = await _accepted(body, mode, request)
    except RefusedBatch as refused:
        (_, first), count = refused.faults[0], len(refused.faults)
        detail = first.detail if count == 1 else f"{count} events are at fault, the first: {first.detail}"
        return problem(first.status, first.code, detail, errors=refused.faults)
    except RejectedEvent as fault:
        challenge = {"WWW-Authenticate": "Bearer"} if fault.status == 401 else None
        return problem(fault.status, fault.code, fault.detail, headers=challenge)
    except Unavailable as away:
        metrics.UNAVAILABLE.inc()
        log.warning("not accepted", dependency=away.dependency, error=away.detail)
        detail = "not accepted: send the same again, nothing is counted twice"
        return problem(503, f"{away.dependency}-unavailable", detail, headers={"Retry-After": _RETRY_AFTER_S})
    except ClientDisconnect:
        return Response(status_code=499)
    metrics.REQUEST_SECONDS.observe(time.perf_counter() - started)
    return JSONResponse({"accepted": len(ids), "event_ids": ids}, 202)


async def _no_such_thing(_: Request, error: Exception) -> Response:
    """404 and 405 as problem documents, like every other refusal."""
    error = cast(HTTPException, error)
    allowed = (error.headers or {}).get("Allow")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return problem(405, "method-not-allowed", f"this path takes {allowed}", headers=error.headers)
    code = "not-found" if error.status_code == HTTPStatus.NOT_FOUND else "refused"
    return problem(error.status_code, code, "events go to POST /v1/events", headers=error.headers)


def application(settings: Settings) -> Starlette:
    """The gateway as an ASGI application."""
    away: set[str] = set()

    def missing() -> list[str]:
        return sorted(away | (set() if app.state.sites.sites else {"sites"}))

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        app.state.dev_key = keys.dev_key(settings)
        app.state.sites = SiteTopic(settings.kafka_servers)
        producer = Producer(settings.kafka_servers, "musee-gateway")
        pseudonyms = keys.PseudonymKeys(settings.home)
        app.state.door = Door(app.state.sites.sites, pseudonyms, producer, version("data-musee"), Skews())
        await app.state.sites.start()
        app.state.one_file = asyncio.Semaphore(1)
        tasks = [asyncio.create_task(_watch(producer, away)), asyncio.create_task(_destroy_keys(pseudonyms))]
        yield
        for task in tasks:
            task.cancel()
        await app.state.sites.stop()
        await producer.stop()

    def may_read(request: Request) -> bool:
        return not settings.exposed or auth.is_known(request.headers.get("authorization"), app.state.dev_key)

    routes = [Route("/v1/events", post_events, methods=["POST"]), *probes.routes(missing, may_read)]
    transport = Middleware(Transport, settings=settings, refuse=problem)
    app = Starlette(
        routes=routes, lifespan=life, middleware=[transport], exception_handlers={HTTPException: _no_such_thing}
    )
    return app


async def _watch(producer: Producer, away: set[str]) -> None:
    """Keep ``away`` telling whether Kafka answers."""
    while True:
        if await producer.reachable():
            away.discard("kafka")
        else:
            away.add("kafka")
        await asyncio.sleep(1.0)


async def _destroy_keys(pseudonyms: keys.PseudonymKeys) -> None:
    """Destroy the keys of days when they are due, from the start on."""
    while True:
        try:
            destroyed = await asyncio.to_thread(pseudonyms.destroy_expired, time.time())
        except OSError as error:
            log.warning("keys of a day not destroyed", error=str(error))
        else:
            if destroyed:
                log.info("keys of a day destroyed", keys=destroyed)
        await asyncio.sleep(keys.SWEEP_S)


def serve(settings: Settings) -> None:
    """Run the gateway until it is told to stop."""
    listeners.ensure_allowed(settings, "gateway")
    logs.configure("gateway")
    config = uvicorn.Config(
        application(settings),
        **listeners.options(settings),
        port=settings.gateway_port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    uvicorn.Server(config).run()
