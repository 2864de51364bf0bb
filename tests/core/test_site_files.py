"""Site files: the shipped ones are sound, and a wrong one is told everything that is wrong with it."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from streams import package_data
from streams.core import plans
from streams.core.sites import Gate, Site, Zone
from streams.errors import SiteFileError
from streams.simulate import houses, plan, reference
from streams.sites import files, positions, written

GOOD = """
id = "louvre"
org = "louvre"
name = "Louvre"
time_zone = "Europe/Paris"
"""
SHIPPED = sorted(package_data.folder("sites").glob("*.toml"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a test writes its site file."""
    return tmp_path / "louvre.toml"


def refusal(file: Path, text: str) -> list[str]:
    """The lines of the refusal of ``text``, without the file's name and the line's number, which begin each."""
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SiteFileError) as caught:
        files.read(file)
    lines = str(caught.value).splitlines()
    assert all(re.match(rf"{re.escape(str(file))}:\d+: ", line) for line in lines)
    return [line.removeprefix(f"{file}:").partition(": ")[2] for line in lines]


# -- sound files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_site_is_sound_and_called_as_its_file(path: Path) -> None:
    site = files.read(path)

    assert site.site_id == path.stem
    assert ZoneInfo(site.time_zone)


def test_the_shipped_sites_are_read_together_by_id() -> None:
    sites = files.read_all([package_data.folder("sites")])

    assert [site.site_id for site in sites] == sorted(path.stem for path in SHIPPED)


def test_a_museum_of_the_tweets_is_called_by_its_account() -> None:
    claimed = {site.site_id: site.handles for site in files.read_all([package_data.folder("sites")]) if site.handles}

    assert len(claimed) == 12
    assert all(handles == (name.replace("-", "_"),) or handles == (name,) for name, handles in claimed.items())


def test_the_plans_that_are_shipped_match_their_zones() -> None:
    checked = files.check([package_data.folder("sites")])

    assert checked.differing == ()
    assert {site.site_id for site in checked.sites if site.plans} >= {"example"}


def test_the_library_has_a_zone_for_each_of_its_105_cells() -> None:
    site = files.read(package_data.folder("sites") / "ble-library.toml")

    assert len(site.zones) == 105
    assert all(zone.zone_id == zone.name.lower() for zone in site.zones)


def test_what_a_file_leaves_out_has_a_default(file: Path) -> None:
    file.write_text(GOOD)

    assert files.read(file) == Site("louvre", "louvre", "Louvre", "Europe/Paris")


def test_a_file_says_everything_about_a_site(file: Path) -> None:
    file.write_text(
        GOOD
        + """business_day_end = "02:00"
capacity = 30000
replay = true
simulated = true
note = "closed on Tuesdays"
place = "Paris"
department = "75"
region = "Île-de-France"
latitude = 48.8606
longitude = 2
category = "palais"
themes = ["peinture", "sculpture"]
handles = ["museelouvre", "louvre.fr"]
reference = "museofile:M5031"
source = "somebody, Licence Ouverte 2.0"
[[zones]]
id = "denon"
name = "Denon"
capacity = 9000
[[gates]]
id = "pyramid"
name = "Pyramid"
zone = "denon"
[[gates]]
id = "lions"
name = "Porte des Lions"
"""
    )

    assert files.read(file) == Site(
        "louvre",
        "louvre",
        "Louvre",
        "Europe/Paris",
        business_day_end_hour=2,
        capacity=30_000,
        zones=(Zone("denon", "Denon", 9_000),),
        gates=(Gate("pyramid", "Pyramid", "denon"), Gate("lions", "Porte des Lions")),
        replay=True,
        note="closed on Tuesdays",
        simulated=True,
        place="Paris",
        department="75",
        region="Île-de-France",
        latitude=48.8606,
        longitude=2.0,
        category="palais",
        themes=("peinture", "sculpture"),
        handles=("museelouvre", "louvre.fr"),
        reference="museofile:M5031",
        source="somebody, Licence Ouverte 2.0",
    )


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_site_that_is_written_reads_the_same(file: Path, path: Path) -> None:
    site = files.read(path)

    file.write_text(written.text(site), encoding="utf-8")

    assert files.read(file) == replace(site, plans=())


def test_a_text_with_quotes_and_odd_letters_is_written_so_that_it_reads_the_same(file: Path) -> None:
    site = Site("louvre", "louvre", 'Le "Louvre" \\ \t é\x7f', "Europe/Paris", themes=("a;b", "l’œuvre"))

    file.write_text(written.text(site), encoding="utf-8")

    assert files.read(file) == site


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "louvre.toml").write_text("# mine")

    assert written.write([Site("louvre", "louvre", "Louvre", "Europe/Paris")], tmp_path) == (0, 1)
    assert (tmp_path / "louvre.toml").read_text() == "# mine"


