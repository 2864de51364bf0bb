"""Whether a port of ours is free; if not, who holds it and which setting moves us.

Takes port numbers, gives sentences. Used before ``musee up`` starts anything, and by ``musee doctor``.
"""

import errno
import os
import shlex
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from streams.config import LOOPBACK, PREFIX, Settings
from streams.errors import ConfigError, StartError

_COMMAND_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Claim:
    """A port that one of our parts is about to listen on; ``setting`` is the field that moves it."""

    part: str
    port: int
    setting: str
    host: str = LOOPBACK

    @property
    def variable(self) -> str:
        """The environment variable of the setting."""
        return PREFIX + self.setting.upper()


def claims(settings: Settings) -> list[Claim]:
    """The ports that ``musee up`` will listen on: none for a service of your own."""
    embedded = [
        (settings.kafka is None, "kafka", "kafka_port"),
        (settings.kafka is None, "kafka", "kafka_controller_port"),
        (settings.redis is None, "redis", "redis_port"),
        (settings.clickhouse is None, "clickhouse", "clickhouse_port"),
    ]
    programs = [(True, part, f"{part}_port") for part in ("gateway", "agents", "sink", "console")]
    hosts = dict.fromkeys(("console", "gateway"), str(settings.bind))
    return [
        Claim(part, getattr(settings, setting), setting, hosts.get(part, LOOPBACK))
        for ours, part, setting in [*embedded, *programs]
        if ours
    ]


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether we could listen there now. A port in TIME_WAIT counts as free, as our servers reuse addresses.

    Raises:
        StartError: the system does not let us listen there at all, e.g. below 1024.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise StartError(f"port {port}: {error.strerror}") from error
    return True


def holder(port: int) -> str:
    """Who listens on a port: ``pid 4711 (redis-server *:6379)``, or that it is another user's process."""
    import psutil

    try:
        listening = [
            one.pid
            for one in psutil.net_connections(kind="tcp")
            if one.laddr and one.laddr.port == port and one.status == psutil.CONN_LISTEN
        ]
    except psutil.AccessDenied:  # macOS tells root only
        listening = []
    pids = sorted({pid for pid in listening if pid})
    if not pids:
        return "another user's process"
    return " and ".join(_described(pid) for pid in pids)


def _described(pid: int) -> str:
    import psutil

    try:
        process = psutil.Process(pid)
        command = " ".join(shlex.join(process.cmdline()).split()) or process.name()
    except psutil.Error:
        return f"pid {pid}"
    if len(command) > _COMMAND_CHARACTERS:
        command = command[: _COMMAND_CHARACTERS - 1] + "…"
    return f"this process, pid {pid}" if pid == os.getpid() else f"pid {pid} ({command})"


def taken(wanted: Iterable[Claim]) -> list[str]:
    """One sentence for each port that is not free: part, port, holder and the setting."""
    return [
        f"port {claim.port} of {claim.part} is held by {holder(claim.port)}; "
        f"stop it, or move ours with {claim.variable}"
        for claim in wanted
        if not is_free(claim.port, claim.host)
    ]


def ensure_free(wanted: list[Claim]) -> None:
    """Refuse to start when a port is taken or wanted twice.

    Raises:
        ConfigError: two settings name the same port.
        StartError: one line for each taken port.
    """
    by_port: dict[int, Claim] = {}
    for claim in wanted:
        other = by_port.setdefault(claim.port, claim)
        if other is not claim:
            raise ConfigError(f"{claim.variable}={claim.port}: {other.variable} has the same port")
    faults = taken(wanted)
    if faults:
        raise StartError("\n".join(faults))
