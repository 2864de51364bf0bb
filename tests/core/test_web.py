"""Hourly web counts, visitor actions and signs of life of devices."""

from typing import Any

from streams.adapters import registry
from streams.core import actions, devices, web
from streams.core.increments import Increments
from tests.core.families import AT, HOUR, HOUR_MS, frame

KEY = f"n:{{}}:louvre:{HOUR}"


def reported(*events: dict[str, Any]) -> Increments:
    return web.tally(frame(web.COLUMNS, events), {})


def report(page_views: int, assets: int = 0, robots: int = 0, errors: int = 0, **more: Any) -> dict[str, Any]:
    return {"page_views": page_views, "assets": assets, "robots": robots, "errors": errors, **more}


def test_reports_of_one_hour_add_up() -> None:
    adds = reported(report(10, 40, 3, 1), report(5, 1)).adds

    assert adds == {
        ("louvre", KEY, "web_page_views"): 15,
        ("louvre", KEY, "web_assets"): 41,
        ("louvre", KEY, "web_robots"): 3,
        ("louvre", KEY, "web_errors"): 1,
    }


def test_an_hour_without_requests_leaves_no_cell_and_is_a_sign_of_life() -> None:
    found = reported(report(0))

    assert found.adds == {}
    assert found.maxima["louvre", "l:{}:louvre", "occurred_ms"] == AT


def test_great_counts_do_not_overflow() -> None:
    assert reported(*[report(2**31 - 1)] * 3).adds["louvre", KEY, "web_page_views"] == 3 * (2**31 - 1)


def test_a_trial_report_counts_nowhere() -> None:
    assert reported(report(10, test=True)).size == 0


def test_actions_count_together_and_by_kind() -> None:
    events: list[dict[str, Any]] = [
        {"action": "LIKE"},
        {"action": "LIKE"},
        {"action": "BUY"},
        {"action": "ASK", "test": True},
    ]

    adds = actions.tally(frame(actions.COLUMNS, events), {}).adds

    assert adds == {
        ("louvre", KEY, "actions"): 3,
        ("louvre", KEY, "actions_like"): 2,
        ("louvre", KEY, "actions_buy"): 1,
    }


def test_every_kind_of_action_in_the_schema_is_counted() -> None:
    (field,) = [f for f in registry.by_name("visitor-action.v1").definition["fields"] if f["name"] == "action"]

    assert tuple(field["type"]["symbols"]) == actions.KINDS


def test_every_web_count_in_the_schema_is_counted() -> None:
    own = [f["name"] for f in registry.by_name("web-traffic.v1").definition["fields"] if f.get("unit") == "requests"]

    assert tuple(own) == web.COUNTS


def test_a_device_was_heard_when_it_last_said_so_whatever_the_order() -> None:
    events = [{"device_id": "t|1", "occurred_at": AT}, {"device_id": "t|1", "occurred_at": AT - HOUR_MS}]

    found = devices.tally(frame(devices.COLUMNS, events), {})

    assert found.maxima["louvre", "g:{}:louvre", "t|1|occurred_ms"] == AT
    assert found == devices.tally(frame(devices.COLUMNS, events[::-1]), {})


def test_a_trial_of_a_device_is_no_sign_of_life() -> None:
    assert devices.tally(frame(devices.COLUMNS, [{"device_id": "t", "test": True}]), {}).size == 0
