"""Runs a set of processes that need each other: start order by readiness, restarts with back-off, an orderly stop.

Takes ``Child`` and ``Step`` descriptions, gives nothing until everything has stopped; says what changes in one line
each. Knows nothing of what the children are; ``streams.embedded.stack`` does. Must run in the main thread, since the
children die with the thread that started them.
"""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from streams.adapters.readiness import Probe
from streams.embedded import record
from streams.embedded.child import launched
from streams.errors import StartError

ROTATE_BYTES = 10 * 1024 * 1024
_READY_EVERY_S = 0.1
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Child:
    """A process to keep running.

    Attributes:
        name: short, unique; also the name of its log.
        command: argument list.
        env: added to the supervisor's environment.
        prepare: done before its first start, e.g. formatting a folder.
        ready: asked until it gives ``None``; no probe means ready as soon as started.
        needs: names that must be ready before it is started the first time.
        ports: for the record only.
        stop_signal: asks it to stop.
        stop_timeout_s: then it is killed.
        start_timeout_s: for its first start; later ones may take as long as they need.
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], Awaitable[None]] | None = None
    ready: Probe | None = None
    needs: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 10.0
    start_timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Step:
    """Something to be done once, in this process, when its needs are ready. An error ends the start."""

    name: str
    run: Callable[[], Awaitable[None]]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before a dead child is started again.

    ``delay_s`` after the first death, doubled by each further one up to ``longest_s``, as after the first again once it
    has been healthy for ``healthy_s``.
    """

    delay_s: float = 0.5
    longest_s: float = 30.0
    healthy_s: float = 60.0

    def delay(self, deaths: int) -> float:
        """Seconds to wait after that many deaths in a row, 1 being the first."""
        return min(self.longest_s, self.delay_s * 2.0 ** min(deaths - 1, 30))


class _Kept:
    """What the supervisor knows about one part."""

    def __init__(self, part: Child | Step) -> None:
        self.part = part
        self.up = asyncio.Event()
        self.process: asyncio.subprocess.Process | None = None
        self.identity: record.Process | None = None
        self.restarts = 0


