"""A small legacy table with a believable history, its replayed events, and live events around them.

The ingester's part is played by `tests.sql.history`, which writes batches as it does; so a test
needs no Kafka and takes a second.
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

from replay.expand import METRICS, LegacyRow, ReplayEvent, event_id
from tests.sql.history import Event, History, utc_today

NAME: Final = "campaign_daily_stat_entries"
DAYS: Final = 75
CAMPAIGNS: Final = 12

_TABLE: Final = f"""
CREATE TABLE {NAME} (
    id varchar(255) PRIMARY KEY,
    admin_uuid varchar(255),
    campaign_id varchar(255),
    campaign_id_int integer,
    stat_date date,
    sent integer NOT NULL DEFAULT 0,
    opened integer NOT NULL DEFAULT 0,
    clicked integer NOT NULL DEFAULT 0,
    replied integer NOT NULL DEFAULT 0,
    positive_replies integer NOT NULL DEFAULT 0,
    bounced integer NOT NULL DEFAULT 0,
    created_at timestamptz,
    updated_at timestamptz,
    UNIQUE (campaign_id, stat_date)
)
"""


def cut_date() -> date:
    """The day from which on live producers own the statistics: three days ago."""
    return utc_today() - timedelta(days=3)


class OldTable:
    """The table, in the database of a history in which the replay is complete and folded."""

    def __init__(self, history: History, seed: int) -> None:
        self.history = history
        self.random = Random(seed)
        self._rows = seed * 1_000_000  # ids of their own for whoever comes later

    def make(self) -> None:
        """Create and fill the table, replay it, add live events, and fold everything."""
        self.history.connection.execute(_TABLE)
        self._fill()
        self._replay()
        self.late()
        self.history.refresh()

    def query(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Run a statement about the table or anything else."""
        return self.history.query(query, *arguments)

    def run(self, statement: str, *arguments: object) -> int:
        """Run a statement that returns nothing; returns how many rows it changed."""
        return self.history.connection.execute(statement.encode(), arguments).rowcount

    def insert(self, campaign: int, day: date, values: tuple[int, ...]) -> None:
        """Add a row, as the old system does."""
        self._rows += 1
        self.run(
            f"INSERT INTO {NAME} VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, now(), now())",
            *(f"row-{self._rows}", f"admin-{campaign % 3}", f"campaign-{campaign}", campaign, day),
            *values,
        )

    def values(self) -> tuple[int, ...]:
        """One row's metrics; most rows of the old system are all zero."""
        random = self.random
        if random.random() < 0.5:
            return (0,) * len(METRICS)
        sent = random.randrange(0, 200)
        return (sent, random.randrange(0, 60), random.randrange(0, 4), random.randrange(0, 3),
                random.randrange(0, 2), 0)  # fmt: skip

    def late(self) -> None:
        """Live events of days before the cut, and of those after it."""
        cut = datetime.combine(cut_date(), datetime.min.time(), UTC)
        random = self.random
        self.history.ingest(
            [
                Event(
                    f"campaign-{random.randrange(CAMPAIGNS + 3)}",
                    cut + timedelta(seconds=random.randrange(-20 * 86_400, 3 * 86_400)),
                    random.choice(("sent", "opened", "clicked", "positive_reply")),
                    event_id=UUID(bytes=random.randbytes(16), version=4),
                )
                for _ in range(150)
            ],
            partition=1,
        )

    def ingest(self, events: list[ReplayEvent]) -> None:
        """Store replay events as the ingester would; whatever has been stored is a duplicate."""
        self.history.ingest([_stored(event) for event in events])

    def _fill(self) -> None:
        first = cut_date() - timedelta(days=DAYS)
        for campaign in range(CAMPAIGNS):
            for number in range(DAYS + 3):
                self.insert(campaign, first + timedelta(days=number), self.values())

    def rows(self) -> Iterator[LegacyRow]:
        """What there is to replay."""
        for row_id, campaign_id, day, *values in self.query(
            f"SELECT id, campaign_id, stat_date, {', '.join(METRICS)} FROM {NAME}"
            " WHERE stat_date < %s ORDER BY stat_date, id",
            cut_date(),
        ):
            yield LegacyRow(row_id, campaign_id, day, tuple(values))

    def _replay(self) -> None:
        events = [event for row in self.rows() for event in _events(row)]
        for start in range(0, len(events), 500):
            self.ingest(events[start : start + 500])
        self.run(
            "INSERT INTO replay_state (cut_date, legacy_table, topic, cluster_id, topic_id)"
            " VALUES (%s, %s, 't', 'cluster', 'id')",
            *(cut_date(), NAME),
        )
        self.run(
            "INSERT INTO replay_ranges"
            " VALUES (%s, %s, 1, 1, 1, %s, 1, 1, 1, 1, 1, 0, now(), now())",
            *(cut_date() - timedelta(days=DAYS), cut_date(), len(events)),
        )
        self.run("INSERT INTO replay_watermarks SELECT 0, next_offset FROM ingest_offsets")
        self.run(
            "INSERT INTO campaign_attributes SELECT DISTINCT campaign_id, admin_uuid,"
            f" campaign_id_int FROM {NAME}"
        )


def _events(row: LegacyRow) -> Iterator[ReplayEvent]:
    for metric, count in zip(METRICS, row.values, strict=True):
        if count:
            made = event_id(row.row_id, metric, row.stat_date)
            yield ReplayEvent(made, row.campaign_id, metric, row.stat_date, count)


def _stored(event: ReplayEvent) -> Event:
    told = json.loads(event.value())
    return Event(
        told["campaign_id"],
        datetime.fromisoformat(told["occurred_at"]),
        told["event_type"],
        told["count"],
        UUID(told["event_id"]),
    )
