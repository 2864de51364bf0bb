"""``/quality`` on the running stack: the page is the API's, and each command opens what its figure is made of."""

import html
import json
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.beds import wait_for
from tests.console.browser import Browser
from tests.console.planted import SICK, Planted, plant
from tests.console.test_page import CLIPPED_JS, WIDTHS
from tests.programs import World
from tests.verbs import musee

# Figures of history by their place: of a site, or of all sites together.
FIGURES_JS = """[...document.querySelectorAll("#quality [data-figure]")].map((one) =>
    [one.dataset.of, one.dataset.figure, Number(one.dataset.value)])"""
SMALL_JS = """[...document.querySelectorAll("#quality :is(a, button, input, summary)")].filter((one) => {
    const box = one.getBoundingClientRect();
    return box.width > 0 && (box.width < 24 || box.height < 23.5);
  }).map((one) => `${one.tagName} ${one.textContent.trim().slice(0, 30)}`)"""


def today() -> str:
    return datetime.now(UTC).date().isoformat()


@pytest.fixture(scope="module")
def planted(running_world: World) -> Planted:
    return plant(running_world)


def asked(planted: Planted, path: str, **params: str) -> Any:
    return planted.world.http.get(f"{planted.world.console.address}{path}", params=params)


def told(planted: Planted) -> dict[str, Any]:
    """The document of today, once it is counted."""
    answers: list[dict[str, Any]] = []

    def counted() -> bool:
        answers.append(asked(planted, "/v1/quality", day=today()).json())
        return bool(answers[-1]["history"]["state"] == "counted")

    wait_for(counted, within_s=40, what="history in the console")
    return answers[-1]


def of(document: dict[str, Any], site: str) -> dict[str, Any]:
    (found,) = [one for one in document["sites"] if one["site_id"] == site]
    return dict(found)


def left(letters: list[dict[str, Any]]) -> int:
    return sum(one["found"] - one["retried"] for one in letters)


def expected(document: dict[str, Any]) -> dict[tuple[str, str], int]:
    """What the page of all sites must show."""
    network = document["network"]
    sums = {
        ("", "sites_wrong"): network["sites_wrong"],
        ("", "dead_letters_unplaced"): left(network["dead_letters_unplaced"]),
    }
    for place, one in [("", network), *((site["site_id"], site) for site in document["sites"] if site["wrong"])]:
        silent = one["devices"]["silent"]
        sums |= {
            (place, "late"): one["late"]["late"],
            (place, "resent"): one["resent"],
            (place, "clocks"): one["clocks"]["drifting"] + one["clocks"]["unsynced"],
            (place, "devices"): silent if isinstance(silent, int) else len(silent),
            (place, "dead_letters"): left(one["dead_letters"]),
        }
    return sums


def test_the_document_says_what_was_planted(planted: Planted) -> None:
    document = told(planted)
    found = of(document, planted.sick)

    assert found["events"] == SICK.events
    assert found["late"] == {"judged": SICK.judged, "late": SICK.late, "offline": SICK.offline}
    assert found["clocks"] == {"judged": SICK.clocked, "drifting": SICK.drifting, "unsynced": SICK.unsynced}
    assert found["resent"] == SICK.resent
    assert [one["device_id"] for one in found["devices"]["silent"]] == ["door"]
    assert found["freshness"]["heard_ms"] == planted.world.now(planted.sick)["received_ms"]
    assert found["freshness"]["history_landed_ms"] >= found["freshness"]["history_received_ms"]
    assert document["network"]["late"]["late"] == sum(one["late"]["late"] for one in document["sites"])


def test_each_command_on_the_page_opens_as_much_as_its_figure_says(planted: Planted) -> None:
    found = of(told(planted), planted.sick)

    page = asked(planted, "/quality", day=today(), site=planted.sick).text

    lines = [(one[0], html.unescape(one[1])) for one in re.findall(r'data-command="(\w+)">(.*?)</code>', page)]
    rows = {}
    for figure, line in lines:
        program, *arguments = shlex.split(line)
        assert program == "musee"
        if arguments[0] != "sql":
            assert line == "musee dlq retry --reason clock --shift auto"
            continue
        done = musee(planted.world.settings, *arguments, "--json")
        assert done.returncode == 0, done.stderr
        rows[figure] = [json.loads(row) for row in done.stdout.splitlines()]
    assert len(rows["late"]) == found["late"]["late"] + found["late"]["offline"]
    assert sum(int(one["times"]) - 1 for one in rows["resent"]) == found["resent"]
    assert sum(int(one["events"]) for one in rows["clocks"]) == SICK.drifting + SICK.unsynced
    assert {one["device_id"] for one in rows["devices"]} == {"door", "kiosk"}
    assert sum(int(one["count()"]) for one in rows["dead_letters"]) == left(found["dead_letters"])


