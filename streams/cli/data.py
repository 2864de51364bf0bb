"""Verbs about events: ``send``, ``tail``, ``sql``.

What a machine may read goes to stdout, everything else to stderr. Exit codes: 0 done, 1 a dependency is away, something
was refused, 2 the call or a setting is wrong.
"""

import asyncio
import itertools
import json
import sys
from contextlib import aclosing
from typing import Annotated, Literal

import typer

from streams.adapters import history, schema_registry, tail
from streams.adapters.gateway_client import Accepted, Answer, Away, GatewayClient
from streams.adapters.keys import known_dev_key
from streams.cli import answers, calls, scans
from streams.errors import ConfigError
from streams.topology import BY_TOPIC, FAMILIES

AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.command(epilog="Example:  musee send --site example --gate north --direction IN")(send)
    app.command("tail", epilog="Example:  musee tail ticket-scan --from beginning --count 5 --json")(tail_topic)
    app.command(epilog='Example:  musee sql "SELECT * FROM musee.v_attendance_day ORDER BY local_date LIMIT 5" --csv')(
        sql
    )


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
    settings = calls.settings()
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
    with GatewayClient.of(settings, known_dev_key(settings)) as door:
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

    settings = schema_registry.adopt(calls.settings())
    asyncio.run(follow(settings.kafka_servers))


def _record_line(record: tail.Shown, *, as_json: bool) -> str:
    if as_json:
        return json.dumps(record.as_json(), ensure_ascii=False)
    place = f"{record.partition}@{record.offset}  {record.appended_at}  {record.key or '-'}"
    if record.fields is None:
        return f"{place}  cannot be decoded: {record.reason} ({record.size_bytes} bytes)"
    return f"{place}  {json.dumps(record.fields, ensure_ascii=False)}"


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
    settings = calls.settings()
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
