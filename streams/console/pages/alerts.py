"""``/alerts``: what is open in the network, who looks after it, and what was."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote_plus, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from streams.adapters.alert_history import Episode
from streams.console import alert_routes, i18n
from streams.console.alert_requests import DAY_MS, RefusedRequest, Stretch
from streams.console.alert_words import AlertWords, isolated
from streams.console.alerts import Listed, Shown
from streams.console.documents import Now, Site, read_now
from streams.console.shell import Parts
from streams.core.alerts import LONGEST_NAME
from streams.errors import Unavailable

SHOWN = 200  # alerts of a list: more would be read by nobody
ROWS = 25  # episodes of a page of history
_DAYS = 7
_PAGES = 1_000


@dataclass(frozen=True)
class Card:
    """An alert as a page shows it, beside its site."""

    site: Site
    alert: Shown
    listed: str = "shown"


@dataclass(frozen=True)
class Past:
    """The table of what was.

    Attributes:
        rows: episodes, each with the name of its site, of its zone or gate, and the zone of the site's clock.
        page, pages: which page of how many, from 1.
        real, played: how many opened at real sites, and at replayed or simulated ones, with their rate a day and an
            hour.
        as_of_ms: when it was asked.
    """

    rows: Sequence[tuple[Episode, str, str | None, str, bool]]
    page: int
    pages: int
    total: int
    real: tuple[int, float, float]
    played: tuple[int, float, float]
    as_of_ms: int


def routes(parts: Parts) -> list[BaseRoute]:
    """``/alerts`` and the API behind it."""

    async def page(request: Request) -> Response:
        site_id = request.query_params.get("site") or None
        if site_id is not None and site_id not in parts.feed.sites:
            return parts.shell.lost(request, site_id)
        listed = parts.feed.listed(site_id)
        now = read_now(parts.feed.some(dict.fromkeys(one.site_id for one in listed)))
        return parts.shell.page(
            request,
            "alerts.html",
            now=now,
            site_id=site_id,
            site_name=None if site_id is None else parts.feed.sites[site_id].name,
            unknown=parts.feed.unknown,
            **sorted_out(cards(now, listed)),
            **await _past(parts, site_id, request.query_params.get("history", "1")),
            **told(request),
        )

    return [Route("/alerts", page), *alert_routes.routes(parts)]


def cards(now: Now, listed: Sequence[Listed]) -> list[Card]:
    """Alerts beside their sites; those of a site that is gone are left out."""
    sites = {site.site_id: site for site in now.sites}
    return [Card(sites[one.site_id], _isolated(one.alert), one.listed) for one in listed if one.site_id in sites]


def _isolated(alert: Shown) -> Shown:
    """With names that stand for themselves wherever a sentence puts them."""
    names = {name: getattr(alert, name) for name in ("zone", "gate", "acknowledged_by")}
    return msgspec.structs.replace(alert, **{name: said and isolated(said) for name, said in names.items()})


def sorted_out(all_cards: Sequence[Card]) -> dict[str, Any]:
    """The lists of the page, each worst first."""
    shown = [one for one in all_cards if one.listed == "shown"]
    open_ = [one for one in shown if one.alert.state == "OPEN"]
    taken = [one for one in shown if one.alert.state != "OPEN"]
    folded = [one for one in all_cards if one.listed != "shown"]
    return {
        "open_cards": open_[:SHOWN],
        "taken_cards": taken[:SHOWN],
        "folded_cards": folded[:SHOWN],
        "left_out": sum(max(0, len(some) - SHOWN) for some in (open_, taken, folded)),
        "open_count": len(open_),
        "taken_count": len(taken),
        "folded_count": len(folded),
    }


def told(request: Request) -> dict[str, Any]:
    """What ``_alert.html`` needs besides a card: words, the address to come back to, the post that was named last."""
    try:
        language = i18n.of(request)
    except i18n.UnknownLanguageError:
        language = i18n.ENGLISH
    query = request.query_params
    kept = [(name, value) for name, value in query.multi_items() if name in ("site", "lang", "history")]
    spoken = AlertWords(language)
    return {
        "alert_words": spoken,
        "back": f"{quote(request.url.path)}{'?' + urlencode(kept) if kept else ''}",
        "post": unquote_plus(request.cookies.get(alert_routes.POST_COOKIE, ""))[:LONGEST_NAME],
        "longest_name": LONGEST_NAME,
        "acknowledging": query.get("acknowledge", "")[:36],
        "message": spoken.message(query.get("done"), query.get("refused")),
        "message_of": query.get("alert", "")[:36],
        "is_refused": query.get("refused") is not None,
    }


async def _past(parts: Parts, site_id: str | None, asked: str) -> dict[str, Any]:
    """The table's page; ``past`` is ``None`` where ClickHouse does not answer, ``past_away`` says so."""
    now_ms = time.time_ns() // 1_000_000
    page = min(int(asked), _PAGES) if asked.isascii() and asked.isdigit() and len(asked) < 6 and int(asked) else 1
    stretch = Stretch(now_ms - _DAYS * DAY_MS, now_ms, ROWS, (page - 1) * ROWS)
    try:
        found = await alert_routes.read_past(parts.settings, site_id, stretch)
    except (Unavailable, RefusedRequest) as away:
        return {"past": None, "past_away": str(away)}
    past = Past(
        rows=[_row(parts, one) for one in found.episodes],
        page=page,
        pages=max(1, -(-found.total // ROWS)),
        total=found.total,
        real=(found.opened, *alert_routes.rate(found.opened, stretch)),
        played=(found.played, *alert_routes.rate(found.played, stretch)),
        as_of_ms=now_ms,
    )
    return {"past": past, "past_away": None}


def _row(parts: Parts, one: Episode) -> tuple[Episode, str, str | None, str, bool]:
    site = parts.feed.sites.get(one.site_id)
    if site is None:
        return one, one.site_id, one.zone_id or one.gate_id, "UTC", one.played
    names = {zone.zone_id: zone.name for zone in site.zones} | {gate.gate_id: gate.name for gate in site.gates}
    part = one.zone_id or one.gate_id
    return one, site.name, None if part is None else names.get(part, part), site.time_zone, site.replay
