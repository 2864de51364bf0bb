"""When each event of a recording is due, and which go together.

Takes event times and a speed, gives seconds since the start: pure, so that an hour of replay is tested in no time. Only
``pace`` waits. Used by ``replay.run`` and ``replay.demo``.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")

MOST = 500  # events of one request
MOST_BYTES = 900_000  # of one request: the door takes 1 MiB, and a long text weighs 24 kB
FLUSH_S = 0.2  # events due within this time share a request


@dataclass(frozen=True, slots=True)
class Batch(Generic[Item]):
    """Items that go in one request; ``due_s`` seconds after the start the last of them is due."""

    due_s: float
    items: tuple[Item, ...]


def parse_speed(text: str) -> float | None:
    """``1``, ``60``, ``2.5`` … as a factor, ``max`` as ``None``.

    Raises:
        ValueError: anything else.
    """
    if text == "max":
        return None
    speed = float(text)
    if not 0 < speed < float("inf"):
        raise ValueError(f"{text}: a speed is positive, or max")
    return speed


def due(
    items: Iterable[Item], at_ms: Callable[[Item], int], *, speed: float | None, longest_silence_s: float | None = None
) -> Iterator[tuple[float, Item]]:
    """Each item with the second after the start at which it is due; seconds never descend.

    An item that lies before its predecessor is due with it: the order is the file's.

    Args:
        items: in the recording's order.
        at_ms: event time of an item, epoch ms.
        speed: event time over real time; ``None`` makes everything due at once.
        longest_silence_s: longer pauses (real time) are cut to this; ``None`` keeps them.
    """
    due_s = 0.0
    latest_ms: int | None = None
    for item in items:
        now_ms = at_ms(item)
        if latest_ms is not None and speed is not None and now_ms > latest_ms:
            pause_s = (now_ms - latest_ms) / 1000 / speed
            due_s += pause_s if longest_silence_s is None else min(pause_s, longest_silence_s)
        latest_ms = now_ms if latest_ms is None else max(latest_ms, now_ms)
        yield due_s, item


def batches(
    timed: Iterable[tuple[float, Item]],
    *,
    size_bytes: Callable[[Item], int] = lambda _: 0,
    most: int = MOST,
    most_bytes: int = MOST_BYTES,
    flush_s: float = FLUSH_S,
) -> Iterator[Batch[Item]]:
    """Groups of neighbours, none empty.

    Args:
        timed: items with the second at which each is due, as ``due`` gives them.
        size_bytes: what an item weighs in a request.
        most: items of a group at most.
        most_bytes: their weight together at most; a single heavier item stands alone.
        flush_s: the last is due no later than this after the first.
    """
    held: list[Item] = []
    first_s = last_s = 0.0
    held_bytes = 0
    for due_s, item in timed:
        weight = size_bytes(item)
        if held and (len(held) == most or held_bytes + weight > most_bytes or due_s > first_s + flush_s):
            yield Batch(last_s, tuple(held))
            held, held_bytes = [], 0
        if not held:
            first_s = due_s
        held.append(item)
        held_bytes += weight
        last_s = due_s
    if held:
        yield Batch(last_s, tuple(held))


def pace(
    planned: Iterable[Batch[Item]],
    *,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[Batch[Item]]:
    """The same batches, each no earlier than it is due; whoever is behind gets them without a pause."""
    start_s = clock()
    for batch in planned:
        ahead_s = start_s + batch.due_s - clock()
        if ahead_s > 0:
            wait(ahead_s)
        yield batch
