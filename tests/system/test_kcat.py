"""kcat, as Debian ships it (without Avro): it reads frames, keys and headers of our topics, and writes to them."""

import subprocess
import time
from pathlib import Path

import pytest

from streams.adapters import registry
from streams.core.partitions import partition_of
from streams.topology import PARTITIONS, TICKET_SCAN
from tests.beds import wait_for
from tests.flows import truth
from tests.programs import World

pytestmark = pytest.mark.system

SITE = "kcat-0"
HOME = str(partition_of(SITE, PARTITIONS))


def kcat(world: World, *arguments: str) -> bytes:
    """What it prints."""
    command = ["kcat", "-b", world.settings.kafka_servers, "-t", TICKET_SCAN.topic, "-p", HOME, *arguments]
    return subprocess.run(command, check=True, capture_output=True, timeout=30).stdout


def last(world: World, *arguments: str) -> bytes:
    """What it prints of the last record of the site's partition."""
    return kcat(world, "-C", "-o", "-1", "-c", "1", "-e", "-q", *arguments)


def test_it_reads_the_frame_the_key_and_no_headers(world: World) -> None:
    world.publish(truth.sites("kcat", 1))
    outgoing = truth.encode(truth.record(SITE, "gate-1", time.time_ns() // 1_000_000))

    world.write(TICKET_SCAN.topic, [outgoing])

    value = outgoing.value or b""
    assert last(world, "-D", "") == value
    assert last(world, "-f", "%k|%S|%h|") == f"{SITE}|{len(value)}||".encode()
    assert last(world, "-s", "value=b>I", "-f", "%s") == f"0{registry.ids()['ticket-scan.v1']}".encode()


def test_what_it_writes_with_a_header_counts_and_the_header_means_nothing(world: World, tmp_path: Path) -> None:
    world.publish(truth.sites("kcat", 1))
    world.wait_quiet()
    before = sum(truth.live_cells(world, "kcat").values())
    fields = truth.record(SITE, "gate-2", time.time_ns() // 1_000_000, party_size=7)
    (tmp_path / "frame").write_bytes(truth.encode(fields).value or b"")

    kcat(world, "-P", "-k", SITE, "-H", "origin=kcat", str(tmp_path / "frame"))

    assert last(world, "-f", "%k|%h|") == f"{SITE}|origin=kcat|".encode()
    wait_for(lambda: sum(truth.live_cells(world, "kcat").values()) == before + 7, what="the count")
    world.wait_quiet()
    assert world.query(f"SELECT party_size FROM musee.v_scans WHERE event_id = '{fields['event_id']}'") == [(7,)]
