"""The real store on a real PostgreSQL, seen as plain facts."""

from collections.abc import Iterator
from datetime import date
from typing import Any, Literal

import psycopg
import pytest
from psycopg import sql

from ingester.outcomes import microseconds
from ingester.settings import Settings
from ingester.store.events import EventStore
from ingester.store.statements import statement
from tests.contract.slices import TOPIC
from tests.contract.stored import Stored
from tests.record import headers_of


class PostgresBackend:
    """A migrated database and the stores opened on it."""

    def __init__(self, url: str, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
        self._url = url
        self._monkeypatch = monkeypatch
        self.settings = Settings(database_url=url, _env_file=None, **settings)
        self._stores: list[EventStore] = []

    def open(self) -> EventStore:
        """A store of one more worker."""
        store = EventStore(self.settings, f"test-{len(self._stores)}", headers_of)
        self._stores.append(store)
        return store

    def close(self) -> None:
        """Give all connections back."""
        for store in self._stores:
            store.close()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The answer to a query, asked outside the stores."""
        with psycopg.connect(self._url) as connection:
            return connection.execute(sql.SQL(query)).fetchall()

    def run(self, command: str) -> None:
        """Carry out a command, outside the stores."""
        with psycopg.connect(self._url) as connection:
            connection.execute(sql.SQL(command))

    def stored(self) -> Stored:
        """What is stored now, of the suite's topic."""
        events = self.rows("""
            SELECT campaign_id, event_id, occurred_at, event_type::text, event_count,
                email_account_id, metadata
            FROM campaign_events JOIN campaigns USING (campaign_key)""")
        rejects = self.rows("""
            SELECT partition, "offset", reason_code, value FROM rejected_events
            ORDER BY reject_id""")
        offsets = self.rows("""
            SELECT partition, next_offset, records, inserted, duplicates, conflicting, rejected
            FROM ingest_offsets""")
        ledger = self.rows("""
            SELECT partition, first_offset, next_offset,
                records, inserted, duplicates, conflicting, rejected
            FROM ingest_batches ORDER BY batch_id""")
        self._check_totals_per_batch()
        return Stored(
            events={(row[0], row[1], microseconds(row[2])): row[3:] for row in events},
            rejects=rejects,
            positions={row[0]: row[1] for row in offsets},
            totals={row[0]: row[2:] for row in offsets},
            ledger=[(row[0], row[1], row[2], row[3:]) for row in ledger],
        )

    def _check_totals_per_batch(self) -> None:
        """Every event and reject names the ledger row that counts it."""
        wrong = self.rows("""
            SELECT batch_id FROM ingest_batches AS batch
            WHERE inserted <> (
                    SELECT count(*) FROM campaign_events AS e WHERE e.batch_id = batch.batch_id)
                OR rejected <> (
                    SELECT count(*) FROM rejected_events AS r WHERE r.batch_id = batch.batch_id)
                OR min_occurred_at > (
                    SELECT min(occurred_at) FROM campaign_events AS e
                    WHERE e.batch_id = batch.batch_id)
                OR max_occurred_at < (
                    SELECT max(occurred_at) FROM campaign_events AS e
                    WHERE e.batch_id = batch.batch_id)
                OR topic <> 'campaign-events' OR topic_id <> 'topic-id'""")
        if wrong:
            raise AssertionError(f"ledger rows that do not fit their events: {wrong} of {TOPIC}")

    def raise_floor(self, first_day: date) -> None:
        """Let the retention floor rise."""
        self.run(f"UPDATE retention_floor SET floor_date = '{first_day}'")

    def lose_reply(self, what: Literal["before", "after"]) -> None:
        """Let the next COMMIT get no answer."""
        execute = psycopg.Connection.execute
        commit = statement("commit")

        def lossy(connection: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
            if query is not commit:
                return execute(connection, query, *args, **kwargs)
            self._monkeypatch.setattr(psycopg.Connection, "execute", execute)
            if what == "after":
                execute(connection, query)
            connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

        self._monkeypatch.setattr(psycopg.Connection, "execute", lossy)


def backend_on(
    url: str, monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> Iterator[PostgresBackend]:
    """For a fixture: a backend that is closed afterwards."""
    backend = PostgresBackend(url, monkeypatch, **settings)
    yield backend
    backend.close()
