"""Importers of public lists: every line becomes a site or is listed with its reason, and nothing is guessed."""

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from streams.core.sites import Gate
from streams.sites import departments, files, importers, lists, written
from streams.sites.importers import Imported, monument_id

HEADER = "ref;latitude;longitude;autnom;categ;cp_m;dompal;dpt;nomoff;region;themes;ville_m;atout"
ALBI = "M0592;43.928096;2.143551;;;81000;Beaux-arts;Tarn;musée Toulouse-Lautrec;Occitanie;Beaux-Arts : Peinture;Albi;"
MONUMENTS = (
    "annee,region,departement,code_insee_commune,libelle_geographique_commune,nom_de_l_etablissement,total,"
    "code_insee_departement"
)


def museums(tmp_path: Path, *lines: str) -> Imported:
    file = tmp_path / "museofile.csv"
    file.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return importers.museofile(file)


def overseas(ref: str, dpt: str, region: str, postcode: str = "97000") -> str:
    return f"{ref};14.6;-61.0;;;{postcode};;{dpt};musée;{region};;Bourg;"


def monuments(tmp_path: Path, *lines: str) -> Imported:
    file = tmp_path / "monuments.csv"
    file.write_text("\n".join([MONUMENTS, *lines]) + "\n", encoding="utf-8")
    return importers.monuments(file)


# -- musées de France ------------------------------------------------------------------------------------------------


def test_a_museum_has_everything_that_the_list_says(tmp_path: Path) -> None:
    (site,) = museums(tmp_path, ALBI).sites

    assert (site.site_id, site.name, site.place) == ("m0592", "musée Toulouse-Lautrec", "Albi")
    assert (site.department, site.region, site.time_zone) == ("81", "Occitanie", "Europe/Paris")
    assert (site.latitude, site.longitude) == (43.928096, 2.143551)
    assert (site.themes, site.reference) == (("Beaux-Arts : Peinture",), "museofile:M0592")
    assert site.source == "Ministère de la Culture, Muséofile, Licence Ouverte 2.0"
    assert not site.replay
    assert not site.simulated


def test_quoted_line_breaks_and_separators_belong_to_their_field(tmp_path: Path) -> None:
    broken = (
        'M0003;48.8;7.4;;"";67330;;Bas-Rhin;"musée du\nHanau";Grand Est;"Art;;Histoire\n;Art";Bouxwiller;"a\n\n""b"""'
    )

    found = museums(tmp_path, broken, ALBI)

    assert [site.name for site in found.sites] == ["musée du Hanau", "musée Toulouse-Lautrec"]
    assert found.sites[0].themes == ("Art", "Histoire")


@pytest.mark.parametrize(
    ("dpt", "region", "zone", "code", "named"),
    [
        ("Guadeloupe", "DROM", "America/Guadeloupe", "971", "Guadeloupe"),
        ("Guadeloupe", "Guadeloupe", "America/Guadeloupe", "971", "Guadeloupe"),
        ("Martinique", "DROM", "America/Martinique", "972", "Martinique"),
        ("Guyane", "DROM", "America/Cayenne", "973", "Guyane"),
        ("La Réunion", "", "Indian/Reunion", "974", "La Réunion"),
        ("Réunion", "DROM", "Indian/Reunion", "974", "La Réunion"),
        ("Saint-Pierre-et-Miquelon", "COM", "America/Miquelon", "975", "Saint-Pierre-et-Miquelon"),
        ("Mayotte", "DROM", "Indian/Mayotte", "976", "Mayotte"),
    ],
)
def test_overseas_region_and_time_zone_follow_from_the_department_whatever_the_list_calls_them(
    tmp_path: Path, dpt: str, region: str, zone: str, code: str, named: str
) -> None:
    found = museums(tmp_path, overseas("M1070", dpt, region, f"{code}00"))

    (site,) = found.sites
    assert (site.time_zone, site.department, site.region) == (zone, code, named)
    assert found.overseas == 1


def test_a_museum_without_a_department_is_placed_by_its_postcode(tmp_path: Path) -> None:
    (site,) = museums(tmp_path, overseas("M1070", "", "", "97435")).sites

    assert site.time_zone == "Indian/Reunion"


