"""Sums by département: complete, in one place each, and the same as those of ``/v1/now``."""

import time

import httpx2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.console import areas
from streams.console.areas import Area, area_of, busiest, sites_in
from streams.console.documents import Now, Pipeline, Site, read_now
from streams.console.outline import ENLARGED, HEIGHT, WIDTH, centroid, outline, rings
from streams.sites import departments
from tests.console.atlas import SILENT, Atlas
from tests.console.test_paint import NOW_MS, network, site

CODES = [one.code for one in departments.every()]


def now(*sites: Site) -> Now:
    return Now(NOW_MS, 4000, Pipeline("live", NOW_MS - 800), network(*sites), sites)


def area(code: str, *sites: Site) -> Area:
    return next(one for one in areas.areas(now(*sites)) if one.code == code)


# -- the outline -------------------------------------------------------------------------------------------------------


def test_every_departement_is_drawn_or_listed_beside_the_drawing() -> None:
    drawn = set(outline().shapes)
    beside = {one.code for one in departments.every() if one.overseas}

    assert drawn | beside == set(CODES)
    assert drawn & beside == set()


def test_a_departement_that_is_not_drawn_would_be_missed() -> None:
    drawn = set(outline().shapes) - {"48"}

    assert set(CODES) - drawn - {one.code for one in departments.every() if one.overseas} == {"48"}


def test_every_number_stands_on_the_drawing_and_inside_the_box_of_its_shape() -> None:
    told = outline()
    left, top, width, height = told.inset.frame

    for code, shape in told.shapes.items():
        x, y = shape.label
        points = [point for ring in rings(shape.path) for point in ring]
        assert 0 < x < WIDTH
        assert 0 < y < HEIGHT
        if code in ENLARGED:
            assert left < x < left + width
            assert top < y < top + height
        else:
            assert min(one for one, _ in points) < x < max(one for one, _ in points), code
            assert min(one for _, one in points) < y < max(one for _, one in points), code


def test_what_is_enlarged_lies_in_the_sea() -> None:
    told = outline()
    left, top, width, height = told.inset.frame
    points = [point for code, shape in told.shapes.items() for ring in rings(shape.path) for point in ring]

    assert not [one for one in points if left <= one[0] <= left + width and top <= one[1] <= top + height]


def test_the_middle_of_a_square_is_its_middle() -> None:
    assert centroid([(0, 0), (2, 0), (2, 2), (0, 2)]) == ((1.0, 1.0), 4.0)


# -- sums --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", CODES)
def test_a_site_is_in_its_departement(code: str) -> None:
    about = departments.by_code(code)
    assert about is not None

    assert area_of(site(department=code, time_zone=about.time_zone)) == code


@pytest.mark.parametrize(
    ("zone", "where"),
    [
        ("Europe/London", "abroad"),
        ("Europe/Monaco", "abroad"),
        ("Europe/Paris", "unplaced"),
        ("Indian/Reunion", "unplaced"),
        ("UTC", "unplaced"),
        ("Etc/UTC", "unplaced"),
    ],
)
def test_a_site_without_a_departement_is_abroad_if_its_clock_is_not_one_of_frances(zone: str, where: str) -> None:
    assert area_of(site(department=None, time_zone=zone)) == where


places = st.sampled_from([("75", "Europe/Paris"), ("974", "Indian/Reunion"), (None, "Europe/London"), (None, "UTC")])
some_sites = st.lists(
    st.tuples(places, st.integers(0, 9000), st.booleans(), st.one_of(st.none(), st.integers(0, 500))), max_size=12
)


@given(told=some_sites)
def test_every_site_is_in_one_area_so_that_the_sums_are_the_networks(
    told: list[tuple[tuple[str | None, str], int, bool, int | None]],
) -> None:
    sites = [
        site(
            f"site-{number}", department=code, time_zone=zone, inside=inside if heard else 0, capacity=capacity,
            received_ms=NOW_MS if heard else None,
        )
        for number, ((code, zone), inside, heard, capacity) in enumerate(told)
    ]  # fmt: skip

    found = areas.areas(now(*sites))

    assert sum(one.sites_known for one in found) == len(sites)
    assert sum(one.sites_heard for one in found) == sum(heard for *_, heard, _ in told)
    assert sum(one.inside for one in found) == sum(inside for _, inside, heard, _ in told if heard)
    assert sorted(
        one.site_id for code in ("75", "974", "abroad", "unplaced") for one in sites_in(code, now(*sites))
    ) == sorted(one.site_id for one in sites)


def test_the_share_of_capacity_is_of_the_sites_that_have_one() -> None:
    told = area(
        "75",
        site("one", department="75", inside=90, capacity=100),
        site("two", department="75", inside=1000, capacity=None),
        site("three", department="75", inside=0, capacity=100, received_ms=None),
    )

    assert (told.inside, told.inside_of_capacity, told.capacity) == (1090, 90, 100)


def test_an_area_is_as_old_as_its_oldest_site() -> None:
    fresh = site("fresh", department="75", confirmed_ms=NOW_MS - 100, received_ms=NOW_MS - 100)
    silent = site("silent", department="75", confirmed_ms=NOW_MS - 100, received_ms=NOW_MS - 60_000)
    late = site("late", department="75", confirmed_ms=NOW_MS - 60_000, received_ms=NOW_MS - 60_000)
    lost = site("lost", department="75", confirmed_ms=None)
    anew = site("anew", department="75", state="rebuilding")

    assert [area("75", fresh, *others).state for others in ([], [silent], [late], [lost], [anew, late])] == [
        "live",
        "quiet",
        "stale",
        "stale",
        "rebuilding",
    ]
    assert area("75", fresh, late).confirmed_ms == NOW_MS - 60_000
    assert area("75", site("never", department="75", received_ms=None)).state == "quiet"


