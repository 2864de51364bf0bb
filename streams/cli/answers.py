"""How answers look: of the gateway as a document, of the warehouse as table, JSON lines or CSV."""

import csv
import json
import sys
from dataclasses import asdict

from rich import box
from rich.console import Console
from rich.table import Table

from streams.adapters import history
from streams.adapters.gateway_client import Accepted, Answer, Away

_ENDLESS = 1_000_000


def document(answer: Answer) -> dict[str, object]:
    """An answer of the gateway for machines; ``answer`` is ``accepted``, ``refused`` or ``away``."""
    match answer:
        case Accepted():
            return {"answer": "accepted", "accepted": answer.count}
        case Away():
            return {"answer": "away", **asdict(answer)}
        case _:
            return {"answer": "refused", **asdict(answer)}


def rows_as_json(found: history.Table) -> None:
    """One object a line; what JSON does not know, such as times, as text."""
    for row in found.rows:
        sys.stdout.write(json.dumps(dict(zip(found.columns, row, strict=True)), default=str, ensure_ascii=False) + "\n")


def rows_as_csv(found: history.Table) -> None:
    """A header and the rows."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(found.columns)
    writer.writerows(found.rows)


def rows_as_table(found: history.Table) -> None:
    """For people; as wide as its content when it goes into a pipe."""
    shown = Table(*found.columns, box=box.SIMPLE, pad_edge=False)
    for row in found.rows:
        shown.add_row(*(str(value) for value in row))
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console = Console(markup=False, highlight=False, width=_ENDLESS)
        console.width = console.measure(shown).maximum
    console.print(shown)
    sys.stdout.write(f"rows: {len(found.rows):,}\n")
