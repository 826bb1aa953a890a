"""The question of a campaign's history; see `question` for how it is asked."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from ingester.event import EventType
from ingester.repository.history import EventKey, EventPage, StoredEvent
from ingester.repository.question import (
    Ask,
    Question,
    Row,
    as_of,
    day_range,
    one_snapshot,
    page_limit,
    text,
    utc,
)


def event_history(
    campaign_id: str,
    start: date | None,
    end: date | None,
    before: EventKey | None,
    limit: int,
    *,
    details: bool,
) -> Question[EventPage]:
    """A page of a campaign's events, the newest first."""
    page = _event_history(campaign_id, start, end, before, limit, details=details)
    return one_snapshot(page) if details else page


def _event_history(
    campaign_id: str,
    start: date | None,
    end: date | None,
    before: EventKey | None,
    limit: int,
    *,
    details: bool,
) -> Question[EventPage]:
    wanted = page_limit(limit)
    rows = yield Ask(
        "read_event_history",
        {
            "campaign_id": text(campaign_id),
            **day_range(start, end),
            "before_time": before and before.occurred_at,
            "before_id": before and before.event_id,
            "rows_max": wanted + 1,
        },
    )
    found = [stored_event(row) for row in rows if row["event_id"] is not None]
    page = found[:wanted]
    if details and page:
        told = yield Ask(
            "read_event_details",
            {
                "campaign_id": campaign_id,
                "event_ids": [event.event_id for event in page],
                "times": [event.occurred_at for event in page],
            },
        )
        page = _with_details(page, told)
    next_before = page[-1].key if len(found) > wanted else None
    return EventPage(campaign_id, tuple(page), next_before, as_of(rows))


def stored_event(row: Row, **details: Any) -> StoredEvent:
    """One event out of its row."""
    return StoredEvent(
        utc(row["occurred_at"]),
        row["event_id"],
        EventType(row["event_type"]),
        row["count"],
        **details,
    )


def _with_details(page: Sequence[StoredEvent], told: Iterable[Row]) -> list[StoredEvent]:
    details = {(utc(row["occurred_at"]), row["event_id"]): row for row in told}
    found = []
    for event in page:
        row = details[event.occurred_at, event.event_id]
        found.append(
            StoredEvent(
                event.occurred_at,
                event.event_id,
                event.event_type,
                event.count,
                row["email_account_id"],
                row["metadata"],
            )
        )
    return found
