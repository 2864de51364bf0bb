"""The verbs of ``musee sites``: ``apply``, ``check``, ``list`` and ``import``."""

import asyncio
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from streams import config, package_data
from streams.adapters import calendar_topic, schema_registry, site_topic
from streams.adapters.producer import Producer
from streams.core.calendar import Calendar
from streams.core.sites import Site
from streams.errors import SiteFileError
from streams.sites import files, importers, tomls, written

_SHOWN = 40  # rows on a terminal; a pipe gets all
_UNREAD_SHOWN = 50

app = typer.Typer(
    help="What sites there are, and what their files say.",
    epilog="Example: musee sites list --match Réunion",
    no_args_is_help=True,
)
imports = typer.Typer(
    help="Sites from public lists: musées de France, national monuments.",
    epilog="Example: musee sites import museofile --file museofile.csv.gz",
    no_args_is_help=True,
)
app.add_typer(imports, name="import")

_Json = Annotated[bool, typer.Option("--json", help="one JSON document instead of text")]
_File = Annotated[Path, typer.Option("--file", help="the list, as it was published; gzip or plain")]
_Out = Annotated[
    Path | None, typer.Option("--out", help="write a site file each into this folder, and publish nothing")
]
_Publish = Annotated[bool, typer.Option("--publish", help="with --out: write the files and publish as well")]


@app.command("apply")
def apply_sites(
    paths: Annotated[list[Path] | None, typer.Argument(help="site files or folders; none: the shipped ones")] = None,
) -> None:
    """Publish site files to the site topic; programs follow it without a restart.

    Example: musee sites apply deploy/sites/example.toml
    """
    said = files.sound(paths or [package_data.folder("sites")])
    sites = list(said.sites)
    servers = schema_registry.adopt(config.load()).kafka_servers

    async def publish() -> None:
        _refuse_claimed(sites, await site_topic.read(servers))
        await _publish(servers, sites, said.calendars)

    asyncio.run(publish())
    print(f"{len(sites):,} published: {_names(sites)}")
    if said.differing:
        print(f"plans that do not match their zones, so that the page shows a list:\n{tomls.told(said.differing)}")


@app.command("check")
def check_sites(
    paths: Annotated[list[Path], typer.Argument(help="site files or folders")], as_json: _Json = False
) -> None:
    """Read site files and name every fault by file, line and fix, publishing nothing. Exit 1 if there is one.

    Example: musee sites check deploy/sites
    """
    checked = files.check(paths)
    told = [*checked.faults, *checked.differing]
    if as_json:
        faults = [asdict(fault) for fault in told]
        print(json.dumps({"sites": len(checked.sites), "faults": faults}, indent=2, ensure_ascii=False))
    elif told:
        print(tomls.told(told))
        print(f"{_counted(len(told), 'fault')}; {_counted(len(checked.sites), 'site')} can be published")
    else:
        print(f"{_counted(len(checked.sites), 'site')}, no fault")
    raise typer.Exit(1 if told else 0)


