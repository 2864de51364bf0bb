"""What is asked for when an alert is acknowledged, or its past is looked at: each fault by name."""

import contextlib
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.console import alert_requests, alert_routes
from streams.console.alert_requests import DAY_MS, Acknowledgement, RefusedRequest, Stretch

NOW_MS = round(datetime(2026, 7, 2, 12, 0, tzinfo=UTC).timestamp() * 1000)  # 14:00 in Paris
MINUTE = 60_000
UUID = "0d9f7f52-5f0a-5c1e-9d5b-616c65727473"


def asked(**told: Any) -> Acknowledgement:
    return alert_requests.from_json(json.dumps(told).encode(), NOW_MS)


def form(**told: str) -> Acknowledgement:
    return alert_requests.from_form(urlencode(told).encode(), NOW_MS, "Europe/Paris")


@pytest.mark.parametrize(
    ("more", "until"),
    [
        ({"minutes": 90}, NOW_MS + 90 * MINUTE),
        ({"until": NOW_MS + 1}, NOW_MS + 1),
        ({"until": "2026-07-02T15:00:00+02:00"}, NOW_MS + 60 * MINUTE),
        ({"until": "closing"}, "closing"),
    ],
)
def test_a_time_is_said_in_four_ways(more: dict[str, Any], until: int | str) -> None:
    assert asked(by="duty desk", version=7, **more) == Acknowledgement("duty desk", until, 7)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"by": "desk"}, "until"),
        ({"by": "desk", "minutes": 5, "until": 5}, "until"),
        ({"by": "desk", "minutes": "5"}, "until"),
        ({"by": "desk", "minutes": True}, "until"),
        ({"by": "desk", "minutes": 10**400}, "until"),
        ({"by": "desk", "until": "2026-07-02T15:00:00"}, "until"),
        ({"by": "desk", "until": "soon"}, "until"),
        ({"by": 5, "minutes": 5}, "who"),
        ({"minutes": 5}, "who"),
        ({"by": "desk", "minutes": 5, "version": "x"}, "wrong-type"),
        ({"by": "desk", "minutes": 5, "who": "x"}, "unknown-field"),
    ],
)
def test_what_cannot_be_read_is_named(told: dict[str, Any], code: str) -> None:
    with pytest.raises(RefusedRequest) as refused:
        asked(**told)

    assert (refused.value.code, refused.value.status) == (code, 422)


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 9000, b"\xff", b"[]", b"null"])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(RefusedRequest):
        alert_requests.from_json(body, NOW_MS)


def test_a_form_names_minutes_closing_or_the_next_time_of_day_on_the_wall() -> None:
    assert form(by="desk", **{"for": "15"}).until_ms == NOW_MS + 15 * MINUTE
    assert form(by="desk", **{"for": "closing"}).until_ms == "closing"
    assert form(by="desk", version="12", **{"for": "own"}, time="14:30").until_ms == NOW_MS + 30 * MINUTE
    assert form(by="desk", **{"for": "own"}, time="14:00").until_ms == NOW_MS + DAY_MS
    assert form(by="desk", version="12").version == 12
    for wrong in ("", "25:00", "x:y", "14", "٣:٣٠:"):
        with pytest.raises(RefusedRequest, match="time of day"):
            form(by="desk", **{"for": "own"}, time=wrong)
    with pytest.raises(RefusedRequest, match="until"):
        form(by="desk", **{"for": "ever"})


def test_the_past_is_the_last_seven_days_unless_somebody_says_otherwise() -> None:
    assert alert_requests.stretch({}, NOW_MS) == Stretch(NOW_MS - 7 * DAY_MS, NOW_MS, 50)
    named = alert_requests.stretch({"from": "2026-07-01", "to": str(NOW_MS), "limit": "5", "offset": "10"}, NOW_MS)
    assert named == Stretch(NOW_MS - DAY_MS - 12 * 3_600_000, NOW_MS, 5, 10)


@pytest.mark.parametrize(
    "query",
    [
        {"from": "x"}, {"to": "<script>"}, {"from": "9" * 300}, {"limit": "0"}, {"limit": "501"}, {"limit": "-1"},
        {"offset": "1e3"}, {"from": "2026-07-02", "to": "2026-07-01"}, {"from": "2020-01-01"}, {"limit": "٣"},
        {"from": "0001-01-01"}, {"to": "9999-12-31T23:59:59-14:00"},
    ],
)  # fmt: skip
def test_a_stretch_that_makes_no_sense_is_named(query: dict[str, str]) -> None:
    with pytest.raises(RefusedRequest) as refused:
        alert_requests.stretch(query, NOW_MS)

    assert refused.value.status == 400


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reading(body: bytes) -> None:
    with contextlib.suppress(RefusedRequest):
        alert_requests.from_json(body, NOW_MS)
    with contextlib.suppress(RefusedRequest):
        alert_requests.from_form(body, NOW_MS, "Europe/Paris")


@pytest.mark.parametrize(
    "address", ["//evil.example", "https://evil.example/", "/\\evil.example", "\\/evil.example", "evil", "", "/\tx"]
)
def test_a_form_is_never_led_to_another_host(address: str) -> None:
    assert not alert_routes.local(address)
    body = urlencode({"back": address}).encode()
    assert alert_routes._back(body, UUID, done="acknowledged").headers["location"].startswith("/alerts?done=")


def test_a_form_is_led_back_to_its_page_with_what_it_showed() -> None:
    body = urlencode({"back": "/site/louvre?lang=fr&site=x&next=//evil"}).encode()

    answer = alert_routes._back(body, UUID, refused="until")

    assert answer.status_code == 303
    assert answer.headers["location"] == f"/site/louvre?lang=fr&site=x&refused=until&alert={UUID}#message"
