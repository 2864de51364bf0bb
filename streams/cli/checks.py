"""The verb ``check``: file, Redis and ClickHouse side by side.

The report goes to stdout, what is waited for to stderr. Exit codes: 0 everything agrees, 1 something differs or a
dependency is away, 2 the call or a setting is wrong.
"""

import json
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import typer
from rich.console import Console

from streams.check import arrival, files, quiet, recordings, report, witnesses
from streams.cli import calls
from streams.cli.simulate import check_truth
from streams.errors import ConfigError
from streams.replay.recordings import RECORDINGS

RecordingName = Literal[
    "gym_swipes", "calit2", "smile_tweets", "yelp", "xed", "sdu_tracks", "ble_library", "web_log", "simulate"
]  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command(epilog="Example:  musee check gym_swipes --file gym_swipes.csv --explain")(check)


def check(
    recording: Annotated[RecordingName, typer.Argument(help="Which recording; simulate for a simulated day.")],
    file: Annotated[
        Path | None,
        typer.Option("--file", help="The recording; without it the part that ships with us, if there is one."),
    ] = None,
    as_day: Annotated[
        str | None, typer.Option("--as", help="Day that it was replayed as: today, or YYYY-MM-DD.")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option("--truth", help="Folder that simulate wrote; truth if not said.", file_okay=False)
    ] = None,
    *,
    explain: Annotated[bool, typer.Option("--explain", help="Print the rule, the Redis keys and the SQL.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Print every place and time.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Put file, Redis and ClickHouse side by side, place by place and time by time; exit 1 on any difference.

    All of its sites are compared: what no line of the file accounts for is a difference too.
    """
    if recording == "simulate":
        if file or as_day or explain or everything:
            raise ConfigError("check simulate takes --truth and --json")
        check_truth(truth or Path("truth"), as_json=as_json)
        return
    if truth:
        raise ConfigError(f"--truth goes with simulate, not with {recording}")
    rule = files.RULES[recording]
    first_day = _day(as_day, rule.zone)
    settings = calls.settings()
    path = _file(recording, file)
    with Console(stderr=True).status("waiting until everything has arrived") as status:
        behind = quiet.wait(arrival.Backlog(settings), status.update)
        status.update("counting")
        result = recordings.check(settings, rule, path, first_day=first_day)
    for group, records in behind.items():
        late = f"{group} is still {records:,} records behind after {quiet.LONGEST_S:g} s; compared as it is"
        typer.echo(late, err=True)
    if as_json:
        typer.echo(json.dumps(report.document(result, everything=everything, explain=explain)))
    else:
        if explain:
            typer.echo(witnesses.explain(rule, result.sites) + "\n")
        for line in report.lines(result, everything=everything):
            typer.echo(line)
    if not result.agree:
        raise typer.Exit(1)


def _day(told: str | None, zone: str) -> date | None:
    if told is None:
        return None
    if told == "today":
        return datetime.now(ZoneInfo(zone)).date()
    try:
        day = date.fromisoformat(told)
    except ValueError:
        day = None
    if day is None or day.isoformat() != told:  # 20260714 is a date to Python
        raise ConfigError(f"--as {told}: today or YYYY-MM-DD is expected")
    return day


def _file(recording: str, file: Path | None) -> Path:
    """The file that was named, or the one that ships with us."""
    packaged = file or RECORDINGS[recording].packaged
    if packaged is None:
        raise ConfigError(f"{recording} does not ship with us, its licence differs from ours: give --file")
    return packaged
