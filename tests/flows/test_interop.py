"""Other people's clients: Confluent's reads and writes our topics by the console's registry paths, and another registry
gives the ids.
"""

import time
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from streams.adapters import registry
from streams.adapters.producer import Outgoing
from streams.core import blocks
from streams.core.partitions import partition_of
from streams.topology import PARTITIONS, TICKET_SCAN
from tests.adapters.test_registry import plain
from tests.beds import Bed, wait_for
from tests.flows import truth
from tests.programs import World, scan
from tests.registries import OtherRegistry, serving
from tests.verbs import musee

TOPIC = TICKET_SCAN.topic
CONTEXT = SerializationContext(TOPIC, MessageField.VALUE)
SITES = 40
COUNT = 1_000


def scans(prefix: str) -> list[dict[str, Any]]:
    """A thousand scans over forty sites, one person each."""
    now_ms = time.time_ns() // 1_000_000
    return [
        truth.record(f"{prefix}-{n % SITES}", f"gate-{n % 4}", now_ms - n, slot_at=now_ms - n % 900, device_at=None)
        for n in range(COUNT)
    ]


def written(world: World, fields: list[dict[str, Any]], **config: str) -> list[Message]:
    """What Confluent's producer and AvroSerializer wrote, schemas looked up at the console."""
    client = SchemaRegistryClient({"url": world.console.address})
    schema = client.get_latest_version(f"{TOPIC}-value").schema
    serializer = AvroSerializer(client, schema, conf={"auto.register.schemas": False})
    producer = Producer({"bootstrap.servers": world.settings.kafka_servers, **config})
    delivered: list[Message] = []

    def told(error: object, message: Message) -> None:
        assert error is None
        delivered.append(message)

    for one in fields:
        value = serializer(one, CONTEXT)
        producer.produce(TOPIC, key=one["site_id"].encode(), value=value, on_delivery=told)
    assert producer.flush(30) == 0
    return delivered


def test_confluents_client_writes_a_thousand_scans_and_reads_them_back(world: World) -> None:
    world.publish(truth.sites("confluent", SITES))
    fields = scans("confluent")

    messages = written(world, fields, partitioner="murmur2_random")

    world.wait_quiet()
    assert sum(truth.live_cells(world, "confluent").values()) == COUNT
    assert sum(truth.landed_cells(world, "confluent").values()) == COUNT
    assert world.query(
        "SELECT count(), uniqExact(event_id), countIf(slot_at IS NOT NULL) FROM musee.v_scans "
        "WHERE startsWith(site_id, 'confluent-')"
    ) == [(COUNT, COUNT, COUNT)]
    read = read_back(world, messages)
    assert {one["event_id"]: one for one in read} == {one["event_id"]: one for one in fields}


def read_back(world: World, messages: list[Message]) -> list[dict[str, Any]]:
    """The same records by Confluent's consumer and AvroDeserializer."""
    deserializer = AvroDeserializer(SchemaRegistryClient({"url": world.console.address}))
    wanted = {(message.partition(), message.offset()) for message in messages}
    first: dict[int, int] = {}
    for partition, offset in wanted:
        first[partition or 0] = min(offset or 0, first.get(partition or 0, offset or 0))
    consumer = Consumer({"bootstrap.servers": world.settings.kafka_servers, "group.id": f"interop-{uuid.uuid4()}"})
    consumer.assign([TopicPartition(TOPIC, partition, offset) for partition, offset in first.items()])
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + 30
    while len(found) < len(wanted) and time.monotonic() < deadline:
        message = consumer.poll(1.0)
        if message is not None and (message.partition(), message.offset()) in wanted:
            found.append(plain(deserializer(message.value(), CONTEXT)))
    consumer.close()
    return found


