"""Verbs of whoever keeps the stack: ``topics``, ``sites``, ``lag``."""

import asyncio
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from streams import config, package_data
from streams.adapters import lag as kafka_lag
from streams.adapters import site_topic, topics
from streams.adapters.producer import Producer
from streams.sites import files

_Json = Annotated[bool, typer.Option("--json", help="one JSON document instead of a table")]
sites_app = typer.Typer(help="What sites there are, and what their files say.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.command("topics")(show_topics)
    app.command("lag")(show_lag)
    app.add_typer(sites_app, name="sites")


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


@sites_app.command("apply")
def apply_sites(
    paths: Annotated[list[Path] | None, typer.Argument(help="site files or folders; none: the shipped ones")] = None,
) -> None:
    """Publish site files to the site topic; programs follow it without a restart.

    Example: musee sites apply deploy/sites/example.toml
    """
    sites = files.read_all(paths or [package_data.folder("sites")])

    async def publish() -> None:
        producer = Producer(config.load().kafka_servers, "musee-sites")
        try:
            await site_topic.publish(producer, sites, time.time_ns() // 1_000_000)
        finally:
            await producer.stop()

    asyncio.run(publish())
    print(f"{len(sites)} published: {', '.join(site.site_id for site in sites)}")


@sites_app.command("check")
def check_sites(paths: Annotated[list[Path], typer.Argument(help="site files or folders")]) -> None:
    """Read site files and name every fault, publishing nothing.

    Example: musee sites check deploy/sites
    """
    sites = files.read_all(paths)
    print(f"{len(sites)} sound: {', '.join(site.site_id for site in sites)}")


@sites_app.command("list")
def list_sites(as_json: _Json = False) -> None:
    """Sites as the programs see them.

    Example: musee sites list --json
    """
    found = asyncio.run(site_topic.read(config.load().kafka_servers))
    sites = [found[name] for name in sorted(found)]
    if as_json:
        print(json.dumps([asdict(site) for site in sites], indent=2, ensure_ascii=False))
        return
    table = _table("", "site", "name", "time zone", "day ends", "gates", "clock")
    for site in sites:
        clock = "its events'" if site.replay else "the wall's"
        ends = f"{site.business_day_end_hour:02d}:00"
        table.add_row(site.site_id, site.name, site.time_zone, ends, str(len(site.gates)), clock)
    Console().print(table)
