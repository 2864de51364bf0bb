"""The verbs of ``musee alerts``: ``list``, ``ack`` and ``tail``.

Exit codes: 0 done, 1 a dependency is away, 2 the call is wrong: no such alert, one that is resolved, a time
that is over.
"""

import asyncio
import json
import sys
import time
from contextlib import aclosing, suppress
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from streams.adapters import alert_tail, schema_registry, site_topic
from streams.adapters.alert_desk import AlertDesk
from streams.adapters.alert_view import AlertView
from streams.cli import alert_lines, calls
from streams.config import Settings
from streams.core import alert_board
from streams.core.alerts import Alert, RefusedAcknowledgement
from streams.core.days import HOUR_MS
from streams.core.partitions import partition_of
from streams.core.sites import Site
from streams.errors import ConfigError
from streams.topology import PARTITIONS

app = typer.Typer(
    help="Where it is getting full, or silent, and who looks after it.",
    epilog="Example: musee alerts list",
    no_args_is_help=True,
)
_Json = Annotated[bool, typer.Option("--json", help="for machines")]
_OfSite = Annotated[str | None, typer.Option("--site", help="id of a site; left out: all")]
_LATELY_MS = 24 * HOUR_MS


def register(to: typer.Typer) -> None:
    """Add the verbs to the command."""
    to.add_typer(app, name="alerts")


@app.command("list")
def list_alerts(
    site: _OfSite = None,
    everything: Annotated[
        bool, typer.Option("--all", help="lower levels, hidden ones and those resolved in the last 24 hours too")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Alerts that are open or acknowledged, worst first: of each place its highest level.

    People, bounds and advice are those of the alert's last change. Example: musee alerts list --site louvre
    """
    settings = schema_registry.adopt(calls.settings())
    sites, alerts, unknown = asyncio.run(_listed(settings, site, everything=everything))
    _print_all(sites, alerts, site, everything=everything, as_json=as_json, all_known=not unknown)
    if unknown:
        sys.stderr.write(
            f"alerts of {len(unknown)} of {PARTITIONS} partitions are not known yet: live state is being counted anew\n"
        )
        raise typer.Exit(1)


def _print_all(
    sites: dict[str, Site], alerts: list[Alert], site: str | None, *, everything: bool, as_json: bool, all_known: bool
) -> None:
    board = alert_board.board(alerts)
    shown = board.shown
    if everything:
        shown = (*board.all, *sorted((one for one in alerts if not one.is_open), key=lambda one: -one.changed_ms))
    if as_json:
        print(json.dumps([alert_board.document(one) for one in shown], indent=2, ensure_ascii=False))
        return
    if not shown:
        if all_known:
            print(alert_lines.nothing(board, None if site is None else sites[site]))
        return
    now_ms = time.time_ns() // 1_000_000
    _print([alert_lines.row(one, sites, now_ms) for one in shown])
    print(alert_lines.closing(board, len(shown), everything=everything))


@app.command("ack")
def ack(
    alert: Annotated[str, typer.Argument(help="its id, or the beginning of it")],
    who: Annotated[str, typer.Option("--who", help="the post that looks after it, not the name of a person")],
    until: Annotated[
        str,
        typer.Option("--until", help="+2h, +90m; 23:00 in the site's time (a replayed one's: UTC); or RFC 3339"),
    ],
    as_json: _Json = False,
) -> None:
    """Take an alert over until a time at most 24 hours from now; then it is open again unless it is resolved.

    Example: musee alerts ack 1a2b3c4d --who "duty desk" --until +2h
    """
    settings = schema_registry.adopt(calls.settings())
    sites, said = asyncio.run(_take_over(settings, alert, who, until))
    if as_json:
        print(json.dumps(alert_board.document(said), indent=2, ensure_ascii=False))
    else:
        print(alert_lines.acknowledged(said, sites))


@app.command("tail")
def tail(
    site: _OfSite = None,
    count: Annotated[int | None, typer.Option("--count", min=1, help="stop after so many changes")] = None,
    as_json: _Json = False,
) -> None:
    """Changes of alerts as they come, one line each; Ctrl-C ends it.

    Example: musee alerts tail --site louvre
    """
    settings = schema_registry.adopt(calls.settings())
    with suppress(KeyboardInterrupt):
        asyncio.run(_follow(settings, site, count, as_json=as_json))


# -- inside ----------------------------------------------------------------------------------------------------------


async def _sites(settings: Settings, wanted: str | None = None) -> dict[str, Site]:
    """All sites; raises ``ConfigError`` if the one that is wanted is none."""
    sites = await site_topic.read(settings.kafka_servers)
    if wanted is not None and wanted not in sites:
        raise ConfigError(f"{wanted!r} is no site that is known; musee sites list shows them")
    return sites


async def _told(settings: Settings) -> tuple[list[Alert], tuple[int, ...]]:
    """Alerts of the live store, and the partitions of which it does not know them again yet."""
    view = AlertView(settings.redis_url)
    try:
        return await view.alerts(), view.unknown
    finally:
        await view.close()


async def _listed(
    settings: Settings, site: str | None, *, everything: bool
) -> tuple[dict[str, Site], list[Alert], tuple[int, ...]]:
    """Those of the live store that are not resolved; with ``everything`` those resolved lately too, from the topic."""
    sites = await _sites(settings, site)
    told, unknown = await _told(settings)
    alerts = [one for one in told if one.is_open]
    if everything:
        known = {one.alert_id for one in alerts}
        lately = await alert_tail.recent(settings.kafka_servers, time.time_ns() // 1_000_000 - _LATELY_MS)
        alerts += [one for name, one in lately.items() if name not in known and not one.is_open]
    if site is not None:
        unknown = tuple(part for part in unknown if part == partition_of(site, PARTITIONS))
    return sites, [one for one in alerts if site in (None, one.scope.site_id)], unknown


async def _take_over(settings: Settings, wanted: str, who: str, until: str) -> tuple[dict[str, Site], Alert]:
    """What was published of the alert; raises ``ConfigError`` where nothing was changed."""
    sites = await _sites(settings)
    desk = AlertDesk(settings.redis_url, settings.kafka_servers, "musee-alerts", answer_s=15.0)
    try:
        alert = await desk.find(lambda alerts: alert_lines.found(alerts, wanted))
        if alert is None:
            raise ConfigError(f"{wanted}: no alert has this id; musee alerts list shows them")
        zone = alert_lines.zone_of_wall(sites.get(alert.scope.site_id))
        until_ms = alert_lines.until_ms(until, time.time_ns() // 1_000_000, zone)
        return sites, await desk.take_over(alert, who, until_ms)
    except RefusedAcknowledgement as refused:
        raise ConfigError(str(refused)) from None
    finally:
        await desk.close()


async def _follow(settings: Settings, site: str | None, count: int | None, *, as_json: bool) -> None:
    sites = await _sites(settings, site)
    told = 0
    async with aclosing(alert_tail.follow(settings.kafka_servers)) as changes:
        async for alert in changes:
            if alert is None:
                sys.stderr.write("listening; Ctrl-C ends it\n")
                sys.stderr.flush()
                continue
            if site not in (None, alert.scope.site_id):
                continue
            said = json.dumps(alert_board.document(alert), ensure_ascii=False) if as_json else None
            print(said or alert_lines.line(alert, sites), flush=True)
            told += 1
            if told == count:
                return


def _print(rows: list[tuple[str, ...]]) -> None:
    table = Table(*alert_lines.COLUMNS, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*row)
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:  # a pipe has no width: one alert a line
        console.width = max(console.measure(table, options=console.options.update(width=10_000)).maximum, 20)
    console.print(table)
