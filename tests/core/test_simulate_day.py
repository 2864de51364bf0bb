"""A simulated day: believable, the same for the same seed, and no trouble changes what happened."""

import re
from collections import Counter
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, cast

import pytest

from streams.core.sites import Site
from streams.simulate import day as days
from streams.simulate import events as made
from streams.simulate import plan, reference, rhythm, trouble, truth, world
from streams.simulate.events import HOUR_MS, Event
from streams.simulate.reference import Place
from streams.simulate.trouble import NONE, Sent, Trouble

SUNDAY = date(2026, 6, 14)
LARGE = next(place for place in reference.museums() if place.name.startswith("musée du Quai Branly"))
HARD = Trouble(late=0.3, offline_ms=3 * HOUR_MS, offline_share=0.4, dup=0.2, disorder=0.2)


def site_of(place: Place, on: date = SUNDAY, seed: int = 7) -> Site:
    return world.simulated(place, world.tag(seed), on)


@lru_cache(maxsize=64)
def day_of(place: Place, on: date = SUNDAY, seed: int = 7) -> list[Event]:
    return days.events(place, site_of(place, on, seed), on, seed)


def scans(events: list[Event]) -> list[tuple[Event, dict[str, Any]]]:
    return [(one, cast(dict[str, Any], one.data)) for one in events if one.family == "ticket-scan"]


def some_places(count: int = 40) -> tuple[Place, ...]:
    return reference.first(count)


def test_a_sites_day_is_the_same_whatever_the_number_of_sites() -> None:
    few = {site.site_id: day_of(place) for place, site in plan.Run(3, SUNDAY, 7).sites()}
    many = {site.site_id: day_of(place) for place, site in plan.Run(30, SUNDAY, 7).sites()}

    assert few.items() <= many.items()


def test_another_seed_is_another_day() -> None:
    assert [one.at_ms for one in day_of(LARGE, seed=7)] != [one.at_ms for one in day_of(LARGE, seed=8)]


def test_leaving_families_out_does_not_change_the_others() -> None:
    (place,) = some_places(1)

    posts = days.events(place, site_of(place), SUNDAY, 7, ("guestbook-entry",))

    assert posts == [one for one in day_of(place) if one.family == "guestbook-entry"]


def test_entries_are_the_visitors_and_everybody_has_left_at_night() -> None:
    for place in some_places():
        inside = Counter[str]()
        for one, data in scans(day_of(place)):
            if data.get("test") or data["outcome"] == "DENIED":
                continue
            sign = -1 if data["outcome"] in ("ANNULLED", "REVERTED") else 1
            inside[data["direction"]] += sign * data["party_size"]
            assert one.site_id.startswith("sim7-")
        assert inside["IN"] == inside["OUT"] == rhythm.visitors(place, SUNDAY, 7)


def test_nobody_is_ever_inside_before_having_come_in() -> None:
    level = lowest = highest = 0
    for _, data in scans(day_of(LARGE)):
        if data["outcome"] != "DENIED" and not data.get("test"):
            people = data["party_size"] * (-1 if data["outcome"] in ("ANNULLED", "REVERTED") else 1)
            level += people if data["direction"] == "IN" else -people
        lowest, highest = min(lowest, level), max(highest, level)

    assert lowest == 0
    assert 0 < highest <= world.capacity(LARGE, SUNDAY.year)


def test_people_pass_only_while_it_is_open() -> None:
    for place in some_places():
        stretches = days.bench(place, site_of(place), SUNDAY, 7).stretches
        for one, data in scans(day_of(place)):
            if data["outcome"] != "AUTO_EXIT" and not data.get("test"):
                assert any(first <= one.at_ms < last + made.MINUTE_MS * 5 for first, last in stretches)


def test_a_closed_day_has_machines_and_web_but_no_visitor() -> None:
    christmas = date(2026, 12, 25)

    families = Counter(one.family for one in day_of(LARGE, christmas))

    assert set(families) == {"device-status", "web-traffic"}
    assert families["web-traffic"] == 24


@pytest.mark.parametrize(("on", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (SUNDAY, 24)])
def test_a_day_has_as_many_hours_as_its_clock(on: date, hours: int) -> None:
    web = [one.at_ms for one in day_of(LARGE, on) if one.family == "web-traffic"]

    assert len(web) == hours
    assert web[-1] - web[0] == (hours - 1) * HOUR_MS


@pytest.mark.parametrize("on", [date(2026, 3, 29), date(2026, 10, 25)])
def test_doors_open_by_the_clock_on_the_wall_also_when_it_changes(on: date) -> None:
    opens = rhythm.rhythm(LARGE).hours(on)[0][0]

    first_ms = days.bench(LARGE, site_of(LARGE, on), on, 7).stretches[0][0]

    utc = datetime.fromtimestamp(first_ms / 1000, UTC)
    ahead = 2 if on.month == 3 else 1
    assert (utc.hour + ahead) * 60 + utc.minute == opens


