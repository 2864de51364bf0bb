"""The verb ``replay``: real recordings through the gateway, once or, as a demo, round and round.

The report goes to stdout, the progress bar to stderr. Exit codes: 0 done, 1 the gateway is away or refused something,
2 the call or a setting is wrong.
"""

import json
import signal
import sys
import time
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from streams import config
from streams.adapters.gateway_client import GatewayClient
from streams.adapters.keys import dev_key, known_dev_key
from streams.errors import ConfigError, Unavailable
from streams.replay import clock, days, demo, screen
from streams.replay.recordings import RECORDINGS, Recording
from streams.replay.run import play

RecordingName = Literal[
    "gym_swipes", "calit2", "smile_tweets", "yelp", "xed", "sdu_tracks", "ble_library", "web_log"
]  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command(epilog="Example:  musee replay gym_swipes --file gym_swipes.csv --speed max")(replay)


def replay(
    recording: Annotated[RecordingName | None, typer.Argument(help="Which recording.")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="The recording; without it the part that ships with us, if there is one."),
    ] = None,
    speed: Annotated[str, typer.Option(help="Event time over real time, e.g. 1, 60; or max.")] = "max",
    as_day: Annotated[
        str | None, typer.Option("--as", help="Day on which it is to begin, today or YYYY-MM-DD; without it, its own.")
    ] = None,
    *,
    demo_day: Annotated[bool, typer.Option("--demo", help="One day of calit2 at ×60, round and round.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Replay a recording through the gateway, in its order and with its times.

    The ids are the same every time, so a second replay changes no figure.
    """
    if demo_day == (recording is not None):
        raise ConfigError("name a recording, or --demo")
    if recording is None:
        _demo()
        return
    try:
        factor = clock.parse_speed(speed)
    except ValueError:
        raise ConfigError(f"--speed {speed}: a positive number or max is expected") from None
    known = RECORDINGS[recording]
    day = _day(as_day, known)
    path = _file(known, file)
    settings = config.load()
    started_s = time.monotonic()
    with GatewayClient.of(settings, known_dev_key(settings)) as door, screen.bar(known, path) as bar:
        if not door.listens():  # later an absence is waited for; at the start nobody may have begun
            raise Unavailable("the gateway", f"nothing listens at {settings.gateway_url}; start it with `musee up`")
        played = play(door, known, path, speed=factor, day=day, say=bar.say, seen=bar.seen)
        bar.done()
    elapsed_s = time.monotonic() - started_s
    if as_json:
        told = {
            "recording": recording,
            "site": known.site_id,
            "as": None if day is None else day.isoformat(),
            "note": known.note,
            "seconds": round(elapsed_s, 3),
        }
        typer.echo(json.dumps(told | played.as_json()))
    else:
        screen.report(known, played, elapsed_s, typer.echo, day=day)


def _demo() -> None:
    settings = config.load()
    # Wherever it is interrupted, the last acknowledged batch is kept or is sent again under the same ids.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with GatewayClient.of(settings, dev_key(settings)) as door:
        demo.play(door, settings.home, say=lambda sentence: typer.echo(sentence, err=True))


def _day(told: str | None, recording: Recording) -> date | None:
    if told is None:
        return None
    try:
        return days.parse_day(told, today=datetime.now(recording.zone).date())
    except ValueError:
        raise ConfigError(f"--as {told}: today or YYYY-MM-DD is expected") from None


def _file(recording: Recording, file: Path | None) -> Path:
    """The file that was named, or the one that ships with us."""
    if file is not None:
        return file
    if recording.packaged is None:
        raise ConfigError(f"{recording.name} does not ship with us, its licence differs from ours: give --file")
    return recording.packaged
