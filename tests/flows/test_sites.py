"""Sites from a public list reach every program and history."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.beds import wait_for
from tests.programs import World, environment, scan

LIST = """ref;latitude;longitude;autnom;categ;cp_m;dompal;dpt;nomoff;region;themes;ville_m
M9001;-21.055918;55.264409;;Ecomusée;97435;;La Réunion;"musée
de Villèle";;"Histoire;Art";Saint-Paul
M9002;43.9;2.1;;;81000;;Tarn;musée d'Albi;Occitanie;;Albi
M9003;43.9;2.1;;;81000;;Atlantide;musée;Occitanie;;Albi
"""


def musee(world: World, *words: str) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, **environment(world.settings)}
    command = [sys.executable, "-m", "streams", *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def imported(world: World, tmp_path: Path) -> dict[str, Any]:
    file = tmp_path / "museofile.csv"
    file.write_text(LIST, encoding="utf-8")
    done = musee(world, "sites", "import", "museofile", "--file", str(file), "--json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_an_imported_museum_stands_in_history_with_everything_the_list_says(
    world: World, imported: dict[str, Any]
) -> None:
    columns = "name, time_zone, place, department, region, latitude, longitude, category, themes, reference, simulated"
    asked = f"SELECT {columns} FROM musee.dim_site WHERE site_id = 'm9001'"

    wait_for(lambda: len(world.query(asked)) == 1, what="the museum's row")

    assert imported["unread"] == [
        {"line": 5, "end": 5, "reason": "dpt = 'Atlantide', cp_m = '81000' name no département"}
    ]
    assert world.query(asked) == [
        (
            "musée de Villèle",
            "Indian/Reunion",
            "Saint-Paul",
            "974",
            "La Réunion",
            -21.055918,
            55.264409,
            "Ecomusée",
            ["Histoire", "Art"],
            "museofile:M9001",
            False,
        )
    ]


@pytest.mark.usefixtures("imported")
def test_an_imported_museum_is_listed_and_takes_scans(world: World) -> None:
    listed = musee(world, "sites", "list", "--match", "Villèle").stdout

    assert "m9001" in listed
    assert "m9002" not in listed
    wait_for(lambda: world.post([scan("m9001")]).status_code == 202, what="the gateway's knowing the museum")


@pytest.mark.usefixtures("imported")
def test_importing_again_publishes_nothing(world: World, tmp_path: Path) -> None:
    done = musee(world, "sites", "import", "museofile", "--file", str(tmp_path / "museofile.csv"), "--json")

    report = json.loads(done.stdout)
    assert (report["new"], report["changed"], report["unchanged"]) == (0, 0, 2)


def test_an_account_that_a_known_site_claims_is_refused_to_another(world: World, tmp_path: Path) -> None:
    file = tmp_path / "claimant.toml"
    file.write_text('id = "claimant"\norg = "x"\nname = "X"\ntime_zone = "UTC"\nhandles = ["britishmuseum"]\n')

    refused = musee(world, "sites", "apply", str(file))

    assert refused.returncode == 1
    assert "'britishmuseum' is claimed by site britishmuseum" in refused.stderr
    assert "claimant" not in musee(world, "sites", "list").stdout


def test_every_column_of_dim_site_has_a_comment(world: World) -> None:
    asked = "SELECT name, comment FROM system.columns WHERE database = 'musee' AND table = 'dim_site'"

    columns = dict(world.query(asked))

    assert len(columns) == 20
    assert all(columns.values()), columns
