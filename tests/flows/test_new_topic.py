"""A worker that is upgraded reads the topics that are new to it: its place in the group is of its topics."""

import asyncio
import time
import uuid
from collections.abc import Mapping, Sequence

import pytest

from streams.adapters import fetches
from streams.adapters.claims import Fetch, Log
from streams.adapters.fetches import Fetches, ReaderSettings
from streams.topology import ALERT, PARTITIONS, TICKET_SCAN
from tests.programs import World

OLD, NEW = [TICKET_SCAN.topic], [TICKET_SCAN.topic, ALERT.topic]
PATIENCE_S = 25.0


async def assigned(servers: str, group: str, topics: Sequence[str], wanted: int) -> int:
    """How many partitions a reader of the topics gets; it is killed then, as far as its group can see."""

    async def place(_: str, logs: Mapping[int, Log]) -> Mapping[int, int | None]:
        return {partition: log.end - 1 for partition, log in logs.items()}

    async def deliver(_: Fetch) -> None: ...

    reader = Fetches(ReaderSettings(servers, group, "reader-0"), topics, place, deliver)
    await reader.start()
    ends_s = time.monotonic() + PATIENCE_S
    while len(reader.claims) < wanted and time.monotonic() < ends_s:  # noqa: ASYNC110 - a deadline, not an event
        await asyncio.sleep(0.1)
    found = len(reader.claims)
    await reader.stop()  # a static member does not leave
    return found


async def upgraded(world: World) -> tuple[int, int]:
    """Partitions before and after an upgrade."""
    group = f"upgrade-{uuid.uuid4().hex[:8]}"
    servers = world.settings.kafka_servers
    return await assigned(servers, group, OLD, PARTITIONS), await assigned(servers, group, NEW, 2 * PARTITIONS)


@pytest.mark.timeout(120)
def test_a_reader_that_comes_back_for_a_new_topic_gets_it(world: World) -> None:
    assert asyncio.run(upgraded(world)) == (PARTITIONS, 2 * PARTITIONS)


@pytest.mark.timeout(120)
def test_the_control_a_reader_that_comes_back_under_its_old_name_does_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetches, "_instance", lambda name, _: name)

    assert asyncio.run(upgraded(world)) == (PARTITIONS, PARTITIONS)
