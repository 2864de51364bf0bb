"""What an HTTP request asks of ClickHouse: its URL, headers and form read into one ``Request``; its body received.

Takes the parts of a request, gives values; runs nothing. Used by ``streams.embedded.clickhouse_http``.
"""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Message, Receive

from streams.embedded import clickhouse_codec as codec
from streams.embedded.clickhouse_engine import Order
from streams.embedded.clickhouse_errors import (
    ACCESS_DENIED,
    INVALID_SESSION_TIMEOUT,
    NOT_IMPLEMENTED,
    SOCKET_TIMEOUT,
    TOO_LARGE,
    UNKNOWN_ROLE,
    refusal,
)
from streams.embedded.clickhouse_sessions import MAX_TIMEOUT_S, TIMEOUT_S
from streams.embedded.clickhouse_sql import HEAD_BYTES, Insert, insert_with_data

# Names in the URL that are no settings, or settings of the HTTP interface alone.
_OURS = frozenset(
    {
        *("query", "query_id", "database", "default_format", "compress", "decompress", "buffer_size"),
        *("session_id", "session_timeout", "session_check", "close_session", "user", "password", "quota_key", "role"),
        *("stacktrace", "wait_end_of_query", "client_protocol_version", "add_http_cors_header"),
        *("enable_http_compression", "http_zlib_compression_level", "send_progress_in_http_headers"),
        *("http_headers_progress_interval_ms", "cancel_http_readonly_queries_on_client_close"),
        "http_native_compression_disable_checksumming_on_decompress",
    }
)
_PARAM = "param_"
_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


class ClientGone(Exception):  # noqa: N818 - nobody is left to tell
    """The client closed its connection."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may cost before its statement runs.

    Attributes:
        body_bytes: of a body, packed or unpacked.
        body_idle_s: between two pieces of a body: a sender that was stopped keeps its socket for ever.
        body_total_s: for a whole body.
    """

    body_bytes: int = 1 << 30
    body_idle_s: float = 30.0
    body_total_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Request:
    """A request without its body.

    Attributes:
        order: how its statement is to run.
        query: text in the URL or form.
        query_id: the client's, else a new one.
        body_encoding: of the body, empty for none.
        native_frames_in: the body comes in ClickHouse's own frames.
        check_frames: compare their checksums.
        native_frames_out: the answer goes out in them.
        answer_encoding: of the answer, ``None`` for none.
        at_once: send nothing before the result is whole.
    """

    order: Order
    query: bytes
    query_id: str
    body_encoding: str
    native_frames_in: bool
    check_frames: bool
    native_frames_out: bool
    answer_encoding: str | None
    at_once: bool

    def plain(self, chunks: Sequence[bytes], limits: Limits) -> list[bytes]:
        """The body's content; raises ``QueryRefused`` for a damaged one. Slow for packed ones: not for the loop."""
        return codec.decoded(
            chunks,
            self.body_encoding,
            native_frames=self.native_frames_in,
            check_frames=self.check_frames,
            limit=limits.body_bytes,
        )

    @property
    def is_packed(self) -> bool:
        """Whether the body must be unpacked before it can be read."""
        return bool(self.body_encoding) or self.native_frames_in


def ensure_local(headers: Headers) -> None:
    """Refuse what a web page of somebody else makes a browser on this machine send: there are no passwords here.

    Raises:
        QueryRefused: the request names another host, or comes from a page of another host.
    """
    origin = headers.get("Origin")
    hosts = [urlsplit(f"//{headers.get('Host', '')}").hostname]
    if origin is not None:
        hosts.append(urlsplit(origin).hostname)
    strange = [host for host in hosts if host not in _LOCAL]
    if strange:
        raise refusal(ACCESS_DENIED, "ACCESS_DENIED", f"this endpoint is for 127.0.0.1 alone, not for {strange[0]}")


