"""Landing one family: fetches → blocks → inserts → the offsets that may be committed.

Insert, then commit. The cut is not recorded: after a crash the next attempt may cut differently, since a row's key is
its place in Kafka and a repeated row is the same row. Blocks may be under way side by side; a claim advances only when
every earlier block of it is acknowledged.
"""

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import structlog

from streams.adapters import avro, dead_letters, metrics, registry, type_gate
from streams.adapters.claims import Fetch
from streams.adapters.dead_letters import Culprit
from streams.adapters.fetches import Fetches
from streams.adapters.producer import Producer
from streams.adapters.warehouse import DATABASE, Warehouse
from streams.core import blocks
from streams.errors import RefusedBlock, Unavailable
from streams.topology import Family

log = structlog.get_logger(__name__)

_SIDE_BY_SIDE = 2
_BACK_OFF_S = (0.1, 0.2, 0.5, 1.0, 2.0)
_HOLD_S = 10.0
_FEW = 100  # so many culprits in one block are never taken for a configuration error


@dataclass(slots=True)
class _Cut:
    """What one insert is made from; ``landed``: schema id → culprits, of what is in the table already."""

    fetches: list[Fetch]
    rows: int
    done: asyncio.Event = field(default_factory=asyncio.Event)
    landed: dict[int, list[Culprit]] = field(default_factory=dict)


