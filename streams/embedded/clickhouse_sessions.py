"""Sessions of clients: connections that stay between requests under a ``session_id``.

Takes ids, gives connections, one request at a time each. A session ends some time after its last request. Called from
worker threads.
"""

import threading
import time
from dataclasses import dataclass

from streams.embedded.clickhouse_connections import Connection, Store
from streams.embedded.clickhouse_errors import SESSION_IS_LOCKED, SESSION_NOT_FOUND, TOO_MANY_QUERIES, refusal

TIMEOUT_S = 60  # the server's default_session_timeout
MAX_TIMEOUT_S = 3_600  # and its max_session_timeout
MAX_SESSIONS = 256


@dataclass(slots=True)
class _Session:
    connection: Connection
    busy: bool
    expires_at: float = 0.0


class Sessions:
    """All sessions of the endpoint."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._sessions: dict[str, _Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def take(self, session_id: str, *, must_exist: bool) -> Connection:
        """The session's connection, until ``give_back``; a new session if there is none.

        Raises:
            QueryRefused: it serves another request, or there is none though there must be, or there are too many.
        """
        self.end_idle()
        with self._lock:
            session = self._sessions.get(session_id)
            if session is None:
                if must_exist:
                    raise refusal(SESSION_NOT_FOUND, "SESSION_NOT_FOUND", f"Session {session_id} not found")
                if len(self._sessions) >= MAX_SESSIONS:
                    raise refusal(
                        TOO_MANY_QUERIES, "TOO_MANY_SIMULTANEOUS_QUERIES", f"{MAX_SESSIONS} sessions are open"
                    )
                session = self._sessions[session_id] = _Session(self._store.connect(), busy=True)
            elif session.busy:
                raise refusal(
                    SESSION_IS_LOCKED, "SESSION_IS_LOCKED", f"Session {session_id} is locked by a concurrent client"
                )
            session.busy = True
            return session.connection

    def give_back(self, session_id: str, *, timeout_s: float, ends: bool = False) -> None:
        """Let the session wait for its next request, or end it."""
        with self._lock:
            session = self._sessions.get(session_id)
            if session is None:  # the endpoint is closing
                return
            session.busy = False
            session.expires_at = time.monotonic() + timeout_s
            if ends:
                del self._sessions[session_id]
        if ends:
            session.connection.close()

    def end_idle(self) -> None:
        """End the sessions whose time is over."""
        now = time.monotonic()
        with self._lock:
            over = [name for name, one in self._sessions.items() if not one.busy and one.expires_at <= now]
            ended = [self._sessions.pop(name) for name in over]
        for session in ended:
            session.connection.close()

    def close(self) -> None:
        """End all that serve no request."""
        with self._lock:
            ended = [session for session in self._sessions.values() if not session.busy]
            self._sessions.clear()
        for session in ended:
            session.connection.close()
