"""What goes wrong between a door and the gateway: late gates, outages, events sent twice or out of order.

Pure and seeded per gate, so it is the same whatever the number of sites. It decides when and how often an event is
sent; what happened stays as it was, so that the truth does not change. Used by ``simulate.plan`` and ``simulate.demo``.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from streams.simulate import chance
from streams.simulate.events import HOUR_MS, MINUTE_MS, Event

ON_TIME, LATE, OFFLINE, DISORDERED, RESENT = "", "LATE", "OFFLINE", "DISORDERED", "RESENT"
_WEB = "web-traffic"


@dataclass(frozen=True, slots=True)
class Trouble:
    """How much of it; shares are 0 to 1.

    Attributes:
        late: share of gates whose every event comes 1 to 12 minutes late.
        offline_ms: how long an outage lasts, 0 for none; what happened meanwhile comes in one burst behind it.
        offline_share: share of gates that have one that day.
        dup: share of events that are sent again, 1 second to 10 minutes later.
        disorder: share of events that are overtaken by others, by up to a minute and a half.
    """

    late: float = 0.03
    offline_ms: int = 2 * HOUR_MS
    offline_share: float = 0.03
    dup: float = 0.005
    disorder: float = 0.02


NONE = Trouble(late=0, offline_ms=0, offline_share=0, dup=0, disorder=0)


class Sent(NamedTuple):
    """One try to hand an event over, at ``send_ms`` (epoch ms), and why not at once."""

    send_ms: int
    event: Event
    cause: str


@dataclass(frozen=True, slots=True)
class _Gate:
    """Luck of one gate that day."""

    late: bool
    off_ms: int
    back_ms: int


def sends(events: Sequence[Event], trouble: Trouble, *, day: date, seed: int) -> list[Sent]:
    """Every try for the events of one site, in the order in which they leave.

    Args:
        events: by event time.
        trouble: how much.
        day: the simulated day.
        seed: of the run.
    """
    if not events:
        return []
    site_id = events[0].site_id
    span = _open_span(events)
    gates: dict[str, _Gate] = {}
    luck = chance.of(seed, day, site_id, "sending")
    found: list[Sent] = []
    for event in events:
        device = event.data.get("device_id")
        gate = None
        if isinstance(device, str) and device.startswith("turnstile"):
            gate = gates.get(device)
            if gate is None:
                gate = gates[device] = _gate(chance.of(seed, day, site_id, device), trouble, span)
        first = _first(event, gate, trouble, luck)
        found.append(first)
        if luck.random() < trouble.dup:
            found.append(Sent(first.send_ms + luck.randrange(1_000, 10 * MINUTE_MS), first.event, RESENT))
    return sorted(found, key=lambda one: (one.send_ms, one.event.at_ms, one.event.event_id))


def in_order(events: Sequence[Event]) -> list[Sent]:
    """Every event once, when it happens, in the order of event time: as if there was neither trouble nor distance."""
    return [Sent(event.at_ms, event, ON_TIME) for event in events]


def _open_span(events: Sequence[Event]) -> tuple[int, int]:
    """From the first scan to the last; the whole day where nobody came."""
    scanned = [event.at_ms for event in events if event.family == "ticket-scan"]
    return (scanned[0], scanned[-1]) if scanned else (events[0].at_ms, events[-1].at_ms)


def _gate(luck: random.Random, trouble: Trouble, span: tuple[int, int]) -> _Gate:
    late = luck.random() < trouble.late
    off = luck.random() < trouble.offline_share and trouble.offline_ms > 0
    off_ms = luck.randrange(span[0], span[1] + 1)
    return _Gate(late, off_ms, off_ms + trouble.offline_ms if off else off_ms)


def _first(event: Event, gate: _Gate | None, trouble: Trouble, luck: random.Random) -> Sent:
    ready_ms = event.at_ms + (HOUR_MS if event.family == _WEB else 0)  # an hour's count is known at its end
    if gate and gate.off_ms <= event.at_ms < gate.back_ms:
        kept: dict[str, object] = {"ingest_mode": "OFFLINE"}
        if event.family == "ticket-scan":
            kept["offline"] = True
        # In a burst, a machine's events in their order: an hour of them in six seconds.
        burst_ms = (event.at_ms - gate.off_ms) // 600
        return Sent(gate.back_ms + burst_ms, event._replace(data=event.data | kept), OFFLINE)
    if gate and gate.late:
        return Sent(ready_ms + luck.randrange(MINUTE_MS, 12 * MINUTE_MS), event, LATE)
    if luck.random() < trouble.disorder:
        return Sent(ready_ms + luck.randrange(5_000, 90_000), event, DISORDERED)
    return Sent(ready_ms + luck.randrange(100, 1_500), event, ON_TIME)
