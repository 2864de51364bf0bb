"""The real parts that tests run on: Kafka, Valkey and the ClickHouse endpoint, on free ports in a folder of their own.

One of each per test process. A part can be killed, stopped and started again in mid-test, on the same port with the
same data, and dies with the test process, however that ends.
"""

import asyncio
import functools
import itertools
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from streams.adapters import readiness
from streams.adapters.readiness import Probe
from streams.config import LOOPBACK, Settings
from streams.embedded import jars, kafka, stack, valkey
from streams.embedded.child import launched

START_S = 150.0  # eight on a machine that does nothing else
STOP_S = 20.0

# Children die with the thread that started them (see streams.embedded.child), and a test may start one from a thread
# that ends soon. This one lives as long as the process.
_SPAWNER = ThreadPoolExecutor(1, thread_name_prefix="bed")


_BLOCK = 200
_BLOCKS = range(10_000, 32_000, _BLOCK)  # below the ports that the kernel gives to connections that go out


def free_port() -> int:
    """A port that nobody listens on now, and that no other test process on this machine is given.

    What is killed in mid-test comes back on its port: nobody else may have it meanwhile, neither as a listener nor as
    the near end of a connection.
    """
    for port in itertools.islice(_ports(), _BLOCK):
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise RuntimeError("every port of this process is taken")


@functools.cache
def _ports() -> Iterator[int]:
    """The ports of this process, round and round."""
    for first in _BLOCKS:
        mark = socket.socket(socket.AF_UNIX)
        try:
            mark.bind(f"\0musee-tests-{first}")  # a name without a file, free again when the process ends
        except OSError:
            mark.close()
        else:
            _MARKS.append(mark)
            return itertools.cycle(range(first, first + _BLOCK))
    raise RuntimeError(f"{len(_BLOCKS)} test processes run on this machine")


_MARKS: list[socket.socket] = []


def wait_for(claim: Callable[[], bool], *, within_s: float = 60.0, what: str = "it") -> None:
    """Wait until a claim is true. The time is for a machine that does much else; a claim that is true costs none of it.

    Raises:
        TimeoutError: it is still false after ``within_s``.
    """
    deadline = time.monotonic() + within_s
    while not claim():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {within_s:g} s")
        time.sleep(0.05)


async def one_answer(probe: Probe) -> str | None:
    """``asyncio.run`` wants a coroutine, a probe is only awaitable."""
    return await probe()


class Part:
    """One process of the bed. All methods block; from a coroutine call them by ``asyncio.to_thread``."""

    def __init__(
        self,
        name: str,
        address: str,
        command: Sequence[str],
        ready: Probe,
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.address = address
        self.log = log
        self._command = list(command)
        self._ready = ready
        self._env = dict(env or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the running process.

        Raises:
            RuntimeError: it does not run.
        """
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"{self.name} does not run; its log: {self.log}")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process exists, also while it is stopped."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, on the data of before, and wait until it is ready; nothing to do if it runs.

        Raises:
            RuntimeError: not ready in time, with the end of its log.
        """
        self.spawn()
        reason = _SPAWNER.submit(self._ask).result()
        if reason is not None:
            self.kill()
            raise RuntimeError(f"{self.name}: {reason}; its log ends\n{self.log.read_text(errors='replace')[-2000:]}")

    def spawn(self) -> None:
        """Start it without waiting; nothing to do if it runs."""
        if not self.running:
            self._process = _SPAWNER.submit(self._spawn).result()

    def _spawn(self) -> subprocess.Popen[bytes]:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            return subprocess.Popen(
                launched(self._command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._env},
                start_new_session=True,
            )

    def _ask(self) -> str | None:
        deadline = time.monotonic() + START_S
        while (reason := asyncio.run(one_answer(self._ready))) is not None:
            if not self.running or time.monotonic() > deadline:
                return reason
            time.sleep(0.05)
        return None

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def terminate(self) -> None:
        """SIGTERM, and wait until it is gone; SIGKILL after 20 s."""
        if self._process is not None:
            self._process.terminate()
            self.cont()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()

    def stop(self) -> None:
        """SIGSTOP: it hangs, its sockets stay open."""
        os.kill(self.pid, signal.SIGSTOP)

    def cont(self) -> None:
        """SIGCONT: it goes on."""
        if self.running:
            os.kill(self.pid, signal.SIGCONT)


class Bed:
    """Kafka, Redis and ClickHouse of one test session. ``address`` of a part is what the setting of its name takes."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self.cache = cache
        self.controller_port = free_port()
        ports = {name: free_port() for name in ("kafka", "redis", "clickhouse")}
        self._node = kafka.Node(folder / "kafka", ports["kafka"], self.controller_port)
        (folder / "redis").mkdir(parents=True, exist_ok=True)
        servers = f"{LOOPBACK}:{ports['kafka']}"
        self.kafka = self._part(
            "kafka", servers, kafka.command(self._node), readiness.kafka(servers), kafka.ENVIRONMENT
        )
        url = f"redis://{LOOPBACK}:{ports['redis']}/0"
        self.redis = self._part("redis", url, valkey.command(folder / "redis", ports["redis"]), readiness.redis(url))
        url = f"http://{LOOPBACK}:{ports['clickhouse']}"
        command = stack.clickhouse_command(folder / "clickhouse", ports["clickhouse"])
        self.clickhouse = self._part("clickhouse", url, command, readiness.http(f"{url}/ping"))

    def _part(
        self, name: str, address: str, command: list[str], ready: Probe, env: Mapping[str, str] | None = None
    ) -> Part:
        return Part(name, address, command, ready, log=self.folder / "logs" / f"{name}.log", env=env)

    @property
    def parts(self) -> tuple[Part, Part, Part]:
        """All of it."""
        return self.kafka, self.redis, self.clickhouse

    def start(self, *names: str) -> None:
        """Start what does not run, all at once or those named; fetches Kafka's jars the first time."""
        wanted = [part for part in self.parts if not names or part.name in names]
        if self.kafka in wanted and not self.kafka.running:
            kafka.prepare(self._node, jars.fetch(self.cache))
        # Spawned first, asked then: they come up side by side.
        for part in wanted:
            part.spawn()
        for part in wanted:
            part.start()

    def close(self) -> None:
        """End all parts; nothing is left running.

        Raises:
            AssertionError: something that this process or a part of the bed started still runs.
        """
        started = [psutil.Process(part.pid) for part in self.parts if part.running]
        family = [child for one in started for child in [one, *one.children(recursive=True)]]
        for part in self.parts:
            part.terminate()
        _, left = psutil.wait_procs(family, timeout=30)
        assert not left, f"still running after the tests: {left}"

    def settings(self, home: Path, **changes: object) -> Settings:
        """Settings of programs that use this bed, each listening on a free port."""
        ports = {f"{name}_port": free_port() for name in ("console", "gateway", "agents", "sink")}
        return Settings.model_validate(
            {
                "home": home,
                "cache": self.cache,
                "kafka": self.kafka.address,
                "redis": self.redis.address,
                "clickhouse": self.clickhouse.address,
                **ports,
                **changes,
            }
        )
