"""Completeness: how much of a site was heard before a window is said.

The share of the site's described gates that anybody passed, or was denied at, in the window's business day before the
window's end; 1 for a site that describes none. A gate that is switched off all day makes it fall from the first window
on, one that stops at noon does not: that it has fallen silent is told by its device. Used by ``agents.windows``.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from streams.adapters.window_store import Mark, Read, WindowStore
from streams.core.days import HOUR_MS, MINUTE_MS, bounds, business_day
from streams.core.sites import Site

_MOST_HOURS = 50_000  # remembered: some fifty bytes each


class _Hour(NamedTuple):
    """A UTC hour of a site, from the minute on that belongs to the business day."""

    site_id: str
    hour_ms: int
    first_minute: int


class Completeness:
    """Remembers which gates each hour heard, since most hours of a day are asked for again with each quarter-hour."""

    def __init__(self, store: WindowStore) -> None:
        self._store = store
        self._heard: dict[_Hour, frozenset[str]] = {}

    async def of(self, partition: int, reads: Iterable[tuple[Mark, Read, Site | None]]) -> dict[Mark, float]:
        """The completeness of each window, 0–1."""
        described = [(mark, read, site) for mark, read, site in reads if site is not None and site.gates]
        self._forget({(mark.site_id, mark.hour_ms) for mark, _, _ in described})
        hours = {mark: _hours_before(mark, site) for mark, _, site in described}
        wanted = list({hour for asked in hours.values() for hour in asked if hour not in self._heard})
        if wanted:
            self._heard |= zip(wanted, await self._store.gates(partition, wanted), strict=True)
        shares = {}
        for mark, read, site in described:
            gates = {gate.gate_id for gate in site.gates}
            heard = read.heard.union(*(self._heard[hour] for hour in hours[mark]))
            shares[mark] = len(gates & heard) / len(gates)
        return shares

    def _forget(self, touched: set[tuple[str, int]]) -> None:
        """What is touched may have been heard at another gate since."""
        if len(self._heard) > _MOST_HOURS:
            self._heard.clear()
        for site_id, hour_ms in touched:
            for hour in [_Hour(site_id, hour_ms, first) for first in (0, 15, 30, 45)]:
                self._heard.pop(hour, None)


def day_start(start_ms: int, site: Site | None) -> int:
    """Start of the business day that contains ``start_ms``, epoch ms; of the UTC day for a site nobody described."""
    zone, end_hour = (site.time_zone, site.business_day_end_hour) if site else ("UTC", 0)
    return bounds(business_day(start_ms, zone, end_hour), zone, end_hour)[0]


def _hours_before(mark: Mark, site: Site) -> list[_Hour]:
    """The UTC hours of the business day before the window's own."""
    start_ms = day_start(mark.start_ms, site)
    first_ms = start_ms // HOUR_MS * HOUR_MS
    return [
        _Hour(mark.site_id, hour_ms, max(0, start_ms - hour_ms) // MINUTE_MS)
        for hour_ms in range(first_ms, mark.hour_ms, HOUR_MS)
    ]


def share(shares: Mapping[Mark, float], mark: Mark) -> float:
    """Of one window; 1 where the site describes no gates."""
    return shares.get(mark, 1.0)
