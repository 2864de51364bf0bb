"""Fixtures of the console's tests; ``live_stack`` itself is the whole project's."""

from collections.abc import AsyncIterator

import httpx2
import pytest_asyncio

from tests.console.browser import Browser
from tests.console.live import LiveStack


@pytest_asyncio.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with await Browser.start() as started:
        yield started


@pytest_asyncio.fixture
async def api(live_stack: LiveStack) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=live_stack.console_url, trust_env=False, timeout=10) as client:
        yield client
