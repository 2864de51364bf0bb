"""Occupancy: how many people are inside, how far that may be wrong, and what people said about it.

The level of a site, or of a zone that gates open into, is entries − exits since the last anchor, plus its value and the
adjustments after it. An anchor is a reset or a recount; it holds **from the end of its minute**, and the last one by
(event time, event id) holds, so that no order of arrival changes the level. The start of a business day is an anchor of
nought. A reset of the whole site is one of each zone; a recount of the whole site says nothing about its zones.

Bounds: a gate misses or doubles a constant share of those who pass it, in and out alike, which no recount of the gate's
own figures shows; gates err independently. ``error_share`` s is one standard deviation of that share, so the level's
variance is the sum over gates of (s · (in − out))² for the constant part and s · (in + out) for its chance: each
person is missed or doubled, or is not (binomial, s small). ``SPREAD`` such deviations are told. What passed in the
minute of a recount may have been before or after it: it widens the bounds as it is.

Takes cells and corrections, gives levels. Pure. ``tally`` is called by ``agents.counts``, ``level`` by the console, by
``agents.resets`` and by whoever watches capacities, ``check`` by the gateway.
"""

import math
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, cast

import polars as pl

from streams.core import hours
from streams.core.days import MINUTE_MS
from streams.core.increments import Cell, Increments
from streams.core.sites import Site, Sites, Zone
from streams.errors import RejectedEvent

Kind = Literal["RESET", "RECOUNT", "ADJUST"]
Cells = Mapping[tuple[str, int, str], int]
"""(gate, epoch minute, metric) → people; a cell that stands for several minutes has the first one's name."""

_JUDGED = ("who", "why", "drift")  # read so that they are judged here too
COLUMNS = (*hours.COLUMNS, "zone_id", "kind", "value", *_JUDGED)
WHOLE_SITE = ""  # a zone's id has at least one letter
SPREAD = 2.25  # deviations on either side: hold 95 to 99.5 % of open minutes, measured in tests/core/test_occupancy.py
_NAMESPACE = uuid.UUID("0d9f7f52-5f0a-5c1e-9d5b-726573657473")


@dataclass(frozen=True, slots=True)
class Correction:
    """What somebody said about the people inside.

    Attributes:
        zone_id: the zone it speaks of, ``None`` for the whole site.
        value: people inside (RESET, RECOUNT), or to be added to them (ADJUST).
    """

    occurred_ms: int
    event_id: str
    kind: Kind
    value: int
    zone_id: str | None = None

    @property
    def minute(self) -> int:
        """Its epoch minute."""
        return self.occurred_ms // MINUTE_MS

    @property
    def order(self) -> tuple[int, str]:
        """Its place among all corrections, whenever they arrive."""
        return self.occurred_ms, self.event_id

    @property
    def name(self) -> str:
        """Its field in the live store."""
        return f"{self.zone_id or WHOLE_SITE}|{self.occurred_ms}|{self.event_id}"

    @property
    def is_anchor(self) -> bool:
        """Whether counting begins anew with it."""
        return self.kind != "ADJUST"


@dataclass(frozen=True, slots=True)
class Level:
    """People inside at an instant.

    Attributes:
        raw: entries − exits since the start, as the gates counted them.
        corrected: the same with corrections; below zero where counting lost its way.
        low, high: bounds of what is shown, never below zero.
        anchor: the correction that it counts from, ``None`` for the start.
    """

    raw: int
    corrected: int
    low: int
    high: int
    anchor: Correction | None = None

    @property
    def inside(self) -> int:
        """What is shown: never below zero."""
        return max(self.corrected, 0)

    @property
    def drift(self) -> int:
        """How far below zero the level is."""
        return max(-self.corrected, 0)


