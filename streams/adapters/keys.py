"""Secrets on disk: the dev key of the gateway, what the console signs with, and the keys that pseudonyms are made with.

All below ``MUSEE_HOME``, readable by their owner only. A file is made once, also when two processes try at once.
"""

import os
import re
import secrets
import zlib
from functools import lru_cache
from pathlib import Path

from streams.config import Settings
from streams.errors import ConfigError

_KEY_BYTES = 32
SWEEP_S = 60.0  # how often a gateway looks for keys of a day that are due
DAY_KEY_S = 24 * 3600 - 2 * SWEEP_S  # so that none lives for 24 hours while a gateway runs
# Also the draft of one, which outlives a crash between two steps of its making.
_OF_A_DAY = re.compile(r"\d{4}-\d\d-\d\d\.key|\.\d{4}-\d\d-\d\d\.key\.[0-9a-f]+")


def _private(folder: Path) -> None:
    """Make a folder, and what is missing above it, for its owner only."""
    if not folder.is_dir():
        _private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def _make_once(path: Path, content: bytes) -> bytes:
    """The file's content; written first if it is not there, whole or not at all."""
    _private(path.parent)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")  # threads share a process id
    if not path.exists():
        draft.touch(mode=0o600)
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:  # another process was first: its key holds
            pass
        finally:
            draft.unlink()
    return path.read_bytes()


def dev_key(settings: Settings) -> str:
    """The API key for this machine: ``musee_dev_<keyid>_<secret>_<crc>``."""
    if settings.dev_key:
        return settings.dev_key
    body = f"musee_dev_{secrets.token_hex(4)}_{secrets.token_hex(16)}"
    fresh = f"{body}_{zlib.crc32(body.encode()):08x}"
    return _make_once(settings.home / "dev.key", fresh.encode()).decode().strip()


def console_key(settings: Settings) -> bytes:
    """What the console signs sessions with; kept, so that an upgrade signs nobody out."""
    path = settings.home / "console.key"
    key = _make_once(path, secrets.token_bytes(_KEY_BYTES))
    if len(key) != _KEY_BYTES:  # an empty key would sign for everybody
        raise ConfigError(f"{path} holds {len(key)} bytes, not {_KEY_BYTES}: remove it for a new one")
    return key


def known_dev_key(settings: Settings) -> str:
    """The key that the gateway of this home made; for clients, which must not make one of their own.

    Raises:
        ConfigError: there is none.
    """
    if not settings.dev_key and not (settings.home / "dev.key").exists():
        raise ConfigError(
            f"no key in {settings.home}: run this where `musee up` runs, or set MUSEE_HOME or MUSEE_DEV_KEY"
        )
    return dev_key(settings)


class PseudonymKeys:
    """One random key per organisation, purpose and period; deleting its file unlinks what was made with it.

    The key of a day (a period like ``2015-02-03``) is destroyed 24 hours after it was made, whatever day it serves. One
    that was destroyed and is asked for again is made anew: what comes later of that day, a late event or one sent
    again, gets other pseudonyms, so that sessions of that day can no longer be linked to their earlier events. Keys of
    a month stay.
    """

    def __init__(self, home: Path) -> None:
        self._folder = home / "keys"
        self._read = lru_cache(maxsize=4096)(self._load)

    def key(self, org_id: str, purpose: str, period: str) -> bytes:
        """32 random bytes, the same at every call."""
        return self._read(org_id, purpose, period)

    def destroy_expired(self, now_s: float) -> int:
        """Destroy every key of a day that is due, and forget all keys in memory; returns how many were destroyed.

        What another process destroyed is forgotten too: keys that still stand are read again when they are asked for.

        Args:
            now_s: epoch seconds; the age of a key is the age of its file.
        """
        destroyed = 0
        for path in self._folder.glob("*/*/*"):
            if _OF_A_DAY.fullmatch(path.name) is None:
                continue
            try:
                if now_s - path.stat().st_mtime >= DAY_KEY_S:
                    path.unlink()
                    destroyed += 1
            except FileNotFoundError:  # another gateway was first
                continue
        self._read.cache_clear()
        return destroyed

    def _load(self, org_id: str, purpose: str, period: str) -> bytes:
        path = self._folder / org_id / purpose / f"{period}.key"
        key = _make_once(path, secrets.token_bytes(_KEY_BYTES))
        if len(key) != _KEY_BYTES:  # lost in a power cut: an empty key would make pseudonyms that anybody can
            raise ConfigError(
                f"{path} holds {len(key)} bytes, not {_KEY_BYTES}: restore it, or remove it for a new one"
            )
        return key
