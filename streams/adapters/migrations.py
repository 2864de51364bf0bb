"""Brings the warehouse to the present: numbered SQL files, each run once and never changed afterwards.

Files are ``NNNN_name.sql`` with statements that end in ``;`` at a line's end. ``musee.migration`` keeps number and
checksum; a file that was changed after it ran is an error, not a guess. ``lint`` refuses what would lose rows or count
them twice without any error from the engine.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from streams import package_data
from streams.adapters.warehouse import DATABASE, Warehouse
from streams.errors import ConfigError

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_QUOTED = re.compile(r"'((?:[^'\\]|''|\\.)*)'")
_TABLE = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?(?P<name>[\w.]+)", re.IGNORECASE)
_INSERT_TIME_VIEW = re.compile(r"CREATE MATERIALIZED VIEW (?!.*\bREFRESH (?:EVERY|AFTER)\b)", re.IGNORECASE | re.DOTALL)
_ADDED = re.compile(r"\bADD COLUMN (?:IF NOT EXISTS )?(?P<column>\w+)", re.IGNORECASE)
_NO_COLUMN = ("INDEX ", "CONSTRAINT ", "PROJECTION ", "PRIMARY KEY")
_COMMENTED = re.compile(r"\bCOMMENT '…'", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Migration:
    """One file."""

    number: int
    name: str
    sha256: str
    statements: tuple[str, ...]


def read(folder: Path | None = None) -> list[Migration]:
    """The shipped migrations in order.

    Raises:
        ConfigError: a name or a number is not as it should be.
    """
    found = []
    for file in sorted((folder or package_data.folder("clickhouse")).glob("*.sql")):
        match = _NAME.fullmatch(file.name)
        if match is None:
            raise ConfigError(f"{file.name}: a migration is called NNNN_name.sql")
        text = file.read_text()
        bare = re.sub(r"^\s*--.*$", "", text, flags=re.MULTILINE)
        statements = tuple(part.strip() for part in re.split(r";\s*$", bare, flags=re.MULTILINE) if part.strip())
        found.append(Migration(int(match[1]), file.name, hashlib.sha256(text.encode()).hexdigest(), statements))
    numbers = [one.number for one in found]
    if numbers != list(range(1, len(found) + 1)):
        raise ConfigError(f"migrations are numbered {numbers}, not 1 to {len(found)} without a gap")
    return found


def lint(migration: Migration) -> list[str]:
    """What a migration must not do, one sentence each; empty when it is sound.

    A landing table, known by its column ``_offset``, is a ReplacingMergeTree whose sort key ends in
    ``_partition, _offset``: with less, 5 million rows became 580,000 without a word. Insert-time views count a row as
    often as it is landed. A column without a comment is one that analysts guess about.
    """
    faults = []
    for statement in migration.statements:
        text = _QUOTED.sub(lambda quoted: "'…'" if quoted[1].strip() else "''", statement)
        if _INSERT_TIME_VIEW.match(text):
            faults.append("an insert-time view counts a row as often as it is landed: restate sums, or REFRESH EVERY")
        for part in _listed(text) if text.upper().startswith("ALTER TABLE") else ():
            added = _ADDED.search(part)
            if added is not None and not _COMMENTED.search(part):
                faults.append(f"column {added['column']} has no COMMENT")
        table = _TABLE.match(text)
        if table is not None:
            faults += [f"{table['name']}: {fault}" for fault in _table_faults(text[table.end() :])]
    return [f"{migration.name}: {fault}" for fault in faults]


def _table_faults(definition: str) -> list[str]:
    """Faults of what follows ``CREATE TABLE name``."""
    listed = definition.strip()
    if not listed.startswith("("):
        return ["its columns are not listed"]
    columns = [one for one in _listed(listed[1:]) if not one.upper().startswith(_NO_COLUMN)]
    faults = [f"column {one.split()[0]} has no COMMENT" for one in columns if not _COMMENTED.search(one)]
    if "_offset" in {one.split()[0] for one in columns}:
        if not re.search(r"\bENGINE *= *(Replicated|Shared)?ReplacingMergeTree\b", definition):
            faults.append("a table that offsets are landed in must be a ReplacingMergeTree")
        order = re.search(r"\bENGINE\b.*?\bORDER BY *\(", definition, re.DOTALL)
        if order is None or _listed(definition[order.end() :])[-2:] != ["_partition", "_offset"]:
            faults.append("ORDER BY must end in _partition, _offset, or landed events replace each other")
    return faults


def _listed(text: str) -> list[str]:
    """The items between commas, up to the bracket that closes the list or the end; quoted text must be gone."""
    items, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            break
        if letter == "," and depth == 0:
            items.append("")
        else:
            items[-1] += letter
    return [item.strip() for item in items if item.strip()]


async def migrate(warehouse: Warehouse, migrations: list[Migration] | None = None) -> list[str]:
    """Run what has not run yet; returns the names of the files that did.

    Raises:
        ConfigError: a file was changed after it had run, or does what ``lint`` refuses.
        Unavailable: ClickHouse is away.
    """
    migrations = read() if migrations is None else migrations
    faults = [fault for migration in migrations for fault in lint(migration)]
    if faults:
        raise ConfigError("\n".join(faults))
    await warehouse.command(f"CREATE DATABASE IF NOT EXISTS {DATABASE} ENGINE = Atomic")
    await warehouse.command(
        f"CREATE TABLE IF NOT EXISTS {DATABASE}.migration (number UInt32, name String, sha256 String, "
        "applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')) ENGINE = MergeTree ORDER BY number"
    )
    ran = dict(await warehouse.query(f"SELECT number, sha256 FROM {DATABASE}.migration"))  # noqa: S608 - a name of ours
    done = []
    for migration in migrations:
        before = ran.get(migration.number)
        if before is not None:
            if before != migration.sha256:
                raise ConfigError(f"{migration.name} was changed after it ran; write a new migration instead")
            continue
        for statement in migration.statements:
            # A crash between two statements runs the file again: what it made before is made once.
            await warehouse.command(re.sub(r"^CREATE (TABLE|VIEW) ", r"CREATE \1 IF NOT EXISTS ", statement))
        await warehouse.insert(
            "migration", ["number", "name", "sha256"], [[migration.number, migration.name, migration.sha256]]
        )
        done.append(migration.name)
    return done
