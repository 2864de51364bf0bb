"""``/why/{site_id}``: the events, corrections and revisions behind a figure, and whether they add up to it.

``/why`` does the same for the network, whose figures are sums over sites.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from streams.adapters.counted import Parts as Counted
from streams.adapters.history import RefusedQuery
from streams.console import i18n, why
from streams.console.documents import Site, read_now
from streams.console.reader import NotReadError
from streams.console.shell import Parts
from streams.console.waterfall import waterfall
from streams.console.why import FIGURES, Found, Why
from streams.console.why_words import WhyWords
from streams.console.words import Words, clock
from streams.core.answers import Answer, Window, is_late
from streams.core.evidence import Said
from streams.core.questions import Question, WrongQuestion
from streams.core.sites import Zone
from streams.errors import Unavailable

EVENTS = 100  # on a page
_SAID, _WINDOWS, _SITES = 100, 200, 1_000  # corrections, quarter-hours and sites on it
_NETWORK = ("inside", "entries", "exits", "sites_heard")


def routes(parts: Parts) -> list[BaseRoute]:
    """The page of a site's figures, that of the network's, and ``/v1/why/{site_id}``."""
    asking = Why(parts.settings, parts.feed)

    async def network(request: Request) -> Response:
        figure = request.query_params.get("figure")
        figure = figure if figure in _NETWORK else "inside"
        now = read_now(parts.feed.now(heard_only=True))
        of_site = "inside" if figure == "sites_heard" else figure  # each of them is one
        sites = sorted(now.sites, key=lambda site: (-getattr(site, of_site), site.site_id))
        return parts.shell.page(
            request, "why_network.html", now=now, kind="why", told=_words(request), figure_markup=figure_markup,
            asked=figure, figures=_NETWORK, of_site=of_site, sites=sites[:_SITES],
            unlisted=max(0, len(sites) - _SITES),
        )  # fmt: skip

    async def page(request: Request) -> Response:
        site_id = request.path_params["site_id"]
        try:
            now = read_now(parts.feed.now(site_id))
        except KeyError:
            return parts.shell.lost(request, site_id)
        (hero,) = now.sites
        zones = parts.feed.site(site_id).zones
        status, more = 200, dict[str, object]()
        wrong = failed = None
        try:
            asked = why.read_address(request, EVENTS)
            more = await asking.ask(site_id, asked, lambda found: _context(request, hero, found))
        except KeyError:  # taken away meanwhile
            return parts.shell.lost(request, site_id)
        except WrongQuestion as error:
            wrong = error
            status = 404 if wrong.code.startswith("unknown-") else 400
        except (Unavailable, RefusedQuery, NotReadError) as away:
            status, failed = 503, why.failure(away)
        return parts.shell.page(
            request, "why.html", status=status, now=now, hero=hero, kind="why", told=_words(request), wrong=wrong,
            failed=failed, form=_form(request, hero, zones, more.get("question")), address=_Address.of(request), **more,
        )  # fmt: skip

    return [Route("/why", network), Route("/why/{site_id}", page), Route("/v1/why/{site_id}", asking.api)]


# -- what the template needs -----------------------------------------------------------------------------------------


def figure_markup(value: float | None, shown: str, figure: str) -> Markup:
    """A figure as it stands on the page, for tests and scripts to read."""
    span = Markup('<span class="figure" data-figure="why.{}" data-value="{}">{}</span>')
    return span.format(figure, "" if value is None else value, shown)


def _words(request: Request) -> WhyWords:
    try:
        language = i18n.of(request)
    except i18n.UnknownLanguageError:  # the shell says so
        language = i18n.ENGLISH
    return WhyWords(Words(language))


def _form(request: Request, hero: Site, zones: tuple[Zone, ...], question: object) -> dict[str, object]:
    """What the form shows: what was asked, cut where it is absurdly long, and what may be chosen."""
    typed = {name: request.query_params.get(name, "")[:200] for name in ("figure", "gate", "zone", "from", "to")}
    if isinstance(question, Question) and not question.so_far:
        zone = ZoneInfo(question.site.time_zone)
        for name, at_ms in (("from", question.start_ms), ("to", question.end_ms)):
            typed[name] = f"{datetime.fromtimestamp(at_ms / 1000, zone):%Y-%m-%dT%H:%M}"
    gates = [(gate.gate_id, gate.name) for gate in hero.gates]
    return {**typed, "gates": gates, "zones": zones, "figures": FIGURES}


@dataclass(frozen=True, slots=True)
class _Address:
    """The page's own address, and others like it."""

    path: str
    query: Mapping[str, str]

    @classmethod
    def of(cls, request: Request) -> "_Address":
        return cls(quote(request.url.path), {name: value for name, value in request.query_params.items() if value})

    def but(self, **changes: str | None) -> str:
        """The same with other parameters; ``None`` or empty takes one away."""
        query = {name: value for name, value in {**self.query, **changes}.items() if value}
        return f"{self.path}?{urlencode(query)}" if query else self.path


