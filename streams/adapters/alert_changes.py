"""How an alert changes, whoever changes it: read, decide, **reserve**, **publish**, **save**.

The loop and those who acknowledge go the same way, each sure of what it read: whoever was overtaken decides again. A
process that dies between two steps leaves what it reserved; the next who comes says that first, under a greater version
and the same alert id. In another order a crash would lose a resolution. Every function raises ``Unavailable``.

Called by ``agents.alerts`` (``attempt``) and by ``adapters.alert_desk`` (``change``)::

    place = Place(alert.rule, alert.scope)
    await change(store, producer, place, lambda stands, used: acknowledge(stands, who, until_ms, now_ms, used=used))

where ``stands`` is ``None`` if there never was an alert, and an error that ``decide`` raises passes through.
"""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from streams.adapters import alert_topic
from streams.adapters.alert_store import AlertStore, Held, Place
from streams.adapters.producer import Producer
from streams.core.alerts import Alert
from streams.errors import Unavailable
from streams.topology import ALERT

_PATIENCE_S = (0.1, 0.3)
_TRIES = 20  # each lost to somebody who changed the alert meanwhile: nobody does that twenty times in a row

Decide = Callable[[Alert | None, int], Alert | None]
"""The alert as it stands and the greatest version used → what is to be said, ``None`` for nothing."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """How an attempt ended.

    Attributes:
        held: what the store holds now; ``None`` where somebody else was faster: read again.
        said: what was published by it, ``None`` if nothing was.
        repeated: it was what somebody else had begun, and nothing was decided.
    """

    held: Held | None
    said: Alert | None = None
    repeated: bool = False


async def change(store: AlertStore, producer: Producer, place: Place, decide: Decide) -> Alert | None:
    """Change one alert.

    Args:
        store: the live store.
        producer: to publish with.
        place: the alert's rule and scope.
        decide: called once or, if somebody else is faster, again; it must have no effect of its own.

    Returns:
        What was published and is safe: from here on somebody says it, whatever happens. ``None`` if ``decide`` gave
        nothing to say.

    Raises:
        Unavailable: the store or Kafka is away. What was decided may be said later.
    """
    for _ in range(_TRIES):
        held: Held | None = await store.read(place)
        if held is not None and held.begun is not None:  # whoever is alive is done by then
            await asyncio.sleep(random.uniform(*_PATIENCE_S))  # noqa: S311 - spreads, guards nothing
            again = await store.read(place)
            if again.text != held.text:
                continue
            held = again
        while held is not None:
            done = await attempt(store, producer, held, decide)
            if done.said is not None and not done.repeated:
                return done.said
            if done.held is not None and not done.repeated:
                return None
            held = done.held
    raise Unavailable("redis", f"{place.name} changed {_TRIES} times meanwhile")


async def attempt(store: AlertStore, producer: Producer, held: Held, decide: Decide) -> Attempt:
    """One attempt from what was read; what somebody began and left is said again, and nothing else then."""
    if held.begun is not None:
        again = replace(held.begun, version=max(held.used + 1, time.time_ns() // 1_000_000))
        return await _say(store, producer, held, again, repeated=True)
    alert = decide(held.alert, held.used)
    return Attempt(held) if alert is None else await _say(store, producer, held, alert, repeated=False)


async def _say(store: AlertStore, producer: Producer, held: Held, alert: Alert, *, repeated: bool) -> Attempt:
    reserved = await store.reserve(held, alert)
    if reserved is None:
        return Attempt(None)
    await producer.write(ALERT.topic, [alert_topic.record(alert, time.time_ns() // 1_000_000)])
    # Not saved: somebody found what was reserved, and says the same under a greater version.
    return Attempt(await store.save(reserved), alert, repeated)
