"""Why this number by ``/v1/why``: what is listed adds up to ``/v1/now``, and what is taken away is noticed."""

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from streams.adapters import history
from streams.console.reader import NotReadError, Reader
from streams.core.sites import Gate, Site, Zone
from tests.beds import Part, wait_for
from tests.console.live import stopped
from tests.programs import World, scan

MORNING = datetime(2026, 7, 2, 9, 0, tzinfo=UTC)  # 11:00 in Paris
HOSTILE = "<script>alert(1)</script>\u202eetag"
MANY = 45


def at(minutes: float) -> str:
    return (MORNING + timedelta(minutes=minutes)).isoformat(timespec="milliseconds")


def of_family(site: str, family: str, minutes: float, **data: Any) -> dict[str, Any]:
    event = scan(site, type=f"musee.{family}.v1", time=at(minutes))
    return event | {"data": {"site_id": site, **data}}


def told(world: World, events: list[dict[str, Any]]) -> None:
    answer = world.post(events)
    assert answer.status_code == 202, answer.text


def made(world: World, name: str, **more: Any) -> Site:
    site = Site(
        name,
        "tests",
        "A reason",
        "Europe/Paris",
        capacity=120,
        zones=(Zone("hall", "Hall"), Zone("attic", "Attic")),
        gates=(Gate("north", "North", "hall", 0.03), Gate("roof", "Roof", "attic")),
        **({"replay": True} | more),
    )
    world.publish([site])
    wait_for(lambda: why(world, name).status_code != 404, what="the site at the console")
    refused = scan(name, direction="SIDEWAYS")  # so that nothing is counted
    wait_for(lambda: "unknown-site" not in world.post([refused]).text, what="the site at the door")
    return site


def why(world: World, site: str, **query: str | int) -> httpx2.Response:
    return world.http.get(f"{world.console.address}/v1/why/{site}", params=query, timeout=30)


@pytest.fixture(scope="module")
def day(running_world: World) -> Site:
    """A morning at two gates, and at one that no file names; every family spoke."""
    world = running_world
    site = made(world, "why-route")
    name = site.site_id
    many = [scan(name, "north", time=at(40 + place / 10), party_size=2) for place in range(MANY)]
    told(
        world,
        [
            scan(name, "north", time=at(0), party_size=7, ticket_id="TICKET-4711"),
            scan(name, "roof", time=at(10)),
            of_family(name, "occupancy-correction", 20, kind="RECOUNT", value=9, who="duty manager", why="counted <b>"),
            scan(name, "north", "OUT", time=at(30), party_size=2),
            scan(name, HOSTILE, time=at(31)),
            scan(name, "north", time=at(32), outcome="DENIED"),
            *many,
            many[0],
            of_family(name, "social-post", 5, network="x", text="A day out"),
            of_family(name, "social-post", 70, network="x", text="A day out"),
            of_family(name, "guestbook-entry", 6, text="Beau", rating=5),
            of_family(name, "guestbook-entry", 7, text="Bien", rating=4),
            of_family(name, "visitor-action", 8, action="VIEW"),
            of_family(name, "web-traffic", 0, page_views=321, assets=5, robots=2, errors=0),
            of_family(name, "position-update", 70, zone_id="hall", session_id="phone"),
            scan(name, "roof", "OUT", time=at(71)),
        ],
    )
    world.wait_quiet()
    wait_for(lambda: world.now(name)["exits"] == 3, what="the morning at the console")
    return site


def pages(world: World, site: str, limit: int, **query: str | int) -> Iterator[dict[str, Any]]:
    before: dict[str, str | int] = {}
    while True:
        page = why(world, site, limit=limit, **query, **before).json()
        yield page
        if page["older"] is None:
            return
        before = {"before": page["older"]}


# -- they add up -----------------------------------------------------------------------------------------------------


def test_the_listed_events_add_up_to_what_the_page_shows(world: World, day: Site) -> None:
    now = world.now(day.site_id)

    found = why(world, day.site_id, limit=1000).json()

    assert found["equal"]
    assert sum(one["entries"] for one in found["events"]) == now["entries"] == 99
    assert sum(one["exits"] for one in found["events"]) == now["exits"]
    assert sum(one["denied"] for one in found["events"]) == now["denied"] == 1
    changes = [one["inside"] for one in (*found["events"], *found["corrections"])]
    assert sum(changes) == now["inside"]
    assert [found["figure"][name] for name in ("inside_low", "inside_high")] == [now["inside_low"], now["inside_high"]]
    assert found["total"] == {"events": MANY + 6, "corrections": 1, "windows": len(found["windows"])}


