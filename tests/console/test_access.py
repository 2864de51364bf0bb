"""Who may open what: the middleware in front of a few routes, the way server.py puts it there."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from streams.adapters.displays import Displays
from streams.adapters.transport import Transport
from streams.config import Settings
from streams.console import forms
from streams.console.access import SIGN_IN, SIGN_OUT, AccessControl, require_operator
from streams.console.attempts import Attempts
from streams.console.guard import Guard, Refused
from streams.console.sessions import LIFE_S, Sessions

OPERATOR, VIEWER = "operator-token-of-the-tests", "viewer-token-of-the-tests"
HERE, ELSEWHERE = "https://musee.example", "https://evil.example"
TOKENS = {"operator_token": OPERATOR, "viewer_token": VIEWER}
OUTSIDE = {"bind": "0.0.0.0", "tls_cert": "not-read-here.pem", **TOKENS}


def problem(status: int, code: str, detail: str) -> Response:
    return JSONResponse({"status": status, "code": code, "detail": detail}, status)


def sign_in_page(_: Request, status: int, said: str) -> Response:
    return HTMLResponse(f"<form>{said}</form>", status)


class House:
    """A console of a few routes, and what it was asked to do."""

    def __init__(self, home: Path, **changes: object) -> None:
        self.settings = Settings.model_validate({"home": home, **changes})
        self.guard = Guard(self.settings)
        self.displays = Displays(home)
        self.acknowledged = 0
        self.streams = 0
        routes = [
            *(Route(path, self.look) for path in ("/", "/alerts", "/wall/{site}", "/static/x/page.css", "/health")),
            *(Route(path, self.look) for path in ("/v1/now", "/v1/day", "/v1/alerts", "/metrics")),
            Route("/v1/feed", self.feed),
            Route("/v1/alerts/ack", self.acknowledge, methods=["POST"]),
            Route("/subjects/{one}", self.look, methods=["GET", "POST"]),
            Route(SIGN_IN, self.sign_in, methods=["GET", "POST"]),
            Route(SIGN_OUT, self.sign_out, methods=["POST"]),
        ]
        self.app = Starlette(
            routes=routes,
            middleware=[
                Middleware(Transport, settings=self.settings, refuse=problem),
                Middleware(AccessControl, guard=self.guard, problem=problem, page=sign_in_page),
            ],
            exception_handlers={HTTPException: lambda _, error: problem(error.status_code, "refused", error.detail)},
        )

    async def look(self, request: Request) -> Response:
        access = request.state.access
        return JSONResponse({"role": access.role, "csrf": access.csrf, "site": access.site})

    async def acknowledge(self, request: Request) -> Response:
        require_operator(request)
        form = await forms.fields(request)
        self.acknowledged += 1
        return JSONResponse({"who": form.get("who")}, 202)

    async def feed(self, _: Request) -> Response:
        async def beats() -> AsyncIterator[bytes]:
            self.streams += 1
            try:
                while True:
                    yield b"data: 1\n\n"
                    await asyncio.sleep(0.1)
            finally:
                self.streams -= 1

        return StreamingResponse(beats(), media_type="text/event-stream")

    async def sign_in(self, request: Request) -> Response:
        if request.method == "GET":
            return sign_in_page(request, 200, "")
        response = Response(status_code=303, headers={"Location": "/"})
        try:
            self.guard.sign_in(request, (await forms.fields(request)).get("token", ""), response)
        except Refused as refused:
            return problem(refused.status, refused.code, refused.detail)
        return response

    async def sign_out(self, request: Request) -> Response:
        response = Response(status_code=303, headers={"Location": SIGN_IN})
        self.guard.sign_out(request, response)
        return response

    def browser(self, base: str = HERE, address: str = "203.0.113.7", **headers: str) -> httpx2.AsyncClient:
        """A client with cookies, from elsewhere."""
        transport = httpx2.ASGITransport(app=self.app, client=(address, 4711))
        return httpx2.AsyncClient(transport=transport, base_url=base, headers=headers, follow_redirects=False)

    @asynccontextmanager
    async def signed_in(self, token: str) -> AsyncIterator[httpx2.AsyncClient]:
        """A browser that came in by a token."""
        async with self.browser(Origin=HERE, **{"Sec-Fetch-Site": "same-origin"}) as browser:
            answer = await browser.post(SIGN_IN, data={"token": token})
            assert answer.status_code == 303, answer.text
            yield browser

    @asynccontextmanager
    async def stream(self, cookies: Mapping[str, str], query: bytes) -> AsyncIterator["Stream"]:
        """The feed, read piece by piece: an in-process client of the library would wait for its end."""
        stream = Stream()
        cookie = "; ".join(f"{name}={value}" for name, value in cookies.items()).encode()
        scope: dict[str, Any] = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": "GET",
            "scheme": "https", "path": "/v1/feed", "raw_path": b"/v1/feed", "query_string": query, "root_path": "",
            "headers": [(b"host", b"musee.example"), (b"cookie", cookie)],
            "client": ("203.0.113.7", 4711), "server": ("192.0.2.1", 8080),
        }  # fmt: skip
        task = asyncio.create_task(self.app(scope, stream.receive, stream.send))
        try:
            async with asyncio.timeout(5):
                await stream.begun.wait()
            yield stream
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class Stream:
    """The browser's side of a feed."""

    def __init__(self) -> None:
        self.status = 0
        self.begun, self.ended = asyncio.Event(), asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.begun.set()
            if not message.get("more_body"):
                self.ended.set()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, **OUTSIDE)


