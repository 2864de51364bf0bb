"""Verbs about events: ``send``, ``tail``, ``replay``, ``check``, ``sql``.

What a machine may read goes to stdout, everything else to stderr. Exit codes: 0 done, 1 a dependency is away, something
was refused or figures differ, 2 the call or a setting is wrong.
"""

import asyncio
import itertools
import json
import logging
import signal
import sys
import time
from contextlib import aclosing
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from streams import config
from streams.adapters import history, tail
from streams.adapters.gateway_client import Accepted, Answer, Away, GatewayClient
from streams.adapters.keys import dev_key, known_dev_key
from streams.adapters.lag import lags
from streams.check import files, quiet, recordings, report
from streams.cli import answers, scans
from streams.errors import ConfigError, Unavailable
from streams.replay import clock, demo, screen
from streams.replay.recordings import RECORDINGS
from streams.replay.run import play
from streams.topology import BY_TOPIC, FAMILIES

AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]
RecordingName = Literal["gym_swipes", "calit2"]
File = Annotated[
    Path | None,
    typer.Option(
        "--file", help="The recording; without it the part that ships with us, if there is one.", dir_okay=False
    ),
]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.command(epilog="Example:  musee send --site example --gate north --direction IN")(send)
    app.command("tail", epilog="Example:  musee tail ticket-scan --from beginning --count 5 --json")(tail_topic)
    app.command(epilog="Example:  musee replay gym_swipes --file gym_swipes.csv --speed max")(replay)
    app.command(epilog="Example:  musee check gym_swipes --file gym_swipes.csv --explain")(check)
    app.command(epilog='Example:  musee sql "SELECT * FROM musee.v_attendance_day ORDER BY local_date LIMIT 5" --csv')(
        sql
    )


