"""docker-compose.yml held against the Compose schema and against what it names: settings, verbs, ports, probes, files.

No daemon is at hand: what can be resolved without one is resolved here. ``faults`` gives one sentence each, none when
the files are sound. Whether images hold the commands that ask them is known from their Dockerfiles (``ASKED_BY``).
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import typer
import typer.main
import yaml
from jsonschema import Draft7Validator

from streams import config
from streams.__main__ import app
from streams.adapters import probes
from streams.embedded import jars, kafka, valkey
from streams.errors import ConfigError
from tests import dockerfile

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "tests/vendor/compose-spec/compose-spec.json"
STORES = ("kafka", "redis", "clickhouse")
READY = "/opt/musee/ready.py"
# Image → the command of it that its health check may call.
ASKED_BY = {
    "apache/kafka": "/opt/kafka/bin/kafka-broker-api-versions.sh",
    "valkey/valkey": "valkey-cli",
    "clickhouse/clickhouse-server": "wget",
}
# Where a broker listens and keeps its data is its surroundings' affair; all else is as in the embedded one.
PLACES = {"controller.quorum.voters", "listeners", "advertised.listeners", "log.dirs"}
_VARIABLE = re.compile(r"\$\{(\w+)(?:(:?[-?])([^}]*))?\}")
_PINNED = re.compile(r"[\w./-]+:\d+\.\d+\.\d+[\w.-]*")

Service = Mapping[str, Any]


@dataclass(frozen=True)
class Files:
    """The texts that belong together; paths in them are the checkout's."""

    compose: str
    dockerfile: str
    ignore: str
    example: str
    ready: str

    @classmethod
    def of_checkout(cls) -> "Files":
        """As they are."""
        names = ("docker-compose.yml", "deploy/Dockerfile", ".dockerignore", ".env.example", "deploy/ready.py")
        return cls(*((ROOT / name).read_text() for name in names))


def faults(files: Files) -> list[str]:
    """Everything that is wrong, one sentence each."""
    document = yaml.safe_load(_VARIABLE.sub(lambda found: f"value of {found[1]}".replace(" ", ""), files.compose))
    broken = [f"schema: {'/'.join(map(str, one.path))}: {one.message}" for one in _schema().iter_errors(document)]
    if broken:
        return broken
    services: dict[str, Service] = document["services"]
    found = [*_variables(files), *_volumes(document), *dockerfile.faults(files.dockerfile, files.ignore, ROOT)]
    for name, service in services.items():
        own = list(_store(name, service) if name in STORES else _ours(name, service, files))
        found += [*own, *_common(name, service, services)]
    builders = [name for name, service in services.items() if "build" in service]
    if builders != ["setup"]:
        found.append(f"the image is built by {builders}: setup must, which all the others wait for, and no other")
    found += _kafka(services["kafka"]) + _redis(services["redis"])
    return found


@cache
def _schema() -> Draft7Validator:
    return Draft7Validator(json.loads(SCHEMA.read_text()))


def _variables(files: Files) -> Iterator[str]:
    """Secrets: each is in the example without a value, and without it nothing starts."""
    used = {found[1]: found[2] for found in _VARIABLE.finditer(files.compose)}
    offered = dict(re.findall(r"(?m)^(\w+)=(.*)$", files.example))
    yield from (f"${{{name}}} is not in .env.example" for name in used.keys() - offered.keys())
    yield from (f"{name} of .env.example is used nowhere" for name in offered.keys() - used.keys())
    yield from (f"${{{name}}} may be left out: write ${{{name}:?…}}" for name, kind in used.items() if kind != ":?")
    yield from (f".env.example gives {name} a value that everybody knows" for name, value in offered.items() if value)


