"""``musee check`` against a real Redis and a real ClickHouse: it finds what was tampered with, and names the cell.

The cells and rows are put there directly, for a site of its own, so that only the check is on trial here.
"""

import asyncio
import dataclasses
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
import redis

from streams.adapters import live_keys, migrations
from streams.adapters.warehouse import Warehouse
from streams.check import doors, files, recordings, report
from streams.check.lines import Line
from streams.config import Settings
from streams.core.blocks import CANARY
from streams.core.days import hour_name
from streams.core.partitions import partition_of
from streams.topology import PARTITIONS

SITE = "check-control"


def elsewhere(path: Path) -> Iterator[Line]:
    """The recording as if it had been made at the site of this test."""
    for line in doors.gym_swipes(path):
        yield line._replace(seen=[seen._replace(site_id=SITE) for seen in line.seen or []])


RULE = dataclasses.replace(files.RULES["gym_swipes"], sites=(SITE,), read=elsewhere)
METRIC = {"IN": "entries", "OUT": "exits"}
LINES = """\
DeviceName,Direction,AlarmDateTime
North,In,2/2/2015 8:11
North,In,2/2/2015 8:11
North,Out,2/2/2015 8:12
South,In,2/2/2015 23:59
South,In,2/3/2015 0:00
North,Out,7/1/2015 17:30
"""
# The same by hand: gate, direction, instant, and the day in Toronto.
SCANS = [
    ("north", "IN", "2015-02-02T13:11:00+00:00", "2015-02-02"),
    ("north", "IN", "2015-02-02T13:11:00+00:00", "2015-02-02"),
    ("north", "OUT", "2015-02-02T13:12:00+00:00", "2015-02-02"),
    ("south", "IN", "2015-02-03T04:59:00+00:00", "2015-02-02"),
    ("south", "IN", "2015-02-03T05:00:00+00:00", "2015-02-03"),
    ("north", "OUT", "2015-07-01T21:30:00+00:00", "2015-07-01"),
]
COLUMNS = [
    "event_id", "org_id", "site_id", "gate_id", "occurred_at", "received_at", "clock_trust", "ingest_mode", "producer",
    "test", "direction", "outcome", "party_size", "_partition", "_offset", "_tail",
]  # fmt: skip


@dataclasses.dataclass
class Stores:
    """What the test tampers with."""

    redis: redis.Redis
    sql: Callable[..., Any]
    check: Callable[[], recordings.Result]
    partition: int

    def found(self) -> list[str]:
        """The differences, as they are printed."""
        return [str(one) for one in self.check().differences]

    def minute_key(self, hour: str) -> str:
        """Key of the site's minute cells."""
        return live_keys.cells(self.partition, SITE, hour)


async def migrated(url: str) -> None:
    """Tables and views as this version has them; harmless when they are there."""
    warehouse = Warehouse(url)
    try:
        await migrations.migrate(warehouse)
    finally:
        await warehouse.close()


@pytest.fixture
def stores(settings: Settings, tmp_path: Path) -> Iterator[Stores]:
    asyncio.run(migrated(settings.clickhouse_url))
    path = tmp_path / "swipes.csv"
    path.write_text(LINES)
    partition = partition_of(SITE, PARTITIONS)
    live = redis.Redis.from_url(settings.redis_url)
    history = clickhouse_connect.get_client(dsn=settings.clickhouse_url, autogenerate_session_id=False)

    def clean() -> None:
        for pattern in (f"c:{{{partition}}}:{SITE}:*", f"d:{{{partition}}}:{SITE}:*"):
            for key in live.scan_iter(match=pattern):
                live.delete(key)
        for table in ("ticket_scan", "site"):
            history.command(f"DELETE FROM musee.{table} WHERE site_id = '{SITE}'")

    def land(number: int, offset: int) -> list[object]:
        gate_id, direction, told, _ = SCANS[number]
        return [
            uuid.uuid5(uuid.NAMESPACE_URL, f"check-control {number}"), "control", SITE, gate_id,
            datetime.fromisoformat(told), datetime.now(UTC), "UNKNOWN", "REPLAY", "tests", False, direction, "ACCEPTED",
            1, partition, offset, CANARY,
        ]  # fmt: skip

    clean()
    for gate_id, direction, told, day in SCANS:
        at = datetime.fromisoformat(told)
        field = f"{gate_id}|{at.minute:02d}|{METRIC[direction]}"
        live.hincrby(live_keys.cells(partition, SITE, hour_name(round(at.timestamp() * 1000))), field, 1)
        live.hincrby(live_keys.day(partition, SITE, day), METRIC[direction], 1)
    # The last scan was resent: another offset, the same event.
    numbers = [*range(len(SCANS)), len(SCANS) - 1]
    rows = [land(number, offset) for offset, number in enumerate(numbers)]
    history.insert("musee.ticket_scan", rows, column_names=COLUMNS)
    names = ["site_id", "org_id", "name", "time_zone", "business_day_end_hour", "replay"]
    history.insert("musee.site", [[SITE, "control", "Control", RULE.zone, 0, True]], column_names=names)
    yield Stores(live, history.command, lambda: recordings.check(settings, RULE, path), partition)
    clean()
    live.close()
    history.close()