def test_with_its_default_partitioner_the_misplaced_are_found_and_put_right(world: World) -> None:
    world.publish(truth.sites("crc", SITES))
    began = truth.ends(world)
    since = datetime.now().astimezone().isoformat()

    messages = written(world, scans("crc"))

    world.wait_quiet()
    misplaced = [m for m in messages if m.partition() != partition_of((m.key() or b"").decode(), PARTITIONS)]
    assert 0 < len(misplaced) < COUNT
    assert sum(truth.live_cells(world, "crc").values()) == COUNT - len(misplaced)
    assert world.query(
        "SELECT count() FROM musee.v_dead_letters WHERE reason = 'partition' AND startsWith(key, 'crc-')"
    ) == [(len(misplaced),)]

    first = musee(world.settings, "dlq", "retry", "--reason", "partition", "--since", since)
    world.wait_quiet()
    once = truth.live_cells(world, "crc")
    second = musee(world.settings, "dlq", "retry", "--reason", "partition", "--since", since)
    world.wait_quiet()

    assert first.stdout == f"{len(misplaced):,} produced again, 0 were before, 0 cannot be\n", first.stderr
    assert second.stdout == f"0 produced again, {len(misplaced):,} were before, 0 cannot be\n"
    assert sum(once.values()) == COUNT
    assert truth.live_cells(world, "crc") == once
    assert truth.landed_cells(world, "crc") == once
    # One event each, whose raw rows are the misplaced record and the one put right, alike to the last byte.
    assert world.query("SELECT count(), uniqExact(event_id) FROM musee.v_scans WHERE startsWith(site_id, 'crc-')") == [
        (COUNT, COUNT)
    ]
    assert world.query(
        "SELECT count(), uniqExact(event_id) FROM musee.ticket_scan WHERE startsWith(site_id, 'crc-')"
    ) == [(COUNT + len(misplaced), COUNT)]
    values = {(m.key(), m.value()) for m in misplaced}
    again = [m for m in everything(world) if (m.key(), m.value()) in values]
    homes = [m for m in again if m.partition() == partition_of((m.key() or b"").decode(), PARTITIONS)]
    assert (len(again), len(homes)) == (2 * len(misplaced), len(misplaced))
    assert truth.offsets_missing(world, began) == []


def everything(world: World) -> list[Message]:
    """All records of the topic."""
    config = {"bootstrap.servers": world.settings.kafka_servers, "group.id": "x", "enable.partition.eof": True}
    consumer = Consumer(config)
    consumer.assign([TopicPartition(TOPIC, partition, 0) for partition in range(PARTITIONS)])
    found, ends = [], 0
    while ends < PARTITIONS:
        message = consumer.poll(10.0)
        assert message is not None
        if message.error() is not None:
            ends += 1
        else:
            found.append(message)
    consumer.close()
    return found


# -- another registry --------------------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(tmp_path: Path, cache: Path) -> Iterator[World]:
    """A bed whose programs take their ids from another registry, which is empty; nothing of ours runs yet."""
    bed = Bed(tmp_path / "bed", cache)
    other = OtherRegistry(first=4_001)
    with serving(other.app) as url:
        world = World(bed, tmp_path / "home", schema_registry=url)
        try:
            bed.start()
            yield world
        finally:
            registry.adopt({})
            world.close()
            bed.close()


def test_with_another_registry_its_ids_are_written_counted_and_landed(elsewhere: World) -> None:
    refused = musee(elsewhere.settings, "gateway")  # it ends before it serves
    pushed = musee(elsewhere.settings, "schema", "push")
    elsewhere.start()

    answer = elsewhere.post([scan("example", "north", party_size=3)])
    ours = truth.record("example", "gate-1", time.time_ns() // 1_000_000)
    unknown = blocks.head(3_999) + (truth.encode(ours).value or b"")[blocks.HEAD_BYTES :]
    elsewhere.write(TOPIC, [truth.encode(ours), Outgoing("example", unknown)])
    elsewhere.wait_quiet()

    assert refused.returncode == 2
    assert "musee.ticket-scan.v1-value" in refused.stderr
    assert "`musee schema push` registers them" in refused.stderr
    assert f"ticket-scan.v3  id {4_000 + registry.ids()['ticket-scan.v3']}\n" in pushed.stdout
    assert answer.status_code == 202
    assert sorted(blocks.schema_id(m.value()) for m in everything(elsewhere)) == [1, 3_999, 4_012]
    wait_for(lambda: elsewhere.now("example")["entries"] == 4, what="both scans on the page")
    assert elsewhere.query("SELECT sum(party_size), count() FROM musee.v_scans") == [(4, 2)]
    assert elsewhere.query("SELECT reason, count() FROM musee.v_dead_letters GROUP BY reason") == [("schema", 1)]
    client = SchemaRegistryClient({"url": elsewhere.console.address})
    assert client.get_latest_version(f"{TOPIC}-value").schema_id == 4_012
