"""Which figure is asked about: a site's business day so far, or an interval; of one gate, one zone or all of it.

Takes what a person typed, gives a question in epoch ms. Every fault is named with what was expected, in English and,
for a page in another language, by its code and the values in it. Pure. Called by ``cli.why`` and ``console.why``.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from streams.core import now as present
from streams.core.days import HOUR_MS, MINUTE_MS, bounds, business_day
from streams.core.sites import Site
from streams.errors import ConfigError

LONGEST_MS = 31 * 24 * HOUR_MS
_FIRST_MS, _LAST_MS = 0, 4_102_444_799_999  # 1970 to 2099: no event has another time
EXPECTED = "HH:MM of today, YYYY-MM-DDTHH:MM in the site's time, or the same in UTC with Z"
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?", re.ASCII)
_NAMED = 20


class WrongQuestion(ConfigError):  # noqa: N818 - what is wrong is the question
    """There is no such figure.

    Args:
        code: stable code, e.g. ``unknown-gate``; the message says the same to who typed it.
        values: what stands in it, by name.
        known: what there is instead, of ids.
    """

    def __init__(self, code: str, message: str, *, known: Sequence[str] = (), **values: str) -> None:
        super().__init__(message)
        self.code = code
        self.values: Mapping[str, str] = values
        self.known = tuple(known)


@dataclass(frozen=True, slots=True)
class Question:
    """A figure of a site, of ``[start_ms, end_ms)`` UTC.

    Attributes:
        so_far: the current business day up to now, as the page shows it; its interval is the whole day.
    """

    site: Site
    start_ms: int
    end_ms: int
    gate_id: str | None = None
    zone_id: str | None = None
    so_far: bool = False

    def day_of(self, at_ms: int) -> date:
        """The site's business day that contains an instant."""
        return business_day(at_ms, self.site.time_zone, self.site.business_day_end_hour)

    def bounds_of(self, at_ms: int) -> tuple[int, int]:
        """The same as ``[start_ms, end_ms)``."""
        return bounds(self.day_of(at_ms), self.site.time_zone, self.site.business_day_end_hour)

    @property
    def days(self) -> list[int]:
        """Starts of the business days of the interval."""
        starts = [self.bounds_of(self.start_ms)[0]]
        while (end_ms := self.bounds_of(starts[-1])[1]) < self.end_ms:
            starts.append(end_ms)
        return starts


