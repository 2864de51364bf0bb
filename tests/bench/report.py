"""Prints a benchmark's rows and writes them to ``build/bench/NAME.json``."""

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table


def publish(name: str, rows: list[tuple[str, float, str]], notes: list[str]) -> None:
    """Print rows of (name, value, unit) and write them as JSON."""
    table = Table("figure", "value", "unit", title=name, title_justify="left", box=None)
    for row_name, value, unit in rows:
        table.add_row(row_name, f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}", unit)
    console = Console()
    console.print(table)
    for note in notes:
        console.print(note)
    folder = Path("build/bench")
    folder.mkdir(parents=True, exist_ok=True)
    document = [{"name": row_name, "value": value, "unit": unit} for row_name, value, unit in rows]
    (folder / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n")
