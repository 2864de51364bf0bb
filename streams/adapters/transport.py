"""How a request came: from whom, by TLS or not, and under which name; refuses what came by no safe way.

An ASGI middleware in front of console and gateway. On loopback it lets in what is addressed to this machine alone: a
foreign name is a web page that had its own name point to 127.0.0.1, and a proxy's header means that others get in.
Elsewhere a request comes by TLS, or from a trusted proxy that says ``https``, or from this machine itself.
"""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from streams.config import Settings, networks

PROBES = frozenset({"/health", "/ready"})  # asked by load balancers, which know neither names nor TLS; they say little
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")

Refuse = Callable[[int, str, str], Response]  # status, code, detail


class _Refused(Exception):  # noqa: N818 - an answer
    """Came by no safe way; the message says what to do."""

    def __init__(self, code: str, detail: str, status: int = 403) -> None:
        super().__init__(detail)
        self.code, self.detail, self.status = code, detail, status


class Transport:
    """The middleware.

    Args:
        app: what it stands in front of.
        settings: where we listen, and whom we believe.
        refuse: makes the program's own kind of answer.
    """

    def __init__(self, app: ASGIApp, settings: Settings, refuse: Refuse) -> None:
        self._app = app
        self._refuse = refuse
        self._exposed = settings.exposed
        self._proxies = networks(settings.trusted_proxy)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on as it came to the outermost of our proxies, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            seen = self._exposed_scope(scope) if self._exposed else _local_scope(scope)
            if not all(map(_is_name, Headers(scope=seen).getlist("host"))):
                raise _Refused("bad-host", "the Host header is no name", 400)
        except _Refused as refused:
            await self._refuse(refused.status, refused.code, refused.detail)(scope, receive, send)
            return
        await self._app(seen, receive, send)

    def _exposed_scope(self, scope: Scope) -> Scope:
        peer = _address(scope.get("client"))
        if peer is not None and self._trusts(peer):
            return self._forwarded_scope(scope, peer)
        own_machine = peer is not None and (peer.is_loopback or peer == _address(scope.get("server")))
        if scope["scheme"] == "https" or own_machine or scope["path"] in PROBES:
            return scope
        raise _Refused("no-tls", "others reach this by way of the proxy named in MUSEE_TRUSTED_PROXY only")

    def _forwarded_scope(self, scope: Scope, peer: IPv4Address | IPv6Address) -> Scope:
        headers = Headers(scope=scope)
        if _last(headers, "x-forwarded-proto") != "https":
            if scope["path"] in PROBES:
                return scope
            raise _Refused("no-tls", "the trusted proxy has to say «X-Forwarded-Proto: https», and mean it")
        client = peer
        for told in reversed(",".join(headers.getlist("x-forwarded-for")).split(",")):
            address = _address((told.strip(), 0))
            if address is None:
                break
            client = address
            if not self._trusts(address):
                break
        host = _last(headers, "x-forwarded-host")
        raw = scope["headers"]
        if host:
            raw = [(name, value) for name, value in raw if name != b"host"] + [(b"host", host.encode("latin-1"))]
        return {**scope, "scheme": "https", "client": (str(client), 0), "headers": raw}

    def _trusts(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._proxies)


def _local_scope(scope: Scope) -> Scope:
    headers = Headers(scope=scope)
    for name in headers.getlist("host"):
        if not is_local(name):
            raise _Refused(
                "foreign-host", f"this listens for 127.0.0.1 and localhost, not for {name[:100]!r}; see MUSEE_BIND"
            )
    through = next((name for name in _FORWARDED if name in headers), None)
    if through:
        raise _Refused(
            "unknown-proxy",
            f"came through a proxy ({through}), so others get in here: set MUSEE_TRUSTED_PROXY and what it asks for",
        )
    return scope


def is_local(host: str) -> bool:
    """Whether a Host header, ``name[:port]``, names this machine by a loopback address or as localhost."""
    if not _is_name(host):
        return False
    name = urlsplit(f"//{host}").hostname or ""
    address = _address((name, 0))
    return name == "localhost" or (address is not None and address.is_loopback)


def _is_name(host: str) -> bool:
    """Whether a Host header is one at all: others break every reader of addresses behind us."""
    try:
        parts = urlsplit(f"//{host}")
        named, _ = parts.hostname, parts.port  # a port that is none raises
    except ValueError:
        return False
    return bool(named) and not set(host) & set("@/\\?# ")


def _address(place: tuple[str, int | None] | None) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(place[0]) if place else None
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _last(headers: Headers, name: str) -> str:
    """What the nearest proxy said: it stands last, behind what others may have made up."""
    return ",".join(headers.getlist(name)).rsplit(",", 1)[-1].strip().lower()
