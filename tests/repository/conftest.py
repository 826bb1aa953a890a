"""A history of its own for each test, and a repository over the same database."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from ingester.repository import PostgresRepository
from ingester.settings import Settings
from tests.sql.history import History


@pytest.fixture
def history(database_url: str) -> Iterator[History]:
    """A history in which nothing has happened yet."""
    with History(database_url) as history:
        yield history


@pytest.fixture
def settings(database_url: str) -> Settings:
    """What leads to its database."""
    return Settings(database_url=SecretStr(database_url))


@pytest.fixture
def repository(settings: Settings) -> Iterator[PostgresRepository]:
    """The repository over it."""
    with PostgresRepository.connect(settings) as repository:
        yield repository
