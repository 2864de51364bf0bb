"""The moving page: a simulated day of 60 museums and monuments, day after day.

Starts on a Saturday at 10:30 with the morning already told, so that people are inside at once, and goes on at ×10
whatever the hour outside; where no scan comes for long, as at night, the pause is cut. All sites share one clock by
local time: 10:30 in Paris and on Réunion are the same moment here. Keeps its place in ``simulate.json`` under
``MUSEE_HOME``. Runs until it is told to stop; started by ``make up`` and by ``musee simulate --demo``.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from streams.adapters.gateway_client import GatewayClient
from streams.config import Settings
from streams.errors import StreamsError
from streams.replay import clock
from streams.replay.run import Say, deliver
from streams.simulate import day as days
from streams.simulate import houses, plan, send, trouble
from streams.simulate.events import MINUTE_MS, at_minute
from streams.simulate.reference import Place, showcase
from streams.simulate.trouble import Sent, Trouble

SITES = 60
SPEED = 10.0
SEED = 0
TAG = "sim"  # without a number: never the sites of `musee simulate --seed`
FROM_MS = (10 * 60 + 30) * MINUTE_MS
LONGEST_SILENCE_S = 5.0
_KEPT = "simulate.json"


@dataclass(frozen=True, slots=True)
class Mark:
    """Where the demo is: ``index`` events of ``day`` have been accepted."""

    day: date
    index: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One event and the local time at which it leaves, ms after its site's midnight."""

    sent: Sent
    local_ms: int


def first_day(today: date) -> date:
    """The latest Saturday: most museums are open."""
    return today - timedelta(days=(today.weekday() - 5) % 7)


def day_steps(day: date, places: Sequence[Place]) -> list[Step]:
    """Everything that is sent of a day, by the local clocks of the sites."""
    found = []
    for place, site in plan.sites(places, TAG, day):
        midnight_ms = at_minute(day, place.time_zone, 0)
        events = days.events(place, site, day, SEED)
        found += [
            Step(sent, sent.send_ms - midnight_ms) for sent in trouble.sends(events, Trouble(), day=day, seed=SEED)
        ]
    return sorted(found, key=_order)


def _order(step: Step) -> tuple[int, int, str, str]:
    event = step.sent.event
    return step.local_ms, event.at_ms, event.event_id, step.sent.cause


def due(steps: Iterable[Step], *, speed: float, from_ms: int = 0) -> Iterator[tuple[float, Step]]:
    """Each step with the second at which it is due.

    Scans set the pace, and a pause between two of them is cut to ``LONGEST_SILENCE_S``: what machines say at night
    comes along with it. Whatever lies before ``from_ms`` is due at once.
    """
    due_s = 0.0
    latest_ms: int | None = None
    for step in steps:
        if step.local_ms >= from_ms and step.sent.event.family == "ticket-scan":
            since_ms = from_ms if latest_ms is None and from_ms else latest_ms
            if since_ms is not None:
                due_s += min(max(0, step.local_ms - since_ms) / 1000 / speed, LONGEST_SILENCE_S)
            latest_ms = step.local_ms
        yield due_s, step


def load(path: Path) -> Mark | None:
    """The place that was kept, ``None`` if none was.

    Raises:
        StreamsError: the file is damaged. To begin anew would be worse: the ids of the days that were played are known
            already, so nothing would move and nobody would know why.
    """
    try:
        told = json.loads(path.read_bytes())
        mark = Mark(date.fromisoformat(told["day"]), int(told["index"]))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        advice = '{"day": "2030-01-05", "index": 0}'
        raise StreamsError(f"{path}: damaged; write {advice} into it, a day that was not played yet") from error
    if mark.index < 0:
        raise StreamsError(f"{path}: index is not negative")
    return mark


def keep(path: Path, mark: Mark) -> None:
    """Keep the place; whoever reads sees the old one or the new one."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps({"day": mark.day.isoformat(), "index": mark.index}))
    fresh.replace(path)


def play(
    door: GatewayClient,
    settings: Settings,
    today: date,
    *,
    say: Say,
    speed: float = SPEED,
    days_left: int | None = None,
    places: Sequence[Place] | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Play on from the kept place, for ever or for a number of days.

    Args:
        door: where to.
        settings: ``home`` keeps the place; Kafka is told of the sites.
        today: the first day that is played is the Saturday before.
        say: told at the start of each day and whenever the door is away.
        speed: simulated time over real time.
        days_left: how many days to begin, ``None`` for ever.
        places: what is played, ``None`` for the showcase.
        wait: sleeps.

    Raises:
        RefusedReplay: the gateway refused a batch.
        StreamsError: the kept place is damaged.
        Unavailable: Kafka does not take the sites.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    played = showcase(SITES) if places is None else places
    path = settings.home / _KEPT
    kept = load(path)
    mark = kept or Mark(first_day(today))
    while days_left is None or days_left > 0:
        steps = day_steps(mark.day, played)
        sites = [houses.furnished(site) for _, site in plan.sites(played, TAG, mark.day)]
        if mark.index < len(steps):
            say(f"SIMULATED: {len(sites)} sites on {mark.day}, from event {mark.index:,} of {len(steps):,}")
            send.publish(settings, sites)
            send.greet(door, send.openings(_by_site(steps)), say=say, wait=wait)
            timed = due(steps[mark.index :], speed=speed, from_ms=FROM_MS if kept is None else 0)
            for batch in clock.pace(clock.batches(timed), wait=wait):
                deliver(door, [send.cloud_event(step.sent) for step in batch.items], say=say, wait=wait)
                mark = Mark(mark.day, mark.index + len(batch.items))
                keep(path, mark)
        mark = kept = Mark(mark.day + timedelta(days=1))
        keep(path, mark)
        days_left = None if days_left is None else days_left - 1


def _by_site(steps: Iterable[Step]) -> list[list[Sent]]:
    found: dict[str, list[Sent]] = {}
    for step in steps:
        found.setdefault(step.sent.event.site_id, []).append(step.sent)
    return list(found.values())
