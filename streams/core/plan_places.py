"""Where on a floor plan each zone's number stands, and how much room it has there.

Takes a drawing, gives places in one scale for all: the drawing's width is 1,000. The middle of a polygon is that of its
area, of anything else that of the box around it; a shape whose middle lies outside of it says ``data-at``. Curves count
by their control points: a label needs no more. Pure. Called by ``console.plan``.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from streams.core.plans import NUMBER, SHAPES, Drawing, Node

WIDTH = 1_000.0

Point = tuple[float, float]
Matrix = tuple[float, float, float, float, float, float]

_STILL: Matrix = (1, 0, 0, 1, 0, 0)
_CALL = re.compile(r"(\w+)\s*\(([^)]*)\)")
_COMMAND = re.compile(r"([MmLlHhVvCcSsQqTtAaZz])([^MmLlHhVvCcSsQqTtAaZz]*)")
_ARITY = {"m": 2, "l": 2, "h": 1, "v": 1, "c": 6, "s": 4, "q": 4, "t": 2, "a": 7}


@dataclass(frozen=True, slots=True)
class Place:
    """Of one zone: where its number stands, and the size of the box around its shape."""

    zone_id: str
    x: float
    y: float
    width: float
    height: float


def height(drawing: Drawing) -> float:
    """Of the drawing, when it is 1,000 wide."""
    return WIDTH * drawing.view[3] / drawing.view[2]


def transform(drawing: Drawing) -> str:
    """What brings the drawing's own units to that scale, as an SVG attribute."""
    left, top, width, _ = drawing.view
    return f"scale({WIDTH / width:.6g}) translate({-left:.6g} {-top:.6g})"


def places(drawing: Drawing) -> dict[str, Place]:
    """By zone; a shape without any point has none."""
    left, top, width, _ = drawing.view
    scale = WIDTH / width
    found = {}
    for node, matrix in _zoned(drawing.root, _STILL):
        points = [_moved(point, matrix) for point in _points(node)]
        if not points or node.zone is None:
            continue
        xs, ys = [x for x, _ in points], [y for _, y in points]
        said = [float(one) for one in NUMBER.findall(node.attributes.get("data-at", ""))]
        if len(said) == 2:
            x, y = _moved((said[0], said[1]), matrix)
        else:
            x, y = _middle(node, points)
        found[node.zone] = Place(
            node.zone,
            round((x - left) * scale, 1),
            round((y - top) * scale, 1),
            round((max(xs) - min(xs)) * scale, 1),
            round((max(ys) - min(ys)) * scale, 1),
        )
    return found


def _zoned(node: Node, above: Matrix) -> Iterator[tuple[Node, Matrix]]:
    """Shapes that are a zone, each with what moves its points."""
    matrix = _times(above, _matrix(node.attributes.get("transform", "")))
    if node.zone is not None:
        yield node, matrix
        return
    for child in node.children:
        if not isinstance(child, str):
            yield from _zoned(child, matrix)


def _points(node: Node) -> list[Point]:
    """Corners of a shape, or of all shapes of a group, in the units of its own element."""
    if node.name == "g":
        return [
            _moved(point, _matrix(child.attributes.get("transform", "")))
            for child in node.children
            if not isinstance(child, str)
            for point in _points(child)
        ]
    if node.name not in SHAPES:
        return []
    of = {name: float((NUMBER.match(value) or ("0",))[0]) for name, value in node.attributes.items() if name in _SIZES}
    match node.name:
        case "rect":
            x, y, wide, high = (of.get(name, 0.0) for name in ("x", "y", "width", "height"))
            return [(x, y), (x + wide, y), (x + wide, y + high), (x, y + high)]
        case "circle" | "ellipse":
            x, y, radius = (of.get(name, 0.0) for name in ("cx", "cy", "r"))
            wide, high = of.get("rx", radius), of.get("ry", radius)
            return [(x - wide, y), (x, y - high), (x + wide, y), (x, y + high)]
        case "line":
            return [(of.get("x1", 0.0), of.get("y1", 0.0)), (of.get("x2", 0.0), of.get("y2", 0.0))]
        case "path":
            return _path(node.attributes.get("d", ""))
        case _:
            numbers = [float(one) for one in NUMBER.findall(node.attributes.get("points", ""))]
            return list(zip(numbers[::2], numbers[1::2], strict=False))


