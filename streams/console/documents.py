"""The shapes of what the feed tells: ``/v1/now`` and ``/v1/day``, typed for the first paint.

Times are epoch ms, UTC. The feed hands out plain documents; ``read_now`` and ``read_day`` check them on the way in.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

State = Literal["live", "quiet", "stale"]


class Gate(msgspec.Struct, frozen=True):
    """Today's counts of one gate."""

    gate_id: str
    name: str
    entries: int
    exits: int
    denied: int


class Site(msgspec.Struct, frozen=True):
    """One site as it stands; ``occurred_ms`` is on the site's own clock, the other times on the wall's."""

    site_id: str
    name: str
    time_zone: str
    replay: bool
    business_day: str
    inside: int
    entries: int
    exits: int
    denied: int
    state: State
    note: str | None = None
    capacity: int | None = None
    drift: int = 0
    occurred_ms: int | None = None
    received_ms: int | None = None
    confirmed_ms: int | None = None
    gates: tuple[Gate, ...] = ()


class Pipeline(msgspec.Struct, frozen=True):
    """Whether anything is counted at all, and what is away."""

    state: Literal["live", "stale"]
    confirmed_ms: int | None
    missing: tuple[str, ...] = ()


class Now(msgspec.Struct, frozen=True):
    """The document of ``/v1/now``."""

    now_ms: int
    stale_after_ms: int
    pipeline: Pipeline
    sites: tuple[Site, ...]


class Bin(msgspec.Struct, frozen=True):
    """A quarter of an hour: who passed in it, and people inside at its end."""

    start_ms: int
    entries: int
    exits: int
    denied: int
    inside: int


class Day(msgspec.Struct, frozen=True):
    """The document of ``/v1/day``; bins ascend and end with the site's current one."""

    business_day: str
    time_zone: str
    start_ms: int
    end_ms: int
    bins: tuple[Bin, ...]


def read_now(document: Mapping[str, object]) -> Now:
    """Raises ``msgspec.ValidationError`` if the feed broke its word."""
    return msgspec.convert(document, Now)


def read_day(document: Mapping[str, object]) -> Day:
    """Raises ``msgspec.ValidationError`` if the feed broke its word."""
    return msgspec.convert(document, Day)
