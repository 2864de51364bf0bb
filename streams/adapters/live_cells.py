"""The live counts of sites, cell by cell, as they lie in Redis.

Takes sites, gives plain dicts; walks the sites' own keys with SCAN, which holds the server up for no one. Made for
comparing, by ``check``; what a page shows is ``adapters.live_view``.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import redis

from streams.adapters import live_keys
from streams.adapters.redis_client import reading
from streams.config import Settings
from streams.core.days import MINUTE_MS
from streams.core.partitions import partition_of
from streams.topology import PARTITIONS

ALL = live_keys.CELLS + live_keys.DAYS + live_keys.HOURS + live_keys.PRESENCE
_SCAN_COUNT = 1_000  # keys that the server looks at per call: well under its 10 ms
_KEY = re.compile(r"(?P<kind>[a-z]):\{(?P<partition>[0-9]+)\}:(?P<site>.+):(?P<when>[^:]+)", re.ASCII | re.DOTALL)
_MINUTE_FIELD = re.compile(r"(?P<gate>.+)\|(?P<minute>[0-5][0-9])\|(?P<metric>[a-z_]+)", re.ASCII | re.DOTALL)
_ZONE_FIELD = re.compile(r"(?P<zone>.+)\|(?P<minute>[0-5][0-9])", re.ASCII | re.DOTALL)
_NUMBER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_GLOB = re.compile(r"[\\*?\[\]]")


@dataclass(frozen=True, slots=True)
class LiveCells:
    """Everything that Redis counts for a site.

    Attributes:
        minutes: (gate, start of the minute in epoch ms UTC, metric) → people; gate ``-`` where the scans named none.
        days: (business day, metric) → people.
        hours: (start of the hour in epoch ms UTC, metric) → entries, posts, page views …
        presence: (zone, start of the minute in epoch ms UTC) → distinct sessions.
        strange: cells that are not as the format says, ``key field = value``.
    """

    minutes: dict[tuple[str, int, str], int] = field(default_factory=dict)
    days: dict[tuple[date, str], int] = field(default_factory=dict)
    hours: dict[tuple[int, str], int] = field(default_factory=dict)
    presence: dict[tuple[str, int], int] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)


def pattern(site_id: str, kind: str) -> str:
    """Pattern of a site's keys of one kind, e.g. ``n``; ``[cd]`` for two."""
    return f"{kind}:{{{partition_of(site_id, PARTITIONS)}}}:{_escaped(site_id)}:*"


def read(settings: Settings, site_id: str) -> LiveCells:
    """All cells of a site; empty if Redis never heard of it.

    Raises:
        Unavailable: Redis is away.
    """
    return read_sites(settings, [site_id])[site_id]


def read_sites(settings: Settings, site_ids: Collection[str], kinds: str = ALL) -> dict[str, LiveCells]:
    """Cells of several sites, in one walk over the keys.

    Args:
        settings: where Redis is.
        site_ids: which sites; each is in the answer.
        kinds: first letters of the keys that are read, of those in ``ALL``.

    Raises:
        Unavailable: Redis is away.
    """
    found = {site_id: LiveCells() for site_id in site_ids}
    which = pattern(next(iter(site_ids)), f"[{kinds}]") if len(site_ids) == 1 else f"[{kinds}]:{{*}}:*"
    with reading(settings.redis_url) as client:
        for key, cells in _hashes(client, which, found):
            _add(found[key["site"]], key, cells)
    return found


def _escaped(name: str) -> str:
    return _GLOB.sub(r"\\\g<0>", name)


def _hashes(
    client: redis.Redis, which: str, site_ids: Collection[str]
) -> Iterator[tuple[re.Match[str], dict[str, str]]]:
    """Key and fields of each hash of the sites; a key that SCAN names twice comes once."""
    met: set[str] = set()
    cursor = 0
    while True:
        cursor, keys = client.scan(cursor, match=which, count=_SCAN_COUNT)
        fresh = [str(key) for key in dict.fromkeys(keys) if key not in met]
        met.update(fresh)
        parsed = [key for key in map(_KEY.fullmatch, fresh) if key is not None and key["site"] in site_ids]
        pipe = client.pipeline(transaction=False)
        for key in parsed:
            pipe.hgetall(key.string)
        yield from zip(parsed, pipe.execute(), strict=True)
        if cursor == 0:
            return


def _add(found: LiveCells, key: re.Match[str], cells: dict[str, str]) -> None:
    kind, when = key["kind"], key["when"]
    try:
        day = date.fromisoformat(when) if kind == live_keys.DAYS else date.min
        start_ms = 0 if kind == live_keys.DAYS else _hour_ms(when)
    except ValueError:
        found.strange.append(key.string)
        return
    for name, value in cells.items():
        amount = int(value) if _NUMBER.fullmatch(value) else None
        gate = _MINUTE_FIELD.fullmatch(name) if kind == live_keys.CELLS else None
        zone = _ZONE_FIELD.fullmatch(name) if kind == live_keys.PRESENCE else None
        if amount is None:
            found.strange.append(f"{key.string} {name} = {value}")
        elif kind == live_keys.DAYS:
            found.days[day, name] = amount
        elif kind == live_keys.HOURS:
            found.hours[start_ms, name] = amount
        elif gate is not None:
            found.minutes[gate["gate"], start_ms + int(gate["minute"]) * MINUTE_MS, gate["metric"]] = amount
        elif zone is not None:
            found.presence[zone["zone"], start_ms + int(zone["minute"]) * MINUTE_MS] = amount
        else:
            found.strange.append(f"{key.string} {name} = {value}")


def _hour_ms(name: str) -> int:
    return round(datetime.strptime(name, "%Y-%m-%dT%H").replace(tzinfo=UTC).timestamp() * 1000)
