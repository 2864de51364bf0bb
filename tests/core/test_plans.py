"""Floor plans: shapes and words get through, nothing that runs, loads or recolours does, and each refusal says why."""

import re
import time
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core import plan_places, plans
from streams.core.plans import Drawing, differing, only

SVG = 'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 50"'
HALL = '<rect data-zone="hall" x="0" y="0" width="50" height="50"/>'
LAUGHS = "".join(f'<!ENTITY a{level + 1} "{f"&a{level};" * 10}">' for level in range(9))
BOMB = f'<!DOCTYPE svg [<!ENTITY a0 "ha">{LAUGHS}]><svg {SVG}>{HALL}<text>&a9;</text></svg>'

HOSTILE = {
    "script": (f"<svg {SVG}>{HALL}<script>alert(1)</script></svg>", "<script>"),
    "a script of HTML": (
        f'<svg {SVG} xmlns:h="http://www.w3.org/1999/xhtml">{HALL}<h:script>alert(1)</h:script></svg>',
        "<script>",
    ),
    "a script within what is left out": (f"<svg {SVG}>{HALL}<metadata><script>1</script></metadata></svg>", "<script>"),
    "onload": (f'<svg {SVG} onload="alert(1)">{HALL}</svg>', "onload="),
    "onfocusin in odd case": (f'<svg {SVG}><rect data-zone="a" OnFocusIn="alert(1)"/></svg>', "OnFocusIn="),
    "href javascript:": (f'<svg {SVG}>{HALL}<a href="javascript:alert(1)"><rect/></a></svg>', "<a>"),
    "xlink:href": (
        f'<svg {SVG} xmlns:x="http://www.w3.org/1999/xlink">{HALL}<rect x:href="https://e.example/"/></svg>',
        "href=",
    ),
    "use of another file": (f'<svg {SVG}>{HALL}<use href="https://e.example/#a"/></svg>', "<use>"),
    "image": (f'<svg {SVG}>{HALL}<image href="https://e.example/a.png"/></svg>', "<image>"),
    "foreignObject": (f"<svg {SVG}>{HALL}<foreignObject><p>hi</p></foreignObject></svg>", "<foreignObject>"),
    "animate": (f'<svg {SVG}>{HALL}<animate attributeName="href" to="javascript:1"/></svg>', "<animate>"),
    "a style element": (f"<svg {SVG}>{HALL}<style>@import url(https://e.example/)</style></svg>", "<style>"),
    "a style with url()": (f'<svg {SVG}><rect data-zone="a" style="fill:url(https://e.example/)"/></svg>', "style="),
    "billion laughs": (BOMB, "document type"),
    "an external entity": (
        f'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg {SVG}>{HALL}<text>&x;</text></svg>',
        "document type",
    ),
    "an external document type": (
        f'<!DOCTYPE svg SYSTEM "https://e.example/a.dtd"><svg {SVG}>{HALL}</svg>',
        "document type",
    ),
    "a style sheet by instruction": (
        f'<?xml-stylesheet href="https://e.example/a.css"?><svg {SVG}>{HALL}</svg>',
        "instruction",
    ),
    "a class that closes the attribute": (f'<svg {SVG}><rect data-zone="&quot;&gt;&lt;b"/></svg>', "data-zone ="),
    "path data that is none": (f'<svg {SVG}><path data-zone="a" d="M0 0 url(#a)"/></svg>', "d ="),
    "a number without an end": (f'<svg {SVG}><rect data-zone="a" x="1e999"/></svg>', "x ="),
    "a handler in transform": (f'<svg {SVG}><g data-zone="a" transform="expression(1)"/></svg>', "transform ="),
    "five thousand elements": (f"<svg {SVG}>{HALL}{'<g/>' * 5_000}</svg>", "more than 5,000"),
    "a deep nest": (f"<svg {SVG}>{HALL}{'<g>' * 40}{'</g>' * 40}</svg>", "32 within"),
    "huge": (f"<svg {SVG}>{HALL}{' ' * 200_000}</svg>", "too large"),
    "not SVG": ("<html><body>hi</body></html>", "not an SVG"),
    "no name space": ("<svg viewBox='0 0 1 1'><rect data-zone='a'/></svg>", "not an SVG"),
    "not XML": ("hello", "not XML"),
    "nothing": ("", "not XML"),
    "cut off": (f"<svg {SVG}>{HALL}", "not XML"),
    "no viewBox": ('<svg xmlns="http://www.w3.org/2000/svg"><rect data-zone="a"/></svg>', "no viewBox"),
    "a flat viewBox": ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 0"><g data-zone="a"/></svg>', "viewBox"),
    "no zone": (f"<svg {SVG}><rect/></svg>", "no shape with data-zone"),
    "a zone twice": (f"<svg {SVG}>{HALL}{HALL}</svg>", "twice"),
    "a zone in a zone": (f'<svg {SVG}><g data-zone="a">{HALL}</g></svg>', "within another zone"),
    "a zone that is a text": (f'<svg {SVG}>{HALL}<text data-zone="a">hi</text></svg>', "data-zone= on <text>"),
}  # fmt: skip


