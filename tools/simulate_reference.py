"""Makes ``streams/simulate/data/*.csv`` from the ministry's open files.

    python tools/simulate_reference.py --museums museofile.csv.gz --entries entrees_categories_2014_2018.csv.gz \
        --monuments frequentation_monuments_nationaux.csv --school-holidays vacances_scolaires.csv.gz

Standard library only; the same files give the same bytes. What was decided on the way is in the data's ATTRIBUTION.md.
"""

import argparse
import csv
import gzip
import re
import statistics
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

OUT = Path(__file__).parent.parent / "streams" / "simulate" / "data"
ZONES = {
    "971": "America/Guadeloupe",
    "972": "America/Martinique",
    "973": "America/Cayenne",
    "974": "Indian/Reunion",
    "975": "America/Miquelon",
    "976": "Indian/Mayotte",
}
CORSICA = {"Corse-du-Sud": "2A", "Haute-Corse": "2B"}
LONGEST_LABEL = 60  # one cell holds a story instead
HOLIDAY_YEARS = range(2024, 2029)


def rows(path: Path, delimiter: str) -> list[dict[str, str]]:
    """All rows of a CSV file, packed or not; absent cells are empty."""
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")
    return [{k: v or "" for k, v in row.items()} for row in csv.DictReader(text.splitlines(True), delimiter=delimiter)]


def write(name: str, header: Iterable[str], lines: Iterable[Iterable[object]]) -> None:
    """One CSV file, LF."""
    with (OUT / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(list(header))
        writer.writerows(lines)


def plain(text: str) -> str:
    """One line of text without doubled blanks."""
    return " ".join(text.split())


def slug(text: str) -> str:
    """Lower case, digits and hyphens."""
    bare = unicodedata.normalize("NFKD", text.replace("œ", "oe").replace("Œ", "Oe")).encode("ascii", "ignore").decode()
    return re.sub("[^a-z0-9]+", "-", bare.lower()).strip("-")


def department_codes(museums: list[dict[str, str]]) -> dict[str, str]:
    """Name → code: what most postcodes of the département say, since single ones may be a sorting office's."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for row in museums:
        post = row["cp_m"].strip()
        if re.fullmatch("[0-9]{5}", post):
            votes[row["dpt"]][post[:3] if post.startswith("97") else post[:2]] += 1
    return {name: CORSICA.get(name, codes.most_common(1)[0][0]) for name, codes in votes.items()}


def category(told: str) -> str:
    """The first label of ``categ``; authors end it with a stop or not, and detail it behind a colon."""
    first = plain(re.split(r"[;.:]", told)[0])
    return first[:1].upper() + first[1:].lower() if len(first) <= LONGEST_LABEL else ""


def themes(told: str) -> str:
    """The first five headings, without what they are detailed into."""
    heads = [plain(re.split(r" :|\(|:", part)[0]) for part in told.replace("\n", ";").split(";")]
    return ";".join(list(dict.fromkeys(head for head in heads if head))[:5])


def museum_totals(entries: list[dict[str, str]]) -> dict[str, tuple[int, int]]:
    """Ref → (latest year with a positive total, that total); the larger one where a year stands twice."""
    found: dict[str, tuple[int, int]] = {}
    for row in entries:
        told = row["total"].strip()
        if told and float(told) > 0:
            found[row["IDMuseofile"]] = max(
                found.get(row["IDMuseofile"], (0, 0)), (int(row["annee"]), int(float(told)))
            )
    return found


def museums(list_path: Path, entries_path: Path) -> None:
    """museums.csv."""
    listed = sorted(rows(list_path, ";"), key=lambda row: row["ref"])
    codes = department_codes(listed)
    totals = museum_totals(rows(entries_path, ";"))
    by_category: dict[str, list[int]] = defaultdict(list)
    for row in listed:
        if row["ref"] in totals:
            by_category[category(row["categ"])].append(totals[row["ref"]][1])
    overall = statistics.median(total for found in by_category.values() for total in found)
    lines = []
    for row in listed:
        kind = category(row["categ"])
        year, total = totals.get(row["ref"], ("", 0))
        if not total:
            known = by_category.get(kind) if kind else None
            total = round(statistics.median(known) if known else overall)
        code, town = codes[row["dpt"]], plain(row["ville_m"])
        name = plain(row["nomoff"] or row["autnom"]) or f"Musée ({town})"
        lines.append(
            [
                row["ref"], name, town, code, plain(row["region"]),
                f"{float(row['latitude']):.6f}", f"{float(row['longitude']):.6f}", ZONES.get(code, "Europe/Paris"),
                kind, themes(row["themes"]), total, year,
            ]
        )  # fmt: skip
    names = "ref name place department region latitude longitude time_zone category themes yearly_total total_year"
    write("museums.csv", names.split(" "), lines)


def monuments(path: Path) -> None:
    """monuments.csv: 2019 before 2020, the year of closed doors."""
    by_name: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows(path, ","):
        by_name[plain(row["nom_de_l_etablissement"])].append(row)
    totals: dict[str, tuple[str, int]] = {}
    for name, found in by_name.items():
        for row in sorted(found, key=lambda one: one["annee"]):
            if float(row["total"] or 0) > 0 and name not in totals:
                totals[name] = (row["annee"], round(float(row["total"])))
    median = round(statistics.median(total for _, total in totals.values()))
    lines = []
    for name, found in by_name.items():
        row = found[0]
        town = plain(row["libelle_geographique_commune"])
        ref = slug(name) if slug(town) in slug(name) else f"{slug(name)}-{slug(town)}"
        year, total = totals.get(name, ("", median))
        full = name if ref == slug(name) else f"{name} ({town})"
        lines.append(
            [ref[:60].strip("-"), full, town, row["code_insee_departement"], plain(row["region"]), total, year]
        )
    lines.sort()
    write("monuments.csv", ["ref", "name", "place", "department", "region", "yearly_total", "total_year"], lines)


def school_holidays(path: Path) -> None:
    """school_holidays.csv: runs of days."""
    days = {date.fromisoformat(row["date"]): row for row in rows(path, ",")}
    lines = []
    for zone in "abc":
        run: list[object] | None = None
        for day in sorted(one for one in days if one.year in HOLIDAY_YEARS):
            row = days[day]
            name = plain(row["nom_vacances"]) if row[f"vacances_zone_{zone}"] == "True" else None
            if run and (name is None or run[3] != name):
                lines.append(run)
                run = None
            if name is not None:
                run = [zone.upper(), run[1] if run else day, day, name]
        if run:
            lines.append(run)
    assert timedelta(0) <= lines[0][2] - lines[0][1]  # type: ignore[operator]  # noqa: S101
    write("school_holidays.csv", ("zone", "first_day", "last_day", "name"), lines)


def main() -> None:
    """All three files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("museums", "entries", "monuments", "school-holidays"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    given = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    museums(given.museums, given.entries)
    monuments(given.monuments)
    school_holidays(given.school_holidays)


if __name__ == "__main__":
    main()