def _settings() -> config.Settings:
    """Settings of a verb that a person calls: what is away is said once, by us, and not by the client libraries."""
    for library in ("aiokafka", "clickhouse_connect"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    return config.load()


def _note(sentence: str) -> None:
    typer.echo(sentence, err=True)


def send(
    site: Annotated[str | None, typer.Option(help="Site; without it, JSON lines are read from stdin.")] = None,
    gate: Annotated[str | None, typer.Option(help="Gate that people pass.")] = None,
    direction: Annotated[Literal["IN", "OUT"], typer.Option(case_sensitive=False)] = "IN",
    outcome: Annotated[scans.Outcome, typer.Option(case_sensitive=False)] = "ACCEPTED",
    party_size: Annotated[int, typer.Option(help="People who pass with this scan.")] = 1,
    at: Annotated[str | None, typer.Option("--time", help="When, RFC 3339; without it, now.")] = None,
    event_id: Annotated[str | None, typer.Option("--id", help="Id of the event; without it, a new UUID.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Send one scan, or a line of JSON each from stdin, and print event id and answer.

    A line is a CloudEvent, or only its data: {"site_id": "example", "direction": "IN"}.
    """
    settings = _settings()
    if site is None:
        events = scans.from_lines(sys.stdin)
    else:
        data = {
            "site_id": site,
            "gate_id": gate,
            "direction": direction,
            "outcome": outcome,
            "party_size": party_size,
        }
        given = {name: value for name, value in data.items() if value is not None}
        events = iter([scans.cloud_event(given, event_id=event_id, time=at)])
    refused = 0
    with GatewayClient(settings.gateway_url, known_dev_key(settings)) as door:
        for event in events:
            answer = door.post_one(event)
            refused += not isinstance(answer, Accepted)
            typer.echo(_answer_line(str(event.get("id")), answer, as_json=as_json))
    if refused:
        raise typer.Exit(1)


def _answer_line(event_id: str, answer: Answer, *, as_json: bool) -> str:
    if isinstance(answer, Accepted) and answer.event_ids:
        event_id = answer.event_ids[0]
    if as_json:
        return json.dumps({"event_id": event_id, **answers.document(answer)})
    match answer:
        case Accepted():
            return f"{event_id}  accepted"
        case Away():
            return f"{event_id}  not accepted, the gateway is away: {answer.why}"
        case _:
            return f"{event_id}  {answer}"


def tail_topic(
    topic: Annotated[str, typer.Argument(help="Family, e.g. ticket-scan, or topic.")] = "ticket-scan",
    start: Annotated[
        Literal["beginning", "end"], typer.Option("--from", help="Oldest record kept, or what comes.")
    ] = "end",
    count: Annotated[int | None, typer.Option(min=1, help="Stop after so many records.")] = None,
    *,
    with_pseudonyms: Annotated[bool, typer.Option("--with-pseudonyms", help="Show personal fields too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the records of a topic as they come, decoded, one line each."""
    name = {family.name: family.topic for family in FAMILIES}.get(topic, topic)
    if name not in BY_TOPIC:
        raise ConfigError(f"{topic}: neither a family nor a topic; there are {', '.join(one.name for one in FAMILIES)}")

    async def follow(servers: str) -> None:
        left = itertools.count() if count is None else range(count)
        async with aclosing(tail.follow(servers, name, start=start, pseudonyms=with_pseudonyms)) as records:
            for _ in left:
                typer.echo(_record_line(await anext(records), as_json=as_json))

    settings = _settings()
    asyncio.run(follow(settings.kafka_servers))


def _record_line(record: tail.Shown, *, as_json: bool) -> str:
    if as_json:
        return json.dumps(record.as_json(), ensure_ascii=False)
    place = f"{record.partition}@{record.offset}  {record.appended_at}  {record.key or '-'}"
    if record.fields is None:
        return f"{place}  cannot be decoded: {record.reason} ({record.size_bytes} bytes)"
    return f"{place}  {json.dumps(record.fields, ensure_ascii=False)}"


def replay(
    recording: Annotated[RecordingName | None, typer.Argument(help="Which recording.")] = None,
    file: File = None,
    speed: Annotated[str, typer.Option(help="Event time over real time, e.g. 1, 60; or max.")] = "max",
    *,
    demo_day: Annotated[bool, typer.Option("--demo", help="One day of calit2 at ×60, round and round.")] = False,
    as_json: AsJson = False,
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
    path = _file(recording, file)
    settings = _settings()
    known = RECORDINGS[recording]
    started_s = time.monotonic()
    with GatewayClient(settings.gateway_url, known_dev_key(settings)) as door, screen.bar(known, path) as bar:
        if not door.listens():  # later an absence is waited for; at the start nobody may have begun
            raise Unavailable("the gateway", f"nothing listens at {settings.gateway_url}; start it with `musee up`")
        played = play(door, known, path, speed=factor, say=bar.say, seen=bar.seen)
        bar.done()
    elapsed_s = time.monotonic() - started_s
    if as_json:
        told = {"recording": recording, "site": known.site_id, "note": known.note, "seconds": round(elapsed_s, 3)}
        typer.echo(json.dumps(told | played.as_json()))
    else:
        screen.report(known, played, elapsed_s, typer.echo)


def _demo() -> None:
    settings = _settings()
    # Wherever it is interrupted, the last acknowledged batch is kept or is sent again under the same ids.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with GatewayClient(settings.gateway_url, dev_key(settings)) as door:
        demo.play(door, settings.home, say=_note)


def _file(recording: str, file: Path | None) -> Path:
    """The file that was named, or the one that ships with us."""
    if file is not None:
        return file
    packaged = RECORDINGS[recording].packaged
    if packaged is None:
        raise ConfigError(f"{recording} does not ship with us, its licence differs from ours: give --file")
    return packaged


def check(
    recording: Annotated[RecordingName, typer.Argument(help="Which recording.")],
    file: File = None,
    *,
    explain: Annotated[bool, typer.Option("--explain", help="Print the rule, the Redis keys and the SQL.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Print every gate, site and day.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put file, Redis and ClickHouse side by side, per gate, site and business day; exit 1 on any difference."""
    settings = _settings()
    path = _file(recording, file)
    with Console(stderr=True).status("waiting until everything has arrived") as status:
        behind = quiet.wait(lambda: lags(settings), status.update)
        status.update("counting")
        result = recordings.check(settings, files.RULES[recording], path)
    for group, records in behind.items():
        _note(f"{group} is still {records:,} records behind after {quiet.LONGEST_S:g} s; compared as it is")
    if as_json:
        typer.echo(json.dumps(report.document(result, everything=everything, explain=explain)))
    else:
        if explain:
            typer.echo(recordings.explain(files.RULES[recording]) + "\n")
        for line in report.lines(result, everything=everything):
            typer.echo(line)
    if not result.agree:
        raise typer.Exit(1)


def sql(
    query: Annotated[str | None, typer.Argument(help="One statement; without it, stdin.")] = None,
    *,
    write: Annotated[bool, typer.Option("--write", help="Let it change something.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a row.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV with a header.")] = False,
) -> None:
    """Ask the warehouse; read only unless --write."""
    if as_json and as_csv:
        raise ConfigError("--json or --csv, not both")
    settings = _settings()
    text = (query if query is not None else sys.stdin.read()).strip().rstrip(";")
    if not text:
        raise ConfigError("there is no statement, neither as an argument nor on stdin")
    found = history.table(settings, text, write=write)
    if as_json:
        answers.rows_as_json(found)
    elif as_csv:
        answers.rows_as_csv(found)
    else:
        answers.rows_as_table(found)
