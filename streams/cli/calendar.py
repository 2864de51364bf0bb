"""The verbs of ``musee calendar``: ``apply``, ``check`` and ``show``."""

import asyncio
import json
import time
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import typer

from streams.adapters import calendar_topic, schema_registry, site_topic
from streams.adapters.producer import Producer
from streams.cli import calls
from streams.core import calendar as hours
from streams.core.calendar import Calendar, Stretch
from streams.core.days import business_day
from streams.core.sites import Site, Sites
from streams.errors import ConfigError, SiteFileError
from streams.sites import calendar_files, calendars, files, tomls

app = typer.Typer(
    help="When sites are open, and so when they count as empty.",
    epilog="Example: musee calendar show louvre",
    no_args_is_help=True,
)
_Files = Annotated[list[Path], typer.Argument(help="calendar files or folders")]
_Json = Annotated[bool, typer.Option("--json", help="one JSON document instead of text")]
_DAYS = 14


def register(to: typer.Typer) -> None:
    """Add the verbs to the command."""
    to.add_typer(app, name="calendar")


@app.command("apply")
def apply(paths: _Files) -> None:
    """Publish calendar files; programs follow them without a restart. One faulty file, and nothing is published.

    Example: musee calendar apply louvre-hours.toml
    """
    servers = schema_registry.adopt(calls.settings()).kafka_servers

    async def publish() -> int:
        checked = calendar_files.check(paths, await site_topic.read(servers))
        if checked.faults:
            raise SiteFileError(tomls.told(checked.faults))
        producer = Producer(servers, "musee-calendar", answer_s=30.0)
        try:
            await calendar_topic.publish(producer, checked.calendars, time.time_ns() // 1_000_000)
        finally:
            await producer.stop()
        return len(checked.calendars)

    print(f"{asyncio.run(publish()):,} published")


@app.command("check")
def check(
    paths: _Files,
    sites: Annotated[
        Path | None, typer.Option("--sites", help="folder of site files to judge by; left out: the sites that run")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Name every fault of calendar files by file, line and fix, publishing nothing. Exit 1 if there is one.

    Example: musee calendar check louvre-hours.toml --sites deploy/sites
    """
    checked = calendar_files.check(paths, _sites(sites))
    if as_json:
        faults = [asdict(fault) for fault in checked.faults]
        print(json.dumps({"calendars": len(checked.calendars), "faults": faults}, indent=2, ensure_ascii=False))
    else:
        print(tomls.told(checked.faults) or f"{len(checked.calendars):,} without a fault")
    raise typer.Exit(1 if checked.faults else 0)


@app.command("show")
def show(
    site: Annotated[str, typer.Argument(help="id of a site")],
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="from today on")] = _DAYS,
    as_json: _Json = False,
) -> None:
    """The hours of a site from today on, and when it counts as empty.

    Example: musee calendar show louvre --days 30
    """
    servers = schema_registry.adopt(calls.settings()).kafka_servers
    known, calendar = asyncio.run(_one(servers, site))
    if calendar is None:
        raise ConfigError(f"site {site} has no calendar: its figures begin anew at the end of its business day")
    if as_json:
        print(json.dumps({"site": site, **calendars.table(calendar)}, indent=2, ensure_ascii=False))
        return
    today = business_day(time.time_ns() // 1_000_000, known.time_zone, known.business_day_end_hour)
    for day in (today + timedelta(days=n) for n in range(days)):
        print(_line(known, calendar, day))


def _line(site: Site, calendar: Calendar, day: date) -> str:
    stretches = hours.hours(calendar, day)
    said = ", ".join(map(_span, stretches)) or "closed"
    why = hours.reason(calendar, day)
    grace = "" if not stretches else f"  empty {calendar.grace_min} min later"
    return f"{day:%a %Y-%m-%d}  {said}{grace}{f'  ({why})' if why else ''}"


def _span(one: Stretch) -> str:
    opens, closes = (f"{at // 60 % 24:02d}:{at % 60:02d}" for at in (one.opens_min, one.closes_min))
    return f"{opens}–{closes}"


def _sites(folder: Path | None) -> Sites:
    if folder is not None:
        return {site.site_id: site for site in files.read_all([folder])}
    return asyncio.run(site_topic.read(schema_registry.adopt(calls.settings()).kafka_servers))


async def _one(servers: str, name: str) -> tuple[Site, Calendar | None]:
    sites, known = await asyncio.gather(site_topic.read(servers), calendar_topic.read(servers))
    if name not in sites:
        raise ConfigError(f"{name!r} is no site that is known; musee sites list shows them")
    return sites[name], known.get(name)
