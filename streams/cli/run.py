"""Verbs that run things: ``up``, ``down``, ``status``, ``doctor``, and the four programs.

Exit codes: 0 done, 1 something cannot start or does not run, 2 a setting is wrong. Everything heavy is imported by the
verb that needs it, so that ``musee --help`` answers at once.
"""

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]
_STYLES = {"ok": "green", "ready": "green", "running": "green", "note": "yellow"}


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.command(epilog="Example:  musee up      (MUSEE_HOME=/tmp/other MUSEE_CONSOLE_PORT=9000 … for a second one)")(up)
    app.command(epilog="Example:  musee down")(down)
    app.command(epilog="Example:  musee status --json")(status)
    app.command(epilog="Example:  musee doctor")(doctor)
    app.command("setup", rich_help_panel="Programs", epilog="Example:  MUSEE_KAFKA=broker:9092 musee setup")(set_up)
    app.command(rich_help_panel="Programs", epilog="Example:  MUSEE_KAFKA=broker:9092 musee gateway")(gateway)
    app.command(rich_help_panel="Programs", epilog="Example:  MUSEE_SLOT=1 musee agents")(agents)
    app.command(rich_help_panel="Programs", epilog="Example:  MUSEE_CLICKHOUSE=http://host:8123 musee sink")(sink)
    app.command(rich_help_panel="Programs", epilog="Example:  MUSEE_CONSOLE_PORT=9000 musee console")(console)


def up() -> None:
    """Start the whole stack on this machine and keep it running; Ctrl-C stops it."""
    from streams import config
    from streams.cli import stack_up

    stack_up.run(config.load())


def down() -> None:
    """Stop what `musee up` started in this home, and wait until all of it is gone."""
    from streams import config
    from streams.cli import stack_up

    stack_up.stop(config.load())


def status(as_json: AsJson = False) -> None:
    """What runs and is ready; what does not, why, and what helps. Exit 1 if something that should run does not."""
    from rich.table import Table
    from rich.text import Text

    from streams import config
    from streams.embedded import status as embedded_status

    found = asyncio.run(embedded_status.report(config.load()))
    if as_json:
        print(json.dumps(asdict(found), indent=2))
        raise typer.Exit(0 if found.well else 1)
    if found.rows:
        table = Table("part", "state", "pid", "address", "reason", "fix", box=None, header_style="bold", pad_edge=False)
        for row in found.rows:
            state = Text(row.state, _STYLES.get(row.state, "red"))
            pid = str(row.pid) if row.pid else ""
            table.add_row(Text(row.part), state, pid, Text(row.address), Text(row.reason), Text(row.fix))
        _show(table)
    print(found.summary)
    raise typer.Exit(0 if found.well else 1)


def doctor(as_json: AsJson = False) -> None:
    """Whether this machine can run the stack, and every setting. Exit 1 if there is a problem."""
    from rich.table import Table
    from rich.text import Text

    from streams.embedded import doctor as embedded_doctor

    settings, faults = embedded_doctor.readable_settings()
    findings = [*faults, *asyncio.run(embedded_doctor.findings(settings))]
    rows = embedded_doctor.setting_rows(settings)
    problems = sum(finding.verdict == "problem" for finding in findings)
    if as_json:
        shown = {"findings": [asdict(one) for one in findings], "settings": [asdict(row) for row in rows]}
        print(json.dumps(shown, indent=2))
        raise typer.Exit(1 if problems else 0)
    looked = Table("", "what", "found", "fix", box=None, show_header=False, pad_edge=False)
    for finding in findings:
        verdict = Text(finding.verdict, _STYLES.get(finding.verdict, "red"))
        looked.add_row(verdict, Text(finding.what), Text(finding.detail), Text(finding.fix))
    _show(looked)
    settable = Table("setting", "value", "default", "what it is", box=None, header_style="bold", pad_edge=False)
    for row in rows:
        changed = "bold" if row.value != row.default else ""
        settable.add_row(Text(row.variable), Text(row.value, changed), Text(row.default), Text(row.description))
    print()
    _show(settable)
    print(f"\n{problems} problem{'' if problems == 1 else 's'}")
    raise typer.Exit(1 if problems else 0)


def _show(table: "Table") -> None:
    """Print a table: folded to a terminal, as wide as its content into a pipe."""
    from rich.console import Console

    for column in table.columns:
        column.overflow = "fold"
    screen = Console(highlight=False)
    if not screen.is_terminal:
        screen = Console(highlight=False, width=max(Console(width=10_000).measure(table).maximum, 20))
    screen.print(table)


def set_up() -> None:
    """Make what is missing in stores of your own: topics, tables, the shipped sites. Repeating it is harmless."""
    from streams import config
    from streams.cli.setup import setup

    asyncio.run(setup(config.load(), print))


def gateway() -> None:
    """Run the gateway: takes events over HTTP, answers 202 once Kafka has them."""
    from streams import config
    from streams.adapters import schema_registry
    from streams.gateway.http import serve

    serve(schema_registry.adopt(config.load()))


def agents() -> None:
    """Run the agents: count events into Redis."""
    from streams import config
    from streams.adapters import schema_registry
    from streams.agents.app import serve

    serve(schema_registry.adopt(config.load()))


def sink() -> None:
    """Run the sink: lands events in ClickHouse."""
    from streams import config
    from streams.adapters import schema_registry
    from streams.sink.worker import serve

    serve(schema_registry.adopt(config.load()))


def console() -> None:
    """Run the console: the page, its API and its feed."""
    from streams import config
    from streams.adapters import schema_registry
    from streams.console.server import serve

    serve(schema_registry.adopt(config.load()))
