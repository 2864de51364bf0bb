"""Acknowledging by the API and by a form, and the past: on the whole running stack."""

import asyncio
import json
import re
import time
import uuid
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from streams.adapters import alert_tail
from streams.adapters.alert_store import key
from streams.console import alert_requests, server
from streams.console.feed import Feed
from streams.core.alerts import Alert
from streams.core.partitions import partition_of
from streams.core.sites import Gate, Site, Zone
from streams.topology import PARTITIONS
from tests.beds import wait_for
from tests.console.test_alert_page import MORNING, all_of, enter, known
from tests.programs import World
from tests.verbs import musee

HOUR_MS = 3_600_000
FORM = {"Content-Type": alert_requests.FORM, "Accept": "text/html"}


def made(world: World, **changes: Any) -> str:
    """A site with people for 100, of which 86 are inside: its alert at 85 % is open."""
    name = f"desk-{uuid.uuid4().hex[:8]}"
    site = Site(
        name, "tests", "A full house", "Europe/Paris", capacity=100, replay=True,
        gates=(Gate("north", "North"),), zones=(Zone("hall", "Hall"),),
    )  # fmt: skip
    world.publish([replace(site, **changes)])
    enter(world, name, 86)
    wait_for(
        lambda: name in known(world) and rules(world, name) == ["capacity-85", "capacity-70"], within_s=40, what="it"
    )
    return name


def rules(world: World, site: str) -> list[str]:
    return [one["rule"] for one in all_of(world, site)["alerts"]]


@pytest.fixture(scope="module")
def house(running_world: World) -> str:
    return made(running_world)


def of(world: World, site: str, rule: str = "capacity-85") -> dict[str, Any]:
    return next(one for one in all_of(world, site)["alerts"] if one["rule"] == rule)


def post(world: World, alert_id: str, body: object, **headers: str) -> httpx2.Response:
    return world.http.post(f"{world.console.address}/v1/alerts/{alert_id}/acknowledge", json=body, headers=headers)


def send(client: httpx2.Client, world: World, alert_id: str, **fields: str) -> httpx2.Response:
    """As the page's form does."""
    url = f"{world.console.address}/v1/alerts/{alert_id}/acknowledge"
    return client.post(url, content=urlencode(fields), headers=FORM)


def published(world: World, alert_id: str) -> Alert:
    """What was said of an alert last, in the topic."""
    since = time.time_ns() // 1_000_000 - HOUR_MS
    return asyncio.run(alert_tail.recent(world.settings.kafka_servers, since))[alert_id]


def past(world: World, **query: object) -> httpx2.Response:
    return world.http.get(f"{world.console.address}/v1/alerts/history", params=query)  # type: ignore[arg-type]


# -- acknowledging ---------------------------------------------------------------------------------------------------


def test_an_acknowledgement_is_in_the_api_the_list_the_topic_and_then_the_past(world: World) -> None:
    site = made(world)
    one = of(world, site)

    answer = post(world, one["alert_id"], {"by": " duty desk ", "minutes": 60, "version": one["version"]})

    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["state"], said["acknowledged_by"]) == ("ACKNOWLEDGED", "duty desk")
    assert abs(said["acknowledged_until_ms"] - time.time() * 1000 - HOUR_MS) < 30_000
    assert answer.headers["cache-control"] == "no-store"
    assert of(world, site)["version"] == said["version"]  # at once, not a second later
    listed = json.loads(musee(world.settings, "alerts", "list", "--site", site, "--json").stdout)
    assert [(two["alert_id"], two["acknowledged_by"]) for two in listed] == [(one["alert_id"], "duty desk")]
    assert published(world, one["alert_id"]).version == said["version"]

    enter(world, site, 86, 5, "OUT")
    wait_for(lambda: rules(world, site) == [], what="the resolution")
    refused = post(world, one["alert_id"], {"by": "desk", "minutes": 5})
    assert (refused.status_code, refused.json()["code"]) == (409, "closed-alert")
    wait_for(lambda: {two["state"] for two in episodes(world, site)} == {"RESOLVED"}, what="the past")
    ended = next(two for two in episodes(world, site) if two["alert_id"] == one["alert_id"])
    (taken,) = ended["acknowledged"]
    assert (taken["by"], taken["until_ms"]) == ("duty desk", said["acknowledged_until_ms"])
    assert (ended["opened_ms"], ended["duration_s"]) == (MORNING.timestamp() * 1000, 300)
    assert (ended["level"], ended["peak"] >= 86, ended["played"]) == (85, True, True)
    assert {two["rule"] for two in episodes(world, site) if not two["acknowledged"]} == {"capacity-70"}