def test_of_a_gate_a_zone_and_a_quarter_they_add_up_too(world: World, day: Site) -> None:
    now = world.now(day.site_id)
    gate = next(one for one in now["gates"] if one["gate_id"] == "north")
    day_line = world.http.get(f"{world.console.address}/v1/day", params={"site": day.site_id}).json()
    quarter = next(one for one in day_line["bins"] if one["entries"] > 50)

    north, attic = why(world, day.site_id, gate="north").json(), why(world, day.site_id, zone="attic").json()
    span = {"from": quarter["start_ms"], "to": quarter["start_ms"] + 900_000}
    bin_ = why(world, day.site_id, **span).json()

    assert all(one["equal"] for one in (north, attic, bin_))
    assert (sum(one["entries"] for one in north["events"]), north["opening"]) == (gate["entries"], None)
    assert (attic["figure"]["entries"], attic["figure"]["exits"], attic["figure"]["inside"]) == (1, 1, 0)
    assert sum(one["entries"] for one in bin_["events"]) == quarter["entries"]
    assert bin_["figure"]["inside"] == quarter["inside"]


def test_each_gate_tells_its_part_of_the_bounds(world: World, day: Site) -> None:
    found = why(world, day.site_id).json()

    shares = {one["gate"]: one["error_share"] for one in found["bounds"]}
    assert shares == {"north": 0.03, "roof": 0.02, HOSTILE: 0.02}
    assert found["figure"]["inside_low"] < found["figure"]["inside"] < found["figure"]["inside_high"]


def test_without_one_event_it_says_that_they_do_not_add_up(world: World) -> None:
    site = made(world, "why-route-less")
    told(world, [scan(site.site_id, "north", time=at(0), party_size=7), scan(site.site_id, "roof", time=at(1))])
    world.wait_quiet()
    assert why(world, site.site_id).json()["equal"]

    gone = f"DELETE FROM musee.ticket_scan WHERE site_id = '{site.site_id}' AND gate_id = 'roof'"
    history.table(world.settings, gone, write=True)

    found = why(world, site.site_id).json()
    assert not found["equal"]
    assert "gate roof, entries: figure 1, events 0" in found["differences"]


# -- pages -----------------------------------------------------------------------------------------------------------


def test_pages_list_each_event_once_newest_first_while_sums_are_of_all(world: World, day: Site) -> None:
    found = list(pages(world, day.site_id, 20))

    listed = [event for page in found for event in page["events"]]
    assert [len(page["events"]) for page in found] == [20, 20, MANY + 6 - 40]
    assert len({event["event_id"] for event in listed}) == MANY + 6 == found[0]["total"]["events"]
    assert [event["at"] for event in listed] == sorted((event["at"] for event in listed), reverse=True)
    assert all(page["sum"] == found[0]["sum"] and page["equal"] for page in found)
    assert [page["newer"] for page in found] == [None, "", found[0]["older"]]


def test_a_page_lists_the_same_while_newer_events_come(world: World) -> None:
    site = made(world, "why-route-pages")
    told(world, [scan(site.site_id, "north", time=at(place)) for place in range(6)])
    world.wait_quiet()
    first = why(world, site.site_id, limit=3).json()
    second = why(world, site.site_id, limit=3, before=first["older"]).json()

    told(world, [scan(site.site_id, "north", time=at(10 + place)) for place in range(2)])
    world.wait_quiet()

    again = why(world, site.site_id, limit=3, before=first["older"]).json()
    assert [one["event_id"] for one in again["events"]] == [one["event_id"] for one in second["events"]]
    assert (second["total"]["events"], again["total"]["events"]) == (6, 8)


# -- other figures ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("figure", "member"),
    [
        ("voice.posts", ("voice", "posts")),
        ("voice.entries", ("voice", "entries")),
        ("voice.ratings", ("voice", "ratings")),
        ("actions", ("actions",)),
        ("web.page_views", ("web", "page_views")),
    ],
)
def test_hours_add_up_to_the_figure_in_live_state_and_in_history(
    world: World, day: Site, figure: str, member: tuple[str, ...]
) -> None:
    shown: Any = world.now(day.site_id)
    for name in member:
        shown = shown[name]

    found = why(world, day.site_id, figure=figure).json()

    assert found["equal"]
    for side in ("live", "history"):
        assert sum(next(iter(part[side].values())) for part in found["parts"]) == shown > 0
    rows = world.query(found["sql"]["sums"])
    assert sum(int(row[-1]) for row in rows) == shown
    assert len(world.query(found["sql"]["events"])) > 0


