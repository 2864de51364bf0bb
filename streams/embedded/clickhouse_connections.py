"""Connections to the engine inside this process; each is one ClickHouse session: database, settings, temporary tables.

Takes statements, gives bytes and counts. ``open_store`` claims a data directory for this process; one process owns it
until it ends. Blocking: called from worker threads, one at a time per connection.
"""

import fcntl
import itertools
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

# The class that chdb wraps around this hides classify_query and the bytes of messages outside UTF-8.
from chdb import _chdb

from streams.embedded.clickhouse_errors import BAD_ARGUMENTS, QueryRefused, refusal, translated
from streams.errors import StartError

_SETTING = re.compile(r"[A-Za-z_]\w*")
# A real server does not take a bare expression for a SELECT; the embedded engine would.
_LIKE_A_SERVER = "implicit_select=0"
DEFAULT_DATABASE = "default"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a statement gave.

    Attributes:
        data: the result in its output format, or one block of it.
        rows_read: rows taken from tables.
        bytes_read: bytes of these.
        result_rows: rows in ``data``.
        result_bytes: their bytes, before formatting.
        rows_written: rows handed to tables: no proof that they are there.
        bytes_written: bytes of these.
    """

    data: bytes
    rows_read: int = 0
    bytes_read: int = 0
    result_rows: int = 0
    result_bytes: int = 0
    rows_written: int = 0
    bytes_written: int = 0

    def plus(self, block: "Outcome") -> "Outcome":
        """The counts of this and of a further block; the engine gives what was read in full with each."""
        return replace(
            self,
            result_rows=self.result_rows + block.result_rows,
            result_bytes=self.result_bytes + block.result_bytes,
            rows_read=max(self.rows_read, block.rows_read),
            bytes_read=max(self.bytes_read, block.bytes_read),
        )


@dataclass(frozen=True, slots=True)
class Kind:
    """The engine's own judgement of a text, without running it."""

    statements: int
    read_only: bool


class Connection:
    """One session of the engine.

    Args:
        raw: connection of the binding.
        mark: what its queries carry as ``log_comment``, so that they can be killed.
        baseline: settings that the embedded engine starts with, other than the server's defaults.
    """

    def __init__(self, raw: Any, mark: str, baseline: Mapping[str, str]) -> None:
        self.mark = mark
        self._raw = raw
        self._baseline = baseline
        self._in_force: dict[str, str] = {}  # settings other than the baseline
        self._own: dict[str, str] = {}  # those of them that a SET of the client made
        self._database = self._own_database = DEFAULT_DATABASE
        self._stream: Any = None

    def prepare(self, settings: Mapping[str, str], database: str | None) -> None:
        """Bring settings and database to what the next statement wants; what an earlier one wanted ends.

        Raises:
            QueryRefused: no such setting or database, or not that value.
        """
        wanted = {**self._own, **settings}
        changes = {
            name: self._baseline.get(name) for name in self._in_force if name not in wanted and name != "readonly"
        }
        changes |= {name: value for name, value in wanted.items() if self._in_force.get(name) != value}
        if changes:
            # Taken as in force before the engine agrees: a SET that fails half-way is then made again or undone.
            self._in_force |= dict.fromkeys(changes, "")
            self._set(changes)
            self._in_force = wanted
        database = database or self._own_database
        if database != self._database:
            self.query(f"USE {_quoted(database, '`')}".encode(), "Null")
            self._database = database

    def _set(self, changes: Mapping[str, str | None]) -> None:
        # readonly closes the door behind itself.
        ordered = sorted(changes.items(), key=lambda change: change[0] == "readonly")
        parts = []
        for name, value in ordered:
            if not _SETTING.fullmatch(name):
                raise refusal(BAD_ARGUMENTS, "BAD_ARGUMENTS", f"{name!r} is not a name of a setting")
            parts.append(f"{name} = {'DEFAULT' if value is None else _quoted(value)}")
        self.query(f"SET {', '.join(parts)}".encode(), "Null")

    def remember(self, verb: str) -> None:
        """Keep what a SET or USE of the client has changed; for connections that outlive a request."""
        if verb == "USE":
            self._database = self._own_database = _one_value(self.query(b"SELECT currentDatabase()", "TabSeparatedRaw"))
        elif verb == "SET":
            requested = {name: value for name, value in self._in_force.items() if name not in self._own}
            self._in_force = {
                name: value for name, value in changed_settings(self).items() if self._baseline.get(name) != value
            }
            self._own = {name: value for name, value in self._in_force.items() if requested.get(name) != value}

    def kind(self, text: bytes) -> Kind:
        """How many statements a text holds, and whether they only read."""
        found = self._raw.classify_query(text)
        return Kind(found["statement_count"], found["query_class"] == _chdb.query_class.READ_ONLY)  # type: ignore[attr-defined]  # C++ without stubs

    def query(self, text: bytes, output_format: str, params: Mapping[str, str] | None = None) -> Outcome:
        """Run a statement to its end.

        Raises:
            QueryRefused: the engine's answer.
        """
        try:
            return _outcome(self._raw.query(text, output_format, params=dict(params or {})))
        except (RuntimeError, UnicodeDecodeError) as error:
            raise translated(error) from error

    def begin(self, text: bytes, output_format: str, params: Mapping[str, str]) -> Outcome:
        """Start a SELECT and give its first block; no other statement may run before the last or ``cancel``.

        Raises:
            QueryRefused: the engine's answer.
        """
        try:
            self._stream = self._raw.send_query(text, output_format, params=dict(params))
        except (RuntimeError, UnicodeDecodeError) as error:
            raise translated(error) from error
        return self.next_block()

    def next_block(self) -> Outcome:
        """The next block; empty ``data`` after the last.

        Raises:
            QueryRefused: the query failed on its way; no more blocks come.
        """
        try:
            block = _outcome(self._raw.streaming_fetch_result(self._stream))
        except (RuntimeError, UnicodeDecodeError) as error:
            self._stream = None
            raise translated(error) from error
        if not block.data:
            self._stream = None
        return block

    def cancel(self) -> None:
        """End a query whose blocks nobody wants any more."""
        if self._stream is not None:
            with suppress(RuntimeError):  # it may have ended by itself
                self._raw.streaming_cancel_query(self._stream)
            self._stream = None

    def close(self) -> None:
        """End the session."""
        self.cancel()
        self._raw.close()