def episodes(world: World, site: str) -> list[dict[str, Any]]:
    answer = past(world, site=site)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["alerts"]
    return found


def test_the_control_where_nobody_acknowledges_nothing_is_acknowledged(world: World, house: str) -> None:
    assert of(world, house, "capacity-70")["acknowledged_by"] is None
    assert all_of(world, house)["alerts"][0]["state"] == "OPEN"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"by": "  ", "minutes": 5}, 422, "who"),
        ({"by": "x" * 101, "minutes": 5}, 422, "who"),
        ({"by": "a\nb", "minutes": 5}, 422, "who"),
        ({"by": "\u200b", "minutes": 5}, 422, "who"),
        ({"by": "desk", "minutes": 0}, 422, "until"),
        ({"by": "desk", "minutes": -5}, 422, "until"),
        ({"by": "desk", "minutes": 1441}, 422, "until"),
        ({"by": "desk", "until": "2020-01-01T00:00:00Z"}, 422, "until"),
        ({"by": "desk", "until": 10**15}, 422, "until"),
        ({"by": "desk", "until": "closing"}, 422, "until"),  # its clock is its events'
        ({"by": "desk", "minutes": 5, "version": 1}, 409, "changed-alert"),
        ([], 422, "wrong-type"),
        ({"by": "x" * 20_000, "minutes": 5}, 413, "too-large"),
    ],
)
def test_a_wrong_acknowledgement_is_named_and_changes_nothing(
    world: World, house: str, body: object, status: int, code: str
) -> None:
    before = of(world, house)

    answer = post(world, before["alert_id"], body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert of(world, house) == before
    assert published(world, before["alert_id"]).version == before["version"]


def test_a_lone_surrogate_is_no_name(world: World, house: str) -> None:
    one = of(world, house)
    url = f"{world.console.address}/v1/alerts/{one['alert_id']}/acknowledge"

    answer = world.http.post(
        url, content=b'{"by": "\\ud800", "minutes": 5}', headers={"Content-Type": "application/json"}
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "who")


@pytest.mark.parametrize("alert_id", ["nope", str(uuid.UUID(int=7)), "%3Cscript%3E", "x" * 2000])
def test_an_unknown_alert_is_a_404(world: World, alert_id: str) -> None:
    answer = post(world, alert_id, {"by": "desk", "minutes": 5})

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-alert")


def test_other_methods_and_media_types_are_refused(world: World, house: str) -> None:
    url = f"{world.console.address}/v1/alerts/{of(world, house)['alert_id']}/acknowledge"

    assert world.http.get(url).status_code == 405
    assert world.http.post(url, content=b"by=desk", headers={"Content-Type": "text/plain"}).status_code == 415


def test_two_who_saw_the_same_alert_do_not_take_it_from_each_other_unseen(world: World) -> None:
    site = made(world)
    one = of(world, site)
    seen = {"minutes": 30, "version": one["version"]}

    first, second = (post(world, one["alert_id"], {"by": desk, **seen}) for desk in ("desk 1", "desk 2"))
    third = post(world, one["alert_id"], {"by": "desk 3", "minutes": 30})  # who does not say what it saw

    assert (first.status_code, second.status_code, third.status_code) == (200, 409, 200)
    assert "desk 1 looks after it" in second.json()["detail"]
    assert of(world, site)["acknowledged_by"] == "desk 3"


# -- the form --------------------------------------------------------------------------------------------------------


def test_a_form_leads_back_with_a_message_and_its_post_is_remembered(world: World) -> None:
    site = made(world)
    one = of(world, site)
    with httpx2.Client(timeout=15) as browser:
        page = browser.get(f"{world.console.address}/alerts?site={site}").text
        (token,) = set(re.findall(r'name="csrf" value="([^"]+)"', page))
        fields = {"version": str(one["version"]), "back": f"/alerts?site={site}&lang=fr", "csrf": token}

        answer = send(browser, world, one["alert_id"], by="bureau « nuit » ✓", **fields, **{"for": "15"})

        assert answer.status_code == 303
        assert answer.headers["location"].startswith(f"/alerts?site={site}&lang=fr&done=acknowledged&alert=")
        page = browser.get(world.console.address + answer.headers["location"]).text
        assert "C’est pris en charge." in page
        assert "bureau « nuit » ✓" in page.split("<form")[0] + page.split('data-list="taken"')[1]
        assert 'name="by" required maxlength="100" value="bureau « nuit » ✓"' in page

        refused = send(browser, world, one["alert_id"], by="x", **fields, **{"for": "own", "time": "soon"})
        assert "refused=until" in refused.headers["location"]
        page = browser.get(world.console.address + refused.headers["location"]).text
        assert "Indiquez une heure dans les 24 prochaines heures." in page

        before = of(world, site)
        without = send(browser, world, one["alert_id"], by="x", **(fields | {"csrf": ""}), **{"for": "15"})
        assert (without.status_code, without.json()["code"]) == (403, "csrf")
        assert of(world, site) == before


def test_the_page_opens_the_form_of_the_alert_that_is_asked_for_and_does_not_renew_itself_then(
    world: World, house: str
) -> None:
    one = of(world, house)

    closed = world.http.get(f"{world.console.address}/alerts?site={house}").text
    opened = world.http.get(f"{world.console.address}/alerts?site={house}&acknowledge={one['alert_id']}").text

    assert 'http-equiv="refresh"' in closed
    assert 'http-equiv="refresh"' not in opened
    assert opened.count("data-take") - opened.count('hidden>\n    <input type="hidden" name="version"') == 1


# -- the past --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "x"}, {"from": "<script>"}, {"from": "9", "to": "8"}])
def test_a_past_that_cannot_be_asked_for_is_named(world: World, query: dict[str, str]) -> None:
    answer = past(world, **query)

    assert answer.status_code == 400
    assert answer.json()["parameter"] in query


def test_the_past_is_paged_and_counts_played_sites_apart(world: World, house: str) -> None:
    wait_for(lambda: len(episodes(world, house)) == 2, what="the past of a house")
    whole = past(world, limit=500).json()
    some = [past(world, limit=2, offset=offset, to=whole["to_ms"]).json()["alerts"] for offset in (0, 2)]

    assert [one["alert_id"] for page in some for one in page] == [one["alert_id"] for one in whole["alerts"][:4]]
    assert whole["rate"]["played"]["opened"] >= 2
    assert whole["rate"]["real"]["opened"] == sum(not one["played"] for one in whole["alerts"])
    days = (whole["to_ms"] - whole["from_ms"]) / 86_400_000
    assert whole["rate"]["played"]["per_day"] == pytest.approx(whole["rate"]["played"]["opened"] / days, abs=0.001)
    nobody = past(world, site=house, **{"from": 0, "to": HOUR_MS}).json()
    assert (nobody["total"], nobody["alerts"]) == (0, [])
    assert past(world, site="nope").status_code == 404


# -- what is away ----------------------------------------------------------------------------------------------------


async def _of_a_console_without(
    world: World, site: str, **away: str
) -> tuple[httpx2.Response, httpx2.Response, httpx2.Response]:
    """What a console says whose one store is nowhere: to an acknowledgement, of the past, and as a page."""
    settings = world.settings.model_copy(update=away)
    one = await asyncio.to_thread(of, world, site)
    app = server.application(settings, Feed(settings))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=world.console.address) as client:
        posted = await client.post(
            f"/v1/alerts/{one['alert_id']}/acknowledge", json={"by": "desk", "minutes": 5, "version": one["version"]}
        )
        return posted, await client.get("/v1/alerts/history"), await client.get("/alerts")


