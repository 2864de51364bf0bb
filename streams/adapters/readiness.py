"""Whether a service does its work, asked the way its clients ask.

Takes an address, gives ``None`` when ready, else the reason in a few words. Never raises for a service that is away.
Used by the supervisor (start order), ``musee status``, ``adapters.parts_watch`` and the test beds.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from streams.core import parts

if TYPE_CHECKING:
    import httpx2

Probe = Callable[[], Awaitable[str | None]]  # None: ready; else why not

_PATIENCE_S = 5.0
_CONNECT_S = 1.0


def kafka(servers: str) -> Probe:
    """Ready when a broker answers a metadata request and names at least one broker.

    Args:
        servers: ``host:port[,host:port]``.
    """

    async def ask() -> str | None:
        from aiokafka.admin import AIOKafkaAdminClient
        from aiokafka.errors import KafkaError

        # Without this look the client logs each refusal while a broker is starting.
        if (reason := await refused(servers)) is not None:
            return reason
        for name in ("aiokafka", "aiokafka.conn", "aiokafka.client"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        admin = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=3_000)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await admin.start()
                brokers = (await admin.describe_cluster())["brokers"]
        except (KafkaError, OSError, TimeoutError) as error:
            return f"no metadata yet ({_said(error)})"
        finally:
            await admin.close()
        return None if brokers else "no broker is registered yet"

    return ask


def redis(url: str) -> Probe:
    """Ready when PING is answered by PONG, so not while the data is still loading.

    Args:
        url: ``redis://…``, with password or TLS where your own server wants them.
    """

    async def ask() -> str | None:
        import redis.asyncio as client
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import RedisError

        connection = client.Redis.from_url(
            url, socket_connect_timeout=_CONNECT_S, socket_timeout=2.0, retry=Retry(NoBackoff(), 0)
        )
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await connection.ping()
        except (RedisError, OSError, TimeoutError) as error:
            return _said(error)
        finally:
            await connection.aclose()
        return None

    return ask


def http(url: str, trust: ssl.SSLContext | bool = True, client: "httpx2.AsyncClient | None" = None) -> Probe:
    """Ready when GET answers 200; else the status, and what a ``/ready`` of ours says is missing.

    Args:
        url: what to get.
        trust: whose certificates are believed.
        client: for who asks again and again, since making one costs 25 ms; its time limit and trust hold.
    """

    async def ask() -> str | None:
        import httpx2

        try:
            if client is not None:
                answer = await client.get(url)
            else:
                # No proxy from the environment: these are our own addresses.
                async with httpx2.AsyncClient(timeout=_PATIENCE_S, trust_env=False, verify=trust) as made:
                    answer = await made.get(url)
        except (httpx2.HTTPError, OSError) as error:
            return _said(error)
        if answer.status_code == 200:
            return None
        try:
            missing = ", ".join(answer.json()["missing"])
        except (ValueError, KeyError, TypeError):
            return f"answers {answer.status_code}"
        return f"{parts.WAITS}{missing}"

    return ask


async def until_ready(probe: Probe, *, within_s: float, every_s: float = 0.1) -> str | None:
    """Ask until ready or out of time; the last reason, ``None`` when ready."""
    deadline = asyncio.get_running_loop().time() + within_s
    while True:
        reason = await probe()
        if reason is None or asyncio.get_running_loop().time() > deadline:
            return reason
        await asyncio.sleep(every_s)


def _host_port(server: str, default: int) -> tuple[str, int]:
    parts = urlsplit(f"//{server.strip()}")
    return parts.hostname or server, parts.port or default


async def refused(servers: str) -> str | None:
    """Why none of ``host:port[,host:port]`` takes a connection, ``None`` if one does."""
    reasons = [await _refusal(*_host_port(server, 9092)) for server in servers.split(",")]
    return reasons[0] if all(reasons) else None


async def _refusal(host: str, port: int) -> str | None:
    try:
        async with asyncio.timeout(_CONNECT_S):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        return _said(error)
    writer.close()
    return None


def _said(error: BaseException) -> str:
    root = error
    while root.__cause__ or root.__context__:
        root = root.__cause__ or root.__context__ or root
    if isinstance(root, ConnectionRefusedError):
        return parts.DOWN
    if isinstance(root, TimeoutError | asyncio.CancelledError):
        return parts.HANGS
    first = (str(error) or str(root) or type(root).__name__).splitlines()[0]
    return first[:120]
