"""The HTTP door: ``POST /v1/events``.

Takes CloudEvents in JSON, structured or batch (``application/cloudevents+json``, ``…-batch+json``).
202 only after Kafka has all of them on all replicas; 503 with ``Retry-After`` when it did not say so; 4xx with code and
path, and nothing produced, for what can never succeed.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from streams.adapters import keys, logs, metrics, probes
from streams.adapters.producer import Producer
from streams.adapters.site_topic import SiteTopic
from streams.config import LOOPBACK, Settings
from streams.errors import RejectedEvent, Unavailable
from streams.gateway import auth, cloudevents
from streams.gateway.accept import Door, RefusedBatch, accept
from streams.gateway.problems import problem

log = structlog.get_logger(__name__)

BODY_BYTES = 1024 * 1024
BATCH_EVENTS = 10_000
_AT_ONCE = 250
_BATCH = {"application/cloudevents+json": False, "application/cloudevents-batch+json": True}
_RETRY_AFTER_S = "2"


async def _body(request: Request) -> bytes:
    """The request's body, never more than allowed in memory."""
    too_large = RejectedEvent("too-large", f"a body may hold {BODY_BYTES} bytes; send smaller batches", status=413)
    if int(request.headers.get("content-length") or 0) > BODY_BYTES:
        raise too_large
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > BODY_BYTES:
            raise too_large
        pieces.append(piece)
    return b"".join(pieces)


def _is_batch(content_type: str | None) -> bool:
    media = (content_type or "").partition(";")[0].strip().lower()
    if media not in _BATCH:
        raise RejectedEvent("unknown-media-type", f"send one of {', '.join(_BATCH)}", status=415)
    return _BATCH[media]


async def _parsed(body: bytes, *, batch: bool) -> list[cloudevents.Event | RejectedEvent]:
    raws = cloudevents.split(body, batch=batch)
    if len(raws) > BATCH_EVENTS:
        raise RejectedEvent("too-many", f"{len(raws)} events; a batch holds {BATCH_EVENTS} at most", status=413)
    events: list[cloudevents.Event | RejectedEvent] = []
    for number, raw in enumerate(raws):
        if number % _AT_ONCE == _AT_ONCE - 1:
            await asyncio.sleep(0)  # other devices wait at the door
        try:
            events.append(cloudevents.parse(raw))
        except RejectedEvent as fault:
            events.append(fault)
    return events


async def post_events(request: Request) -> Response:
    """Take one event or a batch; see the module."""
    started = time.perf_counter()
    state = request.app.state
    try:
        auth.check(request.headers.get("authorization"), state.dev_key)
        batch = _is_batch(request.headers.get("content-type"))
        body = await _body(request)
        if not state.sites.sites:  # not read yet, or nobody has applied any: the device must keep its event
            raise Unavailable("kafka", "no site is known yet")
        received_ms = time.time_ns() // 1_000_000
        ids = await accept(await _parsed(body, batch=batch), state.door, received_ms)
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
        app.state.door = Door(app.state.sites.sites, pseudonyms, producer, version("data-musee"))
        await app.state.sites.start()
        watching = asyncio.create_task(_watch(producer, away))
        yield
        watching.cancel()
        await app.state.sites.stop()
        await producer.stop()

    routes = [Route("/v1/events", post_events, methods=["POST"]), *probes.routes(missing)]
    app = Starlette(routes=routes, lifespan=life)
    return app


async def _watch(producer: Producer, away: set[str]) -> None:
    """Keep ``away`` telling whether Kafka answers."""
    while True:
        if await producer.reachable():
            away.discard("kafka")
        else:
            away.add("kafka")
        await asyncio.sleep(1.0)


def serve(settings: Settings) -> None:
    """Run the gateway until it is told to stop."""
    logs.configure("gateway")
    config = uvicorn.Config(
        application(settings),
        host=LOOPBACK,
        port=settings.gateway_port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    uvicorn.Server(config).run()