@pytest.mark.parametrize(
    ("away", "status"),
    [
        ({"kafka": "127.0.0.1:9"}, {"kafka": 503, "clickhouse": 200}),
        ({"redis": "redis://127.0.0.1:9/0"}, {"redis": 503, "clickhouse": 200}),
        ({"clickhouse": "http://127.0.0.1:9"}, {"clickhouse": 503}),
    ],
    ids=["kafka", "redis", "clickhouse"],
)
async def test_a_store_that_is_away_is_named_and_nothing_is_half_done(
    world: World, house: str, away: dict[str, str], status: dict[str, int]
) -> None:
    before = stored(world, house)
    (name,) = away

    posted, past_, page = await _of_a_console_without(world, house, **away)

    assert posted.status_code == (200 if name == "clickhouse" else 503)  # the control: it works without ClickHouse
    if name != "clickhouse":
        assert posted.json()["dependency"] == name
        assert "Retry-After" in posted.headers
        assert stored(world, house) == before  # nothing waits to be said later
    assert past_.status_code == status["clickhouse"]
    assert page.status_code == 200
    assert ("ClickHouse does not answer" in page.text) == (name == "clickhouse")


def stored(world: World, site: str) -> dict[str, str]:
    """What the live store holds of a site's alerts."""
    told: dict[str, str] = world.redis().hgetall(key(partition_of(site, PARTITIONS)))  # type: ignore[assignment]
    return {name: text for name, text in told.items() if name.endswith(f"|{site}")}
