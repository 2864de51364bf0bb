"""What runs in a home: the lock of its one supervisor, and ``run/stack.json`` with every pid.

Takes and gives frozen records. A pid alone proves nothing, since it may have been given to someone else by now: each is
kept with its process's start time. Written by the supervisor; read by ``musee status`` and ``musee down``.
"""

import fcntl
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from streams.errors import StartError

_SAME_START_S = 2.0  # the start time is reckoned from the boot time, which moves when the clock is set
_GONE_S = 10.0


class Process(msgspec.Struct, frozen=True):
    """A process, told from a later one with the same pid by its start time (epoch seconds)."""

    pid: int
    started: float

    def alive(self) -> bool:
        """Whether this very process still runs; a zombie does not."""
        import psutil

        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.started) < _SAME_START_S
            return same and found.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it is still this process."""
        if self.alive():
            with suppress(ProcessLookupError):  # it may end between the look and the signal
                os.kill(self.pid, number)


class Part(msgspec.Struct, frozen=True):
    """A child as last started. ``process`` is ``None`` while it waits to be started again."""

    process: Process | None
    ports: tuple[int, ...]
    log: str
    restarts: int = 0


class Stack(msgspec.Struct, frozen=True):
    """One supervisor and its children, in start order."""

    supervisor: Process
    home: str
    state: str  # starting, running, stopping
    versions: dict[str, str]
    settings: dict[str, str]  # as environment variables, without secrets
    parts: dict[str, Part]

    def processes(self) -> list[Process]:
        """The children that were running at the last writing."""
        return [part.process for part in self.parts.values() if part.process]


def process(pid: int) -> Process:
    """The running process with this pid; a start time of 0 if it is gone already."""
    import psutil

    try:
        return Process(pid, psutil.Process(pid).create_time())
    except psutil.Error:
        return Process(pid, 0.0)


def stack_file(home: Path) -> Path:
    """Where the record of a home lies."""
    return home / "run" / "stack.json"


def lock_file(home: Path) -> Path:
    """The file that the supervisor of a home holds locked."""
    return home / "run" / "lock"


def write(home: Path, stack: Stack) -> None:
    """Replace the record, whole or not at all."""
    path = stack_file(home)
    draft = path.with_suffix(".part")
    draft.touch(mode=0o600)  # an URL among the settings may carry a password
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(stack), indent=1))
    draft.replace(path)


def read(home: Path) -> Stack | None:
    """The record of a home, ``None`` if nothing runs there (or the file is not one of ours)."""
    try:
        return msgspec.json.decode(stack_file(home).read_bytes(), type=Stack)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None


def forget(home: Path) -> None:
    """Remove the record: nothing runs any more."""
    stack_file(home).unlink(missing_ok=True)


class Lock:
    """The right to run the stack of a home; held until closed or until the process ends, however it ends.

    Not inherited: the file descriptor closes in every child that executes something else.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._file: int | None = None

    def __enter__(self) -> Self:
        """Take it.

        Raises:
            StartError: another supervisor has it, or the folder cannot be written; one line.
        """
        path = lock_file(self._home)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StartError(f"{path}: {error.strerror}; MUSEE_HOME moves it") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = path.read_text(encoding="ascii").strip() or "unknown"
            os.close(self._file)
            raise StartError(
                f"the stack of {self._home} already runs, pid {pid}: "
                "stop it with `musee down`, or start another with MUSEE_HOME and other ports"
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back; the file stays."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def end(processes: Iterable[Process], *, patience_s: float = _GONE_S) -> list[int]:
    """Make sure that these processes are gone: SIGTERM and some patience, then SIGKILL; the pids that had to be ended.

    For what a killed supervisor left behind. On Linux the kernel has usually done it already.
    """
    left = [one for one in processes if one.alive()]
    ended = [one.pid for one in left]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for one in left:
            one.signal(number)
            one.signal(signal.SIGCONT)  # a stopped process takes no SIGTERM
        deadline = time.monotonic() + patience_s
        while left and time.monotonic() < deadline:
            time.sleep(0.05)
            left = [one for one in left if one.alive()]
    return ended