# -- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('id = "Louvre"', "id"),
        ('id = "lou vre"', "id"),
        ('id = "-louvre"', "id"),
        ('id = "louvre\\n"', "id"),
        ('id = ""', "id"),
        (f'id = "{"x" * 81}"', "id"),
        ("org = 3", "org"),
        ('name = ""', "name"),
        ('time_zone = "Europe/Lutetia"', "time_zone"),
        ('time_zone = ""', "time_zone"),
        ('business_day_end = "02:30"', "business_day_end"),
        ('business_day_end = "13:00"', "business_day_end"),
        ('business_day_end = "2"', "business_day_end"),
        ("business_day_end = 02:00:00", "business_day_end"),
        ("capacity = 0", "capacity"),
        ('capacity = "400"', "capacity"),
        ("capacity = 400.0", "capacity"),
        ('replay = "yes"', "replay"),
        ("note = 7", "note"),
        ("capasity = 400", "capasity"),
        ('simulated = "yes"', "simulated"),
        ("simulated = true", "simulated"),
        ('department = "7"', "department"),
        ('department = "20"', "department"),
        ("department = 75", "department"),
        ('region = ""', "region"),
        ("latitude = 48.0", "latitude"),
        ("longitude = 2.0", "longitude"),
        ("latitude = 90.1\nlongitude = 2.0", "latitude"),
        ("latitude = nan\nlongitude = 2.0", "latitude"),
        ("longitude = -180.1\nlatitude = 2.0", "longitude"),
        ('latitude = "48.0"\nlongitude = 2.0', "latitude"),
        ("longitude = true\nlatitude = 2.0", "longitude"),
        ('themes = "art"', "themes"),
        ('themes = ["art", " "]', "themes.1"),
        ('handles = ["@louvre"]', "handles.0"),
        ('handles = ["Louvre"]', "handles.0"),
        ('handles = ["louvre", "louvre"]', "handles.1"),
        ('reference = "M5031"', "reference"),
        ("zones = 3", "zones"),
        ('[[zones]]\nid = "hall"', "zones.0.name"),
        ('[[zones]]\nid = "hall"\nname = "Hall"\ncapacity = -1', "zones.0.capacity"),
        ('[[gates]]\nid = "north"\nname = "North"\nzones = "hall"', "gates.0.zones"),
        ('[[gates]]\nid = "north"\nname = "North"\n[[gates]]\nname = "South"', "gates.1.id"),
    ],
)
def test_a_fault_is_named_with_its_file_and_key(file: Path, line: str, key: str) -> None:
    name = line.partition(" ")[0]
    kept = [one for one in GOOD.splitlines() if not one.startswith(f"{name} =")]

    (fault,) = refusal(file, "\n".join([*kept, line]))

    assert fault.startswith(f"{key} ")
    assert "; " in fault  # what to write instead


@pytest.mark.parametrize("key", ["id", "org", "name", "time_zone"])
def test_a_key_that_must_be_there_is_named_when_it_is_missing(file: Path, key: str) -> None:
    text = "\n".join(one for one in GOOD.splitlines() if not one.startswith(f"{key} ="))

    (fault,) = refusal(file, text)

    assert fault.startswith(f"{key} is missing; add it: ")


def test_all_faults_of_a_file_are_named_at_once(file: Path) -> None:
    found = refusal(file, 'id = "A"\nname = ""\ntime_zone = "Mars"\ncapacity = 0\nnaem = "x"\n')

    assert {line.split(" ")[0] for line in found} == {"id", "org", "name", "time_zone", "capacity", "naem"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[zones]]\nid = "hall"\nname = "A"\n[[zones]]\nid = "hall"\nname = "B"', ("zone", "'hall'", "twice")),
        ('[[gates]]\nid = "north"\nname = "A"\n[[gates]]\nid = "north"\nname = "B"', ("gate", "'north'", "twice")),
        ('[[gates]]\nid = "north"\nname = "A"\nzone = "hall"', ("gate", "'hall'", "not describe")),
    ],
)
def test_tables_that_contradict_each_other_are_refused(file: Path, text: str, words: tuple[str, ...]) -> None:
    (fault,) = refusal(file, GOOD + text)

    assert all(word in fault for word in words)


