"""The first paint: what the templates of the overview and of a site need, from the feed's documents.

The page is whole without its script: figures with their ages, the day as a drawing and as a table. The script then
keeps the figures moving, and asks for this page again when its structure changes. Called by ``console.pages``.
"""

import math
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, get_args
from zoneinfo import ZoneInfo

import msgspec

from streams.console import words
from streams.console.alerts import Shown
from streams.console.documents import Bin, Day, Now, Site
from streams.core import grains
from streams.core.alert_board import RANK
from streams.core.grains import Grain

DRAWING = (1000, 240)  # width and height of the day's drawing, in its own units
BIN_MS = 900_000
LISTED = 250  # sites in the overview: more would be read by nobody, and make every browser slow
ALERTS_SHOWN = 8  # in the control room; the others are counted, and on their own page
_NAMED = 20  # sites that were found and not heard yet
_OPENING, _CLOSING = 8, 20  # local hours that are always shown, so that a morning does not look like a day


@dataclass(frozen=True, slots=True)
class DayView:
    """A day as drawn: local hours from ``from_ms`` to ``to_ms``, the line's path, and the bins,
    each with the time its level holds for.
    """

    from_ms: int
    to_ms: int
    bins: Sequence[tuple[int, Bin]]
    line: str
    area: str
    highest: int
    from_clock: str
    to_clock: str
    grain: Grain = "quarter"


def ranked(sites: Sequence[Site]) -> list[Site]:
    """Sites by share of capacity, then people inside; those without a capacity come last."""
    return sorted(
        sites,
        key=lambda site: (
            -(site.inside / site.capacity) if site.capacity else math.inf,
            -site.inside,
            site.site_id,
        ),
    )


def day_view(day: Day, clock_ms: int | None, grain: Grain = "quarter") -> DayView:
    """Choose the hours to show: opening to closing, widened to whole hours wherever somebody passed.

    A bin's level is that at its end; of the current one that at the site's ``clock_ms``. With ``grain`` ``hour`` the
    bins are the sums of the quarters.
    """
    size_ms = BIN_MS if grain == "quarter" else 4 * BIN_MS
    zone = ZoneInfo(day.time_zone)
    midnight = datetime.fromtimestamp(day.start_ms / 1000, zone).replace(minute=0, second=0, microsecond=0)
    passed = [one.start_ms for one in day.bins if one.entries or one.exits or one.denied]
    opening = round(midnight.replace(hour=_OPENING).timestamp() * 1000)
    closing = round(midnight.replace(hour=_CLOSING).timestamp() * 1000)
    from_ms = _whole_hour(min([opening, *passed[:1]]), zone, up=False)
    to_ms = _whole_hour(max([closing, *(start + BIN_MS for start in passed[-1:])]), zone, up=True)
    from_ms, to_ms = max(from_ms, day.start_ms), min(to_ms, day.end_ms)
    shown = [one for one in day.bins if from_ms <= one.start_ms < to_ms]
    highest = max((one.inside for one in shown), default=0)
    if grain == "hour":
        hours = grains.hourly([msgspec.to_builtins(one) for one in shown], day.time_zone)
        shown = [msgspec.convert(one, Bin) for one in hours]
    width, height = DRAWING
    ends = [min(one.start_ms + size_ms, max(clock_ms or to_ms, one.start_ms)) for one in shown]
    top = max(highest * 1.1, 1)
    levels = [(end_ms, one.inside) for end_ms, one in zip(ends, shown, strict=True)]
    if shown:  # the line begins with the level before the first bin
        levels.insert(0, (shown[0].start_ms, max(0, shown[0].inside - shown[0].entries + shown[0].exits)))
    points = [(width * (at_ms - from_ms) / (to_ms - from_ms), height * (1 - level / top)) for at_ms, level in levels]
    line = " ".join(f"{'L' if index else 'M'}{x:.1f} {y:.1f}" for index, (x, y) in enumerate(points))
    area = f"{line} L{points[-1][0]:.1f} {height} L{points[0][0]:.1f} {height} Z" if points else ""
    clocks = words.clock(from_ms, day.time_zone), words.clock(to_ms, day.time_zone)
    return DayView(from_ms, to_ms, list(zip(ends, shown, strict=True)), line, area, highest, *clocks, grain)


def _whole_hour(at_ms: int, zone: ZoneInfo, *, up: bool) -> int:
    local = datetime.fromtimestamp(at_ms / 1000, zone)
    whole = local.replace(minute=0, second=0, microsecond=0)
    if up and whole != local:
        whole = (whole.astimezone(ZoneInfo("UTC")) + timedelta(hours=1)).astimezone(zone)
    return round(whole.timestamp() * 1000)


class Where(NamedTuple):
    """An alert and the site that it speaks of."""

    site: Site
    alert: Shown


def overview(now: Now, sought: str = "", known: Sequence[str] = ()) -> dict[str, Any]:
    """What ``overview.html`` is rendered with besides the shell.

    Args:
        now: with every site that was ever heard.
        sought: only sites with this in their name, place or id, whatever its case and accents.
        known: ids of all sites, of which those that were not heard are found too.
    """
    heard = [one for one in now.sites if one.heard]
    plain = folded(sought)
    found = [one for one in heard if plain in folded(f"{one.name}\n{one.place or ''}\n{one.site_id}")]
    ids = {one.site_id for one in heard}
    alerts = [Where(one, alert) for one in heard for alert in one.alerts]
    return {
        "kind": "overview",
        "like": None,
        "worst": None,
        "plan": None,
        "listed": ranked(found)[:LISTED],
        "limit": LISTED,
        "unlisted": max(0, len(found) - LISTED),
        "unheard": [one for one in known if plain in folded(one) and one not in ids][:_NAMED] if plain else [],
        "sought": sought,
        "alerts": sorted(alerts, key=_urgency),
        "alerts_shown": ALERTS_SHOWN,
    }


def _urgency(one: Where) -> tuple[int, bool, int, int, str]:
    """Worst first, then those that nobody has taken over, then those open longest."""
    alert = one.alert
    return RANK[alert.severity], alert.state != "OPEN", -(alert.level or 0), alert.opened_ms, one.site.site_id


def folded(text: str) -> str:
    """A text as it is sought: without case and accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


@dataclass(frozen=True, slots=True)
class Settled:
    """How many of a day's quarter-hours, up to the current one, are settled how far."""

    final: int
    provisional: int
    revising: int
    watermark_ms: int | None


def settled(day: Day) -> Settled | None:
    """``None`` if the live store did not say."""
    said = Counter(one.status for one in day.bins)
    if said[None]:
        return None
    return Settled(said["final"], said["provisional"], said["revising"], day.watermark_ms)


def site(now: Now, hero: Site, day: Day, grain: Grain = "quarter") -> dict[str, Any]:
    """What ``site.html`` is rendered with besides the shell; whoever has a plan and revisions puts them in."""
    return {
        "like": None,
        "kind": "site",
        "grains": [(one, f"?grain={one}") for one in get_args(Grain)],
        "plan": None,
        "revisions": None,
        "gate_hours": {},
        "sessions_of": {zone.zone_id: zone.sessions for zone in hero.zones},
        "levels_of": {zone.zone_id: zone for zone in hero.levels},
        "day": day_view(day, words.site_clock_ms(hero, now.now_ms), grain),
        "settled": settled(day),
        "drawing": DRAWING,
    }
