"""Kafka's jars: what is taken, what is refused, and what the refusal says. A local HTTP server is the repository."""

import fcntl
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from streams.embedded import jars
from streams.embedded.jars import Jar
from streams.errors import StartError
from tests.beds import free_port, wait_for

ONE_BYTES, TWO_BYTES = b"first jar" * 1_000, b"second jar" * 2_000


def _jar(artifact: str, content: bytes) -> Jar:
    return Jar("org.example", artifact, "1.0", hashlib.sha256(content).hexdigest(), len(content))


ONE, TWO = _jar("one", ONE_BYTES), _jar("two", TWO_BYTES)


class Repository:
    """A repository in a folder, served on loopback; counts what is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        repository = self

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.endswith(".jar"):
                    repository.asked.append(Path(self.path).name)
                super().do_GET()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.urls = {"local": f"http://127.0.0.1:{self.server.server_port}"}
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def publish(self, jar: Jar, content: bytes) -> None:
        path = self.folder / "org" / "example" / jar.artifact / jar.version / jar.name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / "repository").mkdir()
    repository = Repository(tmp_path / "repository")
    yield repository
    repository.server.shutdown()
    repository.server.server_close()


@pytest.fixture
def cache_of_test(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def refusal(cache: Path, wanted: list[Jar], urls: dict[str, str]) -> str:
    """The one line of a refused fetch; checks that it is one line with both ways out."""
    with pytest.raises(StartError) as refused:
        jars.fetch(cache, wanted, repositories=urls)
    (line,) = str(refused.value).splitlines()
    assert "MUSEE_KAFKA" in line
    assert str(jars.cache_folder(cache)) in line
    return line


def test_missing_jars_are_fetched_and_kept_under_their_names(repository: Repository, cache_of_test: Path) -> None:
    repository.publish(ONE, ONE_BYTES)
    repository.publish(TWO, TWO_BYTES)

    found = jars.fetch(cache_of_test, [ONE, TWO], repositories=repository.urls)

    folder = cache_of_test / "kafka-4.3.1"
    assert found == [folder / "one-1.0.jar", folder / "two-1.0.jar"]
    assert [path.read_bytes() for path in found] == [ONE_BYTES, TWO_BYTES]
    assert sorted(path.name for path in folder.iterdir()) == ["one-1.0.jar", "two-1.0.jar"]


def test_progress_adds_up_to_the_bytes_of_what_is_fetched(repository: Repository, cache_of_test: Path) -> None:
    repository.publish(ONE, ONE_BYTES)
    repository.publish(TWO, TWO_BYTES)
    seen: list[tuple[int, int]] = []

    jars.fetch(
        cache_of_test, [ONE, TWO], repositories=repository.urls, progress=lambda done, total: seen.append((done, total))
    )

    size = ONE.size + TWO.size
    assert seen == sorted(seen)
    assert seen[-1] == (size, size)


def test_verified_jars_are_not_fetched_again(repository: Repository, cache_of_test: Path) -> None:
    repository.publish(ONE, ONE_BYTES)
    jars.fetch(cache_of_test, [ONE], repositories=repository.urls)

    jars.fetch(cache_of_test, [ONE], repositories=repository.urls)

    assert repository.asked == ["one-1.0.jar"]


def test_while_another_process_fetches_them_missing_jars_are_waited_for(
    repository: Repository, cache_of_test: Path
) -> None:
    repository.publish(ONE, ONE_BYTES)
    folder = jars.cache_folder(cache_of_test)
    folder.mkdir(parents=True)
    held = os.open(folder, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    fetching = threading.Thread(
        target=jars.fetch, args=(cache_of_test, [ONE]), kwargs={"repositories": repository.urls}
    )

    fetching.start()
    wait_for(lambda: f"-> FLOCK  ADVISORY  WRITE {os.getpid()} " in Path("/proc/locks").read_text(), what="waiting")
    (folder / ONE.name).write_bytes(ONE_BYTES)
    os.close(held)
    fetching.join()

    assert repository.asked == []


def test_a_jar_put_there_by_hand_is_taken_if_its_checksum_fits(repository: Repository, cache_of_test: Path) -> None:
    by_hand = jars.cache_folder(cache_of_test) / ONE.name
    by_hand.parent.mkdir(parents=True)
    by_hand.write_bytes(ONE_BYTES)

    found = jars.fetch(cache_of_test, [ONE], repositories=repository.urls)

    assert found == [by_hand]
    assert repository.asked == []


def test_a_jar_put_there_by_hand_with_another_checksum_is_refused(repository: Repository, cache_of_test: Path) -> None:
    repository.publish(ONE, ONE_BYTES)
    by_hand = jars.cache_folder(cache_of_test) / ONE.name
    by_hand.parent.mkdir(parents=True)
    by_hand.write_bytes(b"something else")

    line = refusal(cache_of_test, [ONE], repository.urls)

    assert "org.example:one:1.0: the file has SHA-256" in line
    assert by_hand.read_bytes() == b"something else"


def test_a_fetched_jar_with_another_checksum_is_refused_and_not_kept(
    repository: Repository, cache_of_test: Path
) -> None:
    repository.publish(ONE, b"tampered with")

    line = refusal(cache_of_test, [ONE], repository.urls)

    assert "org.example:one:1.0: what came has SHA-256" in line
    assert list(jars.cache_folder(cache_of_test).iterdir()) == []


def test_control_the_same_fetch_with_the_right_checksum_passes(repository: Repository, cache_of_test: Path) -> None:
    content = b"tampered with"
    repository.publish(ONE, content)
    pinned = replace(ONE, sha256=hashlib.sha256(content).hexdigest())

    (path,) = jars.fetch(cache_of_test, [pinned], repositories=repository.urls)

    assert path.read_bytes() == content


def test_a_jar_that_the_repository_does_not_have_is_named(repository: Repository, cache_of_test: Path) -> None:
    repository.publish(ONE, ONE_BYTES)

    line = refusal(cache_of_test, [ONE, TWO], repository.urls)

    assert "org.example:two:1.0: the repository does not have it or refuses it" in line


def test_a_repository_that_cannot_be_reached_is_said(cache_of_test: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    line = refusal(cache_of_test, [ONE], {"away": f"http://127.0.0.1:{free_port()}"})

    assert "org.example:one:1.0: no connection to the repository" in line


def test_a_cache_that_cannot_be_written_is_said(repository: Repository, cache_of_test: Path) -> None:
    cache_of_test.write_bytes(b"a file, not a folder")

    line = refusal(cache_of_test, [ONE], repository.urls)

    assert "Not a directory" in line


def test_the_shipped_list_pins_a_whole_broker() -> None:
    pinned = jars.locked()

    assert len({jar.name for jar in pinned}) == len(pinned)
    assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in pinned)
    assert {"kafka_2.13-4.3.1.jar", "kafka-clients-4.3.1.jar", "slf4j-simple-1.7.36.jar"} <= {
        jar.name for jar in pinned
    }


def test_up_stops_with_one_line_when_a_jar_of_the_cache_was_changed(tmp_path: Path, cache: Path) -> None:
    real = jars.fetch(cache)
    folder = jars.cache_folder(tmp_path / "cache")
    folder.mkdir(parents=True)
    for path in real:
        (folder / path.name).symlink_to(path)
    (folder / real[3].name).unlink()
    (folder / real[3].name).write_bytes(real[3].read_bytes() + b"\0")
    parts = ("CONSOLE", "GATEWAY", "AGENTS", "SINK", "KAFKA", "KAFKA_CONTROLLER", "REDIS", "CLICKHOUSE")
    variables = {f"MUSEE_{part}_PORT": str(free_port()) for part in parts}
    variables |= {"MUSEE_HOME": str(tmp_path / "home"), "MUSEE_CACHE": str(tmp_path / "cache")}

    up = subprocess.run(
        [sys.executable, "-m", "streams", "up"], env={**os.environ, **variables}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip

    assert up.returncode == 1
    (line,) = up.stderr.splitlines()
    assert jars.locked()[3].coordinate in line
    assert "MUSEE_KAFKA" in line
    assert str(folder) in line
