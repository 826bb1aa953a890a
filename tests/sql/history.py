"""Writes histories straight into the tables, and tells what the statistics must then be.

It shares nothing with the functions under test but the tables: batches are written as the ingester
writes them (events, ledger and offset row in one transaction), and the truth is a plain GROUP BY
over the events of folded batches in a session of its own that runs in UTC.
"""

import random
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self

import psycopg

Row = tuple[Any, ...]

EVENT_TYPES: Final = ("sent", "opened", "clicked", "replied", "positive_reply", "bounced")
GRANULARITIES: Final = ("hour", "day", "week", "month", "quarter", "year", "all")

_SUMS: Final = ", ".join(
    f"coalesce(sum(event_count) FILTER (WHERE event_type = '{name}'), 0)::bigint"
    for name in EVENT_TYPES
)
# One spelling of "folded" that also knows merged ledger rows.
_FOLDED_EVENTS: Final = """
    SELECT campaigns.campaign_id, event.*, event.occurred_at AT TIME ZONE 'UTC' AS utc
    FROM campaign_events AS event
    INNER JOIN campaigns USING (campaign_key)
    INNER JOIN (
        SELECT unnest(coalesce(merged_batch_ids, ARRAY[batch_id])) AS batch_id
        FROM ingest_batches WHERE folded_at IS NOT NULL
    ) AS folded ON folded.batch_id = event.batch_id
"""


@dataclass(frozen=True, slots=True)
class Event:
    """One event as the ingester would have decoded it."""

    campaign_id: str
    occurred_at: datetime
    event_type: str = "sent"
    count: int = 1
    event_id: uuid.UUID = field(default_factory=uuid.uuid4)


def replay_id(rng: random.Random) -> uuid.UUID:
    """An id that carries the tag of the legacy replay, as corrections must."""
    raw = rng.randbytes(16)
    return uuid.UUID(bytes=raw[:6] + bytes.fromhex("8ca39a17") + raw[10:])


