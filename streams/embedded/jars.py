"""The broker's jars: which ones, where they lie, and how they get there.

Takes the pinned list ``deploy/kafka/jars.lock``, gives the paths of verified files in the user's cache folder. Fetching
goes through jgo, for pinned coordinates only: its own resolution mixes versions, and it could fetch a Java of its own.
Used by ``streams.embedded.stack`` and by the test beds; ``musee doctor`` asks what is there.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from streams.errors import StartError
from streams.package_data import folder as shipped

KAFKA_VERSION = "4.3.1"
_THREADS = 8
_TIMEOUT_S = 30
_STALE_S = 3_600.0  # an unfinished download of a killed process, surely nobody's any more

Progress = Callable[[int, int], None]  # bytes of the fetched jars so far, bytes of all jars to fetch
JarState = str  # "verified", "missing" or what is wrong with the file


@dataclass(frozen=True, slots=True)
class Jar:
    """One pinned jar; ``size`` in bytes, as published."""

    group: str
    artifact: str
    version: str
    sha256: str
    size: int

    @property
    def name(self) -> str:
        """File name in the cache folder."""
        return f"{self.artifact}-{self.version}.jar"

    @property
    def coordinate(self) -> str:
        """``group:artifact:version``."""
        return f"{self.group}:{self.artifact}:{self.version}"


def locked(path: Path | None = None) -> list[Jar]:
    """The pinned jars, in the order of the file.

    Raises:
        ValueError: a line is not ``group:artifact:version sha256 bytes``.
    """
    jars = []
    for line in (path or shipped("kafka") / "jars.lock").read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            coordinate, sha256, size = line.split()
            group, artifact, version = coordinate.split(":")
            jars.append(Jar(group, artifact, version, sha256, int(size)))
    return jars


def cache_folder(cache: Path) -> Path:
    """Where the jars of this Kafka version lie, for all checkouts of a user."""
    return cache / f"kafka-{KAFKA_VERSION}"


def paths(cache: Path, jars: Sequence[Jar] | None = None) -> list[Path]:
    """Where each jar is expected, in the order of the class path; says nothing about what is there."""
    return [cache_folder(cache) / jar.name for jar in (locked() if jars is None else jars)]


def state(cache: Path, jar: Jar) -> JarState:
    """``verified``, ``missing``, or the fault of the file that lies there."""
    path = cache_folder(cache) / jar.name
    if not path.is_file():
        return "missing"
    found = _sha256(path)
    return "verified" if found == jar.sha256 else f"the file has SHA-256 {found[:12]}…, not {jar.sha256[:12]}…"


def fetch(
    cache: Path,
    jars: Sequence[Jar] | None = None,
    *,
    progress: Progress | None = None,
    repositories: Mapping[str, str] | None = None,
) -> list[Path]:
    """Make every pinned jar available, fetching what is missing.

    A file that is already there is taken if its checksum fits, whoever put it there. A fetched one appears under its
    name only after it was verified, so that a killed download leaves nothing half done. Of several processes that miss
    the same jars one fetches them, the others wait for it.

    Args:
        cache: the user's cache folder (``MUSEE_CACHE``).
        jars: pinned jars; ``None`` for the shipped list.
        progress: told after each piece, from several threads but never two at once.
        repositories: name → base URL, for tests; ``None`` for the default of jgo.

    Returns:
        Paths in the order of the list.

    Raises:
        StartError: one line: which jar, why, and the two ways out.
    """
    wanted = locked() if jars is None else list(jars)
    folder = cache_folder(cache)
    missing = []
    for jar in wanted:
        found = state(cache, jar)
        if found == "missing":
            missing.append(jar)
        elif found != "verified":
            # Not replaced in silence: someone put it there, or the disk is failing.
            raise _refusal(jar, folder, f"{found} (delete it to have it fetched)")
    if missing:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _alone(folder):
                missing = [jar for jar in missing if state(cache, jar) != "verified"]
                _fetch_all(missing, folder, progress or (lambda done, total: None), repositories)
        except OSError as error:
            raise _refusal(missing[0], folder, error.strerror or str(error)) from error
    return paths(cache, wanted)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder; the kernel lets go of it when this process ends, however it ends."""
    held = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks: everybody fetches for himself then, and nothing breaks
            fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _fetch_all(jars: list[Jar], folder: Path, progress: Progress, repositories: Mapping[str, str] | None) -> None:
    for stale in folder.glob(".part-*"):
        if time.time() - stale.stat().st_mtime > _STALE_S:
            shutil.rmtree(stale, ignore_errors=True)
    meter = _Meter(sum(jar.size for jar in jars), progress)
    with tempfile.TemporaryDirectory(prefix=".part-", dir=folder, ignore_cleanup_errors=True) as draft:
        pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="jars")
        try:
            futures = [pool.submit(_fetch_one, jar, folder, Path(draft), meter, repositories) for jar in jars]
            for future in as_completed(futures):
                future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _fetch_one(jar: Jar, folder: Path, draft: Path, meter: "_Meter", repositories: Mapping[str, str] | None) -> None:
    import requests  # comes with jgo, which lets its errors through
    from jgo.maven import MavenContext, PythonResolver

    context = MavenContext(
        resolver=PythonResolver(progress_callback=meter.watch),
        repo_cache=draft,
        remote_repos=None if repositories is None else dict(repositories),
        timeout=_TIMEOUT_S,
    )
    try:
        path = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
    except requests.Timeout as error:
        raise _refusal(jar, folder, f"the repository did not answer within {_TIMEOUT_S} s") from error
    except requests.ConnectionError as error:
        raise _refusal(jar, folder, "no connection to the repository") from error
    except requests.RequestException as error:
        raise _refusal(jar, folder, str(error)) from error
    except RuntimeError as error:  # jgo's answer to every status but 200
        raise _refusal(jar, folder, "the repository does not have it or refuses it") from error
    found = _sha256(path)
    if found != jar.sha256:
        raise _refusal(jar, folder, f"what came has SHA-256 {found[:12]}…, not {jar.sha256[:12]}…")
    path.replace(folder / jar.name)


class _Meter:
    """Adds up what the threads fetch; jgo opens one ``watch`` for each file."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total = total
        self._progress = progress
        self._done = 0
        self._lock = threading.Lock()

    def watch(self, _filename: str, _size: int) -> "_Watch":
        return _Watch(self)

    def add(self, count: int) -> None:
        with self._lock:
            self._done += count
            self._progress(self._done, self._total)


class _Watch:
    """The context manager that jgo wants around the bytes of one file."""

    def __init__(self, meter: _Meter) -> None:
        self._meter = meter

    def __enter__(self) -> Callable[[int], None]:
        return self._meter.add

    def __exit__(self, *_: object) -> None:
        return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refusal(jar: Jar, folder: Path, why: str) -> StartError:
    reason = " ".join(why.split())
    return StartError(
        f"Kafka's {jar.coordinate}: {reason}; two ways out: set MUSEE_KAFKA to a broker of your own, "
        f"or put the jars listed in {shipped('kafka') / 'jars.lock'} into {folder}"
    )