def _context(request: Request, hero: Site, found: Found) -> dict[str, object]:
    told, question, figure = _words(request), found.question, found.asked.figure
    clock_ms = hero.occurred_ms if hero.replay and hero.occurred_ms is not None else found.read_ms
    at_ms = clock_ms if question.so_far else min(question.end_ms, max(clock_ms, question.start_ms))
    if isinstance(found.answer, Counted):
        shown, more = _counted(told, found.answer)
        at_ms = shown.at_ms or at_ms
    else:
        shown, more = _answer(told, found, found.answer)
    markup = figure_markup(shown.value, shown.said, figure)
    return {
        "question": question,
        "headline": told.headline(figure, shown.value or 0, markup, clock(at_ms, question.site.time_zone)),
        "read_ms": found.read_ms,
        "gate_names": {gate.gate_id: gate.name for gate in question.site.gates},
        "zone": next((zone for zone in question.site.zones if zone.zone_id == question.zone_id), None),
        "sql": why.sql(found),
        **more,
    }


class _Shown(NamedTuple):
    """The figure as a number, as it is written, and the minute that it is of if that is not the reader's."""

    value: float | None
    said: str
    at_ms: int | None = None


def _answer(told: WhyWords, found: Found, answer: Answer) -> tuple[_Shown, dict[str, object]]:
    figure = found.asked.figure
    level, counts = answer.figure.level, answer.figure.counts
    value = level.inside if figure == "inside" and level is not None else getattr(counts, figure)
    said = [step for step in answer.account.steps if isinstance(step.record, Said)]
    revised = [window for window in answer.windows if len(window.revisions) > 1 or window.agrees is False]
    return _Shown(value, told.number(value)), {
        "answer": answer,
        "counted": None,
        "level": level if figure == "inside" else None,
        "events": why.listed(answer, found.asked),
        "picture": waterfall(answer, figure),
        "corrections": list(reversed(said[-_SAID:])),
        "corrections_total": len(said),
        "first_said": answer.first_said,
        "is_late": is_late,
        "revised": list(reversed(revised[-_WINDOWS:])),
        "windows": list(reversed(answer.windows[-_WINDOWS:])),
        "window_counts": _window_counts(answer.windows),
    }


def _window_counts(windows: tuple[Window, ...]) -> dict[str, int]:
    final = sum(len(window.revisions) == 1 for window in windows)
    revised = sum(len(window.revisions) > 1 for window in windows)
    return {"final": final, "revised": revised, "open": len(windows) - final - revised}


def _counted(told: WhyWords, parts: Counted) -> tuple[_Shown, dict[str, object]]:
    amounts = parts.live
    differing = sum(part.live != part.history for part in parts.parts)
    more: dict[str, object] = {"answer": None, "counted": parts, "differing": differing}
    if len(amounts) == 2:
        mean = round(amounts[0] / amounts[1], 2) if amounts[1] else None
        return _Shown(mean, told.rating(mean)), more
    if parts.kind.unit == "minute":
        if parts.shown is None:
            return _Shown(None, "–"), more
        return _Shown(amounts[0], told.number(amounts[0]), parts.parts[parts.shown].start_ms), more
    return _Shown(amounts[0], told.number(amounts[0])), more
