"""The live counts of one site, cell by cell, as they lie in Redis.

Takes a site, gives plain dicts; walks the site's own keys with SCAN, which holds the server up for no one. Made for
comparing, by ``check.recordings``; what a page shows is ``adapters.live_view``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from streams.adapters import live_keys
from streams.adapters.redis_client import translated
from streams.config import Settings
from streams.core.partitions import partition_of
from streams.topology import PARTITIONS

_SCAN_COUNT = 1_000  # keys that the server looks at per call: well under its 10 ms
_FIELD = re.compile(r"(?P<gate>.+)\|(?P<minute>[0-5][0-9])\|(?P<metric>[a-z]+)", re.ASCII | re.DOTALL)
_NUMBER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_GLOB = re.compile(r"[\\*?\[\]]")


@dataclass(frozen=True, slots=True)
class LiveCells:
    """Everything that Redis counts for a site.

    Attributes:
        minutes: (gate, start of the minute in epoch ms UTC, metric) → people; gate ``-`` where the scans named none.
        days: (business day, metric) → people.
        strange: cells that are not as the format says, ``key field = value``.
    """

    minutes: dict[tuple[str, int, str], int] = field(default_factory=dict)
    days: dict[tuple[date, str], int] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)


def patterns(site_id: str) -> tuple[str, str]:
    """Patterns of the site's keys: minute cells, days."""
    partition = partition_of(site_id, PARTITIONS)
    name = _GLOB.sub(r"\\\g<0>", site_id)
    return live_keys.cells(partition, name, "*"), live_keys.day(partition, name, "*")


def read(settings: Settings, site_id: str) -> LiveCells:
    """All cells of a site; empty if Redis never heard of it.

    Raises:
        Unavailable: Redis is away.
    """
    found = LiveCells()
    minutes, days = patterns(site_id)
    with translated():
        client = redis.Redis.from_url(
            settings.redis_url,
            decode_responses=True,
            encoding_errors="replace",
            socket_connect_timeout=1.0,
            socket_timeout=5.0,
            retry=Retry(NoBackoff(), 0),
        )
        try:
            for key, cells in _hashes(client, minutes):
                _add_minutes(found, key, key[len(minutes) - 1 :], cells)
            for key, cells in _hashes(client, days):
                _add_day(found, key, key[len(days) - 1 :], cells)
        finally:
            client.close()
    return found


def _hashes(client: redis.Redis, pattern: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Key and fields of each hash that matches; a key that SCAN names twice comes once."""
    met: set[str] = set()
    cursor = 0
    while True:
        cursor, keys = client.scan(cursor, match=pattern, count=_SCAN_COUNT)
        fresh = [str(key) for key in keys if key not in met]
        met.update(fresh)
        pipe = client.pipeline(transaction=False)
        for key in fresh:
            pipe.hgetall(key)
        yield from zip(fresh, pipe.execute(), strict=True)
        if cursor == 0:
            return


def _add_minutes(found: LiveCells, key: str, hour: str, cells: dict[str, str]) -> None:
    try:
        start_ms = round(datetime.strptime(hour, "%Y-%m-%dT%H").replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        found.strange.append(key)
        return
    for name, value in cells.items():
        parts = _FIELD.fullmatch(name)
        if parts is None or not _NUMBER.fullmatch(value):
            found.strange.append(f"{key} {name} = {value}")
        else:
            minute_ms = start_ms + int(parts["minute"]) * 60_000
            found.minutes[parts["gate"], minute_ms, parts["metric"]] = int(value)


def _add_day(found: LiveCells, key: str, day: str, cells: dict[str, str]) -> None:
    try:
        which = date.fromisoformat(day)
    except ValueError:
        found.strange.append(key)
        return
    for metric, value in cells.items():
        if _NUMBER.fullmatch(value):
            found.days[which, metric] = int(value)
        else:
            found.strange.append(f"{key} {metric} = {value}")
