"""What of a home's stack runs, is ready, or why not and what helps.

Takes a home, gives rows. Asks the services themselves; the supervisor's record only says where they are.
Used by ``musee status`` and, of what is sick, by ``musee doctor``.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from streams.config import Settings, load
from streams.core import parts
from streams.embedded import record, stack

State = Literal["ready", "running", "not ready", "down"]


@dataclass(frozen=True, slots=True)
class Row:
    """One part. ``reason`` and ``fix`` are empty while all is well; ``pid`` is 0 where it is not our process."""

    part: str
    state: State
    pid: int
    address: str
    restarts: int = 0
    reason: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """``summary`` is one sentence, without rows when nothing runs; ``well``: all runs that should."""

    home: str
    state: str
    well: bool
    summary: str
    rows: tuple[Row, ...] = ()


async def report(settings: Settings) -> Report:
    """Ask everything in the home of these settings, all at once."""
    home = settings.home.absolute()
    found = record.read(home)
    if found is None:
        return Report(str(home), "stopped", True, f"Nothing runs in {home}. Start it with `musee up`.")
    if not found.supervisor.alive():
        left = [one.pid for one in found.processes() if one.alive()]
        still = f"; still there: pid {', '.join(map(str, left))} (`musee down` ends them)" if left else ""
        summary = f"Nothing runs in {home}: its supervisor was killed{still}. Start it with `musee up`."
        return Report(str(home), "killed", False, summary)
    # The supervisor's own settings: this shell may have others.
    theirs = load(found.settings) if found.settings else settings
    rows = [
        Row("supervisor", "running", found.supervisor.pid, ""),
        *await asyncio.gather(*(_ask(service, found) for service in stack.services(theirs))),
    ]
    if "demo" in found.parts:
        rows.append(_demo(found.parts["demo"], found.state))
    sick = [row for row in rows if row.state in ("not ready", "down")]
    summary = f"{found.state} in {home}" + (f", {len(sick)} of {len(rows)} not well" if sick else ", all well")
    return Report(str(home), found.state, not sick, summary, tuple(rows))


async def _ask(service: stack.Service, found: record.Stack) -> Row:
    part = found.parts.get(service.name)
    if service.setting:
        reason = await service.ready() or ""
        fix = parts.fix(parts.cause_of(reason), setting=service.setting, answer=reason) if reason else ""
        return Row(service.name, "not ready" if reason else "ready", 0, service.address, 0, reason, str(fix))
    if part is None:
        return Row(service.name, "down", 0, service.address, 0, "not started yet", "wait for the end of the download")
    if part.process is None or not part.process.alive():
        reason, fix = _absent(part, found.state)
        return Row(service.name, "down", 0, service.address, part.restarts, reason, fix)
    reason = await service.ready() or ""
    fix = parts.fix(parts.cause_of(reason), log=_short(part.log), answer=reason) if reason else ""
    return Row(
        service.name,
        "not ready" if reason else "ready",
        part.process.pid,
        service.address,
        part.restarts,
        reason,
        str(fix),
    )


def _demo(part: record.Part, state: str) -> Row:
    if part.process is not None and part.process.alive():
        return Row("demo", "running", part.process.pid, "", part.restarts)
    reason, fix = _absent(part, state)
    return Row("demo", "down", 0, "", part.restarts, reason, fix)


def _absent(part: record.Part, state: str) -> tuple[str, str]:
    if state == "starting" and not part.restarts:
        return "not started yet", "wait for what it needs"
    if state == "stopping":
        return "stopped", ""
    return f"died, {part.restarts} restarts so far", str(parts.fix("down", log=_short(part.log)))


def _short(path: str) -> str:
    """Relative to the current folder where that is shorter."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path
