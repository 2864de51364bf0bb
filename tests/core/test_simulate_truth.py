"""The truth: the same bytes for the same seed, equal to another way of counting, and read back as it was written."""

import csv
import json
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from streams.check import truths
from streams.simulate import plan
from streams.simulate.trouble import Trouble

SATURDAY = date(2026, 11, 28)
RUN = plan.Run(8, SATURDAY, 7, Trouble(dup=0.05, offline_share=0.3))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def minute(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).isoformat()[:16]


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    plan.make(RUN, tmp_path / "one")
    plan.make(RUN, tmp_path / "two")

    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == sorted([*truths_files(), "manifest.json"])
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def truths_files() -> list[str]:
    return ["attendance.csv", "deliveries.csv", "devices.csv", "hours.csv", "presence.csv", "sites.csv"]


def test_another_seed_gives_another_truth(tmp_path: Path) -> None:
    plan.make(RUN, tmp_path / "seven")
    plan.make(plan.Run(8, SATURDAY, 8, RUN.trouble), tmp_path / "eight")

    assert (tmp_path / "seven/attendance.csv").read_bytes() != (tmp_path / "eight/attendance.csv").read_bytes()


def test_rows_are_in_order(tmp_path: Path) -> None:
    plan.make(RUN, tmp_path)

    for name, key in (("attendance.csv", 3), ("presence.csv", 3), ("hours.csv", 3), ("devices.csv", 2)):
        keys = [tuple(row.values())[:key] for row in rows(tmp_path / name)]
        assert keys == sorted(set(keys))


def test_the_truth_equals_another_way_of_counting(tmp_path: Path) -> None:
    made = plan.make(RUN, tmp_path)
    events = {one.event.event_id: one.event for sends in made.sends for one in sends}.values()
    people: Counter[tuple[str, ...]] = Counter()
    sessions = set()
    amounts: Counter[tuple[str, ...]] = Counter()
    for one in events:
        data, at = cast(dict[str, Any], one.data), minute(one.at_ms)
        match one.family:
            case "ticket-scan" if not data.get("test"):
                place = (one.site_id, data.get("gate_id") or "-", at)
                match data["outcome"], data["direction"]:
                    case "DENIED", _:
                        people[*place, "denied"] += 1
                    case "ACCEPTED", "IN":
                        people[*place, "entries"] += data["party_size"]
                    case _, "IN":
                        people[*place, "entries"] -= data["party_size"]
                    case "ACCEPTED" | "AUTO_EXIT", "OUT":
                        people[*place, "exits"] += data["party_size"]
                    case _:
                        people[*place, "exits"] -= data["party_size"]
            case "position-update":
                sessions.add((one.site_id, data["zone_id"], at, data["session_id"]))
            case "guestbook-entry":
                amounts[one.site_id, at[:13], "guestbook_entries"] += 1
                amounts[one.site_id, at[:13], "guestbook_ratings"] += "rating" in data
                amounts[one.site_id, at[:13], "guestbook_rating_sum"] += data.get("rating", 0)
            case "social-post":
                amounts[one.site_id, at[:13], "social_posts"] += 1
            case "visitor-action":
                amounts[one.site_id, at[:13], "actions"] += 1
                amounts[one.site_id, at[:13], "actions_" + data["action"].lower()] += 1
            case "web-traffic":
                for name in ("page_views", "assets", "robots", "errors"):
                    amounts[one.site_id, at[:13], "web_" + name] += data[name]

    told = {
        (row["site_id"], row["gate_id"], row["minute_utc"], metric): int(row[metric])
        for row in rows(tmp_path / "attendance.csv")
        for metric in ("entries", "exits", "denied")
    }
    present = {(row["site_id"], row["zone_id"], row["minute_utc"]): int(row["sessions"])
               for row in rows(tmp_path / "presence.csv")}  # fmt: skip
    hours = {
        (row["site_id"], row["hour_utc"], row["metric"]): int(row["value"]) for row in rows(tmp_path / "hours.csv")
    }

    assert {cell: value for cell, value in told.items() if value} == {c: v for c, v in people.items() if v}
    assert present == Counter(place[:3] for place in sessions)
    assert hours == {cell: value for cell, value in amounts.items() if value}


def test_deliveries_tell_what_went_wrong_and_what_is_no_plain_passage(tmp_path: Path) -> None:
    made = plan.make(RUN, tmp_path)

    told = Counter(row["what"] for row in rows(tmp_path / "deliveries.csv"))

    causes = Counter(one.cause for sends in made.sends for one in sends if one.cause)
    outcomes = Counter(
        str(one.event.data["outcome"])
        for sends in made.sends
        for one in sends
        if one.event.family == "ticket-scan" and one.cause != "RESENT"
    )
    assert {cause: told[cause] for cause in causes} == causes
    assert told["DENIED"] == outcomes["DENIED"] > 0
    assert told["AUTO_EXIT"] == outcomes["AUTO_EXIT"] > 0


def test_the_manifest_says_seed_day_options_and_sums(tmp_path: Path) -> None:
    made = plan.make(RUN, tmp_path)

    manifest = json.loads((tmp_path / "manifest.json").read_text())

    assert manifest == made.manifest
    assert (manifest["seed"], manifest["day"], manifest["sites"]) == (7, "2026-11-28", 8)
    assert manifest["sends"] == sum(map(len, made.sends))
    assert manifest["events"] == len({one.event.event_id for sends in made.sends for one in sends})
    assert manifest["trouble"]["dup"] == 0.05


def test_the_checker_reads_what_was_written(tmp_path: Path) -> None:
    made = plan.make(RUN, tmp_path)

    truth = truths.read(tmp_path)

    entries = sum(n for cell, n in truth.cells.items() if cell.family == "attendance" and cell.metric == "entries")
    days = sum(n for cell, n in truth.cells.items() if cell.family == "day" and cell.metric == "entries")
    assert entries == days == made.manifest["visitors"]
    assert len(truth.spans) == 8


def test_a_truth_that_was_changed_is_refused(tmp_path: Path) -> None:
    plan.make(RUN, tmp_path)
    path = tmp_path / "presence.csv"
    path.write_text(path.read_text().replace(",1\n", ",2\n", 1))

    with pytest.raises(truths.TruthError, match=r"presence\.csv: changed since"):
        truths.read(tmp_path)


def test_an_unfinished_truth_is_refused(tmp_path: Path) -> None:
    plan.make(RUN, tmp_path)
    (tmp_path / "manifest.json").unlink()

    with pytest.raises(truths.TruthError, match=r"manifest\.json is missing"):
        truths.read(tmp_path)
