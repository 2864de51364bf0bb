"""Secrets on disk: made once, whoever comes at the same time, and readable by their owner only."""

import os
import re
import stat
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.adapters.keys import SWEEP_S, PseudonymKeys, dev_key, known_dev_key
from streams.config import Settings
from streams.errors import ConfigError, StreamsError

THREADS = 20


def settings_at(home: Path, **more: object) -> Settings:
    return Settings.model_validate({"home": home, **more})


def all_at_once(call: Callable[[], bytes]) -> tuple[set[bytes], list[BaseException]]:
    """What 20 threads that call at the same moment are answered."""
    barrier = threading.Barrier(THREADS)
    answers: list[bytes] = []
    errors: list[BaseException] = []

    def one() -> None:
        barrier.wait()
        try:
            answers.append(call())
        except OSError as error:
            errors.append(error)

    threads = [threading.Thread(target=one) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) + len(errors) == THREADS
    return set(answers), errors


# -- pseudonym keys --------------------------------------------------------------------------------------------------


def test_a_key_is_32_bytes_and_the_same_at_every_call(tmp_path: Path) -> None:
    keys = PseudonymKeys(tmp_path)

    assert len(keys.key("louvre", "ticket", "2026-07")) == 32
    assert keys.key("louvre", "ticket", "2026-07") == keys.key("louvre", "ticket", "2026-07")


def test_another_process_finds_the_same_key(tmp_path: Path) -> None:
    one, other = PseudonymKeys(tmp_path), PseudonymKeys(tmp_path)

    assert one.key("louvre", "ticket", "2026-07") == other.key("louvre", "ticket", "2026-07")


@pytest.mark.parametrize(
    "other",
    [("orsay", "ticket", "2026-07"), ("louvre", "badge", "2026-07"), ("louvre", "ticket", "2026-08")],
    ids=["organisation", "purpose", "period"],
)
def test_another_organisation_purpose_or_period_has_another_key(tmp_path: Path, other: tuple[str, str, str]) -> None:
    keys = PseudonymKeys(tmp_path)

    assert keys.key("louvre", "ticket", "2026-07") != keys.key(*other)


def test_two_homes_have_different_keys(tmp_path: Path) -> None:
    one, other = PseudonymKeys(tmp_path / "a"), PseudonymKeys(tmp_path / "b")

    assert one.key("louvre", "ticket", "2026-07") != other.key("louvre", "ticket", "2026-07")


def test_a_destroyed_key_does_not_come_back(tmp_path: Path) -> None:
    before = PseudonymKeys(tmp_path).key("louvre", "ticket", "2026-07")
    (file,) = tmp_path.rglob("2026-07.key")

    file.unlink()

    assert PseudonymKeys(tmp_path).key("louvre", "ticket", "2026-07") != before


def test_a_key_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    PseudonymKeys(tmp_path).key("louvre", "ticket", "2026-07")

    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("turn", range(5))
def test_twenty_threads_at_once_get_one_key(tmp_path: Path, turn: int) -> None:
    keys = [PseudonymKeys(tmp_path) for _ in range(THREADS)]

    answers, errors = all_at_once(lambda: keys.pop().key("louvre", "ticket", f"2026-0{turn + 1}"))

    assert errors == []
    assert len(answers) == 1
    assert len(answers.pop()) == 32


def test_nothing_but_the_key_is_left_behind(tmp_path: Path) -> None:
    keys = PseudonymKeys(tmp_path)

    all_at_once(lambda: keys.key("louvre", "ticket", "2026-07"))

    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["2026-07.key"]


def test_a_key_file_that_lost_its_content_is_refused_and_not_used(tmp_path: Path) -> None:
    PseudonymKeys(tmp_path).key("louvre", "ticket", "2026-07")
    (file,) = tmp_path.rglob("2026-07.key")
    file.write_bytes(b"")

    with pytest.raises(StreamsError, match=r"2026-07\.key"):
        PseudonymKeys(tmp_path).key("louvre", "ticket", "2026-07")


# -- keys of a day ---------------------------------------------------------------------------------------------------

DAY_S = 24 * 3600
NOW_S = 1_770_000_000.0


def made_at(home: Path, age_s: float, period: str = "2015-02-03", org: str = "louvre") -> bytes:
    """A key whose file is so old at ``NOW_S``."""
    key = PseudonymKeys(home).key(org, "position", period)
    (file,) = (home / "keys" / org).rglob(f"{period}.key")
    os.utime(file, (NOW_S - age_s, NOW_S - age_s))
    return key


def test_a_key_of_a_day_is_destroyed_24_hours_after_it_was_made_whatever_day_it_serves(tmp_path: Path) -> None:
    made_at(tmp_path, DAY_S, "2015-02-03")
    made_at(tmp_path, DAY_S, "2031-12-31", org="orsay")

    assert PseudonymKeys(tmp_path).destroy_expired(NOW_S) == 2
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_no_key_of_a_day_lives_for_24_hours_while_a_gateway_looks_once_a_minute(tmp_path: Path) -> None:
    made_at(tmp_path, DAY_S - 2 * SWEEP_S)

    assert PseudonymKeys(tmp_path).destroy_expired(NOW_S) == 1


