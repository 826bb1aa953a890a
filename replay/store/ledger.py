"""The ledger of the replay in PostgreSQL: its cut, its ranges, the offsets it was acknowledged at.

A range is claimed by the lock on its row, held until the transaction that publishes it commits:
a process that dies gives its range back, and two at once share the work.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from ingester.store.connection import Connection
from ingester.store.statements import statement
from replay.expand import METRICS
from replay.publish import Published
from replay.ranges import Range


@dataclass(frozen=True, slots=True)
class ReplayState:
    """What the first run decided for all later ones."""

    cut_date: date
    legacy_table: str
    topic: str
    cluster_id: str
    topic_id: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class LedgerTotals:
    """The ledger in numbers: what was planned, and what all replicas have."""

    ranges: int
    ranges_acknowledged: int
    planned_rows: int
    planned_events: int
    rows: int
    events: int
    sums: Mapping[str, int]

    @property
    def complete(self) -> bool:
        """Whether every range is acknowledged."""
        return self.ranges == self.ranges_acknowledged


def replay_state(connection: Connection) -> ReplayState | None:
    """What the first run decided; None before it."""
    row = connection.execute(statement("replay_state")).fetchone()
    return ReplayState(*row) if row else None


def start_replay(
    connection: Connection, state: Mapping[str, Any], planned: Iterable[Range]
) -> bool:
    """Write the decisions and the ranges of the first run; False where another run was first.

    Runs inside a transaction: whoever comes second waits for the first to commit.
    """
    if connection.execute(statement("start_replay"), state).rowcount == 0:
        return False
    with connection.cursor() as cursor:
        cursor.executemany(
            statement("plan_range"),
            [
                {"first": each.first_date, "until": each.end_date,
                 "rows": each.rows, "events": each.events}
                for each in planned
            ],
        )  # fmt: skip
    return True


def claim_range(connection: Connection) -> Range | None:
    """The first range that is neither acknowledged nor claimed; None where there is none."""
    row = connection.execute(statement("claim_range")).fetchone()
    return Range(*row) if row else None


def now(connection: Connection) -> datetime:
    """The database's clock, by which the ledger is written."""
    row = connection.execute(statement("database_clock")).fetchone() or ()
    moment: datetime = row[0]
    return moment


def acknowledge_range(
    connection: Connection, first_date: date, published: Published, published_at: datetime
) -> None:
    """Write down what a claimed range became, all of it being on all replicas."""
    connection.execute(
        statement("acknowledge_range"),
        {
            "first": first_date,
            "rows": published.rows,
            "events": published.events,
            "published_at": published_at,
            **published.sums,
        },
    )


def raise_watermarks(connection: Connection, next_offsets: Mapping[int, int]) -> None:
    """Remember, per partition, the offset before which every acknowledged event lies."""
    connection.execute(
        statement("raise_watermarks"),
        {"partitions": list(next_offsets), "next_offsets": list(next_offsets.values())},
    )


def watermarks(connection: Connection) -> dict[int, int]:
    """The same, as remembered."""
    return dict(connection.execute(statement("replay_watermarks")).fetchall())


def totals(connection: Connection) -> LedgerTotals:
    """The ledger in numbers."""
    row = connection.execute(statement("ledger_totals")).fetchone() or ()
    counts, sums = row[:6], [int(total) for total in row[6:]]
    names = ("ranges", "ranges_acknowledged", "planned_rows", "planned_events", "rows", "events")
    return LedgerTotals(
        **{name: int(count) for name, count in zip(names, counts, strict=True)},
        sums=dict(zip(METRICS, sums, strict=True)),
    )


def ingested_to(connection: Connection, topic: str) -> dict[int, int]:
    """The ingester's next offset of each partition."""
    return dict(connection.execute(statement("ingested_to"), {"topic": topic}).fetchall())
