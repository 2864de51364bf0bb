"""Floor plans: a drawing of one floor whose shapes say which zone they are, read from an SVG that nobody trusts.

Takes the text of an SVG, gives a drawing that holds nothing but shapes and words from a short list, or every reason why
there is none. What can run, load, refer or recolour is refused by name and line; what drawing programs add for
themselves (their own name spaces, colours, ids) is left out, since the colours are the page's. Pure. Called by
``sites.plans`` for whoever draws, and by ``console.plan`` once more for whoever wrote the topic.
"""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import escape
from xml.parsers import expat

MAX_BYTES = 200_000  # of one floor; twelve of them and the site still fit into one record
MAX_SITE_BYTES = 600_000
MAX_FLOORS = 12
_MAX_ELEMENTS, _MAX_DEPTH, _MAX_FAULTS = 5_000, 32, 50
_LARGEST = 1e6  # of a number in a drawing

SVG = "http://www.w3.org/2000/svg"
SHAPES = frozenset(("path", "rect", "circle", "ellipse", "polygon", "polyline", "line"))
WORDS = frozenset(("text", "tspan", "title", "desc"))
ELEMENTS = SHAPES | WORDS | {"svg", "g"}
CLASSES = frozenset(("wall", "door", "stairs", "object", "outside", "closed", "label"))
_ZONED = SHAPES | {"g"}

_N = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"  # in one way only: a long row of digits costs its length
_SPACE = r"[\s,]*"
NUMBER = re.compile(_N)
_LENGTH = re.compile(rf"{_N}(?:px)?")
_NUMBERS = re.compile(rf"\s*{_N}(?:(?:\s+|\s*,\s*|(?=[+-])){_N})*\s*")
_PATH = re.compile(r"[MmLlHhVvCcSsQqTtAaZz\d\s,.eE+-]*")
_TRANSFORM = re.compile(rf"{_SPACE}(?:(?:matrix|translate|scale|rotate|skewX|skewY)\s*\([\d\s,.eE+-]*\){_SPACE})*")
_ZONE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_ANCHOR = re.compile(r"start|middle|end")