def _volumes(document: Mapping[str, Any]) -> Iterator[str]:
    declared = set(document.get("volumes", {}))
    mounted = [one.split(":")[0] for service in document["services"].values() for one in service.get("volumes", ())]
    named = {one for one in mounted if not one.startswith((".", "/"))}
    yield from (f"volume {name} is not declared" for name in named - declared)
    yield from (f"volume {name} is mounted nowhere" for name in declared - named)
    yield from (f"{one}: no such path" for one in mounted if one.startswith(".") and not (ROOT / one).exists())


def _common(name: str, service: Service, services: Mapping[str, Service]) -> Iterator[str]:
    """What holds for stores and programs alike."""
    if not _PINNED.fullmatch(service["image"]):
        yield f"{name}: image {service['image']} is not pinned to a version"
    lasts = service.get("restart") != "no"
    if lasts and "healthcheck" not in service:
        yield f"{name}: no health check"
    if str(service.get("user", "")).partition(":")[0] in ("0", "root") or service.get("privileged"):
        yield f"{name}: runs as root"
    for other, how in service.get("depends_on", {}).items():
        condition = how["condition"]
        if other not in services:
            yield f"{name}: depends on {other}, which is no service"
        elif condition == "service_healthy" and "healthcheck" not in services[other]:
            yield f"{name}: waits until {other} is healthy, which has no health check"
        elif condition == "service_completed_successfully" and services[other].get("restart") != "no":
            yield f"{name}: waits for the end of {other}, which is started again for ever"
        elif name in _needed(other, services):
            yield f"{name}: waits for {other}, which waits for it"


def _needed(name: str, services: Mapping[str, Service]) -> set[str]:
    """Services that must be there before one, also by way of others."""
    found: set[str] = set()
    ahead = [name]
    while ahead:
        for other in services.get(ahead.pop(), {}).get("depends_on", {}):
            if other not in found:
                found.add(other)
                ahead.append(other)
    return found


