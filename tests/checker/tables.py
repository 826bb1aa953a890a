"""Every row that came from a topic, read with plain SQL in one snapshot."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

from tests.checker.contract import Content, Identity, canonical, parse_numbers_exactly

_EVENTS = """
    SELECT
        campaign_id, event_id::text, (extract(epoch FROM occurred_at) * 1000000)::bigint,
        event_type::text, event_count, email_account_id, metadata::text, batch_id
    FROM campaign_events JOIN campaigns USING (campaign_key)
    WHERE batch_id IN (
        SELECT unnest(batch_id || merged_batch_ids) FROM ingest_batches WHERE topic = %s
    )
"""
_LEDGER = """
    SELECT
        partition, batch_id, coalesce(merged_batch_ids, ARRAY[]::bigint []) AS merged,
        first_offset AS first, next_offset AS next, records, inserted, duplicates, conflicting,
        rejected, min_occurred_at, max_occurred_at
    FROM ingest_batches WHERE topic = %s ORDER BY partition, first_offset
"""
_REJECTS = """
    SELECT
        partition, "offset", batch_id, key, value, value_bytes, headers, reason_code, detail, state
    FROM rejected_events WHERE topic = %s ORDER BY partition, "offset"
"""
_OFFSETS = """
    SELECT partition, first_offset AS first, next_offset AS next,
        records, inserted, duplicates, conflicting, rejected
    FROM ingest_offsets WHERE topic = %s ORDER BY partition
"""
_ORPHANS = """
    SELECT count(*) FROM campaign_events WHERE NOT EXISTS (
        SELECT FROM ingest_batches AS batch
        WHERE campaign_events.batch_id = ANY (batch.batch_id || batch.merged_batch_ids)
    )
"""


@dataclass(frozen=True, slots=True)
class EventRow:
    """A row of campaign_events."""

    identity: Identity
    content: Content
    batch_id: int


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A row of ingest_batches."""

    partition: int
    batch_id: int
    merged: list[int]
    first: int
    next: int
    records: int
    inserted: int
    duplicates: int
    conflicting: int
    rejected: int
    min_occurred_at: datetime | None
    max_occurred_at: datetime | None


@dataclass(frozen=True, slots=True)
class RejectRow:
    """A row of rejected_events."""

    partition: int
    offset: int
    batch_id: int
    key: bytes | None
    value: bytes | None
    value_bytes: int
    headers: list[list[Any]]
    reason_code: str
    detail: str
    state: str


@dataclass(frozen=True, slots=True)
class OffsetRow:
    """A row of ingest_offsets."""

    partition: int
    first: int
    next: int
    records: int
    inserted: int
    duplicates: int
    conflicting: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Tables:
    """All of it; `orphans` counts events of no batch at all."""

    events: list[EventRow]
    ledger: list[LedgerRow]
    rejects: list[RejectRow]
    offsets: list[OffsetRow]
    orphans: int


def read_tables(database_url: str, topic: str) -> Tables:
    """Read what the ingester has made of a topic."""
    with psycopg.connect(database_url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        events = [
            EventRow(
                Identity(campaign_id, event_id, occurred_us),
                Content(kind, count, email, _canonical(metadata)),
                batch_id,
            )
            for campaign_id, event_id, occurred_us, kind, count, email, metadata, batch_id in (
                connection.execute(_EVENTS, [topic])
            )
        ]
        orphans = connection.execute(_ORPHANS).fetchone()
        return Tables(
            events=events,
            ledger=_rows(connection, LedgerRow, _LEDGER, topic),
            rejects=_rows(connection, RejectRow, _REJECTS, topic),
            offsets=_rows(connection, OffsetRow, _OFFSETS, topic),
            orphans=orphans[0] if orphans else 0,
        )


def _canonical(metadata: str | None) -> str | None:
    return None if metadata is None else canonical(parse_numbers_exactly(metadata))


def _rows(
    connection: psycopg.Connection[Any], kind: type[Any], query: str, topic: str
) -> list[Any]:
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(query.encode(), [topic]).fetchall()
