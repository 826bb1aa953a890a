"""The routes that campaign managers need; each is one answer of the repository.

A campaign's id is a parameter and never part of a path: it may hold slashes, dots, anything.
"""

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from ingester.dashboard import answer
from ingester.dashboard.question import (
    STATS_ROWS_MAX,
    CampaignId,
    CampaignIds,
    Day,
    Format,
    InRange,
    Key,
    Metric,
    PageRows,
    Range,
    checked,
    event_key,
)
from ingester.dashboard.shared import Shared
from ingester.dashboard.spreadsheet import as_csv
from ingester.repository import (
    AggregatedStats,
    AsyncPostgresRepository,
    CampaignSeries,
    Granularity,
)

router = APIRouter()

_SUMMED_DAYS_MAX: Final = 100
"""Of longer ranges the totals come sooner from whole months."""


def _repository(request: Request) -> AsyncPostgresRepository:
    found: AsyncPostgresRepository = request.app.state.repository
    return found


def _shared(request: Request) -> Shared:
    found: Shared = request.app.state.shared
    return found


@router.get("/totals")
async def totals(request: Request, days: InRange, campaign: CampaignIds = None) -> answer.Totals:
    """All campaigns, or some, over a range; and over the range before it, to compare."""
    asked = checked(campaign, days, Granularity.ALL)
    found = await _by_day(request, days, asked)
    if found is None:
        found = await _aggregated(request, days, asked, Granularity.ALL)
    previous = None
    if days.before is not None:
        earlier = await _by_day(request, days, asked, before=True)
        if earlier is None:
            earlier = await _aggregated(request, days.before, asked, Granularity.ALL)
        previous = answer.Numbers.of(earlier.total)
    return answer.Totals(
        as_of=found.as_of, totals=answer.Numbers.of(found.total), previous=previous
    )


@router.get("/trend", response_model=answer.Trend)
async def trend(
    request: Request,
    days: InRange,
    campaign: CampaignIds = None,
    by: Granularity = Granularity.DAY,
    format: Format = Format.JSON,  # noqa: A002 - as it is called in the address
) -> answer.Trend | Response:
    """All campaigns, or some, as one, by period; periods without data are left out."""
    asked = checked(campaign, days, by)
    found = await _by_day(request, days, asked) if by is Granularity.DAY else None
    if found is None:
        found = await _aggregated(request, days, asked, by)
    periods = [
        answer.Period.of(period.metrics, period_start=period.period_start)
        for period in found.periods
    ]
    if format is Format.CSV:
        return _csv(answer.Period, periods, "trend", "period_start")
    return answer.Trend.model_construct(as_of=found.as_of, by=by, periods=periods)


@router.get("/stats", response_model=answer.Stats)
async def stats(
    request: Request,
    days: InRange,
    campaign: CampaignIds = None,
    by: Granularity = Granularity.DAY,
    format: Format = Format.JSON,  # noqa: A002
) -> answer.Stats | Response:
    """Each campaign by period, exactly as `get_campaign_stats` answers."""
    asked = checked(campaign, days, by)
    read = _repository(request).get_stats_for_campaigns
    found = await _shared(request).ask(
        read, asked, days.first, days.last, by, rows_max=STATS_ROWS_MAX
    )
    rows = _rows(found.campaigns)
    if format is Format.CSV:
        return _csv(answer.Row, rows, "stats", "campaign_id", "period_start")
    return answer.Stats.model_construct(as_of=found.as_of, by=by, rows=rows)


@router.get("/top", response_model=answer.Top)
async def top(
    request: Request,
    days: InRange,
    metric: Metric = Metric.SENT,
    limit: PageRows = 10,
    format: Format = Format.JSON,  # noqa: A002
) -> answer.Top | Response:
    """The campaigns with the most of a metric over a range."""
    found = await _shared(request).ask(
        _repository(request).get_top_campaigns, days.first, days.last, metric.value, limit
    )
    ranked = [
        answer.Ranked.of(series.total, campaign_id=series.campaign_id) for series in found.campaigns
    ]
    if format is Format.CSV:
        return _csv(answer.Ranked, ranked, "top-campaigns", "campaign_id")
    return answer.Top.model_construct(as_of=found.as_of, campaigns=ranked)