def test_a_fault_names_its_line_in_spite_of_long_texts_and_lists_before_it(file: Path) -> None:
    file.write_text(
        GOOD.strip()  # 4 lines
        + """
note = \'\'\'
capacity = 1 [
\'\'\'
themes = [ # a list
  "[x]",
]
capacity = 0
[[gates]]
id = "north"
name = "North"
[[gates]]
id = "south"
zone = "attic"
"""
    )

    (capacity, name, zone) = files.check([file]).faults

    assert (capacity.key, capacity.line) == ("capacity", 11)
    assert (name.key, name.line) == ("gates.1.name", 15)  # what is missing: the table's header
    assert (zone.key, zone.line) == ("gates.1.zone", 17)


def test_a_key_near_a_known_one_is_told_which(file: Path) -> None:
    assert refusal(file, GOOD + "capasity = 4") == ["capasity is no key of a site file; write capacity"]


def test_what_has_no_line_of_its_own_is_found_at_what_holds_it() -> None:
    found = positions.lines('zones = [{ id = "a" }]\n')

    assert positions.nearest(found, ("zones", 0, "id")) == 1
    assert positions.nearest(found, ("name",)) == 1


def test_a_mark_in_front_of_a_file_means_nothing(file: Path) -> None:
    file.write_text(GOOD, encoding="utf-8")
    plain = files.read(file)

    file.write_text(GOOD, encoding="utf-8-sig")

    assert files.read(file) == plain


def test_all_contradictions_of_a_file_are_named_at_once(file: Path) -> None:
    text = GOOD + '[[zones]]\nid = "hall"\nname = "A"\n' * 2 + '[[gates]]\nid = "north"\nname = "A"\nzone = "attic"\n'

    found = "\n".join(refusal(file, text))

    assert "'hall'" in found
    assert "'attic'" in found


@pytest.mark.parametrize("content", [b"id = ", b"\xff\xfe", b'id = "a"\nid = "b"', b"[[zones]\n", b"\x00"])
def test_what_is_no_toml_is_refused_by_its_file(file: Path, content: bytes) -> None:
    file.write_bytes(content)

    with pytest.raises(SiteFileError, match=r"louvre\.toml:[12]: (is not TOML|is not UTF-8)"):
        files.read(file)


def test_a_file_that_is_not_there_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(SiteFileError, match=r"nowhere\.toml: cannot be read"):
        files.read(tmp_path / "nowhere.toml")


# -- several files ---------------------------------------------------------------------------------------------------


def test_the_faults_of_all_files_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("x =")
    (tmp_path / "b.toml").write_text(GOOD.replace("Europe/Paris", "Mars"))
    (tmp_path / "c.toml").write_text(GOOD)

    with pytest.raises(SiteFileError) as caught:
        files.read_all([tmp_path])

    assert [Path(line.partition(":")[0]).name for line in str(caught.value).splitlines()] == ["a.toml", "b.toml"]


def test_two_files_that_describe_one_site_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(GOOD)
    (tmp_path / "b.toml").write_text(GOOD)

    with pytest.raises(SiteFileError, match=r"b\.toml:2: id = 'louvre'"):
        files.read_all([tmp_path])


def test_two_files_that_claim_one_account_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(GOOD + 'handles = ["louvre"]')
    (tmp_path / "b.toml").write_text(GOOD.replace('id = "louvre"', 'id = "lens"') + 'handles = ["lens", "louvre"]')

    with pytest.raises(SiteFileError, match=r"b\.toml:6: handles\.1 = 'louvre' is claimed by another file, .*a\.toml"):
        files.read_all([tmp_path])


def test_control_two_files_that_claim_different_accounts_pass(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(GOOD + 'handles = ["louvre"]')
    (tmp_path / "b.toml").write_text(GOOD.replace('id = "louvre"', 'id = "lens"') + 'handles = ["lens"]')

    assert len(files.read_all([tmp_path])) == 2


def test_a_folder_without_site_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SiteFileError, match="no site file"):
        files.read_all([tmp_path])


# -- plans -----------------------------------------------------------------------------------------------------------

PLANNED = (
    GOOD
    + """[[zones]]
id = "hall"
name = "Hall"
[[zones]]
id = "crypt"
name = "Crypt"
[[plans]]
file = "plans/ground.svg"
name = "Ground floor"
name_fr = "Rez-de-chaussée"
"""
)
SHAPES = '<rect data-zone="hall" width="9" height="9"/>\n<g data-zone="crypt"><path d="M0 0h9v9z"/></g>'


def drawn(file: Path, shapes: str = SHAPES, name: str = "ground.svg") -> str:
    """Write a plan beside a site file; its path as faults say it."""
    path = file.parent / "plans" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 60">\n{shapes}\n</svg>', encoding="utf-8"
    )
    return str(path)


