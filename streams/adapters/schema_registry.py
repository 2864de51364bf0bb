"""Another registry than ours: any that speaks Confluent's paths, named by ``MUSEE_SCHEMA_REGISTRY``.

At a program's start every schema of ours is looked up there, and its ids are the ones written from then on; what was
written with our own ids stays readable. Without the setting nothing is asked and nothing changes. Called by the
programs and by the verbs that frame values; ``musee schema push`` registers what is missing.
"""

import json
from collections import Counter
from contextlib import closing
from urllib.parse import quote, urlsplit

import httpx2

from streams.adapters import compatibility, registry
from streams.config import Settings
from streams.errors import ConfigError, Unavailable
from streams.topology import FAMILIES

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
_UNKNOWN = {40401, 40402, 40403}  # subject, version, schema
_TIMEOUT_S = 10.0
_LARGEST_ID = 2**31 - 1  # of Confluent's ids; framing has four bytes for it


def subject(name: str) -> str:
    """Subject of a schema by Confluent's TopicNameStrategy: ``ticket-scan.v2`` → ``musee.ticket-scan.v1-value``."""
    family = compatibility.family(name)
    topics = {one.name: one.topic for one in FAMILIES}
    return f"{topics.get(family, f'musee.{family}.v1')}-value"


def text(name: str) -> str:
    """A schema as it is registered: the file, docs included, without its layout."""
    return json.dumps(registry.by_name(name).definition, separators=(",", ":"), ensure_ascii=False)


class Registry:
    """One registry by its URL; user and password may stand in it and are never shown."""

    def __init__(self, url: str) -> None:
        self._client = httpx2.Client(base_url=url, timeout=_TIMEOUT_S, headers={"Accept": MEDIA_TYPE})
        parts = urlsplit(url)
        self.name = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)

    def close(self) -> None:
        """Disconnect."""
        self._client.close()

    def look_up(self, name: str) -> int | None:
        """The id that a schema of ours has there, ``None`` if it was never registered.

        Raises:
            Unavailable: the registry does not answer.
            ConfigError: it refuses to say.
        """
        return self._post(f"/subjects/{quote(subject(name), safe='')}", name)

    def register(self, name: str) -> int:
        """Register a schema of ours, to be the next version of its subject, and return its id; raises as above."""
        number = self._post(f"/subjects/{quote(subject(name), safe='')}/versions", name)
        if number is None:
            raise ConfigError(f"{self.name} has no path to register a schema: is it a registry?")
        return number

    def _post(self, path: str, name: str) -> int | None:
        body = json.dumps({"schema": text(name), "schemaType": "AVRO"})
        try:
            answer = self._client.post(path, content=body, headers={"Content-Type": MEDIA_TYPE})
        except httpx2.TransportError as error:
            raise Unavailable("schema-registry", f"{self.name}: {str(error) or type(error).__name__}") from error
        try:
            told = answer.json()
        except ValueError:
            told = {}
        told = told if isinstance(told, dict) else {}
        if answer.status_code == 404 and told.get("error_code") in _UNKNOWN:
            return None
        if answer.status_code >= 500:
            raise Unavailable("schema-registry", f"{self.name} answers {answer.status_code}")
        if answer.is_success and isinstance(told.get("id"), int) and 1 <= told["id"] <= _LARGEST_ID:
            return int(told["id"])
        why = told.get("message") or answer.text[:200]
        raise ConfigError(f"MUSEE_SCHEMA_REGISTRY: {self.name} answers {answer.status_code} for {name}: {why}")


def adopt(settings: Settings) -> Settings:
    """Take over the ids of the registry that the settings name, if they name one; returns the settings.

    Raises:
        Unavailable: it does not answer.
        ConfigError: a schema of ours is not there, or its ids would make old records read as something else.
    """
    if settings.schema_registry is None:
        return settings
    with closing(Registry(settings.schema_registry)) as there:
        found = {name: there.look_up(name) for name in registry.ids()}
    missing = sorted({subject(name) for name, number in found.items() if number is None})
    if missing:
        raise ConfigError(
            f"MUSEE_SCHEMA_REGISTRY: {there.name} does not know all schemas of {', '.join(missing)}; "
            "`musee schema push` registers them"
        )
    numbers = {name: number for name, number in found.items() if number is not None}
    _refuse_clashes(there.name, numbers)
    registry.adopt(numbers)
    return settings


def push(url: str) -> dict[str, tuple[int, bool]]:
    """Register what is missing, oldest id first, so that an empty registry gives the ids that we have.

    Returns:
        Schema name → its id there, and whether it is new.

    Raises:
        Unavailable: the registry does not answer.
        ConfigError: it refuses one; what was registered before stays.
    """
    done = {}
    with closing(Registry(url)) as there:
        for name in sorted(registry.ids(), key=lambda one: registry.ids()[one]):
            number = there.look_up(name)
            done[name] = (there.register(name), True) if number is None else (number, False)
    _refuse_clashes(there.name, {name: number for name, (number, _) in done.items()})
    return done


def _refuse_clashes(where: str, found: dict[str, int]) -> None:
    """Refuse ids that mean one schema there and another here, or two there: records would be read as nonsense."""
    ours = {number: name for name, number in registry.ids().items()}
    clashes = [
        f"id {number} is {name} there, and {ours[number]} in schemas/ids.json"
        for name, number in found.items()
        if ours.get(number, name) != name
    ]
    clashes += [
        f"id {number} is several there: {', '.join(name for name, one in found.items() if one == number)}"
        for number, times in Counter(found.values()).items()
        if times > 1
    ]
    if clashes:
        raise ConfigError(
            f"MUSEE_SCHEMA_REGISTRY: {where}: {'; '.join(clashes)}: records written before would be misread. "
            "Register ours under other ids (Confluent's import mode sets them), or in an empty registry"
        )
