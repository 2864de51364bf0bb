"""The access log: lines → hourly counts, and nothing of a visitor. The lines are invented, the packaged file is not."""

import gzip
import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.replay import web_log
from streams.replay.recording import Fact, RecordingError, Unreadable
from streams.replay.recordings import WEB_LOG, cloud_event
from streams.replay.run import Played
from streams.replay.screen import totals

BROWSER = "Mozilla/5.0 (X11; Linux) Firefox/30.0"


def line(time: str = "17/May/2015:10:05:03 +0000", path: str = "/", status: int = 200, agent: str = BROWSER) -> str:
    return f'v02 - - [{time}] "GET {path} HTTP/1.1" {status} 203 "http://example.org/" "{agent}"\n'


def facts(path: Path) -> list[Fact]:
    return [found for found in web_log.read(path) if isinstance(found, Fact)]


def unreadable(path: Path) -> list[int]:
    return [found.line for found in web_log.read(path) if isinstance(found, Unreadable)]


def written(folder: Path, content: str) -> Path:
    path = folder / "access.log"
    path.write_text(content)
    return path


@pytest.mark.parametrize(
    ("path", "status", "agent", "kind"),
    [
        ("/", 200, BROWSER, "page_views"),
        ("/a.html?from=x.css", 200, BROWSER, "page_views"),
        ("/moved", 301, BROWSER, "page_views"),
        ("/style.CSS?v=2", 200, BROWSER, "assets"),
        ("/feed.atom", 304, BROWSER, "assets"),
        ("/style.css", 404, BROWSER, "errors"),
        ("/", 500, BROWSER, "errors"),
        ("/gone", 404, "Googlebot/2.1", "robots"),
        ("/style.css", 200, "Wget/1.15", "robots"),
        ("/", 200, "Java/1.7", "robots"),
        ("/", 200, "JavaScript fan", "page_views"),
        ("/robots.txt", 200, BROWSER, "robots"),
        ("/robots.txt?x", 404, BROWSER, "robots"),
        ("/ads.txt", 200, BROWSER, "assets"),
        ("/", 200, "-", "page_views"),
    ],
)
def test_a_request_is_first_a_robots_then_an_error_then_an_asset_then_a_page(
    path: str, status: int, agent: str, kind: str
) -> None:
    assert web_log.kind_of(f"GET {path} HTTP/1.1", status, agent) == kind


def test_hours_come_in_their_order_however_the_lines_lie(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        line("17/May/2015:11:59:59 +0000")
        + line("17/May/2015:10:05:03 +0000", path="/x.png")
        + line("17/May/2015:11:00:00 +0000")
        + line("17/May/2015:12:30:00 +0200", status=404),
    )

    found = facts(path)

    assert [(fact.time, fact.fact_id, fact.line) for fact in found] == [
        ("2015-05-17T10:00:00+00:00", "2015-05-17T10,0,1,0,1", 4),
        ("2015-05-17T11:00:00+00:00", "2015-05-17T11,2,0,0,0", 3),
    ]
    assert sum(fact.counts[web_log.EARLIER] for fact in found) == 2


def test_an_event_holds_four_counts_and_nothing_of_who_asked_for_what(tmp_path: Path) -> None:
    (fact,) = facts(written(tmp_path, line(path="/secret", agent="Somebody's own")))

    event = cloud_event(fact, WEB_LOG)

    assert event["data"] == {
        "site_id": "web-log",
        "page_views": 1,
        "assets": 0,
        "robots": 0,
        "errors": 0,
        "ingest_mode": "REPLAY",
        "producer": "replay/web_log",
    }
    assert not any(word in json.dumps(event) for word in ("v02", "secret", "example.org", "Somebody"))


def test_gzip_and_plain_say_the_same(tmp_path: Path) -> None:
    plain = written(tmp_path, line() + line(path="/x.js"))
    packed = tmp_path / "access.log.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))

    assert facts(packed) == facts(plain)


def test_a_damaged_gzip_is_refused_by_name(tmp_path: Path) -> None:
    packed = tmp_path / "access.log.gz"
    packed.write_bytes(gzip.compress(line().encode() * 100)[:-20])

    with pytest.raises(RecordingError, match=r"access\.log\.gz"):
        list(web_log.read(packed))


def test_lines_that_are_not_in_combined_log_format_are_named_by_number(tmp_path: Path) -> None:
    bad = (
        "nonsense\n"
        + line().replace("[", "")
        + line(time="17/Mai/2015:10:05:03 +0000")
        + line(time="31/Jun/2015:10:05:03 +0000")
        + line(time="17/May/1969:10:05:03 +0000")
        + line().replace(" 200 ", " 2000 ")
        + line().rpartition(' "')[0]
        + "\n"
        + line().rstrip("\n")
        + " more\n"
    )
    path = written(tmp_path, bad + line(agent='a \\"quoted\\" word'))

    assert unreadable(path) == list(range(1, 9))
    assert [fact.counts["page views"] for fact in facts(path)] == [1]


seconds = st.integers(0, 5 * 3_600 - 1)
requests = st.tuples(
    seconds, st.sampled_from(["/", "/x.png"]), st.sampled_from([200, 404]), st.sampled_from(["bot", "x"])
)


@given(asked=st.lists(requests, max_size=40))
def test_every_request_is_of_one_kind_and_in_one_hour(
    tmp_path_factory: pytest.TempPathFactory, asked: list[tuple[int, str, int, str]]
) -> None:
    log = "".join(
        line(f"17/May/2015:{at // 3600:02d}:{at // 60 % 60:02d}:{at % 60:02d} +0000", path, status, agent)
        for at, path, status, agent in asked
    )

    found = facts(written(tmp_path_factory.mktemp("log"), log))

    assert [fact.at.hour for fact in found] == sorted({at // 3600 for at, *_ in asked})
    assert sum(sum(fact.counts.values()) - fact.counts[web_log.EARLIER] for fact in found) == len(asked)
    earlier = sum(after[0] < before[0] for before, after in pairwise(asked))
    assert sum(fact.counts[web_log.EARLIER] for fact in found) == earlier


def test_the_packaged_log_adds_up_and_names_neither_client_nor_referrer() -> None:
    assert WEB_LOG.packaged is not None
    found = facts(WEB_LOG.packaged)
    played = Played()
    played.add(found)

    assert unreadable(WEB_LOG.packaged) == []
    assert list(totals(WEB_LOG, played)) == [
        "1,328 page views + 2,148 assets + 966 robots + 83 errors = 4,525 requests",
        "2,216 lines stamped earlier than the line before them",
    ]
    assert len(found) == 38
    log = gzip.decompress(WEB_LOG.packaged.read_bytes()).decode().splitlines()
    assert all(one.startswith("- - - [") and one.split('"')[3] == "-" for one in log)
