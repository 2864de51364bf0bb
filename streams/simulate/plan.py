"""A whole run: which sites, which day, how much trouble; everything that will be sent, and the truth about it.

Pure but for the truth's files. Called by ``musee simulate``.
"""

import dataclasses
import importlib.metadata
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from streams.core.sites import Site
from streams.simulate import day as days
from streams.simulate import rhythm, trouble, truth, world
from streams.simulate.reference import Place, first
from streams.simulate.trouble import Sent, Trouble


@dataclass(frozen=True, slots=True)
class Run:
    """What was asked for.

    Attributes:
        site_count: so many of the fixed order of places.
        day: local date everywhere.
        seed: of the day's chance; part of the sites' ids.
        trouble: on the way to the gateway.
        families: others are not made.
        in_order: everything is sent once and in the order of event time, to sites of its own.
    """

    site_count: int
    day: date
    seed: int
    trouble: Trouble = dataclasses.field(default_factory=Trouble)
    families: Collection[str] = days.FAMILIES
    in_order: bool = False

    def sites(self) -> list[tuple[Place, Site]]:
        """Places and the sites that play them, by site id."""
        return sites(first(self.site_count), self.tag, self.day)

    @property
    def tag(self) -> str:
        """What the ids of its sites begin with, without the hyphen."""
        return world.tag(self.seed, in_order=self.in_order)

    def as_json(self) -> dict[str, object]:
        """For the manifest."""
        return {
            "program": f"data-musee {importlib.metadata.version('data-musee')}",
            "seed": self.seed,
            "day": self.day.isoformat(),
            "sites": self.site_count,
            "tag": self.tag,
            "in_order": self.in_order,
            "trouble": dataclasses.asdict(trouble.NONE if self.in_order else self.trouble),
            "families": sorted(self.families),
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be sent: per site in the order of sending, and what the truth's manifest says of it."""

    sites: list[Site]
    sends: list[list[Sent]]
    manifest: dict[str, Any]


def sites(places: Collection[Place], tag: str, on: date) -> list[tuple[Place, Site]]:
    """Places and the sites that play them, by site id."""
    pairs = [(place, world.simulated(place, tag, on)) for place in places]
    return sorted(pairs, key=lambda pair: pair[1].site_id)


def make(run: Run, folder: Path, made: Callable[[int], None] = lambda _: None) -> Plan:
    """Make every event and write the truth.

    Args:
        run: what was asked for.
        folder: of the truth; files of an earlier one are replaced.
        made: told after each site how many are done.

    Raises:
        TruthError: the folder cannot be written to.
        ConfigError: there are not so many sites.
    """
    found: list[list[Sent]] = []
    pairs = run.sites()
    with truth.Writer(folder) as writer:
        for number, (place, site) in enumerate(pairs, start=1):
            events = days.events(place, site, run.day, run.seed, run.families)
            if run.in_order:
                sends = trouble.in_order(events)
            else:
                sends = trouble.sends(events, run.trouble, day=run.day, seed=run.seed)
            writer.site(place, site, rhythm.visitors(place, run.day, run.seed), sends)
            found.append(sends)
            made(number)
        manifest = writer.close(run.as_json())
    return Plan([site for _, site in pairs], found, manifest)


def make_in_order(run: Run, folder: Path, made: Callable[[int], None] = lambda _: None) -> Plan:
    """The same day at sites of its own, everything sent in order, for comparison; its truth lies in the run's.

    Raises:
        TruthError: the folder cannot be written to.
    """
    return make(dataclasses.replace(run, in_order=True), folder / truth.IN_ORDER, made)
