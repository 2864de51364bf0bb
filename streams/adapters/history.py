"""Questions to the warehouse: SQL in, rows out, nothing else.

Writing is ``adapters.warehouse``'s. Called by ``check.recordings`` and ``musee sql``.
"""

import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError, Error, OperationalError

from streams.config import Settings
from streams.errors import StreamsError, Unavailable

Row = tuple[Any, ...]  # values as the client types them: int, str, datetime, UUID …
_READ_ONLY = {"readonly": 2}  # 2 and not 1: the client sends settings of its own beside the query
# What the client and the server wrap around the words that matter.
_FRAME = re.compile(r"^Received ClickHouse exception.*?DB::Exception: | \(version [^)]*\)| \(for url [^)]*\)")
_CONNECT_S = 3
ANSWER_S = 120.0


class RefusedQuery(StreamsError):  # noqa: N818 - the warehouse's answer
    """The warehouse understood the query and said no; ``code`` is its own error number, 0 if it gave none."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(f"clickhouse refused the query: {detail}")
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Table:
    """An answer: column names and rows of as many values."""

    columns: tuple[str, ...]
    rows: list[Row]


def table(
    settings: Settings,
    sql: str,
    params: Mapping[str, object] | None = None,
    *,
    write: bool = False,
    answer_s: float = ANSWER_S,
) -> Table:
    """The answer to ``sql``, with column names.

    Args:
        settings: where the warehouse is.
        sql: one statement; parameters as ``{name:Type}``, bound by the server.
        params: their values.
        write: let the statement change something; otherwise the server refuses whatever does.
        answer_s: how long its answer is waited for.

    Raises:
        Unavailable: ClickHouse is away.
        RefusedQuery: it said no; carries its words.
    """
    try:
        with closing(
            clickhouse_connect.get_client(
                dsn=settings.clickhouse_url,
                autogenerate_session_id=False,
                connect_timeout=_CONNECT_S,
                send_receive_timeout=answer_s,
            )
        ) as client:
            answer = client.query(sql, parameters=dict(params or {}), settings={} if write else _READ_ONLY)
            return Table(tuple(answer.column_names), [tuple(row) for row in answer.result_rows])
    except ClickHouseError as error:
        code = error.code if isinstance(error, Error) else None
        if code is None and isinstance(error, OperationalError):
            raise Unavailable("clickhouse", f"{_place(settings)}: {_first_line(_innermost(error))}") from error
        raise RefusedQuery(code or 0, _FRAME.sub("", _first_line(error))) from error


def query(
    settings: Settings, sql: str, params: Mapping[str, object] | None = None, *, answer_s: float = ANSWER_S
) -> list[Row]:
    """The rows of the answer to ``sql``; see ``table``."""
    return table(settings, sql, params, answer_s=answer_s).rows


def _place(settings: Settings) -> str:
    """Host and port, without the password that the URL may hold."""
    url = urlsplit(settings.clickhouse_url)
    return f"{url.hostname}:{url.port}" if url.port else str(url.hostname)


def _innermost(error: BaseException) -> BaseException:
    """What went wrong at the bottom; the client wraps it several times."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return error


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