def drawing(svg: str) -> Drawing:
    found, faults = plans.read(svg.encode())
    assert faults == []
    assert found is not None
    return found


def assert_harmless(svg: str) -> None:
    """Nothing but allowed names, each attribute with a value of its own kind."""
    assert "<!" not in svg
    for element in ET.fromstring(svg).iter():
        assert element.tag.removeprefix("{http://www.w3.org/2000/svg}") in plans.ELEMENTS
        assert set(element.attrib) <= plans.ATTRIBUTES
        assert not re.search(r"url|javascript|[<>\"']", " ".join(element.attrib.values()))


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_more_than_shapes_and_words_is_refused_by_name(name: str) -> None:
    svg, told = HOSTILE[name]

    found, faults = plans.read(svg.encode())

    assert found is None
    assert told in faults[0].wrong
    assert faults[0].fix


def test_a_hostile_plan_that_is_made_harmless_is_taken() -> None:
    """The control: it is the hostile part that is refused, not what stands around it."""
    assert drawing(f"<svg {SVG}>{HALL}</svg>").zones == ("hall",)


def test_every_fault_is_told_with_its_line() -> None:
    svg = f"<svg {SVG}>\n{HALL}\n<script/>\n<g onclick='a'>\n<image/></g></svg>"

    _, faults = plans.read(svg.encode())

    assert [fault.line for fault in faults] == [3, 4, 5]


def test_what_stands_in_something_refused_is_not_told_again() -> None:
    _, faults = plans.read(f"<svg {SVG}>{HALL}<a><rect/><rect/></a></svg>".encode())

    assert len(faults) == 1


def test_no_more_than_fifty_faults_are_told() -> None:
    _, faults = plans.read(f"<svg {SVG}>{HALL}{'<a/>' * 1_000}</svg>".encode())

    assert len(faults) == 50


def test_bytes_that_are_no_text_are_refused_with_their_line() -> None:
    _, faults = plans.read(b"<svg>\n\xff</svg>")

    assert (faults[0].line, faults[0].wrong) == (2, "is not UTF-8")


@pytest.mark.parametrize("value", ["1" * 190_000 + "x", "1 " * 90_000 + "x", "translate(" * 18_000, "M0 0" * 40_000])
def test_a_long_value_is_judged_in_the_time_of_its_length(value: str) -> None:
    began = time.process_time()

    for name in ("points", "transform", "d", "x"):
        plans.read(f'<svg {SVG}><path data-zone="a" {name}="{value}"/></svg>'.encode())

    assert time.process_time() - began < 2


# -- what is taken ---------------------------------------------------------------------------------------------------


def test_colours_and_what_drawing_programs_note_are_left_out() -> None:
    svg = f"""<svg {SVG} id="a" width="9" version="1.1" xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape">
      <metadata><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/></metadata><defs id="d"/>
      <inkscape:grid units="px"/>
      <rect data-zone="hall" width="5" fill="red" inkscape:label="x" class="cls-1 wall"/></svg>"""

    found = drawing(svg)

    assert '<rect data-zone="hall" width="5" class="wall"/>' in found.svg
    assert_harmless(found.svg)
    assert not re.search("fill|inkscape|RDF|id=|version", found.svg)


def test_words_are_text_whatever_they_say() -> None:
    svg = f"<svg {SVG}>{HALL}<text>&lt;script&gt; \u202eevil \U0001f5ff &amp; <tspan>q\"'</tspan></text></svg>"

    found = drawing(svg)

    assert "&lt;script&gt; evil \U0001f5ff &amp; <tspan>q&quot;&#x27;</tspan>" in found.svg
    assert_harmless(found.svg)