@app.command("list")
def list_sites(
    match: Annotated[str | None, typer.Option("--match", help="only where id, name, place, … hold this text")] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=0, help=f"rows at most, 0: all; left out: {_SHOWN} on a terminal")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Sites as the programs see them.

    Example: musee sites list --match Réunion
    """
    found = asyncio.run(site_topic.read(schema_registry.adopt(config.load()).kafka_servers))
    sites = [found[name] for name in sorted(found) if match is None or _holds(found[name], match)]
    if as_json:
        shown = sites[:limit] if limit else sites
        print(json.dumps([asdict(site) for site in shown], indent=2, ensure_ascii=False))
        return
    console = Console(markup=False, highlight=False)
    rows = _SHOWN if limit is None and console.is_terminal else limit or len(sites)
    table = Table(
        "site",
        "name",
        "place",
        "time zone",
        "day ends",
        "gates",
        "clock",
        box=None,
        header_style="bold",
        pad_edge=False,
    )
    for site in sites[:rows]:
        clock = ("its events'" if site.replay else "the wall's") + (", simulated" if site.simulated else "")
        ends = f"{site.business_day_end_hour:02d}:00"
        gates = str(len(site.gates))
        table.add_row(site.site_id, site.name, site.place or "", site.time_zone, ends, gates, clock)
    if not console.is_terminal:  # a pipe has no width: as wide as the content, one site a line
        console.width = max(console.measure(table, options=console.options.update(width=10_000)).maximum, 20)
    console.print(table)
    if len(sites) > rows:
        print(f"{rows:,} of {len(sites):,} sites; --limit 0 shows all, --match TEXT finds some")
    else:
        print(_counted(len(sites), "site"))


@imports.command("museofile")
def import_museofile(file: _File, out: _Out = None, publish: _Publish = False, as_json: _Json = False) -> None:
    """All musées de France, from the Ministry's Muséofile list (CSV, separator ;). Publishes unless --out is given.

    A site that is known keeps what the list does not say: gates, zones, capacity, handles. Importing again is harmless.

    Example: musee sites import museofile --file museofile.csv.gz
    """
    _taken(importers.museofile(file), file, out, publish=publish or out is None, as_json=as_json)


@imports.command("monuments")
def import_monuments(file: _File, out: _Out = None, publish: _Publish = False, as_json: _Json = False) -> None:
    """The national monuments, from the Ministry's attendance list (CSV, separator ,). It has no coordinates.

    Example: musee sites import monuments --file frequentation_monuments_nationaux.csv --out sites/
    """
    _taken(importers.monuments(file), file, out, publish=publish or out is None, as_json=as_json)


# -- inside ----------------------------------------------------------------------------------------------------------


def _taken(found: importers.Imported, file: Path, out: Path | None, *, publish: bool, as_json: bool) -> None:
    """Write and publish what was read, and tell what came of it; exit 1 if nothing could be read."""
    report: dict[str, object] = {
        "file": str(file),
        "sites": len(found.sites),
        "time_zones": found.zones,
        "overseas": found.overseas,
        "unread": [asdict(one) for one in found.unread],
        "remarks": found.remarks,
    }
    said = []
    if out is not None:
        made, kept = written.write(found.sites, out)
        report |= {"written": made, "left": kept}
        said.append(
            f"{made:,} files written to {out}" + (f", {kept:,} were there and stay as they are" if kept else "")
        )
    if publish:
        done = asyncio.run(_publish_merged(schema_registry.adopt(config.load()).kafka_servers, found.sites))
        report |= done
        said.append("published: {new:,} new, {changed:,} changed; {unchanged:,} were known so already".format(**done))
        if done["still_simulated"]:
            said.append(f"{done['still_simulated']:,} of them stay simulated; musee sites apply makes them live")
    else:
        said.append("nothing published; musee sites apply FOLDER does, or --publish")
    if as_json:
        print(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        _tell(found, file, said)
    raise typer.Exit(0 if found.sites else 1)


def _tell(found: importers.Imported, file: Path, said: Iterable[str]) -> None:
    print(f"{_counted(len(found.sites), 'site')} in {file.name}, {found.overseas:,} of them overseas")
    if found.zones:
        table = Table("time zone", "sites", box=box.SIMPLE, pad_edge=False)
        for zone, count in found.zones.items():
            table.add_row(zone, f"{count:,}")
        Console(markup=False, highlight=False).print(table)
    for remark in found.remarks:
        print(f"note: {remark}")
    print(f"lines that could not be read: {len(found.unread):,}")
    for one in found.unread[:_UNREAD_SHOWN]:
        lines = f"line {one.line:,}" if one.line == one.end else f"lines {one.line:,}–{one.end:,}"
        print(f"  {lines}: {one.reason}")
    if len(found.unread) > _UNREAD_SHOWN:
        print(f"  … and {len(found.unread) - _UNREAD_SHOWN:,} more; --json lists all")
    for sentence in said:
        print(sentence)


async def _publish_merged(servers: str, sites: list[Site]) -> dict[str, int]:
    """Publish what the topic does not say yet."""
    known = await site_topic.read(servers)
    wanted = [importers.merged(site, known.get(site.site_id)) for site in sites]
    differing = [site for site in wanted if known.get(site.site_id) != site]
    if differing:
        await _publish(servers, differing)
    new = sum(site.site_id not in known for site in differing)
    return {
        "new": new,
        "changed": len(differing) - new,
        "unchanged": len(wanted) - len(differing),
        "still_simulated": sum(site.simulated for site in wanted),
    }


async def _publish(servers: str, sites: list[Site], calendars: Iterable[Calendar] = ()) -> None:
    producer = Producer(servers, "musee-sites", answer_s=30.0)
    now_ms = time.time_ns() // 1_000_000
    try:
        await site_topic.publish(producer, sites, now_ms)
        await calendar_topic.publish(producer, calendars, now_ms)
    finally:
        await producer.stop()


def _refuse_claimed(sites: list[Site], known: Mapping[str, Site]) -> None:
    """Raises ``SiteFileError`` if a handle belongs to a known site that is not being replaced."""
    mine = {site.site_id for site in sites}
    claims = {handle: name for name, site in known.items() if name not in mine for handle in site.handles}
    faults = [
        f"{site.site_id}: handle {handle!r} is claimed by site {claims[handle]}; take it out of one of the two"
        for site in sites
        for handle in site.handles
        if handle in claims
    ]
    if faults:
        raise SiteFileError("\n".join(faults))


def _holds(site: Site, text: str) -> bool:
    said = (site.site_id, site.name, site.place, site.department, site.region, site.time_zone, site.org_id)
    return any(text.casefold() in one.casefold() for one in said if one)


def _names(sites: list[Site]) -> str:
    names = [site.site_id for site in sites]
    return ", ".join(names if len(names) <= _SHOWN else [*names[:_SHOWN], "…"])


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
