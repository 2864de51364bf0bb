"""The demo's clock and memory: 10:30 at once, nights cut, a restart goes on."""

from datetime import date
from pathlib import Path

import pytest

from streams.errors import StreamsError
from streams.simulate import demo, reference
from streams.simulate.demo import FROM_MS, LONGEST_SILENCE_S, Mark, Step
from streams.simulate.events import HOUR_MS, MINUTE_MS, Event
from streams.simulate.trouble import Sent

SATURDAY = date(2026, 11, 21)


def step(local_ms: int, family: str = "ticket-scan") -> Step:
    event = Event(family, "sim-a", f"{family} {local_ms}", local_ms, {"site_id": "sim-a"})
    return Step(Sent(local_ms, event, ""), local_ms)


def seconds(steps: list[Step], *, from_ms: int = 0) -> list[float]:
    return [due_s for due_s, _ in demo.due(steps, speed=10, from_ms=from_ms)]


def test_the_morning_is_told_at_once_and_the_clock_runs_from_half_past_ten() -> None:
    # 09:00   10:00 | 10:30   10:30:20   10:30:50
    morning = [step(9 * HOUR_MS), step(10 * HOUR_MS), step(FROM_MS - 1)]
    later = [step(FROM_MS + 20_000), step(FROM_MS + 50_000)]

    assert seconds([*morning, *later], from_ms=FROM_MS) == [0, 0, 0, 2, 5]


def test_a_night_is_cut_to_some_seconds() -> None:
    assert seconds([step(18 * HOUR_MS), step(33 * HOUR_MS)]) == [0, LONGEST_SILENCE_S]


def test_what_machines_say_at_night_comes_along_with_the_last_scan() -> None:
    steps = [step(18 * HOUR_MS), step(19 * HOUR_MS, "device-status"), step(23 * HOUR_MS, "web-traffic")]

    assert seconds(steps) == [0, 0, 0]


def test_the_first_day_is_a_saturday() -> None:
    for day in range(21, 28):
        assert demo.first_day(date(2026, 11, day)) == SATURDAY


def test_sites_share_one_clock_by_their_local_time() -> None:
    paris = next(one for one in reference.first(200) if not one.overseas and one.yearly_total > 50_000)
    guadeloupe = next(one for one in reference.museums() if one.time_zone == "America/Guadeloupe")

    steps = demo.day_steps(SATURDAY, (paris, guadeloupe))

    for place in (paris, guadeloupe):
        mine = [one for one in steps if one.sent.event.site_id == f"sim-{place.ref}"]
        scanned = [one.local_ms for one in mine if one.sent.event.family == "ticket-scan"]
        assert mine[0].local_ms < 2 * HOUR_MS
        assert all(8 * HOUR_MS < at < 24 * HOUR_MS for at in scanned)
    assert [one.local_ms for one in steps] == sorted(one.local_ms for one in steps)
    shift_ms = {one.sent.send_ms - one.local_ms for one in steps}
    assert max(shift_ms) - min(shift_ms) == 5 * HOUR_MS


def test_the_showcase_has_sixty_places_a_few_of_them_overseas_and_some_monuments() -> None:
    shown = reference.showcase(60)

    assert len(set(shown)) == 60
    assert len({one.time_zone for one in shown}) == 7
    assert 3 <= sum(one.monument for one in shown) <= 20


def test_many_are_inside_at_half_past_ten() -> None:
    places = reference.showcase(60)[30:40]

    people = sum(
        int(str(one.sent.event.data["party_size"]))
        for one in demo.day_steps(SATURDAY, places)
        if one.local_ms < FROM_MS and one.sent.event.family == "ticket-scan"
        and one.sent.event.data["direction"] == "IN"
    )  # fmt: skip

    assert people > 10


def test_the_place_is_kept_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "simulate.json"
    assert demo.load(path) is None

    demo.keep(path, Mark(SATURDAY, 17))

    assert demo.load(path) == Mark(SATURDAY, 17)


@pytest.mark.parametrize("damage", ["", "{}", '{"day": "2026", "index": 1}', '{"day": "2026-11-21", "index": -1}'])
def test_a_damaged_place_is_named_with_the_way_out(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "simulate.json"
    path.write_text(damage)

    with pytest.raises(StreamsError, match=r"simulate\.json"):
        demo.load(path)


def test_half_past_ten_is_ten_and_a_half_hours_after_midnight() -> None:
    assert FROM_MS == 630 * MINUTE_MS