def test_a_site_without_trouble_reads_well_and_is_one_of_a_number_on_the_page_of_all(planted: Planted) -> None:
    document = told(planted)

    alone = asked(planted, "/quality", day=today(), site=planted.well).text
    everybody = asked(planted, "/quality", day=today()).text

    assert f'data-quality-of="{planted.well}" data-wrong=""' in alone
    assert f'data-quality-of="{planted.well}"' not in everybody
    fine = document["network"]["sites"] - document["network"]["sites_wrong"]
    assert re.search(rf"{fine} sites? ha(s|ve) nothing wrong", everybody)


def test_nothing_wrong_is_said_in_words(planted: Planted) -> None:
    answer = asked(planted, "/quality", day="2020-02-29").text

    silent = asked(planted, "/v1/quality", day="2020-02-29").json()["network"]["sites_wrong"]
    assert ("Nothing is wrong." in answer) == (silent == 0)


@pytest.mark.parametrize(
    "day", ["yesterday", "9999-01-01", "<script>alert(1)</script>", "\u202e2026-01-01", "2026-02-30"]
)
def test_a_day_that_is_none_gets_a_page_and_a_problem_that_say_so(planted: Planted, day: str) -> None:
    page, document = asked(planted, "/quality", day=day), asked(planted, "/v1/quality", day=day)

    assert (page.status_code, document.status_code) == (400, 400)
    assert "is no day" in page.text
    assert "<script>alert" not in page.text
    assert document.headers["content-type"] == "application/problem+json"
    assert document.json()["code"] == "no-day"


@pytest.mark.parametrize("site", ["nowhere", "<script>alert(1)</script>", "x" * 2000, "\u202e😀"])
def test_a_site_that_nobody_described_gets_a_page_and_a_problem_that_say_so(planted: Planted, site: str) -> None:
    page, document = asked(planted, "/quality", site=site), asked(planted, "/v1/quality", site=site)

    assert (page.status_code, document.status_code) == (404, 404)
    assert "<script>alert" not in page.text
    assert document.json()["code"] == "unknown-site"


@pytest.mark.system
async def test_the_page_is_the_api_in_both_languages_and_at_every_width(
    planted: Planted, browser: Browser, tmp_path: Path
) -> None:
    document = told(planted)
    address = f"{planted.world.console.address}/quality?day={today()}"
    seen: list[dict[tuple[str, str], int]] = []
    faults: list[object] = []
    for width in WIDTHS:
        for language in ("en", "fr"):
            async with browser.page(width=width, height=900, dark=language == "fr") as page:
                await page.open(f"{address}&lang={language}")
                await page.until("document.documentElement.dataset.messageId !== undefined", within_s=15)
                await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
                figures = await page.evaluate(FIGURES_JS)
                seen.append({(place, kind): value for place, kind, value in figures})
                faults += await page.evaluate(f"({CLIPPED_JS})({width})")
                faults += await page.evaluate(SMALL_JS)
                faults += [*page.errors, *await page.breaches(), *page.foreign(planted.world.console.address)]
                await page.screenshot(tmp_path / f"quality-{width}-{language}.png", whole=True)

    again = told(planted)
    assert again["window"] == document["window"], "the console counted anew while the page was looked at"
    assert all(one == expected(document) for one in seen)
    assert faults == []


@pytest.mark.system
async def test_a_browser_that_cannot_reach_the_console_says_that_it_is_its_own_connection(
    planted: Planted, browser: Browser
) -> None:
    async with browser.page() as page:
        await page.open(f"{planted.world.console.address}/quality")
        await page.until("document.querySelector('#pipeline')?.dataset.kind === 'live'", within_s=20)

        planted.world.console.stop()
        took_s = await page.until("document.querySelector('#pipeline').dataset.kind === 'connection'", within_s=12)
        said = await page.evaluate("document.querySelector('#pipeline').innerText")
        planted.world.console.cont()
        await page.until("document.querySelector('#pipeline').dataset.kind === 'live'", within_s=20)

    print(f"\nown connection named after {took_s:.1f} s")
    assert "Your connection to the console is broken" in said
    assert "musee status" in said
