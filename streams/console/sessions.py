"""Sessions of people: who signed in by a token, until when, and the value that proves a form to be ours.

A session is a signed cookie, ``role.issued.id.mac``, good for ``LIFE_S`` and only while the token that opened it is
the one of the settings: a new token signs out everybody who used the old one. Nothing is kept but the ids of those who
signed out before their time. Used by ``console.access``.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Literal

from streams.config import Settings

Role = Literal["operator", "viewer", "display"]

LIFE_S = 12 * 3600  # a duty; who is still there signs in again


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who signed in; ``issued_s`` in epoch seconds."""

    role: Literal["operator", "viewer"]
    issued_s: int
    session_id: str

    @property
    def ends_s(self) -> int:
        """When it is over, epoch seconds."""
        return self.issued_s + LIFE_S


class Sessions:
    """Makes sessions, reads them back and ends them.

    Args:
        settings: with the tokens.
        key: what is signed with, 32 bytes.
    """

    def __init__(self, settings: Settings, key: bytes) -> None:
        self._key = key
        self._tokens: dict[Literal["operator", "viewer"], str] = {}
        if settings.operator_token:
            self._tokens["operator"] = settings.operator_token
        if settings.viewer_token:
            self._tokens["viewer"] = settings.viewer_token
        self._ended: dict[str, int] = {}

    @property
    def needed(self) -> bool:
        """Whether anybody has to sign in at all."""
        return bool(self._tokens)

    def role_of(self, token: str) -> Literal["operator", "viewer"] | None:
        """Whose token it is; as long to find out for a wrong one as for a right one."""
        given = token.encode()
        held = {role: hmac.compare_digest(given, known.encode()) for role, known in self._tokens.items()}
        return next((role for role, same in held.items() if same), None)

    def begin(self, role: Literal["operator", "viewer"], now_s: float) -> str:
        """The cookie of a new session."""
        session = Session(role, int(now_s), secrets.token_urlsafe(16))
        return f"{session.role}.{session.issued_s}.{session.session_id}.{self._mac(session)}"

    def read(self, cookie: str, now_s: float) -> Session | None:
        """The session of a cookie, ``None`` if it is none of ours, over, or signed out."""
        match cookie.split("."):
            case [("operator" | "viewer") as role, issued, session_id, mac] if issued.isascii() and issued.isdigit():
                session = Session(role, int(issued[:12]), session_id)
            case _:
                return None
        if role not in self._tokens or not hmac.compare_digest(mac.encode(), self._mac(session).encode()):
            return None
        return session if self.stands(session.session_id, session.ends_s, now_s) else None

    def stands(self, session_id: str, ends_s: float, now_s: float) -> bool:
        """Whether a session that was read before is still good."""
        return now_s < ends_s and session_id not in self._ended

    def end(self, session_id: str, now_s: float) -> None:
        """Sign out."""
        self._ended = {one: until for one, until in self._ended.items() if until > now_s}
        self._ended[session_id] = int(now_s) + LIFE_S

    def csrf(self, of: str) -> str:
        """What a form of ours carries and a foreign page cannot know; one per session."""
        return self._signed(f"csrf.{of}")

    def _mac(self, session: Session) -> str:
        opened_by = hashlib.sha256(self._tokens[session.role].encode()).hexdigest()
        return self._signed(f"session.{session.role}.{session.issued_s}.{session.session_id}.{opened_by}")

    def _signed(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()
