"""What cannot be read on the topic is dead-lettered with its reason, once; its neighbours count."""

import asyncio
import time

from aiokafka import AIOKafkaProducer

from streams.core.partitions import partition_of
from streams.topology import PARTITIONS, TICKET_SCAN
from tests.flows import truth
from tests.programs import World

SITE = "broken-0"


def test_seven_kinds_of_bad_records_between_a_thousand_good_ones(world: World) -> None:
    since = truth.ends(world)
    world.publish(truth.sites("broken", 1))
    now_ms = time.time_ns() // 1_000_000
    good = [truth.encode(truth.record(SITE, "gate-1", now_ms - number)).value or b"" for number in range(1000)]
    sound = good[0]
    home = partition_of(SITE, PARTITIONS)
    stranger = next(f"lost-{n}" for n in range(99) if partition_of(f"lost-{n}", PARTITIONS) != home)
    bad = {
        "null": None,
        "short": b"\x00\x00\x00",
        "magic": b"\x01" + sound[1:],
        "schema": b"\x00\x00\x00\x03\xe7" + sound[5:],
        "truncated": sound[:-9],
        "trailing": sound + b"\x02\x02\x02",
        "partition": truth.encode(truth.record(stranger, "gate-1", now_ms)).value,
    }
    values: list[bytes | None] = list(good)
    for place, value in enumerate(bad.values()):
        values.insert(100 + 120 * place, value)

    asyncio.run(_write(world, home, values))
    world.wait_quiet()

    found = world.query(
        "SELECT reason, count(), any(length(value)) FROM musee.v_dead_letters "
        f"WHERE topic = '{TICKET_SCAN.topic}' AND partition = {home} AND offset >= {since[home]} GROUP BY reason"
    )
    assert {reason: (count, size) for reason, count, size in found} == {
        reason: (1, None if value is None else len(value)) for reason, value in bad.items()
    }
    cells = truth.live_cells(world, "broken")
    assert sum(cells.values()) == 1000
    assert sum(truth.landed_cells(world, "broken").values()) == 1000
    assert not truth.live_cells(world, "lost")  # it lies where nobody looks for it
    assert truth.offsets_missing(world, since) == []


async def _write(world: World, partition: int, values: list[bytes | None]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=world.settings.kafka_servers) as producer:
        futures = [await producer.send(TICKET_SCAN.topic, v, key=SITE.encode(), partition=partition) for v in values]
        await asyncio.gather(*futures)