def told(file: Path, text: str = PLANNED) -> list[str]:
    """What a check of a site file says."""
    file.write_text(text, encoding="utf-8")
    checked = files.check([file])
    return [str(fault) for fault in (*checked.faults, *checked.differing)]


def test_a_site_has_the_plans_that_lie_beside_its_file_the_lowest_first(file: Path) -> None:
    drawn(file)
    drawn(file, '<rect data-zone="crypt" width="4" height="4" fill="red"/>', "lower.svg")
    file.write_text(
        PLANNED + '[[plans]]\nfile = "plans/lower.svg"\nlevel = -1\nname = "Lower floor"\n', encoding="utf-8"
    )

    lower, ground = files.read(file).plans

    assert (lower.level, lower.name, lower.name_fr) == (-1, "Lower floor", None)
    assert (ground.level, ground.name, ground.name_fr) == (0, "Ground floor", "Rez-de-chaussée")
    assert '<rect data-zone="crypt" width="4" height="4"/>' in lower.svg


def test_a_zone_without_a_shape_and_a_shape_without_a_zone_are_told_with_their_lines(file: Path) -> None:
    svg = drawn(file, '<rect data-zone="hall"/>\n<rect data-zone="cript"/>\n<rect data-zone="roof"/>')

    assert told(file) == [
        f"{file}:10: zones.1.id = 'crypt' is on no plan; give its shape data-zone=\"crypt\"; until then the page shows "
        "a list instead of the plan",
        f'{svg}:3: has data-zone="cript", which is no zone; write crypt',
        f'{svg}:4: has data-zone="roof", which is no zone; describe it in a [[zones]] table, or take data-zone out',
    ]
    assert files.sound([file]).sites[0].plans  # it can be published, and the page says why it shows a list


def test_a_plan_that_matches_its_zones_is_told_nothing(file: Path) -> None:
    drawn(file)

    assert told(file) == []


def test_what_a_plan_may_not_hold_is_told_by_its_own_lines_and_not_published(file: Path) -> None:
    svg = drawn(file, f'{SHAPES}\n<script>1</script>\n<rect onclick="a"/>')

    assert [line.partition("; ")[0] for line in told(file)] == [
        f"{svg}:4: holds <script>",
        f"{svg}:5: has onclick= on <rect>",
    ]
    with pytest.raises(SiteFileError):
        files.sound([file])


def test_a_plan_that_is_not_there_too_large_or_no_svg_is_told(file: Path) -> None:
    assert told(file) == [
        f"{file}:13: plans.0.file = 'plans/ground.svg' cannot be read: No such file or directory; check the path"
    ]

    svg = drawn(file, SHAPES + " " * 200_000)
    assert told(file) == [
        f"{svg}: is too large: 200,161 bytes of at most 200,000; simplify its paths, and take pictures out"
    ]

    Path(svg).write_text("a picture", encoding="utf-8")
    assert told(file) == [f"{svg}:1: is not XML: syntax error; save it anew"]


@pytest.mark.parametrize(
    "path", ["../ground.svg", "/etc/ground.svg", "plans/../../a.svg", "ground.png", "https://e.example/a.svg", ".a.svg"]
)
def test_a_plan_lies_beside_its_file_or_below(file: Path, path: str) -> None:
    (said,) = told(file, PLANNED.replace("plans/ground.svg", path))

    assert f"plans.0.file = '{path}' is not right; write an SVG beside this file" in said


def test_two_floors_have_two_levels(file: Path) -> None:
    drawn(file)

    (said,) = told(file, PLANNED + '[[plans]]\nfile = "plans/ground.svg"\nlevel = 0\nname = "Again"\n')

    assert "plans.1.level = 0 stands twice; give every floor a level of its own" in said


def test_the_plans_of_one_site_fit_into_one_record(file: Path) -> None:
    shapes = f'<rect data-zone="hall"/><g data-zone="crypt"><path d="M0 0{"h1" * 90_000}"/></g>'
    text = PLANNED
    for level in range(4):
        drawn(file, shapes, f"{level}.svg")
        text += f'[[plans]]\nfile = "plans/{level}.svg"\nlevel = {level + 1}\nname = "Floor {level}"\n'
    drawn(file)

    (said,) = told(file, text)

    assert "plans are too large" in said


def test_the_demos_museums_have_a_plan_for_each_of_their_zones() -> None:
    for _, site in plan.sites(reference.showcase(60), "sim", date(2026, 11, 21)):
        floors = [plans.read(one.svg.encode())[0] for one in houses.furnished(site).plans]

        assert not plans.differing([one for one in floors if one], [zone.zone_id for zone in site.zones])