class Supervisor:
    """Keeps the parts of one home running.

    Args:
        parts: in the order they should be listed; needs may only name earlier ones.
        home: logs go to ``home/logs``, the record to ``home/run``. The caller holds its lock.
        say: told one line for each change.
        versions, settings: kept in the record, for `musee status` from another shell.
        backoff: of dead children.
    """

    def __init__(
        self,
        parts: Sequence[Child | Step],
        *,
        home: Path,
        say: Say,
        versions: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        names: set[str] = set()
        for part in parts:
            if missing := set(part.needs) - names:
                raise ValueError(f"{part.name} needs {sorted(missing)}, which come later or not at all")
            names.add(part.name)
        self._home = home
        self._logs = home / "logs"
        self._say = say
        self._versions = dict(versions or {})
        self._settings = dict(settings or {})
        self._backoff = backoff or Backoff()
        self._kept = {part.name: _Kept(part) for part in parts}
        self._me = record.process(os.getpid())
        self._state = "starting"
        self._told = asyncio.Event()  # somebody wants us to stop
        self._hurry = asyncio.Event()  # and said so twice
        self._fault: BaseException | None = None
        self._faulty = asyncio.Event()

    async def run(self, on_up: Callable[[], None] = lambda: None) -> None:
        """Start everything, call ``on_up`` once all is ready, keep it running until SIGINT, SIGTERM or SIGHUP.

        Raises:
            StartError: a part did not become ready in time or a step failed; everything was stopped first.
        """
        loop = asyncio.get_running_loop()
        heard = [number for number in _STOP_SIGNALS if not _under_nohup(number)]
        for number in heard:
            loop.add_signal_handler(number, self.stop)
        self._logs.mkdir(parents=True, exist_ok=True)
        self._record()
        tasks = [asyncio.create_task(self._guard(kept)) for kept in self._kept.values()]
        try:
            await self._until(self._all_up())
            if not self._told.is_set():
                self._state = "running"
                self._record()
                on_up()
                await self._until(self._told.wait())
        finally:
            await self._stop_all(tasks)
            for number in heard:
                loop.remove_signal_handler(number)

    def stop(self) -> None:
        """Ask for an orderly stop; asked again, for a quick one."""
        if self._told.is_set():
            self._hurry.set()
        self._told.set()

    async def _all_up(self) -> None:
        for kept in self._kept.values():
            await kept.up.wait()

    async def _until(self, aim: Awaitable[object]) -> None:
        """Wait for ``aim``, for being told to stop, or for a fault, which is raised."""
        events = (aim, self._told.wait(), self._faulty.wait())
        watched = [asyncio.ensure_future(event) for event in events]
        try:
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in watched:
                task.cancel()
        if self._fault is not None:
            raise self._fault

    async def _guard(self, kept: _Kept) -> None:
        """Run one part; whatever it raises ends the start, or stops a running stack."""
        try:
            for name in kept.part.needs:
                await self._kept[name].up.wait()
            if isinstance(kept.part, Step):
                await self._do(kept, kept.part)
            else:
                await self._keep(kept, kept.part)
        except Exception as error:  # noqa: BLE001 - carried to `run`, which raises it
            self._fault = self._fault or error
            self._faulty.set()

    async def _do(self, kept: _Kept, step: Step) -> None:
        began = time.monotonic()
        await step.run()
        self._say_ready(step.name, began)
        kept.up.set()

    async def _keep(self, kept: _Kept, child: Child) -> None:
        """Start a child, and again each time it dies."""
        deadline = time.monotonic() + child.start_timeout_s
        deaths = 0
        began = time.monotonic()
        if child.prepare is not None:
            await child.prepare()
        while True:
            process = await self._spawn(kept, child)
            watching = asyncio.create_task(self._until_ready(kept, child, began, deadline))
            ended = asyncio.create_task(process.wait())
            try:
                # A probe that gives up raises here, while the process may run on.
                await asyncio.wait({watching, ended}, return_when=asyncio.FIRST_COMPLETED)
                if watching.done():
                    ready_at = watching.result()
                    await ended
                else:
                    ready_at = None
            finally:
                watching.cancel()
                ended.cancel()
            healthy_s = 0.0 if ready_at is None else time.monotonic() - ready_at
            deaths = 1 if healthy_s >= self._backoff.healthy_s else deaths + 1
            delay_s = self._backoff.delay(deaths)
            kept.process = kept.identity = None
            kept.restarts += 1
            self._record()
            cause = _cause(process.returncode)
            self._say(f"{child.name} died ({cause}), again in {delay_s:g} s; log: {self._log(child)}")
            await asyncio.sleep(delay_s)
            began = time.monotonic()

    async def _until_ready(self, kept: _Kept, child: Child, began: float, deadline: float) -> float:
        """Ask until ready; gives the moment. Only a first start has a deadline."""
        while child.ready is not None and (reason := await child.ready()) is not None:
            if not kept.up.is_set() and time.monotonic() > deadline:
                raise StartError(
                    f"{child.name} was not ready within {child.start_timeout_s:g} s: {reason}; "
                    f"its log ends: {_last_line(self._log(child))} ({self._log(child)})"
                )
            await asyncio.sleep(_READY_EVERY_S)
        self._say_ready(child.name, began, again=kept.restarts > 0)
        kept.up.set()
        return time.monotonic()

    async def _spawn(self, kept: _Kept, child: Child) -> asyncio.subprocess.Process:
        """Start the process in a session of its own, so that Ctrl-C reaches only the supervisor."""
        path = self._log(child)
        rotate(path)
        with path.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *launched(child.command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **child.env},
                start_new_session=True,
            )
        kept.process = process
        kept.identity = record.process(process.pid)
        self._record()
        return process

    async def _stop_all(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Stop every child once those that need it have stopped."""
        self._state = "stopping"
        self._record()
        self._told.set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        running = [kept for kept in self._kept.values() if kept.process is not None]
        if running:
            self._say("stopping …")
        users: dict[str, set[str]] = {name: set() for name in self._kept}
        for kept in self._kept.values():
            for name in kept.part.needs:
                users[name].add(kept.part.name)
        stopped = {name: asyncio.Event() for name in self._kept}

        async def stop(name: str) -> None:
            for user in users[name]:
                await stopped[user].wait()
            await self._stop_one(self._kept[name])
            stopped[name].set()

        await asyncio.gather(*(stop(name) for name in self._kept))
        record.forget(self._home)

    async def _stop_one(self, kept: _Kept) -> None:
        process, child = kept.process, kept.part
        if process is None or isinstance(child, Step):
            return
        began = time.monotonic()
        ended = asyncio.create_task(process.wait())
        with suppress(ProcessLookupError):
            process.send_signal(child.stop_signal)
            process.send_signal(signal.SIGCONT)  # a stopped process would not see it
        hurry = asyncio.create_task(self._hurry.wait())
        await asyncio.wait({ended, hurry}, timeout=child.stop_timeout_s, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        killed = not ended.done()
        if killed:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # it leads a session of its own
        await ended
        kept.process = kept.identity = None
        self._record()
        how = "killed" if killed else "stopped"
        self._say(f"{child.name} {how} ({time.monotonic() - began:.1f} s)")

    def _say_ready(self, name: str, began: float, *, again: bool = False) -> None:
        self._say(f"{name} ready{' again' if again else ''} ({time.monotonic() - began:.1f} s)")

    def _log(self, child: Child) -> Path:
        return self._logs / f"{child.name}.log"

    def _record(self) -> None:
        parts = {
            name: record.Part(kept.identity, kept.part.ports, str(self._log(kept.part)), kept.restarts)
            for name, kept in self._kept.items()
            if isinstance(kept.part, Child)
        }
        stack = record.Stack(self._me, str(self._home), self._state, self._versions, self._settings, parts)
        try:
            record.write(self._home, stack)
        except OSError as error:  # a full disk must not keep us from stopping the children
            self._say(f"cannot write {record.stack_file(self._home)}: {error.strerror}")


def rotate(path: Path) -> None:
    """Put a log aside that has grown beyond 10 MB; the one put aside before is dropped."""
    with suppress(FileNotFoundError):
        if path.stat().st_size > ROTATE_BYTES:
            path.replace(path.with_name(path.name + ".1"))


def _under_nohup(number: signal.Signals) -> bool:
    return number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN


def _cause(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit {code}"


def _last_line(path: Path) -> str:
    """The last words in a log, for an error text; 200 characters at most."""
    with suppress(OSError), path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - 4_096))
        lines = log.read().decode(errors="replace").split("\n")
        for line in reversed(lines):
            if line.strip():
                return line.strip()[:200]
    return "(empty)"