_NAMES = st.sampled_from(
    [*sorted(plans.ELEMENTS), "script", "a", "use", "style", "image", "foreignObject", "defs", "h:b"]
)
_ATTRIBUTES = st.sampled_from(
    [*sorted(plans.ATTRIBUTES), "href", "onload", "style", "fill", "h:href", "x:y", "src", "id"]
)
_VALUES = st.sampled_from(
    ["1", "0 0 4 3", "M0 0h9v9z", "hall", "a-1", "wall x", "javascript:1", "url(#a)", "rotate(9 1 1)"]
)
_WORDS = st.text(max_size=8).map(lambda text: text.replace("&", "&amp;").replace("<", "&lt;"))


@st.composite
def elements(draw: st.DrawFn, depth: int = 0) -> str:
    name = draw(_NAMES)
    attributes = draw(
        st.dictionaries(_ATTRIBUTES, _VALUES | _WORDS.map(lambda text: text.replace('"', "")), max_size=4)
    )
    said = "".join(f' {key}="{value}"' for key, value in attributes.items())
    inner = "".join(draw(st.lists(elements(depth + 1) | _WORDS, max_size=3))) if depth < 3 else ""
    return f"<{name}{said}>{inner}</{name}>"


@given(st.lists(elements(), max_size=4))
def test_whatever_is_read_holds_only_allowed_names_and_reads_the_same_again(inner: list[str]) -> None:
    spaces = 'xmlns:h="http://www.w3.org/1999/xhtml" xmlns:x="urn:x"'

    found, faults = plans.read(f"<svg {SVG} {spaces}>{HALL}{''.join(inner)}</svg>".encode())

    assert (found is None) == bool(faults)
    if found is not None:
        assert_harmless(found.svg)
        assert drawing(found.svg).svg == found.svg


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_make_the_reader_fail(content: bytes) -> None:
    found, faults = plans.read(content)

    assert (found is None) == bool(faults)


# -- zones -----------------------------------------------------------------------------------------------------------


def test_plans_differ_from_zones_by_what_is_missing_on_either_side() -> None:
    floors = [drawing(f"<svg {SVG}>{HALL}</svg>"), drawing(f"<svg {SVG}><g data-zone='attic'/></svg>")]

    told = differing(floors, ["hall", "crypt"])

    assert (told.undrawn, told.unknown) == (("crypt",), ("attic",))
    assert not differing(floors, ["attic", "hall"])


def test_a_house_with_fewer_zones_has_closed_rooms() -> None:
    svg = f'<svg {SVG}>{HALL}<rect data-zone="attic" data-at="1 1" width="5"/></svg>'

    found = only(drawing(svg), ["hall"])

    assert found.zones == ("hall",)
    assert '<rect width="5" class="closed"/>' in found.svg


@pytest.mark.parametrize(
    ("shape", "place"),
    [
        ('<rect data-zone="a" x="10" y="20" width="20" height="10"/>', (200, 250, 200, 100)),
        ('<circle data-zone="a" cx="50" cy="25" r="5"/>', (500, 250, 100, 100)),
        ('<polygon data-zone="a" points="0,0 30,0 0,30"/>', (100, 100, 300, 300)),
        ('<path data-zone="a" d="M10 10h20v20H10z"/>', (200, 200, 200, 200)),
        ('<rect data-zone="a" data-at="1 2" width="20" height="10"/>', (10, 20, 200, 100)),
        ('<g transform="translate(10 5)"><rect data-zone="a" width="20" height="10"/></g>', (200, 100, 200, 100)),
        ('<g data-zone="a"><rect width="4" height="4"/><rect x="6" width="4" height="4"/></g>', (50, 20, 100, 40)),
        ('<rect data-zone="a" width="20" height="10" transform="rotate(90 10 5)"/>', (100, 50, 100, 200)),
    ],
)
def test_a_number_stands_in_the_middle_of_its_shape(shape: str, place: tuple[float, ...]) -> None:
    found = plan_places.places(drawing(f"<svg {SVG}>{shape}</svg>"))["a"]

    assert (found.x, found.y, found.width, found.height) == pytest.approx(place, abs=0.2)


def test_a_drawing_is_brought_to_one_scale_wherever_its_view_begins() -> None:
    shape = '<rect data-zone="a" width="20" height="10"/>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-10 -10 200 100">{shape}</svg>'

    found = drawing(svg)

    assert plan_places.transform(found) == "scale(5) translate(10 10)"
    assert plan_places.height(found) == 500
    assert plan_places.places(found)["a"].x == 100
