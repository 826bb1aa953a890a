"""The question why a number is what it is; see `question` for how they are asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from ingester.errors import IngesterError
from ingester.repository.explanation import (
    BatchTotals,
    ExplainedEvent,
    Explanation,
    LedgerRange,
    LegacyColumns,
    LegacyEntry,
)
from ingester.repository.histories import stored_event
from ingester.repository.history import EventKey
from ingester.repository.question import (
    Ask,
    Question,
    Row,
    metrics,
    one_snapshot,
    page_limit,
    text,
    utc,
)
from ingester.repository.statistics import Metrics


def explanation(
    campaign_id: str, day: date, after: EventKey | None, limit: int, legacy: LegacyColumns
) -> Question[Explanation]:
    """The events behind a campaign's day, in one snapshot."""
    of_day = {"campaign_id": text(campaign_id), "day": day}
    return one_snapshot(_explanation(of_day, after, page_limit(limit), legacy))


def _explanation(
    of_day: dict[str, Any], after: EventKey | None, limit: int, legacy: LegacyColumns
) -> Question[Explanation]:
    (number,) = yield Ask("explained_number", of_day)
    rows = yield Ask(
        "explained_events",
        {
            **of_day,
            "after_time": after and after.occurred_at,
            "after_id": after and after.event_id,
            "rows_max": limit + 1,
        },
    )
    page = rows[:limit]
    batch_ids = sorted({row["batch_id"] for row in page})
    found = _Ranges.of(
        (
            yield Ask(
                "explained_ranges",
                {**of_day, "batch_ids": batch_ids, "ranges_max": limit + len(batch_ids)},
            )
        )
    )
    events = tuple(
        ExplainedEvent(stored_event(row), found.source_of(row["batch_id"])) for row in page
    )
    entry = None
    if any(each.event.is_replayed for each in events):
        entry = yield from _legacy_entry(of_day, legacy)
    return Explanation(
        campaign_id=of_day["campaign_id"],
        day=of_day["day"],
        shown=metrics(number),
        metrics=found.metrics,
        events_total=found.events_total,
        events=events,
        next_after=events[-1].event.key if len(rows) > limit else None,
        ranges=found.latest(limit),
        totals=found.totals,
        legacy=entry,
        is_below_floor=number["is_below_floor"],
        as_of=utc(number["as_of"]),
    )


@dataclass(slots=True)
class _Ranges:
    """Ranges of the ledger as they were read, by the batches in them, and the totals of all."""

    ranges: tuple[LedgerRange, ...]
    by_batch: dict[int, LedgerRange]
    totals: BatchTotals
    metrics: Metrics
    events_total: int

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "_Ranges":
        ranges = tuple(_ledger_range(row) for row in rows)
        by_batch = {
            batch_id: one
            for one, row in zip(ranges, rows, strict=True)
            for batch_id in row["batch_ids"]
        }
        if not rows:
            return cls(ranges, by_batch, BatchTotals(), Metrics(), 0)
        first = rows[0]
        totals = BatchTotals(
            *(
                int(first[f"{name}_total"])
                for name in ("ranges", "records", "duplicates", "conflicting", "rejected")
            )
        )
        sums = metrics(first, "_total")
        return cls(ranges, by_batch, totals, sums, int(first["events_total"]))

    def source_of(self, batch_id: int) -> LedgerRange:
        if batch_id not in self.by_batch:
            raise IngesterError(
                f"batch {batch_id} has events and no row in the ledger; run: ingester verify"
            )
        return self.by_batch[batch_id]

    def latest(self, count: int) -> tuple[LedgerRange, ...]:
        ordered = sorted(self.ranges, key=lambda one: (one.ingested_at, one.batch_id), reverse=True)
        return tuple(ordered[:count])


def _ledger_range(row: Row) -> LedgerRange:
    return LedgerRange(
        batch_id=row["batch_id"],
        batches=row["batches"],
        topic=row["topic"],
        topic_id=row["topic_id"],
        partition=row["partition"],
        first_offset=row["first_offset"],
        next_offset=row["next_offset"],
        ingested_at=utc(row["ingested_at"]),
        records=row["records"],
        inserted=row["inserted"],
        duplicates=row["duplicates"],
        conflicting=row["conflicting"],
        rejected=row["rejected"],
        events=int(row["events"]),
        metrics=metrics(row),
    )


def _legacy_entry(of_day: dict[str, Any], columns: LegacyColumns) -> Question[LegacyEntry]:
    names = {"campaign_id": columns.campaign_id, "stat_date": columns.stat_date}
    found = yield Ask(
        "find_legacy_table", {f"{ours}_column": theirs for ours, theirs in names.items()}
    )
    if not found:
        return LegacyEntry(None)
    table = found[0]["name"]
    if not found[0]["has_columns"]:
        return LegacyEntry(
            table, problem=f"has no columns {columns.campaign_id} and {columns.stat_date}"
        )
    if not found[0]["readable"]:
        return LegacyEntry(table, problem="this login may not read it")
    rows = yield Ask("legacy_rows_of_day", of_day, {"table": table, **names})
    return LegacyEntry(table, tuple(row["entry"] for row in rows))