class Landing:
    """Lands one family.

    Args:
        family: what to land.
        rows: a block holds this many rows at most.
        age_s: and waits this long at most.
        culprit_share: above it a refused block is held instead of dead-lettered.
    """

    def __init__(
        self,
        family: Family,
        warehouse: Warehouse,
        producer: Producer,
        fetches: Fetches,
        *,
        rows: int,
        age_s: float,
        culprit_share: float,
    ) -> None:
        self.away: set[str] = set()
        self._family = family
        self._table = family.table or ""
        self._warehouse = warehouse
        self._producer = producer
        self._fetches = fetches
        self._rows = rows
        self._age_s = age_s
        self._culprit_share = culprit_share
        self._buffer: deque[Fetch] = deque()
        self._buffered = 0
        self._since = 0.0
        self._arrived = asyncio.Event()
        self._flying: deque[_Cut] = deque()
        self._slots = asyncio.Semaphore(_SIDE_BY_SIDE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._columns: dict[str, str] | None = None
        self._passed: set[int] = set()
        self._landed_before: dict[int, int] = {}

    def take(self, fetch: Fetch) -> None:
        """Put one fetch into the buffer."""
        if self._buffer and not self._fetches.stands(self._buffer[0].claim):  # the assignment changed
            self._buffer = deque(one for one in self._buffer if self._fetches.stands(one.claim))
            self._buffered = sum(len(one.values) for one in self._buffer)
        if not self._buffer:
            self._since = time.monotonic()
        self._buffer.append(fetch)
        self._buffered += len(fetch.values)
        self._arrived.set()

    async def run(self) -> None:
        """Cut and land until cancelled."""
        while True:
            await self._full_or_old()
            await self._slots.acquire()
            cut = self._cut()
            if cut is None:
                self._slots.release()
                continue
            self._flying.append(cut)
            task = asyncio.create_task(self._land(cut), name=f"land-{self._table}")
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._slots.release()
        if not task.cancelled() and task.exception() is not None:
            log.error("landing failed", table=self._table, exc_info=task.exception())
            self._fetches.crash_with(task.exception())

    async def _full_or_old(self) -> None:
        while self._buffered < self._rows:
            left_s = self._since + self._age_s - time.monotonic() if self._buffer else None
            if left_s is not None and left_s <= 0:
                return
            self._arrived.clear()
            try:
                async with asyncio.timeout(left_s):
                    await self._arrived.wait()
            except TimeoutError:
                return

    def _cut(self) -> _Cut | None:
        """The first rows of the buffer, without those whose claim is void."""
        taken: list[Fetch] = []
        rows = 0
        while self._buffer and rows < self._rows:
            fetch = self._buffer.popleft()
            room = self._rows - rows
            if len(fetch.values) > room:
                fetch, rest = fetch.split(room)
                self._buffer.appendleft(rest)
            self._buffered -= len(fetch.values)
            if self._fetches.stands(fetch.claim):
                taken.append(fetch)
                rows += len(fetch.values)
        self._since = time.monotonic()
        return _Cut(taken, rows) if taken else None

    async def _land(self, cut: _Cut) -> None:
        tries = 0
        while True:
            try:
                await self._insert_all(cut)
                break
            except Unavailable as away:
                self.away.add(away.dependency)
                metrics.BLOCKS.labels(self._table, "again").inc()
                log.warning("holding", table=self._table, dependency=away.dependency, error=away.detail[:200])
                await asyncio.sleep(_BACK_OFF_S[min(tries, len(_BACK_OFF_S) - 1)])
                tries += 1
        self.away.clear()
        self._count_repeated(cut)
        cut.done.set()
        while self._flying and self._flying[0].done.is_set():
            for fetch in self._flying.popleft().fetches:
                fetch.claim.advance(fetch.last)
        await self._fetches.commit()

    async def _insert_all(self, cut: _Cut) -> None:
        """Insert every sound record of a cut, dead-letter the others."""
        culprits: list[Culprit] = []
        grouped = self._by_schema(cut, culprits)
        self._hold_if_many(len(culprits), cut.rows)
        for schema, runs in grouped.items():
            await self._let_in(schema)
            if schema.schema_id not in cut.landed:  # what is in the table is not sent again because the rest must wait
                cut.landed[schema.schema_id] = await self._insert(schema, runs, cut)
            culprits += cut.landed[schema.schema_id]
        if culprits:
            await dead_letters.write(self._producer, culprits, "sink")

    def _by_schema(self, cut: _Cut, culprits: list[Culprit]) -> Mapping[registry.Schema, list[blocks.Run]]:
        """Runs of one schema each; records with broken framing go to ``culprits``."""
        grouped: dict[registry.Schema, list[blocks.Run]] = {}
        for fetch in cut.fetches:
            schema = self._only_schema(fetch)
            if schema is not None:
                offsets = range(fetch.prev + 1, fetch.last + 1)
                grouped.setdefault(schema, []).append(blocks.Run(fetch.partition, offsets, fetch.values))  # type: ignore[arg-type]  # no null: all start with one head
                continue
            for index, value in enumerate(fetch.values):
                try:
                    schema = self._schema_of(value)
                except ValueError as error:
                    culprits.append(_culprit(fetch, index, str(error.args[0])))
                    continue
                grouped.setdefault(schema, []).append(
                    blocks.Run(fetch.partition, [fetch.offset(index)], [value or b""])
                )
        return grouped

    def _only_schema(self, fetch: Fetch) -> registry.Schema | None:
        """The schema of all values of a fetch, ``None`` if they differ or one is broken."""
        try:
            heads = {value[: blocks.HEAD_BYTES] for value in fetch.values}  # type: ignore[index]  # a null raises TypeError
            (head,) = heads
            return self._schema_of(head)
        except (TypeError, ValueError):
            return None

    def _schema_of(self, value: bytes | None) -> registry.Schema:
        number = blocks.schema_id(value)
        try:
            schema = registry.by_id(number)
        except KeyError:
            raise ValueError("schema") from None
        if schema.name.rpartition(".v")[0] != self._family.name:
            raise ValueError("schema")
        return schema

    async def _let_in(self, schema: registry.Schema) -> None:
        """Compare the schema with the table, once."""
        if schema.schema_id in self._passed:
            return
        if self._columns is None:
            rows = await self._warehouse.query(
                "SELECT name, type FROM system.columns WHERE database = {db:String} AND table = {table:String}",
                {"db": DATABASE, "table": self._table},
            )
            if not rows:
                raise Unavailable("clickhouse", f"table {self._table} is missing: run musee up, or the migrations")
            self._columns = dict(rows)
        type_gate.check(schema, self._table, self._columns)
        self._passed.add(schema.schema_id)

    async def _insert(self, schema: registry.Schema, runs: Sequence[blocks.Run], cut: _Cut) -> list[Culprit]:
        """Insert runs of one schema; returns the culprits that were left out."""
        names = (*blocks.COORDINATES, *schema.fields, blocks.CANARY_FIELD)
        rows = sum(len(run.values) for run in runs)
        started = time.perf_counter()
        block = blocks.join_runs(runs, schema.text)
        forged = blocks.canaries(block) != rows  # a value holds the canary, and could push its neighbour out
        try:
            if forged:
                raise RefusedBlock(0, "more canaries than records")
            await self._warehouse.land(self._table, names, block)
        except Unavailable:
            metrics.REINSERTED.labels(self._table).inc(rows)  # it may have arrived, and will be sent again
            raise
        except RefusedBlock as refused:
            metrics.BLOCKS.labels(self._table, "refused").inc()
            sound, culprits = self._judge(runs, cut)
            if not culprits and not forged:
                await self._hold(refused)
            self._hold_if_many(len(culprits), rows)
            if sound:
                await self._land_rest(names, sound, schema)
            rows -= len(culprits)
        else:
            culprits = []
        metrics.BLOCK_SECONDS.labels(self._table).observe(time.perf_counter() - started)
        metrics.BLOCKS.labels(self._table, "landed").inc()
        metrics.LANDED.labels(self._table).inc(rows)
        return culprits

    async def _land_rest(self, names: Sequence[str], sound: Sequence[blocks.Run], schema: registry.Schema) -> None:
        """Land what is left of a block without its culprits."""
        try:
            await self._warehouse.land(self._table, names, blocks.join_runs(sound, schema.text))
        except RefusedBlock as refused:
            await self._hold(refused)

    async def _hold(self, refused: RefusedBlock) -> NoReturn:
        """Nothing is wrong with the records: the store's rules are at odds with the schema. Say so, and wait."""
        log.warning("block refused, no record at fault", table=self._table, why=str(refused))
        await asyncio.sleep(_HOLD_S)
        raise Unavailable("clickhouse", f"refuses sound records of {self._table}, code {refused.code}") from refused

    def _judge(self, runs: Sequence[blocks.Run], cut: _Cut) -> tuple[list[blocks.Run], list[Culprit]]:
        """Each record by itself: the runs without the culprits, and those."""
        places = {(f.partition, f.offset(i)): (f, i) for f in cut.fetches for i in range(len(f.values))}
        sound: list[blocks.Run] = []
        culprits: list[Culprit] = []
        for run in runs:
            kept: list[tuple[int, bytes]] = []
            for offset, value in zip(run.offsets, run.values, strict=True):
                try:
                    avro.decode(value, self._family.name)
                except ValueError as error:
                    culprits.append(_culprit(*places[run.partition, offset], *map(str, error.args)))
                else:
                    kept.append((offset, value))
            if kept:
                sound.append(blocks.Run(run.partition, [offset for offset, _ in kept], [value for _, value in kept]))
        return sound, culprits

    def _hold_if_many(self, culprits: int, rows: int) -> None:
        if culprits > _FEW and culprits > self._culprit_share * rows:
            log.error("too many records refused, holding", table=self._table, culprits=culprits, rows=rows)
            raise Unavailable(
                "records",
                f"{culprits} of {rows} records look broken, which looks like a configuration error; "
                "if it is none, set MUSEE_SINK_CULPRIT_SHARE=1",
            )

    # -- what was landed before this assignment ----------------------------------------------------------------------

    async def remember_largest(self, partitions: Sequence[int], since: Mapping[int, int]) -> None:
        """Note the largest landed offset per partition, at or above ``since``: rows up to there come again."""
        rows = await self._ask(
            f"SELECT _partition, max(_offset) FROM {DATABASE}.{self._table} "  # noqa: S608 - names of ours
            "WHERE _partition IN {partitions:Array(Int32)} AND _offset >= {least:Int64} GROUP BY _partition",
            {"partitions": list(partitions), "least": min(since.values(), default=0)},
        )
        self._landed_before |= {partition: offset for partition, offset in rows if offset >= since.get(partition, 0)}

    async def _ask(self, sql: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Rows of a query of ours; if it is refused, the tables are not there yet."""
        try:
            return await self._warehouse.query(sql, parameters)
        except RefusedBlock as refused:
            advice = "run musee up, or the migrations"
            raise Unavailable("clickhouse", f"{self._table}: {refused}; {advice}") from refused

    def _count_repeated(self, cut: _Cut) -> None:
        for fetch in cut.fetches:
            before = self._landed_before.get(fetch.partition, -1)
            if before > fetch.prev:
                metrics.REINSERTED.labels(self._table).inc(min(before, fetch.last) - fetch.prev)


def _culprit(fetch: Fetch, index: int, reason: str, detail: str | None = None) -> Culprit:
    value = fetch.values[index]
    return Culprit(
        topic=fetch.topic,
        partition=fetch.partition,
        offset=fetch.offset(index),
        reason=reason,
        detail=detail or _DETAIL[reason].format(size=len(value or b"")),
        key=fetch.key(index),
        value=value,
        appended_ms=fetch.appended_ms(index),
    )


_DETAIL = {
    "null": "a null value, where an event was expected",
    "short": "{size} bytes, too few for a magic byte and a schema id",
    "magic": "does not begin with the magic byte 0",
    "schema": "its schema id is not one of this topic's family",
    "truncated": "the Avro body ends within a field ({size} bytes in all)",
    "trailing": "bytes follow the Avro body ({size} bytes in all)",
    "invalid": "a field holds what its type does not allow",
}
