"""Lua files of this package, run by their hash.

Many calls of one script go out in one round trip; a server that has lost it gets it whole. Used by
``adapters.live_store``, ``adapters.live_format`` and ``adapters.window_store``.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from streams.adapters.redis_client import translated


class Script:
    """A Lua file of this package."""

    def __init__(self, name: str) -> None:
        self.text = resources.files("streams.adapters").joinpath(name).read_bytes()
        self.sha = hashlib.sha1(self.text, usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Call:
    """Keys and arguments of one run of a script."""

    keys: Sequence[str | bytes]
    arguments: Sequence[object]


async def run(redis: Redis, script: Script, calls: Sequence[Call]) -> list[Any]:
    """Run a script for each call, all in one round trip; raises ``Unavailable("redis")``."""
    if not calls:
        return []
    with translated():
        answers = await _send(redis, "EVALSHA", script.sha, calls)
        if any(isinstance(answer, NoScriptError) for answer in answers):  # the server restarted: nothing was done
            answers = await _send(redis, "EVAL", script.text, calls)
    for answer in answers:
        if isinstance(answer, Exception):
            with translated():
                raise answer
    return answers


async def _send(redis: Redis, command: str, script: object, calls: Sequence[Call]) -> list[Any]:
    pipe = redis.pipeline(transaction=False)
    for call in calls:
        pipe.execute_command(command, script, len(call.keys), *call.keys, *call.arguments)
    answers: list[Any] = await pipe.execute(raise_on_error=False)
    return answers
