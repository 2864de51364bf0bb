"""Open streams over real sockets: how many a browser may have, and what becomes of one that nobody reads."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

import httpx2
import pytest
import uvicorn
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from streams.console import streams
from streams.console.streams import AT_ALL, COOKIE, PER_BROWSER, BrowserCookie, Places, Protocol, Streams
from streams.console.telling import Telling
from tests.beds import Part, wait_for
from tests.console.conftest import Crowd
from tests.console.live import LiveStack
from tests.console.test_telling import Museums

MANY = 200
WIDE = "x" * 200_000  # a site with so long a note fills a socket quickly


class Wide(Museums):
    """Its documents are large."""

    def document(self, site_id: str) -> dict[str, object]:
        return {**super().document(site_id), "note": WIDE}


class Served:
    """A feed of some museums on a port of its own, told ten times a second."""

    def __init__(self, source: Museums, places: Places | None, http: type[asyncio.Protocol] | str) -> None:
        self.telling = Telling(source)

        async def page(_: Request) -> Response:
            return HTMLResponse("<p>here</p>")

        def unknown(site_id: str) -> Response:
            return JSONResponse({"site": site_id}, 404)

        feed = Streams(self.telling.subscribe, "build", unknown, places)
        routes = [Route("/", page), Route("/v1/now", lambda _: JSONResponse({})), Route("/v1/feed", feed.feed)]
        application = Starlette(routes=routes, middleware=[Middleware(BrowserCookie)])
        config = uvicorn.Config(application, port=0, log_config=None, http=http, lifespan="off")
        self.server = uvicorn.Server(config)

    async def tell(self) -> None:
        while True:
            self.telling.tell(["orsay"], asyncio.get_running_loop().time())
            await asyncio.sleep(0.1)

    @property
    def connections(self) -> int:
        return len(self.server.server_state.connections)

    @property
    def port(self) -> int:
        port: int = self.server.servers[0].sockets[0].getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def served(
    source: Museums | None = None, *, places: Places | None = None, http: type[asyncio.Protocol] | str = Protocol
) -> AsyncIterator[Served]:
    one = Served(source or Museums(), places, http)
    one.server.config.load()
    one.server.lifespan = one.server.config.lifespan_class(one.server.config)
    await one.server.startup()
    telling = asyncio.create_task(one.tell())
    try:
        yield one
    finally:
        telling.cancel()
        one.telling.stop()
        for connection in list(one.server.server_state.connections):
            connection.transport.abort()
        await one.server.shutdown()


@contextlib.asynccontextmanager
async def browser(one: Served, token: str | None = None) -> AsyncIterator[httpx2.AsyncClient]:
    limits = httpx2.Limits(max_connections=None)
    cookies = {COOKIE: token} if token else None
    async with httpx2.AsyncClient(
        base_url=f"http://127.0.0.1:{one.port}", cookies=cookies, limits=limits, trust_env=False, timeout=10
    ) as client:
        yield client


async def opened(stack: contextlib.AsyncExitStack, client: httpx2.AsyncClient, count: int) -> list[httpx2.Response]:
    return [await stack.enter_async_context(client.stream("GET", "/v1/feed")) for _ in range(count)]


async def until(claim: Callable[[], bool], within_s: float = 5.0) -> None:
    await asyncio.to_thread(wait_for, claim, within_s=within_s)


async def first_event(answer: httpx2.Response) -> str:
    async for line in answer.aiter_lines():
        if line.startswith("event: ") and line != "event: hello":
            return line.removeprefix("event: ")
    raise AssertionError("the stream ended")


async def test_two_hundred_streams_of_one_browser_are_limited_and_another_still_gets_in() -> None:
    async with (
        served() as one,
        browser(one, "a" * 22) as greedy,
        browser(one, "b" * 22) as other,
        contextlib.AsyncExitStack() as stack,
    ):
        answers = await opened(stack, greedy, MANY)
        (calm,) = await opened(stack, other, 1)
        refused = answers[PER_BROWSER:]
        problem = json.loads(await refused[0].aread())

        assert [answer.status_code for answer in answers] == [200] * PER_BROWSER + [429] * (MANY - PER_BROWSER)
        assert one.telling.subscribers <= PER_BROWSER + 1
        assert calm.status_code == 200
        assert await first_event(calm) == "snapshot"
        assert await first_event(answers[0]) == "snapshot"
        assert refused[0].headers["content-type"] == "application/problem+json"
        assert int(refused[0].headers["retry-after"]) == problem["retry_after_s"] > 0
        assert (problem["scope"], problem["limit"]) == ("browser", PER_BROWSER)
        assert str(PER_BROWSER) in problem["detail"]


async def test_a_stream_that_is_closed_leaves_its_place() -> None:
    async with served() as one, browser(one, "a" * 22) as client:
        async with contextlib.AsyncExitStack() as stack:
            await opened(stack, client, PER_BROWSER)
            await until(lambda: one.telling.subscribers == PER_BROWSER)
        await until(lambda: one.telling.subscribers == 0)

        async with contextlib.AsyncExitStack() as stack:
            answers = await opened(stack, client, PER_BROWSER)

            assert {answer.status_code for answer in answers} == {200}


async def test_all_browsers_together_are_limited_too() -> None:
    async with (
        served(places=Places(per_browser=2, at_all=3)) as one,
        browser(one, "a" * 22) as first,
        browser(one, "b" * 22) as second,
        contextlib.AsyncExitStack() as stack,
    ):
        answers = await opened(stack, first, 2) + await opened(stack, second, 2)
        problem = json.loads(await answers[3].aread())

        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert (problem["scope"], problem["limit"]) == ("console", 3)
        assert AT_ALL > 3


@pytest.mark.parametrize("token", [None, "short", "a" * 21 + "é", "a" * 2000])
async def test_who_sends_no_cookie_of_ours_counts_by_address(token: str | None) -> None:
    async with served(places=Places(per_browser=1)) as one, contextlib.AsyncExitStack() as stack:
        headers = [(b"cookie", f"{COOKIE}={token}".encode())] if token else []
        client = httpx2.AsyncClient(base_url=f"http://127.0.0.1:{one.port}", trust_env=False, headers=headers)
        await stack.enter_async_context(client)

        first, second = await opened(stack, client, 2)

        assert (first.status_code, second.status_code) == (200, 429)


async def test_a_page_brings_the_cookie_once_and_the_api_never() -> None:
    async with served() as one, browser(one) as client:
        page = await client.get("/")
        again, data = await client.get("/"), await client.get("/v1/now")
        said = page.headers["set-cookie"]

        assert said.startswith(f"{COOKIE}=")
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in said.split(";")}
        assert "set-cookie" not in again.headers
        assert "set-cookie" not in data.headers


async def test_a_reconnect_resumes_by_header_or_query_and_the_header_is_newer() -> None:
    async with served() as one, browser(one, "a" * 22) as client:
        async with client.stream("GET", "/v1/feed") as answer:
            name = await anext(line async for line in answer.aiter_lines() if line.startswith("id: "))
        last_id = name.removeprefix("id: ")
        asked = [
            ({"last-event-id": last_id}, {}),
            ({}, {"last_id": last_id}),
            ({"last-event-id": last_id}, {"last_id": "x"}),
            ({"last-event-id": "x"}, {"last_id": last_id}),
            ({}, {}),
        ]
        began = []
        for headers, query in asked:
            async with client.stream("GET", "/v1/feed", headers=headers, params=query) as answer:
                began.append(await first_event(answer))

        assert began == ["delta", "delta", "delta", "snapshot", "snapshot"]


@pytest.mark.parametrize(("http", "cut"), [(Protocol, True), ("auto", False)])
async def test_a_browser_that_takes_nothing_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, http: type[asyncio.Protocol] | str, *, cut: bool
) -> None:
    monkeypatch.setattr(streams, "_STUCK_S", 0.5)
    async with served(Wide(), http=http) as one:
        _, writer = await asyncio.open_connection("127.0.0.1", one.port, limit=1024)
        writer.write(b"GET /v1/feed HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: one.telling.subscribers == 1)
        await until(lambda: one.telling.subscribers == 0, within_s=15)
        await asyncio.sleep(0.1)
        left = one.connections
        writer.transport.abort()

        assert left == (0 if cut else 1)  # uvicorn alone waits for its buffer to empty, and keeps it


async def test_a_guard_left_by_an_earlier_layer_ends_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.console.telling._GUARD_S", 0.0)
    rights = {"valid": True}

    async def guard() -> bool:
        return rights["valid"]

    one = Telling(Museums())
    feed = Streams(one.subscribe, "build", lambda _: Response(status_code=404))
    scope = {"type": "http", "method": "GET", "query_string": b"", "headers": [], "state": {"stream_guard": guard}}
    answer = await feed.feed(Request(scope))
    assert isinstance(answer, EventSourceResponse)
    chunks = aiter(answer.body_iterator)
    said = [str(await anext(chunks)), str(await anext(chunks))]
    rights["valid"] = False
    one.tell(["orsay"], 1.0)

    with pytest.raises(StopAsyncIteration):
        await anext(chunks)
    assert "event: hello" in said[0]
    assert "event: snapshot" in said[1]


# -- on the running world --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Heard:
    """A message as a browser gets it."""

    event: str
    id: str
    data: dict[str, Any]
    at_s: float

    def sites(self) -> dict[str, dict[str, Any]]:
        """By id, without what follows from the message's head."""
        return {
            site["site_id"]: {name: said for name, said in site.items() if name not in ("state", "confirmed_ms")}
            for site in self.data["sites"]
        }