@pytest.fixture
def open_house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_without_a_cookie_pages_lead_to_the_login_and_the_api_says_401(house: House) -> None:
    async with house.browser() as browser:
        pages = [await browser.get(path) for path in ("/", "/alerts?x=1")]
        refused = [await browser.get(path) for path in ("/v1/now", "/v1/feed", "/metrics", "/subjects/x")]

    assert [one.headers["location"] for one in pages] == ["/login", "/login?next=%2Falerts%3Fx%3D1"]
    assert {one.status_code for one in pages} == {303}
    assert {(one.status_code, one.json()["code"]) for one in refused} == {(401, "not-signed-in")}
    assert house.streams == 0


async def test_login_files_and_probes_are_open(house: House) -> None:
    async with house.browser() as browser:
        assert {(await browser.get(path)).status_code for path in (SIGN_IN, "/static/x/page.css", "/health")} == {200}


async def test_a_token_opens_a_session_by_a_cookie_that_only_our_pages_send(house: House) -> None:
    async with house.browser() as browser:
        answer = await browser.post(SIGN_IN, data={"token": VIEWER})
        seen = (await browser.get("/")).json()

    (cookie,) = answer.headers.get_list("set-cookie")
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"secure", "httponly", "samesite=strict", "path=/", f"max-age={LIFE_S}"} <= attributes
    assert cookie.startswith("__Host-musee_session=viewer.")
    assert VIEWER not in cookie
    assert seen["role"] == "viewer"


@pytest.mark.parametrize(("token", "role"), [(OPERATOR, "operator"), (VIEWER, "viewer")])
async def test_a_program_sends_its_token_as_a_bearer(house: House, token: str, role: str) -> None:
    async with house.browser(Authorization=f"Bearer {token}") as program:
        assert (await program.get("/v1/now")).json()["role"] == role
        assert (await program.get("/metrics")).status_code == 200


@pytest.mark.parametrize("header", ["Bearer nonsense", "Bearer ", f"Basic {OPERATOR}", OPERATOR, f"Bearer {OPERATOR}x"])
async def test_another_header_opens_nothing(house: House, header: str) -> None:
    async with house.browser(Authorization=header) as program:
        answer = await program.get("/v1/now")

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


async def test_a_viewer_cannot_write_and_an_operator_can(house: House) -> None:
    for token, expected in ((VIEWER, 403), (OPERATOR, 202)):
        async with house.signed_in(token) as browser:
            csrf = (await browser.get("/")).json()["csrf"]
            by_field = await browser.post("/v1/alerts/ack", data={"csrf": csrf, "who": "duty desk"})
            by_header = await browser.post("/v1/alerts/ack", headers={"X-CSRF-Token": csrf}, json={})
        assert [by_field.status_code, by_header.status_code] == [expected, expected], token

    assert by_field.json()["who"] == "duty desk"
    assert house.acknowledged == 2


