"""Distinct tickets and seen ids, end to end: page and history count the same tickets, and late events leave no ids."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from streams.adapters import live_keys
from streams.core.days import HOUR_MS, hour_name
from streams.core.partitions import partition_of
from streams.core.sites import Site
from streams.topology import PARTITIONS, SEEN_MS, TICKET_SCAN
from tests.beds import wait_for
from tests.programs import World, scan

PARIS = ZoneInfo("Europe/Paris")


@pytest.fixture
def site(world: World) -> str:
    """A live museum that is open until two and that nobody else uses."""
    name = "uniques" + uuid.uuid4().hex[:8]
    world.publish([Site(name, "tests", "Museum of tickets", "Europe/Paris", business_day_end_hour=2)])
    wait_for(lambda: world.post([scan(name, test=True)]).status_code == 202, what="the site being known")
    return name


def local(days_ago: int, clock: str) -> datetime:
    """A time on the clocks of the site."""
    day = datetime.now(PARIS).date() - timedelta(days=days_ago)
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=PARIS)


def entry(site: str, at: datetime, ticket: int | None, **more: Any) -> dict[str, Any]:
    """An accepted entry, unless it says something else."""
    named = {} if ticket is None else {"ticket_id": f"T-{ticket}"}
    return scan(site, "north", time=at.astimezone(UTC).isoformat(timespec="milliseconds"), **named, **more)


def test_history_counts_each_ticket_of_a_business_day_once_and_says_how_often_it_came_again(
    world: World, site: str
) -> None:
    noon, night, next_day = local(2, "12:00:00"), local(1, "01:59:59"), local(1, "12:00:00")
    annulled = entry(site, noon, 40)
    events = [
        *(entry(site, noon + timedelta(seconds=ticket), ticket) for ticket in range(30)),
        *(entry(site, noon + timedelta(hours=2), ticket) for ticket in range(10)),  # came in again
        entry(site, night, 0, party_size=4),
        entry(site, night, 31),
        entry(site, noon, None),  # named no ticket
        annulled,
        entry(site, noon, 40, outcome="ANNULLED"),
        entry(site, noon, 50, outcome="DENIED"),
        entry(site, noon, 51, direction="OUT"),
        entry(site, noon, 52, test=True),
        entry(site, next_day, 0),
    ]

    for _ in range(2):  # resent
        assert world.post(events).status_code == 202

    world.wait_quiet()
    assert world.query(
        "SELECT local_date, tickets, scans_with_ticket, repeats, scans_without_ticket FROM musee.v_tickets_day "
        f"WHERE site_id = '{site}' ORDER BY local_date"
    ) == [
        (noon.date(), 32, 43, 11, 1),
        (next_day.date(), 1, 1, 0, 0),
    ]
    redis, partition = world.redis(), partition_of(site, PARTITIONS)
    live = {
        day: sum(redis.pfcount(key) for key in live_keys.uniques(partition, site, day.isoformat()))
        for day in (noon.date(), next_day.date())
    }
    assert live == {noon.date(): 32, next_day.date(): 1}


def test_the_page_says_how_many_tickets_entered_today(world: World, site: str) -> None:
    at = datetime.now(UTC)
    events = [entry(site, at, ticket % 7, party_size=2) for ticket in range(20)]

    assert world.post(events).status_code == 202

    wait_for(lambda: world.now(site)["entries"] == 40, what="the entries")
    assert world.now(site)["tickets"] == 7
    page = world.http.get(f"{world.console.address}/site/{site}").text
    assert f'<p class="unit" data-tickets="{site}">7 tickets</p>' in page


def test_an_event_that_comes_too_late_leaves_no_id_and_one_that_does_not_leaves_it_for_a_bounded_time(
    world: World, site: str
) -> None:
    redis, now = world.redis(), datetime.now(UTC)
    keys = {
        hours: live_keys.seen(
            partition_of(site, PARTITIONS),
            TICKET_SCAN.name,
            hour_name(round((now - timedelta(hours=hours)).timestamp() * 1000) // HOUR_MS * HOUR_MS),
        )
        for hours in (71, 73)
    }
    before = {hours: redis.scard(key) for hours, key in keys.items()}

    for hours in keys:
        events = [entry(site, now - timedelta(hours=hours), ticket) for ticket in range(5)]
        assert world.post(events).status_code == 202

    world.wait_quiet()
    assert {hours: redis.scard(key) - before[hours] for hours, key in keys.items()} == {71: 5, 73: 0}
    assert 0 < redis.ttl(keys[71]) <= SEEN_MS // 1000
    late = f"SELECT count() FROM musee.v_scans WHERE site_id = '{site}' AND NOT test"
    assert world.query(late) == [(10,)]
