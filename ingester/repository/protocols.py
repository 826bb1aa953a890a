"""What a repository can do: the type to program against, and to replace by a fake in tests.

Dates are UTC days, both ends of a range are inside it, None is no bound. Every number counts the
folded events, as the views do; `as_of` on each answer says as of when that is everything.

Raises, whatever is called: UsageError for arguments that make no sense, TemporaryError where the
database cannot be reached or no connection is free (try again), NotPermitted where the login may
not, NeedsAPerson where the schema is missing.
"""

from collections.abc import Iterable
from datetime import date
from typing import Protocol

from ingester.new_event import NewEvent
from ingester.repository.changes import Added, Refreshed
from ingester.repository.explanation import DEFAULT_COLUMNS, Explanation, LegacyColumns
from ingester.repository.history import EventKey, EventPage
from ingester.repository.statistics import (
    AggregatedStats,
    CampaignPage,
    CampaignStats,
    Granularity,
    SeriesOfCampaigns,
    TotalsOfCampaigns,
)


class CampaignEventReader(Protocol):
    """Reads statistics and events; the role `ingester_reader` may do all of it but `details`."""

    def get_stats(
        self, campaign_id: str, start_date: date | None = None, end_date: date | None = None
    ) -> CampaignStats:
        """One campaign over one range; all zero without data, also for an unknown campaign."""

    def get_stats_for_campaigns(
        self,
        campaign_ids: Iterable[str] | None,
        start_date: date | None = None,
        end_date: date | None = None,
        granularity: Granularity | str = Granularity.DAY,
        *,
        rows_max: int | None = None,
    ) -> SeriesOfCampaigns:
        """Campaigns by period, each once and in the order asked; None: all that have data.

        Hours are counted from the events: UsageError where the range begins before the retention
        floor. `rows_max` bounds the periods of all campaigns together: UsageError where there are
        more.
        """

    def get_aggregated_stats(
        self,
        start_date: date | None = None,
        end_date: date | None = None,
        campaign_ids: Iterable[str] | None = None,
        granularity: Granularity | str = Granularity.DAY,
    ) -> AggregatedStats:
        """Some or all campaigns as one, by period."""

    def get_aggregated_daily_stats(
        self,
        start_date: date | None = None,
        end_date: date | None = None,
        campaign_ids: Iterable[str] | None = None,
    ) -> AggregatedStats:
        """Some or all campaigns as one, by day."""

    def get_aggregated_totals_for_campaigns(self, campaign_ids: Iterable[str]) -> TotalsOfCampaigns:
        """All that ever happened in each of them and (`total`) in all; with last reply dates."""

    def get_top_campaigns(
        self,
        start_date: date | None = None,
        end_date: date | None = None,
        metric: str = "sent",
        limit: int = 10,
    ) -> SeriesOfCampaigns:
        """The campaigns with the most of a metric over a range, the first one first."""

    def list_campaigns(
        self, containing: str | None = None, after: str | None = None, limit: int = 100
    ) -> CampaignPage:
        """A page of campaigns by id; `containing` finds a part of the id, whatever its case.

        Which letters have a case is for the database's locale to know: for C those of ASCII alone.
        """

    def get_event_history(
        self,
        campaign_id: str,
        start_date: date | None = None,
        end_date: date | None = None,
        *,
        before: EventKey | None = None,
        limit: int = 100,
        details: bool = False,
    ) -> EventPage:
        """A page of a campaign's events, the newest first; `before` is a page's `next_before`.

        `details` adds e-mail account and metadata, which `ingester_reader` may not read.
        """

    def explain(
        self,
        campaign_id: str,
        day: date,
        *,
        after: EventKey | None = None,
        limit: int = 100,
        legacy: LegacyColumns = DEFAULT_COLUMNS,
    ) -> Explanation:
        """The events behind a campaign's UTC day, in the order of their times, and their sources.

        A page of `limit` events and at most `limit` ranges of the ledger; totals are of all.
        `after` is a page's `next_after`. `legacy` names the legacy table's columns.
        """


