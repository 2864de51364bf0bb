"""The door from outside: what its answers mean, and what a replay does about them."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from streams.adapters.gateway_client import Accepted, Away, Fault, GatewayClient, Refused, answer_of
from streams.replay import demo
from streams.replay.recordings import GYM_SWIPES
from streams.replay.run import Played, RefusedReplay, deliver, play

Said = tuple[int, dict[str, str], dict[str, object]]  # status, headers, document
ACCEPTED: Said = (202, {}, {})
AWAY: Said = (503, {"Retry-After": "2"}, {"code": "kafka-unavailable", "detail": "not accepted"})
REFUSED: Said = (
    422,
    {},
    {
        "code": "unknown-site",
        "detail": "no site file says this id",
        "errors": [
            {"index": 1, "code": "unknown-site", "path": "/data/site_id", "detail": "no site file says this id"}
        ],
    },
)


@dataclass
class Door:
    """Answers what it is told to, in turn, then accepts everything; remembers what it was sent."""

    url: str
    says: list[Said] = field(default_factory=list)
    requests: list[tuple[dict[str, str], list[dict[str, object]]]] = field(default_factory=list)


@contextmanager
def opened(port: int = 0) -> Iterator[Door]:
    door = Door("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet, or each answer waits 40 ms for an acknowledgement

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            events = body if isinstance(body, list) else [body]
            door.requests.append((dict(self.headers.items()), events))
            status, headers, document = door.says.pop(0) if door.says else ACCEPTED
            content = json.dumps(document or {"accepted": len(events)}).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = HTTPServer(("127.0.0.1", port), Handler)
    door.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield door
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def door() -> Iterator[Door]:
    with opened() as one:
        yield one


def test_a_batch_goes_with_key_and_content_type(door: Door) -> None:
    with GatewayClient(door.url, "musee_dev_x") as client:
        answer = client.post([{"id": "1"}, {"id": "2"}])

    ((headers, events),) = door.requests
    assert answer == Accepted(2)
    assert headers["Authorization"] == "Bearer musee_dev_x"
    assert headers["Content-Type"] == "application/cloudevents-batch+json"
    assert events == [{"id": "1"}, {"id": "2"}]


def test_an_event_by_itself_goes_as_such(door: Door) -> None:
    with GatewayClient(door.url, "k") as client:
        client.post_one({"id": "é"})

    ((headers, events),) = door.requests
    assert headers["Content-Type"] == "application/cloudevents+json"
    assert events == [{"id": "é"}]


def test_a_refusal_names_code_item_and_path() -> None:
    answer = answer_of(422, None, json.dumps(REFUSED[2]).encode())

    assert answer == Refused(
        422,
        "unknown-site",
        "no site file says this id",
        (Fault(1, "unknown-site", "/data/site_id", "no site file says this id"),),
    )
    assert "item 1 /data/site_id unknown-site" in str(answer)


@pytest.mark.parametrize(
    ("retry_after", "expected"), [("2", 2.0), ("900", 60.0), ("soon", None), ("-1", None), ("nan", None), (None, None)]
)
def test_a_door_that_is_away_says_when_to_come_back(retry_after: str | None, expected: float | None) -> None:
    answer = answer_of(503, retry_after, b"{}")

    assert isinstance(answer, Away)
    assert answer.retry_after_s == expected


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"\xff", b'{"errors": 1, "code": null}'])
def test_an_answer_that_is_no_problem_document_is_still_a_refusal(body: bytes) -> None:
    answer = answer_of(400, None, body)

    assert isinstance(answer, Refused)
    assert (answer.status, answer.code, answer.faults) == (400, "unknown", ())


def test_a_door_that_is_away_is_given_the_same_batch_again_after_the_time_it_asked_for(door: Door) -> None:
    door.says = [AWAY, AWAY]
    waited: list[float] = []
    said: list[str] = []

    with GatewayClient(door.url, "k") as client:
        resent = deliver(client, [{"id": "1"}], say=said.append, wait=waited.append)

    assert resent == 2
    assert waited == [2.0, 2.0]
    assert [events for _, events in door.requests] == [[{"id": "1"}]] * 3
    assert "the same batch of 1 goes again in 2 s" in said[0]


def test_a_door_that_is_not_there_yet_is_waited_for() -> None:
    with opened() as gone:
        pass
    port = int(gone.url.rpartition(":")[2])
    waited: list[float] = []

    def wait_and_open(pause_s: float) -> None:
        waited.append(pause_s)
        if len(waited) == 2:
            doors.append(context.__enter__())

    doors: list[Door] = []
    context = opened(port)
    try:
        with GatewayClient(gone.url, "k") as client:
            resent = deliver(client, [{"id": "1"}], say=lambda _: None, wait=wait_and_open)
    finally:
        context.__exit__(None, None, None)

    assert resent == 2
    assert waited == [0.5, 1.0]
    assert [events for _, events in doors[0].requests] == [[{"id": "1"}]]


def test_a_refused_batch_stops_the_replay_and_names_code_path_item_and_id(door: Door) -> None:
    door.says = [REFUSED]

    with GatewayClient(door.url, "k") as client, pytest.raises(RefusedReplay) as refused:
        deliver(client, [{"id": "first"}, {"id": "second"}], say=lambda _: None)

    for part in ("422", "unknown-site", "/data/site_id", "item 1 is 'second'"):
        assert part in str(refused.value)
    assert len(door.requests) == 1


def test_a_recording_arrives_whole_in_its_order_and_is_counted(door: Door, tmp_path: Path) -> None:
    path = tmp_path / "swipes.csv"
    lines = [f"North,{'Out' if n % 3 == 0 else 'In'},2/2/2015 {n // 60}:{n % 60:02d}" for n in range(1_200)]
    path.write_text("\n".join(["DeviceName,Direction,AlarmDateTime", *lines, "broken"]))
    door.says = [ACCEPTED, AWAY]
    seen: list[int] = []

    def note(played: Played) -> None:
        seen.append(played.accepted)

    with GatewayClient(door.url, "k") as client:
        played = play(client, GYM_SWIPES, path, speed=None, say=lambda _: None, seen=note, wait=lambda _: None)

    sizes = [len(events) for _, events in door.requests]
    arrived = [event["id"] for n, (_, events) in enumerate(door.requests) if n != 1 for event in events]
    assert sizes == [500, 500, 500, 200]
    assert arrived == [f"{line}#0" for line in lines]
    assert (played.accepted, played.counts, played.resent) == (1_200, {"entries": 800, "exits": 400}, 1)
    assert played.families == {"ticket-scan": 1_200}
    assert [fault.line for fault in played.unreadable] == [1_202]
    assert seen == [500, 1_000, 1_200]


def test_a_demo_that_was_stopped_goes_on_with_the_next_scan(door: Door, tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop_after(waits: int) -> Callable[[float], None]:
        left = [waits]

        def wait(_: float) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise StoppedError

        return wait

    with GatewayClient(door.url, "k") as client:
        for _ in range(3):
            with pytest.raises(StoppedError):
                demo.play(client, tmp_path, say=lambda _: None, wait=stop_after(5))
        demo.play(client, tmp_path, say=lambda _: None, rounds=2, wait=lambda _: None)

    expected = [
        step.scan.fact_id
        for number in (0, 1)
        for step in demo.round_steps(demo.day_scans(demo.FILE), demo.Place(number))
    ]
    assert [event["id"] for _, events in door.requests for event in events] == expected
    assert demo.load(tmp_path / "demo.json") == demo.Place(2, 0)
