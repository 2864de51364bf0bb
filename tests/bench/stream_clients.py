"""The browsers of ``tests.bench.streams``: many streams in one process, read as cheaply as can be; prints a JSON line.

Each has a cookie of its own, as browsers have. Of a message only its first kilobyte is looked at: when the server made
it, and when the newest event in it reached the gateway. Those that never read come back every 45 s, for the server cuts
them off. Started as ``python -m tests.bench.stream_clients HOST PORT READERS MUTE WARM_S SECONDS``.
"""

import asyncio
import contextlib
import json
import re
import secrets
import statistics
import sys
import time
from array import array

_BACK_S = 45.0
_HEAD = 2_000
_NOW = b'data: {"now_ms":'
_RECEIVED = re.compile(rb'"received_ms":(\d+)')
_BUFFER = bytearray(512 * 1024)  # shared: one loop reads one stream at a time


class Delays:
    """What all readers heard."""

    def __init__(self) -> None:
        self.counting = False
        self.line_ms = array("d")  # made by the server → here, whole
        self.event_ms = array("d")  # newest event at the gateway → here, whole
        self.octets = 0
        self.kinds = {b"snapshot": 0, b"delta": 0}
        self.lost = 0


class Reader(asyncio.BufferedProtocol):
    """One browser that reads everything at once."""

    def __init__(self, delays: Delays) -> None:
        self._delays = delays
        self._rest = b""  # end of what was read last: a message may begin in it
        self._made_ms = self._received_ms = 0

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where to read to."""
        return memoryview(_BUFFER)

    def buffer_updated(self, octets: int) -> None:
        """Look for the beginnings and ends of messages."""
        now_ms = time.time() * 1000
        delays = self._delays
        delays.octets += octets if delays.counting else 0
        data: bytes | bytearray = _BUFFER
        end = octets
        if self._rest:
            data = self._rest + _BUFFER[:octets]
            end = len(data)
        at = 0
        while True:
            if self._made_ms:  # inside a message
                over = data.find(b"}\r\n\r\n", at, end)
                if over < 0:
                    self._rest = bytes(data[max(at, end - 8) : end])
                    return
                if delays.counting:
                    delays.line_ms.append(now_ms - self._made_ms)
                    if self._received_ms:
                        delays.event_ms.append(now_ms - self._received_ms)
                self._made_ms, at = 0, over + 5
            start = data.find(_NOW, at, end)
            if start < 0 or (end - start < _HEAD and data.find(b"}\r\n\r\n", start, end) < 0):
                self._rest = bytes(data[at if start >= 0 else max(at, end - _HEAD) : end])
                return
            if delays.counting:
                for kind in delays.kinds:
                    delays.kinds[kind] += data.find(b"event: " + kind, max(at, start - 60), start) >= 0
            first = start + len(_NOW)
            self._made_ms = int(data[first : first + 13])
            found = _RECEIVED.search(bytes(data[first : first + _HEAD]))
            self._received_ms = int(found[1]) if found else 0
            at = first

    def connection_lost(self, error: Exception | None) -> None:
        """A reader is never cut off."""
        self._delays.lost += 1


class Mute(asyncio.Protocol):
    """One that asks and never reads."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Stop reading before anything came."""
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()


async def _ask(host: str, port: int, protocol: asyncio.BaseProtocol) -> asyncio.Transport:
    transport, _ = await asyncio.get_running_loop().create_connection(lambda: protocol, host, port)
    cookie = secrets.token_urlsafe(16)
    transport.write(f"GET /v1/feed HTTP/1.1\r\nHost: {host}\r\nCookie: musee_browser={cookie}\r\n\r\n".encode())
    return transport


async def _mute(host: str, port: int) -> None:
    while True:
        transport = await _ask(host, port, Mute())
        try:
            await asyncio.sleep(_BACK_S)
        finally:
            transport.abort()


async def run(host: str, port: int, readers: int, mute: int, warm_s: float, seconds: float) -> dict[str, float]:
    """Listen for some time; figures of the readers."""
    delays = Delays()
    open_streams = []
    for _ in range(readers):
        open_streams.append(await _ask(host, port, Reader(delays)))
        await asyncio.sleep(0.005)
    silent = [asyncio.create_task(_mute(host, port)) for _ in range(mute)]
    await asyncio.sleep(warm_s)
    cpu_s = time.process_time()
    delays.counting = True
    await asyncio.sleep(seconds)
    delays.counting = False
    cpu_s = time.process_time() - cpu_s
    lost = delays.lost
    for task in silent:
        task.cancel()
    for task in silent:
        with contextlib.suppress(asyncio.CancelledError):
            await task
    for transport in open_streams:
        transport.abort()
    figures: dict[str, float] = {
        "messages": len(delays.line_ms),
        "snapshots": delays.kinds[b"snapshot"],
        "octets": delays.octets,
        "lost": lost,
        "cpu_share": 100 * cpu_s / seconds,
    }
    for name, values in (("line", delays.line_ms), ("event", delays.event_ms)):
        cuts = statistics.quantiles(values, n=100)
        figures |= {f"{name}_p50": cuts[49], f"{name}_p95": cuts[94], f"{name}_p99": cuts[98]}
    return figures


if __name__ == "__main__":
    host, port, readers, mute, warm_s, seconds = sys.argv[1:]
    print(json.dumps(asyncio.run(run(host, int(port), int(readers), int(mute), float(warm_s), float(seconds)))))
