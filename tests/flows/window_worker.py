"""The loop that says windows, alone in a process of its own, which kills itself at a given step.

``python -m tests.flows.window_worker SERVERS REDIS STEP COUNT``: STEP is ``reserve``, ``publish`` or ``confirm``
(it dies when that has happened for the COUNT-th time), ``half`` (when half of a publication is written), ``wrong`` (a
loop that confirms before it publishes, and dies between the two) or ``none``. It ends when nothing is left to say.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn, cast

from streams.adapters.claims import Claim
from streams.adapters.fetches import Fetches
from streams.adapters.producer import Outgoing, Producer
from streams.adapters.window_store import WindowStore
from streams.agents.windows import Saying, Windows
from streams.core.sites import Site
from streams.core.windows import Found, Publication
from streams.topology import AGENTS, PARTITIONS, TICKET_SCAN


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("killed")


class _Fuse:
    def __init__(self, step: str, count: int) -> None:
        self.step = step
        self.left = count

    def burn(self, step: str) -> bool:
        """Whether this is where it ends."""
        if step == self.step:
            self.left -= 1
        return step == self.step and self.left <= 0


class _Store(WindowStore):
    def __init__(self, url: str, fuse: _Fuse) -> None:
        super().__init__(url, AGENTS)
        self._fuse = fuse

    async def reserve(self, partition: int, wanted: Sequence[tuple[Found, Publication]]) -> list[bool]:
        answers = await super().reserve(partition, wanted)
        if self._fuse.burn("reserve"):
            _die()
        return answers

    async def confirm(self, partition: int, said: Sequence[tuple[Found, Publication]]) -> list[bool]:
        answers = await super().confirm(partition, said)
        if self._fuse.burn("confirm"):
            _die()
        return answers


class _Producer(Producer):
    def __init__(self, servers: str, fuse: _Fuse) -> None:
        super().__init__(servers, "tests", answer_s=30)
        self._fuse = fuse

    async def write(self, topic: str, records: Sequence[Outgoing]) -> None:
        if self._fuse.burn("half"):
            await super().write(topic, records[: len(records) // 2])
            _die()
        await super().write(topic, records)
        if self._fuse.burn("publish"):
            _die()


class _WrongOrder(Windows):
    """The control: what was confirmed and not published is lost with a crash in between."""

    async def _say(self, partition: int, to_say: list[Saying]) -> None:
        pairs = [(one.found, one.publication) for one in to_say]
        await self.store.reserve(partition, pairs)
        await self.store.confirm(partition, pairs)
        _die()


class _Claims:
    """Owns every partition, as the agents' reader does when it is the only one."""

    def __init__(self) -> None:
        topic = TICKET_SCAN.topic
        self.claims = {(topic, number): Claim(topic, number, 0, -1) for number in range(PARTITIONS)}


class Replayed(dict[str, Site]):
    """Every site is a replay site called so."""

    def get(self, site_id: str, default: object = None) -> Site:
        return Site(site_id, "tests", site_id, "UTC", replay=True)


async def _main(servers: str, url: str, step: str, count: int) -> None:
    fuse = _Fuse(step, count)
    loop = _WrongOrder if step == "wrong" else Windows
    store, producer = _Store(url, fuse), _Producer(servers, fuse)
    windows = loop(store, Replayed(), producer, cast(Fetches, _Claims()))
    while sum([(await store.look(number, 0, 1)).total for number in range(PARTITIONS)]):
        await windows.turn()
    await producer.stop()
    await store.close()


if __name__ == "__main__":
    _servers, _url, _step, _count = sys.argv[1:]
    asyncio.run(_main(_servers, _url, _step, int(_count)))
