"""The audit: every offset below the commit is a row or a dead letter, or it is read again.

The end-to-end proof, and the only defence against a store that acknowledges and loses. Runs once a minute over what was
committed since the last clean pass.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import structlog

from streams.adapters import metrics
from streams.adapters.fetches import Fetches
from streams.adapters.warehouse import DATABASE, Warehouse
from streams.topology import DEAD_LETTER, Family

log = structlog.get_logger(__name__)
_ALL_AGAIN = 30  # passes: then everything that Kafka still holds is looked at
_GOING_MS = 3_600_000  # rows that will go within the hour are not asked for
_PATIENCE = 2  # passes: a dead letter is landed a moment after its neighbours


@dataclass(frozen=True, slots=True)
class Gap:
    """Offsets that are nowhere: how many, and the first of them."""

    partition: int
    missing: int
    first: int


class Audit:
    """Audits one family; remembers how far each partition was found whole."""

    def __init__(self, family: Family, warehouse: Warehouse, fetches: Fetches) -> None:
        self._family = family
        self._warehouse = warehouse
        self._fetches = fetches
        self._whole_until: dict[int, int] = {}
        self._suspect: dict[int, int] = {}
        self._rewound: dict[int, set[int]] = {}  # read again in vain, or not looked at since
        self._turns = 0

    async def turn(self) -> list[Gap]:
        """One pass over the owned partitions; rewinds the reader where something is missing."""
        self._turns += 1
        if self._turns % _ALL_AGAIN == 0:  # the store may have come back from an older backup since
            self._whole_until.clear()
        ranges: dict[int, tuple[int, int]] = {}
        claims = [claim for claim in self._fetches.claims.values() if claim.topic == self._family.topic]
        kept = await self._kept_from([claim.partition for claim in claims])
        for claim in claims:
            if claim.partition in kept:
                start = max(kept[claim.partition], self._whole_until.get(claim.partition, 0))
                ranges[claim.partition] = (start, claim.applied + 1)
        gaps = await find_gaps(self._warehouse, self._family, {p: r for p, r in ranges.items() if r[0] < r[1]})
        lacking = {gap.partition: gap for gap in gaps}
        for partition, (start, end) in ranges.items():
            gap = lacking.get(partition)
            if gap is None:
                self._rewound[partition] = {offset for offset in self._rewound.get(partition, ()) if offset < start}
                self._whole_until[partition] = end
                self._suspect.pop(partition, None)
            elif gap.first in self._rewound.get(partition, ()):
                # Read again, and still nowhere: nothing that reading once more would mend.
                log.warning("offsets without a record", topic=self._family.topic, partition=partition, first=gap.first)
                self._whole_until[partition] = gap.first + 1
            else:
                self._suspect[partition] = self._suspect.get(partition, 0) + 1
                if self._suspect[partition] >= _PATIENCE:
                    self._read_again(gap)
        metrics.AUDIT_MISSING.labels(self._family.topic).set(sum(gap.missing for gap in gaps))
        return gaps

    async def _kept_from(self, partitions: Sequence[int]) -> Mapping[int, int]:
        """First offset of each partition whose row must still be there; none where all rows may have gone."""
        topic = self._family.topic
        if self._family.kept_ms is None:
            return {partition: await self._fetches.log_start(topic, partition) for partition in partitions}
        oldest_ms = time.time_ns() // 1_000_000 - self._family.kept_ms + _GOING_MS
        found = await self._fetches.first_since(topic, oldest_ms, partitions)
        return {partition: first[0] for partition, first in found.items() if first is not None}

    def _read_again(self, gap: Gap) -> None:
        log.error("offsets are missing, reading again", topic=self._family.topic, **asdict(gap))
        self._fetches.rewind(self._family.topic, gap.partition, gap.first)
        self._rewound.setdefault(gap.partition, set()).add(gap.first)
        self._suspect[gap.partition] = 0


async def find_gaps(warehouse: Warehouse, family: Family, ranges: Mapping[int, tuple[int, int]]) -> list[Gap]:
    """Partitions where distinct rows and dead letters do not fill ``[start, end)``.

    Args:
        ranges: partition → offsets to look at.
    """
    gaps = []
    for partition, (start, end) in ranges.items():
        within = {"partition": partition, "start": start, "end": end, "topic": family.topic}
        rows = (
            f"SELECT _offset AS place FROM {DATABASE}.{family.table} "  # noqa: S608 - names of ours
            "WHERE _partition = {partition:Int32} AND _offset >= {start:Int64} AND _offset < {end:Int64}"
        )
        dead = (
            f"SELECT offset AS place FROM {DATABASE}.{DEAD_LETTER.table} "  # noqa: S608 - names of ours
            "WHERE topic = {topic:String} AND partition = {partition:Int32} "
            "AND offset >= {start:Int64} AND offset < {end:Int64}"
        )
        ((found,),) = await warehouse.query(f"SELECT uniqExact(place) FROM ({rows} UNION ALL {dead})", within)  # noqa: S608
        if found == end - start:
            continue
        ((missing, first),) = await warehouse.query(
            "SELECT count(), min(place) FROM ("  # noqa: S608 - names of ours
            "SELECT {start:Int64} + number AS place FROM numbers(toUInt64({end:Int64} - {start:Int64}))) "
            f"WHERE place NOT IN ({rows} UNION ALL {dead})",
            within,
        )
        if missing:  # it may have landed between the two questions
            gaps.append(Gap(partition, missing, first))
    return gaps
