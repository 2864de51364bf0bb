"""The door refuses what can never succeed, with code and path, and produces nothing."""

import json
from typing import Any

import pytest

from streams.core.partitions import partition_of
from streams.topology import PARTITIONS, TICKET_SCAN
from tests.programs import BATCH, World, scan

FUTURE = "2031-01-01T00:00:00Z"

REFUSALS: list[tuple[str, dict[str, Any], str, str]] = [
    ("a field that the family does not have", scan("example", colour="red"), "unknown-field", "/data/colour"),
    ("a number as text", scan("example", party_size="3"), "wrong-type", "/data/party_size"),
    ("a party of nobody", scan("example", party_size=0), "out-of-range", "/data/party_size"),
    ("a direction that is none", scan("example", direction="UP"), "out-of-range", "/data/direction"),
    ("a family that is none", scan("example", type="musee.parade.v1"), "unknown-family", "/type"),
    ("a site that no file describes", scan("atlantis"), "unknown-site", "/data/site_id"),
    ("tomorrow, at a live site", scan("example", time=FUTURE), "future", "/time"),
    ("a recording, at a live site", scan("example", ingest_mode="REPLAY"), "replay-refused", "/data/ingest_mode"),
    ("no time zone", scan("example", time="2026-01-01T00:00:00"), "out-of-range", "/time"),
    ("no site", {**scan("example"), "data": {"direction": "IN"}}, "missing-field", "/data/site_id"),
    ("no time", {k: v for k, v in scan("example").items() if k != "time"}, "missing-field", "/time"),
]


@pytest.mark.parametrize(("event", "code", "path"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_a_faulty_event_is_refused_with_its_whole_batch(
    world: World, event: dict[str, Any], code: str, path: str
) -> None:
    before = _end(world)

    answer = world.post([scan("example"), event])

    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code == 422
    assert [(one["index"], one["code"], one["path"]) for one in problem["errors"]] == [(1, code, path)]
    assert _end(world) == before


def _end(world: World) -> int:
    """Log end of the partition that the example lives in."""
    home = partition_of("example", PARTITIONS)
    (end,) = {row.end for row in world.lag_rows() if row.topic == TICKET_SCAN.topic and row.partition == home}
    return end


def test_malformed_json_is_refused(world: World) -> None:
    headers = world.authorization | {"Content-Type": BATCH}

    answer = world.http.post(f"{world.gateway.address}/v1/events", content=b'[{"id": ', headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed-json")


def test_a_body_over_one_mebibyte_is_refused(world: World) -> None:
    headers = world.authorization | {"Content-Type": BATCH}
    body = json.dumps([scan("example", reason="x" * 100)] * 4000).encode()

    answer = world.http.post(f"{world.gateway.address}/v1/events", content=body, headers=headers)

    assert len(body) > 1024 * 1024
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


def test_an_unknown_key_is_refused(world: World) -> None:
    answer = world.post([scan("example")], Authorization="Bearer musee_dev_0000_0000_0000")

    assert (answer.status_code, answer.json()["code"]) == (401, "unknown-key")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_another_media_type_is_refused(world: World) -> None:
    answer = world.post([scan("example")], **{"Content-Type": "text/plain"})

    assert (answer.status_code, answer.json()["code"]) == (415, "unknown-media-type")


def test_one_event_alone_may_be_sent_structured(world: World) -> None:
    headers = world.authorization | {"Content-Type": "application/cloudevents+json; charset=utf-8"}

    answer = world.http.post(f"{world.gateway.address}/v1/events", json=scan("example"), headers=headers)

    assert (answer.status_code, answer.json()["accepted"]) == (202, 1)


def test_a_replayed_site_takes_events_of_any_year(world: World) -> None:
    old = scan("calit2", time="1999-12-31T23:59:59-08:00", ingest_mode="REPLAY", test=True)

    assert world.post([old]).status_code == 202


def test_a_batch_of_half_a_million_nothings_does_not_hold_up_the_others(world: World) -> None:
    headers = world.authorization | {"Content-Type": BATCH}
    body = b"[" + b",".join([b"1"] * 500_000) + b"]"

    answer = world.http.post(f"{world.gateway.address}/v1/events", content=body, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (413, "too-many")


def test_an_answer_names_a_hundred_culprits_and_counts_all(world: World) -> None:
    answer = world.post([scan("atlantis") for _ in range(150)])

    problem = answer.json()
    assert (len(problem["errors"]), problem["errors_total"]) == (100, 150)
