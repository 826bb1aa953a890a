"""A replayed old table in a database of its own for every test, cloned from one made once."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from tests.databases import Databases
from tests.migration.old_table import OldTable
from tests.sql.history import History

SEED = 20


@pytest.fixture(scope="session")
def replayed_database(databases: Databases) -> Iterator[str]:
    """The name of a database in which the replay is complete."""
    name = databases.migrated()
    with History(databases.url_of(name)) as history:
        OldTable(history, SEED).make()
    yield name
    databases.drop(name)


@pytest.fixture
def old_table(replayed_url: str) -> Iterator[OldTable]:
    """The old table in that copy, to be changed; what it draws differs from what made it."""
    with History(replayed_url) as history:
        yield OldTable(history, SEED + 1)


@pytest.fixture
def replayed_url(
    databases: Databases, replayed_database: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A copy of it, which the settings name."""
    name = f"{replayed_database}_copy"
    with psycopg.connect(databases.url_of("postgres"), autocommit=True) as connection:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(
            statement.format(sql.Identifier(name), sql.Identifier(replayed_database))
        )
    url = databases.url_of(name)
    monkeypatch.setenv("DATABASE_URL", url)
    yield url
    databases.drop(name)
