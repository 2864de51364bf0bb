"""Recordings of what people write: tweets, and sentences that stand in for guestbooks. The extracts are invented."""

from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.check import files
from streams.replay import guestbook
from streams.replay.recording import Fact, RecordingError, Unreadable
from streams.replay.recordings import RECORDINGS, SMILE_TWEETS, XED, YELP, Recording, cloud_event

Write = Callable[[str | bytes], Path]
TWEETS = """\
tweet_id,created_at,text,category
387,2013-10-07T12:21:10.239Z,Off to @britishmuseum &amp; tea,happy
388,2014-01-07T12:21:10.000Z,"@tate, or @nationalgallery?",nocode
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(content: str | bytes) -> Path:
        path = tmp_path / "recording"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written


def facts(recording: Recording, path: Path) -> list[Fact]:
    return [found for found in recording.read(path) if isinstance(found, Fact)]


def unreadable(recording: Recording, path: Path) -> dict[int, str]:
    return {found.line: found.reason for found in recording.read(path) if isinstance(found, Unreadable)}


def test_a_tweet_becomes_a_post_without_a_site_as_it_stands_and_without_its_emotion(write: Write) -> None:
    first, second = facts(SMILE_TWEETS, write(TWEETS))

    assert cloud_event(first, SMILE_TWEETS) == {
        "specversion": "1.0",
        "id": "387",
        "source": "/recordings/smile_tweets",
        "type": "musee.social-post.v1",
        "time": "2013-10-07T13:21:10.239000+01:00".replace("000+", "+"),
        "data": {
            "network": "twitter",
            "text": "Off to @britishmuseum &amp; tea",
            "ingest_mode": "REPLAY",
            "producer": "replay/smile_tweets",
        },
    }
    assert (second.data["text"], second.time) == ("@tate, or @nationalgallery?", "2014-01-07T12:21:10+00:00")


def test_tweets_that_cannot_be_read_are_named_by_number_and_reason(write: Write) -> None:
    lines = [
        "x1,2013-10-07T12:21:10.239Z,no number,happy",
        "1,2013-10-07 12:21:10,another spelling,happy",
        "1,2013-02-30T12:21:10.239Z,no such day,happy",
        "1,1969-10-07T12:21:10.239Z,before our calendar,happy",
        "1,2013-10-07T12:21:10.239Z,,happy",
        f"1,2013-10-07T12:21:10.239Z,{'x' * 2_001},happy",
        "1,2013-10-07T12:21:10.239Z,a bell\x07,happy",
        '1,2013-10-07T12:21:10.239Z,"a line end',
        'within",happy',
        f"1,2013-10-07T12:21:10.239Z,{'x' * 2_000},happy",
    ]
    path = write("tweet_id,created_at,text,category\n" + "\n".join(lines))

    reasons = unreadable(SMILE_TWEETS, path)

    assert list(reasons) == list(range(2, 11))
    assert "U+0007" in reasons[8]
    assert [fact.line for fact in facts(SMILE_TWEETS, path)] == [11]


def test_a_tweet_told_twice_is_the_same_post_and_told_otherwise_it_is_unreadable(write: Write) -> None:
    first, other_time = "7,2013-10-07T12:21:10.239Z,at @tate,x", "7,2014-10-07T12:21:10.239Z,at @tate,x"
    lines = [first, first, other_time, first.replace("@tate", "@kettlesyard"), first]
    path = write("tweet_id,created_at,text,category\n" + "\n".join(lines))

    assert list(unreadable(SMILE_TWEETS, path)) == [4, 5]
    assert [fact.fact_id for fact in facts(SMILE_TWEETS, path)] == ["7"] * 3


def test_a_file_that_is_no_table_of_tweets_is_refused(write: Write) -> None:
    with pytest.raises(RecordingError, match="tweet_id, created_at, text"):
        list(SMILE_TWEETS.read(write("id,text\n1,x\n")))
    with pytest.raises(RecordingError, match="each once"):
        list(SMILE_TWEETS.read(write("tweet_id,created_at,text,text\n7,2013-10-07T12:21:10.239Z,@tate,@other\n")))


def test_guestbook_entries_get_invented_times_and_say_so(write: Write) -> None:
    (fact,) = facts(YELP, write('Said "wow".\t1\n'))

    assert cloud_event(fact, YELP) == {
        "specversion": "1.0",
        "id": 'Said "wow".#0',
        "source": "/recordings/yelp",
        "type": "musee.guestbook-entry.v1",
        "time": "2014-01-06T10:00:00-07:00",
        "data": {
            "site_id": "yelp",
            "text": 'Said "wow".',
            "language": "en",
            "ingest_mode": "REPLAY",
            "producer": "replay/yelp (times invented)",
        },
    }
    assert "invented" in YELP.note
    assert (XED.producer, XED.note) == ("replay/xed (times invented)", YELP.note)


def test_a_days_guestbook_has_48_entries_from_10_00_to_17_50() -> None:
    # 10:00 … 17:50 | next day 10:00
    assert [guestbook.wall_time(k) for k in (0, 1, 47, 48)] == [
        datetime(2014, 1, 6, 10, 0),
        datetime(2014, 1, 6, 10, 10),
        datetime(2014, 1, 6, 17, 50),
        datetime(2014, 1, 7, 10, 0),
    ]


def test_an_unreadable_line_takes_no_place_in_the_guestbook(write: Write) -> None:
    path = write("First.\t1\nno label\nThird.\t0\n")

    assert [fact.time[11:16] for fact in facts(YELP, path)] == ["10:00", "10:10"]
    assert list(unreadable(YELP, path)) == [2]


def test_equal_sentences_are_different_entries(write: Write) -> None:
    found = facts(YELP, write("Again.\t1\nAgain.\t0\nAgain.\t1\n"))

    assert [fact.fact_id for fact in found] == ["Again.#0", "Again.#1", "Again.#2"]


def test_a_long_sentence_has_an_id_that_the_door_takes_and_that_is_its_own(write: Write) -> None:
    found = facts(YELP, write("".join(f"{'x' * 1_990}{end}\t1\n" for end in "abb")))

    ids = [fact.fact_id for fact in found]
    assert len(set(ids)) == 3
    assert ids[1][:-1] == ids[2][:-1]
    assert all(len(f"as 2014-01-06: {one}") <= 500 for one in ids)


@pytest.mark.parametrize("line", ["\t1", "x\t2", "x\t", "x", "x\ty\t1", "x\x00\t1", "x" * 2_001 + "\t1", "x\t01"])
def test_a_line_that_is_not_sentence_tab_polarity_is_unreadable(write: Write, line: str) -> None:
    assert list(unreadable(YELP, write(f"Good.\t1\n{line}\n"))) == [2]


@pytest.mark.parametrize("labels", ["1", "1, 3", "8,7, 1"])
def test_a_french_line_with_emotions_is_an_entry_in_french(write: Write, labels: str) -> None:
    (fact,) = facts(XED, write(f'"Rien à faire.\t{labels}\r\n'))

    assert fact.data == {"text": '"Rien à faire.', "language": "fr"}
    assert fact.time == "2014-01-06T10:00:00+01:00"


@pytest.mark.parametrize("labels", ["9", "0", "1,,2", "1 2", "joy", "", "1,"])
def test_a_french_line_with_anything_else_is_unreadable(write: Write, labels: str) -> None:
    assert list(unreadable(XED, write(f"Rien.\t{labels}\r\n"))) == [1]


def test_a_line_that_is_not_utf_8_is_unreadable_and_its_neighbours_are_kept(write: Write) -> None:
    path = write(b"\xef\xbb\xbfUn.\t1\nd\xe9j\xe0.\t2\nTrois.\t3\n")

    assert unreadable(XED, path) == {2: "not UTF-8"}
    assert [fact.data["text"] for fact in facts(XED, path)] == ["Un.", "Trois."]


def test_the_packaged_sentences_have_the_counts_of_their_attribution() -> None:
    assert YELP.packaged is not None
    assert XED.packaged is not None

    english, french = facts(YELP, YELP.packaged), facts(XED, XED.packaged)

    assert (len(english), len({fact.data["text"] for fact in english})) == (1_000, 996)
    assert len({fact.fact_id for fact in english}) == 1_000
    assert (len(french), list(unreadable(XED, XED.packaged))) == (398, [302, 303])
    assert all(one.at < other.at for one, other in pairwise(english))


def test_tweets_are_not_packaged() -> None:
    assert SMILE_TWEETS.packaged is None


def test_no_field_of_any_event_carries_a_label() -> None:
    labels = {"category", "emotion", "polarity", "label", "labels", "is_anomaly"}
    for recording in RECORDINGS.values():
        if recording.packaged is not None:
            keys = {key for fact in facts(recording, recording.packaged) for key in fact.data}
            assert not keys & labels


def test_events_of_lines_that_differ_by_their_label_alone_are_equal(write: Write) -> None:
    def events(recording: Recording, content: str) -> list[dict[str, object]]:
        return [cloud_event(fact, recording) for fact in facts(recording, write(content))]

    assert events(YELP, "So so.\t1\n") == events(YELP, "So so.\t0\n") != []
    assert events(XED, "Rien.\t1, 3\n") == events(XED, "Rien.\t8\n") != []
    assert events(SMILE_TWEETS, TWEETS) == events(SMILE_TWEETS, TWEETS.replace("happy", "disgust")) != []
    # The control: another text is another event.
    assert events(YELP, "So so.\t1\n") != events(YELP, "So so!\t1\n")


pieces = st.lists(
    st.sampled_from(["a", "é", "\t", "1", "9", ",", " ", '"', "\x0b", "\x85", "\u2028", "\r"]), max_size=8
)


@settings(deadline=None)
@pytest.mark.parametrize("name", ["yelp", "xed"])
@given(written=st.lists(pieces.map("".join), max_size=20))
def test_the_reader_of_the_check_and_that_of_the_replay_agree_on_every_sentence(
    tmp_path_factory: pytest.TempPathFactory, name: str, written: list[str]
) -> None:
    path = tmp_path_factory.mktemp("sentences") / "sentences.txt"
    path.write_bytes("".join(f"{line}\n" for line in written).encode())

    counted = files.RULES[name].count(path)

    assert counted.unreadable == list(unreadable(RECORDINGS[name], path))
    assert counted.events == len(facts(RECORDINGS[name], path))
