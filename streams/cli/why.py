"""The verb ``why``: the events, corrections and revisions behind a figure, and their sum.

What was asked for goes to stdout, what is waited for to stderr. Exit codes: 0 the events account for the figure, 1 they
do not or a dependency is away, 2 the call is wrong. No pseudonym of a ticket is read, so none is printed.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table

from streams.adapters import evidence, live_figure, schema_registry, site_topic
from streams.cli import calls
from streams.core import questions
from streams.core.answer_document import document
from streams.core.answers import Answer, Figure, Revision, is_late
from streams.core.evidence import WORDS, Said, Scan
from streams.core.windows import METRICS

_SHOWN = 40  # rows on a terminal; a pipe gets all
_SHORT = 8  # characters of an id that name it beside the whole one
_TO_THE_RIGHT = ("party", "inside", "stands", "entries", "exits", "denied", "complete")


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command("why", epilog="Example:  musee why example --gate main-door --from 10:00 --to 11:30")(why_number)


def why_number(
    site: Annotated[str, typer.Argument(help="Which site.")],
    gate: Annotated[str | None, typer.Option(help="Only what passed this gate.")] = None,
    zone: Annotated[str | None, typer.Option(help="Only the gates that open into this zone.")] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", help=f"From when: {questions.EXPECTED}. Without --from and --to, the day so far."),
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="Until when, excluded; likewise.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=0, help=f"Rows at most, 0: all; left out: {_SHOWN} on a terminal.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")] = False,
) -> None:
    """Why this number: every event, correction and revision behind a figure, and whether they add up to it.

    The figure comes from Redis, the events from ClickHouse, both as of the same record of Kafka. Exit 1 if they differ.
    """
    settings = schema_registry.adopt(calls.settings())
    described = questions.site_of(asyncio.run(site_topic.read(settings.kafka_servers)), site)
    clock = live_figure.clock(settings, site)
    asked = questions.ask(
        described, clock.occurred_ms, time.time_ns() // 1_000_000, gate=gate, zone=zone, start=start, end=end
    )
    with Console(stderr=True).status("waiting until what was counted has landed"):
        found = evidence.answer(settings, asked)
    if as_json:
        typer.echo(json.dumps(document(found), indent=2, ensure_ascii=False))
    else:
        _print(found, limit)
    if not found.equal:
        raise typer.Exit(1)


# -- for people ------------------------------------------------------------------------------------------------------


def _print(found: Answer, limit: int | None) -> None:
    console = Console(markup=False, highlight=False)
    rows = limit if limit is not None else _SHOWN if console.is_terminal else 0
    typer.echo(_heading(found))
    for line in _figures(found):
        typer.echo(line)
    for what, columns, lines in (
        ("event or correction", *_steps(found)),
        ("line about quarter-hours", *_windows(found)),
    ):
        typer.echo("")
        if lines:
            _show(console, columns, lines[:rows] if rows else lines)
        if rows and len(lines) > rows:
            typer.echo(f"{rows:,} of {len(lines):,}, {len(lines) - rows:,} more: --limit 0")
        elif not lines:
            typer.echo(f"no {what}")
    for line in _remarks(found):
        typer.echo(line)


Lines = list[tuple[str, ...]]


def _show(console: Console, columns: tuple[str, ...], lines: Lines) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns:
        table.add_column(name, justify="right" if name in _TO_THE_RIGHT else "left", overflow="fold")
    for cells in lines:
        table.add_row(*cells)
    if not console.is_terminal:  # a pipe has no width: as wide as the content, one line each
        console.width = max(console.measure(table, options=console.options.update(width=10_000)).maximum, 20)
    console.print(table)


def _clock(found: Answer, at_ms: int, *, seconds: bool = True) -> str:
    """Local time; with its date where the figure has more than one."""
    asked = found.question
    moment = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(asked.site.time_zone))
    dated = len(asked.days) > 1 or asked.day_of(at_ms) != asked.day_of(asked.start_ms)
    return moment.strftime(("%Y-%m-%d " if dated else "") + ("%H:%M:%S" if seconds else "%H:%M"))


def _heading(found: Answer) -> str:
    asked = found.question
    site = asked.site
    whose = site.name + (
        f", gate {asked.gate_id}" if asked.gate_id else f", zone {asked.zone_id}" if asked.zone_id else ""
    )
    played = " SIMULATED" if site.simulated else " replayed" if site.replay else ""
    day = asked.day_of(asked.start_ms).isoformat()
    if asked.so_far:
        return f"{whose} ({site.site_id}{played}): business day {day} so far, local time {site.time_zone}"
    zone = ZoneInfo(site.time_zone)
    start, end = (datetime.fromtimestamp(at / 1000, zone) for at in (asked.start_ms, asked.end_ms))
    until = f"{end:%H:%M}" if end.date() == start.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"{whose} ({site.site_id}{played}): {start:%Y-%m-%d %H:%M} to {until}, local time {site.time_zone}"


def _figures(found: Answer) -> list[str]:
    def said(figure: Figure) -> str:
        counts = figure.counts
        text = f"{counts.entries:,} entries, {counts.exits:,} exits, {counts.denied:,} denied"
        if (level := figure.level) is not None:
            text += f"; inside {level.inside:,} ({level.low:,} to {level.high:,}), as the gates counted {level.raw:,}"
            text += f", {level.drift:,} below zero" if level.drift else ""
        return text

    lines = [f"figure (Redis)        {said(found.figure)}", f"events (ClickHouse)   {said(found.sum)}"]
    if found.equal:
        return [*lines, "equal"]
    lines += [f"DIFFERENT  {difference}" for difference in found.differences]
    return lines + [f"reason     {reason}" for reason in found.reasons]


def _steps(found: Answer) -> tuple[tuple[str, ...], Lines]:
    has_level = found.sum.level is not None
    level = ("stands",) if has_level else ()
    columns = ("time", "gate", "way", "outcome", "party", "inside", *level, "corrects", "mode", "marks", "event")
    finals = found.first_said
    lines: Lines = []

    def line(*cells: str, stands: int) -> None:
        lines.append((*cells[:6], *((f"{stands:,}",) if has_level else ()), *cells[6:]))

    if has_level and (found.account.opening or found.account.opening_raw):
        before = _clock(found, found.question.start_ms)
        line(before, "", "", "inside before", *[""] * 6, stands=found.account.opening)
    for step in found.account.steps:
        at, change, stands = _clock(found, step.at_ms), f"{step.inside:+,}" if step.inside else "0", step.stands
        record = step.record
        if record is None:
            line(at, "", "", "a business day begins", "", change, "", "", "", "", stands=stands)
            continue
        marks = _marks(found, record, finals)
        corrects = (record.corrects or "")[:_SHORT]
        if isinstance(record, Scan):
            way = record.direction, record.outcome, f"{record.party_size:,}"
            line(at, record.gate_id, *way, change, corrects, record.ingest_mode, marks, record.event_id, stands=stands)
        else:
            told = f"{record.kind} {record.value:+,}" if record.kind == "ADJUST" else f"{record.kind} {record.value:,}"
            why_ = ", ".join(part for part in (f"{record.who}: {record.why}", marks) if part)
            zone = f"zone {record.zone_id}" if record.zone_id else ""
            line(at, zone, "", told, "", change, corrects, record.ingest_mode, why_, record.event_id, stands=stands)
    return columns, lines


def _marks(found: Answer, record: Scan | Said, finals: Mapping[int, int]) -> str:
    """What was special about how it came."""
    marks = [] if record.clock_trust == "SYNCED" else [f"clock {record.clock_trust}"]
    if isinstance(record, Scan) and is_late(record, finals):
        marks.append("late")
    if record.device_ms is not None:
        marks.append(f"corrected by {(record.occurred_ms - record.device_ms) / 1000:+g} s")
    if (sent := found.copies.get(record.event_id, 1)) > 1:
        marks.append(f"sent {sent} times")
    return " ".join(marks)


def _windows(found: Answer) -> tuple[tuple[str, ...], Lines]:
    columns = ("quarter", "state", "entries", "exits", "denied", "why", "complete", "said at", "revision")
    zone = ZoneInfo(found.question.site.time_zone)
    lines: Lines = []

    def change(one: Revision, metric: str) -> str:
        now = getattr(one.counts, metric)
        before = now if one.before is None else getattr(one.before, metric)
        return f"{now:,}" if now == before else f"{before:,} → {now:,}"

    for window in found.windows:
        at = _clock(found, window.start_ms, seconds=False)
        if not window.revisions:
            counts = window.events
            told = [f"{getattr(counts, metric):,}" if counts else "" for metric in METRICS]
            lines.append((at, "open", *told, "", "", "", ""))
        for place, one in enumerate(window.revisions):
            state = "final" if place == 0 else "revised"
            if place == len(window.revisions) - 1 and window.agrees is False:
                state += ", events differ"
            said = datetime.fromtimestamp(one.published_ms / 1000, UTC).astimezone(zone)
            moved = (change(one, metric) for metric in METRICS)
            told_at = f"{said:%Y-%m-%d %H:%M:%S}"
            name = at if place == 0 else ""
            lines.append((name, state, *moved, one.cause or "", f"{one.completeness:.0%}", told_at, str(one.revision)))
    return columns, lines


def _remarks(found: Answer) -> list[str]:
    lines = [f"note: {note}" for note in found.notes]
    if any(not window.revisions for window in found.windows) and found.watermark_ms is not None:
        lines.append(
            f"open quarter-hours: final once the watermark, {_clock(found, found.watermark_ms)}, is 15 min past"
        )
    if found.left_out:
        lines.append("left out:")
        lines += [f"  {count:,}  {WORDS[reason]}" for reason, count in found.left_out.items()]
    if found.dead_letters:
        told = ", ".join(f"{reason} {count:,}" for reason, count in found.dead_letters.items())
        lines.append(f"dead letters of the site, counted nowhere: {told} (musee dlq list)")
    return lines
