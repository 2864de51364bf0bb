"""The live store: fences, one fenced script per batch, seen ids.

Reading for people is ``adapters.live_view``. Every method raises ``Unavailable("redis")`` when Redis is away; a batch
may then be sent again, since the fence decides whether it still has an effect.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import msgspec

from streams.adapters import live_format, live_keys
from streams.adapters.redis_client import connect, translated
from streams.adapters.scripts import Call, Script, run
from streams.core.attendance import TICKET_PARTS
from streams.core.fence import Answer
from streams.core.increments import Cell, Increments
from streams.core.rebuilding import Rebuild
from streams.core.seen import Gathered, Ids
from streams.errors import ConfigError
from streams.topology import LIVE_KEPT_MS, MEMBERS_MS, SEEN_MS

_CELL_TTL_S = LIVE_KEPT_MS // 1000
_SEEN_TTL_S = SEEN_MS // 1000
_MEMBERS_TTL_S = MEMBERS_MS // 1000
_pack = msgspec.msgpack.Encoder().encode
_note = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch on its way to the live store.

    Attributes:
        prev: offset before its first record, ``last`` that of its last one.
        increments: what it adds.
        ids: hour → joined ids that are counted with it.
    """

    topic: str
    partition: int
    prev: int
    last: int
    increments: Increments
    ids: Ids


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What is believed of a topic partition.

    Attributes:
        applied: last offset whose effect the store should hold.
        at_ms: everything appended until then is counted; ``None`` only compares the fence.
    """

    topic: str
    partition: int
    applied: int
    at_ms: int | None


class LiveStore:
    """Live state as the agents write it.

    Args:
        url: of Redis or Valkey.
        app: name of the application; part of every fence, or two applications would fence each other.
    """

    def __init__(self, url: str, app: str) -> None:
        self._redis = connect(url)
        self._app = app
        self._apply = Script("apply.lua")
        self._confirm = Script("confirm.lua")
        self._known = Script("known.lua")
        self._move = Script("move.lua")
        self._put = Script("put_fence.lua")

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def check(self) -> None:
        """Make sure that the store keeps what it is told, and holds nothing of another format.

        State of an older or unknown format is taken away, so that it is counted anew from Kafka.

        Raises:
            ConfigError: the server may evict keys, keeps no log, or holds a newer format's state.
            Unavailable: Redis is away, or another program is taking the state away.
        """
        with translated():
            found = await self._redis.config_get("maxmemory-policy", "appendonly")
        faults = []
        if found.get("maxmemory-policy") != "noeviction":
            faults.append(f"Redis evicts keys ({found.get('maxmemory-policy')}): set maxmemory-policy noeviction")
        if found.get("appendonly") != "yes":
            faults.append("Redis keeps no log: set appendonly yes, appendfsync everysec")
        if faults:
            raise ConfigError("\n".join(faults))
        await live_format.enforce(self._redis)

    def _field(self, topic: str) -> str:
        return live_keys.fence_field(self._app, topic)

    async def fences(self, topic: str, partitions: Iterable[int]) -> dict[int, int | None]:
        """Last applied offset of each partition, ``None`` where there is no fence."""
        wanted = list(partitions)
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            for partition in wanted:
                pipe.hget(live_keys.fence(partition), self._field(topic))
            values = await pipe.execute()
        return {p: None if value is None else int(value) for p, value in zip(wanted, values, strict=True)}

    async def set_fence(self, topic: str, partition: int, offset: int, rebuild: Rebuild | None = None) -> None:
        """Put a fence where there is none; leaves an existing one alone.

        Args:
            topic: whose fence.
            partition: of it.
            offset: last one whose effect the store holds.
            rebuild: what is counted anew from there, noted in the same step; gone when ``confirm`` finds it done.

        Raises:
            ConfigError: the store's format is another since this program began.
            Unavailable: Redis is away, or the state is being taken away.
        """
        keys = [live_keys.fence(partition), live_keys.rebuilt(partition)]
        now_ms = time.time_ns() // 1_000_000
        note = b"" if rebuild is None else _note(rebuild)
        with translated():
            await self._redis.set(live_keys.FORMAT, live_keys.FORMAT_VERSION, nx=True)  # gone if everything was emptied
        arguments = (self._field(topic), offset, live_keys.FORMAT_VERSION, now_ms, note)
        (format_found,) = await run(self._redis, self._put, [Call(keys, arguments)])
        if format_found:
            raise live_format.changed(format_found.decode())

    async def move_fence(self, topic: str, partition: int, stood: int, offset: int) -> None:
        """Put the fence elsewhere if it still is where it ``stood``: only over records that are gone for good."""
        call = Call([live_keys.fence(partition)], (self._field(topic), stood, offset))
        await run(self._redis, self._move, [call])

    async def known(self, family: str, batches: Sequence[tuple[int, Gathered]]) -> list[set[int]]:
        """For each (partition, ids), the places in the batch whose id was counted before."""
        wanted = [(partition, ids.joined()) for partition, ids in batches]
        calls = [
            Call([live_keys.seen(partition, family, hour) for hour in by_hour], tuple(by_hour.values()))
            for partition, by_hour in wanted
        ]
        found = await run(self._redis, self._known, calls)
        return [
            {ids.by_hour[hour][place] for hour, places in zip(by_hour, answer, strict=True) for place in places}
            for (_, ids), (_, by_hour), answer in zip(batches, wanted, found, strict=True)
        ]

    async def apply(self, family: str, batches: Sequence[Batch]) -> list[Answer]:
        """Apply batches of one family, each if it follows its fence; several of one partition in their order."""
        calls = []
        for batch in batches:
            partition = batch.partition
            adds, maxima = _by_key(batch.increments.adds), _by_key(batch.increments.maxima)
            unions = _sets_by_key(batch.increments.unions)
            sketches, facts = batch.increments.sketches, _by_key(batch.increments.facts)
            keys = [live_keys.fence(partition), live_keys.changed(partition), live_keys.changes(partition)]
            keys += [live_keys.touched(partition), live_keys.causes(partition)]
            keys += [live_keys.tagged(key, partition) for key in adds]
            keys += [live_keys.tagged(key, partition) for key in maxima]
            for key in unions:
                counts = live_keys.tagged(key, partition)
                keys += [counts, live_keys.members(counts)]
            keys += [live_keys.tagged(key, partition) for _, key, _ in sketches]
            keys += [live_keys.tagged(key, partition) for key in facts]
            keys += [live_keys.seen(partition, family, hour) for hour in batch.ids]
            payload = {
                "adds": list(adds.values()),
                "maxima": list(maxima.values()),
                "unions": list(unions.values()),
                "sketches": list(sketches.values()),
                "parts": TICKET_PARTS,
                "facts": list(facts.values()),
                "touches": [
                    part for (_, _, window), cause in batch.increments.touches.items() for part in (window, str(cause))
                ],
                "sites": sorted(batch.increments.sites),
            }
            head = (self._field(batch.topic), batch.prev, batch.last, _CELL_TTL_S, _SEEN_TTL_S, _MEMBERS_TTL_S)
            calls.append(Call(keys, (*head, _pack(payload), *batch.ids.values())))
        return [cast(Answer, answer.decode()) for answer in await run(self._redis, self._apply, calls)]

    async def confirm(self, said: Sequence[Confirmation]) -> list[Answer]:
        """Say of each topic partition that everything appended until a moment is counted.

        Returns:
            For each, ``GAP`` if the store's fence is older than ``applied`` (it came back from an older log), ``COLD``
            if it has none, else ``OK``.
        """
        calls = [
            Call(
                [
                    live_keys.fence(one.partition),
                    live_keys.confirmed(one.partition),
                    live_keys.rebuilt(one.partition),
                ],
                (self._field(one.topic), one.applied, "" if one.at_ms is None else one.at_ms),
            )
            for one in said
        ]
        return [cast(Answer, answer.decode()) for answer in await run(self._redis, self._confirm, calls)]


def _by_key(cells: Mapping[Cell, int | str]) -> dict[str, list[str]]:
    """Cell → value as key → [field, value, field, value, …]; as text, since the script's numbers are floats."""
    grouped: dict[str, list[str]] = {}
    for (_, key, field), value in cells.items():
        grouped.setdefault(key, []).extend((field, str(value)))
    return grouped


def _sets_by_key(cells: Mapping[Cell, frozenset[str]]) -> dict[str, list[str | list[str]]]:
    """Cell → members as key → [field, members, field, members, …]."""
    grouped: dict[str, list[str | list[str]]] = {}
    for (_, key, field), members in cells.items():
        grouped.setdefault(key, []).extend((field, sorted(members)))
    return grouped
