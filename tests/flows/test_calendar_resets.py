"""Calendars on the whole stack: after closing the agents tell a drift and empty a site; wrong hours change nothing."""

import json
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from streams.core.sites import Gate, Site
from tests.beds import wait_for
from tests.programs import World, scan
from tests.verbs import musee

TEN = datetime(2026, 10, 25, 9, 0, tzinfo=UTC)  # 10:00 in Paris, on the day of 25 hours
HOURS = 'site = "{site}"\ngrace_min = 30\n\n[week]\n'
WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


USUAL = '["10:00-18:00"]'


def file_of(folder: Path, site: str, sunday: str = USUAL) -> Path:
    """A calendar file."""
    path = folder / f"{site}.toml"
    days = [f"{day} = {sunday if day == 'sunday' else USUAL}\n" for day in WEEK]
    path.write_text(HOURS.format(site=site) + "".join(days))
    return path


def new_site(world: World) -> str:
    """A site of its own on its events' clock."""
    name = f"hours-{uuid.uuid4().hex[:12]}"
    site = Site(name, "tests", "Hours", "Europe/Paris", replay=True, gates=(Gate("north", "North"),))
    world.publish([site])
    wait_for(lambda: world.post([passed(name, 0, 1, test=True)]).status_code == 202, what="the site at the door")
    return name


def passed(site: str, minutes: float, people: int, direction: str = "IN", **more: Any) -> dict[str, Any]:
    """A scan so many minutes after ten o'clock."""
    at = (TEN + timedelta(minutes=minutes)).isoformat(timespec="milliseconds")
    return scan(site, "north", direction, time=at, party_size=people, **more)


def post(world: World, *events: dict[str, Any]) -> None:
    answer = world.post(list(events))
    assert answer.status_code == 202, answer.text
    world.wait_quiet()


def shown(world: World, site: str, claim: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
    wait_for(lambda: claim(world.now(site)), within_s=40, what=what)
    return world.now(site)


@pytest.mark.timeout(200)
def test_after_closing_and_grace_the_drift_is_published_and_counting_begins_at_nought(
    world: World, tmp_path: Path
) -> None:
    #   10:00          11:00            18:00   18:30  18:31     18:33
    #     +10            −15 (drift 5)    closes  reset  holds     an event: the watermark has passed 18:31
    site, without = new_site(world), new_site(world)
    told = musee(world.settings, "calendar", "apply", str(file_of(tmp_path, site)))
    assert (told.returncode, told.stdout) == (0, "1 published\n")
    for name in (site, without):
        post(world, passed(name, 0, 10), passed(name, 60, 15, "OUT"))
        before = shown(world, name, lambda now: now["drift"] == 5, "the drift")
        assert (before["inside"], before["inside_raw"]) == (0, -5)

    for name in (site, without):
        post(world, passed(name, 8 * 60 + 33, 1, outcome="DENIED"))

    after = shown(world, site, lambda now: now["drift"] == 0, "the reset")
    assert (after["inside"], after["inside_low"], after["inside_high"], after["inside_raw"]) == (0, 0, 0, -5)
    world.wait_quiet()
    asked = f"FROM musee.v_occupancy_corrections WHERE site_id = '{site}'"
    rows = world.query(f"SELECT kind, value, drift, who, toString(occurred_at), toString(local_date) {asked}")
    assert rows == [("RESET", 0, -5, "calendar", "2026-10-25 17:30:00.000", "2026-10-25")]
    post(world, passed(site, 8 * 60 + 40, 3))
    assert shown(world, site, lambda now: now["inside"] == 3, "three guards")["drift"] == 0
    # The control: who has no calendar keeps the drift, and the guards fill it up.
    post(world, passed(without, 8 * 60 + 40, 3))
    assert shown(world, without, lambda now: now["drift"] == 2, "what is left of the drift")["inside"] == 0
    assert world.query(f"SELECT count() {asked.replace(site, without)}") == [(0,)]


@pytest.mark.parametrize(
    ("sunday", "named"),
    [
        ('["10:00-18:00", "17:59-19:00"]', "10:00-18:00 and 17:59-19:00 overlap"),
        ('["18:00-10:00"]', "closes before it opens"),
    ],
)
def test_overlapping_and_backward_hours_are_named_and_the_hours_stay(
    world: World, tmp_path: Path, sunday: str, named: str
) -> None:
    site, other = new_site(world), new_site(world)
    assert musee(world.settings, "calendar", "apply", str(file_of(tmp_path, site))).returncode == 0
    before = musee(world.settings, "calendar", "show", site, "--json").stdout
    good = file_of(tmp_path, other)
    told = musee(world.settings, "calendar", "apply", str(file_of(tmp_path, site, sunday)), str(good))

    assert told.returncode == 1
    assert named in told.stderr
    assert f"{site}.toml:11: week.sunday" in told.stderr
    assert musee(world.settings, "calendar", "show", site, "--json").stdout == before
    assert "has no calendar" in musee(world.settings, "calendar", "show", other).stderr  # the good one beside it too
    # The control: without the fault both are published.
    assert musee(world.settings, "calendar", "apply", str(file_of(tmp_path, site, "[]")), str(good)).returncode == 0
    assert json.loads(musee(world.settings, "calendar", "show", site, "--json").stdout) != json.loads(before)


def test_an_unknown_time_zone_is_named_and_neither_sites_nor_calendars_change(world: World, tmp_path: Path) -> None:
    site = new_site(world)
    described = tmp_path / "site.toml"
    text = f'id = "{site}"\norg = "tests"\nname = "Elsewhere"\ntime_zone = "Europe/Lutetia"\nreplay = true\n'
    described.write_text(text)
    hours = file_of(tmp_path, site)
    hours.write_text('time_zone = "Europe/Lutetia"\n' + hours.read_text())

    of_site = musee(world.settings, "sites", "apply", str(described))
    of_hours = musee(world.settings, "calendar", "apply", str(hours))

    for told in (of_site, of_hours):
        assert told.returncode == 1
        assert "Europe/Lutetia" in told.stderr
        assert "IANA time zone" in told.stderr
    time.sleep(1.0)  # nothing shows that nothing was written
    assert world.now(site)["time_zone"] == "Europe/Paris"
    assert "has no calendar" in musee(world.settings, "calendar", "show", site).stderr
    described.write_text(text.replace("Europe/Lutetia", "Europe/Madrid"))
    assert musee(world.settings, "sites", "apply", str(described)).returncode == 0
    wait_for(lambda: world.now(site)["time_zone"] == "Europe/Madrid", what="the control")
