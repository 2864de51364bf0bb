"""A museum in each département of France, some abroad, some nowhere: what ``/map`` is looked at with."""

import uuid
from dataclasses import dataclass
from typing import Any

import pytest

from streams.core.sites import Gate, Site
from streams.sites import departments
from tests.beds import wait_for
from tests.programs import World, scan

AT = "2015-02-02T12:30:10Z"
SILENT = ("23", "53", "986")  # départements whose only museum never says a word
CROWDED = {"75": 21_000, "69": 4_200, "13": 2_000, "77": 1_999, "974": 730, "2A": 100, "90": 99, "59": 0}
LONG = "Musée départemental de la Résistance et de la Déportation <b>en</b> Bourgogne \u202eerutluc 🏛"


@dataclass(frozen=True)
class Atlas:
    """Where the console is, and its sites by département, ``abroad`` and ``unplaced``."""

    world: World
    sites: dict[str, str]

    @property
    def console_url(self) -> str:
        return self.world.console.address

    def enter(self, site_id: str, people: int) -> None:
        """Somebody comes in."""
        answer = self.world.post(_entered(site_id, people))
        assert answer.status_code == 202, answer.text


def _entered(site_id: str, people: int) -> list[dict[str, object]]:
    """Scans that let ``people`` in, no more at once than a scan may; for nobody one that is denied."""
    parties = [1000] * (people // 1000) + [people % 1000] * (people % 1000 > 0)
    told: list[dict[str, Any]] = [{"party_size": party} for party in parties] or [{"outcome": "DENIED"}]
    return [scan(site_id, "main", time=AT, ingest_mode="REPLAY", id=str(uuid.uuid4()), **one) for one in told]


def _site(site_id: str, name: str, **more: object) -> Site:
    gates = (Gate("main", "Main door"),)
    return Site(site_id, "simulated", name, replay=True, simulated=True, gates=gates, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def atlas(running_world: World) -> Atlas:
    """Made known, and heard once but for the silent ones."""
    made, people = {}, {}
    for place, one in enumerate(departments.every()):
        site_id = f"atlas-{one.code.lower()}"
        name = LONG if one.code == "21" else f"Musée {one.name}"
        capacity = 25_000 if one.code == "75" else 500 if place % 3 else None
        made[one.code] = _site(
            site_id,
            name,
            time_zone=one.time_zone,
            department=one.code,
            region=one.region,
            capacity=capacity,
            place=one.name,
        )
        if one.code not in SILENT:
            people[site_id] = CROWDED.get(one.code, 7 * place % 640)
    made["abroad"] = _site("atlas-london", "Wallace Rooms", time_zone="Europe/London", place="London", capacity=900)
    made["unplaced"] = _site("atlas-nowhere", "Bibliobus", time_zone="Europe/Paris")
    people |= {"atlas-london": 321, "atlas-nowhere": 12}
    second = _site("atlas-75-2", "Musée fermé", time_zone="Europe/Paris", department="75")
    running_world.publish([*made.values(), second])
    events = [event for site_id, some in people.items() for event in _entered(site_id, some)]
    wait_for(lambda: running_world.post(events).status_code == 202, what="sites known at the door")
    running_world.wait_quiet()
    wait_for(lambda: all(running_world.now(one)["received_ms"] for one in people), what="an atlas")
    return Atlas(running_world, {code: one.site_id for code, one in made.items()})
