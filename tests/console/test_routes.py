"""The console's addresses on a running stack (fixture ``live_stack``), without a browser."""

import json
import time
from itertools import pairwise
from statistics import median
from typing import Any

import httpx2
import pytest

from streams.console import server
from streams.topology import PARTITIONS

MOVING = "demo"


@pytest.mark.parametrize("path", ["/", "/?site=nope", "/v1/now", "/v1/day", "/static/x/page.css", "/health", "/nope"])
async def test_every_answer_carries_the_policy(api: httpx2.AsyncClient, path: str) -> None:
    answer = await api.get(path)

    assert answer.headers["content-security-policy"] == server.CSP
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/v1/now?site=nope", "/v1/day?site=nope"])
async def test_an_unknown_site_is_a_problem_that_names_the_known_ones(api: httpx2.AsyncClient, path: str) -> None:
    answer = await api.get(path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert MOVING in answer.json()["sites"]


async def test_files_of_this_build_may_be_kept_for_ever_and_others_not_at_all(api: httpx2.AsyncClient) -> None:
    html = (await api.get("/")).text
    address = html.split('rel="stylesheet" href="')[1].split('"')[0]
    build = address.split("/")[2]

    kept, old = await api.get(address), await api.get(address.replace(build, "older"))

    assert "immutable" in kept.headers["cache-control"]
    assert old.headers["cache-control"] == "no-cache"
    assert (await api.get(address, headers={"If-None-Match": old.headers["etag"]})).status_code == 304


async def test_the_feed_says_hello_then_all_sites_then_something_every_second(api: httpx2.AsyncClient) -> None:
    heard: list[tuple[str, str, dict[str, Any], float]] = []
    async with api.stream("GET", "/v1/feed") as answer:
        kind = mark = ""
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
            elif name == "id":
                mark = value
            elif name == "data":
                heard.append((kind, mark, json.loads(value), time.monotonic()))
            if len(heard) == 8:
                break

    assert answer.headers["x-accel-buffering"] == "no"
    assert [event for event, *_ in heard[:2]] == ["hello", "snapshot"]
    assert {event for event, *_ in heard[2:]} == {"delta"}
    assert all(mark for _, mark, *_ in heard[1:])
    assert all(site["received_ms"] for site in heard[1][2]["sites"])
    assert all(len(data["confirmed"]) == PARTITIONS for _, _, data, _ in heard[1:])
    assert {site["partition"] for site in heard[1][2]["sites"]} <= set(range(PARTITIONS))
    waits_s = [later[3] - sooner[3] for sooner, later in pairwise(heard[1:])]
    assert median(waits_s) < 2.0, waits_s  # a busy machine may hold up one of them
