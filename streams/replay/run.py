"""Replays a recording through the gateway: read, pace, hand over, count.

One request is in flight, so a site's events reach Kafka in the file's order. A door that is away is waited for and
given the same batch again; ids make that harmless. A batch that it refuses stops the replay. Called by ``musee replay``
and ``replay.demo``.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path

from streams.adapters.gateway_client import Away, Event, GatewayClient, Refused
from streams.errors import StreamsError
from streams.replay import clock, days
from streams.replay.recording import Fact, Unreadable
from streams.replay.recordings import Recording, cloud_event

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 5.0

Say = Callable[[str], None]


class RefusedReplay(StreamsError):  # noqa: N818 - the door's answer
    """The gateway refused a batch; quotes code, path and item, and the line of the recording."""


@dataclass(slots=True)
class Played:
    """What has been handed over so far.

    Attributes:
        accepted: events that lie in Kafka.
        families: of those, how many of each kind.
        counts: the recording's own totals by their names, e.g. entries and exits.
        resent: batches that were sent again because the door was away.
        line: last line of the file that was handed over.
        time: event time of the last event, as it was sent.
        unreadable: lines left out.
    """

    accepted: int = 0
    families: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    resent: int = 0
    line: int = 1
    time: str = ""
    unreadable: list[Unreadable] = field(default_factory=list)

    def add(self, facts: Sequence[Fact]) -> None:
        """Count what was accepted: at least one fact."""
        self.accepted += len(facts)
        for fact in facts:
            self.families[fact.family.name] += 1
            self.counts.update(fact.counts)
        self.line, self.time = facts[-1].line, facts[-1].time

    def as_json(self) -> dict[str, object]:
        """For machines."""
        return asdict(self) | {"families": dict(self.families), "counts": dict(self.counts)}


@dataclass(frozen=True, slots=True)
class Item:
    """A fact, the event that it becomes, and what that weighs in a request."""

    fact: Fact
    event: Event
    size_bytes: int


_NAMED = 5


def deliver(
    door: GatewayClient, events: Sequence[Event], *, say: Say, wait: Callable[[float], None] = time.sleep
) -> int:
    """Hand one batch over, however long the door is away; returns how many times it was sent again.

    Raises:
        RefusedReplay: the door will never take it.
    """
    resent = 0
    pause_s = _FIRST_WAIT_S
    while True:
        answer = door.post(events)
        if isinstance(answer, Refused):
            raise RefusedReplay(_with_events(answer, events))
        if isinstance(answer, Away):
            asked_s = pause_s if answer.retry_after_s is None else answer.retry_after_s
            say(f"gateway is away ({answer.why}); the same batch of {len(events)} goes again in {asked_s:g} s")
            wait(asked_s)
            pause_s = min(pause_s * 2, _LONGEST_WAIT_S)
            resent += 1
            continue
        if answer.count != len(events):
            raise RefusedReplay(f"the gateway says it accepted {answer.count} of {len(events)} events")
        return resent


def _with_events(answer: Refused, events: Sequence[Event]) -> str:
    """The refusal, with the ids of the events it speaks of."""
    items = sorted({fault.index for fault in answer.faults if fault.index is not None})
    named = [f"  item {index} is {events[index]['id']!r}" for index in items if 0 <= index < len(events)]
    more = [f"  … and {len(named) - _NAMED} more"] if len(named) > _NAMED else []
    return "\n".join([str(answer), *named[:_NAMED], *more])


def play(
    door: GatewayClient,
    recording: Recording,
    path: Path,
    *,
    speed: float | None,
    say: Say,
    seen: Callable[[Played], None],
    day: date | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> Played:
    """Replay a whole file.

    Args:
        door: where to.
        recording: how to read it and whose events these are.
        path: the file.
        speed: event time over real time, ``None`` for as fast as it goes.
        say: told in a sentence whenever the door is away.
        seen: called after every batch with the counts so far.
        day: on which it is to begin, ``None`` for its own.
        wait: sleeps.

    Raises:
        RecordingError: the file has another layout.
        RefusedReplay: the gateway refused a batch.
    """
    played = Played()
    for batch in clock.pace(plan(recording, path, speed=speed, day=day, unreadable=played.unreadable), wait=wait):
        played.resent += deliver(door, [item.event for item in batch.items], say=say, wait=wait)
        played.add([item.fact for item in batch.items])
        seen(played)
    return played


def plan(
    recording: Recording, path: Path, *, speed: float | None, day: date | None, unreadable: list[Unreadable]
) -> Iterator[clock.Batch[Item]]:
    """Batches of a file with the second at which each is due; lines that cannot be read are added to ``unreadable``."""

    def items() -> Iterator[Item]:
        moved = recording if day is None else replace(recording, invented=_with_day(recording.invented, day))
        for found in days.begun_on(recording.read(path), day, recording.zone):
            if isinstance(found, Unreadable):
                unreadable.append(found)
            else:
                event = cloud_event(found, moved)
                yield Item(found, event, len(json.dumps(event, separators=(",", ":"))) + 1)  # and a comma

    timed = clock.due(items(), lambda item: item.fact.at_ms, speed=speed)
    return clock.batches(timed, size_bytes=lambda item: item.size_bytes)


def _with_day(invented: str, day: date) -> str:
    moved = f"days moved, first is {day}"
    return f"{invented}; {moved}" if invented else moved
