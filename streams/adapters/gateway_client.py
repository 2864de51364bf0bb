"""The door from outside: posts events to the gateway and says what it answered.

Takes CloudEvents as plain dicts. Nothing is raised for what a gateway may say: an answer is one of three kinds, and the
caller decides whether to go on, to stop, or to wait and send the same again. Called by ``replay`` and ``musee send``.
"""

import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx2

from streams.adapters import listeners
from streams.config import Settings

Event = Mapping[str, object]  # a CloudEvent in its JSON form

_BATCH = "application/cloudevents-batch+json"
_SINGLE = "application/cloudevents+json"
_TIMEOUT = httpx2.Timeout(15.0, connect=2.0)  # the door says 503 within 5 s when Kafka is away
_LATER = {429, 502, 503, 504}  # nothing is wrong with the events: try again
_LONGEST_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Accepted:
    """The events lie in Kafka; ``count`` of them, ``event_ids`` as the gateway knows them, in the request's order."""

    count: int
    event_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one event; ``index`` is its place in the request, ``None`` if it concerns the whole."""

    index: int | None
    code: str
    path: str
    detail: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The door will never take this request as it is. Nothing of it was produced."""

    status: int
    code: str
    detail: str
    faults: tuple[Fault, ...] = ()

    def __str__(self) -> str:
        """One line per fault, the request's own words first."""
        lines = [f"the gateway refused it with {self.status} {self.code}: {self.detail}"]
        lines += [f"  item {fault.index} {fault.path or '/'} {fault.code}: {fault.detail}" for fault in self.faults]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Away:
    """The door or Kafka behind it is away: the same request may be sent again, since ids make it harmless."""

    why: str
    retry_after_s: float | None = None


Answer = Accepted | Refused | Away


class GatewayClient:
    """One connection to a gateway, kept open; one request at a time keeps the order.

    Args:
        url: base URL of the gateway.
        key: API key.
        trust: whose certificates are believed, see ``adapters.listeners``; likewise ``way``, more headers.
    """

    def __init__(
        self, url: str, key: str, *, trust: ssl.SSLContext | bool = True, way: Mapping[str, str] | None = None
    ) -> None:
        self._client = httpx2.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {key}", **(way or {})},
            timeout=_TIMEOUT,
            trust_env=False,  # a proxy for the internet has no business between us and our own door
            verify=trust,
        )

    @classmethod
    def of(cls, settings: Settings, key: str) -> Self:
        """A connection to the gateway of this machine's settings."""
        return cls(settings.gateway_url, key, trust=listeners.trust(settings), way=listeners.way(settings))

    def listens(self) -> bool:
        """Whether anything answers there at all, ready or not."""
        try:
            self._client.get("/health")
        except httpx2.TransportError:
            return False
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def post(self, events: Sequence[Event]) -> Answer:
        """Hand over a batch, in order."""
        return self._post(list(events), _BATCH)

    def post_one(self, event: Event) -> Answer:
        """Hand over one event by itself."""
        return self._post(event, _SINGLE)

    def _post(self, body: object, content_type: str) -> Answer:
        content = json.dumps(body, separators=(",", ":")).encode()
        try:
            response = self._client.post("/v1/events", content=content, headers={"Content-Type": content_type})
        except httpx2.TransportError as error:
            return Away(f"{self._client.base_url}: {str(error) or type(error).__name__}")
        return answer_of(response.status_code, response.headers.get("Retry-After"), response.content)


def answer_of(status: int, retry_after: str | None, body: bytes) -> Answer:
    """What an HTTP answer means; a body that is no problem document is quoted by its beginning."""
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    told = told if isinstance(told, dict) else {}
    if 200 <= status < 300:
        ids = told.get("event_ids")
        return Accepted(int(told.get("accepted", 0)), tuple(map(str, ids)) if isinstance(ids, list) else ())
    detail = str(told.get("detail") or told.get("title") or body[:200].decode(errors="replace") or "no reason given")
    if status in _LATER:
        return Away(f"{status} {detail}", _seconds(retry_after))
    errors = told.get("errors")
    faults = tuple(_fault(one) for one in errors if isinstance(one, dict)) if isinstance(errors, list) else ()
    return Refused(status, str(told.get("code") or "unknown"), detail, faults)


def _fault(told: Mapping[str, object]) -> Fault:
    index = told.get("index")
    return Fault(
        index=index if isinstance(index, int) else None,
        code=str(told.get("code", "")),
        path=str(told.get("path", "")),
        detail=str(told.get("detail", "")),
    )


def _seconds(retry_after: str | None) -> float | None:
    """Seconds of a Retry-After header, at most a minute; a date or nonsense counts as absent."""
    try:
        asked = float(retry_after or "")
    except ValueError:
        return None
    return min(asked, _LONGEST_WAIT_S) if asked >= 0 else None
