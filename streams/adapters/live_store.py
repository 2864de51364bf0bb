"""The live store: fences, one fenced script per batch, seen ids.

Reading for people is ``adapters.live_view``. Every method raises ``Unavailable("redis")`` when Redis is away; a batch
may then be sent again, since the fence decides whether it still has an effect.
"""

import hashlib
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any, cast

import msgspec
from redis.exceptions import NoScriptError

from streams.adapters import live_keys
from streams.adapters.redis_client import connect, translated
from streams.core.fence import Answer
from streams.core.increments import Increments
from streams.core.seen import Ids
from streams.errors import ConfigError
from streams.topology import LIVE_HORIZON_MS, SEEN_MS

_CELL_TTL_S = LIVE_HORIZON_MS // 1000
_SEEN_TTL_S = SEEN_MS // 1000
_pack = msgspec.msgpack.Encoder().encode


class _Script:
    """A Lua file of this package, called by its hash and loaded when the server has lost it."""

    def __init__(self, name: str) -> None:
        self.text = resources.files("streams.adapters").joinpath(name).read_bytes()
        self.sha = hashlib.sha1(self.text, usedforsecurity=False).hexdigest()


class LiveStore:
    """Live state as the agents write it.

    Args:
        url: of Redis or Valkey.
        app: name of the application; part of every fence, or two applications would fence each other.
    """

    def __init__(self, url: str, app: str) -> None:
        self._redis = connect(url)
        self._app = app
        self._apply = _Script("apply.lua")
        self._confirm = _Script("confirm.lua")

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def check(self) -> None:
        """Make sure that the store keeps what it is told, and holds a format that we know.

        Raises:
            ConfigError: the server may evict keys, keeps no log, or holds another format's state.
        """
        with translated():
            found = await self._redis.config_get("maxmemory-policy", "appendonly")
            await self._redis.set(live_keys.FORMAT, live_keys.FORMAT_VERSION, nx=True)
            version = await self._redis.get(live_keys.FORMAT)
        faults = []
        if found.get("maxmemory-policy") != "noeviction":
            faults.append(f"Redis evicts keys ({found.get('maxmemory-policy')}): set maxmemory-policy noeviction")
        if found.get("appendonly") != "yes":
            faults.append("Redis keeps no log: set appendonly yes, appendfsync everysec")
        if version != live_keys.FORMAT_VERSION.encode():
            faults.append(
                f"Redis holds live state of format {version!r}, this program writes {live_keys.FORMAT_VERSION}"
            )
        if faults:
            raise ConfigError("\n".join(faults))

    def _field(self, topic: str) -> str:
        return f"{self._app}|{topic}"

    async def fences(self, topic: str, partitions: Iterable[int]) -> dict[int, int | None]:
        """Last applied offset of each partition, ``None`` where there is no fence."""
        wanted = list(partitions)
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            for partition in wanted:
                pipe.hget(live_keys.fence(partition), self._field(topic))
            values = await pipe.execute()
        return {p: None if value is None else int(value) for p, value in zip(wanted, values, strict=True)}

    async def set_fence(self, topic: str, partition: int, offset: int) -> None:
        """Put a fence where there is none; leaves an existing one alone."""
        with translated():
            await self._redis.hsetnx(live_keys.fence(partition), self._field(topic), str(offset))

    async def move_fence(self, topic: str, partition: int, offset: int) -> None:
        """Put the fence elsewhere: only when the records between are gone from Kafka for good."""
        with translated():
            await self._redis.hset(live_keys.fence(partition), self._field(topic), str(offset))

    async def known(self, partition: int, family: str, ids: Ids) -> list[bool]:
        """For each id of a batch, whether it was counted before."""
        answers = [False] * len(ids.members)
        with translated():
            if len(ids.by_hour) == 1:
                ((hour, _),) = ids.by_hour.items()
                found = await self._send("SMISMEMBER", live_keys.seen(partition, family, hour), *ids.members)
                return [bool(one) for one in found]
            pipe = self._redis.pipeline(transaction=False)
            for hour, places in ids.by_hour.items():
                members = [ids.members[place] for place in places]
                pipe.execute_command("SMISMEMBER", live_keys.seen(partition, family, hour), *members)
            for places, found in zip(ids.by_hour.values(), await pipe.execute(), strict=True):
                for place, one in zip(places, found, strict=True):
                    answers[place] = bool(one)
        return answers

    async def apply(
        self,
        topic: str,
        partition: int,
        prev: int,
        last: int,
        increments: Increments,
        *,
        family: str,
        ids: Mapping[str, bytes],
    ) -> Answer:
        """Apply one batch, if it follows the fence.

        Args:
            topic: of the batch.
            partition: of the batch.
            prev: offset before its first record.
            last: offset of its last record.
            increments: what it adds.
            family: whose seen sets the ids go into.
            ids: hour → joined 16-byte ids that are counted with it.
        """
        adds = _by_key(increments.adds)
        maxima = _by_key(increments.maxima)
        keys = [live_keys.fence(partition), live_keys.changed(partition), live_keys.changes(partition)]
        keys += [live_keys.tagged(key, partition) for key in adds]
        keys += [live_keys.tagged(key, partition) for key in maxima]
        keys += [live_keys.seen(partition, family, hour) for hour in ids]
        payload = {
            "adds": list(adds.values()),
            "maxima": [[str(cell) for cell in cells] for cells in maxima.values()],
            "sites": sorted(increments.sites),
        }
        arguments = (self._field(topic), prev, last, _CELL_TTL_S, _SEEN_TTL_S, _pack(payload), *ids.values())
        return await self._run(self._apply, keys, arguments)

    async def confirm(self, topic: str, partition: int, applied: int, at_ms: int | None) -> Answer:
        """Say that everything appended until ``at_ms`` is counted; with ``None`` only compare the fence.

        Returns:
            ``GAP`` if the store's fence is older than ``applied`` (it came back from an older log), ``COLD`` if it has
            none, else ``OK``.
        """
        keys = [live_keys.fence(partition), live_keys.confirmed(partition)]
        arguments = (self._field(topic), applied, topic, "" if at_ms is None else at_ms)
        return await self._run(self._confirm, keys, arguments)

    async def _run(self, script: _Script, keys: list[str], arguments: tuple[object, ...]) -> Answer:
        with translated():
            try:
                answer = await self._send("EVALSHA", script.sha, len(keys), *keys, *arguments)
            except NoScriptError:  # the server restarted: nothing was applied
                answer = await self._send("EVAL", script.text, len(keys), *keys, *arguments)
        return cast(Answer, answer.decode())

    async def _send(self, *command: object) -> Any:
        """One command as it is: the library's own methods for these copy every argument once more."""
        return await self._redis.execute_command(*command)  # type: ignore[no-untyped-call]  # untyped in redis-py


def _by_key(cells: Mapping[tuple[str, str], int]) -> dict[str, list[str | int]]:
    """(key, field) → value as key → [field, value, field, value, …]."""
    grouped: dict[str, list[str | int]] = {}
    for (key, field), value in cells.items():
        grouped.setdefault(key, []).extend((field, value))
    return grouped