def test_the_mean_rating_is_told_as_the_two_sums_it_is_made_of(world: World, day: Site) -> None:
    found = why(world, day.site_id, figure="voice.mean_rating").json()

    assert found["figure"] == {"guestbook_rating_sum": 9, "guestbook_ratings": 2}


def test_an_hour_that_live_state_alone_holds_is_told(world: World) -> None:
    site = made(world, "why-route-posts")
    told(world, [of_family(site.site_id, "social-post", 5, network="x", text="A day out")])
    world.wait_quiet()
    assert why(world, site.site_id, figure="voice.posts").json()["equal"]

    history.table(world.settings, f"DELETE FROM musee.social_post WHERE site_id = '{site.site_id}'", write=True)

    found = why(world, site.site_id, figure="voice.posts").json()
    assert not found["equal"]
    assert [(part["live"], part["history"]) for part in found["parts"]] == [({"social_posts": 1}, {"social_posts": 0})]


def test_sessions_are_of_one_minute_and_tickets_of_the_day(world: World, day: Site) -> None:
    sessions = why(world, day.site_id, figure="sessions", zone="hall").json()
    tickets = why(world, day.site_id, figure="tickets").json()

    assert (sessions["figure"], sessions["sum"], sessions["equal"]) == ({"sessions": 1}, {"sessions": 1}, True)
    assert sessions["at"].startswith("2026-07-02T12:10")
    assert (tickets["figure"], tickets["sum"], tickets["estimate"]) == ({"tickets": 1}, {"tickets": 1}, True)
    assert world.query(tickets["sql"]["sums"])[0][1] == 1


def test_the_sql_to_copy_gives_the_listed_events_also_of_a_hostile_gate(world: World, day: Site) -> None:
    for query in ({}, {"gate": HOSTILE}, {"zone": "attic"}):
        found = why(world, day.site_id, limit=1000, **query).json()

        events, sums = world.query(found["sql"]["events"]), world.query(found["sql"]["sums"])

        assert {str(row[-1]) for row in events} == {one["event_id"] for one in found["events"]}
        assert sum(row[1] for row in sums) == found["sum"]["entries"]


# -- what is never told, and what is refused -------------------------------------------------------------------------


def test_no_pseudonym_of_a_visitor_is_told(world: World, day: Site) -> None:
    ((pid,),) = world.query(
        f"SELECT DISTINCT ticket_pid FROM musee.ticket_scan WHERE site_id = '{day.site_id}' AND ticket_pid != ''"
    )
    ((session,),) = world.query(f"SELECT session_pid FROM musee.position_update WHERE site_id = '{day.site_id}'")
    api = [why(world, day.site_id, limit=1000, **query).text for query in QUERIES]
    html = [
        world.http.get(f"{world.console.address}/why/{day.site_id}", params=query, timeout=30).text for query in QUERIES
    ]

    assert all(len(str(one)) > 10 for one in (pid, session))
    ((event_id,),) = world.query(f"SELECT event_id FROM musee.ticket_scan WHERE ticket_pid = '{pid}'")
    assert str(event_id) in api[0]  # the event itself is listed: were its pseudonym told, it would be found
    for text in (*api, *html):
        assert "A reason" in text or day.site_id in text
        assert all(one not in text for one in (str(pid), str(session), "4711", "ticket_pid", "session_pid"))