def test_three_witnesses_that_agree_are_left_in_peace(stores: Stores) -> None:
    result = stores.check()

    assert result.agree
    assert stores.found() == []
    assert (result.landed_rows, result.landed_offsets) == (7, 7)
    assert "0 differences in 9 cells" in list(report.lines(result, everything=False))


def test_one_hincrby_on_a_minute_is_named_by_gate_and_day(stores: Stores) -> None:
    stores.redis.hincrby(stores.minute_key("2015-02-02T13"), "north|11|entries", 1)

    assert stores.found() == ["gate north, 2015-02-02, entries: file 2, redis 3, clickhouse 2"]
    assert not stores.check().agree


def test_one_hincrby_on_a_day_is_named_by_site_and_day(stores: Stores) -> None:
    stores.redis.hincrby(live_keys.day(stores.partition, SITE, "2015-02-03"), "entries", 5)

    assert stores.found() == [f"site {SITE}, 2015-02-03, entries: file 1, redis 6, clickhouse 1"]


def test_a_cell_that_no_line_accounts_for_is_named_too(stores: Stores) -> None:
    stores.redis.hincrby(stores.minute_key("2016-01-01T00"), "east|07|denied", 1)

    assert stores.found() == ["gate east, 2015-12-31, denied: file 0, redis 1, clickhouse 0"]


def test_a_lost_cell_is_named(stores: Stores) -> None:
    stores.redis.delete(stores.minute_key("2015-07-01T21"))

    assert stores.found() == ["gate north, 2015-07-01, exits: file 1, redis 0, clickhouse 1"]


def test_one_row_deleted_is_named_at_gate_and_site(stores: Stores) -> None:
    stores.sql(f"DELETE FROM musee.ticket_scan WHERE site_id = '{SITE}' AND occurred_at = '2015-02-02 13:12:00'")

    assert stores.found() == [
        "gate north, 2015-02-02, exits: file 1, redis 1, clickhouse 0",
        f"site {SITE}, 2015-02-02, exits: file 1, redis 1, clickhouse 0",
    ]


def test_a_value_that_is_no_number_is_called_strange(stores: Stores) -> None:
    stores.redis.hset(stores.minute_key("2015-02-02T13"), "north|11|entries", "two")

    result = stores.check()

    assert result.strange == [f"{stores.minute_key('2015-02-02T13')} north|11|entries = two"]
    assert not result.agree


def test_a_replay_counted_twice_is_reported_in_every_cell(stores: Stores) -> None:
    for pattern in ("c", "d"):
        for key in stores.redis.scan_iter(match=f"{pattern}:{{{stores.partition}}}:{SITE}:*"):
            for field, value in stores.redis.hgetall(key).items():
                stores.redis.hincrby(key, field, int(value))

    differences = stores.check().differences

    assert len(differences) == 9
    assert all(one.redis == 2 * one.file == 2 * one.clickhouse for one in differences)


def test_the_report_for_machines_carries_cells_and_sql_when_asked(stores: Stores) -> None:
    told = report.document(stores.check(), everything=True, explain=True)

    assert told["agree"] is True
    assert {"place": "gate", "name": "south", "when": "2015-02-02", "metric": "entries", "file": 1, "redis": 1,
            "clickhouse": 1} in told["cells"]  # type: ignore[operator]  # fmt: skip
    assert "SCAN MATCH c:{" in str(told["explain"])
    assert "musee.v_attendance_day" in str(told["explain"])
