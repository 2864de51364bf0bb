"""Answers in the form that ClickHouse's clients expect: headers, pieces of a result, errors.

Takes what the engine gives, gives bytes and headers. ``Answer``'s methods block and run in a worker thread.
"""

import json
import secrets

from streams.embedded import clickhouse_codec as codec
from streams.embedded.clickhouse_connections import Outcome
from streams.embedded.clickhouse_engine import Engine, Running
from streams.embedded.clickhouse_errors import QueryRefused
from streams.embedded.clickhouse_request import ClientGone, Request
from streams.embedded.clickhouse_sql import Statement

Header = tuple[bytes, bytes]

_CONTENT_TYPES = {
    "json": "application/json; charset=UTF-8",
    "jsoncompact": "application/json; charset=UTF-8",
    "jsonstrings": "application/json; charset=UTF-8",
    "jsoneachrow": "application/x-ndjson; charset=UTF-8",
    "csv": "text/csv; charset=UTF-8; header=absent",
    "csvwithnames": "text/csv; charset=UTF-8; header=present",
    "tabseparated": "text/tab-separated-values; charset=UTF-8",
    "tsv": "text/tab-separated-values; charset=UTF-8",
    "tabseparatedwithnames": "text/tab-separated-values; charset=UTF-8",
    "tsvwithnames": "text/tab-separated-values; charset=UTF-8",
    "xml": "application/xml; charset=UTF-8",
    "prometheus": "text/plain; version=0.0.4; charset=UTF-8",
}
_HELD_BACK_BYTES = 65_536
_BINARY = ("native", "rowbinary", "parquet", "arrow", "orc", "avro", "protobuf", "msgpack", "bson", "npy", "capnproto")


class Answer:
    """The result of one statement on its way to one client."""

    def __init__(self, engine: Engine, request: Request, statement: Statement) -> None:
        self._engine = engine
        self._request = request
        self._statement = statement
        self._encoder = codec.encoder(request.answer_encoding, native_frames=request.native_frames_out)
        self._running: Running | None = None
        self.tag = secrets.token_hex(8)
        self.outcome = Outcome(b"")
        self.whole = False
        self.format: str | None = None
        self.refused: QueryRefused | None = None
        self.marks: list[str] = []
        self.is_unwanted = False

    def begin(self) -> bytes:
        """Run the statement; gives the first piece, or everything if ``whole`` is true afterwards.

        Raises:
            QueryRefused: the engine's answer.
            ClientGone: the client left while the statement waited.
        """
        if self.is_unwanted:
            raise ClientGone
        running = self._engine.start(
            self._statement, self._request.order, at_once=self._request.at_once, mark=self.marks.append
        )
        self.outcome = running.first
        self.whole = running.whole
        if running.read_only or running.first.data:
            self.format = self._statement.format or self._request.order.output_format
        self._running = running
        if not running.whole:
            return self._begin_stream(running)
        self.close()
        return self._encoder.write(running.first.data) + self._encoder.finish()

    def _begin_stream(self, running: Running) -> bytes:
        """As the server does, hold back the beginning: a small result has its length and an honest status."""
        piece = self._encoder.write(running.first.data)
        size = len(running.first.data)
        while size < _HELD_BACK_BYTES:
            block = running.next_block()
            if not block.data:
                self.whole = True
                self.close()
                return piece + self._encoder.finish()
            size += len(block.data)
            piece += self._encoder.write(block.data)
            self.outcome = self.outcome.plus(block)
        return piece

    def next_piece(self) -> bytes | None:
        """The next piece, ``None`` after the last. A query that fails on its way ends with the server's trailer."""
        if self._running is None:
            return None
        try:
            block = self._running.next_block()
        except QueryRefused as refused:
            self.refused = refused
            last = self._encoder.write(self._trailer(refused)) + self._encoder.finish()
        else:
            if block.data:
                return self._encoder.write(block.data)
            last = self._encoder.finish()
        self.close()
        return last or None

    def close(self) -> None:
        """Free what the statement holds; more than once does no harm."""
        if self._running is not None:
            running, self._running = self._running, None
            running.close()

    def _trailer(self, refused: QueryRefused) -> bytes:
        # Clients know by the tag, which no row can guess, that this is no data.
        text = refused.text.encode()
        tag = self.tag.encode()
        return b"\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n" % (tag, text, len(text) + 1, tag)

    def headers(self) -> list[Header]:
        """Of a result; to be asked after ``begin``."""
        more = {"Content-Type": content_type(self.format)}
        if self.format is not None:
            more["X-ClickHouse-Format"] = self.format
        if self._request.answer_encoding is not None:
            more["Content-Encoding"] = self._request.answer_encoding
        if not self.whole:
            more["X-ClickHouse-Exception-Tag"] = self.tag
        return headers(self._engine, self._request, self.outcome, more)


def headers(engine: Engine, request: Request, outcome: Outcome, more: dict[str, str]) -> list[Header]:
    """What every result carries, and ``more``."""
    summary = {
        "read_rows": outcome.rows_read,
        "read_bytes": outcome.bytes_read,
        "written_rows": outcome.rows_written,
        "written_bytes": outcome.bytes_written,
        "total_rows_to_read": 0,
        "result_rows": outcome.result_rows,
        "result_bytes": outcome.result_bytes,
    }
    values = {
        "X-ClickHouse-Query-Id": request.query_id,
        "X-ClickHouse-Timezone": request.order.settings.get("session_timezone") or engine.store.timezone,
        # The server writes these numbers as strings.
        "X-ClickHouse-Summary": json.dumps({name: str(value) for name, value in summary.items()}),
        **more,
    }
    return encoded(values)


def refusal_headers(refused: QueryRefused, query_id: str) -> list[Header]:
    """Of an error."""
    values = {
        "Content-Type": "text/plain; charset=UTF-8",
        "X-ClickHouse-Exception-Code": str(refused.code),
        "X-ClickHouse-Query-Id": query_id,
    }
    return encoded(values)


def refusal_body(refused: QueryRefused, version: str) -> bytes:
    """The text of an error, as the server ends it."""
    return f"{refused.text} (version {version})\n".encode()


def content_type(output_format: str | None) -> str:
    """MIME type of a result."""
    name = (output_format or "").lower()
    if name.startswith(_BINARY):
        return "application/octet-stream"
    return _CONTENT_TYPES.get(name, "text/plain; charset=UTF-8")


def encoded(values: dict[str, str]) -> list[Header]:
    """Headers as ASGI wants them; a value cannot end its line."""
    return [
        (name.lower().encode(), value.replace("\r", " ").replace("\n", " ").encode("latin-1", "replace"))
        for name, value in values.items()
    ]
