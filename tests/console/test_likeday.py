"""Today against a like day, on a real ClickHouse: the sums are those of the views, and history is asked sparingly."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import msgspec
import pytest
import pytest_asyncio
from starlette.applications import Starlette

from streams.adapters import calendar_topic, history
from streams.adapters.producer import Producer
from streams.adapters.warehouse import Warehouse
from streams.cli.setup import setup
from streams.config import Settings
from streams.console import likeday
from streams.console.documents import Now, Pipeline, Site
from streams.console.i18n import LANGUAGES
from streams.console.likeday import Like, LikeDays
from streams.console.likewords import Phrases
from streams.console.pages import likeday as likeday_page
from streams.console.shell import Parts
from streams.console.words import Words
from streams.core.blocks import CANARY
from streams.core.calendar import Calendar, ExceptionalDay, Stretch
from streams.core.days import business_day
from streams.core.likeday import candidates
from tests.beds import Bed, wait_for
from tests.console.test_paint import network

PARIS, AUCKLAND, HONOLULU = "Europe/Paris", "Pacific/Auckland", "Pacific/Honolulu"
TUESDAY = date(2026, 11, 24)
AT_1432 = round(datetime(2026, 11, 24, 14, 32, 8, tzinfo=ZoneInfo(PARIS)).timestamp() * 1000)
_COLUMNS = (
    *("site_id", "event_id", "org_id", "occurred_at", "received_at", "direction", "outcome", "party_size"),
    *("clock_trust", "ingest_mode", "producer", "test", "_partition", "_offset", "_tail"),
)

Scan = tuple[str, datetime, str, int]  # site, when, direction, people
offsets = iter(range(10**9))


class Told:
    """What the feed says of some sites."""

    def __init__(self, *sites: Site) -> None:
        self.sites = sites

    def now(self, site_id: str | None = None, *, heard_only: bool = False) -> dict[str, object]:
        del site_id, heard_only
        return {"sites": [{"site_id": one.site_id, "business_day": one.business_day} for one in self.sites]}


def site(site_id: str, entries: int = 0, zone: str = PARIS, at_ms: int = AT_1432, *, replay: bool = False) -> Site:
    """A site that was heard a moment ago."""
    return Site(
        site_id=site_id,
        name=site_id,
        time_zone=zone,
        replay=replay,
        partition=0,
        business_day=business_day(at_ms, zone, 0).isoformat(),
        inside=0,
        entries=entries,
        exits=0,
        denied=0,
        state="live",
        occurred_ms=at_ms,
        received_ms=at_ms,
    )


def at(day: date, clock: str, zone: str = PARIS) -> datetime:
    return datetime.combine(day, datetime.strptime(clock, "%H:%M").time(), ZoneInfo(zone))


async def land(settings: Settings, scans: Sequence[Scan], *, times: int = 1) -> None:
    """Rows of scans, each as often as its device sent it."""
    rows = []
    now = datetime.now(ZoneInfo("UTC"))  # retention counts from here
    for site_id, when, direction, people in scans:
        event_id = uuid.uuid4()
        about = (site_id, event_id, "org", when, now, direction, "ACCEPTED", people, "SYNCED", "LIVE", "tests", False)
        rows += [(*about, 0, next(offsets), CANARY) for _ in range(times)]
    warehouse = Warehouse(settings.clickhouse_url)
    try:
        await warehouse.insert("ticket_scan", _COLUMNS, rows)
    finally:
        await warehouse.close()


async def describe(settings: Settings, *sites: tuple[str, str, int]) -> None:
    """Time zone and end of the business day of some sites, as history knows them."""
    warehouse = Warehouse(settings.clickhouse_url)
    columns = ("site_id", "org_id", "name", "time_zone", "business_day_end_hour", "replay")
    rows = [(name, "org", name, zone, end, False) for name, zone, end in sites]
    try:
        await warehouse.insert("site", columns, rows)
    finally:
        await warehouse.close()


@pytest.fixture(scope="module")
def stores(bed: Bed, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Topics and tables."""
    bed.start()
    settings = bed.settings(tmp_path_factory.mktemp("likeday"))
    asyncio.run(setup(settings, lambda _: None))
    return settings


@pytest.fixture
def name() -> str:
    """A site of this test's own."""
    return f"like-{uuid.uuid4().hex[:8]}"


@pytest_asyncio.fixture
async def described(stores: Settings, name: str) -> str:
    await describe(stores, (name, PARIS, 0))
    return name


async def looked_up(settings: Settings, *sites: Site) -> LikeDays:
    days = LikeDays(settings, Told(*sites))
    await days.look_up()
    return days