def read(method: str, url: Mapping[str, str], headers: Headers) -> Request:
    """Read all of a request but its body.

    Args:
        method: in capitals.
        url: parameters of the URL, and of the form if there is one.
        headers: of the request.

    Raises:
        QueryRefused: a value that cannot be meant, or something that the embedded engine has not.
    """
    if url.get("role"):
        raise refusal(UNKNOWN_ROLE, "UNKNOWN_ROLE", f"There is no role `{url['role']}`: the embedded engine has none")
    order = Order(
        settings={name: value for name, value in url.items() if name not in _OURS and not name.startswith(_PARAM)},
        params={name.removeprefix(_PARAM): value for name, value in url.items() if name.startswith(_PARAM)},
        database=url.get("database") or headers.get("X-ClickHouse-Database") or None,
        read_only=method != "POST",
        output_format=headers.get("X-ClickHouse-Format") or url.get("default_format") or "TabSeparated",
        session_id=url.get("session_id") or None,
        session_timeout_s=_session_timeout(url.get("session_timeout")),
        session_must_exist=_flag(url, "session_check"),
        session_ends=_flag(url, "close_session"),
    )
    encoded = headers.get("Content-Encoding", "").strip().lower()
    may_pack = _flag(url, "enable_http_compression", default=True)
    return Request(
        order=order,
        query=url.get("query", "").encode(errors="replace"),
        query_id=url.get("query_id") or str(uuid.uuid4()),
        body_encoding="" if encoded == "identity" else encoded,
        native_frames_in=_flag(url, "decompress"),
        check_frames=not _flag(url, "http_native_compression_disable_checksumming_on_decompress"),
        native_frames_out=_flag(url, "compress"),
        answer_encoding=codec.chosen(headers.get("Accept-Encoding", "")) if may_pack else None,
        at_once=_flag(url, "wait_end_of_query"),
    )


def form(content_type: str, body: bytes) -> dict[str, str]:
    """Fields of a ``multipart/form-data`` body, in which clients send long parameters.

    Raises:
        QueryRefused: the form carries a file: external tables are not for the embedded engine.
    """
    head = b"Content-Type: " + content_type.encode() + b"\r\n\r\n"
    fields = {}
    for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts():
        if part.get_filename() is not None:
            raise refusal(NOT_IMPLEMENTED, "NOT_IMPLEMENTED", "external tables are not for the embedded engine")
        content = part.get_payload(decode=True)
        name = part.get_param("name", header="content-disposition")
        if isinstance(content, bytes) and isinstance(name, str):
            fields[name] = content.decode(errors="replace")
    return fields


async def body(receive: Receive, headers: Headers, limits: Limits) -> list[bytes]:
    """The whole body in the pieces in which it came.

    Raises:
        ClientGone: the client left before the end: nothing of the body may be used.
        QueryRefused: it is too large or too slow.
    """
    stated = headers.get("Content-Length", "")
    if stated.isdigit() and int(stated) > limits.body_bytes:
        raise _too_large(limits)
    loop = asyncio.get_running_loop()
    last = loop.time() + limits.body_total_s
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout_at(last) as deadline:
            while True:
                deadline.reschedule(min(loop.time() + limits.body_idle_s, last))
                message: Message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > limits.body_bytes:
                    raise _too_large(limits)
                if chunk:
                    chunks.append(chunk)
                if not message.get("more_body", False):
                    return chunks
    except TimeoutError:
        raise refusal(
            SOCKET_TIMEOUT, "SOCKET_TIMEOUT", f"the body stopped after {size} bytes; nothing was done with it"
        ) from None


def split(query: bytes, chunks: Sequence[bytes]) -> tuple[Insert, list[bytes | memoryview]] | bytes:
    """Statement and data of a request, told apart without copying the data.

    Args:
        query: text in the URL, which stands before the body.
        chunks: the unpacked body.

    Returns:
        An INSERT and its data, or the text of a statement that carries none.
    """
    if query:
        insert = insert_with_data(query)
        if insert is not None:
            inline = query[insert.data_start :]
            return insert, [inline if inline.strip() else b"", *chunks]
        rest = b"".join(chunks)
        query = query + b"\n" + rest if rest else query
        return _joined([query])
    return _joined(chunks)


def _joined(chunks: Sequence[bytes]) -> tuple[Insert, list[bytes | memoryview]] | bytes:
    head = b""
    used = 0
    for chunk in chunks:
        head += chunk
        used += 1
        if len(head) >= HEAD_BYTES:
            break
    insert = insert_with_data(head[:HEAD_BYTES])
    if insert is None:
        return head + b"".join(chunks[used:])
    return insert, [memoryview(head)[insert.data_start :], *chunks[used:]]


def _too_large(limits: Limits) -> Exception:
    return refusal(TOO_LARGE, "QUERY_IS_TOO_LARGE", f"the body is larger than {limits.body_bytes} bytes")


def _flag(url: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    value = url.get(name, "").strip().lower()
    return value not in ("0", "false", "no", "off") if value else default


def _session_timeout(value: str | None) -> float:
    if not value:
        return TIMEOUT_S
    if not value.isdigit():
        raise refusal(INVALID_SESSION_TIMEOUT, "INVALID_SESSION_TIMEOUT", f"Invalid session timeout: '{value}'")
    if int(value) > MAX_TIMEOUT_S:
        raise refusal(
            INVALID_SESSION_TIMEOUT,
            "INVALID_SESSION_TIMEOUT",
            f"Session timeout '{value}' is larger than max_session_timeout: {MAX_TIMEOUT_S}",
        )
    return float(value)
