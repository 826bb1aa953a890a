"""Migrating: once, whoever else starts at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest

from ingester.errors import NeedsAPerson
from ingester.store.migrator import Migrated, migrate


def migrated(url: str, *, dry_run: bool = False) -> Migrated:
    with psycopg.connect(url, autocommit=True) as connection:
        return migrate(connection, dry_run=dry_run)


def test_four_that_start_at_once_do_the_work_once(empty_database_url: str) -> None:
    together = Barrier(4)

    def start(_: int) -> Migrated:
        with psycopg.connect(empty_database_url, autocommit=True) as connection:
            together.wait(30)
            return migrate(connection)

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(start, range(4)))
    assert len({outcome.version for outcome in outcomes}) == 1
    assert sorted(len(outcome.applied) > 0 for outcome in outcomes) == [False] * 3 + [True]


def test_a_second_run_has_nothing_to_do(database_url: str) -> None:
    first = migrated(database_url)
    assert first.applied == ()
    assert first.version >= 1


def test_a_dry_run_tells_and_changes_nothing(empty_database_url: str) -> None:
    told = migrated(empty_database_url, dry_run=True)
    assert "migrations/0001_tables.sql" in told.applied
    with psycopg.connect(empty_database_url) as connection:
        tables = connection.execute(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        ).fetchone()
    assert tables == (0,)
    assert migrated(empty_database_url) == told


def test_a_database_of_a_newer_version_is_refused(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO schema_migrations VALUES (9999, 'future', 'x')")
    with pytest.raises(NeedsAPerson, match="upgrade the ingester"):
        migrated(database_url)


def test_a_migration_that_was_edited_since_is_refused(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE schema_migrations SET checksum = 'x' WHERE version = 1")
    with pytest.raises(NeedsAPerson, match=r"0001_tables\.sql was edited"):
        migrated(database_url)


def test_a_function_whose_text_changed_is_put_in_place_again(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE schema_functions SET checksum = 'x' WHERE name = 'ingest_lock_key'"
        )
    assert migrated(database_url).applied == ("functions/ingest_lock_key.sql",)
