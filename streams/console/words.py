"""How the pages say ages, times and shares, before their script takes over and says the same (``static/words.js``).

Pure: instants come in as epoch ms, UTC. One ``Words`` for each language; a test holds both tellings together. Used by
``console.shell``.
"""

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from streams.console.alerts import Count, Shown
from streams.console.documents import Network, Rebuilding, Site, State
from streams.console.i18n import ENGLISH, Language

_SECOND, _MINUTE, _HOUR, _DAY = 1_000, 60_000, 3_600_000, 86_400_000


def clock(at_ms: int, zone: str) -> str:
    """``14:32``, on the site's wall."""
    return f"{datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone)):%H:%M}"


def iso(at_ms: int) -> str:
    """The instant for machines, e.g. of a ``<time>``."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def site_clock_ms(site: Site, now_ms: int) -> int | None:
    """What time it is at a site: the wall's, or of a replayed one its last event's; ``None`` before the first."""
    return site.occurred_ms if site.replay else now_ms


def alerts_said(shown: Iterable[Shown]) -> str:
    """Which alerts are on the page, for its script to compare."""
    return " ".join(f"{one.alert_id}:{one.version}" for one in shown)


def why(site_id: str, kind: str, gate: str | None = None, zone: str | None = None) -> str:
    """Address of the page that tells what is behind a figure; the network's figures are behind ``/why``."""
    told = {"gate": gate, "zone": zone, "figure": None if kind == "inside" else kind}
    query = urlencode({name: value for name, value in told.items() if value is not None})
    return f"/why{'/' if site_id else ''}{quote(site_id, safe='')}{'?' if query else ''}{query}"