@pytest.mark.parametrize(("token", "status"), [(VIEWER, 403), (OPERATOR, 405)])
async def test_a_viewer_writes_nowhere_also_where_a_handler_forgot_to_ask(
    house: House, token: str, status: int
) -> None:
    async with house.browser(Authorization=f"Bearer {token}") as program:
        answers = [await program.request(method, "/v1/now") for method in ("POST", "PUT", "PATCH", "DELETE")]

    assert {one.status_code for one in answers} == {status}


async def test_a_viewer_may_ask_the_schema_registry_by_post(house: House) -> None:
    async with house.browser(Authorization=f"Bearer {VIEWER}") as program:
        assert (await program.post("/subjects/x", json={})).status_code == 200


async def test_a_write_needs_the_csrf_token_of_its_own_session(house: House) -> None:
    async with house.signed_in(OPERATOR) as browser, house.signed_in(OPERATOR) as other:
        theirs = (await other.get("/")).json()["csrf"]
        answers = [
            await browser.post("/v1/alerts/ack", data={"who": "x"}),
            await browser.post("/v1/alerts/ack", data={"csrf": "", "who": "x"}),
            await browser.post("/v1/alerts/ack", data={"csrf": theirs, "who": "x"}),
            await browser.post("/v1/alerts/ack", headers={b"X-CSRF-Token": "é".encode()}, json={}),
            await browser.post(SIGN_OUT),
        ]

    assert {(one.status_code, one.json()["code"]) for one in answers} == {(403, "csrf")}
    assert house.acknowledged == 0


async def test_a_form_that_is_too_large_is_not_read(house: House) -> None:
    async with house.signed_in(OPERATOR) as browser:
        assert (await browser.post("/v1/alerts/ack", data={"who": "x" * 70_000})).status_code == 413


FOREIGN: list[dict[str, str]] = [
    {"Origin": ELSEWHERE},
    {"Origin": "null"},
    {"Origin": "https://musee.example:8443"},
    {"Origin": "http://musee.example"},
    {"Origin": "https://musee.example.evil.example"},
    {"Origin": "https://[", "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
]


@pytest.mark.parametrize("headers", FOREIGN)
async def test_a_foreign_page_gets_neither_a_write_nor_the_feed_whatever_it_knows(
    house: House, headers: dict[str, str]
) -> None:
    async with house.signed_in(OPERATOR) as browser:
        csrf = (await browser.get("/")).json()["csrf"]
        del browser.headers["Origin"], browser.headers["Sec-Fetch-Site"]
        write = await browser.post("/v1/alerts/ack", data={"csrf": csrf}, headers=headers)
        async with asyncio.timeout(5):  # a feed that is let in has no end
            feed = await browser.get("/v1/feed", headers={"Accept": "text/event-stream", **headers})
        as_program = await browser.get("/v1/now", headers={"Authorization": f"Bearer {OPERATOR}", **headers})

    assert [one.status_code for one in (write, feed, as_program)] == [403, 403, 403]
    assert {one.json()["code"] for one in (write, feed, as_program)} == {"cross-origin"}
    assert (house.acknowledged, house.streams) == (0, 0)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": HERE},
        {"Origin": f"{HERE}:443"},
        {"Origin": "null", "Sec-Fetch-Site": "same-origin"},  # a form of a page that sends no referrer
        {"Sec-Fetch-Site": "none"},
    ],
)
async def test_our_own_page_is_no_foreign_one(house: House, headers: dict[str, str]) -> None:
    async with house.signed_in(OPERATOR) as browser:
        csrf = (await browser.get("/")).json()["csrf"]
        del browser.headers["Origin"], browser.headers["Sec-Fetch-Site"]

        assert (await browser.post("/v1/alerts/ack", data={"csrf": csrf}, headers=headers)).status_code == 202


async def test_a_link_from_elsewhere_opens_the_page_once_our_own_page_asks_for_it(house: House) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    async with house.browser() as browser:
        answer = await browser.get("/alerts?x=a;b", headers=link)

    assert (answer.status_code, answer.headers["refresh"]) == (200, "0;url=/alerts?x=a%3Bb")


