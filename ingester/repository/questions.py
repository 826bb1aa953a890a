"""Which statements an answer takes, and how their rows become it; knows no connection.

A question is a generator: it yields `Ask`, is sent the rows of that statement, and returns the
answer. So the repository over a plain connection and the one for asyncio differ in nothing but how
they carry a statement to PostgreSQL (the idea: https://sans-io.readthedocs.io).
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final, TypeVar

from ingester.errors import UsageError
from ingester.event import EventType
from ingester.repository.history import EventKey, EventPage, StoredEvent
from ingester.repository.statistics import (
    AggregatedStats,
    Campaign,
    CampaignPage,
    CampaignSeries,
    CampaignStats,
    CampaignTotals,
    Granularity,
    Metrics,
    PeriodStats,
    SeriesOfCampaigns,
    TotalsOfCampaigns,
)

Answer = TypeVar("Answer")
Row = Mapping[str, Any]

PAGE_ROWS_MAX: Final = 10_000
"""Rows of one page at most: an answer is made in memory, and readers share the database."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A statement of sql/reading.sql, its parameters, and identifiers to be quoted into it."""

    name: str
    parameters: Mapping[str, object] | None = None
    identifiers: Mapping[str, str] = field(default_factory=dict)


Question = Generator[Ask, list[Row], Answer]


def one_snapshot(question: Question[Answer]) -> Question[Answer]:
    """Let all statements of a question see the same; an error rolls back with its connection."""
    yield Ask("begin")
    yield Ask("one_snapshot")
    answer = yield from question
    yield Ask("commit")
    return answer


def stats(campaign_id: str, start: date | None, end: date | None) -> Question[CampaignStats]:
    """One campaign over one range."""
    rows = yield _of_range("read_stats", [text(campaign_id)], start, end, Granularity.ALL)
    found = [metrics(row) for row in rows if row["campaign_id"] is not None]
    return CampaignStats(campaign_id, start, end, Metrics.total(found), _as_of(rows))


def stats_for_campaigns(
    campaign_ids: Iterable[str] | None,
    start: date | None,
    end: date | None,
    granularity: Granularity | str,
) -> Question[SeriesOfCampaigns]:
    """Some or all campaigns by period."""
    by, asked = _granularity(granularity), _each_once(campaign_ids)
    rows = yield _of_range("read_stats", asked, start, end, by)
    periods: dict[str, list[PeriodStats]] = {campaign_id: [] for campaign_id in asked or ()}
    for row in rows:
        if row["campaign_id"] is not None:
            periods.setdefault(row["campaign_id"], []).append(_period(row))
    series = (CampaignSeries(each, tuple(found)) for each, found in periods.items())
    return SeriesOfCampaigns(tuple(series), by, _as_of(rows))


def aggregated_stats(
    start: date | None,
    end: date | None,
    campaign_ids: Iterable[str] | None,
    granularity: Granularity | str,
) -> Question[AggregatedStats]:
    """Some or all campaigns as one, by period."""
    by, asked = _granularity(granularity), _each_once(campaign_ids)
    rows = yield _of_range("read_aggregated_stats", asked, start, end, by)
    periods = tuple(_period(row) for row in rows if row["period_start"] is not None)
    return AggregatedStats(periods, by, _as_of(rows))


def top_campaigns(
    start: date | None, end: date | None, metric: str, limit: int
) -> Question[SeriesOfCampaigns]:
    """The campaigns with the most of a metric, the first one first; each has one period."""
    if metric not in Metrics.names():
        raise UsageError(f"{metric!r} is none of {', '.join(Metrics.names())}")
    parameters = {"metric": metric, "rows_max": page_limit(limit), **_range(start, end)}
    rows = yield Ask("read_top_campaigns", parameters)
    series = (
        CampaignSeries(row["campaign_id"], (_period(row),))
        for row in rows
        if row["campaign_id"] is not None
    )
    return SeriesOfCampaigns(tuple(series), Granularity.ALL, _as_of(rows))