_LENGTHS = frozenset(("x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "rx", "ry", "dx", "dy"))
_VALUES = {
    **dict.fromkeys(_LENGTHS, _LENGTH),
    "width": _LENGTH, "height": _LENGTH, "points": _NUMBERS, "d": _PATH, "transform": _TRANSFORM, "viewBox": _NUMBERS,
    "data-zone": _ZONE, "data-at": _NUMBERS, "text-anchor": _ANCHOR,
}  # fmt: skip
ATTRIBUTES = frozenset((*_VALUES, "class"))
# Said about looks, identity or the file: what the page decides itself. Left out without a word.
_LOOKS = re.compile(
    r"id|version|baseProfile|preserveAspectRatio|enable-background|xml:\w+|fill(-.+)?|stroke(-.+)?|opacity|color"
    r"|font(-.+)?|letter-spacing|word-spacing|dominant-baseline|text-rendering|shape-rendering|display|visibility"
    r"|overflow|vector-effect|paint-order|pathLength|data-name|aria-\w+|role"
)
_LEFT_OUT = frozenset(("metadata", "defs"))  # the latter only while nothing stands in it
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")  # turns text around


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an SVG is no plan: ``line`` from 1, ``None`` if it is the whole file."""

    line: int | None
    wrong: str
    fix: str


@dataclass(frozen=True, slots=True)
class Node:
    """An element of a drawing; texts stand between its children."""

    name: str
    attributes: dict[str, str]
    children: "tuple[Node | str, ...]"
    line: int

    @property
    def zone(self) -> str | None:
        """Id of the zone that it is the shape of."""
        return self.attributes.get("data-zone")


@dataclass(frozen=True, slots=True)
class Drawing:
    """One floor.

    Attributes:
        view: left, top, width and height of what is seen, in the drawing's own units.
    """

    view: tuple[float, float, float, float]
    root: Node

    def shapes(self) -> Iterator[Node]:
        """Those that are a zone, in their order."""
        return (node for node in _walk(self.root) if node.zone is not None)

    @property
    def zones(self) -> tuple[str, ...]:
        """Ids of its zones, in their order."""
        return tuple(node.zone for node in self.shapes() if node.zone is not None)

    @property
    def svg(self) -> str:
        """The drawing as a file of its own; reading it gives the same drawing."""
        return _namespaced(self)


@dataclass(frozen=True, slots=True)
class Differing:
    """Where plans and zones of a site do not match: zones that no shape is of, shapes of zones that are not."""

    undrawn: tuple[str, ...]
    unknown: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.undrawn or self.unknown)


def differing(drawings: Iterable[Drawing], zones: Iterable[str]) -> Differing:
    """What of ``zones`` the floors together leave out, and what they show beyond."""
    drawn = list(dict.fromkeys(zone for drawing in drawings for zone in drawing.zones))
    known = list(zones)
    return Differing(
        tuple(zone for zone in known if zone not in drawn), tuple(zone for zone in drawn if zone not in known)
    )


def read(content: bytes) -> tuple[Drawing | None, list[Fault]]:
    """The drawing in an SVG file, or else its faults; at most fifty are told."""
    if len(content) > MAX_BYTES:
        return None, [too_large(len(content))]
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        return None, [Fault(line, "is not UTF-8", "save the file as UTF-8")]
    reader = _Reader()
    reader.parse(text)
    drawing = reader.drawing
    if drawing is not None and not reader.faults:
        size = len(_namespaced(drawing).encode())
        return (drawing, []) if size <= MAX_BYTES else (None, [too_large(size)])
    return None, reader.faults[:_MAX_FAULTS]


def too_large(size: int) -> Fault:
    """What is said of an SVG of so many bytes, which nobody reads."""
    wrong = f"is too large: {size:,} bytes of at most {MAX_BYTES:,}"
    return Fault(None, wrong, "simplify its paths, and take pictures out")


def _namespaced(drawing: Drawing) -> str:
    """The drawing as a file of its own."""
    root = drawing.root
    return written(Node(root.name, {"xmlns": SVG, **root.attributes}, root.children, root.line))


def written(node: Node | str) -> str:
    """A node as text: nothing but its allowed name, its allowed attributes and escaped words."""
    if isinstance(node, str):
        return escape(node)
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in node.attributes.items())
    if not node.children and node.name not in WORDS:
        return f"<{node.name}{attributes}/>"
    return f"<{node.name}{attributes}>{''.join(written(child) for child in node.children)}</{node.name}>"


def only(drawing: Drawing, zones: Iterable[str]) -> Drawing:
    """The same house with fewer zones: a shape of another one is a closed room."""
    kept = set(zones)

    def closed(node: Node) -> Node:
        attributes = dict(node.attributes)
        if node.zone is not None and node.zone not in kept:
            del attributes["data-zone"]
            attributes.pop("data-at", None)
            attributes["class"] = "closed"
        children = tuple(child if isinstance(child, str) else closed(child) for child in node.children)
        return Node(node.name, attributes, children, node.line)

    return Drawing(drawing.view, closed(drawing.root))


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        if not isinstance(child, str):
            yield from _walk(child)


@dataclass(slots=True)
class _Open:
    """An element that is still being read."""

    name: str
    attributes: dict[str, str]
    line: int
    children: list[Node | str] = field(default_factory=list)


class _Refused(Exception):  # noqa: N818 - ends the parser, never leaves this module
    pass


class _Reader:
    """Reads one SVG with a parser that declares no entity and opens no other file."""

    def __init__(self) -> None:
        self.drawing: Drawing | None = None
        self.faults: list[Fault] = []
        self._open: list[_Open] = []
        self._skipping = 0  # depth below an element that is left out
        self._named = False  # whether that element was told of: what stands in it goes with it
        self._elements = 0
        self._zones: set[str] = set()
        self._parser = expat.ParserCreate("utf-8", " ")
        self._parser.buffer_text = True
        self._parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.EntityDeclHandler = self._doctype
        self._parser.ProcessingInstructionHandler = self._instruction
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._words

    def parse(self, text: str) -> None:
        try:
            self._parser.Parse(text.encode(), True)
        except _Refused:
            return
        except expat.ExpatError as error:
            self.faults.append(Fault(error.lineno, f"is not XML: {expat.ErrorString(error.code)}", "save it anew"))
            return
        if self.drawing is None and not self.faults:
            self.faults.append(Fault(None, "is not an SVG", "its outermost element is <svg>"))

    def _fault(self, wrong: str, fix: str) -> None:
        self.faults.append(Fault(self._parser.CurrentLineNumber, wrong, fix))
        if len(self.faults) >= _MAX_FAULTS:
            raise _Refused

    def _doctype(self, *_: object) -> None:
        self._fault("declares a document type or an entity", "take <!DOCTYPE …> out")
        raise _Refused  # before anything is expanded

    def _instruction(self, target: str, _: str) -> None:
        self._fault(f"holds an instruction, <?{target[:20]}…?>", "take it out")

    def _start(self, given: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if self._skipping:
            self._skipping += 1
            if not self._in_own_space(given):
                return
        space, _, name = given.rpartition(" ")
        if self._elements > _MAX_ELEMENTS or len(self._open) + self._skipping > _MAX_DEPTH:
            self._fault(f"has more than {_MAX_ELEMENTS:,} elements, or {_MAX_DEPTH} within another", "simplify it")
            raise _Refused
        if not self._open and not self._skipping and (space, name) != (SVG, "svg"):
            self._fault(f"is not an SVG: its outermost element is <{name[:40]}>", f'begin with <svg xmlns="{SVG}">')
            raise _Refused
        if space == SVG and name in ELEMENTS and not self._skipping and not (name == "svg" and self._open):
            kept = self._kept(name, attributes)
            self._open.append(_Open(name, kept, self._parser.CurrentLineNumber))
            return
        if not self._skipping:
            self._skipping, self._named = 1, False
        if self._in_own_space(given) and name not in _LEFT_OUT and not self._named:
            self._named = True
            self._fault(f"holds <{name[:40]}>", f"take it out; a plan is made of {', '.join(sorted(ELEMENTS))}")

    def _in_own_space(self, given: str) -> bool:
        """Whether a browser would know an element: SVG's, HTML's, or one without a name space."""
        space, _, _ = given.rpartition(" ")
        return space in ("", SVG, "http://www.w3.org/1999/xhtml", "http://www.w3.org/1998/Math/MathML")

    def _kept(self, name: str, attributes: dict[str, str]) -> dict[str, str]:
        kept: dict[str, str] = {}
        for given, value in attributes.items():
            space, _, attribute = given.rpartition(" ")
            if (
                space == "http://www.w3.org/1999/xlink"
                or attribute.lower() in ("href", "src", "style")
                or (not space and attribute.lower().startswith("on"))
            ):
                self._fault(f"has {attribute[:40]}= on <{name}>", "take it out: colours and links are the page's")
            elif space or _LOOKS.fullmatch(attribute):
                continue
            elif attribute == "class":
                kept |= self._classes(value)
            elif attribute not in _VALUES:
                self._fault(f"has {attribute[:40]}= on <{name}>", "take it out")
            elif name == "svg" and attribute != "viewBox":
                continue  # how large it is, the page decides
            elif attribute == "data-zone" and name not in _ZONED:
                self._fault(f"has data-zone= on <{name}>", f"give it to one of {', '.join(sorted(_ZONED))}")
            elif not _VALUES[attribute].fullmatch(value) or not _is_small(attribute, value):
                self._fault(f"has {attribute} = {_short(value)} on <{name}>", _FIXES.get(attribute, "write a number"))
            else:
                kept[attribute] = value
        self._note_zone(kept)
        return kept

    def _classes(self, value: str) -> dict[str, str]:
        """Classes of ours; those that a drawing program made up mean nothing here."""
        known = [one for one in value.split() if one in CLASSES]
        return {"class": " ".join(known)} if known else {}

    def _note_zone(self, kept: dict[str, str]) -> None:
        zone = kept.get("data-zone")
        if zone is None:
            return
        if zone in self._zones:
            self._fault(f'has data-zone="{zone}" twice', "put its shapes into one <g> that says it")
        if any("data-zone" in one.attributes for one in self._open):
            self._fault(f'has data-zone="{zone}" within another zone', "put the two side by side")
        self._zones.add(zone)

    def _end(self, _: str) -> None:
        if self._skipping:
            self._skipping -= 1
            return
        done = self._open.pop()
        node = Node(done.name, done.attributes, tuple(done.children), done.line)
        if self._open:
            self._open[-1].children.append(node)
            return
        view = _view(node.attributes.get("viewBox"))
        if view is None:
            self.faults.append(Fault(node.line, "has no viewBox of four numbers", _FIXES["viewBox"]))
        elif not self._zones:
            self.faults.append(Fault(node.line, "has no shape with data-zone", 'give each room data-zone="ID"'))
        else:
            self.drawing = Drawing(view, node)

    def _words(self, text: str) -> None:
        if not self._skipping and self._open and self._open[-1].name in WORDS:
            self._open[-1].children.append(_UNSEEN.sub("", text))


_FIXES = {
    "viewBox": 'write viewBox="0 0 1000 600": left, top, width, height',
    "data-zone": "write the id of a zone of the site's file",
    "data-at": 'write data-at="X Y", where its number is to stand',
    "points": "write pairs of numbers",
    "d": "write SVG path data",
    "transform": "write translate, rotate, scale, skewX, skewY or matrix with numbers",
    "text-anchor": "write start, middle or end",
}


def _view(said: str | None) -> tuple[float, float, float, float] | None:
    numbers = [float(one) for one in NUMBER.findall(said or "")]
    if len(numbers) != 4 or numbers[2] <= 0 or numbers[3] <= 0 or not 0.1 <= numbers[2] / numbers[3] <= 10:
        return None
    left, top, width, height = numbers
    return left, top, width, height


def _is_small(attribute: str, value: str) -> bool:
    if attribute in ("data-zone", "text-anchor"):
        return len(value) <= 80
    return all(math.isfinite(number) and abs(number) <= _LARGEST for number in map(float, NUMBER.findall(value)))


def _short(value: str) -> str:
    return repr(value if len(value) <= 40 else f"{value[:39]}…")
