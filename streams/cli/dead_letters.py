"""Verbs about dead letters: ``dlq list`` and ``dlq retry``.

Neither keys nor values are printed, decoded or not: a record that cannot be read may hold anything. Exit codes: 0 done,
1 some could not be produced again or Kafka is away, 2 the call is wrong.
"""

import asyncio
import json
import re
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from streams.adapters import retries, schema_registry
from streams.adapters.producer import Producer
from streams.adapters.retries import BY_BYTES, BY_CLOCK, Letter, Shift
from streams.cli import calls
from streams.errors import ConfigError
from streams.topology import BY_TOPIC, FAMILIES

AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]
Topic = Annotated[str | None, typer.Option(help="Only of this family or topic.")]
Since = Annotated[str | None, typer.Option(help="Only found since: RFC 3339, or how long ago, e.g. 90m, 6h, 2d.")]
_UNIT_MS = {"": 1, "ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_AGO = {"m": "minutes", "h": "hours", "d": "days"}
dlq_app = typer.Typer(help="Records that could not be counted or landed, and trying them again.",
                      epilog="Example:  musee dlq list --since 6h", no_args_is_help=True)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.add_typer(dlq_app, name="dlq")


def _since_ms(said: str | None) -> int:
    """Epoch ms of ``--since``; 0 without it."""
    if said is None:
        return 0
    ago = re.fullmatch(r"(\d+)([mhd])", said)
    try:
        if ago is not None:
            return int((datetime.now(UTC) - timedelta(**{_AGO[ago[2]]: int(ago[1])})).timestamp() * 1000)
        at = datetime.fromisoformat(said)
    except (ValueError, OverflowError):
        raise ConfigError(f"--since {said}: RFC 3339 is expected, or how long ago, e.g. 6h") from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def _topic(said: str | None) -> str | None:
    topic = {family.name: family.topic for family in FAMILIES}.get(said or "", said)
    if topic is not None and topic not in BY_TOPIC:
        raise ConfigError(f"{said}: neither a family nor a topic; there are {', '.join(one.name for one in FAMILIES)}")
    return topic


def _shift(said: str | None, reason: str) -> Shift | None:
    """What ``--shift`` says, ms or ``auto``; ``None`` where the time is not what was wrong."""
    if (reason in BY_CLOCK) != (said is not None):
        if said is None:
            raise ConfigError(f"--reason {reason}: its time is wrong, say by how much: --shift auto, +2h, -90s, MS")
        raise ConfigError(f"--shift is for --reason {' and '.join(sorted(BY_CLOCK))}, not for {reason}")
    if said is None or said == "auto":
        return said if said is None else "auto"
    by = re.fullmatch(r"([+-]?[0-9]{1,15})(|ms|s|m|h|d)", said)
    if by is None:
        raise ConfigError(f"--shift {said}: auto is expected, or by how much, e.g. +2h, -90s, or milliseconds")
    return int(by[1]) * _UNIT_MS[by[2]]


async def _chosen(servers: str, topic: str | None, reason: str | None, since_ms: int) -> list[Letter]:
    return [
        letter
        for letter in await retries.read(servers)
        if topic in (None, letter.topic) and reason in (None, letter.reason) and letter.dead_ms >= since_ms
    ]


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@dlq_app.command("list", epilog="Example:  musee dlq list --reason partition --since 6h")
def list_letters(
    topic: Topic = None,
    reason: Annotated[str | None, typer.Option(help="Only for this reason.")] = None,
    since: Since = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Dead letters by topic and reason: how many, when the first and the last was found, how many were retried."""
    settings, name, since_ms = schema_registry.adopt(calls.settings()), _topic(topic), _since_ms(since)
    groups: dict[tuple[str, str], list[Letter]] = defaultdict(list)
    for letter in asyncio.run(_chosen(settings.kafka_servers, name, reason, since_ms)):
        groups[letter.topic, letter.reason].append(letter)
    rows = [
        {
            "topic": place,
            "reason": why,
            "count": len(letters),
            "retried": sum(letter.retried for letter in letters),
            "first": _moment(min(letter.dead_ms for letter in letters)),
            "last": _moment(max(letter.dead_ms for letter in letters)),
        }
        for (place, why), letters in sorted(groups.items())
    ]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    table = Table("topic", "reason", "count", "retried", "first", "last", box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row.values()))
    console = Console(highlight=False)
    if not console.is_terminal:  # a pipe has no width: nothing is cut
        console.width = max(console.measure(table, options=console.options.update(width=10_000)).maximum, 20)
    console.print(table if rows else "no dead letters")


@dlq_app.command(epilog="Example:  musee dlq retry --reason partition --topic ticket-scan")
def retry(
    reason: Annotated[str, typer.Option(help="Which: partition (misplaced), schema (its id is known now), clock …")],
    topic: Topic = None,
    since: Since = None,
    *,
    shift: Annotated[
        str | None,
        typer.Option(help="Of clock: what to add to the time, e.g. +2h, -90s, ms; auto: what its clock was off by."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Also what its bytes alone make fail again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Produce dead-lettered records again to the partition of their site, each only once.

    They are as they were, save the time of those whose clock was not believed: --shift corrects it. An event that was
    counted before is counted once all the same, since its id is known.
    """
    if reason in BY_BYTES and not force:
        raise ConfigError(f"--reason {reason}: its bytes decide that, so it would fail again; --force tries it")
    by = _shift(shift, reason)
    settings, name, since_ms = schema_registry.adopt(calls.settings()), _topic(topic), _since_ms(since)

    async def run() -> retries.Retry:
        producer = Producer(settings.kafka_servers, "musee-dlq", answer_s=15.0)
        try:
            letters = await _chosen(settings.kafka_servers, name, reason, since_ms)
            return await retries.retry(producer, letters, force=force, shift=by)
        finally:
            await producer.stop()

    done = asyncio.run(run())
    why = Counter(sentence for _, sentence in done.impossible)
    if as_json:
        print(json.dumps({"produced": done.produced, "before": done.before, "impossible": dict(why)}))
    else:
        print(f"{done.produced:,} produced again, {done.before:,} were before, {len(done.impossible):,} cannot be")
    for sentence, count in why.items():
        sys.stderr.write(f"{count:,}: {sentence}\n")
    if done.impossible:
        raise typer.Exit(1)
