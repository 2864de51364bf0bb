"""``/wall/{id}``: what a museum hangs on a wall, readable at five metres, without a control or a link.

Its script (``static/wall.js``) heals it: it comes back from hours without a server and takes up a new build by itself.
How it says room and trust is here and, the same, in ``static/wall_words.js``; a test holds both together.
"""

from typing import Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from streams.console.documents import Now, Site, read_now
from streams.console.shell import Parts
from streams.console.words import Words


def routes(parts: Parts) -> list[BaseRoute]:
    """``/wall/{id}``; 404 for an unknown site, with a page that tries again by itself."""

    async def page(request: Request) -> Response:
        site_id = request.path_params["site_id"]
        try:
            now = read_now(parts.feed.now(site_id))
        except KeyError:
            return parts.shell.page(request, "wall_lost.html", status=404, unknown_site=site_id, known=parts.feed.known)
        (hero,) = now.sites
        return parts.shell.page(request, "wall.html", now=now, hero=hero, kind="wall", wall=WallWords)

    return [Route("/wall/{site_id}", page)]


class WallWords:
    """What a wall says of one site.

    Args:
        words: of the reader's language.
        site: the one that the wall is about.
        zone: in which the time of the figures is told; ``None`` at a replayed site, whose own would be misread.
    """

    def __init__(self, words: Words, site: Site, zone: str | None) -> None:
        self._words = words
        self._ = words.language.gettext
        self._site = site
        self._zone = zone

    def range(self) -> str:
        """``between 231 and 263``; empty where nothing can be off."""
        low, high = self._site.inside_low, self._site.inside_high
        number = self._words.number
        return self._("between {low} and {high}", low=number(low), high=number(high)) if low < high else ""

    def share(self) -> str:
        """``78 % of 1,600``; that it is too much is for ``room`` to say."""
        site, number = self._site, self._words.number
        if not site.capacity:
            return ""
        return self._(
            "{percent} % of {capacity}", percent=100 * site.inside // site.capacity, capacity=number(site.capacity)
        )

    def room(self) -> str:
        """How many more may come in, in words; empty without a capacity."""
        if self._site.capacity is None:
            return ""
        left = self._site.capacity - self._site.inside
        if left == 0:
            return self._("full")
        if left > 0:
            return self._words.ngettext("room for {n} more", "room for {n} more", left)
        return self._words.ngettext("{n} too many", "{n} too many", -left)

    def fullness(self) -> Literal["", "near", "over"]:
        """How the bar is drawn; ``near`` from nine tenths."""
        if self._site.capacity is None or 10 * self._site.inside < 9 * self._site.capacity:
            return ""
        return "over" if self._site.inside > self._site.capacity else "near"

    def more_alerts(self) -> str:
        """Alerts beside the one that is shown; empty when there is none."""
        others = len(self._site.alerts) - 1
        return self._words.ngettext("and {n} more alert", "and {n} more alerts", others) if others > 0 else ""

    def trust(self, now: Now) -> str:
        """How far to believe the figures, and why not further."""
        site, words = self._site, self._words
        if site.state == "rebuilding":
            return self._("Not current: what was lost is being counted again")
        if site.state == "stale":
            away = f" ({words.away(now.pipeline.missing)})" if now.pipeline.missing else ""
            return f"{self._stopped(now.now_ms)}{away}"
        if site.received_ms is None:
            return self._("Counting goes on; this museum was not heard yet")
        silence = words.span(now.now_ms - site.received_ms)
        if site.state == "quiet":
            return self._("Counting goes on; nothing heard from this museum for {span}", span=silence)
        return self._("Live, counted {span} ago", span=words.span(now.now_ms - (site.confirmed_ms or now.now_ms)))

    def _stopped(self, now_ms: int) -> str:
        if self._site.confirmed_ms is None:
            return self._("Nothing counted yet")
        since = self._words.since(self._site.confirmed_ms, self._zone or "UTC", now_ms)
        return self._("Not current {since}: counting stopped", since=self._words.in_utc(since, self._zone))
