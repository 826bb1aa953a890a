"""Reading the statistics from an application: the repository, without Kafka.

    statistics    metrics, rates, and the answers made of them; pure
    history       events one by one, a page at a time; pure
    explanation   the events behind a number, and where they came from; pure
    protocols     what a repository can do, to program and to test against
    questions     which statements each answer takes, and how rows become answers; no connection
    reasons       the same for an explanation
    postgres      the repository over a pool of psycopg         asynchronous   the same for asyncio

Answers are frozen; numbers are exact integers; times are UTC; `as_of` is the moment as of which an
answer is complete: whatever had been written before it is counted. docs/reading.md has examples.
"""

from ingester.repository.asynchronous import AsyncPostgresRepository
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
from ingester.repository.protocols import AsyncCampaignEventReader, CampaignEventReader
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
    "AggregatedStats",
    "AsyncCampaignEventReader",
    "AsyncPostgresRepository",
    "BatchTotals",
    "Campaign",
    "CampaignEventReader",
    "CampaignPage",
    "CampaignSeries",
    "CampaignStats",
    "CampaignTotals",
    "EventKey",
    "EventPage",
    "ExplainedEvent",
    "Explanation",
    "Granularity",
    "LedgerRange",
    "LegacyColumns",
    "LegacyEntry",
    "Metrics",
    "PeriodStats",
    "PostgresRepository",
    "SeriesOfCampaigns",
    "StoredEvent",
    "TotalsOfCampaigns",
]
