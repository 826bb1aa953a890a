"""Why a number is what it is: the events behind it, and where each of them came from. Pure."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from ingester.repository.history import EventKey, StoredEvent
from ingester.repository.statistics import Metrics


@dataclass(frozen=True, slots=True)
class LedgerRange:
    """A row of the ledger: one partition, offsets from `first_offset` to before `next_offset`.

    Topic, partition and offsets are None for events written without Kafka. `batches` is 1, or how
    many neighbouring batches have been merged into the range. records = inserted + duplicates +
    rejected, of every campaign; `events` and `metrics` are what it brought to the number.
    """

    batch_id: int
    batches: int
    topic: str | None
    topic_id: str | None
    partition: int | None
    first_offset: int | None
    next_offset: int | None
    ingested_at: datetime
    records: int
    inserted: int
    duplicates: int
    conflicting: int
    rejected: int
    events: int
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class ExplainedEvent:
    """One event behind the number, and the range of the ledger that brought it."""

    event: StoredEvent
    source: LedgerRange


@dataclass(frozen=True, slots=True)
class LegacyColumns:
    """How the legacy table calls what its rows are found by (`REPLAY_COLUMN_…`)."""

    campaign_id: str = "campaign_id"
    stat_date: str = "stat_date"


DEFAULT_COLUMNS: Final = LegacyColumns()


@dataclass(frozen=True, slots=True)
class LegacyEntry:
    """The legacy table's rows for a campaign and day, as JSON objects.

    `table` is what it is called now, None: it has gone. `problem` says why it could not be read.
    """

    table: str | None
    rows: tuple[dict[str, Any], ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class BatchTotals:
    """Sums over all ranges that brought an event to the number; counts are of every campaign."""

    ranges: int = 0
    records: int = 0
    duplicates: int = 0
    conflicting: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Explanation:
    """The events behind the statistics of one campaign and UTC day.

    `shown` is what dashboards show, `metrics` the sum of all `events_total` events; they are equal
    unless events have been dropped (`is_below_floor`: the day lies before the retention floor).
    `events` is a page of them in the order of their times, `next_after` asks for the next one;
    `ranges` are the latest ranges of the ledger that brought them, `totals` counts all ranges.
    `legacy` is there where the page holds events that came from the legacy table.
    """

    campaign_id: str
    day: date
    shown: Metrics
    metrics: Metrics
    events_total: int
    events: tuple[ExplainedEvent, ...]
    next_after: EventKey | None
    ranges: tuple[LedgerRange, ...]
    totals: BatchTotals
    legacy: LegacyEntry | None
    is_below_floor: bool
    as_of: datetime

    @property
    def sources(self) -> tuple[LedgerRange, ...]:
        """`ranges`, and behind them those of the page's events that are older; each once."""
        ranges = {one.batch_id: one for one in self.ranges}
        ranges |= {each.source.batch_id: each.source for each in self.events}
        return tuple(ranges.values())
