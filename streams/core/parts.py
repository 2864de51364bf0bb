"""The parts of the pipeline: how each of them is in one of four words, and what helps.

Takes what a part answered when it was asked, and how far it is behind; gives a state, a cause and a fix. The fixes are
those of ``musee status``, ``musee doctor`` and of the strip at the foot of every page, so that all three name the same.
Pure: the time is an argument. Called by ``console.pipeline`` and ``embedded.status``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Name = Literal["gateway", "kafka", "agents", "redis", "sink", "clickhouse", "console"]
NAMES: tuple[Name, ...] = ("gateway", "kafka", "agents", "redis", "sink", "clickhouse", "console")
State = Literal["live", "late", "stale", "away"]
STATES: tuple[State, ...] = ("live", "late", "stale", "away")  # from well to worst
Cause = Literal["", "down", "hangs", "waits", "unwell", "stopped", "rebuilding", "behind"]

# What ``adapters.readiness`` says of a part that does not do its work.
DOWN = "nothing listens there"
HANGS = "no answer in time"
WAITS = "waits for "

LATE_S = 10.0  # behind by more: a block of the sink is a second old, and its commit follows
STALE_AFTER_S = 4.0  # as the figures themselves, ``core.now``
_KEPT_S = 90.0
_GAP_S = 15.0

FIXES: Mapping[str, str] = {
    "own": "start it, or unset {setting} for the embedded one",
    "down": "the supervisor starts it again (`musee up`, if that does not run); why it died: {log}",
    "hangs": "if this lasts a minute, end its process (`musee status` shows it) and it starts again; its log: {log}",
    "waits": "it goes on by itself: see to {missing} first",
    "unwell": "wait a moment, then look into {log}",
    "stopped": "`musee lag` shows whether it moves; if it does not, look into {log}",
    "rebuilding": "wait: it counts again what was lost, and says how far it is",
    "behind": "wait while it catches up; `musee lag` shows each topic",
}
"""Cause → what helps; ``own`` is for a service of your own that is away."""


@dataclass(frozen=True, slots=True)
class Fix:
    """What helps: a key of ``FIXES`` and the values of its ``{names}``, so that a page can say it in its language."""

    key: str = ""
    values: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return FIXES[self.key].format(**self.values) if self.key else ""


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a group is behind its topics.

    Attributes:
        records: in the log without an effect yet, as far as Kafka was told.
        seconds: age of the oldest of them, at least; ``None`` while that cannot be told.
        moves: it did something since it was looked at before.
    """

    records: int
    seconds: float | None
    moves: bool


@dataclass(frozen=True, slots=True)
class Part:
    """One part. ``answer`` is empty while it is well, ``lag_records`` and ``lag_s`` ``None`` where nobody knows."""

    name: Name
    state: State
    cause: Cause = ""
    answer: str = ""
    fix: Fix = Fix()
    lag_records: int | None = None
    lag_s: float | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known of a part when it is judged.

    Attributes:
        answer: ``None`` if it is ready, else why not, as ``adapters.readiness`` says it.
        setting: the variable that names a service of your own, ``None`` for ours.
        log: where it writes what happens to it.
        lag: of a part that reads Kafka.
        confirmed_s: age of the moment until which everything is counted; of the agents only.
        rebuilding: lost state is being counted again; of the agents only.
    """

    answer: str | None = None
    setting: str | None = None
    log: str = ""
    lag: Lag | None = None
    confirmed_s: float | None = None
    rebuilding: bool = False


def cause_of(answer: str) -> Cause:
    """Why a part that is not ready is not: nothing is there, it hangs, it waits for another, or it says so itself."""
    if answer == DOWN:
        return "down"
    if answer == HANGS:
        return "hangs"
    return "waits" if answer.startswith(WAITS) else "unwell"


def fix(cause: Cause, *, setting: str | None = None, log: str = "", answer: str = "") -> Fix:
    """What helps a part; a service of your own that is away is yours to start."""
    if not cause:
        return Fix()
    if setting is not None and cause in ("down", "hangs", "unwell"):
        return Fix("own", {"setting": setting})
    values = {"log": log, "missing": answer.removeprefix(WAITS)}
    return Fix(cause, {name: value for name, value in values.items() if f"{{{name}}}" in FIXES[cause]})


def judge(name: Name, asked: Asked) -> Part:
    """How a part is: ``away``, it does not answer; ``stale``, it does not do its work; ``late``, it is behind."""
    cause, state = _judged(asked)
    lag_s = asked.confirmed_s if asked.confirmed_s is not None else asked.lag.seconds if asked.lag else None
    return Part(
        name,
        state,
        cause,
        asked.answer or "",
        fix(cause, setting=asked.setting, log=asked.log, answer=asked.answer or ""),
        asked.lag.records if asked.lag else None,
        lag_s,
    )


def _judged(asked: Asked) -> tuple[Cause, State]:
    if asked.answer is not None:
        cause = cause_of(asked.answer)
        return cause, "away" if cause in ("down", "hangs") else "stale"
    if asked.rebuilding:
        return "rebuilding", "late"
    lag = asked.lag
    if asked.confirmed_s is not None:
        behind = asked.confirmed_s > STALE_AFTER_S
    else:
        behind = lag is not None and lag.seconds is not None and lag.seconds > LATE_S
    if not behind:
        return "", "live"
    return ("behind", "late") if lag is not None and lag.records and lag.moves else ("stopped", "stale")


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a group's partitions: where each log ended, and how far the group had come."""

    at_ms: int
    ends: Mapping[tuple[str, int], int]
    places: Mapping[tuple[str, int], int]


@dataclass(slots=True)
class Progress:
    """The looks of the last minute and a half, from which the age of a lag is told."""

    looks: list[Look] = field(default_factory=list)

    def take(self, look: Look) -> Lag:
        """How far the group is behind at this look.

        Its age is that of the last look at whose log ends it has arrived by now. After a pause in the looking nothing
        is known of what came meanwhile, so it begins anew.
        """
        if self.looks and look.at_ms - self.looks[-1].at_ms > _GAP_S * 1000:
            self.looks.clear()
        before = self.looks[-1] if self.looks else None
        records = sum(max(0, end - look.places.get(place, 0)) for place, end in look.ends.items())
        moves = before is not None and any(at > before.places.get(place, 0) for place, at in look.places.items())
        self.looks = [one for one in self.looks if look.at_ms - one.at_ms <= _KEPT_S * 1000]
        arrived = [
            one.at_ms for one in self.looks if all(look.places.get(place, 0) >= end for place, end in one.ends.items())
        ]
        since_ms = max(arrived) if arrived else self.looks[0].at_ms if self.looks else None
        self.looks.append(look)
        if records == 0:
            return Lag(0, 0.0, moves)
        return Lag(records, None if since_ms is None else (look.at_ms - since_ms) / 1000, moves)