def _ours(name: str, service: Service, files: Files) -> Iterator[str]:
    """A program of ours: its image, settings, verb, probe, and that its loopback can be reached."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    if service["image"] != f"data-musee:{version}":
        yield f"{name}: image {service['image']}, but this is version {version}"
    for path in service.get("build", {}).values():
        if not (ROOT / path).exists():
            yield f"{name}: build: no such path {path}"
    if service.get("network_mode") != "host":
        yield f"{name}: listens on loopback, which without network_mode: host is its container's own"
    given = {key: str(value) for key, value in service["environment"].items()}
    yield from (f"{name}: {key} is none of our settings" for key in given if not key.startswith(config.PREFIX))
    image = dockerfile.read(files.dockerfile)[-1]
    try:
        settings = config.load({k: v for k, v in (image.environment() | given).items() if k.startswith(config.PREFIX)})
    except ConfigError as fault:
        yield f"{name}: {fault}"
        return
    defaults = config.load({})
    for store in STORES:
        address = getattr(settings, store) or ""  # Kafka's has no scheme
        place = urlsplit(address if "//" in address else f"//{address}")
        if (place.hostname, place.port) != (config.LOOPBACK, getattr(defaults, f"{store}_port")):
            yield f"{name}: {config.PREFIX}{store.upper()} is not where {store} is published"
    for mount in service.get("volumes", ()):
        if mount.split(":")[1] != str(settings.home):
            yield f"{name}: {mount} is not mounted at MUSEE_HOME, {settings.home}"
    yield from (f"{name}: {fault}" for fault in _verb(service.get("command", [])))
    if service.get("restart") != "no":
        yield from (f"{name}: {fault}" for fault in _asked(service, settings, image, files.ready))
        if "setup" not in service.get("depends_on", {}):
            yield f"{name}: does not wait for setup"


def _verb(command: list[str]) -> Iterator[str]:
    """The words are parsed as the command itself would, and nothing is run."""
    words, found = list(command), typer.main.get_command(app)
    context = found.context_class(found, info_name="musee")
    while words and (verbs := getattr(found, "commands", None)):
        if words[0] not in verbs:
            yield f"musee has no verb {words[0]!r}"
            return
        found = verbs[words.pop(0)]
    try:
        found.make_context("musee", words, parent=context)
    except typer.Exit:
        yield f"musee {' '.join(command)}: only shows its help"
    except typer.TyperException as fault:
        yield f"musee {' '.join(command)}: {fault}"


def _asked(service: Service, settings: config.Settings, image: dockerfile.Stage, ready: str) -> Iterator[str]:
    """The health check asks the port and path that the program serves, by a file that is in the image."""
    port = getattr(settings, f"{service['command'][0]}_port", None)
    expected = ["CMD", "python", READY, str(port)]
    if service.get("healthcheck", {}).get("test") != expected:
        yield f"health check {service.get('healthcheck', {}).get('test')}, but the program answers {expected}"
    if ("", ["deploy/ready.py"], READY) not in image.copies():
        yield f"health check: no COPY brings {READY}"
    (path,) = re.findall(r'"GET", "([^"]+)"', ready)
    if path not in {route.path for route in probes.routes(list)}:
        yield f"health check: no program routes {path}"


def _store(name: str, service: Service) -> Iterator[str]:
    """A store of others: published on loopback where our settings look for it, asked by a command that it has."""
    port = getattr(config.load({}), f"{name}_port")
    if service.get("ports") != [f"{config.LOOPBACK}:{port}:{port}"]:
        yield f"{name}: ports {service.get('ports')}, but {config.LOOPBACK}:{port}:{port} is where programs look"
    test = service.get("healthcheck", {}).get("test", [])
    words = " ".join(test[1:])
    if words.split(" ")[0] != ASKED_BY.get(service["image"].partition(":")[0]):
        yield f"{name}: {service['image']} has no command {words.split(' ')[0]!r}"
    yield from (
        f"{name}: health check asks port {asked}" for asked in re.findall(r":(\d+)", words) if asked != str(port)
    )


def _kafka(service: Service) -> list[str]:
    """The broker's settings are those of the embedded one, which the tests run on."""
    settings = config.load({})
    node = kafka.Node(Path("/data"), settings.kafka_port, settings.kafka_controller_port)
    wanted = dict(line.split("=", 1) for line in kafka.server_properties(node, [node]).splitlines())
    given = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): str(value)
        for name, value in service["environment"].items()
        if name != "KAFKA_HEAP_OPTS"
    }
    found = [f"kafka: {name} is missing" for name in wanted.keys() - given.keys()]
    found += [f"kafka: {name} is no setting of the embedded broker" for name in given.keys() - wanted.keys()]
    found += [
        f"kafka: {name} is {given[name]}, not {wanted[name]}"
        for name in (wanted.keys() & given.keys()) - PLACES
        if given[name] != wanted[name]
    ]
    if given.get("advertised.listeners") != wanted["advertised.listeners"]:
        found.append(f"kafka: advertises {given.get('advertised.listeners')}, where no program can reach it")
    if given.get("log.dirs") not in {mount.split(":")[1] for mount in service["volumes"]}:
        found.append(f"kafka: {given.get('log.dirs')} is on no volume")
    if service["image"] != f"apache/kafka:{jars.KAFKA_VERSION}":
        found.append(f"kafka: {service['image']}, but the tests run on {jars.KAFKA_VERSION}")
    return found


def _redis(service: Service) -> list[str]:
    """The options that the live state rests on are those of the embedded server."""
    wanted = valkey.command(Path("/data"), 1)[1:]
    given = service["command"][1:]
    options = dict(zip(given[::2], given[1::2], strict=True))
    needed = {"--appendonly", "--appendfsync", "--aof-load-truncated", "--maxmemory-policy", "--save"}
    expected = {name: value for name, value in zip(wanted[::2], wanted[1::2], strict=True) if name in needed}
    return [
        f"redis: {name} is {options.get(name)!r}, not {expected.get(name)!r}"
        for name in sorted(options.keys() | expected.keys())
        if options.get(name) != expected.get(name)
    ]
