"""Counts of presence stay when the positions go, 24 hours after they were received."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from streams.adapters import migrations
from streams.adapters.warehouse import Warehouse
from streams.config import Settings
from streams.core.blocks import CANARY
from streams.sink.presence import restate

TEN = datetime(2016, 4, 19, 10, 0, 5, tzinfo=UTC)
SOON_GONE = 24 - 5 / 3600  # hours; gone 5 s later, or a merge could take it before it was counted
EVER = datetime.fromtimestamp(0, UTC)
COLUMNS = (
    "event_id", "org_id", "site_id", "zone_id", "session_pid", "occurred_at", "received_at", "clock_trust",
    "ingest_mode", "producer", "test", "_partition", "_offset", "_tail",
)  # fmt: skip


@pytest.fixture
async def warehouse(settings: Settings) -> AsyncIterator[Warehouse]:
    warehouse = Warehouse(settings.clickhouse_url)
    await migrations.migrate(warehouse)
    yield warehouse
    await warehouse.close()


class Site:
    """Positions of a site of its own."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.name = "presence-" + uuid.uuid4().hex[:8]
        self._warehouse = warehouse
        self._offset = 0

    async def seen(
        self, session: str, zone: str = "hall", *, at: datetime = TEN, hours_ago: float = 0, test: bool = False
    ) -> None:
        """A session in a zone, received so long ago."""
        received = datetime.now(UTC) - timedelta(hours=hours_ago)
        row = [uuid.uuid4(), "o", self.name, zone, session, at, received, "UNKNOWN", "REPLAY", "tests", test]
        await self._warehouse.insert("position_update", COLUMNS, [[*row, 0, self._offset, CANARY]])
        self._offset += 1

    async def let_go(self) -> None:
        """Have everything done that the engine does by and by, until what is due has gone."""
        for _ in range(30):
            await self._warehouse.command("OPTIMIZE TABLE musee.position_update FINAL")
            if await self.raw() == 0:
                return
            await asyncio.sleep(0.5)
        raise AssertionError("the positions are still there")

    async def raw(self) -> int:
        ((rows,),) = await self._warehouse.query(
            "SELECT count() FROM musee.position_update WHERE site_id = {site:String}", {"site": self.name}
        )
        return int(rows)

    async def sessions(self) -> dict[str, int]:
        rows = await self._warehouse.query(
            "SELECT zone_id, sessions FROM musee.v_presence WHERE site_id = {site:String}", {"site": self.name}
        )
        return dict(rows)


async def test_positions_go_a_day_after_they_were_received_and_their_count_stays(warehouse: Warehouse) -> None:
    site = Site(warehouse)
    await site.seen("a", hours_ago=SOON_GONE)
    await site.seen("b", hours_ago=SOON_GONE)
    await restate(warehouse, EVER)

    await site.let_go()

    assert await site.raw() == 0
    assert await site.sessions() == {"hall": 2}


async def test_control_without_a_pass_the_count_goes_with_them(warehouse: Warehouse) -> None:
    site = Site(warehouse)
    await site.seen("a", hours_ago=SOON_GONE)

    await site.let_go()

    assert await site.sessions() == {}


async def test_positions_of_ten_years_ago_stay_a_day_if_they_came_today(warehouse: Warehouse) -> None:
    site = Site(warehouse)
    gone = Site(warehouse)
    await site.seen("a", hours_ago=23)
    await gone.seen("a", hours_ago=SOON_GONE)

    await gone.let_go()

    assert await site.raw() == 1


async def test_the_view_is_right_before_the_first_pass(warehouse: Warehouse) -> None:
    site = Site(warehouse)
    await site.seen("a")
    await site.seen("a")
    await site.seen("b", "stairs")

    assert await site.sessions() == {"hall": 1, "stairs": 1}


async def test_a_late_position_never_shrinks_a_minute_whose_others_have_gone(warehouse: Warehouse) -> None:
    site = Site(warehouse)
    await site.seen("a", hours_ago=SOON_GONE)
    await site.seen("b", hours_ago=SOON_GONE)
    since = await restate(warehouse, EVER)
    await site.let_go()
    await site.seen("c")

    await restate(warehouse, since)

    assert await site.sessions() == {"hall": 2}


async def test_a_pass_may_be_repeated(warehouse: Warehouse) -> None:
    site = Site(warehouse)
    await site.seen("a")
    since = await restate(warehouse, EVER)

    await restate(warehouse, since)
    await restate(warehouse, EVER)

    assert await site.sessions() == {"hall": 1}


async def test_a_pass_counts_what_landed_since_the_one_before(warehouse: Warehouse) -> None:
    site = Site(warehouse)
    since = await restate(warehouse, EVER)
    await site.seen("a")
    await site.seen("b")
    await site.seen("c", test=True)

    await restate(warehouse, since)

    rows = await warehouse.query(
        "SELECT max(sessions) FROM musee.presence_minute WHERE site_id = {site:String}", {"site": site.name}
    )
    assert rows == [(2,)]


async def test_positions_of_many_years_are_kept_as_those_of_a_day(warehouse: Warehouse) -> None:
    site = Site(warehouse)
    for month in range(130):  # more partitions than an insert may make unasked
        await site.seen("a", at=datetime(1990 + month // 12, month % 12 + 1, 1, tzinfo=UTC))

    await restate(warehouse, EVER)

    rows = await warehouse.query(
        "SELECT count() FROM musee.presence_minute WHERE site_id = {site:String}", {"site": site.name}
    )
    assert rows == [(130,)]
