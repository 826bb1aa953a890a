"""Reading the statistics from an application: the repository, without Kafka.

    statistics    metrics, rates, and the answers made of them; pure
    history       events one by one, a page at a time; pure
    explanation   the events behind a number, and where they came from; pure
    protocols     what a repository can do, to program and to test against
    question      what an answer takes: statements asked for, rows sent back; no connection
    questions     those about statistics and campaigns
    histories     that about a history
    reasons       that about an explanation
    changes       those that write
    pool          connections with our login and session
    postgres      the repository
    asynchronous  the repository for asyncio

Answers are frozen; numbers are exact integers; times are UTC; `as_of` is the moment as of which an
answer is complete: whatever had been written before it is counted. docs/reading.md has examples.
"""

from ingester.new_event import NewEvent
from ingester.repository.asynchronous import AsyncPostgresRepository
from ingester.repository.changes import Added, Refreshed
from ingester.repository.explanation import (
    BatchTotals,
    ExplainedEvent,
    Explanation,
    LedgerRange,
    LegacyColumns,
    LegacyEntry,
)
from ingester.repository.history import EventKey, EventPage, StoredEvent
from ingester.repository.postgres import PostgresRepository
from ingester.repository.protocols import (
    AsyncCampaignEventReader,
    AsyncCampaignEventRepository,
    CampaignEventReader,
    CampaignEventRepository,
    EventSink,
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

__all__ = [
    "Added",
    "AggregatedStats",
    "AsyncCampaignEventReader",
    "AsyncCampaignEventRepository",
    "AsyncPostgresRepository",
    "BatchTotals",
    "Campaign",
    "CampaignEventReader",
    "CampaignEventRepository",
    "CampaignPage",
    "CampaignSeries",
    "CampaignStats",
    "CampaignTotals",
    "EventKey",
    "EventPage",
    "EventSink",
    "ExplainedEvent",
    "Explanation",
    "Granularity",
    "LedgerRange",
    "LegacyColumns",
    "LegacyEntry",
    "Metrics",
    "NewEvent",
    "PeriodStats",
    "PostgresRepository",
    "Refreshed",
    "SeriesOfCampaigns",
    "StoredEvent",
    "TotalsOfCampaigns",
]
