"""``musee up`` and ``musee down``: what a person sees while the stack starts, runs and stops.

Takes settings; gives lines on the console, the same lines in ``logs/supervisor.log``, and an exit code by way of
``StartError``.
"""

import asyncio
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from streams.config import PREFIX, SECRETS, Settings
from streams.embedded import jars, ports, record, stack
from streams.embedded.supervisor import Say, Supervisor, rotate
from streams.errors import StartError

_STOP_PATIENCE_S = 60.0
_QUARTER = 4


class Screen:
    """Says one line on the console and into the supervisor's log; a closed terminal does not matter."""

    def __init__(self, log: Path) -> None:
        log.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # keys and data are their owner's
        log.parent.mkdir(parents=True, exist_ok=True)
        rotate(log)
        self.log = log

    def say(self, line: str) -> None:
        """Tell the person."""
        with suppress(OSError, ValueError):
            print(line, flush=True)
        self.note(line)

    def note(self, line: str) -> None:
        """Tell the log only."""
        with suppress(OSError), self.log.open("a", encoding="utf-8") as log:
            log.write(f"{datetime.now().astimezone().isoformat(timespec='milliseconds')} {line}\n")


def run(settings: Settings) -> None:
    """Start everything and keep it running until told to stop; returns once all of it has stopped.

    Raises:
        StartError, ConfigError: what keeps the stack from starting; nothing is left running.
    """
    settings = settings.model_copy(
        update={"home": settings.home.expanduser().absolute(), "cache": settings.cache.expanduser().absolute()}
    )
    stack.ensure_allowed(settings)
    stack.ensure_installed(settings)
    with record.Lock(settings.home):
        screen = Screen(settings.home / "logs" / "supervisor.log")
        # What libraries warn of while the stack starts belongs into the log, not between our lines.
        logging.basicConfig(filename=screen.log, level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
        for pid in stack.clear_leftovers(settings.home):
            screen.say(f"ended pid {pid}, left by a supervisor that was killed")
        secret = {PREFIX + name.upper() for name in SECRETS}
        public = {name: value for name, value in stack.environment(settings).items() if name not in secret}
        record.write(
            settings.home,
            record.Stack(record.process(os.getpid()), str(settings.home), "preparing", {}, public, {}),
        )
        try:
            with _interruptible():
                ports.ensure_free(ports.claims(settings))
                asyncio.run(stack.ensure_reachable(settings))
                if settings.kafka is None:
                    _fetch_jars(settings, screen)
                supervisor = Supervisor(
                    stack.parts(settings, _setup, screen.note),
                    home=settings.home,
                    say=screen.say,
                    versions=stack.versions(),
                    settings=public,
                )
        except KeyboardInterrupt:
            raise StartError("interrupted before anything was started") from None
        finally:
            record.forget(settings.home)  # the supervisor writes its own
        began = time.monotonic()
        screen.say("starting …")
        try:
            asyncio.run(supervisor.run(lambda: _say_up(settings, screen, time.monotonic() - began)))
        finally:
            screen.say(f"everything stopped; the data stay in {settings.home}")


async def _setup(settings: Settings, say: Say) -> None:
    from streams.cli.setup import setup

    await setup(settings, say)


def stop(settings: Settings) -> None:
    """Stop the supervisor of a home by its pid, and wait until it and its children are gone.

    Raises:
        StartError: psutil is missing, or something would not go.
    """
    stack.ensure_installed(settings.model_copy(update={"kafka": "-", "redis": "-", "clickhouse": "-"}))
    home = settings.home.expanduser().absolute()
    found = record.read(home)
    if found is None or not found.supervisor.alive():
        ended = stack.clear_leftovers(home)
        left = f"; ended what a killed supervisor left: pid {', '.join(map(str, ended))}" if ended else ""
        print(f"Nothing runs in {home}{left}.")
        return
    began = time.monotonic()
    print(f"stopping pid {found.supervisor.pid} and its {len(found.processes())} children …", flush=True)
    found.supervisor.signal(signal.SIGTERM)
    found.supervisor.signal(signal.SIGCONT)
    while found.supervisor.alive() and time.monotonic() - began < _STOP_PATIENCE_S:
        time.sleep(0.05)
    children = (record.read(home) or found).processes()
    if found.supervisor.alive():
        print(f"it did not stop within {_STOP_PATIENCE_S:g} s: killing it", flush=True)
        found.supervisor.signal(signal.SIGKILL)
    record.end([*found.processes(), *children])
    record.end([found.supervisor])
    record.forget(home)
    print(f"everything stopped ({time.monotonic() - began:.1f} s); the data stay in {home}")


def _say_up(settings: Settings, screen: Screen, took_s: float) -> None:
    """Where everything is, and three things to try. The key goes to the console only."""
    from streams.adapters.keys import dev_key

    screen.say(f"all ready ({took_s:.1f} s)")
    musee = _musee()
    for line in (
        f"page     {settings.console_url}",
        f"gateway  {settings.gateway_url}/v1/events",
        f"dev key  {dev_key(settings)}",
        f"data     {settings.home} (logs in {settings.home / 'logs'})",
        f"stop     Ctrl-C here, or `{musee} down` elsewhere",
        f"try 1    let somebody in, and look at {settings.console_url}/site/example",
        *(f"         {line}" for line in _curl(settings)),
        "try 2    stop counting: within 5 s every figure says so; kill -CONT goes on",
        f"         kill -STOP {_pid_of(settings, 'agents')}",
        "try 3    every event behind a number, and whether they add up to it",
        f"         {musee} why example",
    ):
        with suppress(OSError):
            print(line, flush=True)


def _curl(settings: Settings) -> list[str]:
    """One scan in plain HTTP, as a device sends it."""
    key = "$MUSEE_DEV_KEY" if settings.dev_key else f"$(cat {settings.home / 'dev.key'})"
    return [
        f'curl -s {settings.gateway_url}/v1/events -H "Authorization: Bearer {key}" \\',
        "  -H 'Content-Type: application/json' -H 'ce-specversion: 1.0' -H 'ce-source: /try' -H \"ce-id: $RANDOM\" \\",
        "  -H 'ce-type: musee.ticket-scan.v1' -H \"ce-time: $(date -u +%FT%TZ)\" \\",
        """  -d '{"site_id": "example", "gate_id": "north", "direction": "IN"}'""",
    ]


def _pid_of(settings: Settings, part: str) -> str:
    """Pid of a running part, or where it stands if it is being started again this moment."""
    found = record.read(settings.home.expanduser().absolute())
    process = found.parts[part].process if found and part in found.parts else None
    return str(process.pid) if process else f"<pid of {part}, see musee status>"


def _musee() -> str:
    """How the command is called from here: by name where the shell finds it, else by its path."""
    if shutil.which("musee"):
        return "musee"
    script = Path(sys.executable).with_name("musee")
    with suppress(ValueError):
        return str(script.relative_to(Path.cwd()))
    return str(script)


def _fetch_jars(settings: Settings, screen: Screen) -> None:
    began = time.monotonic()
    with _download_bar(screen) as bar:
        jars.fetch(settings.cache, progress=bar.update)
    if bar.total:
        screen.say(f"jars ready ({bar.total / 1e6:.1f} MB, {time.monotonic() - began:.1f} s)")


class _Bar:
    """A progress bar with sizes on a terminal, a line for each quarter elsewhere; silent if nothing is fetched."""

    def __init__(self, screen: Screen) -> None:
        self.total = 0
        self._screen = screen
        self._quarters = 0
        console = Console()
        self._progress = (
            Progress(
                TextColumn("Kafka's jars"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
                console=console, transient=True,
            )
            if console.is_terminal
            else None
        )  # fmt: skip

    def update(self, done: int, total: int) -> None:
        if not self.total:
            self.total = total
            self._screen.say(f"fetching Kafka's jars, {total / 1e6:.1f} MB, once …")
            if self._progress:
                self._progress.add_task("jars", total=total)
                self._progress.start()
        if self._progress:
            self._progress.update(self._progress.task_ids[0], completed=done)
        elif (quarters := done * _QUARTER // total) > self._quarters:
            self._quarters = quarters
            self._screen.say(f"jars {done / 1e6:.1f} of {total / 1e6:.1f} MB")

    def close(self) -> None:
        if self._progress:
            self._progress.stop()


@contextmanager
def _download_bar(screen: Screen) -> Iterator[_Bar]:
    bar = _Bar(screen)
    try:
        yield bar
    finally:
        bar.close()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Within it SIGTERM is as good as Ctrl-C: nothing was started yet, so nothing needs an orderly stop."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
