"""The questions about statistics and campaigns; see `question` for how they are asked."""

from collections.abc import Iterable
from datetime import UTC, date, datetime

from ingester.errors import UsageError
from ingester.repository.question import (
    Ask,
    Question,
    Row,
    as_of,
    day_range,
    metrics,
    page_limit,
    text,
    utc,
)
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


def stats(campaign_id: str, start: date | None, end: date | None) -> Question[CampaignStats]:
    """One campaign over one range."""
    asked = [text(campaign_id)]
    rows = yield _of_range("read_stats", asked, start, end, Granularity.ALL, rows_max=None)
    found = [metrics(row) for row in rows if row["campaign_id"] is not None]
    return CampaignStats(campaign_id, start, end, Metrics.total(found), as_of(rows))


def stats_for_campaigns(
    campaign_ids: Iterable[str] | None,
    start: date | None,
    end: date | None,
    granularity: Granularity | str,
    rows_max: int | None,
) -> Question[SeriesOfCampaigns]:
    """Some or all campaigns by period; one row more than may be is read, to know of it."""
    by, asked = _granularity(granularity), _each_once(campaign_ids)
    limit = None if rows_max is None else rows_max + 1
    rows = yield _of_range("read_stats", asked, start, end, by, rows_max=limit)
    if rows_max is not None and len(rows) > rows_max:
        raise UsageError(f"that is more than {rows_max} rows: narrow the range or name campaigns")
    periods: dict[str, list[PeriodStats]] = {campaign_id: [] for campaign_id in asked or ()}
    for row in rows:
        if row["campaign_id"] is not None:
            periods.setdefault(row["campaign_id"], []).append(_period(row))
    series = (CampaignSeries(each, tuple(found)) for each, found in periods.items())
    return SeriesOfCampaigns(tuple(series), by, as_of(rows))


def aggregated_stats(
    start: date | None,
    end: date | None,
    campaign_ids: Iterable[str] | None,
    granularity: Granularity | str,
) -> Question[AggregatedStats]:
    """Some or all campaigns as one, by period."""
    by, asked = _granularity(granularity), _each_once(campaign_ids)
    if asked is None and by is Granularity.DAY:
        rows = yield Ask("read_days_of_all", day_range(start, end))
    else:
        rows = yield _of_range("read_aggregated_stats", asked, start, end, by)
    periods = tuple(_period(row) for row in rows if row["period_start"] is not None)
    return AggregatedStats(periods, by, as_of(rows))


def top_campaigns(
    start: date | None, end: date | None, metric: str, limit: int
) -> Question[SeriesOfCampaigns]:
    """The campaigns with the most of a metric, the first one first; each has one period."""
    if metric not in Metrics.names():
        raise UsageError(f"{metric!r} is none of {', '.join(Metrics.names())}")
    parameters = {"metric": metric, "rows_max": page_limit(limit), **day_range(start, end)}
    rows = yield Ask("read_top_campaigns", parameters)
    series = (
        CampaignSeries(row["campaign_id"], (_period(row),))
        for row in rows
        if row["campaign_id"] is not None
    )
    return SeriesOfCampaigns(tuple(series), Granularity.ALL, as_of(rows))


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
    return TotalsOfCampaigns(each, as_of(rows))


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
    return CampaignPage(page, next_after, as_of(rows))


def _utc_or_none(moment: datetime | None) -> datetime | None:
    return None if moment is None else utc(moment)


def _period(row: Row) -> PeriodStats:
    return PeriodStats(row["period_start"].replace(tzinfo=UTC), metrics(row))


def _of_range(
    name: str,
    campaign_ids: list[str] | None,
    start: date | None,
    end: date | None,
    by: Granularity,
    **more: object,
) -> Ask:
    asked = {"campaign_ids": campaign_ids, "granularity": by.value, **day_range(start, end)}
    return Ask(name, asked | more)


def _each_once(campaign_ids: Iterable[str] | None) -> list[str] | None:
    if isinstance(campaign_ids, str):
        raise UsageError(f"campaign ids are a list; for one campaign pass [{campaign_ids!r}]")
    return None if campaign_ids is None else [text(each) for each in dict.fromkeys(campaign_ids)]


def _granularity(name: Granularity | str) -> Granularity:
    try:
        return Granularity(name)
    except ValueError:
        raise UsageError(f"{name!r} is none of {', '.join(Granularity)}") from None