async def listen(api: httpx2.AsyncClient, count: int, **query: str) -> list[Heard]:
    """The first messages after ``hello``."""
    heard: list[Heard] = []
    async with api.stream("GET", "/v1/feed", params=query) as answer:
        fields: dict[str, str] = {}
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            if line:
                fields[name] = value
            elif "id" in fields:
                heard.append(Heard(fields["event"], fields["id"], json.loads(fields["data"]), time.monotonic()))
            if len(heard) == count:
                return heard
    raise AssertionError("the stream ended")


async def test_what_a_resumed_browser_knows_is_what_a_new_one_is_told(
    api: httpx2.AsyncClient, crowd: Crowd, live_stack: LiveStack
) -> None:
    (before,) = await listen(api, 1)
    crowd.fill(crowd.sites[5])
    wait_for(lambda: crowd.world.now(crowd.sites[5])["entries"] >= 500, what="people coming in")

    for _ in range(20):  # the demo goes on: until nothing changed between the two
        (missed,) = await listen(api, 1, last_id=before.id)
        (new,) = await listen(api, 1)
        if missed.id == new.id:
            break

    assert (missed.event, new.event) == ("delta", "snapshot")
    assert crowd.sites[5] in missed.sites()
    assert len(missed.sites()) < len(new.sites())
    assert before.sites() | missed.sites() == new.sites()
    assert before.sites() != new.sites()  # the control: without what was missed they differ


async def test_the_feed_of_one_site_tells_nothing_else_and_speaks_every_second(
    api: httpx2.AsyncClient, demo: Part
) -> None:
    heard = await listen(api, 6, site="demo")

    assert [one.event for one in heard] == ["snapshot"] + ["delta"] * 5
    assert list(heard[0].sites()) == ["demo"]
    assert all(one.sites().keys() <= {"demo"} for one in heard)
    assert median(later.at_s - sooner.at_s for sooner, later in pairwise(heard)) < 2.0  # one may be held up


@pytest.mark.parametrize("site_id", ["nope", "", "<script>", "\u202edemo", "x" * 2000])
async def test_the_feed_of_an_unknown_site_is_a_problem(api: httpx2.AsyncClient, site_id: str) -> None:
    answer = await api.get("/v1/feed", params={"site": site_id})

    assert answer.status_code == 404
    assert answer.json()["code"] == "unknown-site"