class EventSink(Protocol):
    """Where new events go instead of into the database: `ingester.producer.EventProducer`."""

    def publish_all(self, events: Iterable[NewEvent]) -> None:
        """Hand events over."""

    def flush(self) -> None:
        """Wait until they are delivered."""


class CampaignEventRepository(CampaignEventReader, Protocol):
    """Reads, adds events and keeps house; the counterpart of the old ICampaignEventRepository."""

    def add_event(self, event: NewEvent) -> Added:
        """Add one event: through Kafka where the repository has a producer, else by SQL.

        Raises InvalidEvent where the ingester would reject it. After a TemporaryError add the same
        object again: it counts once.
        """

    def add_bulk_events(self, events: Iterable[NewEvent]) -> Added:
        """Add several; by SQL all of them or none."""

    def refresh(self) -> Refreshed:
        """Fold what has arrived into the statistics. `ingester refresh` does so every second."""

    def create_partition_for_date(self, day: date) -> str:
        """Make the monthly partition that holds a day, unless it exists; returns its name."""

    def cleanup_old_partitions(self, months_to_keep: int) -> date | None:
        """Drop the events of months before the last ones, the current one being the first of them.

        Statistics stay. Returns the first day whose events are kept.
        """


class AsyncCampaignEventReader(Protocol):
    """The same for asyncio; see `CampaignEventReader`."""

    async def get_stats(
        self, campaign_id: str, start_date: date | None = None, end_date: date | None = None
    ) -> CampaignStats: ...

    async def get_stats_for_campaigns(
        self,
        campaign_ids: Iterable[str] | None,
        start_date: date | None = None,
        end_date: date | None = None,
        granularity: Granularity | str = Granularity.DAY,
        *,
        rows_max: int | None = None,
    ) -> SeriesOfCampaigns: ...

    async def get_aggregated_stats(
        self,
        start_date: date | None = None,
        end_date: date | None = None,
        campaign_ids: Iterable[str] | None = None,
        granularity: Granularity | str = Granularity.DAY,
    ) -> AggregatedStats: ...

    async def get_aggregated_daily_stats(
        self,
        start_date: date | None = None,
        end_date: date | None = None,
        campaign_ids: Iterable[str] | None = None,
    ) -> AggregatedStats: ...

    async def get_aggregated_totals_for_campaigns(
        self, campaign_ids: Iterable[str]
    ) -> TotalsOfCampaigns: ...

    async def get_top_campaigns(
        self,
        start_date: date | None = None,
        end_date: date | None = None,
        metric: str = "sent",
        limit: int = 10,
    ) -> SeriesOfCampaigns: ...

    async def list_campaigns(
        self, containing: str | None = None, after: str | None = None, limit: int = 100
    ) -> CampaignPage: ...

    async def get_event_history(
        self,
        campaign_id: str,
        start_date: date | None = None,
        end_date: date | None = None,
        *,
        before: EventKey | None = None,
        limit: int = 100,
        details: bool = False,
    ) -> EventPage: ...

    async def explain(
        self,
        campaign_id: str,
        day: date,
        *,
        after: EventKey | None = None,
        limit: int = 100,
        legacy: LegacyColumns = DEFAULT_COLUMNS,
    ) -> Explanation: ...


class AsyncCampaignEventRepository(AsyncCampaignEventReader, Protocol):
    """The same for asyncio; see `CampaignEventRepository`."""

    async def add_event(self, event: NewEvent) -> Added: ...

    async def add_bulk_events(self, events: Iterable[NewEvent]) -> Added: ...

    async def refresh(self) -> Refreshed: ...

    async def create_partition_for_date(self, day: date) -> str: ...

    async def cleanup_old_partitions(self, months_to_keep: int) -> date | None: ...
