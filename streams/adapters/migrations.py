"""Brings the warehouse to the present: numbered SQL files, each run once and never changed afterwards.

Files are ``NNNN_name.sql`` with statements that end in ``;`` at a line's end. ``musee.migration`` keeps number and
checksum; a file that was changed after it ran is an error, not a guess.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from streams import package_data
from streams.adapters.warehouse import DATABASE, Warehouse
from streams.errors import ConfigError

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


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


async def migrate(warehouse: Warehouse, migrations: list[Migration] | None = None) -> list[str]:
    """Run what has not run yet; returns the names of the files that did.

    Raises:
        ConfigError: a file was changed after it had run.
        Unavailable: ClickHouse is away.
    """
    await warehouse.command(f"CREATE DATABASE IF NOT EXISTS {DATABASE} ENGINE = Atomic")
    await warehouse.command(
        f"CREATE TABLE IF NOT EXISTS {DATABASE}.migration (number UInt32, name String, sha256 String, "
        "applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')) ENGINE = MergeTree ORDER BY number"
    )
    ran = dict(await warehouse.query(f"SELECT number, sha256 FROM {DATABASE}.migration"))  # noqa: S608 - a name of ours
    done = []
    for migration in migrations if migrations is not None else read():
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
