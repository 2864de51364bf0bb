"""Numbered SQL files: in order, whole, and none that loses rows or counts them twice."""

from pathlib import Path

import pytest

from streams.adapters import migrations
from streams.adapters.migrations import Migration
from streams.adapters.warehouse import Warehouse
from streams.errors import ConfigError
from streams.topology import LANDED

LANDING = """CREATE TABLE musee.scan
(
    site_id      LowCardinality(String) COMMENT 'museum, or monument (a place)',
    occurred_at  DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD) COMMENT 'event time; it''s UTC',
    _partition   Int32 COMMENT 'Kafka partition',
    _offset      Int64 COMMENT 'Kafka offset',
    INDEX offsets _offset TYPE minmax GRANULARITY 1,
    CONSTRAINT tail CHECK _offset >= 0
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (site_id, toStartOfHour(occurred_at), _partition, _offset)"""


def made(*statements: str) -> Migration:
    return Migration(1, "0001_made.sql", "0" * 64, statements)


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.sql").write_text(text)
    return folder


# -- numbering -------------------------------------------------------------------------------------------------------


def test_shipped_migrations_are_numbered_without_a_gap() -> None:
    numbers = [migration.number for migration in migrations.read()]

    assert numbers == list(range(1, len(numbers) + 1))
    assert numbers


def test_every_landed_family_has_its_table() -> None:
    statements = "\n".join(statement for migration in migrations.read() for statement in migration.statements)

    assert all(f"CREATE TABLE musee.{family.table}\n" in statements for family in LANDED)


@pytest.mark.parametrize("names", [["0002_a"], ["0001_a", "0003_b"], ["0001_a", "0001_b"]])
def test_a_gap_or_a_number_given_twice_is_refused(tmp_path: Path, names: list[str]) -> None:
    written(tmp_path, **dict.fromkeys(names, "SELECT 1;"))

    with pytest.raises(ConfigError, match="numbered"):
        migrations.read(tmp_path)


@pytest.mark.parametrize("name", ["1_a", "0001-a", "0001_A", "first"])
def test_a_file_that_is_not_called_as_it_should_is_refused_by_name(tmp_path: Path, name: str) -> None:
    written(tmp_path, **{name: "SELECT 1;"})

    with pytest.raises(ConfigError, match=f"{name}.sql"):
        migrations.read(tmp_path)


def test_a_file_is_cut_into_statements_at_the_ends_of_lines_and_comments_are_left_out(tmp_path: Path) -> None:
    written(tmp_path, **{"0001_a": "-- first; one\nSELECT ';' AS a;\n\n  -- second\nSELECT 2\n  AS b;  \n"})

    (migration,) = migrations.read(tmp_path)

    assert migration.statements == ("SELECT ';' AS a", "SELECT 2\n  AS b")


def test_a_changed_comment_changes_the_checksum(tmp_path: Path) -> None:
    (before,) = migrations.read(written(tmp_path, **{"0001_a": "-- one\nSELECT 1;"}))

    (after,) = migrations.read(written(tmp_path, **{"0001_a": "-- two\nSELECT 1;"}))

    assert (before.statements, before.sha256) != (after.statements, after.sha256)
    assert before.statements == after.statements


# -- linter ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("migration", migrations.read(), ids=lambda migration: migration.name)
def test_a_shipped_migration_is_sound(migration: Migration) -> None:
    assert migrations.lint(migration) == []


def test_control_a_sound_landing_table_passes_and_each_change_to_it_below_is_noticed() -> None:
    assert migrations.lint(made(LANDING)) == []


@pytest.mark.parametrize(
    "order",
    [
        "(site_id, occurred_at)",
        "(site_id, occurred_at, _offset)",
        "(site_id, occurred_at, _offset, _partition)",
        "(_partition, _offset, site_id)",
        "(site_id, _partition, toInt32(_offset))",
        "tuple()",
        "_offset",
    ],
)
def test_a_landing_table_whose_sort_key_does_not_end_in_the_coordinates_is_refused(order: str) -> None:
    head, _, _ = LANDING.rpartition("ORDER BY")

    (fault,) = migrations.lint(made(f"{head}ORDER BY {order}"))

    assert fault.startswith("0001_made.sql: musee.scan: ")
    assert "ORDER BY must end in _partition, _offset" in fault


@pytest.mark.parametrize("engine", ["MergeTree", "SummingMergeTree", "Log"])
def test_a_landing_table_that_keeps_repeated_rows_is_refused(engine: str) -> None:
    (fault,) = migrations.lint(made(LANDING.replace("ReplacingMergeTree", engine)))

    assert "must be a ReplacingMergeTree" in fault


def test_a_replicated_landing_table_is_as_good() -> None:
    replicated = LANDING.replace("ReplacingMergeTree", "ReplicatedReplacingMergeTree('/tables/{shard}', '{replica}')")

    assert migrations.lint(made(replicated)) == []


@pytest.mark.parametrize("column", ["site_id", "occurred_at", "_partition", "_offset"])
def test_a_column_without_a_comment_is_refused_by_name(column: str) -> None:
    lines = [
        line.partition(" COMMENT")[0] + "," if line.strip().startswith(f"{column} ") else line
        for line in LANDING.splitlines()
    ]

    (fault,) = migrations.lint(made("\n".join(lines)))

    assert fault == f"0001_made.sql: musee.scan: column {column} has no COMMENT"


def test_an_empty_comment_is_none() -> None:
    (fault,) = migrations.lint(made(LANDING.replace("'Kafka offset'", "' '")))

    assert "column _offset has no COMMENT" in fault


def test_a_column_that_is_added_later_needs_a_comment_too() -> None:
    altered = "ALTER TABLE musee.scan ADD COLUMN IF NOT EXISTS zone String COMMENT 'room, area', ADD COLUMN gate String"

    assert migrations.lint(made(altered)) == ["0001_made.sql: column gate has no COMMENT"]


def test_a_table_made_from_another_is_refused_since_nobody_sees_its_columns() -> None:
    (fault,) = migrations.lint(made("CREATE TABLE musee.copy AS musee.scan"))

    assert "columns are not listed" in fault


def test_a_view_that_counts_at_every_insert_is_refused() -> None:
    view = (
        "CREATE MATERIALIZED VIEW musee.sums TO musee.hour AS SELECT site_id, count() FROM musee.scan GROUP BY site_id"
    )

    (fault,) = migrations.lint(made(view))

    assert "insert-time view" in fault


@pytest.mark.parametrize(
    "view",
    [
        "CREATE MATERIALIZED VIEW musee.sums REFRESH EVERY 1 MINUTE APPEND TO musee.hour AS SELECT 1",
        "CREATE VIEW musee.v_sums AS SELECT 1",
    ],
)
def test_a_view_that_does_not_count_at_every_insert_passes(view: str) -> None:
    assert migrations.lint(made(view)) == []


def test_all_faults_of_a_migration_are_named() -> None:
    head, _, _ = LANDING.rpartition("ORDER BY")
    bad = f"{head}ORDER BY site_id".replace("ReplacingMergeTree", "MergeTree").replace("COMMENT 'Kafka partition'", "")

    assert len(migrations.lint(made(bad))) == 3


async def test_migrate_refuses_a_bad_migration_before_it_asks_the_warehouse() -> None:
    nowhere = Warehouse("http://127.0.0.1:1")

    with pytest.raises(ConfigError, match="0001_made"):
        await migrations.migrate(nowhere, [made("CREATE TABLE musee.copy AS musee.scan")])
