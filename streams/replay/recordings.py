"""Which recordings there are, and how a scan of one becomes an event.

A further recording is one module with a ``read`` and one entry here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from streams.replay import calit2, gym_swipes
from streams.replay.recording import Scan, Unreadable
from streams.topology import TICKET_SCAN

PACKAGED = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Recording:
    """A real data set that can be replayed.

    Attributes:
        name: as on the command line.
        site_id: where its events go; the site has ``replay = true``.
        source: CloudEvents source; with an event's id it is the event's identity.
        producer: says what of the events was invented.
        read: file → scans and unreadable lines, in the file's order.
        note: for whoever sees the output; empty if nothing was invented.
        packaged: the part that ships with us, ``None`` where the licence forbids it.
    """

    name: str
    site_id: str
    source: str
    producer: str
    read: Callable[[Path], Iterator[Scan | Unreadable]]
    note: str = ""
    packaged: Path | None = None


GYM_SWIPES = Recording(
    name="gym_swipes",
    site_id="gym",
    source="/recordings/gym_swipes",
    producer="replay/gym_swipes",
    read=gym_swipes.read,
)
CALIT2 = Recording(
    name="calit2",
    site_id="calit2",
    source="/recordings/calit2",
    producer="replay/calit2 (order within half-hour invented)",
    read=calit2.read,
    note="The recording counts half-hours: how many and which way is its own, the order within a half-hour is ours.",
    packaged=PACKAGED / "calit2_counts.csv",
)
RECORDINGS = {recording.name: recording for recording in (GYM_SWIPES, CALIT2)}


def cloud_event(scan: Scan, recording: Recording) -> dict[str, object]:
    """The event that the gateway is handed for ``scan``."""
    return {
        "specversion": "1.0",
        "id": scan.scan_id,
        "source": recording.source,
        "type": TICKET_SCAN.topic,
        "time": scan.time,
        "data": {
            "site_id": recording.site_id,
            "gate_id": scan.gate_id,
            "device_id": scan.device_id,
            "direction": scan.direction,
            "outcome": "ACCEPTED",
            "party_size": 1,
            "ingest_mode": "REPLAY",
            "producer": recording.producer,
        },
    }
