"""The verb ``simulate``, and what ``check simulate`` prints.

What a machine may read goes to stdout, progress and sentences to stderr. Exit codes: 0 done, 1 a dependency is away,
something was refused or figures differ, 2 the call or a setting is wrong.
"""

import json
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from streams.adapters.gateway_client import GatewayClient
from streams.adapters.keys import dev_key, known_dev_key
from streams.check import arrival, orders, quiet, simulated
from streams.cli import calls
from streams.config import Settings
from streams.errors import ConfigError, Unavailable
from streams.replay import clock
from streams.replay.run import Say
from streams.simulate import day as days
from streams.simulate import demo, explain, plan, send
from streams.simulate.reference import first
from streams.simulate.trouble import Trouble

AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]
_SPAN = re.compile(r"([0-9]{1,6}(?:\.[0-9]+)?)(h|min|m|s)?")
_UNITS_MS = {"h": 3_600_000, "min": 60_000, "m": 60_000, "s": 1000, None: 3_600_000}
_UNTIL_ARRIVED_S = 300.0


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command(epilog="Example:  musee simulate --sites 60 --seed 7 --speed max -o truth && musee check simulate")(
        simulate
    )


def simulate(
    sites: Annotated[int, typer.Option(help="So many museums; from 1,228 on, monuments too.")] = 60,
    day: Annotated[str | None, typer.Option(help="YYYY-MM-DD; without it, today in Paris.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=999_999, help="Of everything that is left to chance.")] = 1,
    speed: Annotated[str, typer.Option(help="Simulated time over real time, e.g. 1, 10, 60; or max.")] = "max",
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the truth.", file_okay=False)] = Path("truth"),
    late: Annotated[float, typer.Option(min=0, max=1, help="Share of gates that are minutes late.")] = Trouble().late,
    offline: Annotated[str, typer.Option(help="How long an outage lasts, e.g. 6h, 30min; 0 for none.")] = "2h",
    offline_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of gates with an outage.")
    ] = Trouble().offline_share,
    dup: Annotated[float, typer.Option(min=0, max=1, help="Share of events that are sent again.")] = Trouble().dup,
    disorder: Annotated[
        float, typer.Option(min=0, max=1, help="Share of events that others overtake.")
    ] = Trouble().disorder,
    family: Annotated[list[str] | None, typer.Option(help="Only this family; may be repeated.")] = None,
    connections: Annotated[int, typer.Option(min=1, max=16, help="Connections to the gateway.")] = send.CONNECTIONS,
    year: Annotated[int | None, typer.Option(min=1971, max=2099, help="With --explain: the year to add up.")] = None,
    *,
    explain_year: Annotated[
        bool, typer.Option("--explain", help="Send nothing: add a year's days up, and say what is assumed.")
    ] = False,
    in_order: Annotated[
        bool, typer.Option("--in-order", help="Then the same day to sites of its own, in order; check compares both.")
    ] = False,
    truth_only: Annotated[bool, typer.Option("--truth-only", help="Write the truth and send nothing.")] = False,
    demo_days: Annotated[
        bool, typer.Option("--demo", help="60 museums and monuments at ×10 from 10:30, day after day.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make up a believable day of French museums, write the truth about it, and send it through the gateway.

    The same seed and day give the same events and the same truth, byte for byte; a second run changes no figure.
    With --in-order the day is sent once more, without trouble, to sites whose ids begin otherwise.
    """
    on = _day(day)
    if explain_year:
        typer.echo("\n".join(explain.lines(sites, year or on.year, seed)))
        return
    factor = _factor(speed)
    if demo_days:
        _demo()
        return
    first(sites)  # named before anything is made
    trouble = Trouble(late, _span_ms(offline), offline_share, dup, disorder)
    run = plan.Run(sites, on, seed, trouble, _families(family))
    said = f"{sites:,} sites on {on}" + (" (today in Paris; --day to have the same again)" if day is None else "")
    _note(f"SIMULATED: {said}, seed {seed}")
    settings = calls.settings()
    key = "" if truth_only else _open_door(settings)
    plans: list[plan.Plan] = []
    for make in (plan.make, plan.make_in_order) if in_order else (plan.make,):
        with _bar("sites", sites) as (progress, task):
            plans.append(make(run, out, partial(_made, progress, task)))
    if truth_only:
        typer.echo(json.dumps(plans[0].manifest) if as_json else _told(plans[0], out))
        return
    _note(_told(plans[0], out))
    say = _note if as_json else typer.echo
    told = [_send(settings, key, made, factor, connections, say) for made in plans]
    if as_json:
        typer.echo(json.dumps(told[0] | ({"sent_in_order": told[1]} if in_order else {})))


def _open_door(settings: Settings) -> str:
    """The key of the gateway, once it listens; raises ``Unavailable``."""
    key = known_dev_key(settings)
    with GatewayClient.of(settings, key) as door:
        if not door.listens():
            raise Unavailable("the gateway", f"nothing listens at {settings.gateway_url}; start it with `musee up`")
    return key


def _send(
    settings: Settings, key: str, made: plan.Plan, factor: float | None, connections: int, say: Say
) -> dict[str, object]:
    """Hand a plan over, say how it went, and give that for machines."""
    send.publish(settings, made.sites)
    sender = send.Sender(settings, key, say=_note, connections=connections)
    began_s = time.monotonic()
    with _bar("events", made.manifest["sends"]) as (progress, task):
        sender.run(made.sends, speed=factor, seen=lambda count: _moved(progress, task, count))
    elapsed_s = time.monotonic() - began_s
    again = f", requests sent again: {sender.resent}" if sender.resent else ""
    rate = sender.accepted / elapsed_s if elapsed_s > 0 else 0.0
    in_order = " in order" if made.manifest["in_order"] else ""
    say(f"{sender.accepted:,} events accepted{in_order} in {elapsed_s:.1f} s, {rate:,.0f} events/s{again}")
    told = {"accepted": sender.accepted, "resent_requests": sender.resent, "seconds": round(elapsed_s, 3)}
    return made.manifest | told


def check_truth(truth: Path, *, as_json: bool) -> None:
    """Put a truth, Redis and ClickHouse side by side, and the same day sent in order; exit 1 on any difference.

    Args:
        truth: folder that ``simulate`` wrote.
        as_json: print one document with every difference.

    Raises:
        TruthError: the folder holds no truth.
    """
    settings = calls.settings()
    with Console(stderr=True).status("waiting until everything has arrived") as status:
        behind = quiet.wait(arrival.Backlog(settings), status.update, longest_s=_UNTIL_ARRIVED_S)
        status.update("comparing")
        result = simulated.check_simulated(settings, truth)
        beside = orders.check_orders(settings, truth)
    for group, records in behind.items():
        _note(f"{group} is still {records:,} records behind after {_UNTIL_ARRIVED_S:g} s; compared as it is")
    if as_json:
        told = simulated.document(result) | ({} if beside is None else {"in_order": orders.document(beside)})
        typer.echo(json.dumps(told))
    else:
        typer.echo("\n".join([*simulated.lines(result), *([] if beside is None else orders.lines(beside))]))
    if not result.agree or (beside is not None and not beside.agree):
        raise typer.Exit(1)


def _note(sentence: str) -> None:
    typer.echo(sentence, err=True)


def _day(told: str | None) -> date:
    if told is None or told == "today":
        return datetime.now(ZoneInfo("Europe/Paris")).date()
    try:
        found = date.fromisoformat(told)
    except ValueError:
        raise ConfigError(f"--day {told}: a date like 2026-05-01 is expected") from None
    if not 1971 <= found.year <= 2099:
        raise ConfigError(f"--day {told}: a year from 1971 to 2099 is expected")
    return found


def _factor(speed: str) -> float | None:
    try:
        return clock.parse_speed(speed)
    except ValueError:
        raise ConfigError(f"--speed {speed}: a positive number or max is expected") from None


def _span_ms(told: str) -> int:
    match = _SPAN.fullmatch(told.strip())
    if match is None:
        raise ConfigError(f"--offline {told}: a time like 6h, 30min or 90s is expected")
    return round(float(match[1]) * _UNITS_MS[match[2]])


def _families(told: list[str] | None) -> tuple[str, ...]:
    if unknown := sorted(set(told or ()) - set(days.FAMILIES)):
        raise ConfigError(f"--family {unknown[0]}: one of {', '.join(days.FAMILIES)} is expected")
    return tuple(told or days.FAMILIES)


def _told(made: plan.Plan, out: Path) -> str:
    told = made.manifest
    causes = ", ".join(f"{cause.lower()} {count:,}" for cause, count in told["sends_by_cause"].items())
    families = ", ".join(f"{name} {count:,}" for name, count in told["events_by_family"].items())
    return (
        f"planned: {told['events']:,} events of {told['visitors']:,} visitors at {told['site_count']:,} sites "
        f"({families}); {told['sends']:,} to be sent ({causes or 'no trouble'}); truth in {out}"
    )


@contextmanager
def _bar(what: str, total: int) -> Iterator[tuple[Progress, TaskID]]:
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    ) as progress:
        yield progress, progress.add_task(what, total=total, rate="")


def _made(progress: Progress, task: TaskID, count: int) -> None:
    progress.update(task, completed=count)


def _moved(progress: Progress, task: TaskID, count: int) -> None:
    elapsed_s = progress.tasks[0].elapsed or 0.0
    progress.update(task, completed=count, rate=f"{count / elapsed_s:,.0f} events/s" if elapsed_s > 0 else "")


def _demo() -> None:
    settings = calls.settings()
    # Wherever it is interrupted, the last acknowledged batch is kept or is sent again under the same ids.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    today = datetime.now(ZoneInfo("Europe/Paris")).date()
    with GatewayClient.of(settings, dev_key(settings)) as door:
        demo.play(door, settings, today, say=_note)
