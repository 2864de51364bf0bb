"""``/quality`` and ``/v1/quality``: what is wrong with what comes in, by site, and what opens the events behind."""

import shlex
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from streams.console import answers, quality
from streams.console.quality import History, Told, View, Window
from streams.console.shell import Parts
from streams.core.quality import LATE_MS, Arrivals, Letters

LISTED = 250  # sites on the page, worst first; the rest is counted
_SHIFTED = {"clock", "future"}
_AGAIN = {"partition", "schema"}


def routes(parts: Parts) -> list[BaseRoute]:
    """The page and its document, over one reader of history."""
    history = History(parts.settings)

    async def shown(request: Request) -> View:
        wanted = quality.window(request.query_params.get("day"), time.time_ns() // 1_000_000)
        site_id = request.query_params.get("site") or None
        if site_id is not None and site_id not in parts.feed.sites:
            raise KeyError(site_id)
        return quality.view(parts.feed, await history.get(wanted), site_id)

    async def told(request: Request) -> Response:
        try:
            return answers.document(quality.document(await shown(request)))
        except ValueError as error:
            return answers.problem(400, str(error), code="no-day")
        except KeyError as error:
            return answers.unknown_site(str(error.args[0]), parts.feed.known)

    async def page(request: Request) -> Response:
        site_id, day = request.query_params.get("site") or None, request.query_params.get("day") or None
        try:
            view = await shown(request)
        except ValueError:
            return parts.shell.page(request, "quality.html", status=400, view=None, no_day=day)
        except KeyError:
            return parts.shell.lost(request, str(site_id))
        listed = view.wrong if site_id is None else view.sites
        return parts.shell.page(
            request,
            "quality.html",
            view=view,
            listed=listed[:LISTED],
            unlisted=max(0, len(listed) - LISTED),
            asked=site_id,
            day=day,
            today=datetime.fromtimestamp(view.now_ms / 1000, UTC).date().isoformat(),
            commands=lambda one: commands(one, view.taken.window),
            letters_commands=lambda letters, site: letters_commands(letters, view.taken.window, site),
            late_percent=percent,
        )

    return [Route("/quality", page), Route("/v1/quality", told)]


def percent(part: int, whole: int) -> float:
    """Share in percent, as wide as its bar; 0 of nothing."""
    return 100 * part / whole if whole else 0.0


def commands(one: Told, window: Window) -> list[tuple[str, str]]:
    """What opens the events behind a site's figures: (figure, command), of the figures that are not nought."""
    came, site_id = one.judged.arrivals or Arrivals(), _literal(one.live.site_id)
    where = f"site_id = {site_id} AND {_received(window)} AND NOT test"
    records = f"FROM musee.v_records WHERE {where}"
    found = []
    if came.late or came.offline:
        first = "argMin(tuple(late_s), received_at).1 AS first_late_s"
        asked = f"SELECT family, event_id, {first}, max(ingest_mode) AS mode {records} GROUP BY family, event_id"
        found.append(("late", f"{asked} HAVING first_late_s > {LATE_MS // 1000} ORDER BY first_late_s DESC"))
    if came.resent:
        asked = f"SELECT family, event_id, uniqExact(kafka_partition, kafka_offset) AS times {records}"
        found.append(("resent", f"{asked} GROUP BY family, event_id HAVING times > 1 ORDER BY times DESC"))
    if came.drifting or came.unsynced:
        asked = f"SELECT device_id, clock_trust, uniqExact(event_id) AS events {records}"
        found.append(
            ("clocks", f"{asked} AND clock_trust IN ('DRIFTING', 'UNSYNCED') GROUP BY ALL ORDER BY events DESC")
        )
    if one.judged.silent:
        found.append(("devices", f"SELECT * FROM musee.v_devices WHERE site_id = {site_id}"))  # noqa: S608 - a literal
    told = [(figure, _musee_sql(sql)) for figure, sql in found]
    return told + [("dead_letters", line) for line in letters_commands(one.judged.letters, window, one.live.site_id)]


def letters_commands(letters: Sequence[Letters], window: Window, site_id: str | None) -> list[str]:
    """What shows the dead letters of a site, or of none, and what tries again those that can succeed."""
    if not letters:
        return []
    nowhere = "(key NOT IN (SELECT site_id FROM musee.site) OR key IS NULL)"
    whose = nowhere if site_id is None else f"key = {_literal(site_id)}"
    since = f"dead_at >= {_at(window.start_ms)} AND dead_at < {_at(window.end_ms)}"
    asked = f"SELECT topic, reason, detail, count() FROM musee.v_dead_letters WHERE {whose} AND {since}"  # noqa: S608
    lines = [_musee_sql(f"{asked} GROUP BY ALL ORDER BY count() DESC")]
    for reason in sorted({one.reason for one in letters if one.left}):
        if reason in _SHIFTED:
            lines.append(f"musee dlq retry --reason {reason} --shift auto")
        elif reason in _AGAIN:
            lines.append(f"musee dlq retry --reason {reason}")
    return lines


def _musee_sql(sql: str) -> str:
    """The command; in quotes that are easy to read where nothing in it means anything to a shell."""
    return f'musee sql "{sql}"' if not set(sql) & set('"$`\\!') else f"musee sql {shlex.quote(sql)}"


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _received(window: Window) -> str:
    start, end = _at(window.start_ms), _at(window.end_ms)
    return f"landed_at >= {start} - INTERVAL 5 MINUTE AND received_at >= {start} AND received_at < {end}"


def _at(at_ms: int) -> str:
    return f"fromUnixTimestamp64Milli({at_ms}, 'UTC')"