async def test_today_is_compared_with_the_same_weekday_up_to_the_same_minute(stores: Settings, described: str) -> None:
    then = date(2026, 11, 17)
    scans = [
        (described, at(then, clock), "IN", people) for clock, people in (("09:59", 70), ("14:31", 30), ("14:32", 9))
    ]
    await land(
        stores,
        [*scans, (described, at(then, "12:00"), "OUT", 20), (described, at(date(2026, 11, 18), "10:00"), "IN", 500)],
    )

    like = (await looked_up(stores, site(described, 106))).of(site(described, 106), AT_1432)

    assert (like.state, like.day, like.until_local) == ("known", "2026-11-17", "14:32")
    assert (like.entries, like.entries_now) == (100, 106)
    assert like.change == pytest.approx(0.06)
    assert [(one.start_local, one.entries, one.inside) for one in like.bins if one.entries or one.exits] == [
        ("09:45", 70, 70),
        ("12:00", 0, 50),
        ("14:30", 39, 89),
    ]
    assert like.bins[0].at_ms == round(at(TUESDAY, "09:45").timestamp() * 1000)


async def test_a_scan_that_was_sent_twice_is_counted_once(stores: Settings, described: str) -> None:
    await land(stores, [(described, at(date(2026, 11, 17), "10:00"), "IN", 7)], times=3)

    like = (await looked_up(stores, site(described))).of(site(described), AT_1432)

    raw = history.query(stores, f"SELECT sum(party_size) FROM musee.ticket_scan WHERE site_id = '{described}'")
    assert raw == [(21,)]  # the control: a sum of rows would say so
    assert like.entries == 7


async def test_without_data_a_week_earlier_the_latest_of_the_last_four_is_taken(
    stores: Settings, described: str
) -> None:
    for weeks, people in ((3, 30), (4, 40), (5, 50)):
        await land(stores, [(described, at(TUESDAY - timedelta(weeks=weeks), "10:00"), "IN", people)])

    like = (await looked_up(stores, site(described))).of(site(described), AT_1432)

    assert (like.day, like.entries) == ("2026-11-03", 30)


async def test_a_site_without_such_a_day_says_that_there_is_none(stores: Settings, described: str) -> None:
    await land(stores, [(described, at(TUESDAY - timedelta(weeks=5), "10:00"), "IN", 50)])
    await land(stores, [(described, at(TUESDAY - timedelta(days=6), "10:00"), "IN", 50)])
    days = LikeDays(stores, Told(site(described)))

    before = days.of(site(described), AT_1432)
    await days.look_up()
    after = days.of(site(described), AT_1432)

    assert (before.state, after.state, after.day, after.bins) == ("unread", "none", None, ())


@pytest.mark.parametrize(("zone", "end"), [(AUCKLAND, 4), (HONOLULU, 12), ("UTC", 0)])
async def test_a_day_is_the_sites_own_wherever_it_is(stores: Settings, name: str, zone: str, end: int) -> None:
    # Every half an hour of three weeks somebody enters: no edge of any day is quiet.
    await describe(stores, (name, zone, end))
    start = at(date(2026, 11, 3), "00:00", "UTC")
    await land(stores, [(name, start + timedelta(minutes=30 * place), "IN", 1) for place in range(48 * 21)])

    found = await asyncio.to_thread(likeday.read, stores, {name: TUESDAY}, {})

    whole = "SELECT sum(entries) FROM musee.v_attendance_day WHERE site_id = {site:String} AND local_date = {day:Date}"
    assert found[name].day == date(2026, 11, 17)
    assert (
        [(sum(found[name].entries),)] == history.query(stores, whole, {"site": name, "day": found[name].day}) == [(48,)]
    )