def test_where_postcode_and_department_differ_the_department_holds_and_the_museum_is_named(tmp_path: Path) -> None:
    found = museums(tmp_path, ALBI.replace("81000", "62060"))

    assert found.sites[0].department == "81"
    assert "M0592 (62060, Tarn)" in found.remarks[0]


def test_a_museum_without_a_name_is_called_by_category_and_place_and_named(tmp_path: Path) -> None:
    found = museums(tmp_path, "M1136;50.0;4.1;;Musée de site;59132;;Nord;;Hauts-de-France;;Trélon;")

    assert found.sites[0].name == "Musée de site (Trélon)"
    assert "M1136" in found.remarks[0]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (ALBI.replace("M0592", ""), "ref = ''"),
        (ALBI.replace("M0592", "Louvre"), "ref = 'Louvre'"),
        (ALBI.replace(";Tarn;", ";Atlantide;"), "Atlantide"),
        (ALBI.replace(";81000;Beaux-arts;Tarn;", ";;;;"), "name no département"),
        (ALBI.replace("43.928096", "43,9"), "latitude = '43,9'"),
        (ALBI.replace("43.928096", "143.9"), "latitude = 143.9"),
        (ALBI.replace("43.928096", ""), "longitude stands without latitude"),
        (ALBI + ";one;more", "15 fields, 13 expected"),
        (ALBI.replace("musée Toulouse-Lautrec", "x" * 201), "name = "),
    ],
)
def test_a_line_that_gives_no_site_is_listed_by_number_with_its_reason(tmp_path: Path, line: str, reason: str) -> None:
    found = museums(tmp_path, ALBI.replace("M0592", "M0001").replace("Albi", '"Albi\nTarn"'), line, "", ALBI)

    assert [site.site_id for site in found.sites] == ["m0001", "m0592"]
    assert [(one.line, one.end) for one in found.unread] == [(4, 4)]
    assert reason in found.unread[0].reason


def test_a_museum_that_stands_twice_is_listed_the_second_time(tmp_path: Path) -> None:
    found = museums(tmp_path, ALBI, ALBI)

    assert len(found.sites) == 1
    assert found.unread[0].reason == "m0592 stands on line 2 already"


def test_bytes_that_are_no_utf8_make_one_unread_line(tmp_path: Path) -> None:
    file = tmp_path / "museofile.csv"
    file.write_bytes(f"{HEADER}\n{ALBI}\n".encode().replace(b"Albi", b"Alb\xee"))

    assert [one.reason for one in importers.museofile(file).unread] == ["not UTF-8"]


def test_a_list_in_utf16_is_refused_with_the_fix(tmp_path: Path) -> None:
    file = tmp_path / "museofile.csv"
    file.write_bytes(f"{HEADER}\n{ALBI}\n".encode("utf-16"))

    with pytest.raises(lists.ListError, match=r"museofile\.csv: is not UTF-8 text; save the list as UTF-8"):
        importers.museofile(file)


def test_a_header_is_told_without_what_would_move_a_terminal(tmp_path: Path) -> None:
    file = tmp_path / "museofile.csv"
    file.write_text("ref;\x1b[2Jnom\n")

    with pytest.raises(lists.ListError, match=r"names: ref, \?\[2Jnom"):
        importers.museofile(file)


def test_a_zipped_list_reads_the_same_whatever_it_is_called(tmp_path: Path) -> None:
    plain = museums(tmp_path, ALBI)
    (tmp_path / "list").write_bytes(gzip.compress((tmp_path / "museofile.csv").read_bytes()))

    assert importers.museofile(tmp_path / "list") == plain


def test_another_layout_is_refused_with_the_columns_that_are_missing(tmp_path: Path) -> None:
    file = tmp_path / "other.csv"
    file.write_text("ref;nomoff;ville_m\nM0001;musée;Albi\n")

    with pytest.raises(lists.ListError, match=r"columns missing: autnom, dpt, cp_m, .* names: ref, nomoff, ville_m"):
        importers.museofile(file)


