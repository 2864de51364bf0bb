"""The embedded engine at work: runs one order at a time in a thread of its lane, and never two on one connection.

Takes orders (statement, settings, parameters, session), gives blocks. Inserts have threads of their own, so that
dashboards cannot starve the sink. All methods of ``Engine`` block, save ``Lane.run``.
"""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from streams.embedded.clickhouse_connections import Connection, Outcome, Store
from streams.embedded.clickhouse_errors import (
    READONLY,
    SYNTAX_ERROR,
    TOO_MANY_QUERIES,
    QueryRefused,
    refusal,
)
from streams.embedded.clickhouse_sessions import TIMEOUT_S, Sessions
from streams.embedded.clickhouse_sql import Insert, Statement

QUERY_THREADS = 4
INSERT_THREADS = 4
WAITING = 200  # per lane; beyond, a request gets the server's own "too many simultaneous queries"
_PIECES_A_WRITE = 512  # below the system's IOV_MAX

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Order:
    """How a statement is to run.

    Attributes:
        settings: names and values as in the URL.
        params: values of ``{name:Type}``, escaped as in a TabSeparated file.
        database: the current one for this statement, ``None`` for the session's.
        read_only: as ``readonly=2``: settings may change, data may not.
        output_format: of the result, unless the statement names one.
        session_id: of a session to use, ``None`` for a connection of its own.
        session_timeout_s: how long the session may stay idle afterwards.
        session_must_exist: refuse instead of opening a session.
        session_ends: close it afterwards.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    database: str | None = None
    read_only: bool = False
    output_format: str = "TabSeparated"
    session_id: str | None = None
    session_timeout_s: float = TIMEOUT_S
    session_must_exist: bool = False
    session_ends: bool = False


class Lane:
    """Threads for one sort of work, and a queue before them."""

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._most = threads + WAITING
        self.held = 0

    def run(self, work: Callable[[], T], *, is_new: bool = False) -> "asyncio.Future[T]":
        """Start work as soon as a thread is free; to be called in the event loop.

        Args:
            work: to be done.
            is_new: it begins a request, so it may be refused; what has begun must come to its end.

        Raises:
            QueryRefused: too much is waiting.
        """
        if is_new and self.held >= self._most:
            raise refusal(TOO_MANY_QUERIES, "TOO_MANY_SIMULTANEOUS_QUERIES", f"{WAITING} wait already")
        self.held += 1
        future = asyncio.get_running_loop().run_in_executor(self._executor, work)
        future.add_done_callback(self._done)
        return future

    def _done(self, _: "asyncio.Future[T]") -> None:
        self.held -= 1

    def close(self) -> None:
        """Drop what waits, let what runs come to its end."""
        self._executor.shutdown(cancel_futures=True)


class Running:
    """A query whose result comes in blocks; its connection is its own until ``close``.

    Attributes:
        first: the first block, or all of it.
        whole: whether ``first`` is all of it.
        read_only: whether the statement only reads, in the engine's judgement.
    """

    def __init__(
        self,
        engine: "Engine",
        connection: Connection,
        order: Order,
        first: Outcome,
        *,
        whole: bool,
        read_only: bool,
    ) -> None:
        self._engine = engine
        self._connection = connection
        self._order = order
        self.first = first
        self.whole = whole
        self.read_only = read_only

    def next_block(self) -> Outcome:
        """The next block, empty after the last; raises ``QueryRefused`` when the query fails on its way."""
        return self._connection.next_block()

    def close(self) -> None:
        """Free the connection; cancels what is left of the query."""
        self._connection.cancel()
        self._engine.free(self._connection, self._order)


class Engine:
    """One open data directory and the threads that work on it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.sessions = Sessions(store)
        self.queries = Lane("query", QUERY_THREADS)
        self.inserts = Lane("insert", INSERT_THREADS)
        self.errands = Lane("errand", 1)  # kills and clean-ups, never behind a query

    def start(self, statement: Statement, order: Order, *, at_once: bool, mark: Callable[[str], None]) -> Running:
        """Run a statement that carries no data.

        Args:
            statement: a single one.
            order: how to run it.
            at_once: give the whole result as one block.
            mark: told, before the query starts, what ``kill`` needs to end it; not told for what writes.

        Raises:
            QueryRefused: the engine's answer.
        """
        connection = self._connection(order)
        try:
            kind = connection.kind(statement.text)
            if kind.statements > 1:
                raise refusal(SYNTAX_ERROR, "SYNTAX_ERROR", "Syntax error (Multi-statements are not allowed)")
            self._prepare(connection, order, reads=kind.read_only)
            if kind.read_only and "log_comment" not in order.settings:
                mark(connection.mark)
            output_format = statement.format or order.output_format
            streams = kind.read_only and statement.streams_as(output_format) and not at_once
            if streams:
                first = connection.begin(statement.text, output_format, order.params)
            else:
                first = connection.query(statement.text, output_format, order.params)
                if order.session_id is not None:
                    connection.remember(statement.verb)
        except BaseException:
            self.free(connection, order)
            raise
        whole = not streams or not first.data
        return Running(self, connection, order, first, whole=whole, read_only=kind.read_only)

    def insert(self, statement: Insert, data: list[bytes | memoryview], order: Order) -> Outcome:
        """Insert data of a request; returns when the engine holds them.

        The data go through a file in memory. The binding's ``send_insert`` would spare it, and reports success with a
        row count for blocks that the engine refused.

        Args:
            statement: the INSERT.
            data: in pieces; emptied, so that large ones are not held twice.
            order: how to run it.

        Raises:
            QueryRefused: the engine's answer. Of a refused block nothing is kept, save when a materialized view
                raised: then the table may keep the block, as in ClickHouse itself, and the view's target does not.
        """
        connection = self._connection(order)
        try:
            self._prepare(connection, order, reads=False)
            file = os.memfd_create("insert", os.MFD_CLOEXEC)
            try:
                _write(file, data)
                data.clear()
                return connection.query(statement.from_file(f"/proc/self/fd/{file}"), "Null", order.params)
            finally:
                os.close(file)
        finally:
            self.free(connection, order)

    def _connection(self, order: Order) -> Connection:
        if order.session_id is None:
            return self.store.connect()
        return self.sessions.take(order.session_id, must_exist=order.session_must_exist)

    def _prepare(self, connection: Connection, order: Order, *, reads: bool) -> None:
        settings = dict(order.settings)
        if order.session_id is not None:
            # readonly cannot be taken back, and one refusal under it closes the session to writers for good.
            if settings.pop("readonly", "0") != "0":
                raise refusal(READONLY, "READONLY", "readonly needs a request without session_id here")
            if order.read_only and not reads:
                raise refusal(READONLY, "READONLY", "Cannot execute query in readonly mode; it needs POST")
        elif order.read_only and settings.get("readonly") != "1":
            settings["readonly"] = "2"
        connection.prepare(settings, order.database)

    def free(self, connection: Connection, order: Order) -> None:
        """Give a connection back after its order."""
        if order.session_id is None:
            connection.close()
        else:
            self.sessions.give_back(order.session_id, timeout_s=order.session_timeout_s, ends=order.session_ends)

    def kill(self, mark: str) -> None:
        """Ask the engine to end a query; it may take a moment, or have ended already."""
        self._kill(f"Settings['log_comment'] = '{mark}'")

    def kill_reads(self) -> None:
        """Ask the engine to end all queries that only read."""
        self._kill("query_kind = 'Select'")

    def _kill(self, condition: str) -> None:
        self.store.keeper.query(f"KILL QUERY WHERE {condition} ASYNC".encode(), "Null")

    def close(self) -> None:
        """Let what runs come to its end, then close the data directory."""
        for lane in (self.queries, self.inserts, self.errands):
            lane.close()
        self.sessions.close()
        self.store.keeper.close()

    def is_well(self) -> bool:
        """Whether the engine answers."""
        try:
            return self.store.keeper.query(b"SELECT 1", "TabSeparated").data == b"1\n"
        except QueryRefused:
            return False


def _write(file: int, pieces: Sequence[bytes | memoryview]) -> None:
    left = [memoryview(piece) for piece in pieces if len(piece)]
    at = 0
    while at < len(left):
        written = os.writev(file, left[at : at + _PIECES_A_WRITE])
        while written:
            taken = min(written, len(left[at]))
            written -= taken
            left[at] = left[at][taken:]
            at += not left[at]
