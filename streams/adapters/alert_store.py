"""Alerts in the live store: how each stands, and what is about to be said of it.

A field of ``a:{p}`` is one rule and scope, ``rule|scope``. Around a publication there are two steps: **reserve** keeps
what is about to be said beside what was said last, publish, **save** makes it what was said last. Both change the field
only if it is what was read, in one script. What was reserved and not saved may have been published: whoever finds it
says it again, under a greater version, before anything else (``adapters.alert_changes``). So whatever was reserved is
said, once or twice, by somebody.

A field never goes: the resolved alert in it says which versions were used. The field ``-`` says that the partition's
alerts were read back from the topic since the store was emptied.

Every method raises ``Unavailable("redis")``. Called by ``adapters.alert_changes`` and ``agents.alerts``; for reading
(``alerts``) by the console and ``musee alerts``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import structlog

from streams.adapters.redis_client import connect, translated
from streams.adapters.scripts import Call, Script, run
from streams.core.alerts import Alert, Scope
from streams.core.partitions import partition_of
from streams.topology import PARTITIONS

log = structlog.get_logger(__name__)

MARK = b"-"


class Place(NamedTuple):
    """One rule in one scope."""

    rule: str
    scope: Scope

    @property
    def name(self) -> str:
        """Its field."""
        return f"{self.rule}|{self.scope}"

    @property
    def partition(self) -> int:
        """Where it lives."""
        return partition_of(self.scope.site_id, PARTITIONS)


@dataclass(frozen=True, slots=True)
class Held:
    """What the store holds of one rule and scope.

    Attributes:
        text: as it lies there; empty where there is nothing.
        alert: as it was last said and saved, resolved or not; ``None`` before the first.
        begun: what was reserved and not saved: it may have been published.
    """

    place: Place
    text: bytes = b""
    alert: Alert | None = None
    begun: Alert | None = None

    @property
    def used(self) -> int:
        """Greatest version that may have been used, 0 if none was."""
        return max(0 if one is None else one.version for one in (self.alert, self.begun))


@dataclass(frozen=True, slots=True)
class Partition:
    """All alerts of a partition; ``marked``: they were read back from the topic since the store was emptied."""

    marked: bool
    held: dict[Place, Held]

    @property
    def newest(self) -> int:
        """Greatest version in it; smaller than before where the store came back from an older log."""
        return max((one.used for one in self.held.values()), default=0)


class _Text(msgspec.Struct, omit_defaults=True):
    alert: Alert | None = None
    begun: Alert | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Text).decode


def key(partition: int) -> str:
    """Hash of a partition's alerts."""
    return f"a:{{{partition}}}"


class AlertStore:
    """The alerts of live state.

    Args:
        url: of Redis or Valkey.
    """

    def __init__(self, url: str) -> None:
        self._redis = connect(url)
        self._swap = Script("swap.lua")

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def alerts(self, partitions: Iterable[int] = range(PARTITIONS)) -> list[Alert]:
        """Every alert as it was last said: open, acknowledged, and the last resolved one of each rule and scope.

        Ordered by site, scope and rule.
        """
        told = await self.look(partitions)
        found = [held.alert for part in told.values() for held in part.held.values() if held.alert is not None]
        return sorted(found, key=lambda alert: (str(alert.scope), alert.rule))

    async def find(self, alert_id: str) -> Alert | None:
        """The alert of an id; ``None`` if it is not there: never opened, or resolved and followed by another."""
        return next((one for one in await self.alerts() if one.alert_id == alert_id), None)

    async def look(self, partitions: Iterable[int]) -> dict[int, Partition]:
        """All alerts of some partitions."""
        wanted = list(partitions)
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            for partition in wanted:
                pipe.hgetall(key(partition))
            answers: list[Mapping[bytes, bytes]] = await pipe.execute()
        found = {}
        for partition, fields in zip(wanted, answers, strict=True):
            held = [one for name, text in fields.items() if name != MARK and (one := _sound(name, text)) is not None]
            found[partition] = Partition(MARK in fields, {one.place: one for one in held})
        return found

    async def read(self, place: Place) -> Held:
        """One rule and scope."""
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            pipe.hget(key(place.partition), place.name)
            (text,) = await pipe.execute()
        return _held(place, text or b"")

    async def reserve(self, held: Held, alert: Alert) -> Held | None:
        """Keep what is about to be said, under a version above ``held.used``.

        Returns:
            What the store holds now, for ``save``; ``None`` where somebody else changed it since ``held`` was read.
        """
        text = _encode(_Text(held.alert, alert))
        return Held(held.place, text, held.alert, alert) if await self._swapped(held, text) else None

    async def save(self, reserved: Held) -> Held | None:
        """Keep what was published as said; ``None`` where somebody else took it over, and says it again."""
        text = _encode(_Text(reserved.begun))
        return Held(reserved.place, text, reserved.begun) if await self._swapped(reserved, text) else None

    async def restore(self, partition: int, published: Sequence[Alert]) -> int:
        """Take what the topic knows better than the store, and mark the partition; how many were taken.

        Args:
            partition: whose marker is set.
            published: of each rule and scope what was published last.
        """
        taken = 0
        held = (await self.look([partition]))[partition].held
        for alert in published:
            place = Place(alert.rule, alert.scope)
            stands = held.get(place, Held(place))
            while alert.version >= stands.used and alert != stands.alert:
                if await self._swapped(stands, _encode(_Text(alert))):
                    taken += 1
                    break
                stands = await self.read(place)
        with translated():
            await self._redis.hset(key(partition), MARK.decode(), "1")
        return taken

    async def _swapped(self, held: Held, text: bytes) -> bool:
        call = Call([key(held.place.partition)], (held.place.name, held.text, text))
        return await run(self._redis, self._swap, [call]) == [b"OK"]


def _place(name: bytes) -> Place:
    rule, _, scope = name.decode().partition("|")
    return Place(rule, Scope.of(scope))


def _sound(name: bytes, text: bytes) -> Held | None:
    """A field; ``None`` for one that a newer program or a stranger wrote: the others must not suffer for it."""
    try:
        return _held(_place(name), text)
    except ValueError as error:
        log.warning("an alert in Redis cannot be read", field=name.decode(errors="replace"), error=str(error))
        return None


def _held(place: Place, text: bytes) -> Held:
    told = _decode(text) if text else _Text()
    return Held(place, text, told.alert, told.begun)
