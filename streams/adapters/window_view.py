"""The windows of many sites as they lie in Redis: what was said of each, and which still wait.

Takes sites, gives plain values. Made for comparing, by ``check.finals``.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from streams.adapters import live_keys
from streams.adapters.redis_client import translated
from streams.adapters.window_store import Level, said_of
from streams.config import Settings
from streams.core.days import hours_between
from streams.core.partitions import partition_of
from streams.core.windows import Said
from streams.topology import PARTITIONS

_AT_ONCE = 500  # keys of one round trip


@contextmanager
def _client(settings: Settings) -> "Iterator[redis.Redis]":
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
            yield client
        finally:
            client.close()


def said(settings: Settings, spans: Mapping[str, tuple[int, int]]) -> dict[tuple[str, int], Said]:
    """(site, start of the window) → what was said of it last, in each site's ``[start_ms, end_ms)``.

    Raises:
        Unavailable: Redis is away.
    """
    found: dict[tuple[str, int], Said] = {}
    hours = ((site_id, hour) for site_id, span in spans.items() for hour in hours_between(*span))
    with _client(settings) as client:
        while some := list(islice(hours, _AT_ONCE)):
            pipe = client.pipeline(transaction=False)
            for site_id, hour in some:
                pipe.hgetall(live_keys.windows(partition_of(site_id, PARTITIONS), site_id, hour))
            for (site_id, _), told in zip(some, pipe.execute(), strict=True):
                for start, text in told.items():
                    start_ms = int(start.removesuffix("|r"))
                    if start.isdecimal() and spans[site_id][0] <= start_ms < spans[site_id][1]:
                        found[site_id, start_ms] = said_of(text)
    return found


def levels(settings: Settings, site_ids: Sequence[str]) -> dict[str, Level]:
    """What each site said last, and its watermark; raises ``Unavailable``."""
    found: dict[str, Level] = {}
    left = iter(site_ids)
    with _client(settings) as client:
        while some := list(islice(left, _AT_ONCE)):
            pipe = client.pipeline(transaction=False)
            for site_id in some:
                pipe.hmget(live_keys.level(partition_of(site_id, PARTITIONS), site_id), *Level._fields)
            for site_id, told in zip(some, pipe.execute(), strict=True):
                found[site_id] = Level(*(None if value is None else int(value) for value in told))
    return found


def waiting(settings: Settings) -> set[tuple[str, int]]:
    """(site, start) of every window that was touched and not said since; raises ``Unavailable``."""
    with _client(settings) as client:
        pipe = client.pipeline(transaction=False)
        for partition in range(PARTITIONS):
            pipe.zrange(live_keys.touched(partition), 0, -1)
        members = [member for some in pipe.execute() for member in some]
    parted = (member.rpartition("|") for member in members)
    return {(site_id, int(start)) for site_id, _, start in parted}
