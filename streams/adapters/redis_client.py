"""Opens the Redis client the way this project needs it, and turns its errors into ours.

The client library repeats commands ten times by default, also those that must not be repeated; ours never does. What is
safe to repeat is known only behind the fence.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from streams.errors import Unavailable

_CONNECT_S = 1.0
_ANSWER_S = 2.0
_LONG_ANSWER_S = 5.0  # many keys at once, and nobody waits but the one who asked
# A full disk, missing replicas, a script that runs on: states of the server that pass.
_PASSING = ("MISCONF", "NOREPLICAS", "BUSY", "MASTERDOWN")


def connect(url: str) -> redis.asyncio.Redis:
    """An asynchronous client; connects at its first command."""
    return redis.asyncio.Redis.from_url(
        url,
        socket_connect_timeout=_CONNECT_S,
        socket_timeout=_ANSWER_S,
        retry=AsyncRetry(NoBackoff(), 0),
        health_check_interval=0,
    )


@contextmanager
def translated() -> Iterator[None]:
    """Within it, a Redis that is away, loading, read-only or full raises ``Unavailable("redis")``."""
    try:
        yield
    except redis.exceptions.NoScriptError:
        raise
    except (
        redis.exceptions.ConnectionError,
        redis.exceptions.TimeoutError,
        redis.exceptions.OutOfMemoryError,
        redis.exceptions.ReadOnlyError,
        redis.exceptions.TryAgainError,
        redis.exceptions.ClusterDownError,
        OSError,
    ) as error:
        raise Unavailable("redis", str(error)) from error
    except redis.exceptions.ResponseError as error:
        if not str(error).startswith(_PASSING):
            raise
        raise Unavailable("redis", str(error)) from error


@contextmanager
def reading(url: str) -> Iterator[redis.Redis]:
    """A synchronous client that answers in text, for verbs that read much; errors as ``translated`` says."""
    with translated():
        client = redis.Redis.from_url(
            url,
            decode_responses=True,
            encoding_errors="replace",
            socket_connect_timeout=_CONNECT_S,
            socket_timeout=_LONG_ANSWER_S,
            retry=Retry(NoBackoff(), 0),
        )
        try:
            yield client
        finally:
            client.close()