@pytest.mark.parametrize(
    ("inside", "step"), [(0, 0), (1, 1), (99, 1), (100, 2), (499, 2), (500, 3), (1_999, 3), (2_000, 4), (10_000, 5)]
)
def test_a_shape_is_filled_in_steps(inside: int, step: int) -> None:
    assert area("75", site(department="75", inside=inside)).step == step


def test_the_busiest_come_first_and_those_never_heard_last() -> None:
    told = areas.areas(
        now(
            site("a", department="01", received_ms=None, inside=0),
            site("b", department="02", inside=0),
            site("c", department="03", inside=5),
            site("d", department="2A", inside=50),
        )
    )

    assert [one.code for one in busiest(told)] == ["2A", "03", "02", "01"]


# -- on a running stack ------------------------------------------------------------------------------------------------


def summed(told: Now) -> dict[str, tuple[int, int, int, int]]:
    """Code → sites known and heard, people inside and admitted, added up by hand."""
    sums: dict[str, tuple[int, int, int, int]] = {}
    for one in told.sites:
        code = one.department or ("unplaced" if one.time_zone in {"Europe/Paris", "UTC"} else "abroad")
        known, heard, inside, entries = sums.get(code, (0, 0, 0, 0))
        sums[code] = known + 1, heard + one.heard, inside + one.inside, entries + one.entries
    return sums


@pytest.fixture
def console(atlas: Atlas) -> httpx2.Client:
    return httpx2.Client(base_url=atlas.console_url, timeout=10)


def agreed(console: httpx2.Client) -> tuple[Now, list[Area]]:
    """What ``/v1/now`` and ``/v1/map`` say at a moment at which the former said the same before and after."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        before = read_now(console.get("/v1/now").json())
        told = console.get("/v1/map").json()
        after = read_now(console.get("/v1/now").json())
        if summed(before) == summed(after):
            return after, msgspec.convert([*told["departments"], *told["elsewhere"]], list[Area])
    raise TimeoutError("the network does not hold still")


def test_the_sums_are_those_of_the_sites(console: httpx2.Client) -> None:
    told, found = agreed(console)
    sums = summed(told)

    assert {one.code: (one.sites_known, one.sites_heard, one.inside, one.entries) for one in found} == {
        code: sums.get(code, (0, 0, 0, 0)) for code in [*CODES, "abroad", "unplaced"]
    }
    assert sum(one.inside for one in found) == told.network.inside
    assert [
        one.code for one in found if one.kind == "department" and one.sites_known and not one.sites_heard
    ] == sorted(SILENT)


def test_a_sum_that_leaves_one_site_out_would_be_noticed(console: httpx2.Client, atlas: Atlas) -> None:
    told, _ = agreed(console)
    without = msgspec.structs.replace(told, sites=tuple(one for one in told.sites if one.site_id != atlas.sites["75"]))

    assert summed(told) != summed(without)


def test_one_departement_names_its_sites(console: httpx2.Client) -> None:
    told = console.get("/v1/map?department=75").json()

    assert [one["code"] for one in told["departments"]] == ["75"]
    assert {"atlas-75", "atlas-75-2"} <= set(told["sites"])
    assert console.get("/v1/map?department=2a").json()["departments"][0]["code"] == "2A"
    assert console.get("/v1/map?department=1").json()["departments"][0]["code"] == "01"


@pytest.mark.parametrize("code", ["99", "<script>alert(1)</script>", "75' OR 1=1", "\u202e57", "🏛" * 2000, "985"])
def test_an_unknown_departement_is_a_404_that_says_so(console: httpx2.Client, code: str) -> None:
    page, api = (console.get(path, params={"department": code}) for path in ("/map", "/v1/map"))

    assert (page.status_code, api.status_code) == (404, 404)
    assert "No département has the code" in page.text
    assert 'href="?department=75"' in page.text  # a way on
    assert "<script>alert" not in page.text
    assert api.headers["content-type"] == "application/problem+json"
    assert "75" in api.json()["departments"]


@pytest.mark.parametrize(
    "query", ["", "?department=", "?department=75", "?department=abroad", "?sort=name", "?sort=nonsense"]
)
def test_the_page_is_whole_without_a_script(console: httpx2.Client, query: str) -> None:
    html = console.get(f"/map{query}")

    assert html.status_code == 200
    assert html.text.count('class="area') >= len(CODES)
    assert "Wallace Rooms" in html.text


def test_a_departement_without_a_known_site_says_so(console: httpx2.Client, atlas: Atlas) -> None:
    page = console.get("/map", params={"department": "23"})

    assert "Musée Creuse" in page.text
    assert "1 site known, not heard yet" in page.text


def test_names_are_text_whatever_they_hold(console: httpx2.Client) -> None:
    page = console.get("/map", params={"department": "21"}).text

    assert "<b>en</b>" not in page
    assert "&lt;b&gt;en&lt;/b&gt;" in page