QUERIES: list[dict[str, str]] = [{}, {"gate": "north"}, {"figure": "sessions", "zone": "hall"}, {"figure": "tickets"}]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"gate": "cellar-door"}, 404, "unknown-gate"),
        ({"gate": "<script>alert(1)</script>"}, 404, "unknown-gate"),
        ({"gate": "\U0001f600" * 500}, 404, "unknown-gate"),
        ({"zone": "cellar"}, 404, "unknown-zone"),
        ({"gate": "north", "zone": "hall"}, 400, "gate-and-zone"),
        ({"gate": "north", "figure": "inside"}, 400, "not-of-a-part"),
        ({"gate": "north", "figure": "voice.posts"}, 400, "not-of-a-part"),
        ({"figure": "sessions"}, 400, "not-of-a-part"),
        ({"figure": "moods"}, 404, "unknown-figure"),
        ({"from": "11:00", "to": "10:00"}, 400, "backward"),
        ({"from": "noon"}, 400, "not-a-time"),
        ({"from": "2026-02-30T10:00"}, 400, "no-such-time"),
        ({"from": "999999999999999"}, 400, "not-a-minute"),
        ({"from": "999999999960000"}, 400, "no-such-time"),
        ({"from": "2026-03-29T02:30"}, 400, "skipped-time"),
        ({"from": "2026-10-25T02:30"}, 400, "double-time"),
        ({"from": "2026-01-01T00:00", "to": "2026-07-01T00:00"}, 400, "too-long"),
        ({"before": "yesterday"}, 400, "not-a-page"),
        ({"before": "1_" + "a" * 3000}, 400, "not-a-page"),
        ({"limit": "0"}, 400, "not-a-limit"),
        ({"limit": "1e3"}, 400, "not-a-limit"),
    ],
)
def test_a_nonsense_question_is_a_problem_by_api_and_a_page_by_address(
    world: World, day: Site, query: dict[str, str], status: int, code: str
) -> None:
    answer = why(world, day.site_id, **query)
    html = world.http.get(f"{world.console.address}/why/{day.site_id}", params=query, timeout=30)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert html.status_code == status
    assert "<script>alert(1)" not in html.text
    assert 'data-equal="none"' in html.text


def test_an_unknown_site_is_a_problem_by_api_and_a_page_by_address(world: World) -> None:
    answer, html = why(world, "nowhere"), world.http.get(f"{world.console.address}/why/nowhere")

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-site")
    assert html.status_code == 404
    assert 'href="/"' in html.text


def test_a_site_that_was_never_heard_has_nothing_behind_it(world: World) -> None:
    site = made(world, "why-route-silent", replay=False)

    found = why(world, site.site_id).json()

    assert (found["figure"]["inside"], found["events"]) == (0, [])


# -- parts that are away ---------------------------------------------------------------------------------------------


def test_a_store_that_is_away_is_named_and_nothing_breaks(world: World, day: Site) -> None:
    part: Part = world.bed.clickhouse
    part.terminate()
    try:
        answer = why(world, day.site_id)
        html = world.http.get(f"{world.console.address}/why/{day.site_id}", timeout=30)
    finally:
        part.start()

    assert (answer.status_code, answer.json()["code"]) == (503, "clickhouse")
    assert answer.headers["retry-after"]
    assert html.status_code == 503
    assert "Clickhouse does not answer" in html.text


async def test_a_history_that_hangs_holds_up_neither_the_feed_nor_more_than_a_few(world: World, day: Site) -> None:
    async with httpx2.AsyncClient(base_url=world.console.address, trust_env=False, timeout=60) as client:
        with stopped(world.bed.clickhouse.pid):
            asked = [asyncio.create_task(client.get(f"/v1/why/{day.site_id}")) for _ in range(14)]
            await asyncio.sleep(0.5)
            waits = []
            for _ in range(10):
                began = time.monotonic()
                assert (await client.get("/v1/now", params={"site": day.site_id})).status_code == 200
                waits.append(time.monotonic() - began)
            refused = [task for task in asked if task.done()]
        answers = await asyncio.gather(*asked)

    assert max(waits) < 0.5
    assert len(refused) >= 4
    assert {task.result().json()["code"] for task in refused} == {"busy"}
    assert {answer.status_code for answer in answers} <= {200, 503}


async def test_a_read_that_was_given_up_keeps_its_place_until_it_ends() -> None:
    reader, gate = Reader(at_once=1, waiting=1, within_s=0.1), threading.Event()

    with pytest.raises(NotReadError) as slow:
        await reader.read(gate.wait)
    with pytest.raises(NotReadError) as waiting:
        await reader.read(lambda: 1)
    gate.set()

    assert not slow.value.busy
    assert not waiting.value.busy
    assert await reader.read(lambda: 2) == 2


async def test_what_a_read_raises_is_raised_where_it_is_awaited() -> None:
    def fail() -> None:
        raise ValueError("here")

    with pytest.raises(ValueError, match="here"):
        await Reader().read(fail)
