"""What the console's tests know of the running stack, and two ways to trouble it."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Protocol
from urllib.parse import urlsplit


class LiveStack(Protocol):
    """What the fixture gives."""

    @property
    def console_url(self) -> str: ...
    @property
    def gateway_url(self) -> str: ...
    @property
    def agents_pid(self) -> int: ...


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Frozen, as by a machine that hangs: its connections stay open."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextlib.asynccontextmanager
async def line_to(url: str) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A line to ``url`` that passes bytes while the event is set, and holds them, unclosed, while it is not."""
    whole = asyncio.Event()
    whole.set()
    carriers: set[asyncio.Task[None]] = set()

    async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                await whole.wait()
                target.write(data)
                await target.drain()
        target.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = urlsplit(url).hostname, urlsplit(url).port
        there_reader, there_writer = await asyncio.open_connection(host, port)
        for ends in ((reader, there_writer), (there_reader, writer)):
            task = asyncio.create_task(carry(*ends))
            carriers.add(task)
            task.add_done_callback(carriers.discard)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}", whole
    finally:
        listener.close()
        for task in list(carriers):
            task.cancel()
        await asyncio.gather(*carriers, return_exceptions=True)
