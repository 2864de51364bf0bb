"""Verbs of whoever keeps the stack: ``topics``, ``lag``, and ``sites`` (see ``cli.sites``)."""

import asyncio
import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from streams import config
from streams.adapters import lag as kafka_lag
from streams.adapters import topics
from streams.cli import sites

_Json = Annotated[bool, typer.Option("--json", help="one JSON document instead of a table")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.command("topics")(show_topics)
    app.command("lag")(show_lag)
    app.add_typer(sites.app, name="sites")


def _table(title: str, *columns: str) -> Table:
    return Table(*columns, title=title, title_justify="left", box=None, header_style="bold")


def show_topics(
    create: Annotated[bool, typer.Option("--create", help="create what is missing")] = False, as_json: _Json = False
) -> None:
    """Topics as the cluster has them, and where they differ from what this version needs.

    Example: musee topics --create
    """
    settings = config.load()
    if create:
        made = asyncio.run(topics.create(settings.kafka_servers))
        sys.stderr.write(f"created: {', '.join(made) or 'nothing, all were there'}\n")
    states = asyncio.run(topics.describe(settings.kafka_servers))
    if as_json:
        print(json.dumps([asdict(state) for state in states], indent=2))
    else:
        table = _table("", "topic", "partitions", "kept", "faults")
        for state in states:
            kept = (
                state.config.get("retention.ms", "") if state.config.get("cleanup.policy") == "delete" else "compacted"
            )
            days = f"{int(kept) / 86_400_000:g} days" if kept.isdigit() else kept
            table.add_row(state.topic, str(state.partitions), days, "; ".join(state.faults) or "none")
        Console().print(table)
    if any(state.faults for state in states):
        raise typer.Exit(1)


def show_lag(as_json: _Json = False) -> None:
    """How many records each program has yet to count or land.

    Example: musee lag --json
    """
    found = asyncio.run(kafka_lag.measure(config.load().kafka_servers))
    if as_json:
        print(json.dumps([{**asdict(one), "records": one.records} for one in found], indent=2))
        return
    table = _table("", "program", "topic", "log end", "records behind")
    for group, group_topics in kafka_lag.GROUPS.items():
        for topic in group_topics:
            rows = [one for one in found if one.group == group and one.topic == topic]
            behind, end = sum(one.records for one in rows), sum(one.end for one in rows)
            table.add_row(group, topic, f"{end:,}", f"{behind:,}")
    Console().print(table)