class Words:
    """What is said in one language."""

    clock = staticmethod(clock)
    iso = staticmethod(iso)
    site_clock_ms = staticmethod(site_clock_ms)
    alerts_said = staticmethod(alerts_said)
    why = staticmethod(why)

    def __init__(self, language: Language = ENGLISH) -> None:
        self.language = language
        self._ = language.gettext
        self.number = language.number
        self.ngettext = language.ngettext

    # -- times -------------------------------------------------------------------------------------------------------

    def span(self, ms: int) -> str:
        """A duration in one unit, rounded down: ``0.8 s``, ``12 s``, ``2 min``, ``3 h``, ``2 days``; never negative."""
        ms = max(0, ms)
        if ms < 10 * _SECOND:
            return self._("{n} s", n=self.tenths(ms // 100 / 10))
        if ms < _MINUTE:
            return self._("{n} s", n=ms // _SECOND)
        if ms < _HOUR:
            return self._("{n} min", n=ms // _MINUTE)
        if ms < 2 * _DAY:
            return self._("{n} h", n=ms // _HOUR)
        return self.ngettext("{n} day", "{n} days", ms // _DAY)

    def tenths(self, value: float) -> str:
        """``0.8``, ``4.0``: with one decimal, always."""
        return f"{value:.1f}".replace(".", self.language.locale.number_symbols["latn"]["decimal"])

    def moment(self, at_ms: int, zone: str, now_ms: int) -> str:
        """Time of day with seconds; the date goes first when it is half a day or more ago."""
        local = datetime.fromtimestamp(at_ms // 1000, ZoneInfo(zone))
        return f"{self._day(local) + ' ' if now_ms - at_ms >= _DAY // 2 else ''}{local:%H:%M:%S}"

    def date(self, at_ms: int, zone: str) -> str:
        """``Friday 26 August 2005``."""
        local = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone))
        locale = self.language.locale
        weekday, month = locale.days["format"]["wide"][local.weekday()], locale.months["format"]["wide"][local.month]
        return f"{weekday} {local.day} {month} {local.year}"

    def weekday_clock(self, at_ms: int, zone: str) -> str:
        """``Tue 10:00``."""
        local = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone))
        return f"{self.language.locale.days['format']['abbreviated'][local.weekday()]} {local:%H:%M}"

    def _day(self, local: datetime) -> str:
        return f"{local.day} {self.language.locale.months['format']['abbreviated'][local.month]}"

    def in_utc(self, said: str, zone: str | None) -> str:
        """A time as it is said where the page has no zone of its own: in UTC, and saying so."""
        return said if zone else f"{said} UTC"

    # -- ages --------------------------------------------------------------------------------------------------------

    def age(self, site: Site | Network, now_ms: int, wall_zone: str | None = None) -> str:
        """How old a site's figures are, in words that also tell its state.

        ``wall_zone`` is the one in which the whole page says since when it is stale; without one it is UTC, and says
        so. A replayed site's own would be taken for that site's time.
        """
        if site.state == "rebuilding":
            return self._("being rebuilt")
        if site.state == "stale":
            if site.confirmed_ms is None:
                return self._("not counted yet")
            since = self.in_utc(self.moment(site.confirmed_ms, wall_zone or "UTC", now_ms), wall_zone)
            return self._("stale since {time}", time=since)
        if site.state == "quiet":
            return self.heard(site.received_ms, now_ms)
        return self._("counted {span} ago", span=self.span(now_ms - (site.confirmed_ms or now_ms)))

    def heard(self, received_ms: int | None, now_ms: int) -> str:
        """When a site or a device was heard last."""
        if received_ms is None:
            return self._("not heard yet")
        return self._("last heard {span} ago", span=self.span(now_ms - received_ms))

    def device(self, received_ms: int | None, state: State, now_ms: int) -> str:
        """The same of a device, whose silence means nothing while nobody counts."""
        said = self.heard(received_ms, now_ms)
        return self._("{heard}, counting stopped", heard=said) if state == "stale" else said

    def rebuilding(self, one: Rebuilding | None, wall_zone: str | None = None) -> str:
        """What is counted again after the live state was lost, and how far; empty when nothing is.

        ``Rebuilding from Kafka: from Tue 10:00 to Wed 12:03, 43 %``; the zone is told as by ``age``.
        """
        if one is None:
            return ""
        start, end = (self.weekday_clock(at_ms, wall_zone or "UTC") for at_ms in (one.from_ms, one.to_ms))
        return self._(
            "Rebuilding from Kafka: from {start} to {end}, {percent} %",
            start=start,
            end=self.in_utc(end, wall_zone),
            percent=math.floor(100 * one.share),
        )

    # -- figures -----------------------------------------------------------------------------------------------------

    def rating(self, mean: float | None) -> str:
        """``4.3``, of five; a dash where nobody rated."""
        return "–" if mean is None else self.tenths(math.floor(mean * 10 + 0.5) / 10)  # JavaScript rounds a tie so

    def unheard(self, sites: int) -> str:
        """``1,166 more sites, not heard yet``; empty when there are none."""
        if sites <= 0:
            return ""
        return self.ngettext("{n} more site, not heard yet", "{n} more sites, not heard yet", sites)

    def known(self, sites: int) -> str:
        """``11 sites are known, none was heard yet.``"""
        return self.ngettext(
            "{n} site is known, none was heard yet.", "{n} sites are known, none was heard yet.", sites
        )

    def played(self, network: Network) -> str:
        """How much of the network's sums nobody caused today; empty when that is none or, said by the banner, all."""
        part = network.played
        if part.sites == 0 or part.sites == network.sites_heard:
            return ""
        return self._(
            "{inside} of them inside simulated or replayed sites, {entries} of the entries",
            inside=self.number(part.inside),
            entries=self.number(part.entries),
        )

    def share(self, inside: int, capacity: int) -> str:
        """``39 % of 120``, and over it so in words."""
        of = self.number(capacity)
        if not capacity:
            said = self._("of {capacity}", capacity=of)
        else:
            said = self._("{percent} % of {capacity}", percent=100 * inside // capacity, capacity=of)
        return self._("{share}, over capacity", share=said) if inside > capacity else said

    def bounds(self, low: int, high: int) -> str:
        """``(231–263)``; empty where nothing can be off."""
        return f"({self.number(low)}–{self.number(high)})" if low < high else ""

    def drift(self, below_zero: int) -> str:
        """Why an inside of nought is no measurement; empty when it is one."""
        if below_zero <= 0:
            return ""
        return self._("Shown as 0: {people} more went out than came in.", people=self.number(below_zero))

    def tickets(self, distinct: int) -> str:
        """``1,204 tickets``, of which some may have entered more than once; empty when there was none."""
        return self.ngettext("{n} ticket", "{n} tickets", distinct) if distinct > 0 else ""

    def raw(self, below_zero: int) -> str:
        """The same where there is little room: ``raw −17``; empty when there is nothing to say."""
        return self._("raw −{people}", people=self.number(below_zero)) if below_zero > 0 else ""

    # -- alerts ------------------------------------------------------------------------------------------------------

    def alert(self, one: Shown) -> str:
        """``Warning: Hall, 85 % of capacity``."""
        return self._("{severity}: {what}", severity=self.severity(one.severity), what=self._level(one))

    def severity(self, severity: str) -> str:
        """``Warning``."""
        return {
            "notice": self._("Notice"),
            "warning": self._("Warning"),
            "serious": self._("Serious"),
            "critical": self._("Critical"),
        }[severity]

    def alerts(self, count: Count) -> str:
        """``3 alerts open, 1 acknowledged``; empty when there is none."""
        if count.open + count.acknowledged == 0:
            return ""
        said = self.ngettext("{n} alert open", "{n} alerts open", count.open)
        if not count.acknowledged:
            return said
        return self._("{open}, {n} acknowledged", open=said, n=self.number(count.acknowledged))

    def alert_mark(self, shown: Sequence[Shown]) -> str:
        """The worst of a site's alerts where there is little room, and how many more; empty when there is none."""
        if not shown:
            return ""
        worst = self.alert(shown[0])
        if shown[0].state == "ACKNOWLEDGED":
            worst = self._("{alert}, acknowledged", alert=worst)
        return self._("{alert}, and {n} more", alert=worst, n=len(shown) - 1) if len(shown) > 1 else worst

    def since(self, opened_ms: int, zone: str, clock_ms: int) -> str:
        """``since 14:32``, with the date if that was on another day; both instants are of the site's clock."""
        local, now = (datetime.fromtimestamp(at_ms // 1000, ZoneInfo(zone)) for at_ms in (opened_ms, clock_ms))
        day = "" if local.date() == now.date() else f"{self._day(local)} "
        return self._("since {time}", time=f"{day}{local:%H:%M}")

    def taken(self, one: Shown, zone: str | None) -> str:
        """Who looks after an alert, until when by the clock of ``zone``; without one, as at a replayed site, in UTC."""
        if one.acknowledged_by is None or one.acknowledged_until_ms is None:
            return self._("not acknowledged")
        until = self.in_utc(clock(one.acknowledged_until_ms, zone or "UTC"), zone)
        return self._("acknowledged by {who} until {time}", who=one.acknowledged_by, time=until)

    def _level(self, one: Shown) -> str:
        what = self._("silent") if one.level is None else self._("{percent} % of capacity", percent=one.level)
        return self._("{place}, {what}", place=one.place, what=what) if one.place else what

    # -- lists -------------------------------------------------------------------------------------------------------

    def list(self, names: Sequence[str]) -> str:
        """``kafka and redis``."""
        if len(names) < 2:
            return "".join(names)
        return self._("{first} and {last}", first=", ".join(names[:-1]), last=names[-1])

    def away(self, programs: Sequence[str]) -> str:
        """``kafka and redis away``."""
        return self._("{programs} away", programs=self.list(programs))
