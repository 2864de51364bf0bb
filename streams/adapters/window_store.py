"""Windows in the live store: which were touched, one read of each, the number that it gets, what was said of it.

Three steps around a publication, each a script, so that a crash anywhere loses nothing: **read**, **reserve** a number,
publish, **confirm**. A number is used for one publication only; whoever comes second finds another number reserved and
leaves the window to its next turn. Every method raises ``Unavailable("redis")``. Called by ``agents.windows``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from streams.adapters import live_keys
from streams.adapters.redis_client import connect, translated
from streams.adapters.scripts import Call, Script, run
from streams.core.days import HOUR_MS, MINUTE_MS, hour_name
from streams.core.windows import QUARTER_MS, Counts, Found, Publication, Said, within
from streams.topology import LIVE, LIVE_KEPT_MS, TICKET_SCAN

_TTL_S = LIVE_KEPT_MS // 1000
_MINUTES = QUARTER_MS // MINUTE_MS


class Mark(NamedTuple):
    """A touched window: the quarter of an hour of a site that begins at ``start_ms``."""

    site_id: str
    start_ms: int

    @property
    def member(self) -> str:
        """As it stands in the sorted set."""
        return f"{self.site_id}|{self.start_ms}"

    @property
    def hour_ms(self) -> int:
        """Start of its UTC hour."""
        return self.start_ms // HOUR_MS * HOUR_MS


@dataclass(frozen=True, slots=True)
class Look:
    """What waits in a partition.

    Attributes:
        marks: some of the touched windows, those touched longest ago first.
        total: how many there are.
        counted_ms: everything appended to the partition until then, of any family, is counted; ``None`` while it is
            being counted up from Kafka.
    """

    marks: list[Mark]
    total: int
    counted_ms: int | None


class Level(NamedTuple):
    """Greatest event and ingest time of a site, and its watermark, epoch ms; ``None`` where nothing is known."""

    occurred_ms: int | None
    received_ms: int | None
    watermark_ms: int | None


class Read(NamedTuple):
    """One window as it was read; ``heard``: gates with a cell in its hour and business day, before its end."""

    found: Found
    heard: frozenset[str]


class _SaidText(msgspec.Struct):
    revision: int
    gates: dict[str, tuple[int, int, int]]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_SaidText).decode


def said_of(text: bytes) -> Said:
    """What a field of ``w`` says."""
    told = _decode(text)
    return Said(told.revision, {gate: Counts(*counts) for gate, counts in told.gates.items()})


class WindowStore:
    """The windows of live state.

    Args:
        url: of Redis or Valkey.
        app: name of the application that counts.
    """

    def __init__(self, url: str, app: str) -> None:
        self._redis = connect(url)
        self._fields = [live_keys.fence_field(app, family.topic) for family in LIVE]
        self._scans = live_keys.fence_field(app, TICKET_SCAN.topic)
        self._read = Script("window_read.lua")
        self._reserve = Script("reserve.lua")
        self._said = Script("said.lua")
        self._watermark = Script("watermark.lua")

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def look(self, partition: int, first: int, most: int) -> Look:
        """Marks of a partition, ``most`` of them from place ``first`` on."""
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            pipe.zrange(live_keys.touched(partition), first, first + most - 1)
            pipe.zcard(live_keys.touched(partition))
            pipe.hmget(live_keys.confirmed(partition), self._fields)
            members, total, told = await pipe.execute()
        marks = []
        for member in members:
            site_id, _, start = member.decode().rpartition("|")
            marks.append(Mark(site_id, int(start)))
        return Look(marks, total, None if None in told else min(map(int, told)))

    async def levels(self, partition: int, site_ids: Sequence[str]) -> dict[str, Level]:
        """What each site said last."""
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            for site_id in site_ids:
                pipe.hmget(live_keys.level(partition, site_id), *Level._fields)
            answers = await pipe.execute()
        return {
            site_id: Level(*(None if value is None else int(value) for value in told))
            for site_id, told in zip(site_ids, answers, strict=True)
        }

    async def keep_watermarks(self, partition: int, rising: Mapping[str, int], exact: Mapping[str, int]) -> None:
        """Keep watermarks, epoch ms: those of ``rising`` never fall, those of ``exact`` follow their events."""
        told = [(site_id, str(at_ms)) for site_id, at_ms in rising.items()]
        told += [(site_id, f"={at_ms}") for site_id, at_ms in exact.items()]
        if told:
            keys = [live_keys.level(partition, site_id) for site_id, _ in told]
            await run(self._redis, self._watermark, [Call(keys, [value for _, value in told])])

    async def read(self, partition: int, marks: Sequence[tuple[Mark, int]]) -> list[Read]:
        """Each window in one atomic step; left out if its mark is gone by now, or its partition is being counted up.

        Args:
            partition: where they live.
            marks: with the start of the business day that each lies in, epoch ms.
        """
        calls = []
        for mark, day_ms in marks:
            first = (mark.start_ms - mark.hour_ms) // MINUTE_MS
            hour = hour_name(mark.hour_ms)
            keys = [live_keys.cells(partition, mark.site_id, hour), live_keys.windows(partition, mark.site_id, hour)]
            keys += [live_keys.touched(partition), live_keys.causes(partition), live_keys.confirmed(partition)]
            of_day = max(0, day_ms - mark.hour_ms) // MINUTE_MS
            calls.append(Call(keys, (mark.member, mark.start_ms, first, first + _MINUTES, of_day, self._scans)))
        reads = []
        for (mark, _), answer in zip(marks, await run(self._redis, self._read, calls), strict=True):
            if len(answer) == 1:
                continue
            version, cause, said, reserved, flat, gates = answer
            cells = {}
            first = mark.hour_ms // MINUTE_MS
            for name, people in zip(flat[::2], flat[1::2], strict=True):
                gate, minute, metric = name.decode().rsplit("|", 2)
                cells[gate, first + int(minute), metric] = int(people)
            found = Found(
                site_id=mark.site_id,
                start_ms=mark.start_ms,
                gates=within(cells, mark.start_ms, mark.start_ms + QUARTER_MS),
                said=said_of(said) if said else None,
                reserved=int(reserved or 0),
                version=int(version),
                cause=int(cause or 0),
            )
            reads.append(Read(found, frozenset(gate.decode() for gate in gates)))
        return reads

    async def gates(self, partition: int, hours: Sequence[tuple[str, int, int]]) -> list[frozenset[str]]:
        """Gates with a cell in each (site, start of a UTC hour, first minute of it that is asked for)."""
        with translated():
            pipe = self._redis.pipeline(transaction=False)
            for site_id, hour_ms, _ in hours:
                pipe.hkeys(live_keys.cells(partition, site_id, hour_name(hour_ms)))
            answers = await pipe.execute()
        found = []
        for (_, _, first), names in zip(hours, answers, strict=True):
            parted = [name.decode().rsplit("|", 2) for name in names]
            found.append(frozenset(gate for gate, minute, _ in parted if int(minute) >= first))
        return found

    async def reserve(self, partition: int, wanted: Sequence[tuple[Found, Publication]]) -> list[bool]:
        """Take each publication's number; false where another was taken since the window was read."""
        calls = [
            Call([_said_key(partition, found)], (found.start_ms, found.reserved or "", said.revision, _TTL_S))
            for found, said in wanted
        ]
        return [answer == b"OK" for answer in await run(self._redis, self._reserve, calls)]

    async def confirm(self, partition: int, said: Sequence[tuple[Found, Publication]]) -> list[bool]:
        """Keep what was published; false where another number was reserved since.

        The mark of a window goes unless it was touched again since it was read.
        """
        calls = []
        for found, one in said:
            gates = {gate: (counts.entries, counts.exits, counts.denied) for gate, counts in one.gates.items()}
            calls.append(_said(partition, found, one.revision, _encode(_SaidText(one.revision, gates))))
        return [answer == b"OK" for answer in await run(self._redis, self._said, calls)]

    async def forget(self, partition: int, founds: Sequence[Found]) -> None:
        """Take the marks of windows away of which there is nothing to say."""
        await run(self._redis, self._said, [_said(partition, found, "", b"") for found in founds])


def _said_key(partition: int, found: Found) -> str:
    return live_keys.windows(partition, found.site_id, hour_name(found.start_ms))


def _said(partition: int, found: Found, revision: int | str, text: bytes) -> Call:
    keys = [_said_key(partition, found), live_keys.touched(partition), live_keys.causes(partition)]
    member = Mark(found.site_id, found.start_ms).member
    return Call(keys, (found.start_ms, revision, text, member, found.version, _TTL_S))
