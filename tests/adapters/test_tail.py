"""What ``musee tail`` shows of a record: everything but what is personal, whatever the bytes."""

import json
import uuid
from datetime import UTC, datetime

import pytest
from aiokafka import ConsumerRecord

from streams.adapters import avro, registry, tail
from streams.topology import DEAD_LETTER, TICKET_SCAN

AT = datetime(2015, 2, 2, 13, 11, tzinfo=UTC)
SCAN = {
    "event_id": str(uuid.UUID(int=7)),
    "org_id": "recordings",
    "site_id": "gym",
    "zone_id": None,
    "gate_id": "north",
    "device_id": None,
    "seq": 4,
    "occurred_at": AT,
    "sent_at": None,
    "received_at": AT,
    "clock_trust": "UNKNOWN",
    "ingest_mode": "REPLAY",
    "corrects": None,
    "producer": "tests",
    "test": False,
    "direction": "IN",
    "outcome": "ACCEPTED",
    "reason": None,
    "party_size": 2,
    "tariff": None,
    "ticket_pid": "00ff",
    "offline": None,
    "forced": None,
    "slot_at": None,
    "device_at": None,
}
DEAD = {
    "topic": "musee.ticket-scan.v1",
    "partition": 3,
    "offset": 9,
    "reason": "magic",
    "detail": "the first byte is 1",
    "key": b"gym",
    "value": b"\x01secret",
    "appended_at": AT,
    "dead_at": AT,
    "producer": "tests",
}
GOOD = avro.encode(registry.by_name(TICKET_SCAN.schema), SCAN)


def record(value: bytes | None) -> "ConsumerRecord[bytes, bytes]":
    return ConsumerRecord(
        topic=TICKET_SCAN.topic,
        partition=3,
        offset=17,
        timestamp=1_422_882_660_123,
        timestamp_type=1,
        key=b"gym",
        value=value,
        checksum=None,
        serialized_key_size=3,
        serialized_value_size=len(value or b""),
        headers=(),
    )


def test_a_scan_is_shown_field_by_field_ready_for_json() -> None:
    shown = tail.show(record(GOOD), pseudonyms=False)

    assert (shown.partition, shown.offset, shown.key, shown.reason) == (3, 17, "gym", None)
    assert shown.appended_at == "2015-02-02T13:11:00.123Z"
    fields = json.loads(json.dumps(shown.fields))
    assert fields["occurred_at"] == "2015-02-02T13:11:00.000Z"
    assert fields["event_id"] == SCAN["event_id"]
    assert fields["party_size"] == 2


def test_a_ticket_is_shown_only_when_asked_for() -> None:
    shown, asked = (tail.show(record(GOOD), pseudonyms=wanted) for wanted in (False, True))

    assert shown.fields is not None
    assert asked.fields is not None
    assert "ticket_pid" not in shown.fields
    assert "00ff" not in json.dumps(shown.as_json())
    assert asked.fields["ticket_pid"] == "00ff"


def test_the_bytes_of_a_dead_letter_may_hold_a_ticket_and_are_not_shown_either() -> None:
    value = avro.encode(registry.by_name(DEAD_LETTER.schema), DEAD)

    shown = tail.show(record(value), pseudonyms=False)

    assert shown.fields is not None
    assert "value" not in shown.fields
    assert shown.fields["reason"] == "magic"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "null"),
        (b"\x00\x00", "short"),
        (b"\x01" + GOOD[1:], "magic"),
        (b"\x00\x00\x00\x03\xe7" + GOOD[5:], "schema"),
        (GOOD[:-3], "truncated"),
        (GOOD + b"\x00", "trailing"),
    ],
)
def test_a_record_that_cannot_be_decoded_is_shown_as_such(value: bytes | None, reason: str) -> None:
    shown = tail.show(record(value), pseudonyms=True)

    assert (shown.fields, shown.reason, shown.size_bytes) == (None, reason, len(value or b""))
