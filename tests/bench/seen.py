"""What the sets of seen ids weigh in a real Valkey.

    make bench-seen

A million ids of one family on 8 partitions, written by the live store's own script in batches of 500, spread over the
hours of a week day as visitors are, at three rates: the sets hold some tens of ids to some ten thousands. Each rate is
measured in an empty server, whose memory is read before and after.

An id weighs what its set makes of it: one of up to 128 ids is a list, a larger one a table that grows by doubling.
Bounded: an id is written once, with an event that counts; no event counts that a live site sent more than 72 h late;
and a set goes ``SEEN_MS`` after its last write. So a live site's ids go 72 h + ``SEEN_MS`` + 1 h after their event at
the latest, and those of a recording ``SEEN_MS`` after it was played.
"""

import asyncio
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import redis

from streams.adapters import live_keys
from streams.adapters.live_store import Batch, LiveStore
from streams.config import Settings
from streams.core.clocks import LATE_MS
from streams.core.days import hour_name
from streams.core.increments import Increments
from streams.core.seen import ID_BYTES, Ids
from streams.topology import AGENTS, HOUR_MS, PARTITIONS, SEEN_MS, TICKET_SCAN
from tests.beds import Bed
from tests.bench import report

IDS = 1_000_000
BATCH = 500
DAY_MS = 1_784_073_600_000  # 2026-07-15, UTC
# Share of a day's scans in each of its hours, out of a hundred: nobody at night, most after lunch.
HOURS = {8: 2, 9: 6, 10: 11, 11: 11, 12: 8, 13: 9, 14: 14, 15: 14, 16: 11, 17: 8, 18: 4, 19: 2}
RATES = {"quiet": 20_000, "busy": 250_000, "crowded": 5_000_000}  # events a day, of the whole network


def _hours(a_day: int) -> Iterator[tuple[str, int]]:
    """UTC hours and the events that happen in each, day after day."""
    day = 0
    while True:
        for hour, share in HOURS.items():
            yield hour_name(DAY_MS + (24 * day + hour) * HOUR_MS), a_day * share // 100
        day += 1


async def _fill(url: str, a_day: int, seed: int) -> int:
    """Write the ids through the script; returns how many."""
    chance = random.Random(seed)
    store = LiveStore(url, AGENTS)
    last = dict.fromkeys(range(PARTITIONS), -1)
    for partition in last:
        await store.set_fence(TICKET_SCAN.topic, partition, -1)
    written = 0
    for hour, events in _hours(a_day):
        if written >= IDS:
            break
        events = min(events, IDS - written)
        for partition in range(PARTITIONS):
            count = events // PARTITIONS + (partition < events % PARTITIONS)
            while count > 0:
                some = min(count, BATCH)
                ids: Ids = {hour: chance.randbytes(some * ID_BYTES)}
                prev = last[partition]
                batch = Batch(TICKET_SCAN.topic, partition, prev, prev + some, Increments(), ids)
                answers = await store.apply(TICKET_SCAN.name, [batch])
                if answers != ["OK"]:
                    raise RuntimeError(f"the store answered {answers}")
                last[partition] = batch.last
                count -= some
        written += events
    await store.close()
    return written


def _used(client: redis.Redis) -> int:
    """Bytes, without what waits to be written to the log."""
    memory = client.info("memory")
    return int(memory["used_memory"]) - int(memory["mem_aof_buffer"])


def _weighed(url: str, a_day: int) -> tuple[float, int]:
    """Bytes of an id, ids in the largest set.

    Raises:
        RuntimeError: an id is missing, or a set stays longer than it should.
    """
    with redis.Redis.from_url(url) as client:
        before = _used(client)
        written = asyncio.run(_fill(url, a_day, seed=11))
        used = _used(client) - before
        held = largest = 0
        for key in client.scan_iter(f"{live_keys.SEEN}:*", count=1_000):
            ids = int(client.scard(key))
            held, largest = held + ids, max(largest, ids)
            if not 0 < int(client.ttl(key)) <= SEEN_MS // 1_000:
                raise RuntimeError(f"{key!r} does not expire {SEEN_MS} ms after its last write")
    if held != written:
        raise RuntimeError(f"{held} ids are held, {written} were written")
    return used / written, largest


def main() -> None:
    """Measure, print, write ``build/bench/seen.json``."""
    rows: list[tuple[str, float, str]] = []
    notes = []
    longest_h = (LATE_MS + SEEN_MS) / HOUR_MS + 1
    for name, a_day in RATES.items():
        with tempfile.TemporaryDirectory() as folder:
            bed = Bed(Path(folder), Settings.model_validate({}).cache)
            try:
                bed.start("redis")
                weight, largest = _weighed(bed.redis.address, a_day)
            finally:
                bed.close()
        rows.append((f"{name}_million_ids", weight * IDS, "bytes"))
        rows.append((f"{name}_id", weight, "bytes"))
        kept, most = (weight * a_day * hours / 24 / 1e6 for hours in (SEEN_MS / HOUR_MS, longest_h))
        notes.append(
            f"{name}: {a_day:,} events a day in sets of up to {largest:,} ids; "
            f"kept at a time: {kept:,.0f} MB, {most:,.0f} MB at most"
        )
    rows.append(("kept_after_last_write", SEEN_MS / HOUR_MS, "h"))
    rows.append(("kept_after_event_at_most", longest_h, "h"))
    report.publish("seen", rows, notes)


if __name__ == "__main__":
    main()