def at(text: str) -> datetime:
    """A UTC time: `at("2025-03-31 23:59")`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def utc_today() -> date:
    """The date that retention counts from."""
    return datetime.now(UTC).date()


def months_ago(months: int) -> date:
    """The first day of the UTC month that many months ago."""
    today = utc_today()
    number = today.year * 12 + today.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)


def first_of(day: date) -> date:
    """The first day of the month."""
    return day.replace(day=1)


def monday_of(day: date) -> date:
    """The first day of the ISO week."""
    return day - timedelta(days=day.weekday())


class History:
    """A database and what has happened in it."""

    def __init__(self, url: str) -> None:
        self.connection: psycopg.Connection[Row] = psycopg.connect(
            url, autocommit=True, options="-c timezone=UTC"
        )
        self._leaves: set[str] = set()
        self._written: list[Event] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.connection.close()

    # -- what happens

    def query(self, query: str, *arguments: object) -> list[Row]:
        """Run one statement with positional parameters and return its rows."""
        return self.connection.execute(query.encode(), arguments).fetchall()

    def ingest(
        self,
        events: Sequence[Event],
        *,
        partition: int = 0,
        rejected: int = 0,
        folded: bool = False,
    ) -> int:
        """Write one batch of a partition, as the ingester does; returns its batch_id."""
        records = len(events) + rejected
        with self.connection.transaction():
            ((batch_id,),) = self.query("SELECT nextval('ingest_batch_ids')")
            inserted, conflicting = self._write(batch_id, events)
            self.connection.execute(
                "INSERT INTO ingest_offsets (topic, partition, first_offset, next_offset)"
                " VALUES ('t', %s, 0, 0) ON CONFLICT DO NOTHING",
                [partition],
            )
            ((start,),) = self.query(
                "UPDATE ingest_offsets SET next_offset = next_offset + %s, records = records + %s,"
                " inserted = inserted + %s, duplicates = duplicates + %s,"
                " conflicting = conflicting + %s, rejected = rejected + %s"
                " WHERE topic = 't' AND partition = %s RETURNING next_offset - %s",
                records, records, inserted, len(events) - inserted,
                conflicting, rejected, partition, records,
            )  # fmt: skip
            times = [event.occurred_at for event in events] if inserted else []
            self.connection.execute(
                "INSERT INTO ingest_batches (batch_id, topic, topic_id, partition, first_offset,"
                " next_offset, records, inserted, duplicates, conflicting, rejected,"
                " min_occurred_at, max_occurred_at, folded_at)"
                " VALUES (%s, 't', 'id', %s, %s, %s, %s, %s, %s, %s, %s, %s, %s,"
                " CASE WHEN %s THEN clock_timestamp() END)",
                [
                    batch_id, partition, start, start + records, records, inserted,
                    len(events) - inserted, conflicting, rejected,
                    min(times, default=None), max(times, default=None),
                    folded or inserted == 0,
                ],
            )  # fmt: skip
        self._written.extend(events)
        return int(batch_id)

    def refresh(self, max_batches: int | None = None) -> tuple[int, int]:
        """Fold; returns batches and events."""
        ((batches, events),) = self.query("SELECT * FROM refresh_campaign_stats(%s)", max_batches)
        return batches, events

    def some_written(self, rng: random.Random, count: int) -> list[Event]:
        """Events of the past, to be published again."""
        return rng.sample(self._written, min(count, len(self._written)))

    def _write(self, batch_id: int, events: Sequence[Event]) -> tuple[int, int]:
        for campaign_id in sorted({event.campaign_id for event in events}):
            self.connection.execute(
                "INSERT INTO campaigns (campaign_id) VALUES (%s) ON CONFLICT DO NOTHING",
                [campaign_id],
            )
        for month in sorted({first_of(event.occurred_at.date()) for event in events}):
            self.connection.execute("SELECT create_campaign_events_partition(%s)", [month])
        inserted = conflicting = 0
        for event in events:
            stored = self.query(
                "INSERT INTO campaign_events"
                " (event_id, occurred_at, batch_id, campaign_key, event_count, event_type)"
                " SELECT %s, %s, %s, campaign_key, %s, %s::campaign_event_type"
                " FROM campaigns WHERE campaign_id = %s ON CONFLICT DO NOTHING RETURNING 1",
                event.event_id, event.occurred_at, batch_id, event.count, event.event_type,
                event.campaign_id,
            )  # fmt: skip
            inserted += len(stored)
            if not stored:
                conflicting += not self.query(
                    "SELECT 1 FROM campaign_events INNER JOIN campaigns USING (campaign_key)"
                    " WHERE campaign_id = %s AND event_id = %s AND occurred_at = %s"
                    " AND event_type::text = %s AND event_count = %s",
                    event.campaign_id, event.event_id, event.occurred_at,
                    event.event_type, event.count,
                )  # fmt: skip
        return inserted, conflicting

    # -- what must be true

    def truth(
        self,
        campaign_ids: Iterable[str] | None,
        start: date | None,
        end: date | None,
        granularity: str,
    ) -> list[Row]:
        """What get_campaign_stats must answer."""
        if granularity == "all":
            period = "coalesce(%(start)s::timestamp, date_trunc('day', min(utc)))"
            groups = "campaign_id"
        else:
            period = f"date_trunc('{granularity}', utc)"
            groups = "campaign_id, 2"
        return self.connection.execute(
            f"SELECT campaign_id, {period}, {_SUMS} FROM ({_FOLDED_EVENTS}) AS event"
            " WHERE (%(ids)s::text[] IS NULL OR campaign_id = ANY (%(ids)s))"
            " AND (%(start)s::date IS NULL OR utc::date >= %(start)s)"
            " AND (%(end)s::date IS NULL OR utc::date <= %(end)s)"
            f" GROUP BY {groups} ORDER BY campaign_id, 2",
            {
                "ids": None if campaign_ids is None else list(campaign_ids),
                "start": start,
                "end": end,
            },
        ).fetchall()

    def assert_statistics_are_true(self) -> None:
        """The roll-ups equal the events; those of dropped months, what had been there."""
        dropped = {month for (month,) in self.query("SELECT month_start FROM dropped_partitions")}
        true_days = self.query(
            f"SELECT campaign_id, utc::date, {_SUMS}, max(occurred_at)"
            f" FROM ({_FOLDED_EVENTS}) AS event GROUP BY 1, 2 ORDER BY 1, 2"
        )
        days = self.query("SELECT * FROM campaign_daily_stats ORDER BY campaign_id, event_date")
        assert [row for row in days if first_of(row[1]) not in dropped] == true_days

        for view, start_of in (
            ("campaign_weekly_stats", monday_of),
            ("campaign_monthly_stats", first_of),
        ):
            sums: dict[tuple[str, date], Row] = {}
            for campaign_id, day, *counts, last in days:
                key = (campaign_id, start_of(day))
                before = sums.get(key, (0, 0, 0, 0, 0, 0, last))
                added = (old + new for old, new in zip(before, counts, strict=False))
                sums[key] = (*added, max(before[6], last))
            stored = self.query(f"SELECT * FROM {view} ORDER BY 1, 2")
            assert {(row[0], row[1]): row[2:] for row in stored} == sums

        left = self.query(
            "SELECT month_start, sent, opened, clicked, replied, positive_replies, bounced"
            " FROM dropped_partitions ORDER BY 1"
        )
        for month, *counts in left:
            of_month = [row[2:8] for row in days if first_of(row[1]) == month]
            assert [sum(column) for column in zip(*of_month, strict=True)] == counts or (
                not of_month and not any(counts)
            )

    def assert_books_balance(self) -> None:
        """Ledger, offsets, rows and what was dropped agree, at this very moment."""
        unbalanced = self.query(
            "SELECT ledger.batch_id, ledger.inserted - ledger.dropped, count(event.batch_id)"
            " FROM ingest_batches AS ledger"
            " CROSS JOIN unnest(coalesce(merged_batch_ids, ARRAY[ledger.batch_id])) AS one_id"
            " LEFT JOIN campaign_events AS event ON event.batch_id = one_id"
            " GROUP BY ledger.batch_id"
            " HAVING ledger.inserted - ledger.dropped <> count(event.batch_id)"
        )
        assert unbalanced == []
        assert self.query(
            "SELECT (SELECT coalesce(sum(inserted - dropped), 0) FROM ingest_batches),"
            " (SELECT coalesce(sum(dropped), 0) FROM ingest_batches)"
        ) == self.query(
            "SELECT (SELECT count(*) FROM campaign_events),"
            " (SELECT coalesce(sum(events), 0) FROM dropped_partitions)"
        )
        totals = (
            "partition, sum(records), sum(inserted), sum(duplicates),"
            " sum(conflicting), sum(rejected)"
        )
        ledger = self.query(
            f"SELECT {totals}, min(first_offset), max(next_offset), sum(next_offset - first_offset)"
            " FROM ingest_batches WHERE topic IS NOT NULL GROUP BY partition ORDER BY partition"
        )
        offsets = self.query(
            f"SELECT {totals}, min(first_offset), max(next_offset), max(next_offset - first_offset)"
            " FROM ingest_offsets GROUP BY partition ORDER BY partition"
        )
        assert ledger == offsets


def random_events(
    rng: random.Random, campaigns: Sequence[str], first: date, last: date, count: int
) -> list[Event]:
    """Events that like to sit on the edges of hours, days, weeks, months and years."""
    days = (last - first).days
    events = []
    for _ in range(count):
        day = first + timedelta(days=rng.randrange(days + 1))
        if rng.random() < 0.3:
            edge = rng.choice([first_of(day), monday_of(day)])
            day = max(first, edge)
        moment = rng.choice(
            [
                timedelta(0),
                timedelta(hours=24) - timedelta(microseconds=1),
                timedelta(microseconds=rng.randrange(86_400_000_000)),
            ]
        )
        occurred_at = datetime(day.year, day.month, day.day, tzinfo=UTC) + moment
        event = Event(
            rng.choice(campaigns), occurred_at, rng.choice(EVENT_TYPES), rng.randint(1, 9)
        )
        event = replace(event, event_id=uuid.UUID(bytes=rng.randbytes(16)))
        events.append(event)
        if rng.random() < 0.1:
            # A correction that takes the whole event back: the key stays, its sum is zero.
            events.append(replace(event, event_id=replay_id(rng), count=-event.count))
    return events
