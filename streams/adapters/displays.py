"""Tokens of walls: each opens the wall of one site, to look only, until it is revoked.

They lie in ``MUSEE_HOME/displays.json``, readable by their owner only, by the hash of each; a token itself is shown
once, when it is made. Written by ``musee display``; read by the console, which notices within a request that the file
has changed.
"""

import fcntl
import hashlib
import hmac
import os
import secrets
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import structlog

from streams.errors import ConfigError

log = structlog.get_logger(__name__)

_PREFIX = "musee_display_"


class Display(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A wall that may be opened: ``sha256`` of its token in hex, ``note`` for people, ``made_ms`` in epoch ms, UTC."""

    display_id: str
    site_id: str
    sha256: str
    note: str
    made_ms: int


class Displays:
    """The displays of a home, as its file tells them now.

    Args:
        home: ``MUSEE_HOME``.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / "displays.json"
        self._seen: tuple[int, int, int] | None = None
        self._known: dict[str, Display] = {}

    def all(self) -> list[Display]:
        """Every display, oldest first.

        Raises:
            ConfigError: the file is none of ours.
        """
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return []
        try:
            return msgspec.json.decode(content, type=list[Display])
        except msgspec.MsgspecError as error:
            raise ConfigError(f"{self._path}: {error}; remove it, and make the displays anew") from None

    def add(self, site_id: str, note: str = "") -> tuple[Display, str]:
        """Make a display; the second is its token, which cannot be had again."""
        with self._changing():
            known = self.all()
            display_id = secrets.token_hex(4)
            while any(one.display_id == display_id for one in known):
                display_id = secrets.token_hex(4)
            body = f"{_PREFIX}{display_id}_{secrets.token_hex(16)}"
            token = f"{body}_{zlib.crc32(body.encode()):08x}"
            made = Display(display_id, site_id, _hashed(token), note, time.time_ns() // 1_000_000)
            self._write([*known, made])
        return made, token

    def revoke(self, display_id: str) -> Display:
        """Forget a display: its open stream ends within seconds, and its token opens nothing any more.

        Raises:
            ConfigError: there is none with this id.
        """
        with self._changing():
            known = self.all()
            found = next((one for one in known if one.display_id == display_id), None)
            if found is None:
                raise ConfigError(f"{display_id}: no display has this id; musee display list shows them")
            self._write([one for one in known if one is not found])
        return found

    def of(self, token: str) -> Display | None:
        """The display that a token opens, ``None`` if it opens nothing."""
        display = self.get(token.removeprefix(_PREFIX).partition("_")[0])
        return display if display and hmac.compare_digest(display.sha256, _hashed(token)) else None

    def get(self, display_id: str) -> Display | None:
        """The display with this id, ``None`` once it was revoked. A file that cannot be read knows no display."""
        try:
            status = self._path.stat()
        except OSError:
            self._seen, self._known = None, {}
            return None
        seen = (status.st_mtime_ns, status.st_ino, status.st_size)
        if seen != self._seen:
            self._seen = seen
            try:
                self._known = {one.display_id: one for one in self.all()}
            except (ConfigError, OSError) as error:
                log.warning("displays cannot be read: no wall is let in", error=str(error))
                self._known = {}
        return self._known.get(display_id)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Alone, whoever else changes the file at this moment."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _write(self, displays: list[Display]) -> None:
        """Replace the file, whole or not at all."""
        draft = self._path.with_name(f".{self._path.name}.{secrets.token_hex(8)}")
        draft.touch(mode=0o600)
        with draft.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(displays), indent=2))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
