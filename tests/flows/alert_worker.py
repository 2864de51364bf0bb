"""The loop that judges capacities, alone in a process of its own, which kills itself at a given step.

``python -m tests.flows.alert_worker SERVERS REDIS STEP COUNT SITE…``: STEP is ``reserve``, ``publish`` or ``save`` (it
dies when that has happened for the COUNT-th time), ``wrong`` (a loop that saves before it publishes, and dies between
the two) or ``none``. It ends when nothing is left to say.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from typing import NoReturn

from streams.adapters import alert_topic
from streams.adapters.alert_store import AlertStore, Held
from streams.adapters.headcount_store import HeadcountStore
from streams.adapters.live_view import LiveView
from streams.adapters.producer import Outgoing, Producer
from streams.agents.alerts import Alerts, Stores
from streams.core.alerts import Alert
from streams.topology import PARTITIONS
from tests.flows import levels


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("killed")


class _Fuse:
    def __init__(self, step: str, count: int) -> None:
        self.step = step
        self.left = count

    def burn(self, step: str) -> None:
        """End here if this is the step."""
        if step == self.step:
            self.left -= 1
            if self.left <= 0:
                _die()


class _Store(AlertStore):
    def __init__(self, url: str, fuse: _Fuse) -> None:
        super().__init__(url)
        self._fuse = fuse

    async def reserve(self, held: Held, alert: Alert) -> Held | None:
        reserved = await super().reserve(held, alert)
        if self._fuse.step == "wrong" and reserved is not None:  # the control: what was saved first is lost
            await super().save(reserved)
            self._fuse.burn("wrong")
        self._fuse.burn("reserve")
        return reserved

    async def save(self, reserved: Held) -> Held | None:
        saved = await super().save(reserved)
        self._fuse.burn("save")
        return saved


class _Producer(Producer):
    def __init__(self, servers: str, fuse: _Fuse) -> None:
        super().__init__(servers, "tests", answer_s=30)
        self._fuse = fuse

    async def write(self, topic: str, records: Sequence[Outgoing]) -> None:
        await super().write(topic, records)
        self._fuse.burn("publish")


async def _main(servers: str, url: str, fuse: _Fuse, names: Sequence[str]) -> None:
    stores = Stores(_Store(url, fuse), LiveView(url), HeadcountStore(url))
    producer = _Producer(servers, fuse)
    sites = {name: levels.site(name) for name in names}
    published = partial(alert_topic.newest, servers)
    loop = Alerts(stores, sites, {}, producer, lambda: range(PARTITIONS), published, turn_s=5)
    said = 1
    while said or loop.waiting:
        await levels.confirm(url)  # as the agents do each second
        said = await loop.turn()
    await producer.stop()
    await stores.close()


if __name__ == "__main__":
    _servers, _url, _step, _count, *_names = sys.argv[1:]
    asyncio.run(_main(_servers, _url, _Fuse(_step, int(_count)), _names))