def test_a_younger_key_of_a_day_stays(tmp_path: Path) -> None:
    key = made_at(tmp_path, DAY_S - 5 * 60)
    keys = PseudonymKeys(tmp_path)

    assert keys.destroy_expired(NOW_S) == 0
    assert keys.key("louvre", "position", "2015-02-03") == key


def test_a_key_of_a_month_stays_however_old_it_is(tmp_path: Path) -> None:
    key = made_at(tmp_path, 1000 * DAY_S, "2015-02")
    keys = PseudonymKeys(tmp_path)

    assert keys.destroy_expired(NOW_S) == 0
    assert keys.key("louvre", "position", "2015-02") == key


def test_a_destroyed_key_is_forgotten_and_made_anew_when_asked_for(tmp_path: Path) -> None:
    before = made_at(tmp_path, DAY_S)
    keys = PseudonymKeys(tmp_path)
    assert keys.key("louvre", "position", "2015-02-03") == before

    keys.destroy_expired(NOW_S)

    after = keys.key("louvre", "position", "2015-02-03")
    assert after != before
    assert keys.key("louvre", "position", "2015-02-03") == after


def test_a_key_that_another_gateway_destroyed_is_forgotten_at_the_next_look(tmp_path: Path) -> None:
    before = made_at(tmp_path, DAY_S)
    one, other = PseudonymKeys(tmp_path), PseudonymKeys(tmp_path)
    assert other.key("louvre", "position", "2015-02-03") == before

    assert (one.destroy_expired(NOW_S), other.destroy_expired(NOW_S)) == (1, 0)

    assert other.key("louvre", "position", "2015-02-03") != before


def test_twenty_gateways_that_look_at_once_destroy_each_key_once(tmp_path: Path) -> None:
    for day in range(10, 30):
        made_at(tmp_path, DAY_S, f"2015-01-{day}")
    destroyed: list[int] = []

    def look() -> bytes:
        destroyed.append(PseudonymKeys(tmp_path).destroy_expired(NOW_S))
        return b""

    _, errors = all_at_once(look)

    assert errors == []
    assert sum(destroyed) == 20


def test_the_draft_of_a_key_that_a_crash_left_is_destroyed_too(tmp_path: Path) -> None:
    made_at(tmp_path, 0)
    (file,) = tmp_path.rglob("2015-02-03.key")
    draft = file.with_name(".2015-02-03.key.0123456789abcdef")
    draft.write_bytes(file.read_bytes())
    os.utime(draft, (NOW_S - DAY_S, NOW_S - DAY_S))

    assert PseudonymKeys(tmp_path).destroy_expired(NOW_S) == 1
    assert file.exists()
    assert not draft.exists()


def test_where_no_key_was_ever_made_there_is_none_to_destroy(tmp_path: Path) -> None:
    assert PseudonymKeys(tmp_path / "nowhere").destroy_expired(NOW_S) == 0


# -- dev key ---------------------------------------------------------------------------------------------------------


def test_the_dev_key_says_what_it_is_and_carries_its_checksum(tmp_path: Path) -> None:
    key = dev_key(settings_at(tmp_path))

    assert re.fullmatch("musee_dev_[0-9a-f]{8}_[0-9a-f]{32}_[0-9a-f]{8}", key)
    body, _, checksum = key.rpartition("_")
    assert int(checksum, 16) == zlib.crc32(body.encode())


def test_the_dev_key_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    home = tmp_path / "home"

    assert dev_key(settings_at(home)) == dev_key(settings_at(home))
    assert stat.S_IMODE((home / "dev.key").stat().st_mode) == 0o600


def test_a_dev_key_of_your_own_is_used_and_not_written(tmp_path: Path) -> None:
    assert dev_key(settings_at(tmp_path, dev_key="mine")) == "mine"
    assert list(tmp_path.iterdir()) == []


def test_twenty_threads_at_once_get_one_dev_key(tmp_path: Path) -> None:
    settings = settings_at(tmp_path)

    answers, errors = all_at_once(lambda: dev_key(settings).encode())

    assert errors == []
    assert len(answers) == 1


def test_a_client_does_not_make_a_key_of_its_own(tmp_path: Path) -> None:
    settings = Settings.model_validate({"home": tmp_path / "elsewhere"})

    with pytest.raises(ConfigError, match="where `musee up` runs"):
        known_dev_key(settings)

    assert not (tmp_path / "elsewhere").exists()


def test_folders_of_keys_are_their_owners_only(tmp_path: Path) -> None:
    PseudonymKeys(tmp_path / "home").key("org", "ticket", "2026-11")

    made = [tmp_path / "home", *(tmp_path / "home").rglob("*/")]
    assert {folder.stat().st_mode & 0o777 for folder in made} == {0o700}