NOBODY = Level(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Reach:
    """How far one gate may be off since the anchor.

    Attributes:
        share: of those who pass, missed or doubled: one standard deviation.
        variance: its part of the level's, people²; the gates' parts add up.
    """

    gate_id: str
    entries: int
    exits: int
    share: float
    variance: float

    @property
    def people(self) -> float:
        """What the bounds would be on either side if this gate alone could err."""
        return SPREAD * math.sqrt(self.variance)


# -- what arrives ----------------------------------------------------------------------------------------------------


def tally(frame: pl.DataFrame, _sites: Sites) -> Increments:
    """What a batch of corrections sets: one fact each, under the whole of its order.

    A negative reset or recount says nothing. A reset is no sign of life: the loop writes it when all is quiet.

    Args:
        frame: one row per correction, ``COLUMNS``.
        _sites: not needed: a zone that is described later has its corrections then.
    """
    frame = hours.counted(frame).filter((pl.col("kind") == "ADJUST") | (pl.col("value") >= 0))
    rows = frame.select("site_id", "zone_id", pl.col("occurred_at").to_physical(), "event_id", "kind", "value").rows()
    facts: dict[Cell, str] = {}
    for site_id, zone_id, occurred_ms, event_id, kind, value in rows:
        one = Correction(occurred_ms, event_id, kind, value, zone_id)
        facts[site_id, f"o:{{}}:{site_id}", one.name] = f"{kind}|{value}"
    return Increments(facts=facts, maxima=hours.last_heard(frame.filter(pl.col("kind") != "RESET")))


def corrections(facts: Mapping[str, str]) -> tuple[Correction, ...]:
    """The corrections behind fields and texts of ``tally``, in their order; kinds of a newer agent are left out."""
    found = []
    for name, text in facts.items():
        zone, occurred_ms, event_id = name.rsplit("|", 2)
        kind, _, value = text.partition("|")
        if kind in ("RESET", "RECOUNT", "ADJUST"):
            zone_id = None if zone == WHOLE_SITE else zone
            found.append(Correction(int(occurred_ms), event_id, cast(Kind, kind), int(value), zone_id))
    return tuple(sorted(found, key=lambda one: one.order))


def check(fields: Mapping[str, object], site: Site) -> RejectedEvent | None:
    """What is wrong with a correction at the door beyond its schema: codes ``unknown-zone`` and ``out-of-range``.

    A site that describes no zones takes any.
    """
    zone, kind, value = fields["zone_id"], fields["kind"], fields["value"]
    known = [one.zone_id for one in site.zones]
    if zone is not None and known and zone not in known:
        detail = f"site {site.site_id} has no such zone; its zones: {', '.join(known)}"
        return RejectedEvent("unknown-zone", detail, path="/data/zone_id")
    if kind != "ADJUST" and isinstance(value, int) and value < 0:
        detail = f"a {str(kind).lower()} says how many people are inside: {value} is none; ADJUST takes people away"
        return RejectedEvent("out-of-range", detail, path="/data/value")
    return None


def reset_id(site_id: str, day: date) -> str:
    """Event id of the reset after a business day: the same however often it is written."""
    return str(uuid.uuid5(_NAMESPACE, f"{site_id}|{day.isoformat()}"))


# -- levels ----------------------------------------------------------------------------------------------------------


def level(
    cells: Cells,
    said: Iterable[Correction],
    site: Site,
    span: tuple[int, int],
    *,
    zone_id: str | None = None,
    lost: int = 0,
) -> Level:
    """The level at the end of ``span``.

    Args:
        cells: of the site; those outside ``span`` are left out. In the hour of an anchor each must be one minute.
        said: its corrections, in any order, of the site and of all zones.
        site: names the gates' error shares and zones; a gate that it does not describe has the site's share.
        span: ``[start_ms, end_ms)``, epoch ms, UTC, on minutes; a correction counts by its minute.
        zone_id: the zone whose level is wanted, ``None`` for the whole site.
        lost: people who came in less those who went out since the start and in no cell: minutes expire.
    """
    passed = _passed(cells, said, site, span, zone_id)
    start = lost if passed.anchor is None else passed.anchor.value
    moved = sum(ins - outs for ins, outs in passed.gates.values())
    corrected = start + moved + passed.adjusted
    reach = SPREAD * math.sqrt(sum(one.variance for one in _reaches(passed.gates, site)))
    shown = max(corrected, 0)
    low = min(shown, max(0, math.floor(corrected - reach - passed.blurred[1] + 0.5)))
    high = max(shown, math.floor(corrected + reach + passed.blurred[0] + 0.5))
    return Level(lost + passed.raw, corrected, low, high, passed.anchor)


def reaches(
    cells: Cells, said: Iterable[Correction], site: Site, span: tuple[int, int], *, zone_id: str | None = None
) -> tuple[Reach, ...]:
    """What the bounds of the ``level`` of the same are made of, by gate; what a recount blurs is not in it."""
    return tuple(_reaches(_passed(cells, said, site, span, zone_id).gates, site))


@dataclass(frozen=True, slots=True)
class _Passed:
    """Gate → in and out since the anchor; raw, the net of the whole span; blurred, in and out in a recount's minute."""

    anchor: Correction | None
    gates: Mapping[str, Sequence[int]]
    raw: int
    blurred: Sequence[int]
    adjusted: int


def _passed(
    cells: Cells, said: Iterable[Correction], site: Site, span: tuple[int, int], zone_id: str | None
) -> _Passed:
    first, end = span[0] // MINUTE_MS, span[1] // MINUTE_MS
    mine = [one for one in _about(said, zone_id) if first <= one.minute < end]
    anchor = max((one for one in mine if one.is_anchor), key=lambda one: one.order, default=None)
    since = first if anchor is None else anchor.minute + 1
    gates = None if zone_id is None else {gate.gate_id for gate in site.gates if gate.zone_id == zone_id}
    passed: dict[str, list[int]] = {}
    raw = 0
    blurred = [0, 0]
    for (gate, minute, metric), people in cells.items():
        if metric not in ("entries", "exits") or not first <= minute < end or (gates is not None and gate not in gates):
            continue
        way = 0 if metric == "entries" else 1
        raw += -people if way else people
        if minute >= since:
            passed.setdefault(gate, [0, 0])[way] += people
        elif anchor is not None and anchor.kind == "RECOUNT" and minute == anchor.minute:
            blurred[way] += max(people, 0)
    after = [one.value for one in mine if not one.is_anchor and (anchor is None or one.order > anchor.order)]
    return _Passed(anchor, passed, raw, blurred, sum(after))


def zones(site: Site, said: Iterable[Correction]) -> list[Zone]:
    """The zones of which a level can be told: gates open into them, or somebody counted there."""
    wanted = {gate.zone_id for gate in site.gates} | {one.zone_id for one in said}
    return [zone for zone in site.zones if zone.zone_id in wanted]


def line(cells: Cells, said: Iterable[Correction], start_ms: int, ends_ms: Sequence[int]) -> list[int]:
    """The level of the whole site at each of some ascending instants, below zero where it is; see ``level``."""
    first = start_ms // MINUTE_MS
    nets: dict[int, int] = {}
    for (_, minute, metric), people in cells.items():
        if minute >= first and metric in ("entries", "exits"):
            nets[minute] = nets.get(minute, 0) + (people if metric == "entries" else -people)
    steps: list[tuple[int, int, int, str, Correction | int]] = [(minute, 0, 0, "", net) for minute, net in nets.items()]
    steps += [(one.minute, 1, *one.order, one) for one in _about(said, None) if one.minute >= first]
    steps.sort(key=lambda step: step[:4])
    found, stands, place = [], 0, 0
    for end_ms in ends_ms:
        while place < len(steps) and steps[place][0] * MINUTE_MS < end_ms:
            step = steps[place][4]
            if isinstance(step, int):
                stands += step
            else:
                stands = step.value if step.is_anchor else stands + step.value
            place += 1
        found.append(stands)
    return found


def _about(said: Iterable[Correction], zone_id: str | None) -> Iterator[Correction]:
    """The corrections that speak of a zone, or of the whole site."""
    for one in said:
        if one.zone_id == zone_id:
            yield one
        elif one.zone_id is None and one.kind == "RESET":
            yield Correction(one.occurred_ms, one.event_id, "RESET", 0, zone_id)


def _reaches(passed: Mapping[str, Sequence[int]], site: Site) -> Iterator[Reach]:
    """How far each gate may be off."""
    shares = {gate.gate_id: gate.error_share for gate in site.gates}
    for gate, (ins, outs) in passed.items():
        own = shares.get(gate)
        share = site.error_share if own is None else own
        variance = (share * (ins - outs)) ** 2 + share * (max(ins, 0) + max(outs, 0))
        yield Reach(gate, ins, outs, share, variance)
