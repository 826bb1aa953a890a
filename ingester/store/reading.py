"""What people and programs read: statistics, and the state of the whole."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from ingester.outcomes import EPOCH
from ingester.store.connection import Connection, translating
from ingester.store.statements import statement

Row = dict[str, Any]


def campaign_stats(
    connection: Connection,
    campaign_ids: Sequence[str] | None,
    start_date: date,
    end_date: date,
    granularity: str,
) -> list[Row]:
    """Rows of `get_campaign_stats`; both dates inclusive, None for all campaigns."""
    with translating("reading the statistics"):
        return rows(
            connection,
            "campaign_stats",
            campaign_ids=None if campaign_ids is None else list(campaign_ids),
            start_date=start_date,
            end_date=end_date,
            granularity=granularity,
        )


def state(connection: Connection) -> dict[str, Any]:
    """Offsets, totals, freshness, leaves, storage and rejects, as PostgreSQL knows them."""
    with translating("reading the status"):
        leaves = rows(connection, "attached_leaves")
        return {
            "partitions": rows(connection, "status_partitions"),
            "freshness": rows(connection, "status_freshness")[0],
            "leaves": sorted(row["relname"] for row in leaves),
            "floor": rows(connection, "retention_floor")[0]["floor_date"],
            "storage": {row["purpose"]: row["bytes"] for row in rows(connection, "status_storage")},
            "rejects": rows(connection, "status_rejects"),
        }


def activity(connection: Connection) -> dict[str, Any]:
    """Records by tenths of a minute, lately, and how far the migration has come."""
    with translating("reading the activity"):
        progress = rows(connection, "migration_progress")
        return {
            "rate": rows(connection, "ingest_rate"),
            "replay": progress[0] if progress else None,
            "migration_steps": rows(connection, "migration_steps"),
        }


def retention_floor(connection: Connection) -> datetime:
    """The first moment whose events are kept."""
    with translating("reading the retention floor"):
        row = connection.execute(statement("retention_floor")).fetchone()
    floor = row[0] if row and row[0] is not None else EPOCH.date()
    return datetime.combine(floor, time(), UTC)


def rows(connection: Connection, name: str, **parameters: object) -> list[Row]:
    """Run a named statement and return its rows as dictionaries by column."""
    cursor = connection.execute(statement(name), parameters or None)
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor]