@router.get("/campaigns")
async def campaigns(
    request: Request,
    containing: Annotated[str | None, Query(min_length=1, max_length=255)] = None,
    after: Annotated[str | None, Query(max_length=255)] = None,
    limit: PageRows = 20,
) -> answer.Campaigns:
    """Campaigns by id, a page at a time; `containing` finds a part of it, whatever its case."""
    found = await _shared(request).ask(
        _repository(request).list_campaigns, containing, after, limit
    )
    return answer.Campaigns(
        as_of=found.as_of,
        campaigns=[answer.Known.of(each) for each in found.campaigns],
        next_after=found.next_after,
    )


@router.get("/campaign")
async def campaign(request: Request, campaign: CampaignId) -> answer.Profile:
    """All that ever happened in one campaign."""
    found = await _shared(request).ask(
        _repository(request).get_aggregated_totals_for_campaigns, (campaign,)
    )
    return answer.Profile.of_totals(found.campaigns[0], campaign, found.as_of)


@router.get("/events", response_model=answer.Events)
async def events(
    request: Request,
    campaign: CampaignId,
    days: InRange,
    before: Key = None,
    limit: PageRows = 50,
    format: Format = Format.JSON,  # noqa: A002
) -> answer.Events | Response:
    """A campaign's events, the newest first; `before` is the page's `next_before`.

    As CSV a page names the next one in a header, `Link: <…>; rel="next"`.
    """
    page = await _shared(request).ask(
        _repository(request).get_event_history,
        campaign,
        days.first,
        days.last,
        before=event_key(before),
        limit=limit,
    )
    found = [answer.Event.of(event) for event in page.events]
    next_before = None if page.next_before is None else str(page.next_before)
    if format is Format.CSV:
        sheet = _csv(answer.Event, found, "events")
        if next_before is not None:
            older = request.url.include_query_params(before=next_before)
            sheet.headers["Link"] = f'<{older.path}?{older.query}>; rel="next"'
        return sheet
    return answer.Events(as_of=page.as_of, events=found, next_before=next_before)


@router.get("/why")
async def why(
    request: Request, campaign: CampaignId, day: Day, after: Key = None, limit: PageRows = 50
) -> answer.Why:
    """The events behind a campaign's UTC day: where they came from, and what came with them."""
    found = await _shared(request).ask(
        _repository(request).explain,
        campaign,
        day,
        after=event_key(after),
        limit=limit,
        legacy=request.app.state.legacy,
    )
    return answer.Why(
        as_of=found.as_of,
        shown=answer.Numbers.of(found.shown),
        counted=answer.Numbers.of(found.metrics),
        events_total=found.events_total,
        events=[answer.ExplainedEvent.of_explained(each) for each in found.events],
        next_after=None if found.next_after is None else str(found.next_after),
        ranges=[answer.LedgerRange.of_range(one) for one in found.sources],
        ranges_total=found.totals.ranges,
        records=found.totals.records,
        duplicates=found.totals.duplicates,
        conflicting=found.totals.conflicting,
        rejected=found.totals.rejected,
        is_below_floor=found.is_below_floor,
        legacy=None
        if found.legacy is None
        else answer.Legacy(
            table=found.legacy.table, rows=list(found.legacy.rows), problem=found.legacy.problem
        ),
    )


async def _aggregated(
    request: Request, days: Range, campaigns: tuple[str, ...] | None, by: Granularity
) -> AggregatedStats:
    read = _repository(request).get_aggregated_stats
    return await _shared(request).ask(read, days.first, days.last, campaigns, by)


async def _by_day(
    request: Request, days: Range, campaigns: tuple[str, ...] | None, *, before: bool = False
) -> AggregatedStats | None:
    """The range, or the one before it, out of one answer for totals and trend; None: too long."""
    earlier = days.before
    if earlier is None or days.length > _SUMMED_DAYS_MAX:
        return None
    both = Range(earlier.first, days.last)
    found = await _aggregated(request, both, campaigns, Granularity.DAY)
    wanted = earlier if before else days
    return found.within(wanted.first, wanted.last)


def _rows(campaigns: Sequence[CampaignSeries]) -> list[answer.Row]:
    return [
        answer.Row.of(
            period.metrics, campaign_id=series.campaign_id, period_start=period.period_start
        )
        for series in campaigns
        for period in series.periods
    ]


def _csv(model: type[BaseModel], rows: Sequence[BaseModel], name: str, *first: str) -> Response:
    """`first`: the columns that come first."""
    columns = [*first, *(column for column in model.model_fields if column not in first)]
    text = as_csv(columns, (row.model_dump(mode="json") for row in rows))
    disposition = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=disposition)