async def test_signing_out_ends_the_session_and_its_stream(house: House) -> None:
    async with house.signed_in(VIEWER) as browser:
        kept = dict(browser.cookies)
        csrf = (await browser.get("/")).json()["csrf"]
        async with house.stream(kept, b"") as stream:
            answer = await browser.post(SIGN_OUT, data={"csrf": csrf})
            async with asyncio.timeout(5):
                await stream.ended.wait()
    async with house.browser() as thief:
        thief.cookies.update(kept)
        after = await thief.get("/v1/now")

    assert answer.status_code == 303
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert after.status_code == 401
    assert house.streams == 0


def test_a_session_is_over_in_time_or_with_the_token_that_opened_it(tmp_path: Path) -> None:
    key = bytes(32)
    sessions = Sessions(Settings.model_validate({"home": tmp_path, **TOKENS}), key)
    changed = Sessions(Settings.model_validate({"home": tmp_path, **TOKENS, "viewer_token": "v" * 20}), key)
    cookie = sessions.begin("viewer", 1_000.0)

    assert sessions.read(cookie, 1_000.0 + LIFE_S - 1) is not None
    assert sessions.read(cookie, 1_000.0 + LIFE_S) is None
    assert changed.read(cookie, 1_001.0) is None
    assert changed.read(sessions.begin("operator", 1_000.0), 1_001.0) is not None


@pytest.mark.parametrize("number", range(4))
def test_no_part_of_a_session_can_be_made_up(tmp_path: Path, number: int) -> None:
    sessions = Sessions(Settings.model_validate({"home": tmp_path, **TOKENS}), bytes(32))
    parts = sessions.begin("viewer", 1_000.0).split(".")
    forged = [*parts[:number], ("operator", "1001", "another", "0" * 64)[number], *parts[number + 1 :]]

    assert sessions.read(".".join(parts), 1_001.0) is not None
    assert sessions.read(".".join(forged), 1_001.0) is None
    assert sessions.read(".".join(parts[:number]), 1_001.0) is None


async def test_ten_wrong_tokens_a_minute_are_looked_at_from_one_address(house: House) -> None:
    async with house.browser() as browser, house.browser(address="203.0.113.8") as neighbour:
        wrong = [(await browser.post(SIGN_IN, data={"token": f"guess {one}"})).status_code for one in range(12)]
        right = await browser.post(SIGN_IN, data={"token": VIEWER})
        others = await neighbour.post(SIGN_IN, data={"token": VIEWER})

    assert wrong == [401] * 10 + [429] * 2
    assert right.status_code == 429
    assert others.status_code == 303


def test_an_address_of_ipv6_counts_by_its_network() -> None:
    attempts = Attempts(most=2, window_s=10.0)
    attempts.fail("2001:db8::1", 0.0)
    attempts.fail("2001:db8::ffff", 1.0)

    assert attempts.wait_s("2001:db8::2", 2.0) == 8.0
    assert attempts.wait_s("2001:db8:0:1::2", 2.0) == 0.0
    assert attempts.wait_s("2001:db8::2", 10.0) == 0.0


# -- walls -----------------------------------------------------------------------------------------------------------


async def test_a_wall_link_sets_the_cookie_of_its_wall_and_hides_the_token(house: House) -> None:
    _, token = house.displays.add("louvre")
    async with house.browser() as screen:
        link = await screen.get("/wall/louvre", params={"token": token})
        wall = await screen.get(link.headers["location"])

    (cookie,) = link.headers.get_list("set-cookie")
    assert (link.status_code, link.headers["location"]) == (303, "/wall/louvre")
    assert {"secure", "httponly", "samesite=strict"} <= {part.strip().lower() for part in cookie.split(";")[1:]}
    assert wall.json() == {"role": "display", "csrf": "", "site": "louvre"}
    assert "__Host-musee_wall=" in wall.headers["set-cookie"]  # good for as long again


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/wall/louvre", 200),
        ("/v1/now?site=louvre", 200),
        ("/v1/day?site=louvre", 200),
        ("/static/x/page.css", 200),
        ("/", 403),
        ("/alerts", 403),
        ("/wall/orsay", 403),
        ("/wall/louvre/", 403),
        ("/v1/now", 403),
        ("/v1/now?site=orsay", 403),
        ("/v1/now?site=louvre&site=orsay", 403),
        ("/v1/now?site=louvre&site=", 403),
        ("/v1/feed", 403),
        ("/v1/feed?site=orsay", 403),
        ("/v1/alerts?site=louvre", 403),
        ("/metrics", 403),
        ("/subjects/x", 403),
    ],
)
async def test_a_screen_opens_its_own_site_and_nothing_else(house: House, path: str, status: int) -> None:
    _, token = house.displays.add("louvre")
    async with house.browser() as screen:
        await screen.get("/wall/louvre", params={"token": token})

        assert (await screen.get(path)).status_code == status


