"""Scans that somebody types: options or JSON lines → CloudEvents. Called by ``musee send``."""

import json
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Literal

from streams.adapters.gateway_client import Event
from streams.errors import ConfigError
from streams.topology import TICKET_SCAN

Outcome = Literal["ACCEPTED", "DENIED", "ANNULLED", "REVERTED", "AUTO_EXIT"]
SOURCE = "/musee/send"


def cloud_event(data: Event, *, event_id: str | None = None, time: str | None = None) -> Event:
    """An event around ``data``: a new UUID and now, unless given. What a scan may say, the gateway decides."""
    return {
        "specversion": "1.0",
        "id": event_id or str(uuid.uuid4()),
        "source": SOURCE,
        "type": TICKET_SCAN.topic,
        "time": time or datetime.now(UTC).isoformat(timespec="milliseconds"),
        "data": {"producer": f"musee send/{version('data-musee')}", **data},
    }


def from_lines(lines: Iterable[str]) -> Iterator[Event]:
    """The events of JSON lines, each a CloudEvent or only its data; empty lines are no events.

    Raises:
        ConfigError: a line is no JSON object; names it by number.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            told = json.loads(line)
        except ValueError as error:
            raise ConfigError(f"line {number} of stdin is no JSON: {error}") from None
        if not isinstance(told, dict):
            raise ConfigError(f"line {number} of stdin is no JSON object")
        yield told if "specversion" in told else cloud_event(told)