_SIZES = frozenset(("x", "y", "width", "height", "cx", "cy", "r", "rx", "ry", "x1", "y1", "x2", "y2"))


def _path(data: str) -> list[Point]:
    """Where a path's pieces end."""
    found: list[Point] = []
    x = y = 0.0
    begin = (0.0, 0.0)
    for letter, said in _COMMAND.findall(data):
        kind, relative = letter.lower(), letter.islower()
        if kind == "z":
            x, y = begin
            continue
        numbers = [float(one) for one in NUMBER.findall(said)]
        arity = _ARITY[kind]
        for start in range(0, len(numbers) - arity + 1, arity):
            one = numbers[start : start + arity]
            match kind:
                case "h":
                    x = one[0] + (x if relative else 0)
                case "v":
                    y = one[0] + (y if relative else 0)
                case _:
                    x, y = one[-2] + (x if relative else 0), one[-1] + (y if relative else 0)
            if kind == "m" and start == 0:
                begin = (x, y)
            found.append((x, y))
    return found


def _middle(node: Node, points: Sequence[Point]) -> Point:
    """Of the area where the points go round it, else of the box."""
    area = x_sum = y_sum = 0.0
    if node.name in ("polygon", "polyline", "path"):
        for (x, y), (next_x, next_y) in zip(points, [*points[1:], points[0]], strict=True):
            cross = x * next_y - next_x * y
            area += cross
            x_sum += (x + next_x) * cross
            y_sum += (y + next_y) * cross
    xs, ys = [x for x, _ in points], [y for _, y in points]
    box = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    if abs(area) < 1e-9:
        return box
    x, y = x_sum / (3 * area), y_sum / (3 * area)
    return (x, y) if min(xs) <= x <= max(xs) and min(ys) <= y <= max(ys) else box


def _moved(point: Point, matrix: Matrix) -> Point:
    a, b, c, d, e, f = matrix
    x, y = point
    return a * x + c * y + e, b * x + d * y + f


def _times(one: Matrix, other: Matrix) -> Matrix:
    a, b, c, d, e, f = one
    g, h, i, j, k, m = other
    return a * g + c * h, b * g + d * h, a * i + c * j, b * i + d * j, a * k + c * m + e, b * k + d * m + f


def _matrix(said: str) -> Matrix:
    """What a ``transform`` does; a call with too few numbers does nothing."""
    found = _STILL
    for name, given in _CALL.findall(said):
        numbers = [float(one) for one in NUMBER.findall(given)]
        if numbers:
            found = _times(found, _called(name, numbers))
    return found


def _called(name: str, numbers: list[float]) -> Matrix:
    first = numbers[0]
    match name, len(numbers):
        case "translate", _:
            return 1, 0, 0, 1, first, numbers[1] if len(numbers) > 1 else 0
        case "scale", _:
            return first, 0, 0, numbers[1] if len(numbers) > 1 else first, 0, 0
        case "rotate", count:
            turn = math.radians(first)
            turned: Matrix = (math.cos(turn), math.sin(turn), -math.sin(turn), math.cos(turn), 0, 0)
            if count < 3:
                return turned
            x, y = numbers[1:3]
            return _times(_times((1, 0, 0, 1, x, y), turned), (1, 0, 0, 1, -x, -y))
        case "skewX", _:
            return 1, 0, math.tan(math.radians(first)), 1, 0, 0
        case "skewY", _:
            return 1, math.tan(math.radians(first)), 0, 1, 0, 0
        case "matrix", 6:
            a, b, c, d, e, f = numbers
            return a, b, c, d, e, f
        case _:
            return _STILL
