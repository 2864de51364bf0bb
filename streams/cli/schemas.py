"""Verbs about schemas: ``schema list``, ``show``, ``check``, ``push``.

Exit codes: 0 done, 1 a schema breaks a reader or a rule, 2 the call is wrong or no schema was given.
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from streams import config, package_data
from streams.adapters import compatibility, registry, schema_registry
from streams.errors import ConfigError

AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]
schema_app = typer.Typer(help="Schemas of events: what there is, and whether a change breaks a reader.",
                         epilog="Example:  musee schema check --file ticket-scan.v3.avsc",
                         no_args_is_help=True)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.add_typer(schema_app, name="schema")


def _names() -> list[str]:
    return sorted(registry.ids(), key=lambda name: (compatibility.family(name), compatibility.version(name)))


@schema_app.command("list", epilog="Example:  musee schema list --json")
def list_schemas(as_json: AsJson = False) -> None:
    """Every released schema, its id and its subject in a registry."""
    rows = [
        {
            "name": name,
            "id": registry.ids()[name],
            "subject": schema_registry.subject(name),
            "version": compatibility.version(name),
            "fields": len(registry.by_name(name).fields),
        }
        for name in _names()
    ]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    table = Table("schema", "id", "subject", "version", "fields", box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console(highlight=False).print(table)


@schema_app.command("show", epilog="Example:  musee schema show ticket-scan")
def show_schema(
    name: Annotated[str, typer.Argument(help="Schema, e.g. ticket-scan.v1, or family: its newest.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="The file itself.")] = False,
) -> None:
    """The fields of a schema: type, whether it is about a person, and what it holds."""
    mine = [one for one in _names() if name in (one, compatibility.family(one))]
    if not mine:
        raise ConfigError(f"{name}: neither a schema nor a family; there are {', '.join(_names())}")
    definition = registry.by_name(mine[-1]).definition
    if as_json:
        print(json.dumps(definition, indent=1, ensure_ascii=False))
        return
    table = Table("field", "type", "pii", "default", "what it holds", title=f"{mine[-1]}: {definition['doc']}",
                  title_justify="left", box=None, header_style="bold", pad_edge=False)  # fmt: skip
    for field in definition["fields"]:
        default = json.dumps(field["default"]) if "default" in field else ""
        table.add_row(field["name"], _type(field["type"]), field["pii"], default, field["doc"])
    Console(highlight=False).print(table)


def _type(declared: object) -> str:
    """A type in a word or two; ``?`` for what may be null."""
    match declared:
        case [*branches]:
            inner = " or ".join(_type(one) for one in branches if one != "null")
            return f"{inner}?" if "null" in branches else inner
        case {"logicalType": logical}:
            return str(logical)
        case {"type": "enum", "symbols": [*symbols]}:
            return "|".join(map(str, symbols))
        case {"type": "array", "items": items}:
            return f"array of {_type(items)}"
        case {"type": "record", "name": name}:
            return str(name)
        case _:
            return str(declared)


@schema_app.command(epilog="Example:  musee schema check --file ticket-scan.v3.avsc")
def check(
    file: Annotated[Path | None, typer.Option("--file", help="A schema to come, as the next version.")] = None,
) -> None:
    """Check the released schemas, or one to come: names each reader that a change breaks, exit 1 if there is one.

    A newer schema reads what every older one wrote; ids are unique; every field says what it holds and whether it is
    about a person; what was released has not changed.
    """
    if file is None:
        faults = compatibility.folder_faults(package_data.folder("schemas"))
        sound = f"{len(registry.ids())} schemas, each newer one reads all older ones"
    else:
        released = {name: registry.by_name(name).definition for name in _names()}
        name, faults = compatibility.proposal(compatibility.read(file), released, file.name)
        state = "is released, and the same" if name in released else "can be released"
        sound = f"{file}: {name} {state}"
    for fault in faults:
        print(fault)
    if faults:
        sys.stderr.write(f"{len(faults)} fault{'' if len(faults) == 1 else 's'}\n")
        raise typer.Exit(1)
    print(sound)


@schema_app.command(epilog="Example:  MUSEE_SCHEMA_REGISTRY=http://registry:8081 musee schema push")
def push(as_json: AsJson = False) -> None:
    """Register our schemas in the registry of MUSEE_SCHEMA_REGISTRY, what it lacks, in the order of their ids."""
    settings = config.load()
    if settings.schema_registry is None:
        raise ConfigError("MUSEE_SCHEMA_REGISTRY is not set: which registry?")
    done = schema_registry.push(settings.schema_registry)
    if as_json:
        print(json.dumps([{"name": name, "id": number, "new": new} for name, (number, new) in done.items()]))
        return
    for name, (number, new) in done.items():
        print(f"{name}  id {number}{'' if new else ', was there'}")
