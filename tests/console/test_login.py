"""The sign-in page of the whole console, as a browser without scripts uses it. No store is asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
import uvicorn

from streams.adapters import listeners
from streams.adapters.probes import Unsignalled
from streams.config import Settings
from streams.console import server
from streams.console.feed import Feed
from tests.beds import free_port, wait_for
from tests.console.browser import Browser

OPERATOR, VIEWER = "operator-token-of-the-tests", "viewer-token-of-the-tests"
HERE = "https://musee.example"


@asynccontextmanager
async def console(home: Path, base: str = HERE, **changes: object) -> AsyncIterator[httpx2.AsyncClient]:
    settings = Settings.model_validate({"home": home, **changes})
    transport = httpx2.ASGITransport(app=server.application(settings, Feed(settings)))
    headers = {"Origin": base, "Sec-Fetch-Site": "same-origin"}
    async with httpx2.AsyncClient(transport=transport, base_url=base, headers=headers) as browser:
        yield browser


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with console(tmp_path, bind="0.0.0.0", operator_token=OPERATOR, viewer_token=VIEWER) as opened:
        yield opened


@asynccontextmanager
async def serving(home: Path, **changes: object) -> AsyncIterator[str]:
    """A console at an address of loopback, without its stores."""
    settings = Settings.model_validate({"home": home, "console_port": free_port(), **changes})
    app = server.application(settings, Feed(settings))
    config = uvicorn.Config(
        app, port=settings.console_port, lifespan="off", log_config=None, **listeners.options(settings)
    )
    listener = Unsignalled(config)
    task = asyncio.create_task(listener.serve())
    try:
        await asyncio.to_thread(wait_for, lambda: listener.started, what="the console")
        yield settings.console_url
    finally:
        listener.should_exit = listener.force_exit = True
        await task


@pytest_asyncio.fixture(scope="module")
async def browser_process() -> AsyncIterator[Browser]:
    async with await Browser.start() as started:
        yield started


@pytest.mark.parametrize(
    ("address", "leads"),
    [
        ("/alerts?site=a&lang=fr", "/alerts?site=a&lang=fr"),
        ("", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("/\r\nSet-Cookie: a=b", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
async def test_a_sign_in_leads_to_an_address_of_ours_alone(
    browser: httpx2.AsyncClient, address: str, leads: str
) -> None:
    shown = await browser.get("/login", params={"next": address})
    answer = await browser.post("/login", data={"token": f" {VIEWER}\n", "next": address})

    assert f'name="next" value="{leads.replace("&", "&amp;")}"' in shown.text
    assert (answer.status_code, answer.headers["location"]) == (303, leads)


@pytest.mark.parametrize(
    ("language", "said"), [("en", "This token opens nothing here."), ("fr", "Ce jeton ne donne accès à rien ici.")]
)
async def test_a_wrong_token_is_told_in_the_readers_language(
    browser: httpx2.AsyncClient, language: str, said: str
) -> None:
    answer = await browser.post("/login", data={"token": "guess"}, headers={"Accept-Language": language})

    assert answer.status_code == 401
    assert said in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert "guess" not in answer.text


async def test_too_many_wrong_tokens_are_told_how_long_to_wait(browser: httpx2.AsyncClient) -> None:
    for _ in range(11):
        answer = await browser.post("/login", data={"token": "guess"})

    assert answer.status_code == 429
    assert 50 <= int(answer.headers["retry-after"]) <= 61
    assert "Too many wrong tokens" in answer.text


async def test_who_is_signed_in_reads_so_and_gets_out_without_a_script(browser: httpx2.AsyncClient) -> None:
    await browser.post("/login", data={"token": VIEWER})
    inside = await browser.get("/")
    csrf = inside.text.split('name="csrf" value="')[1].split('"')[0]
    again = await browser.get("/login")
    out = await browser.post("/logout", data={"csrf": csrf})
    after = await browser.get("/")

    assert 'action="/logout"' in inside.text
    assert "You are signed in: you may look." in again.text
    assert (out.status_code, out.headers["location"]) == (303, "/login")
    assert (after.status_code, after.headers["location"]) == (303, "/login")


async def test_who_is_not_known_sees_no_figure_and_loads_no_script(browser: httpx2.AsyncClient) -> None:
    pages = [await browser.get(path) for path in ("/login", "/login?lang=xx", "/wall/louvre?token=x")]

    assert [one.status_code for one in pages] == [200, 303, 403]
    for one in pages:
        assert "<script" not in one.text
        assert "data-figure" not in one.text
        assert "http-equiv" not in one.text
        assert one.headers["content-security-policy"] == server.CSP
    assert "This address opens no wall any more" in pages[2].text


async def test_on_loopback_there_is_nothing_to_sign_in_to(tmp_path: Path) -> None:
    async with console(tmp_path, "http://127.0.0.1:8080") as browser:
        page = await browser.get("/")
        answers = [await browser.get("/login"), await browser.post("/login", data={"token": "x"})]

    assert page.status_code == 200
    assert 'action="/logout"' not in page.text
    assert [(one.status_code, one.headers["location"]) for one in answers] == [(303, "/")] * 2


@pytest.mark.system
@pytest.mark.parametrize("script", [True, False])
async def test_a_browser_signs_in_and_a_link_from_elsewhere_finds_it_signed_in(
    browser_process: Browser, tmp_path: Path, *, script: bool
) -> None:
    async with serving(tmp_path, viewer_token=VIEWER) as address, browser_process.page(script=script) as page:
        await page.open(f"{address}/quality?x=1")
        asked = await page.evaluate("location.pathname + location.search")
        await page.evaluate(f"document.querySelector('#token').value = '{VIEWER}'")
        await page.evaluate("document.querySelector('form[action=\"/login\"] button').click()")
        await page.until("location.pathname === '/quality'", within_s=10)
        # localhost is another site than 127.0.0.1, whatever the port: a mail, a wiki.
        await page.open(f"{address.replace('127.0.0.1', 'localhost')}/login")
        await page.evaluate(f"location.href = '{address}/'")
        await page.until("document.querySelector('form[action=\"/logout\"]') !== null", within_s=10)
        cookies = await page.evaluate("document.cookie")
        breaches = await page.breaches()

    assert asked == "/login?next=%2Fquality%3Fx%3D1"
    assert cookies == ""  # none that a script could read
    assert breaches == []
