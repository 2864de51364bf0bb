"""The embedded ClickHouse: one process that owns a data directory and answers ClickHouse's HTTP protocol on loopback.

Run as ``python -m streams.embedded.clickhouse --path DIR --port N``. It prints nothing while all is well, ends cleanly
on SIGTERM, and refuses to start, in one line, when the directory or the port is another's. kill -9 costs no data that
were acknowledged. There are no users: whoever reaches the port may read and write everything, and the files of its
account besides. Started by ``streams.embedded.stack``.
"""

import argparse
import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from streams.config import LOOPBACK
from streams.embedded import ports
from streams.embedded.clickhouse_connections import open_store
from streams.embedded.clickhouse_engine import Engine
from streams.embedded.clickhouse_http import application
from streams.embedded.clickhouse_request import Limits
from streams.errors import StartError

GRACE_S = 10  # for inserts that run when the end is asked for; reads are killed
_CLOSE_S = 5.0
# Longer than any pause of our clients: a connection that we close while a client writes to it costs a resent insert.
_KEEP_ALIVE_S = 3_600
_HEAD_BYTES = 1 << 20  # statements in the URL


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m streams.embedded.clickhouse", description=__doc__)
    parser.add_argument("--path", type=Path, required=True, help="data directory, made if need be")
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    defaults = Limits()
    parser.add_argument("--body-bytes", type=int, default=defaults.body_bytes, help="of the largest body")
    parser.add_argument("--body-idle-s", type=float, default=defaults.body_idle_s, help="a body may stand still")
    parser.add_argument("--body-total-s", type=float, default=defaults.body_total_s, help="a body may take")
    given = parser.parse_args(arguments)
    limits = Limits(given.body_bytes, given.body_idle_s, given.body_total_s)
    try:
        with _listening(given.port) as listener:
            engine = Engine(open_store(given.path))
            try:
                asyncio.run(_serve(engine, limits, listener))
            finally:
                _close(engine)
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    # With the protocol named, asyncio sets TCP_NODELAY; without it each answer waits 40 ms for an acknowledgement.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except OSError as error:
            raise StartError(f"port {port} of clickhouse is held by {ports.holder(port)}") from error
        except OverflowError as error:
            raise StartError(f"port {port}: {error}") from error
        yield listener


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn would end the process by the signal, not with exit code 0."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(engine: Engine, limits: Limits, listener: socket.socket) -> None:
    config = uvicorn.Config(
        application(engine, limits),
        http="h11",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        h11_max_incomplete_event_size=_HEAD_BYTES,
    )
    server = _Server(config)
    ending: set[asyncio.Future[None]] = set()

    def end() -> None:
        server.should_exit = True
        ending.add(engine.errands.run(engine.kill_reads))

    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, end)
    await server.serve(sockets=[listener])
    await asyncio.gather(*ending, return_exceptions=True)


def _close(engine: Engine) -> None:
    closing = threading.Thread(target=engine.close, daemon=True)
    closing.start()
    closing.join(_CLOSE_S)
    if closing.is_alive():
        # A statement does not end. The engine stands kill -9, so it stands this.
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
