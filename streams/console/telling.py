"""Who is told what changed: a snapshot, then deltas, each message encoded once for all who watch the same.

Nothing is queued for anybody. A subscriber holds the number of the last message it was given; when it can take more it
gets what changed since, from one table of site → number of its last change. So a reconnect resumes from any message of
this run, a slow browser costs as much as a quick one, and one that is far behind starts over with a snapshot.

Takes the sites that changed and a ``Source`` of documents, gives messages. Used by ``console.feed``.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from streams.adapters import metrics
from streams.core.partitions import murmur2

BEHIND = 16  # messages; who missed more than three seconds while connected starts over
_BEAT_S = 0.8  # looked at five times a second, so that a second is kept
_GUARD_S = 5.0
_FRESH_S = 0.1  # a snapshot's age when told: all walls of a house that come back at once share it

Document = dict[str, object]
Guard = Callable[[], Awaitable[bool]]


class Source(Protocol):
    """What there is to tell."""

    def opening(self) -> Document:
        """What every message says beside its sites: the time, the network, how old everything is."""

    def heard(self) -> Sequence[str]:
        """Sites of a snapshot of everything, in order."""

    def is_heard(self, site_id: str) -> bool:
        """Whether a site is one of them."""

    def describes(self, site_id: str) -> bool:
        """Whether there is such a site."""

    def document(self, site_id: str) -> Document:
        """A site as it stands."""


@dataclass(frozen=True, slots=True)
class Message:
    """One server-sent event: ``snapshot`` holds all sites of its scope, ``delta`` those that changed.

    Attributes:
        data: the document, JSON.
        chunk: all of it as it goes over the line.
    """

    event: str
    id: str
    data: bytes
    chunk: bytes


@dataclass(eq=False, slots=True)
class _Subscriber:
    site_id: str | None
    told_s: float
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def is_due(self, changed: Collection[str], now_s: float) -> bool:
        concerned = bool(changed) if self.site_id is None else self.site_id in changed
        return concerned or now_s - self.told_s >= _BEAT_S


class Telling:
    """The messages of one run; ``site_id`` is what a message speaks of, ``None`` for everything."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._epoch = f"{time.time_ns() // 1_000_000:x}"
        self._sequence = 0
        self._changed: dict[str, int] = {}  # site → number of the message that told its last change
        self._gone = 0  # number of the last message with which a site vanished: no delta can say so
        self._subscribers: set[_Subscriber] = set()
        self._stopped = False
        self._now_s = 0.0
        self._head: tuple[float, bytes] = (-1e9, b"")
        self._deltas: dict[tuple[str | None, int], Message] = {}
        self._snapshots: dict[str | None, tuple[int, float, Message]] = {}

    @property
    def subscribers(self) -> int:
        """Open streams."""
        return len(self._subscribers)

    def tell(self, changed: Iterable[str], now_s: float) -> None:
        """Number what changed and wake whom it concerns, and those who were told nothing for nearly a second."""
        self._now_s = now_s
        changed = {name for name in changed if self._source.describes(name)}
        woken = [one for one in self._subscribers if one.is_due(changed, now_s)]
        if not changed and not woken:
            return
        self._sequence += 1
        self._changed |= dict.fromkeys(changed, self._sequence)
        self._forget()
        self._deltas.clear()
        self._head = (-1e9, b"")
        for one in woken:
            one.told_s = now_s
            one.woken.set()

    def _forget(self) -> None:
        for name in [name for name in self._changed if not self._source.describes(name)]:
            del self._changed[name]
            self._gone = self._sequence

    def stop(self) -> None:
        """End every stream."""
        self._stopped = True
        for one in self._subscribers:
            one.woken.set()

    async def subscribe(
        self, site_id: str | None = None, last_id: str | None = None, guard: Guard | None = None
    ) -> AsyncGenerator[Message]:
        """A snapshot, or what changed since ``last_id`` if that is known; then deltas, at least one a second.

        Ends when the feed stops, when the one site is described no longer, or when ``guard``, asked every five
        seconds, says no.
        """
        one = _Subscriber(site_id, self._now_s)
        self._subscribers.add(one)
        metrics.STREAMS.set(len(self._subscribers))
        try:
            since = self._resumed(site_id, last_id)
            asked_s = time.monotonic()
            while not self._stopped and (site_id is None or self._source.describes(site_id)):
                one.woken.clear()
                message = self._snapshot(site_id) if since is None else self._delta(site_id, since)
                since = self._sequence
                yield message
                await one.woken.wait()
                if since < self._gone:
                    since = None
                elif self._sequence - since > BEHIND:
                    metrics.DROPPED.inc()
                    since = None
                if guard is not None and time.monotonic() - asked_s >= _GUARD_S:
                    if not await guard():
                        break
                    asked_s = time.monotonic()
        finally:
            self._subscribers.discard(one)
            metrics.STREAMS.set(len(self._subscribers))

    # -- messages ----------------------------------------------------------------------------------------------------

    def _id(self, site_id: str | None, sequence: int) -> str:
        """What was told of one site says nothing about the others: its ids are of that site alone."""
        scope = "" if site_id is None else f"-{murmur2(site_id.encode()):08x}"
        return f"{self._epoch}-{sequence}{scope}"

    def _resumed(self, site_id: str | None, last_id: str | None) -> int | None:
        """Number of the message that a browser saw last; ``None`` if what it missed since is not known."""
        parts = (last_id or "").split("-")
        if len(parts) < 2 or not (parts[1].isascii() and parts[1].isdecimal()) or len(parts[1]) > 15:
            return None
        sequence = int(parts[1])
        known = self._gone <= sequence <= self._sequence and last_id == self._id(site_id, sequence)
        return sequence if known else None

    def _delta(self, site_id: str | None, since: int) -> Message:
        made = self._deltas.get((site_id, since))
        if made is None:
            if site_id is None:
                names = [name for name, at in self._changed.items() if at > since and self._source.is_heard(name)]
            else:
                names = [site_id] if self._changed.get(site_id, 0) > since else []
            made = self._deltas[site_id, since] = self._message("delta", site_id, names)
        return made

    def _snapshot(self, site_id: str | None) -> Message:
        sequence, made_s, made = self._snapshots.get(site_id, (-1, -1e9, None))
        now_s = time.monotonic()
        if made is None or sequence != self._sequence or now_s - made_s > _FRESH_S:
            names = self._source.heard() if site_id is None else [site_id]
            made = self._message("snapshot", site_id, names)
            self._snapshots = {scope: kept for scope, kept in self._snapshots.items() if kept[0] == self._sequence}
            self._snapshots[site_id] = self._sequence, now_s, made
        return made

    def _message(self, event: str, site_id: str | None, names: Iterable[str]) -> Message:
        now_s = time.monotonic()
        if now_s - self._head[0] > _FRESH_S:
            self._head = now_s, encoded(self._source.opening())
        documents = [self._source.document(name) for name in names if self._source.describes(name)]
        data = self._head[1][:-1] + b',"sites":' + encoded(documents) + b"}"
        name = self._id(site_id, self._sequence)
        return Message(event, name, data, chunk(event, data, f"id: {name}\r\n".encode()))


def chunk(event: str, data: bytes, before: bytes = b"") -> bytes:
    """A server-sent event as it goes over the line; JSON holds no line breaks."""
    return b"%sevent: %s\r\ndata: %s\r\n\r\n" % (before, event.encode(), data)


def encoded(document: Mapping[str, object] | list[Document]) -> bytes:
    """JSON."""
    return msgspec.json.encode(document)