def test_overseas_sites_have_their_own_day() -> None:
    place = next(one for one in reference.museums() if one.time_zone == "Indian/Reunion" and one.yearly_total > 10_000)
    on = next(on for on in (SUNDAY, date(2026, 6, 17)) if rhythm.rhythm(place).hours(on))

    first_ms = days.bench(place, site_of(place, on), on, 7).stretches[0][0]

    assert datetime.fromtimestamp(first_ms / 1000, UTC).hour == rhythm.rhythm(place).hours(on)[0][0] // 60 - 4


def test_corrections_name_a_scan_of_the_same_gate_and_party() -> None:
    found = {one.event_id: data for one, data in scans(day_of(LARGE))}
    corrections = [data for data in found.values() if "corrects" in data]

    assert corrections
    for data in corrections:
        corrected = found[data["corrects"]]
        assert corrected["outcome"] == "ACCEPTED"
        assert all(corrected[name] == data[name] for name in ("gate_id", "direction", "party_size"))


def test_machines_number_their_events_without_a_gap() -> None:
    numbers: dict[str, list[int]] = {}
    for one in day_of(LARGE):
        if "device_id" in one.data:
            numbers.setdefault(str(one.data["device_id"]), []).append(cast(int, one.data["seq"]))

    assert len(numbers) > 1
    assert all(told == list(range(len(told))) for told in numbers.values())


def test_posts_name_the_sites_account_before_any_other_that_a_museum_claims() -> None:
    claimed = {handle for place in reference.museums() for handle in site_of(place).handles}
    posts = [one for one in day_of(LARGE) if one.family == "social-post"]

    for one in posts:
        named = [account.lower() for account in re.findall(r"@(\w+)", str(one.data["text"]))]
        assert next(account for account in named if account in claimed) == site_of(LARGE).handles[0]
    assert any("site_id" not in one.data for one in posts)


def test_a_whole_network_fits_into_a_run() -> None:
    count = sum(len(day_of(place)) for place in some_places(120))

    assert count * 10 < 1_000_000


@pytest.mark.parametrize("how", [NONE, Trouble(), HARD])
def test_trouble_changes_no_truth(how: Trouble) -> None:
    for place in some_places(12):
        events = day_of(place)
        sent = trouble.sends(events, how, day=SUNDAY, seed=7)

        truth_of_events, truth_of_sends = truth.count(events), truth.count(one.event for one in sent)

        for name in ("passages", "sessions", "hours", "devices", "events"):
            assert getattr(truth_of_events, name) == getattr(truth_of_sends, name)


def test_trouble_is_what_was_ordered() -> None:
    sent = [one for place in some_places() for one in trouble.sends(day_of(place), HARD, day=SUNDAY, seed=7)]
    causes = Counter(one.cause for one in sent)

    assert min(causes[cause] for cause in ("LATE", "OFFLINE", "RESENT", "DISORDERED")) > 50
    assert causes["RESENT"] / (len(sent) - causes["RESENT"]) == pytest.approx(0.2, abs=0.02)
    assert all(one.send_ms > one.event.at_ms for one in sent)
    assert all((one.event.data.get("ingest_mode") == "OFFLINE") == (one.cause == "OFFLINE")
               for one in sent if one.cause != "RESENT")  # fmt: skip


def test_without_trouble_everything_goes_once_and_soon() -> None:
    events = day_of(LARGE)

    sent = trouble.sends(events, NONE, day=SUNDAY, seed=7)

    assert len(sent) == len(events)
    assert all(0 < one.send_ms - one.event.at_ms < 2_000 for one in sent if one.event.family != "web-traffic")


def test_an_outage_comes_in_one_burst_behind_it() -> None:
    how = Trouble(late=0, offline_ms=2 * HOUR_MS, offline_share=1, dup=0, disorder=0)

    sent = trouble.sends(day_of(LARGE), how, day=SUNDAY, seed=7)

    by_machine: dict[str, list[Sent]] = {}
    for one in sent:
        if one.cause == "OFFLINE":
            by_machine.setdefault(str(one.event.data["device_id"]), []).append(one)
    assert len(by_machine) == len(site_of(LARGE).gates)
    for kept in by_machine.values():
        assert max(one.event.at_ms for one in kept) <= min(one.send_ms for one in kept)
        assert kept[-1].send_ms - kept[0].send_ms < 30_000
        assert [one.event.at_ms for one in kept] == sorted(one.event.at_ms for one in kept)


def test_what_is_sent_again_is_the_very_same_event_later() -> None:
    first: dict[str, Sent] = {}
    for one in trouble.sends(day_of(LARGE), HARD, day=SUNDAY, seed=7):
        if one.cause == "RESENT":
            assert one.event == first[one.event.event_id].event
            assert one.send_ms > first[one.event.event_id].send_ms
        else:
            assert one.event.event_id not in first
            first[one.event.event_id] = one