@pytest.mark.parametrize("content", [b"", b"\x1f\x8bzip", b"\x00\x01\x02"])
def test_what_is_no_list_is_refused_by_its_name(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "no.csv"
    file.write_bytes(content)

    with pytest.raises(lists.ListError, match=r"no\.csv"):
        importers.museofile(file)


def test_imported_sites_written_to_files_pass_the_check(tmp_path: Path) -> None:
    sites = museums(tmp_path, ALBI, overseas("M1071", "Saint-Pierre-et-Miquelon", "COM")).sites

    written.write(sites, tmp_path / "sites")

    assert files.check([tmp_path / "sites"]) == files.Checked(tuple(sites), ())


def test_importing_again_keeps_what_the_list_does_not_say(tmp_path: Path) -> None:
    (listed,) = museums(tmp_path, ALBI).sites
    known = replace(listed, name="old", gates=(Gate("north", "North"),), handles=("albi",), simulated=True, replay=True)

    merged = importers.merged(listed, known)

    assert merged == replace(known, name="musée Toulouse-Lautrec")


# -- national monuments ----------------------------------------------------------------------------------------------


def test_a_monument_of_several_years_is_one_site_without_coordinates_and_that_is_said(tmp_path: Path) -> None:
    found = monuments(
        tmp_path,
        "2019,Pays de la Loire,Maine-et-Loire,49140,Fontevraud-l'Abbaye,Abbaye,0.0,49",
        "2020,Pays de la Loire,Maine-et-Loire,49140,Fontevraud-l'Abbaye,Abbaye,0.0,49",
    )

    (site,) = found.sites
    assert (site.site_id, site.place, site.department) == ("abbaye-fontevraud-l-abbaye", "Fontevraud-l'Abbaye", "49")
    assert site.latitude is None
    assert "no coordinates" in found.remarks[0]
    assert found.unread == []


def test_one_name_in_two_communes_is_two_monuments(tmp_path: Path) -> None:
    found = monuments(tmp_path, "2019,,Ain,01001,Brou,Abbaye,1,01", "2019,,Paris,75056,Paris,Abbaye,1,75")

    assert [site.site_id for site in found.sites] == ["abbaye-brou", "abbaye-paris"]


def test_one_name_in_communes_of_one_name_is_not_guessed_to_be_one_monument(tmp_path: Path) -> None:
    found = monuments(tmp_path, "2019,,x,93066,Saint-Denis,Basilique,1,93", "2019,,x,97411,Saint-Denis,Basilique,1,974")

    assert len(found.sites) == 1
    assert [one.line for one in found.unread] == [3]


def test_a_monument_overseas_has_the_time_zone_of_its_department(tmp_path: Path) -> None:
    (site,) = monuments(tmp_path, "2019,DROM,La Réunion,97411,Saint-Denis,Fort,1,974").sites

    assert site.time_zone == "Indian/Reunion"


@pytest.mark.parametrize(
    ("name", "commune", "site_id"),
    [
        ("Château d'Angers", "Angers", "chateau-d-angers"),
        ("Tours de La Rochelle", "La Rochelle", "tours-de-la-rochelle"),
        ("Palais Jacques Cœur", "Bourges", "palais-jacques-coeur-bourges"),
        ("Tour " * 30, "Reims", "tour-" * 14 + "tour-reims"),
    ],
)
def test_a_monument_is_called_by_name_and_commune(name: str, commune: str, site_id: str) -> None:
    assert monument_id(name, commune) == site_id
    assert len(site_id) <= 80


# -- départements ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "code"),
    [("Val d’Oise", "95"), ("VAL-D'OISE", "95"), ("Réunion", "974"), ("La Reunion", "974"), ("Corse du Sud", "2A")],
)
def test_a_department_is_known_in_any_spelling(name: str, code: str) -> None:
    found = departments.by_name(name)

    assert found is not None
    assert found.code == code


@pytest.mark.parametrize(
    ("postcode", "code"), [("75004", "75"), ("20000", "2A"), ("20200", "2B"), ("97435", "974"), ("97150", "978")]
)
def test_a_postcode_tells_its_department(postcode: str, code: str) -> None:
    found = departments.by_postcode(postcode)

    assert found is not None
    assert found.code == code


@pytest.mark.parametrize("postcode", ["", "7500", "99000", "98000", "7500A"])
def test_a_postcode_outside_the_departments_tells_none(postcode: str) -> None:
    assert departments.by_postcode(postcode) is None
