"""Sites with trouble that is known to the last event, planted through the door and beside it."""

import time
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from streams.adapters import avro, registry
from streams.adapters.producer import Outgoing
from streams.core.quality import Arrivals
from streams.core.sites import Site
from streams.topology import DEVICE_STATUS, TICKET_SCAN
from tests.beds import wait_for
from tests.programs import World, scan

MINUTE = 60
SCANS = TICKET_SCAN.topic


def said(seconds_ago: float) -> str:
    return datetime.fromtimestamp(time.time() - seconds_ago, UTC).isoformat(timespec="milliseconds")


def sent(site: str, seconds_ago: float = 1.0, *, skew_s: float | None = None, **more: Any) -> dict[str, Any]:
    """A scan that happened so long ago, from a device whose clock is so far behind."""
    if skew_s is not None:
        more |= {"device_id": f"slow-{skew_s:g}", "sent_at": said(skew_s)}
    return scan(site, time=said(seconds_ago + (skew_s or 0)), **more)


@dataclass(frozen=True)
class Planted:
    """Two sites with trouble, one without, and how to read what is told of them."""

    world: World
    sick: str
    odd: str
    well: str
    replayed: str

    def post(self, *events: dict[str, Any]) -> None:
        wait_for(lambda: self.world.post(list(events)).status_code == 202, what="the door knows the sites")

    def letter(self, site: str, value: bytes = b"\x00\x00") -> None:
        """A record that can never be read."""
        self.world.write(SCANS, [Outgoing(site, value)])

    def device(self, site: str, device_id: str, minutes_ago: float) -> None:
        """A sign of life, received so long ago."""
        at_ms = round((time.time() - minutes_ago * MINUTE) * 1000)
        schema = registry.by_name(DEVICE_STATUS.schema)
        record = {
            **dict.fromkeys(schema.fields),
            "event_id": str(uuid.uuid4()),
            "org_id": "tests",
            "site_id": site,
            "device_id": device_id,
            "occurred_at": at_ms,
            "received_at": at_ms,
            "clock_trust": "UNKNOWN",
            "ingest_mode": "LIVE",
            "producer": "tests",
            "test": False,
            "status": "OK",
        }
        self.world.write(DEVICE_STATUS.topic, [Outgoing(site, avro.encode(schema, record))])


def plant(world: World) -> Planted:
    """Events of the sick site, and what is wrong with them; a few of the others."""
    mark = uuid.uuid4().hex[:8]
    names = [f"{name}-{mark}" for name in ("sick", "odd", "well", "replayed")]
    made = Planted(world, *names)
    sites = [Site(name, "tests", f"Maison {name}", "Europe/Paris", expected_gap_min=30) for name in names]
    sites[3] = replace(sites[3], replay=True)
    world.publish(sites)
    twice = sent(made.sick)
    web = scan(made.sick, type="musee.web-traffic.v1", time=said(3600 + 5 * MINUTE))
    web["data"] = {"site_id": made.sick, "page_views": 3}  # of an hour that ended five minutes ago
    made.post(
        *(sent(made.sick) for _ in range(5)),
        *(sent(made.sick, 16 * MINUTE) for _ in range(3)),  # late
        *(sent(made.sick, 3 * 3600, ingest_mode="OFFLINE") for _ in range(2)),  # waited on their device
        sent(made.sick, 48 * 3600, ingest_mode="BACKFILL"),  # an archive is not late
        sent(made.sick, test=True),  # counted nowhere
        twice,
        web,
    )
    made.post(*(sent(made.sick, skew_s=10 * MINUTE) for _ in range(2)))  # drifting
    made.post(sent(made.sick, skew_s=3 * 86_400))  # in quarantine, and dead-lettered
    for _ in range(2):
        made.post(twice)
    made.post(*(sent(made.odd) for _ in range(3)), sent(made.odd, 16 * MINUTE))
    made.post(sent(made.well))
    made.post(sent(made.replayed, 30 * 86_400, ingest_mode="REPLAY"))
    made.letter(made.odd)
    made.letter(f"nowhere-{mark}")
    made.device(made.sick, "door", 40)
    made.device(made.sick, "kiosk", 0)
    made.device(made.replayed, "tag", 200)
    world.wait_quiet()
    return made


SCANNED, ARCHIVED, WEB, DEVICES, DRIFTING, UNSYNCED = 5 + 3 + 2 + 1, 1, 1, 2, 2, 1
CLOCKED = SCANNED + WEB + DEVICES + DRIFTING + UNSYNCED
SICK = Arrivals(
    events=CLOCKED + ARCHIVED,
    records=CLOCKED + ARCHIVED + 2,
    judged=CLOCKED - UNSYNCED,
    late=3,
    offline=2,
    clocked=CLOCKED,
    drifting=DRIFTING,
    unsynced=UNSYNCED,
)
