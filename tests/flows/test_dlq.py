"""``musee dlq``: dead letters by topic and reason, nothing personal on the screen, trying again what can succeed."""

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from streams.core.partitions import partition_of
from streams.topology import PARTITIONS, TICKET_SCAN
from tests.flows import truth
from tests.programs import World
from tests.verbs import Told, musee

SITE = "letters-0"
HOME = partition_of(SITE, PARTITIONS)
PID = "c0ffee00c0ffee00c0ffee00c0ffee00"


def dlq(world: World, *arguments: str) -> Told:
    """Call a verb."""
    return musee(world.settings, "dlq", *arguments)


def rows(world: World, *arguments: str) -> dict[tuple[str, str], dict[str, Any]]:
    """What ``dlq list`` says, by topic and reason."""
    listed = dlq(world, "list", "--json", *arguments)
    assert listed.returncode == 0, listed.stderr
    return {(row["topic"], row["reason"]): row for row in json.loads(listed.stdout)}


async def write(world: World, partition: int, values: list[bytes]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=world.settings.kafka_servers) as producer:
        for value in values:
            await producer.send_and_wait(TICKET_SCAN.topic, value, key=SITE.encode(), partition=partition)


@pytest.fixture
async def since(world: World) -> str:
    """Two misplaced scans, one with bytes behind it and one of a schema that nobody knows; when they were written."""
    await asyncio.to_thread(world.publish, truth.sites("letters", 1))
    began = datetime.now(UTC).isoformat()
    now_ms = time.time_ns() // 1_000_000
    sound = [truth.encode(truth.record(SITE, "gate-1", now_ms - n, ticket_pid=PID)).value or b"" for n in range(4)]
    await write(world, (HOME + 1) % PARTITIONS, sound[:2])
    await write(world, HOME, [sound[2] + b"\x00", b"\x00\x00\x00\x03\xe7" + sound[3][5:]])
    await asyncio.to_thread(world.wait_quiet)
    return began


def test_letters_are_listed_by_topic_and_reason(world: World, since: str) -> None:
    topic = TICKET_SCAN.topic

    found = rows(world, "--since", since)

    assert {key: (row["count"], row["retried"]) for key, row in found.items()} == {
        (topic, "partition"): (2, 0),
        (topic, "trailing"): (1, 0),
        (topic, "schema"): (1, 0),
    }
    assert all(since[:19] <= row["first"] <= row["last"] for row in found.values())
    assert set(rows(world, "--since", since, "--reason", "schema")) == {(topic, "schema")}
    assert rows(world, "--since", since, "--topic", "dead-letter") == {}
    assert len(rows(world, "--since", since, "--topic", "ticket-scan")) == 3
    assert rows(world, "--since", "2100-01-01T00:00:00Z") == {}
    assert set(found) <= set(rows(world, "--since", "1h"))


def test_neither_keys_nor_pseudonyms_are_on_the_screen(world: World, since: str) -> None:
    table, document = dlq(world, "list", "--since", since), dlq(world, "list", "--json", "--since", since)

    assert "partition" in table.stdout
    assert "partition" in document.stdout
    for said in (table.stdout, table.stderr, document.stdout, document.stderr):
        assert PID not in said
        assert SITE not in said


def test_a_retry_counts_the_misplaced_once_and_a_second_changes_nothing(world: World, since: str) -> None:
    before = sum(truth.live_cells(world, "letters").values())

    first, second = (dlq(world, "retry", "--reason", "partition", "--since", since, "--json") for _ in range(2))

    assert json.loads(first.stdout) == {"produced": 2, "before": 0, "impossible": {}}
    assert json.loads(second.stdout) == {"produced": 0, "before": 2, "impossible": {}}
    world.wait_quiet()
    assert sum(truth.live_cells(world, "letters").values()) == before + 2
    assert rows(world, "--since", since)[TICKET_SCAN.topic, "partition"]["retried"] == 2
    ((letters,),) = world.query(
        "SELECT count() FROM musee.v_dead_letters WHERE reason = 'partition' AND key = 'letters-0' "
        f"AND dead_at >= parseDateTime64BestEffort('{since}', 3, 'UTC')"
    )
    assert letters == 2  # what says that they were retried is no dead letter of its own


def test_what_its_bytes_decide_is_refused_unless_forced(world: World, since: str) -> None:
    refused = dlq(world, "retry", "--reason", "trailing", "--since", since)

    forced = dlq(world, "retry", "--reason", "trailing", "--since", since, "--force")

    assert (refused.returncode, refused.stdout) == (2, "")
    assert "its bytes decide that" in refused.stderr
    assert forced.stdout == "1 produced again, 0 were before, 0 cannot be\n"
    world.wait_quiet()
    row = rows(world, "--since", since)[TICKET_SCAN.topic, "trailing"]
    assert (row["count"], row["retried"]) == (2, 1)  # dead again, where it lies now


def test_a_schema_that_is_still_unknown_is_left_where_it_is(world: World, since: str) -> None:
    tried = dlq(world, "retry", "--reason", "schema", "--since", since)

    assert (tried.returncode, tried.stdout) == (1, "0 produced again, 0 were before, 1 cannot be\n")
    assert tried.stderr == "1: it would fail again: schema\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("list", "--topic", "parade"), "parade: neither a family nor a topic"),
        (("list", "--since", "yesterday"), "--since yesterday: RFC 3339 is expected"),
        (("list", "--since", "9999999d"), "--since 9999999d: RFC 3339 is expected"),
        (("list", "--since", "99999999999999d"), "--since 99999999999999d: RFC 3339 is expected"),
    ],
)
def test_a_wrong_call_is_answered_with_a_sentence(world: World, arguments: tuple[str, ...], sentence: str) -> None:
    told = dlq(world, *arguments)

    assert told.returncode == 2
    assert told.stderr.startswith(sentence)
