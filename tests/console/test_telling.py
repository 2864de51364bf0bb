"""Who is told what, without a store: snapshots, deltas, resuming, and what a slow reader costs."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator

import pytest

from streams.console.telling import BEHIND, Document, Message, Telling


class Museums:
    """Sites with a number each; ``house`` was never heard."""

    def __init__(self) -> None:
        self.inside = {"louvre": 1, "orsay": 2, "rodin": 3, "house": 0}
        self.made = 0  # documents

    def opening(self) -> Document:
        return {"now_ms": 0}

    def heard(self) -> list[str]:
        return sorted(name for name in self.inside if self.is_heard(name))

    def is_heard(self, site_id: str) -> bool:
        return site_id in self.inside and site_id != "house"

    def describes(self, site_id: str) -> bool:
        return site_id in self.inside

    def document(self, site_id: str) -> Document:
        self.made += 1
        return {"site_id": site_id, "inside": self.inside[site_id]}


class Room:
    """Museums that change, and the telling of it."""

    def __init__(self) -> None:
        self.museums = Museums()
        self.telling = Telling(self.museums)
        self._now_s = 0.0

    def change(self, *names: str) -> None:
        for name in names:
            self.museums.inside[name] += 10
        self.pass_on(*names)

    def pass_on(self, *names: str, after_s: float = 0.2) -> None:
        self._now_s += after_s
        self.telling.tell(names, self._now_s)


@pytest.fixture
def room() -> Room:
    return Room()


async def told(stream: AsyncGenerator[Message]) -> Message:
    async with asyncio.timeout(2):
        return await anext(stream)


def sites(message: Message) -> dict[str, int]:
    return {site["site_id"]: site["inside"] for site in json.loads(message.data)["sites"]}


async def test_a_snapshot_then_only_what_changed(room: Room) -> None:
    stream = room.telling.subscribe()
    first = await told(stream)
    room.change("orsay")
    second = await told(stream)

    assert (first.event, sites(first)) == ("snapshot", {"louvre": 1, "orsay": 2, "rodin": 3})
    assert (second.event, sites(second)) == ("delta", {"orsay": 12})
    assert second.chunk == b"id: %s\r\nevent: delta\r\ndata: %s\r\n\r\n" % (second.id.encode(), second.data)


async def test_a_resumed_stream_knows_what_a_new_one_is_told(room: Room) -> None:
    stream = room.telling.subscribe()
    seen = await told(stream)
    known = sites(seen)
    await stream.aclose()
    for names in (["orsay"], ["rodin"], ["orsay"], *([["louvre"]] * (2 * BEHIND))):
        room.change(*names)

    missed = await told(room.telling.subscribe(last_id=seen.id))
    control = await told(room.telling.subscribe(last_id=missed.id))

    assert missed.event == "delta"
    assert known | sites(missed) == sites(await told(room.telling.subscribe()))
    assert sites(control) == {}  # and without what was missed a browser would know something else
    assert known | sites(control) != sites(await told(room.telling.subscribe()))


@pytest.mark.parametrize(
    "last_id",
    ["", "-", "nonsense", "-1", "0-0", "{epoch}-", "{epoch}-x", "{epoch}--1", "{epoch}-1-", "{epoch}-01", "{epoch}-99",
     "{epoch}-1-00000000", "{epoch}-²", "{epoch}-" + "9" * 5000, "\x00", "’-1", "18c0ffee-1"],
)  # fmt: skip
async def test_an_id_that_says_nothing_here_gets_a_snapshot(room: Room, last_id: str) -> None:
    room.change("louvre")
    epoch = (await told(room.telling.subscribe())).id.split("-")[0]

    assert (await told(room.telling.subscribe(last_id=last_id.replace("{epoch}", epoch)))).event == "snapshot"
    assert (await told(room.telling.subscribe(last_id=f"{epoch}-1"))).event == "delta"  # the control


async def test_an_id_of_another_run_gets_a_snapshot(room: Room) -> None:
    other = Room()
    await asyncio.sleep(0.002)
    later = Room()

    last_id = (await told(other.telling.subscribe())).id

    assert (await told(later.telling.subscribe(last_id=last_id))).event == "snapshot"


async def test_an_id_of_one_site_does_not_resume_the_others(room: Room) -> None:
    one = await told(room.telling.subscribe("orsay"))
    everything = await told(room.telling.subscribe())

    assert (await told(room.telling.subscribe(last_id=one.id))).event == "snapshot"
    assert (await told(room.telling.subscribe("rodin", last_id=one.id))).event == "snapshot"
    assert (await told(room.telling.subscribe("orsay", last_id=everything.id))).event == "snapshot"
    assert (await told(room.telling.subscribe("orsay", last_id=one.id))).event == "delta"


async def test_a_site_that_vanished_cannot_be_resumed_over(room: Room) -> None:
    stream = room.telling.subscribe()
    room.change("rodin")
    before = await told(stream)
    del room.museums.inside["rodin"]
    room.change("orsay")

    assert (await told(room.telling.subscribe(last_id=before.id))).event == "snapshot"
    now = await told(stream)
    assert (now.event, "rodin" in sites(now)) == ("snapshot", False)


async def test_a_slow_reader_is_told_the_sum_and_then_a_snapshot(room: Room) -> None:
    stream = room.telling.subscribe()
    await told(stream)
    for _ in range(BEHIND):
        room.change("orsay", "rodin")
    summed = await told(stream)
    for _ in range(BEHIND + 1):
        room.change("orsay")
    over = await told(stream)

    assert (summed.event, len(sites(summed))) == ("delta", 2)
    assert (over.event, sites(over)) == (
        "snapshot",
        {site: room.museums.inside[site] for site in ("louvre", "orsay", "rodin")},
    )


async def test_a_message_is_made_once_for_all_who_watch_the_same(room: Room) -> None:
    streams = [room.telling.subscribe() for _ in range(50)]
    firsts = [await told(stream) for stream in streams]
    room.change("orsay", "rodin")
    room.museums.made = 0
    seconds = [await told(stream) for stream in streams]

    assert len({id(message) for message in firsts}) == 1
    assert len({id(message) for message in seconds}) == 1
    assert room.museums.made == 2


async def test_who_never_reads_holds_nothing(room: Room) -> None:
    readers = [room.telling.subscribe() for _ in range(5)]
    for stream in readers:
        await told(stream)
    held = [sys.getsizeof(one) + sys.getsizeof(one.woken) for one in room.telling._subscribers]
    for _ in range(1000):
        room.change("louvre", "orsay", "rodin")

    assert [sys.getsizeof(one) + sys.getsizeof(one.woken) for one in room.telling._subscribers] == held
    assert not room.telling._deltas  # made when somebody reads


async def test_of_one_site_nothing_else_is_told_but_that_time_passes(room: Room) -> None:
    stream = room.telling.subscribe("orsay")
    first = await told(stream)
    for _ in range(3):
        room.change("rodin")
    reading = asyncio.ensure_future(told(stream))
    await asyncio.sleep(0)
    untold = not reading.done()
    room.pass_on(after_s=1.0)
    beat = await reading
    room.change("orsay", "rodin")

    assert sites(first) == {"orsay": 2}
    assert untold
    assert (beat.event, sites(beat)) == ("delta", {})
    assert sites(await told(stream)) == {"orsay": 12}


async def test_a_site_never_heard_is_told_of_when_it_is_asked_for(room: Room) -> None:
    assert sites(await told(room.telling.subscribe("house"))) == {"house": 0}
    assert "house" not in sites(await told(room.telling.subscribe()))


async def test_the_stream_of_a_site_ends_with_the_site(room: Room) -> None:
    stream = room.telling.subscribe("rodin")
    await told(stream)
    del room.museums.inside["rodin"]
    room.pass_on(after_s=1.0)

    with pytest.raises(StopAsyncIteration):
        await told(stream)
    assert room.telling.subscribers == 0


async def test_a_stream_ends_when_its_guard_says_no(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.console.telling._GUARD_S", 0.0)
    allowed = True

    async def guard() -> bool:
        return allowed

    stream, unguarded = room.telling.subscribe(guard=guard), room.telling.subscribe()
    await told(stream), await told(unguarded)
    room.change("orsay")
    assert sites(await told(stream)) == {"orsay": 12}
    allowed = False
    room.change("orsay")

    with pytest.raises(StopAsyncIteration):
        await told(stream)
    assert sites(await told(unguarded)) == {"orsay": 22}


async def test_stopping_ends_every_stream(room: Room) -> None:
    stream = room.telling.subscribe()
    await told(stream)
    room.telling.stop()

    with pytest.raises(StopAsyncIteration):
        await told(stream)
