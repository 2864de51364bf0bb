"""Reads of the stores that block, beside the loop that feeds the pages: few at once, and nobody waits for ever.

A read that was given up holds its place until it really ends, so that stuck ones cannot pile up. The threads die with
the program. Used by pages that ask history.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

from streams.errors import StreamsError

AT_ONCE = 2
WAITING = 8  # more would get their answer after they had given up
WITHIN_S = 20.0

T = TypeVar("T")


class NotReadError(StreamsError):
    """The read was not done: ``busy`` says that too many others are, else it took too long."""

    def __init__(self, *, busy: bool) -> None:
        super().__init__("too many questions at once" if busy else "it took too long")
        self.busy = busy


class Reader:
    """Does blocking work in threads."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING, within_s: float = WITHIN_S) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._most = at_once + waiting
        self._asked = 0
        self._within_s = within_s

    async def read(self, work: Callable[[], T]) -> T:
        """What ``work`` gives or raises.

        Raises:
            NotReadError: too many wait already, or it did not end in time.
        """
        if self._asked >= self._most:
            raise NotReadError(busy=True)
        self._asked += 1
        try:
            async with asyncio.timeout(self._within_s):
                await self._places.acquire()
                return await self._begin(work)
        except TimeoutError:
            raise NotReadError(busy=False) from None
        finally:
            self._asked -= 1

    def _begin(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def end(outcome: Callable[[], None]) -> None:
            self._places.release()
            if not future.cancelled():
                outcome()

        def run() -> None:
            outcome: Callable[[], None]
            try:
                result = work()
            except Exception as error:  # noqa: BLE001 - it is raised where the answer is awaited
                failure = error

                def outcome() -> None:
                    future.set_exception(failure)
            else:

                def outcome() -> None:
                    future.set_result(result)

            with contextlib.suppress(RuntimeError):  # the program has ended meanwhile
                loop.call_soon_threadsafe(end, outcome)

        threading.Thread(target=run, name="read", daemon=True).start()
        return future