async def test_a_screen_writes_nothing_and_signs_in_as_nobody(house: House) -> None:
    _, token = house.displays.add("louvre")
    async with house.browser(Origin=HERE) as screen:
        await screen.get("/wall/louvre", params={"token": token})
        writes = [await screen.post(path, data={"csrf": ""}) for path in ("/v1/alerts/ack", "/wall/louvre")]
        login = await screen.post(SIGN_IN, data={"token": token})

    assert {one.status_code for one in writes} == {403}
    assert login.status_code == 401
    assert house.acknowledged == 0


async def test_a_link_of_another_site_or_made_up_opens_no_wall(house: House) -> None:
    _, token = house.displays.add("louvre")
    async with house.browser() as screen:
        answers = [
            await screen.get(f"/wall/{site}", params={"token": told})
            for site, told in (("orsay", token), ("louvre", token[:-1]), ("louvre", ""), ("louvre", VIEWER))
        ]

    assert {one.status_code for one in answers} == {403}
    assert not any("set-cookie" in one.headers for one in answers)


async def test_a_revoked_screen_loses_its_stream_within_five_seconds(house: House) -> None:
    kept, token = house.displays.add("louvre")
    gone, other = house.displays.add("louvre")
    async with (
        house.stream({"__Host-musee_wall": token}, b"site=louvre") as stays,
        house.stream({"__Host-musee_wall": other}, b"site=louvre") as ends,
    ):
        began_s = time.monotonic()
        house.displays.revoke(gone.display_id)
        async with asyncio.timeout(5):
            await ends.ended.wait()
        took_s = time.monotonic() - began_s
        assert not stays.ended.is_set()  # the control: only the revoked one
    async with house.browser() as screen:
        screen.cookies.set("__Host-musee_wall", other)
        after = await screen.get("/v1/feed?site=louvre")

    print(f"\nstream closed {took_s:.2f} s after its display was revoked")
    assert stays.status == ends.status == 200
    assert after.status_code == 401
    assert house.displays.get(kept.display_id) is not None
    assert house.streams == 0


def test_displays_are_kept_by_their_hash_for_their_owner_only(tmp_path: Path) -> None:
    displays, reader = Displays(tmp_path), Displays(tmp_path)
    made, token = displays.add("louvre", "north hall")
    file = tmp_path / "displays.json"

    assert token not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert reader.of(token) == made
    displays.revoke(made.display_id)
    assert reader.of(token) is None


def test_a_file_of_displays_that_is_broken_lets_no_wall_in(tmp_path: Path) -> None:
    displays = Displays(tmp_path)
    _, token = displays.add("louvre")
    (tmp_path / "displays.json").write_text('[{"display_id": 1}]')

    assert displays.of(token) is None


# -- loopback --------------------------------------------------------------------------------------------------------

LOCAL = "http://127.0.0.1:8080"


async def test_on_loopback_nobody_signs_in_and_everybody_is_an_operator(open_house: House) -> None:
    async with open_house.browser(LOCAL, address="127.0.0.1") as browser:
        assert (await browser.get("/")).json()["role"] == "operator"
        assert (await browser.post("/v1/alerts/ack")).status_code == 202  # curl: no cookie, no origin


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "[::1]:8080", "127.9.9.9:1", "LOCALHOST"])
async def test_on_loopback_the_names_of_this_machine_are_taken(open_house: House, host: str) -> None:
    async with open_house.browser(LOCAL, Host=host) as browser:
        assert (await browser.get("/")).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "192.168.1.5:8080", "a@127.0.0.1", "[", ""]
)
async def test_on_loopback_a_foreign_name_is_refused(open_house: House, host: str) -> None:
    async with open_house.browser(LOCAL, Host=host) as browser:
        answers = [await browser.get(path) for path in ("/", "/v1/now", "/health")]
        answers.append(await browser.post("/v1/alerts/ack"))

    assert {(one.status_code, one.json()["code"]) for one in answers} == {(403, "foreign-host")}
    assert open_house.acknowledged == 0


