"""The warehouse: lands undecoded Avro blocks, answers queries.

Wraps clickhouse-connect's asynchronous client. ``Unavailable("clickhouse")`` means: the same again, later;
``RefusedBlock`` means: never as it is.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError

from streams.errors import RefusedBlock, Unavailable

DATABASE = "musee"
# Timeouts, limits of memory, parts or connections, replicas, quorum, unknown: what passes when the server recovers.
TRANSIENT = frozenset({159, 160, 164, 202, 203, 209, 210, 241, 242, 243, 252, 279, 285, 319, 394, 425, 439, 999})
_LANDING = {
    "async_insert": 0,
    "insert_deduplicate": 0,
    "max_insert_block_size": 10_000_000,  # one insert is one block, whatever its size
    "min_insert_block_size_rows": 10_000_000,
    "min_insert_block_size_bytes": 4_000_000_000,
    "max_partitions_per_insert_block": 2_000,  # replays of old recordings touch many months
    "input_format_avro_allow_missing_fields": 1,  # columns that the store fills: event_key, _landed_at
}


class Warehouse:
    """One connection pool to ClickHouse.

    Args:
        url: of its HTTP interface.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: AsyncClient | None = None
        self._connecting = asyncio.Lock()

    async def _connected(self) -> AsyncClient:
        async with self._connecting:
            return self._client or await self._connect()

    async def _connect(self) -> AsyncClient:
        parts = urlsplit(self._url)
        try:
            self._client = await clickhouse_connect.get_async_client(
                host=parts.hostname,
                port=parts.port,
                interface=parts.scheme,
                username=parts.username or "default",
                password=parts.password or "",
                autogenerate_session_id=False,
                compress=False,  # loopback or a data centre: the processor is scarcer than the wire
                connect_timeout=2,
                send_receive_timeout=60,
                query_retries=0,
            )
        except (ClickHouseError, OSError, TimeoutError) as error:
            raise Unavailable("clickhouse", str(error)) from error
        return self._client

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()

    async def reachable(self, within_s: float = 2.0) -> bool:
        """Whether ClickHouse answers a question now."""
        try:
            async with asyncio.timeout(within_s):
                await self.query("SELECT 1")
        except (Unavailable, RefusedBlock, TimeoutError):
            return False
        return True

    async def land(self, table: str, columns: Sequence[str], block: bytes) -> None:
        """Insert one Avro block into a table; returns when it is on disk.

        Raises:
            RefusedBlock: the block is not what the table takes.
            Unavailable: anything that another try may mend.
        """
        client = await self._connected()
        try:
            await client.raw_insert(f"{DATABASE}.{table}", list(columns), block, settings=_LANDING, fmt="Avro")
        except DatabaseError as error:
            raise _judged(error) from error
        except (ClickHouseError, OSError, TimeoutError) as error:
            raise Unavailable("clickhouse", str(error)) from error

    async def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Rows of a query; raises ``Unavailable`` or, for a query that is wrong, ``RefusedBlock``."""
        client = await self._connected()
        try:
            result = await client.query(sql, parameters=dict(parameters or {}))
        except DatabaseError as error:
            raise _judged(error) from error
        except (ClickHouseError, OSError, TimeoutError) as error:
            raise Unavailable("clickhouse", str(error)) from error
        return [tuple(row) for row in result.result_rows]

    async def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement without a result; errors as ``query``."""
        client = await self._connected()
        try:
            await client.command(sql, parameters=dict(parameters or {}))
        except DatabaseError as error:
            raise _judged(error) from error
        except (ClickHouseError, OSError, TimeoutError) as error:
            raise Unavailable("clickhouse", str(error)) from error

    async def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert a few decoded rows; for reference data, errors as ``land``."""
        client = await self._connected()
        try:
            await client.insert(f"{DATABASE}.{table}", rows, column_names=list(columns))
        except DatabaseError as error:
            raise _judged(error) from error
        except (ClickHouseError, OSError, TimeoutError) as error:
            raise Unavailable("clickhouse", str(error)) from error


def _judged(error: DatabaseError) -> RefusedBlock | Unavailable:
    """Whether ClickHouse's answer is final; an answer without its error number is somebody else's, e.g. a proxy's."""
    if error.code is None or error.code in TRANSIENT:
        return Unavailable("clickhouse", str(error)[:500])
    return RefusedBlock(error.code, str(error)[:500])
