"""The proof inside PostgreSQL, in one snapshot, and what the proof against the topic asks of it."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from ingester.store.connection import Connection, translating
from ingester.store.reading import Row, rows
from ingester.store.statements import statement

CHECKS: Final = {
    "offsets_contiguous": "each partition's ledger is without gap or overlap",
    "totals": "each partition's totals equal its ledger",
    "rows": "each ledger row's events exist, no more and no fewer",
    "rejects": "each ledger row's rejects exist, no more and no fewer",
    "dropped": "what retention dropped is accounted for",
    "daily": "the daily roll-up equals the events of the folded batches",
    "dropped_months": "the days of dropped months equal what was dropped",
    "weekly": "the weekly roll-up equals its days",
    "monthly": "the monthly roll-up equals its days",
}


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes an event one event."""

    campaign_id: str
    event_id: UUID
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One ledger row of a partition: an offset range and its counts."""

    batch_ids: list[int]
    first_offset: int
    next_offset: int
    records: int
    inserted: int
    duplicates: int
    rejected: int
    dropped: int
    min_occurred_at: datetime | None
    max_occurred_at: datetime | None


@contextlib.contextmanager
def snapshot(connection: Connection) -> Iterator["Snapshot"]:
    """One REPEATABLE READ, read-only view of everything; writers are not held up."""
    with translating("verifying"):
        connection.execute(statement("begin"))
        try:
            connection.execute(statement("one_snapshot"))
            connection.execute(statement("verify_read_only"))
            yield Snapshot(connection)
        finally:
            if not connection.closed:
                connection.execute(statement("rollback"))


class Snapshot:
    """Reads that all see the same state."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def check(self, name: str) -> list[Row]:
        """The differences that one of `CHECKS` finds, at most a hundred."""
        return rows(self._connection, f"verify_{name}")

    def counts(self) -> dict[str, int]:
        """Totals over everything."""
        return rows(self._connection, "verify_counts")[0]

    def accepted_losses(self) -> list[Row]:
        """What no topic can be asked about any more, because somebody decided so."""
        return rows(self._connection, "accepted_losses")

    def partitions(self, topic: str) -> list[Row]:
        """The offset rows of a topic."""
        return rows(self._connection, "topic_partitions", topic=topic)

    def look_up_by_batch(self) -> None:
        """From here on read through the BRIN on batch_id."""
        self._connection.execute(statement("verify_without_seqscan"))

    def ledger(self, topic: str, partition: int, from_offset: int) -> list[LedgerRow]:
        """The ledger rows that end after an offset, in order."""
        found = rows(
            self._connection,
            "ledger_of_partition",
            topic=topic,
            partition=partition,
            from_offset=from_offset,
        )
        return [LedgerRow(**row) for row in found]

    def events(self, entry: LedgerRow) -> dict[Identity, tuple[str, int]]:
        """The events of a ledger row: identity → (type, count)."""
        if entry.min_occurred_at is None:
            return {}
        found = self._connection.execute(
            statement("events_of_batches"),
            {
                "batch_ids": entry.batch_ids,
                "first_id": min(entry.batch_ids),
                "last_id": max(entry.batch_ids),
                "since": entry.min_occurred_at,
                "until": entry.max_occurred_at,
            },
        )
        return {Identity(row[0], row[1], row[2]): (row[3], row[4]) for row in found}

    def rejects(self, topic: str, partition: int, entry: LedgerRow) -> dict[int, bytes]:
        """The rejects of a ledger row: offset → SHA-256 of the value."""
        found = self._connection.execute(
            statement("rejects_of_batches"),
            {"topic": topic, "partition": partition, "batch_ids": entry.batch_ids},
        )
        return dict(found.fetchall())

    def absent(self, identities: Sequence[Identity]) -> list[Identity]:
        """Those identities that have no row and should have one."""
        if not identities:
            return []
        parameters: dict[str, Any] = {
            "campaign_ids": [each.campaign_id for each in identities],
            "event_ids": [each.event_id for each in identities],
            "times": [each.occurred_at for each in identities],
        }
        found = self._connection.execute(statement("absent_events"), parameters)
        return [identities[number - 1] for (number,) in found]
