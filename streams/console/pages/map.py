"""``/map``: museums by département, on an outline and as a table; ``/v1/map`` tells the same sums."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from streams.console import areas
from streams.console.answers import document, problem
from streams.console.areas import ABROAD, UNPLACED, Area
from streams.console.documents import Now, Site, read_now
from streams.console.outline import HEIGHT, WIDTH, outline
from streams.console.shell import Parts
from streams.sites import departments

LISTED = 250  # sites of an area in its list: more would be read by nobody
_SORTS = ("people", "name")


def routes(parts: Parts) -> list[BaseRoute]:
    """``/map?department=75&sort=name`` and ``/v1/map?department=75``; 404 for a département that there is none of."""

    async def page(request: Request) -> Response:
        now = read_now(parts.feed.now())
        asked = request.query_params.get("department")
        told = areas.areas(now)
        chosen = _chosen(asked, told)
        lost = asked if asked and chosen is None else None
        return parts.shell.page(
            request,
            "map.html",
            now=now,
            status=404 if lost else 200,
            **context(now, told, chosen, lost, _sort(request)),
        )

    async def api(request: Request) -> Response:
        now = read_now(parts.feed.now())
        told = areas.areas(now)
        asked = request.query_params.get("department")
        chosen = _chosen(asked, told)
        if asked is not None and chosen is None:
            codes = [one.code for one in told]
            return problem(404, f"no département has the code {asked!r}", code="unknown-department", departments=codes)
        shown = told if chosen is None else [chosen]
        answer: dict[str, object] = {
            "now_ms": now.now_ms,
            "stale_after_ms": now.stale_after_ms,
            "departments": [one for one in shown if one.kind == "department"],
            "elsewhere": [one for one in shown if one.kind != "department"],
        }
        if chosen is not None:
            answer["sites"] = [one.site_id for one in areas.sites_in(chosen.code, now)]
        return document(msgspec.to_builtins(answer))

    return [Route("/map", page), Route("/v1/map", api)]


def context(now: Now, told: list[Area], chosen: Area | None, lost: str | None, sort: str) -> dict[str, Any]:
    """What ``map.html`` needs.

    Args:
        now: all sites that are known.
        told: all areas.
        chosen: the one whose sites are listed.
        lost: a code that was asked for and is none.
        sort: order of the table: ``people`` or ``name``.
    """
    by_code = {one.code: one for one in told}
    drawing = outline()
    rows = areas.busiest(one for one in told if one.kind == "department")
    if sort == "name":
        rows.sort(key=lambda one: departments.slug(one.name or ""))
    return {
        "kind": "map",
        "drawn": [(shape, by_code[code]) for code, shape in drawing.shapes.items()],
        "inset": drawing.inset,
        "size": (WIDTH, HEIGHT),
        "overseas": [one for one in told if one.overseas],
        "chosen": chosen,
        "chosen_sites": _listed(chosen.code, now) if chosen else ([], [], 0),
        "lost": lost,
        "rows": rows,
        "sort": sort,
        "elsewhere": [
            (by_code[code], _listed(code, now))
            for code in (ABROAD, UNPLACED)
            if by_code[code].sites_known and (chosen is None or chosen.code != code)
        ],
        "steps": areas.STEPS,
        "zones": " ".join(sorted(areas.ZONES)),
    }


def _listed(code: str, now: Now) -> tuple[list[Site], list[Site], int]:
    """Sites of an area that were heard, those that were not, and how many are left out of both."""
    sites = areas.sites_in(code, now)
    shown = sites[:LISTED]
    return [one for one in shown if one.heard], [one for one in shown if not one.heard], len(sites) - len(shown)


def _chosen(asked: str | None, told: list[Area]) -> Area | None:
    """The area with a code, however it is written: ``2a``, ``1``."""
    if not asked:
        return None
    found = departments.by_code(asked[:10])
    code = found.code if found else asked
    return next((one for one in told if one.code == code), None)


def _sort(request: Request) -> str:
    asked = request.query_params.get("sort", "")
    return asked if asked in _SORTS else _SORTS[0]