def site_of(sites: Mapping[str, Site], site_id: str) -> Site:
    """The site of that id; ``WrongQuestion`` that names the nearest ones if there is none."""
    if site_id in sites:
        return sites[site_id]
    near = difflib.get_close_matches(site_id, sites, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "musee sites list names them"
    raise WrongQuestion("unknown-site", f"{site_id}: no file describes such a site; {hint}", known=near, site=site_id)


def ask(
    site: Site,
    clock_ms: int | None,
    now_ms: int,
    *,
    gate: str | None = None,
    zone: str | None = None,
    start: str | None = None,
    end: str | None = None,
    dashes: str = "--",
) -> Question:
    """The question that was meant.

    Args:
        site: whose figure.
        clock_ms: its last event, which is the time of day of a replayed site.
        now_ms: time of day.
        gate: only what passed there.
        zone: only the gates that open into it.
        start: ``--from`` as it was typed, included; without it, the start of the business day of the end.
        end: ``--to``, excluded; without it, the end of the current business day.
        dashes: what stands before the names of these in a message.

    Raises:
        WrongQuestion: names what is wrong and what was expected.
    """
    if gate is not None and zone is not None:
        raise WrongQuestion("gate-and-zone", f"{dashes}gate or {dashes}zone, not both")
    if zone is not None:
        _known("zone", zone, site, [one.zone_id for one in site.zones])
    today = present.current_day(site, clock_ms, now_ms)
    if start is None and end is None:
        return Question(site, today.start_ms, today.end_ms, gate, zone, so_far=True)
    end_ms = today.end_ms if end is None else _moment(f"{dashes}to", end, site, today.day)
    day = bounds(
        business_day(end_ms - 1, site.time_zone, site.business_day_end_hour), site.time_zone, site.business_day_end_hour
    )
    start_ms = day[0] if start is None else _moment(f"{dashes}from", start, site, today.day)
    if start_ms >= end_ms:
        first, second = _told(start_ms, site), _told(end_ms, site)
        said = f"{dashes}from {first} {dashes}to {second}: the first must be before the second"
        raise WrongQuestion("backward", said, start=first, end=second)
    if end_ms - start_ms > LONGEST_MS:
        days = LONGEST_MS // (24 * HOUR_MS)
        raise WrongQuestion("too-long", f"{dashes}from … {dashes}to …: {days} days at most", days=str(days))
    return Question(site, start_ms, end_ms, gate, zone)


def known_gate(question: Question, heard: Iterable[str]) -> None:
    """Raises ``WrongQuestion`` if the gate is neither described nor among those heard in the interval."""
    if question.gate_id is not None:
        described = [gate.gate_id for gate in question.site.gates]
        _known("gate", question.gate_id, question.site, [*described, *sorted(set(heard) - set(described))])


def _known(what: str, name: str, site: Site, known: list[str]) -> None:
    if name not in known:
        more = f" and {len(known) - _NAMED:,} more" if len(known) > _NAMED else ""
        said = (
            f"{name}: site {site.site_id} has no such {what}; its {what}s: {', '.join(known[:_NAMED]) or 'none'}{more}"
        )
        raise WrongQuestion(f"unknown-{what}", said, known=known, name=name)


def _moment(option: str, typed: str, site: Site, today: date) -> int:
    """Epoch ms of a time as it was typed."""
    zone = ZoneInfo(site.time_zone)
    if clock := _CLOCK.fullmatch(typed):
        at = time(int(clock[1]), int(clock[2]))
        day = today if at.hour >= site.business_day_end_hour else today + timedelta(days=1)
        return _of_wall(option, typed, datetime.combine(day, at), zone)
    if _MOMENT.fullmatch(typed) is None:
        raise WrongQuestion("not-a-time", f"{option} {typed}: {EXPECTED} is expected", typed=typed)
    try:
        moment = datetime.fromisoformat(typed)
        if moment.second:
            raise _no_minute(option, typed)
        at_ms = _of_wall(option, typed, moment, zone) if moment.tzinfo is None else round(moment.timestamp() * 1000)
        datetime.fromtimestamp(at_ms / 1000, zone) + timedelta(days=2)  # its business day can be told
    except (ValueError, OverflowError):
        said = f"{option} {typed}: there is no such time; {EXPECTED} is expected"
        raise WrongQuestion("no-such-time", said, typed=typed) from None
    if not _FIRST_MS <= at_ms <= _LAST_MS:
        said = f"{option} {typed}: a time from 1970 to 2099 is expected"
        raise WrongQuestion("out-of-range", said, typed=typed)
    if at_ms % MINUTE_MS:
        raise _no_minute(option, typed)
    return at_ms


def _of_wall(option: str, typed: str, wall: datetime, zone: ZoneInfo) -> int:
    """Epoch ms of a time on the site's clock; one that comes twice or never is a fault."""
    first, second = (round(wall.replace(tzinfo=zone, fold=fold).timestamp() * 1000) for fold in (0, 1))
    back = datetime.fromtimestamp(first / 1000, zone).replace(tzinfo=None, fold=0)
    if back != wall.replace(fold=0):
        said = f"{option} {typed}: the clock change of {zone.key} skips that time; say it in UTC with Z"
        raise WrongQuestion("skipped-time", said, typed=typed, zone=zone.key)
    if first != second:
        one, other = (f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%dT%H:%MZ}" for at in (first, second))
        said = f"{option} {typed}: that time comes twice in {zone.key}; say {one} or {other}"
        raise WrongQuestion("double-time", said, typed=typed, zone=zone.key, first=one, second=other)
    return first


def _no_minute(option: str, typed: str) -> WrongQuestion:
    said = f"{option} {typed}: a whole minute is expected, minutes are the finest that is counted"
    return WrongQuestion("not-a-minute", said, typed=typed)


def _told(at_ms: int, site: Site) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, ZoneInfo(site.time_zone)):%Y-%m-%dT%H:%M}"
