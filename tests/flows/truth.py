"""Scans with a known outcome, and what is wrong with what the stores hold of them.

Counts by plain loops over the events as they were made; shares nothing with the code that counts.
"""

import itertools
import random
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from streams.adapters import avro, registry
from streams.adapters.lag import Behind
from streams.adapters.producer import Outgoing
from streams.core.sites import Gate, Site
from streams.topology import SINK, TICKET_SCAN
from tests.programs import World

Cell = tuple[str, str, str, str]  # site, gate, UTC minute, metric

_SCHEMA = registry.by_name("ticket-scan.v1")


@dataclass
class Truth:
    """Made scans.

    Attributes:
        records: framed, in the order to write them, resent ones included.
        cells: what must be counted.
        events: number of different events.
    """

    prefix: str
    records: list[Outgoing] = field(default_factory=list)
    cells: Counter[Cell] = field(default_factory=Counter)
    events: int = 0

    def add(self, more: "Truth") -> None:
        """Take over what another truth says."""
        self.records += more.records
        self.cells += more.cells
        self.events += more.events


def sites(prefix: str, count: int) -> list[Site]:
    """Live sites called ``prefix-N``."""
    gates = tuple(Gate(f"gate-{number}", f"Gate {number}") for number in range(4))
    return [Site(f"{prefix}-{n}", "tests", f"Museum {n}", "Europe/Paris", gates=gates) for n in range(count)]


def record(site: str, gate: str, at_ms: int, **more: Any) -> dict[str, Any]:
    """The fields of one scan."""
    return {
        "event_id": str(uuid.uuid4()),
        "org_id": "tests",
        "site_id": site,
        "gate_id": gate,
        "occurred_at": at_ms,
        "received_at": at_ms,
        "clock_trust": "UNKNOWN",
        "ingest_mode": "LIVE",
        "producer": "tests",
        "test": False,
        "direction": "IN",
        "outcome": "ACCEPTED",
        "party_size": 1,
        **dict.fromkeys(("zone_id", "device_id", "seq", "sent_at", "corrects", "reason", "tariff"), None),
        **dict.fromkeys(("ticket_pid", "offline", "forced"), None),
        **more,
    }


def encode(fields: dict[str, Any]) -> Outgoing:
    """A scan as a record to write."""
    return Outgoing(fields["site_id"], avro.encode(_SCHEMA, fields))


def make(prefix: str, count: int, *, now_ms: int, site_count: int = 12, resent: float = 0.03, seed: int = 11) -> Truth:
    """``count`` scans of the last hour over several sites, some of them sent twice."""
    chance = random.Random(f"{prefix} {seed}")  # ids of one test must not be known from another
    truth = Truth(prefix, events=count)
    for number in range(count):
        at_ms = now_ms - 3_600_000 + number * 3_600_000 // count
        direction = "IN" if chance.random() < 0.55 else "OUT"
        denied = chance.random() < 0.02
        party = chance.choice((1, 1, 1, 2, 4))
        gate = f"gate-{chance.randrange(4)}"
        fields = record(
            f"{prefix}-{chance.randrange(site_count)}",
            gate,
            at_ms,
            event_id=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            direction=direction,
            outcome="DENIED" if denied else "ACCEPTED",
            party_size=party,
        )
        metric = "denied" if denied else {"IN": "entries", "OUT": "exits"}[direction]
        minute = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M")
        truth.cells[fields["site_id"], gate, minute, metric] += 1 if denied else party
        outgoing = encode(fields)
        truth.records.append(outgoing)
        if chance.random() < resent:
            truth.records.append(outgoing)
    return truth


def keep_writing(world: World, made: Truth, enough: threading.Event, every_s: float = 0.0) -> None:
    """Write 500 scans after 500 over twelve sites until it is enough; ``made`` grows with what was written."""
    for seed in itertools.count():
        more = make(made.prefix, 500, now_ms=time.time_ns() // 1_000_000, seed=seed)
        world.write(TICKET_SCAN.topic, more.records)
        made.add(more)
        if enough.wait(every_s):
            return


def live_cells(world: World, prefix: str) -> Counter[Cell]:
    """Minute cells in Redis of the sites called ``prefix-N``."""
    cells: Counter[Cell] = Counter()
    client = world.redis()  # answers in text
    for key in map(str, client.scan_iter(match=f"c:*:{prefix}-*", count=1000)):
        _, _, site, hour = key.split(":")
        for name, value in ((str(name), value) for name, value in client.hgetall(key).items()):
            gate, minute, metric = name.split("|")
            cells[site, gate, f"{hour}:{minute}", metric] += int(value)
    client.close()
    return cells


def landed_cells(world: World, prefix: str) -> Counter[Cell]:
    """The same from ClickHouse."""
    cells: Counter[Cell] = Counter()
    rows = world.query(
        "SELECT site_id, gate_id, formatDateTime(ts_utc, '%Y-%m-%dT%H:%i', 'UTC'), entries, exits, denied "
        f"FROM musee.v_attendance_minute WHERE startsWith(site_id, '{prefix}-')"
    )
    for site, gate, minute, *figures in rows:
        for metric, value in zip(("entries", "exits", "denied"), figures, strict=True):
            if value:
                cells[site, gate, minute, metric] += value
    return cells


def differences(world: World, truth: Truth) -> dict[str, list[tuple[Cell, int, int]]]:
    """Store → cells that differ: (cell, true, found). Empty when all is well."""
    found = {}
    for store, cells in (
        ("redis", live_cells(world, truth.prefix)),
        ("clickhouse", landed_cells(world, truth.prefix)),
    ):
        wrong = [(c, truth.cells[c], cells[c]) for c in sorted(truth.cells | cells) if truth.cells[c] != cells[c]]
        if wrong:
            found[store] = wrong
    return found


def ends(world: World) -> dict[int, int]:
    """Partition of the scans → end of its log."""
    return {one.partition: one.end for one in _landing(world)}


def _landing(world: World) -> list[Behind]:
    return [one for one in world.lag_rows() if (one.group, one.topic) == (SINK, TICKET_SCAN.topic)]


def offsets_missing(world: World, since: dict[int, int]) -> list[tuple[int, int, int]]:
    """(partition, offsets committed, distinct offsets in ClickHouse and dead letters) where the two differ.

    Counted from ``since`` on, what ``ends`` said when the test began: other tests take rows out of history, and scans
    received more than five years ago leave it by themselves. Other tests' demo may be playing: the log's end moves,
    what is committed must have landed.
    """
    wrong = []
    for one in _landing(world):
        start, end = since[one.partition], one.committed or one.start
        ((landed,),) = world.query(
            "SELECT uniqExact(place) FROM (SELECT _offset AS place FROM musee.ticket_scan "
            f"WHERE _partition = {one.partition} AND _offset >= {start} AND _offset < {end} "
            "UNION ALL SELECT offset FROM musee.dead_letter "
            f"WHERE topic = '{one.topic}' AND partition = {one.partition} AND offset >= {start} AND offset < {end})"
        )
        if landed != end - start:
            wrong.append((one.partition, end - start, landed))
    return wrong