@pytest.mark.parametrize(
    "headers", [{"Origin": ELSEWHERE}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": LOCAL}]
)
async def test_on_loopback_a_foreign_page_writes_nothing_and_ours_needs_the_csrf_token(
    open_house: House, headers: dict[str, str]
) -> None:
    async with open_house.browser(LOCAL) as browser:
        csrf = (await browser.get("/")).json()["csrf"]
        without = await browser.post("/v1/alerts/ack", headers=headers)
        with_it = await browser.post("/v1/alerts/ack", headers=headers, data={"csrf": csrf})

    assert without.status_code == 403
    assert with_it.status_code == (202 if headers.get("Origin") == LOCAL else 403)


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "X-Real-IP"])
async def test_on_loopback_a_proxy_that_nobody_named_is_refused(open_house: House, header: str) -> None:
    async with open_house.browser(LOCAL, **{header: "203.0.113.7"}) as browser:
        answer = await browser.get("/")

    assert (answer.status_code, answer.json()["code"]) == (403, "unknown-proxy")


async def test_with_tokens_loopback_asks_for_them_too(tmp_path: Path) -> None:
    async with House(tmp_path, **TOKENS).browser(LOCAL) as browser:
        assert (await browser.get("/v1/now")).status_code == 401


# -- proxies ---------------------------------------------------------------------------------------------------------

PROXY = {"bind": "0.0.0.0", "trusted_proxy": "10.0.0.5, 10.1.0.0/16", **TOKENS}


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("10.0.0.5", {"X-Forwarded-Proto": "https"}, 401),
        ("10.1.2.3", {"X-Forwarded-Proto": "http, https"}, 401),
        ("10.0.0.5", {"X-Forwarded-Proto": "https, http"}, 403),
        ("10.0.0.5", {"X-Forwarded-Proto": "http"}, 403),
        ("10.0.0.5", {}, 403),
        ("10.0.0.6", {"X-Forwarded-Proto": "https"}, 403),
        ("203.0.113.7", {"X-Forwarded-Proto": "https"}, 403),
        ("127.0.0.1", {}, 401),  # this machine itself
    ],
)
async def test_https_is_demanded_of_the_trusted_proxy_and_nobody_else_is_believed(
    tmp_path: Path, peer: str, headers: dict[str, str], status: int
) -> None:
    async with House(tmp_path, **PROXY).browser("http://musee.example", address=peer, **headers) as browser:
        assert (await browser.get("/v1/now")).status_code == status
        assert (await browser.get("/health")).status_code == 200


@pytest.mark.parametrize("host", ["[", "a b", "musee.example:x", "musee.example/..", "me@musee.example", ""])
async def test_a_host_that_is_no_name_is_refused_and_breaks_nothing(house: House, host: str) -> None:
    async with house.browser(Host=host) as browser:
        answer = await browser.get("/alerts")

    assert (answer.status_code, answer.json()["code"]) == (400, "bad-host")


async def test_behind_a_proxy_origin_and_address_are_those_of_the_browser(tmp_path: Path) -> None:
    house = House(tmp_path, **PROXY)
    said = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "musee.example", "Origin": HERE}
    async with house.browser("http://10.9.9.9:8080", address="10.0.0.5", **said) as proxied:
        for number in range(11):  # the left part of the list is what anybody may have made up
            told = {"X-Forwarded-For": f"198.51.100.{number}, 203.0.113.7, 10.1.0.9"}
            last = await proxied.post(SIGN_IN, data={"token": "guess"}, headers=told)
        neighbour = await proxied.post(
            SIGN_IN, data={"token": VIEWER}, headers={"X-Forwarded-For": "203.0.113.8, 10.1.0.9"}
        )

    assert last.status_code == 429
    assert neighbour.status_code == 303
    assert neighbour.headers["set-cookie"].startswith("__Host-musee_session=")
