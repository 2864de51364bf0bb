"""The moving page: one day of calit2 round and round, each round as a new day.

Plays 26 August 2005 from 08:00 at ×60 to the site ``demo``; round ``n`` is dated ``n`` days later. Keeps its place in
``demo.json`` under ``MUSEE_HOME``, so that a restart goes on where it stopped. Runs until it is told to stop; started
by ``make up`` and by ``musee replay --demo``.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path

from streams.adapters.gateway_client import GatewayClient
from streams.errors import StreamsError
from streams.replay import calit2, clock
from streams.replay.recording import Fact, Unreadable, local
from streams.replay.recordings import CALIT2, PACKAGED, cloud_event
from streams.replay.run import Say, deliver

FILE = PACKAGED / "calit2_counts.csv"
DAY = date(2005, 8, 26)
FROM = time_of_day(8, 0)
SPEED = 60.0
# In the evening the building is quiet for hours, minutes at ×60; whoever looks then should still see the page move.
LONGEST_SILENCE_S = 5.0
_UNPLAYED = 10_000
DEMO = replace(CALIT2, name="demo", site_id="demo", source="/recordings/calit2/demo")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the demo is: ``index`` scans of round ``round_number`` have been accepted."""

    round_number: int = 0
    index: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One scan of a round, and the place after it."""

    scan: Fact
    after: Place


def day_scans(path: Path) -> tuple[Fact, ...]:
    """The scans of the day that is played, in order.

    Raises:
        RecordingError: the file has another layout.
        StreamsError: the day is not in it.
    """
    start = datetime.combine(DAY, FROM, calit2.ZONE)
    scans = tuple(
        found
        for found in calit2.read(path)
        if not isinstance(found, Unreadable) and found.at >= start and found.at.date() == DAY
    )
    if not scans:
        raise StreamsError(f"{path}: no scans on {DAY} from {FROM:%H:%M}")
    return scans


def shifted(scan: Fact, round_number: int) -> Fact:
    """The scan at the same wall-clock time, ``round_number`` days later, as an event of its own.

    The clock changes at night and the day begins at 08:00, so every such time exists.
    """
    at = local(scan.at.replace(tzinfo=None) + timedelta(days=round_number), calit2.ZONE)
    if at is None:
        raise ValueError(f"{scan.time} has no equal {round_number} days later")
    return replace(scan, at=at, fact_id=f"round {round_number}: {scan.fact_id}")


def round_steps(scans: tuple[Fact, ...], place: Place) -> Iterator[Step]:
    """What is left of the round at ``place``; the last step leads to the next round."""
    for index in range(place.index, len(scans)):
        last = index + 1 == len(scans)
        after = Place(place.round_number + 1) if last else Place(place.round_number, index + 1)
        yield Step(shifted(scans[index], place.round_number), after)


def load(path: Path) -> Place:
    """The place that was kept, or the very beginning if none was.

    Raises:
        StreamsError: the file is damaged. To begin anew would be worse: the ids of the first rounds are known already,
            so nothing would move and nobody would know why.
    """
    try:
        told = json.loads(path.read_bytes())
        place = Place(int(told["round"]), int(told["index"]))
    except FileNotFoundError:
        return Place()
    except (ValueError, TypeError, KeyError) as error:
        advice = f'{{"round": {_UNPLAYED}, "index": 0}}'
        raise StreamsError(f"{path}: damaged; write {advice} into it, a round that was not played yet") from error
    if place.round_number < 0 or place.index < 0:
        raise StreamsError(f"{path}: round and index are not negative")
    return place


def keep(path: Path, place: Place) -> None:
    """Keep the place; whoever reads sees the old one or the new one."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps({"round": place.round_number, "index": place.index}))
    fresh.replace(path)


def play(
    door: GatewayClient,
    home: Path,
    *,
    say: Say,
    speed: float = SPEED,
    rounds: int | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Play on from the kept place, for ever or for a number of rounds.

    Args:
        door: where to.
        home: ``MUSEE_HOME``; made if it is not there.
        say: told at the start of each round and whenever the door is away.
        speed: event time over real time.
        rounds: how many rounds to begin, ``None`` for ever.
        wait: sleeps.

    Raises:
        RefusedReplay: the gateway refused a batch.
        StreamsError: the kept place is damaged.
    """
    scans = day_scans(FILE)
    home.mkdir(parents=True, exist_ok=True)
    kept = home / "demo.json"
    place = load(kept)
    if place.index >= len(scans):
        place = Place(place.round_number + 1)
    while rounds is None or rounds > 0:
        day = DAY + timedelta(days=place.round_number)
        say(f"demo: round {place.round_number} as {day}, from scan {place.index} of {len(scans)}")
        planned = clock.due(
            round_steps(scans, place), lambda step: step.scan.at_ms, speed=speed, longest_silence_s=LONGEST_SILENCE_S
        )
        for batch in clock.pace(clock.batches(planned), wait=wait):
            deliver(door, [cloud_event(step.scan, DEMO) for step in batch.items], say=say, wait=wait)
            place = batch.items[-1].after
            keep(kept, place)
        rounds = None if rounds is None else rounds - 1
