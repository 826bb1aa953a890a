"""The real store on a real PostgreSQL."""

from collections.abc import Iterator

import pytest

from tests.contract.postgres_backend import PostgresBackend, backend_on
from tests.contract.store_suite import StoreSuite


class TestEventStore(StoreSuite):
    """As it is set by default."""

    @pytest.fixture
    def backend(
        self, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[PostgresBackend]:
        yield from backend_on(database_url, monkeypatch)


class TestEventStoreWithoutPreparedStatements(StoreSuite):
    """As behind a pooler that does not know them."""

    @pytest.fixture
    def backend(
        self, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[PostgresBackend]:
        yield from backend_on(database_url, monkeypatch, ingester_prepared_statements=False)
