"""The format of live state: what an older or unknown one means, and how it is taken away.

The version stands in ``m`` for programs that look no closer, and in every partition's hash of fences, where a fence is
put only if it fits (``put_fence.lua``, one step). To take state away, each partition is **sealed**: fences and
confirmations go and the hash says who is emptying it, in one step. From then on nobody can count there: a batch finds
no fence, and no fence can be put. Keys are taken away only while the seal is still the emptier's own (``empty.lua``),
and the last step opens the partition. A crash anywhere leaves a seal or an old version, and the next start begins
again; whoever was overtaken while it slept finds another's seal, and stops.
"""

import re
import uuid
from collections.abc import Iterable, Sequence

import structlog
from redis.asyncio import Redis

from streams.adapters import live_keys
from streams.adapters.redis_client import translated
from streams.adapters.scripts import Call, Script, run
from streams.errors import ConfigError, StreamsError, Unavailable
from streams.topology import PARTITIONS

log = structlog.get_logger(__name__)

_OURS = live_keys.FORMAT_VERSION
_SCAN_COUNT = 1_000  # keys that the server looks at per call, and takes away per script: well under its 10 ms
_LEASE_MS = 30_000  # so that of two programs one waits; what they do is safe without it
_KEY = re.compile(rb"[a-z]{1,2}:\{([0-9]{1,4})\}(?::.*)?", re.DOTALL)


async def enforce(redis: Redis) -> None:
    """See to it that there is nothing but state of our format; raises as ``LiveStore.check`` says."""
    found = await _found(redis)
    if newer := sorted(one for one in found if _is_newer(one)):
        raise changed(newer[-1])
    if found <= {_OURS}:
        with translated():
            await redis.set(live_keys.FORMAT, _OURS, nx=True)
        return
    seal = f"{_OURS} {uuid.uuid4()}"
    with translated():
        mine = await redis.set(live_keys.EMPTYING, seal, nx=True, px=_LEASE_MS)
    if not mine:
        raise _being_emptied()
    if await _found(redis) != found:  # whoever had the lease before was done meanwhile, or has begun anew
        with translated():
            await redis.delete(live_keys.EMPTYING)
        raise _being_emptied()
    log.warning("live state of another format: counting anew from Kafka", found=sorted(found), writes=_OURS)
    keys = await _empty(redis, seal)
    log.warning("live state of another format is gone", keys=keys)


def changed(found: str) -> StreamsError:
    """What to raise for a format that is not ours, found by a program that runs, or of a newer program."""
    if found.startswith(f"{_OURS} "):
        return _being_emptied()
    way_out = (
        "upgrade this program, or empty this Redis to count anew from Kafka"
        if _is_newer(found)
        else "start this program again, and it counts anew from Kafka"
    )
    return ConfigError(f"Redis holds live state of format {found!r}, this program writes {_OURS}: {way_out}")


def _being_emptied() -> Unavailable:
    return Unavailable("redis", "another program is taking live state of an older format away")


def _is_newer(found: str) -> bool:
    version = found.partition(" ")[0]
    return version.isdecimal() and int(version) > int(_OURS)


async def _found(redis: Redis) -> set[str]:
    """The formats of what is there; empty text for fences without one, a version and a name for a sealed partition."""
    fences = [live_keys.fence(partition) for partition in range(PARTITIONS)]
    with translated():
        pipe = redis.pipeline(transaction=False)
        pipe.get(live_keys.FORMAT)
        for key in fences:
            pipe.exists(key)
            pipe.hget(key, live_keys.FORMAT_FIELD)
        whole, *parts = await pipe.execute()
    found = [] if whole is None else [whole]
    found += [version or b"" for there, version in zip(parts[::2], parts[1::2], strict=True) if there]
    return {version.decode(errors="replace") for version in found}


async def _empty(redis: Redis, seal: str) -> int:
    """Take everything of ours away, in bounded steps; how many keys it was."""
    with translated():
        for partition in range(PARTITIONS):
            pipe = redis.pipeline(transaction=True)
            pipe.delete(live_keys.fence(partition), live_keys.confirmed(partition))
            pipe.hset(live_keys.fence(partition), live_keys.FORMAT_FIELD, seal)
            await pipe.execute()
        await redis.set(live_keys.FORMAT, _OURS)
    script = Script("empty.lua")
    total = 0
    while taken := await _pass(redis, script, seal):  # a loop of another program may have been amid a turn
        total += taken
    calls = [Call([live_keys.fence(partition)], (seal, _OURS)) for partition in range(PARTITIONS)]
    _still_ours(await run(redis, script, calls))
    with translated():
        await redis.delete(live_keys.EMPTYING)
    return total


async def _pass(redis: Redis, script: Script, seal: str) -> int:
    """One walk over all keys; how many were taken away."""
    taken, cursor = 0, 0
    while True:
        with translated():
            cursor, keys = await redis.scan(cursor, match="*:{*}*", count=_SCAN_COUNT)
            await redis.pexpire(live_keys.EMPTYING, _LEASE_MS)
        by_partition = _ours(keys)
        calls = [Call([live_keys.fence(number), *some], (seal, "")) for number, some in by_partition.items()]
        _still_ours(await run(redis, script, calls))
        taken += sum(map(len, by_partition.values()))
        if cursor == 0:
            return taken


def _ours(keys: Iterable[bytes | str]) -> dict[int, list[bytes]]:
    """Partition → its keys, fences left out."""
    found: dict[int, list[bytes]] = {}
    for name in keys:
        key = name.encode() if isinstance(name, str) else name
        parsed = _KEY.fullmatch(key)
        partition = -1 if parsed is None else int(parsed[1])
        if 0 <= partition < PARTITIONS and key != live_keys.fence(partition).encode():
            found.setdefault(partition, []).append(key)
    return found


def _still_ours(answers: Sequence[bytes]) -> None:
    if any(answer != b"OK" for answer in answers):
        raise _being_emptied()