def totals_for_campaigns(campaign_ids: Iterable[str]) -> Question[TotalsOfCampaigns]:
    """All that ever happened in some campaigns."""
    asked = _each_once(campaign_ids) or []
    rows = yield Ask("read_campaign_totals", {"campaign_ids": asked})
    found = {
        row["campaign_id"]: CampaignTotals(
            row["campaign_id"],
            metrics(row),
            row["first_date"],
            row["last_date"],
            row["last_reply_date"],
            row["last_positive_reply_date"],
            _utc_or_none(row["last_activity"]),
        )
        for row in rows
        if row["campaign_id"] is not None
    }
    each = tuple(found.get(campaign_id) or CampaignTotals(campaign_id) for campaign_id in asked)
    return TotalsOfCampaigns(each, _as_of(rows))


def campaigns(containing: str | None, after: str | None, limit: int) -> Question[CampaignPage]:
    """A page of campaigns by id."""
    wanted = page_limit(limit)
    filters = {"containing": containing and text(containing), "after": after and text(after)}
    rows = yield Ask("read_campaigns", {**filters, "rows_max": wanted + 1})
    found = [
        Campaign(
            row["campaign_id"],
            row["first_date"],
            row["last_date"],
            _utc_or_none(row["last_activity"]),
        )
        for row in rows
        if row["campaign_id"] is not None
    ]
    page = tuple(found[:wanted])
    next_after = page[-1].campaign_id if len(found) > wanted else None
    return CampaignPage(page, next_after, _as_of(rows))


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
            **_range(start, end),
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
    return EventPage(campaign_id, tuple(page), next_before, _as_of(rows))


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


def utc(moment: datetime) -> datetime:
    """A time as UTC, whatever the session's time zone."""
    return moment.astimezone(UTC)


def _utc_or_none(moment: datetime | None) -> datetime | None:
    return None if moment is None else utc(moment)


def metrics(row: Row, suffix: str = "") -> Metrics:
    """Six columns of a row; sums are numeric in SQL, so that none overflows."""
    return Metrics(*(int(row[name + suffix] or 0) for name in Metrics.names()))


def _as_of(rows: Sequence[Row]) -> datetime:
    return utc(rows[0]["as_of"])


def _period(row: Row) -> PeriodStats:
    return PeriodStats(row["period_start"].replace(tzinfo=UTC), metrics(row))


def _range(start: date | None, end: date | None) -> dict[str, date | None]:
    if start is not None and end is not None and start > end:
        raise UsageError(f"the range begins on {start} and ends on {end}, before it")
    return {"start_date": start, "end_date": end}


def _of_range(
    name: str,
    campaign_ids: list[str] | None,
    start: date | None,
    end: date | None,
    by: Granularity,
) -> Ask:
    parameters = {"campaign_ids": campaign_ids, "granularity": by.value, **_range(start, end)}
    return Ask(name, parameters)


def _each_once(campaign_ids: Iterable[str] | None) -> list[str] | None:
    if isinstance(campaign_ids, str):
        raise UsageError(f"campaign ids are a list; for one campaign pass [{campaign_ids!r}]")
    return None if campaign_ids is None else [text(each) for each in dict.fromkeys(campaign_ids)]


def text(given: str) -> str:
    """Text as PostgreSQL can take it; raises UsageError where no stored text can equal it."""
    if "\0" in given or (not given.isascii() and _has_surrogates(given)):
        raise UsageError(f"{given[:80]!r} is no text: it holds a NUL or half a character")
    return given


def _has_surrogates(given: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in given)


def _granularity(name: Granularity | str) -> Granularity:
    try:
        return Granularity(name)
    except ValueError:
        raise UsageError(f"{name!r} is none of {', '.join(Granularity)}") from None


def page_limit(limit: int) -> int:
    """The rows of a page; raises UsageError."""
    if not 1 <= limit <= PAGE_ROWS_MAX:
        raise UsageError(f"a page has 1 to {PAGE_ROWS_MAX} rows, not {limit}")
    return limit
