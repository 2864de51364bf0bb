"""How each part of the pipeline is: the document of ``/v1/pipeline`` and what the strip at every page's foot says.

All parts are asked together every few seconds, once for all browsers, and seldom while nobody looks. Redis, and how old
the figures are, is what the feed knows anyway. Used by ``console.pages.pipeline`` and by every page's foot.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Literal

import msgspec
import structlog

from streams.adapters.parts_watch import Answers, PartsWatch
from streams.config import PREFIX, Settings
from streams.console import documents
from streams.console.feed import Feed
from streams.core import parts
from streams.core.parts import Asked, Look, Part, Progress
from streams.topology import AGENTS, SINK

log = structlog.get_logger(__name__)

EVERY_S = 2.5
_IDLE_S = 15.0  # between looks while nobody asks
_LOOKED_AT_S = 30.0  # who asked so lately still looks
_FEED = "feed"

Kind = Literal["live", "stopped", "refusing", "history", "late"]


class _Head(msgspec.Struct):
    """What of ``/v1/now`` is about the pipeline."""

    pipeline: documents.Pipeline
    rebuilding: documents.Rebuilding | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """All parts as they were at ``looked_ms``."""

    looked_ms: int
    parts: tuple[Part, ...]

    @property
    def sick(self) -> tuple[Part, ...]:
        """Those that do not do their work."""
        return tuple(one for one in self.parts if one.state in ("stale", "away"))

    @property
    def kind(self) -> Kind:
        """What it means for whoever looks at the page, the worst first.

        ``stopped``: live figures do not move. ``refusing``: they are right and nothing new comes in at the door.
        ``history``: they are right and history stands still. ``late``: somebody is behind and catches up.
        """
        sick = {one.name for one in self.sick}
        if sick & {"agents", "redis", "kafka", "console"}:
            return "stopped"
        if "gateway" in sick:
            return "refusing"
        if sick:
            return "history"
        return "late" if any(one.state == "late" for one in self.parts) else "live"


class Pipeline:
    """Looks at the parts while the console runs.

    Attributes:
        seen: the last look, ``None`` before the first.
    """

    def __init__(self, settings: Settings, feed: Feed) -> None:
        self.seen: Seen | None = None
        self._settings = settings
        self._feed = feed
        self._progress = {AGENTS: Progress(), SINK: Progress()}
        self._watch: PartsWatch | None = None
        self._task: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        self._wanted_s = -1e9

    async def start(self) -> None:
        """Begin looking."""
        self._watch = PartsWatch(self._settings)
        self._task = asyncio.create_task(self._run(self._watch), name="pipeline")

    async def stop(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._watch is not None:
            await self._watch.close()

    def look(self) -> Seen | None:
        """The last look; while anybody asks, the next is near."""
        self._wanted_s = time.monotonic()
        self._wanted.set()
        return self.seen

    async def _run(self, watch: PartsWatch) -> None:
        while True:
            began_s = time.monotonic()
            try:
                answers = await watch.look(redis_away="redis" in self._feed.missing())
                self.seen = self._judged(answers, time.time_ns() // 1_000_000)
            except Exception:  # a strip that freezes unseen is worse than one that grows old, which every page says
                log.exception("look at the pipeline failed")
            await asyncio.sleep(max(0.1, EVERY_S - (time.monotonic() - began_s)))
            if time.monotonic() - self._wanted_s > _LOOKED_AT_S:
                self._wanted.clear()
                await _within(self._wanted, _IDLE_S)

    def _judged(self, answers: Answers, now_ms: int) -> Seen:
        lags = self._lags(answers, now_ms)
        now = msgspec.convert(self._feed.head(), _Head)
        confirmed_ms = now.pipeline.confirmed_ms
        redis_away = "redis" in now.pipeline.missing
        asked = {name: self._asked(name, answers.parts.get(name)) for name in parts.NAMES}
        asked["agents"] = Asked(
            asked["agents"].answer,
            log=asked["agents"].log,
            lag=lags.get(AGENTS),
            confirmed_s=None if confirmed_ms is None or redis_away else max(0, now_ms - confirmed_ms) / 1000,
            rebuilding=now.rebuilding is not None,
        )
        asked["sink"] = Asked(asked["sink"].answer, log=asked["sink"].log, lag=lags.get(SINK))
        if redis_away and asked["redis"].answer is None:  # it answers, and the feed has not come back to it yet
            asked["redis"] = self._asked("redis", parts.HANGS)
        if _FEED in now.pipeline.missing:
            asked["console"] = self._asked("console", "its feed fails")
        return Seen(now_ms, tuple(parts.judge(name, asked[name]) for name in parts.NAMES))

    def _asked(self, name: parts.Name, answer: str | None) -> Asked:
        own = name in ("kafka", "redis", "clickhouse") and getattr(self._settings, name) is not None
        return Asked(answer, PREFIX + name.upper() if own else None, self._log(name))

    def _log(self, name: str) -> str:
        return str(self._settings.home / "logs" / f"{name}.log")

    def _lags(self, answers: Answers, now_ms: int) -> dict[str, parts.Lag]:
        if answers.behind is None:
            return {}
        found = {}
        for group, progress in self._progress.items():
            mine = [one for one in answers.behind if one.group == group]
            ends = {(one.topic, one.partition): one.end for one in mine}
            places = {(one.topic, one.partition): one.start if one.committed is None else one.committed for one in mine}
            found[group] = progress.take(Look(now_ms, ends, places))
        return found


async def _within(event: asyncio.Event, patience_s: float) -> None:
    try:
        async with asyncio.timeout(patience_s):
            await event.wait()
    except TimeoutError:
        return


def document(seen: Seen | None, now_ms: int) -> dict[str, object]:
    """The document of ``/v1/pipeline``; without parts before the first look."""
    if seen is None:
        return {"now_ms": now_ms, "looked_ms": None, "kind": None, "parts": []}
    return {
        "now_ms": now_ms,
        "looked_ms": seen.looked_ms,
        "kind": seen.kind,
        "parts": [
            {
                "part": one.name,
                "state": one.state,
                "cause": one.cause or None,
                "answer": one.answer or None,
                "lag_records": one.lag_records,
                "lag_s": one.lag_s,
                "fix": str(one.fix) or None,
            }
            for one in seen.parts
        ],
    }