async def test_too_narrow_a_window_would_be_noticed(
    stores: Settings, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await describe(stores, (name, AUCKLAND, 4))
    start = at(date(2026, 11, 15), "00:00", "UTC")
    await land(stores, [(name, start + timedelta(minutes=30 * place), "IN", 1) for place in range(48 * 5)])
    monkeypatch.setattr(likeday, "_MARGIN", timedelta())

    found = await asyncio.to_thread(likeday.read, stores, {name: TUESDAY}, {})

    assert sum(found[name].entries) < 48


@pytest_asyncio.fixture
async def with_strike(stores: Settings, described: str) -> AsyncIterator[LikeDays]:
    """The like days while the calendar says that there was a strike a week ago."""
    strike = ExceptionalDay(date(2026, 11, 17), (Stretch(600, 720),), "strike")
    producer = Producer(stores.kafka_servers, "tests", answer_s=30)
    try:
        await calendar_topic.publish(producer, [Calendar(described, ((Stretch(600, 1080),),) * 7, (strike,))], 1)
    finally:
        await producer.stop()
    days = LikeDays(stores, Told(site(described)))
    await days.start()
    try:
        yield days
    finally:
        await days.stop()


async def test_a_day_that_the_calendar_calls_exceptional_is_skipped(
    stores: Settings, described: str, with_strike: LikeDays
) -> None:
    for weeks, people in ((1, 10), (2, 20)):
        await land(stores, [(described, at(TUESDAY - timedelta(weeks=weeks), "10:00"), "IN", people)])
    told = site(described)
    await asyncio.to_thread(wait_for, lambda: with_strike.of(told, AT_1432).state != "unread", what="a like day")

    skipped = with_strike.of(site(described), AT_1432)
    without = (await looked_up(stores, site(described))).of(site(described), AT_1432)

    assert (skipped.day, skipped.entries) == ("2026-11-10", 20)
    assert (without.day, without.entries) == ("2026-11-17", 10)  # the control: nobody told it of the strike


async def test_the_network_sums_the_sites_that_have_a_like_day_and_no_others(stores: Settings) -> None:
    here, far, fresh = (f"like-{place}-{uuid.uuid4().hex[:6]}" for place in ("here", "far", "new"))
    await describe(stores, (here, PARIS, 0), (far, AUCKLAND, 0), (fresh, PARIS, 0))
    await land(stores, [(here, at(date(2026, 11, 17), "10:00"), "IN", 50)])
    # In Auckland it is Wednesday, twenty-eight minutes to three in the morning.
    await land(stores, [(far, at(date(2026, 11, 18), clock, AUCKLAND), "IN", 3) for clock in ("02:00", "03:00")])
    sites = [site(here, 60), site(far, 4, AUCKLAND), site(fresh, 1000)]
    days = await looked_up(stores, *sites)

    both, one = days.network(sites, AT_1432), days.network([sites[0], sites[2]], AT_1432)
    nobody, nothing = days.network([sites[2]], AT_1432), days.network([], AT_1432)

    assert (both.entries, both.entries_now, both.sites, both.sites_heard) == (53, 64, 2, 3)
    assert (both.day, both.until_local) == (None, None)
    assert (one.day, one.until_local, one.entries, one.sites) == ("2026-11-17", "14:32", 50, 1)
    assert sum(bin_.entries for bin_ in both.bins) == 56
    assert (nobody.state, nothing.state) == ("none", "unread")


async def test_a_replayed_site_is_compared_by_its_own_clock(stores: Settings, described: str) -> None:
    then = date(2005, 8, 19)
    await land(stores, [(described, at(then, clock), "IN", 5) for clock in ("09:00", "15:00")])
    played = site(described, 6, at_ms=round(at(date(2005, 8, 26), "12:00").timestamp() * 1000), replay=True)

    like = (await looked_up(stores, played)).of(played, AT_1432)

    assert (like.day, like.until_local, like.entries) == ("2005-08-19", "12:00", 5)


async def test_history_is_asked_once_for_all_sites_and_not_again_while_the_answer_is_fresh(stores: Settings) -> None:
    days = await looked_up(stores, *(site(f"like-many-{place}") for place in range(likeday.SITES_A_QUERY)))
    await days.look_up()
    assert days.asked == 1

    later = time.monotonic() + likeday.UNKNOWN_S + 1

    assert len(days.due(time.monotonic())) == 0
    assert len(days.due(later)) == likeday.SITES_A_QUERY


async def test_more_sites_than_one_question_takes_are_asked_in_the_next_minutes(stores: Settings) -> None:
    sites = [site(f"like-more-{place:03}") for place in range(likeday.SITES_A_QUERY + 10)]
    days = LikeDays(stores, Told(*sites), every_s=0.01)

    await days.look_up()
    left = days.due(time.monotonic())
    await days.look_up()

    assert sorted(left) == [one.site_id for one in sites[-10:]]
    assert (days.asked, len(days.due(time.monotonic()))) == (2, 0)


@pytest_asyncio.fixture
async def without_history(stores: Settings, described: str) -> AsyncIterator[LikeDays]:
    away = stores.model_copy(update={"clickhouse": "http://127.0.0.1:9"})
    days = LikeDays(away, Told(site(described)), every_s=0.05)
    await days.start()
    try:
        yield days
    finally:
        await days.stop()


async def test_clickhouse_away_means_that_nothing_is_said(described: str, without_history: LikeDays) -> None:
    await asyncio.to_thread(wait_for, lambda: without_history.asked >= 2, what="a second question")

    assert without_history.away
    assert without_history.of(site(described), AT_1432).state == "unread"
    assert without_history.network([site(described)], AT_1432).state == "unread"


def test_every_candidate_lies_in_the_window_that_is_read() -> None:
    told = likeday._window(candidates(TUESDAY))

    assert told.count(" OR ") == 3
    assert "2026-11-16 10:00:00" in told
    assert "2026-11-19 02:00:00" in told


# -- in words ----------------------------------------------------------------------------------------------------------

KNOWN = Like("louvre", "known", "2026-11-17", "14:32", 100, 106, 0.06, 1, 1, AT_1432)


@pytest.mark.parametrize(
    ("changes", "english", "french"),
    [
        ({}, "+6 % against Tuesday 17 November", "+6\u00a0% par rapport au mardi 17 novembre"),
        ({"change": -0.125}, "−13 % against Tuesday 17 November", "−13\u00a0% par rapport au mardi 17 novembre"),
        (
            {"change": 12.5},
            "+1,250 % against Tuesday 17 November",
            "+1\u202f250\u00a0% par rapport au mardi 17 novembre",
        ),
        (
            {"change": -0.004},
            "as many as on Tuesday 17 November by this time",
            "autant que le mardi 17 novembre à la même heure",
        ),
        (
            {"change": None, "entries": 0},
            "nobody had come by this time on Tuesday 17 November",
            "personne n’était encore venu à cette heure le mardi 17 novembre",
        ),
        (
            {"site_id": None, "day": None, "sites": 12, "sites_heard": 14},
            "+6 % against the same weekday, 12 of 14 sites",
            "+6\u00a0% par rapport au même jour de la semaine, 12 sites sur 14",
        ),
        ({"state": "none"}, "no like day recorded yet", "pas encore de journée comparable"),
        ({"state": "unread"}, "", ""),
    ],
)
def test_a_comparison_reads_well_in_both_languages(changes: dict[str, object], english: str, french: str) -> None:
    like = msgspec.structs.replace(KNOWN, **changes)

    assert Phrases(Words(LANGUAGES["en"])).said(like) == english
    assert Phrases(Words(LANGUAGES["fr"])).said(like) == french


def test_what_it_is_compared_with_is_said_too() -> None:
    assert Phrases(Words()).then(KNOWN) == "by 14:32 that day: 100"
    assert Phrases(Words()).then(msgspec.structs.replace(KNOWN, until_local=None)) == ""


# -- at the console ----------------------------------------------------------------------------------------------------


class Answering(Told):
    """The feed, as far as the addresses ask it."""

    @property
    def known(self) -> list[str]:
        return [one.site_id for one in self.sites]

    def now(self, site_id: str | None = None, *, heard_only: bool = False) -> dict[str, object]:
        del heard_only
        sites = tuple(one for one in self.sites if site_id in (None, one.site_id))
        if not sites:
            raise KeyError(site_id)
        told: dict[str, object] = msgspec.to_builtins(
            Now(AT_1432, 4000, Pipeline("live", AT_1432), network(*sites), sites)
        )
        return told


async def test_the_console_says_how_today_compares(stores: Settings, described: str) -> None:
    await land(stores, [(described, at(date(2026, 11, 17), "10:00"), "IN", 100)])
    feed: Any = Answering(site(described, 106))
    days = LikeDays(stores, feed)
    await days.look_up()
    unused: Any = None
    app = Starlette(routes=likeday_page.routes(Parts(stores, feed, unused, unused, days, unused)))

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://console") as console:
        like = (await console.get("/v1/like-day", params={"site": described, "lang": "fr"})).json()
        whole = (await console.get("/v1/like-day", headers={"Accept-Language": "en"})).json()
        unknown = await console.get("/v1/like-day", params={"site": "<script>"})
        foreign = await console.get("/v1/like-day", params={"lang": "xx"})

    assert (like["day"], like["until_local"], like["entries"], like["entries_now"]) == ("2026-11-17", "14:32", 100, 106)
    assert like["said"] == "+6\u00a0% par rapport au mardi 17 novembre"
    assert like["bins"] == [
        {
            "start_local": "10:00",
            "at_ms": AT_1432 - (4 * 60 + 32) * 60_000 - 8_000,
            "entries": 100,
            "exits": 0,
            "inside": 100,
        }
    ]
    assert (whole["site_id"], whole["said"]) == (None, "+6 % against Tuesday 17 November")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown-site")
    assert (foreign.status_code, foreign.json()["code"]) == (404, "unknown-language")
