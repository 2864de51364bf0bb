"""The plans of a site file: SVG files beside it, read by the rules of ``core.plans``.

    [[plans]]
    file = "plans/ground.svg"      # beside this file or in a folder below it
    level = 0                      # 0 is the ground floor
    name = "Ground floor"
    name_fr = "Rez-de-chaussée"    # may be left out

Each room is a shape with ``data-zone="ID"``. Faults are told as those of the SVG, by its own lines; where plans and
zones do not match, that is told beside them: such a plan can be published, and the page says what is missing in it.
Called by ``sites.files``.
"""

import difflib
from collections.abc import Sequence
from pathlib import Path

from streams.core import plans
from streams.core.plans import MAX_SITE_BYTES, Drawing
from streams.core.sites import Plan, Site
from streams.sites.tomls import Document, Fault


def read(document: Document, site: Site) -> tuple[tuple[Plan, ...], list[Fault], list[Fault]]:
    """The plans that a sound site file names.

    Returns:
        The plans, lowest first; what is wrong with them, whereupon there are none; and where they and the zones of the
        site do not match.
    """
    folder = Path(document.file).parent
    found: list[tuple[Plan, Drawing, str]] = []
    faults: list[Fault] = []
    for index, row in enumerate(document.table.get("plans", ())):
        drawing, wrong = _drawing(document, index, folder / row["file"])
        faults += wrong
        if drawing is not None:
            plan = Plan(row.get("level", 0), row["name"], drawing.svg, row.get("name_fr"))
            found.append((plan, drawing, str(folder / row["file"])))
    size = sum(len(plan.svg.encode()) for plan, _, _ in found)
    if size > MAX_SITE_BYTES:
        wrong_size = f"are too large: {size:,} bytes of at most {MAX_SITE_BYTES:,} together"
        faults.append(Fault(document.file, document.line("plans"), "plans", wrong_size, "simplify their paths"))
    if faults:
        return (), faults, []
    found.sort(key=lambda one: one[0].level)
    differing = _differing(document, site, [(drawing, file) for _, drawing, file in found]) if found else []
    return tuple(plan for plan, _, _ in found), [], differing


def _drawing(document: Document, index: int, path: Path) -> tuple[Drawing | None, list[Fault]]:
    file = str(path)
    try:
        with path.open("rb") as opened:
            content = opened.read(plans.MAX_BYTES + 1)
            size = path.stat().st_size
    except OSError as error:
        reason = error.strerror or type(error).__name__
        wrong = f"= {document.table['plans'][index]['file']!r} cannot be read: {reason}"
        line = document.line("plans", index, "file")
        return None, [Fault(document.file, line, f"plans.{index}.file", wrong, "check the path")]
    drawing, faults = plans.read(content) if size <= plans.MAX_BYTES else (None, [plans.too_large(size)])
    return drawing, [Fault(file, fault.line, "", fault.wrong, fault.fix) for fault in faults]


def _differing(document: Document, site: Site, drawn: Sequence[tuple[Drawing, str]]) -> list[Fault]:
    """Each zone without a shape, at its line of the site file; each shape without a zone, at its line of the SVG."""
    known = [zone.zone_id for zone in site.zones]
    told = plans.differing([drawing for drawing, _ in drawn], known)
    faults = [
        Fault(
            document.file,
            document.line("zones", known.index(zone), "id"),
            f"zones.{known.index(zone)}.id",
            f"= {zone!r} is on no plan",
            f'give its shape data-zone="{zone}"; until then the page shows a list instead of the plan',
        )
        for zone in told.undrawn
    ]
    for drawing, file in drawn:
        for node in drawing.shapes():
            if node.zone in told.unknown:
                near = difflib.get_close_matches(node.zone or "", known, 1)
                fix = f"write {near[0]}" if near else "describe it in a [[zones]] table, or take data-zone out"
                faults.append(Fault(file, node.line, "", f'has data-zone="{node.zone}", which is no zone', fix))
    return faults