class Store:
    """The open data directory.

    Args:
        path: absolute.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._numbers = itertools.count(1)
        self._baseline: Mapping[str, str] = {}
        self.keeper = self.connect()  # while one connection is open, so is the engine
        self._baseline = changed_settings(self.keeper)
        self.timezone = _one_value(self.keeper.query(b"SELECT timezone()", "TabSeparatedRaw"))
        self.version = _one_value(self.keeper.query(b"SELECT version()", "TabSeparatedRaw"))

    def connect(self) -> Connection:
        """A new session, about 0.2 ms."""
        mark = f"musee-{next(self._numbers)}"
        raw = _chdb.connect(f"{self._path}?{_LIKE_A_SERVER}&log_comment={mark}")  # type: ignore[attr-defined]  # C++ without stubs
        return Connection(raw, mark, {**self._baseline, "log_comment": mark})


def open_store(path: Path) -> Store:
    """Claim a data directory, made if need be, and open the engine on it.

    Raises:
        StartError: another process has it, or the engine cannot open it.
    """
    path = path.absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
        _ensure_unclaimed(path)
        return _opened_in_silence(path)
    except OSError as error:
        raise StartError(f"ClickHouse data in {path}: {error.strerror}") from error


def changed_settings(connection: Connection) -> dict[str, str]:
    """Settings of a connection that are not the server's defaults."""
    found = connection.query(b"SELECT name, value FROM system.settings WHERE changed", "TabSeparatedRaw")
    pairs = (line.partition("\t") for line in found.data.decode(errors="replace").splitlines())
    return {name: value for name, _, value in pairs if name != "database"}


def _ensure_unclaimed(path: Path) -> None:
    """The engine holds a lock on its file ``status``; asked here, since it would print its own account of it."""
    status = path / "status"
    if not status.exists():
        return
    with status.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = re.search(rb"PID: (\d+)", file.read(200))
            by = f"process {holder[1].decode()}" if holder else "another process"
            raise StartError(f"ClickHouse data in {path} are in use by {by}; stop it or name another folder") from None


def _opened_in_silence(path: Path) -> Store:
    said = os.memfd_create("said")
    stderr = os.dup(2)
    os.dup2(said, 2)
    try:
        return Store(path)
    except (RuntimeError, QueryRefused) as error:
        os.lseek(said, 0, os.SEEK_SET)
        account = " ".join((os.read(said, 2_000).decode(errors="replace") or str(error)).split())
        raise StartError(f"ClickHouse cannot open {path}: {account}") from error
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(said)


def _outcome(result: Any) -> Outcome:
    return Outcome(
        data=result.bytes(),
        rows_read=result.storage_rows_read(),
        bytes_read=result.storage_bytes_read(),
        result_rows=result.rows_read(),
        result_bytes=result.bytes_read(),
        rows_written=result.rows_written(),
        bytes_written=result.bytes_written(),
    )


def _one_value(outcome: Outcome) -> str:
    return outcome.data.decode().rstrip("\n")


def _quoted(text: str, quote: str = "'") -> str:
    escaped = text.replace("\\", "\\\\").replace(quote, f"\\{quote}")
    return f"{quote}{escaped}{quote}"
