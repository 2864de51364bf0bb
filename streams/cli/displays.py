"""The verbs of ``musee display``: ``add``, ``list`` and ``revoke`` walls that look at one site without a login.

Exit codes: 0 done, 1 a dependency is away, 2 the call is wrong: no such site, no such display.
"""

import asyncio
import json
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table

from streams.adapters import schema_registry, site_topic
from streams.adapters.displays import Display, Displays
from streams.cli import calls
from streams.errors import ConfigError

app = typer.Typer(
    help="Walls: each opens the page of one site, to look only, until it is revoked.",
    epilog="Example: musee display add example --note 'north hall'",
    no_args_is_help=True,
)
_Json = Annotated[bool, typer.Option("--json", help="for machines")]


def register(to: typer.Typer) -> None:
    """Add the verbs to the command."""
    to.add_typer(app, name="display")


@app.command()
def add(
    site: Annotated[str, typer.Argument(help="id of the site it shows")],
    note: Annotated[str, typer.Option("--note", help="where it hangs, for `musee display list`")] = "",
    as_json: _Json = False,
) -> None:
    """Make a wall's token, and print the address that opens it. It is shown this once.

    Example: musee display add example --note "north hall"
    """
    settings = schema_registry.adopt(calls.settings())
    if site not in asyncio.run(site_topic.read(settings.kafka_servers)):
        raise ConfigError(f"{site!r} is no site that is known; musee sites list shows them")
    display, token = Displays(settings.home).add(site, note)
    address = f"{settings.console_url}/wall/{quote(site, safe='')}?token={token}"
    if as_json:
        print(json.dumps({**_document(display), "token": token, "address": address}, ensure_ascii=False))
        return
    print(f"display {display.display_id} of {site}; open this once on the screen, which then remembers it:\n{address}")
    if settings.exposed:
        print(f"(with the name that the screen knows this machine by, in place of {settings.console_url})")


@app.command("list")
def list_displays(as_json: _Json = False) -> None:
    """The walls that are let in. Example: musee display list"""
    known = Displays(calls.settings().home).all()
    if as_json:
        print(json.dumps([_document(one) for one in known], indent=2, ensure_ascii=False))
        return
    if not known:
        print("no display; `musee display add SITE` makes one")
        return
    table = Table("display", "site", "made", "note", box=None, header_style="bold", pad_edge=False)
    for one in known:
        table.add_row(one.display_id, one.site_id, _made(one), one.note)
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:  # a pipe has no width: one display a line
        console.width = max(console.measure(table, options=console.options.update(width=10_000)).maximum, 20)
    console.print(table)


@app.command()
def revoke(display: Annotated[str, typer.Argument(help="its id")]) -> None:
    """Let a wall in no more: its stream ends within seconds. Example: musee display revoke 1a2b3c4d"""
    gone = Displays(calls.settings().home).revoke(display)
    print(f"display {gone.display_id} of {gone.site_id} is revoked")


def _document(display: Display) -> dict[str, object]:
    """A display for machines, without its hash."""
    return {
        "display_id": display.display_id,
        "site_id": display.site_id,
        "note": display.note,
        "made_ms": display.made_ms,
    }


def _made(display: Display) -> str:
    return datetime.fromtimestamp(display.made_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
