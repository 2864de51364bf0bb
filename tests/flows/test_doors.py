"""Every way to write an event leads to the same record, counted once; what is refused leaves nothing."""

import asyncio
import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

import httpx2
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.adapters import avro, registry
from streams.core.partitions import partition_of
from streams.topology import PARTITIONS, POSITION_UPDATE, SOCIAL_POST, TICKET_SCAN
from tests.avro_bodies import container, framed, record
from tests.beds import wait_for
from tests.programs import World, scan

AVRO = "application/avro"
POSITIONS = registry.by_name(POSITION_UPDATE.schema).physical


def send(world: World, body: bytes, media: str, **headers: str) -> httpx2.Response:
    """POST a body as it is; ``ce_id`` is the header ``ce-id``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"{world.gateway.address}/v1/events"
    return world.http.post(url, content=body, headers=world.authorization | {"Content-Type": media} | named)


def in_topic(world: World, topic: str, wanted: set[str]) -> dict[str, bytes]:
    """Event id → value of all that a topic holds, once it holds the wanted ones; ``TimeoutError`` if it never does."""

    async def read() -> dict[str, bytes]:
        consumer = AIOKafkaConsumer(bootstrap_servers=world.settings.kafka_servers, enable_auto_commit=False)
        await consumer.start()
        try:
            places = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            found: dict[str, bytes] = {}
            async with asyncio.timeout(20):
                while not wanted <= set(found):
                    polled = await consumer.getmany(timeout_ms=200)
                    values = [one.value for batch in polled.values() for one in batch]
                    found |= {avro.decode(value)["event_id"]: value for value in values}
            return found
        finally:
            await consumer.stop()

    return asyncio.run(read())


def end(world: World, topic: str) -> int:
    """Records ever written where the example lives; elsewhere a demo may be playing."""
    home = partition_of("example", PARTITIONS)
    (found,) = {row.end for row in world.lag_rows() if (row.topic, row.partition) == (topic, home)}
    return found


def scan_at(**changes: Any) -> avro.Record:
    """A record of a scan at the example, of now to the second."""
    at_ms = int(time.time()) * 1000
    return record(event_id=str(uuid.uuid4()), site_id="example", occurred_at=at_ms) | changes


# -- one event -------------------------------------------------------------------------------------------------------


def test_an_event_is_counted_once_however_it_is_written_and_however_often(world: World) -> None:
    before = world.now("example")["entries"]
    said = scan_at(party_size=2)
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(said["occurred_at"] / 1000))
    event = scan("example", "north", party_size=2, ticket_id="T-4711", id=said["event_id"], time=at)
    ce = {"ce_specversion": "1.0", "ce_id": said["event_id"], "ce_source": "%2Ftests", "ce_type": TICKET_SCAN.topic}
    file = container([said], codec="deflate")

    answers = [
        answer
        for _ in range(3)
        for answer in (
            send(world, json.dumps(event).encode(), "application/cloudevents+json"),
            send(world, json.dumps(event["data"]).encode(), "application/json", **ce, ce_time=at),
            send(world, framed(**said), AVRO),
            send(world, framed(**said), AVRO, **ce, ce_time=at),
            send(world, framed(version=1, **said), "avro/binary"),
            send(world, file, AVRO),
        )
    ]

    assert {answer.status_code for answer in answers} == {202}
    assert {tuple(answer.json()["event_ids"]) for answer in answers} == {(said["event_id"],)}
    wait_for(lambda: world.now("example")["entries"] >= before + 2, what="the page's figure")
    world.wait_quiet()
    assert world.now("example")["entries"] == before + 2
    where = f"WHERE event_id = '{said['event_id']}'"
    assert world.query(f"SELECT count() FROM musee.ticket_scan {where}") == [(18,)]
    columns = "org_id, gate_id, occurred_at, party_size, ticket_pid"
    assert len(world.query(f"SELECT DISTINCT {columns} FROM musee.ticket_scan {where}")) == 1


def test_another_id_is_counted_again(world: World) -> None:
    before = world.now("example")["entries"]

    send(world, framed(**scan_at()), AVRO)
    send(world, framed(**scan_at()), AVRO)

    wait_for(lambda: world.now("example")["entries"] == before + 2, what="the page's figure")


def test_a_post_that_names_no_site_is_placed_by_whom_it_names(world: World) -> None:
    event = scan("", type=SOCIAL_POST.topic, time="2015-06-01T10:00:00Z")
    texts = {"hello @TATE and @britishmuseum": "tate", "hello @nobody": "unplaced"}
    data = {"network": "twitter", "test": True}  # trials: the figures of these sites are others' tests'
    posts = [event | {"id": str(uuid.uuid4()), "data": data | {"text": text}} for text in texts]

    ids = world.post(posts).json()["event_ids"]

    values = in_topic(world, SOCIAL_POST.topic, set(ids))
    assert [avro.decode(values[one])["site_id"] for one in ids] == list(texts.values())


# -- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_a_thousand_events_in_a_file_are_a_thousand_in_the_topic(world: World, codec: str) -> None:
    before = end(world, TICKET_SCAN.topic)
    records = [scan_at(test=True) for _ in range(1000)]

    answer = send(world, container(records, codec=codec), AVRO)

    assert (answer.status_code, answer.json()["accepted"]) == (202, 1000)
    assert answer.json()["event_ids"] == [one["event_id"] for one in records]
    assert end(world, TICKET_SCAN.topic) == before + 1000


def test_a_file_with_faulty_records_is_refused_whole_and_each_is_named(world: World) -> None:
    before = end(world, TICKET_SCAN.topic)
    records = [scan_at() for _ in range(10)]
    records[2]["site_id"] = "atlantis"
    records[4]["occurred_at"] += 3_600_000
    records[6]["ingest_mode"] = "REPLAY"
    records[8]["party_size"] = 0

    answer = send(world, container(records), AVRO)

    assert answer.status_code == 422
    assert [(one["index"], one["code"], one["path"]) for one in answer.json()["errors"]] == [
        (2, "unknown-site", "/data/site_id"),
        (4, "future", "/data/occurred_at"),
        (6, "replay-refused", "/data/ingest_mode"),
        (8, "out-of-range", "/data/party_size"),
    ]
    assert end(world, TICKET_SCAN.topic) == before


def test_a_file_of_eight_mebibytes_is_taken_and_others_are_answered_meanwhile(world: World) -> None:
    at_ms = int(time.time()) * 1000
    common = record(site_id="example", occurred_at=at_ms, test=True, reason="r" * 180)
    file = container(common | {"event_id": str(uuid.uuid4())} for _ in range(29_000))
    assert 7 * 1024 * 1024 < len(file) <= 8 * 1024 * 1024
    waits_s: list[float] = []
    started = time.monotonic()

    async def both() -> httpx2.Response:
        async with httpx2.AsyncClient(timeout=60, headers=world.authorization) as client:
            url = f"{world.gateway.address}/v1/events"
            sending = asyncio.create_task(client.post(url, content=file, headers={"Content-Type": AVRO}))
            while not sending.done():
                began = time.monotonic()
                one = await client.post(url, content=framed(**scan_at(test=True)), headers={"Content-Type": AVRO})
                waits_s.append(time.monotonic() - began)
                assert one.status_code == 202
                await asyncio.sleep(0.05)
            return sending.result()

    answer = asyncio.run(both())

    assert (answer.status_code, answer.json()["accepted"]) == (202, 29_000)
    took_s = time.monotonic() - started
    print(f"in {took_s:.1f} s others waited {max(waits_s):.3f} s at most, of {len(waits_s)}")
    assert max(waits_s) < max(1.0, took_s / 4)  # a busy machine slows down both


def test_what_is_over_eight_mebibytes_or_no_file_and_over_one_is_refused(world: World) -> None:
    too_long = [send(world, b"Obj\x01" + bytes(8 * 1024 * 1024), AVRO), send(world, b"\x00" * (1024 * 1024 + 1), AVRO)]

    assert [(answer.status_code, answer.json()["code"]) for answer in too_long] == [(413, "too-large")] * 2


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed-avro"),
        (b"Obj\x01", 400, "malformed-avro"),
        (os.urandom(1000), 400, "malformed-avro"),
        (framed()[:-3], 400, "malformed-avro"),
        (b"\x00\x00\x00\x03\xe7" + framed()[5:], 422, "unknown-schema"),
        (container([], "string"), 422, "unknown-schema"),
    ],
    ids=["nothing", "a beginning", "noise", "cut off", "a schema of nobody", "a file of nobody"],
)
def test_bad_avro_is_a_problem_document(world: World, body: bytes, status: int, code: str) -> None:
    answer = send(world, body, AVRO)

    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"]) == (status, code)


# -- positions -------------------------------------------------------------------------------------------------------


def test_a_session_id_never_leaves_the_door(world: World) -> None:
    at_ms = int(time.time()) * 1000
    raw = "Secret-Phone Zorro"
    moved = {"site_id": "example", "session_pid": raw, "zone_id": "hall", "occurred_at": at_ms}
    records = [record("position-update", event_id=str(uuid.uuid4()), **moved) for _ in range(3)]
    event = scan("example", type=POSITION_UPDATE.topic)
    event["data"] = {"site_id": "example", "session_id": "secretphonezorro", "zone_id": "hall"}

    answers = [
        send(world, framed("position-update", **records[0]), AVRO),
        send(world, container(records[1:], POSITIONS), AVRO),
        world.post([event]),
        world.post([event | {"id": "faulty", "data": event["data"] | {"zone_id": "", "session_id": raw}}]),
    ]

    assert [answer.status_code for answer in answers] == [202, 202, 202, 422]
    ids = {one for answer in answers[:3] for one in answer.json()["event_ids"]}
    values = in_topic(world, POSITION_UPDATE.topic, ids)
    assert len(ids) == 4
    assert len({avro.decode(values[one])["session_pid"] for one in ids}) == 1  # one session, however it came
    told = b"".join(values.values()) + b"".join(part.log.read_bytes() for part in world.programs)
    told += b"".join(answer.content for answer in answers)
    assert b"secret" not in told.lower()
    assert b"zorro" not in told.lower()  # letters that no hexadecimal identifier holds


def test_the_key_of_a_day_serves_positions_and_that_of_a_month_tickets(world: World) -> None:
    event = scan("britishmuseum", type=POSITION_UPDATE.topic, time="2015-02-03T10:00:00Z")
    event["data"] = {"site_id": "britishmuseum", "session_id": "one", "zone_id": "hall"}
    next_day = event | {"id": str(uuid.uuid4()), "time": "2015-02-04T10:00:00Z"}

    ids = world.post([event, next_day]).json()["event_ids"]

    values = in_topic(world, POSITION_UPDATE.topic, set(ids))
    assert len({avro.decode(values[one])["session_pid"] for one in ids}) == 2
    assert {"2015-02-03.key", "2015-02-04.key"} <= _keys(world, "position")


def test_a_gateway_that_starts_destroys_the_keys_that_are_due(world: World) -> None:
    world.post([scan("example", ticket_id="T-1", test=True)])
    event = scan("britishmuseum", type=POSITION_UPDATE.topic, time="2015-03-05T10:00:00Z")
    event["data"] = {"site_id": "britishmuseum", "session_id": "one", "zone_id": "hall"}
    world.post([event])
    (file,) = (world.settings.home / "keys").rglob("2015-03-05.key")
    os.utime(file, (time.time() - 24 * 3600, time.time() - 24 * 3600))
    months = _keys(world, "ticket")
    assert months

    world.gateway.terminate()
    world.gateway.start()

    wait_for(lambda: not file.exists(), what="the key's end")
    assert _keys(world, "ticket") == months
    assert "keys of a day destroyed" in world.gateway.log.read_text()


def _keys(world: World, purpose: str) -> set[str]:
    return {Path(file).name for file in (world.settings.home / "keys").rglob(f"{purpose}/*.key")}


# -- other paths -----------------------------------------------------------------------------------------------------


def test_a_path_that_is_none_and_a_method_that_is_none_are_problem_documents(world: World) -> None:
    nowhere = world.http.get(f"{world.gateway.address}/v2/events")
    not_so = world.http.get(f"{world.gateway.address}/v1/events")

    for answer, status, code in ((nowhere, 404, "not-found"), (not_so, 405, "method-not-allowed")):
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.status_code, answer.json()["status"], answer.json()["code"]) == (status, status, code)
    assert not_so.headers["allow"] == "POST"
