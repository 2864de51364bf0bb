"""One turn of the loop that writes resets, in a process of its own: ``python -m tests.flows.resets_worker``.

Reads a site's day from the command line as JSON: ``redis``, ``kafka``, ``site_id``, ``time_zone``; the site is open
every day from 10:00 to 18:00. With ``die`` it ends itself like a killed process as soon as Kafka has the reset.
"""

import asyncio
import json
import os
import sys
from collections.abc import Sequence

from streams.adapters.occupancy_store import OccupancyStore
from streams.adapters.producer import Outgoing, Producer
from streams.agents import resets
from streams.core.calendar import Calendar, Stretch
from streams.core.sites import Site
from streams.topology import AGENTS, PARTITIONS


class Dying(Producer):
    """A producer whose process ends with the first write that Kafka confirmed."""

    async def write(self, topic: str, records: Sequence[Outgoing]) -> None:
        """Write, and die."""
        await super().write(topic, records)
        os._exit(9)


# The agents may stand still while this process starts, for longer than a busy machine needs.
resets._COUNTED_WITHIN_MS = 300_000


async def main(said: dict[str, str]) -> None:
    """One turn over all sites that it knows: one."""
    site = Site(said["site_id"], "tests", "Tests", said["time_zone"], replay=True)
    calendar = Calendar(site.site_id, ((Stretch(600, 1_080),),) * 7)
    producer = (Dying if said.get("die") else Producer)(said["kafka"], "resets-worker", answer_s=30)
    store = OccupancyStore(said["redis"], AGENTS)
    loop = resets.Resets(store, {site.site_id: site}, {site.site_id: calendar}, producer, lambda: range(PARTITIONS))
    print(await loop.turn(round_of=1))
    await producer.stop()
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
