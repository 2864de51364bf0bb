"""The museums and monuments that can be simulated: names, places and yearly totals that are real.

Read from ``data/`` (see its ATTRIBUTION.md); made by ``tools/simulate_reference.py``. Used by ``simulate.world`` and
``simulate.rhythm``.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from streams.errors import ConfigError
from streams.simulate import chance

DATA = Path(__file__).parent / "data"
_ORDER = "the order of the museums"  # seeds it; another text would change what `--sites 12` means


@dataclass(frozen=True, slots=True)
class Place:
    """A museum or monument.

    Attributes:
        ref: lower case: Muséofile's ``m0003``, or a slug for a monument.
        department: INSEE code.
        yearly_total: visits a year.
        total_year: the year they were counted in, ``None`` if nobody did: then a median (see ATTRIBUTION.md).
    """

    ref: str
    name: str
    place: str
    department: str
    region: str
    latitude: float | None
    longitude: float | None
    time_zone: str
    category: str
    themes: tuple[str, ...]
    yearly_total: int
    total_year: int | None
    monument: bool

    @property
    def overseas(self) -> bool:
        """Whether it lies outside Europe."""
        return self.time_zone != "Europe/Paris"


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


@cache
def museums() -> tuple[Place, ...]:
    """The 1,227 musées de France, by reference."""
    return tuple(
        Place(
            ref=row["ref"].lower(),
            name=row["name"],
            place=row["place"],
            department=row["department"],
            region=row["region"],
            latitude=float(row["latitude"]),
            longitude=float(row["longitude"]),
            time_zone=row["time_zone"],
            category=row["category"],
            themes=tuple(row["themes"].split(";")) if row["themes"] else (),
            yearly_total=int(row["yearly_total"]),
            total_year=int(row["total_year"]) if row["total_year"] else None,
            monument=False,
        )
        for row in _rows("museums.csv")
    )


@cache
def monuments() -> tuple[Place, ...]:
    """The 99 national monuments, by reference; all in Europe, without coordinates."""
    return tuple(
        Place(
            ref=row["ref"],
            name=row["name"],
            place=row["place"],
            department=row["department"],
            region=row["region"],
            latitude=None,
            longitude=None,
            time_zone="Europe/Paris",
            category="Monument national",
            themes=(),
            yearly_total=int(row["yearly_total"]),
            total_year=int(row["total_year"]) if row["total_year"] else None,
            monument=True,
        )
        for row in _rows("monuments.csv")
    )


def first(count: int) -> tuple[Place, ...]:
    """So many places of a fixed order: the museums shuffled once for all, behind them the monuments likewise.

    So 1,227 are the museums, and a smaller number is a part of a larger one, whatever the seed of a day.

    Raises:
        ConfigError: there are not so many, or fewer than one was asked for.
    """
    luck = chance.of(_ORDER)
    order = luck.sample(museums(), len(museums())) + luck.sample(monuments(), len(monuments()))
    if not 1 <= count <= len(order):
        raise ConfigError(
            f"--sites {count}: from 1 to {len(order):,} are available "
            f"({len(museums()):,} museums and {len(monuments())} monuments)"
        )
    return tuple(order[:count])


def showcase(count: int) -> tuple[Place, ...]:
    """What the demo shows: a third of the best visited museums and monuments, a few overseas, the rest as they come."""
    overseas = sorted((one for one in museums() if one.overseas), key=lambda one: (-one.yearly_total, one.ref))
    europe = [one for one in (*museums(), *monuments()) if not one.overseas]
    largest = sorted(europe, key=lambda one: (-one.yearly_total, one.ref))
    zones = {one.time_zone: one for one in reversed(overseas)}
    shown = [*largest[: count // 3], *zones.values()]
    rest = [one for one in first(len(museums())) if one not in shown and one.yearly_total >= 10_000]
    return tuple([*shown, *rest][:count])
