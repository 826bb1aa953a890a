"""The repository over a pool of psycopg connections. What it answers stands in the questions."""

from collections.abc import Iterable
from datetime import date
from typing import Self

from psycopg import Connection
from psycopg.rows import TupleRow, dict_row

from ingester.new_event import NewEvent
from ingester.repository import changes, histories, questions, reasons
from ingester.repository.changes import Added, Refreshed
from ingester.repository.explanation import DEFAULT_COLUMNS, Explanation, LegacyColumns
from ingester.repository.history import EventKey, EventPage
from ingester.repository.pool import STATEMENT_SECONDS_MAX, SyncPool, asking, sync_pool
from ingester.repository.protocols import EventSink
from ingester.repository.question import Answer, Ask, Question, Row
from ingester.repository.statistics import (
    AggregatedStats,
    CampaignPage,
    CampaignStats,
    Granularity,
    SeriesOfCampaigns,
    TotalsOfCampaigns,
)
from ingester.settings import Settings, load_settings
from ingester.store.statements import about


class PostgresRepository:
    """Implements `CampaignEventRepository`; may be shared by threads.

    `pool` lends connections in autocommit mode. `connect` makes one, which `close` (or leaving the
    with block) gives back; a pool of the caller's own stays open. Where there is a `producer`,
    events are added through Kafka.
    """

    def __init__(self, pool: SyncPool, producer: EventSink | None = None) -> None:
        self._pool = pool
        self._producer = producer
        self._owns_pool = False

    @classmethod
    def connect(
        cls,
        settings: Settings | None = None,
        *,
        connections_max: int = 4,
        statement_seconds_max: float = STATEMENT_SECONDS_MAX,
        producer: EventSink | None = None,
        reads_only: bool = False,
    ) -> Self:
        """Connect as the settings (DATABASE_URL, PG*) say, with a time limit for each statement.

        `reads_only`: PostgreSQL refuses to write, whatever the login may do.
        """
        pool = sync_pool(
            settings or load_settings(),
            connections_max,
            statement_seconds_max,
            reads_only=reads_only,
        )
        repository = cls(pool, producer)
        repository._owns_pool = True
        return repository

    def close(self) -> None:
        """Close the connections, unless the pool is the caller's."""
        if self._owns_pool:
            self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get_stats(
        self, campaign_id: str, start_date: date | None = None, end_date: date | None = None
    ) -> CampaignStats:
        return self._answer(questions.stats(campaign_id, start_date, end_date))

    def get_stats_for_campaigns(
        self,
        campaign_ids: Iterable[str] | None,
        start_date: date | None = None,
        end_date: date | None = None,
        granularity: Granularity | str = Granularity.DAY,
        *,
        rows_max: int | None = None,
    ) -> SeriesOfCampaigns:
        return self._answer(
            questions.stats_for_campaigns(campaign_ids, start_date, end_date, granularity, rows_max)
        )

    def get_aggregated_stats(
        self,
        start_date: date | None = None,
        end_date: date | None = None,
        campaign_ids: Iterable[str] | None = None,
        granularity: Granularity | str = Granularity.DAY,
    ) -> AggregatedStats:
        return self._answer(
            questions.aggregated_stats(start_date, end_date, campaign_ids, granularity)
        )

    def get_aggregated_daily_stats(
        self,
        start_date: date | None = None,
        end_date: date | None = None,
        campaign_ids: Iterable[str] | None = None,
    ) -> AggregatedStats:
        return self.get_aggregated_stats(start_date, end_date, campaign_ids)

    def get_aggregated_totals_for_campaigns(self, campaign_ids: Iterable[str]) -> TotalsOfCampaigns:
        return self._answer(questions.totals_for_campaigns(campaign_ids))

    def get_top_campaigns(
        self,
        start_date: date | None = None,
        end_date: date | None = None,
        metric: str = "sent",
        limit: int = 10,
    ) -> SeriesOfCampaigns:
        return self._answer(questions.top_campaigns(start_date, end_date, metric, limit))

    def list_campaigns(
        self, containing: str | None = None, after: str | None = None, limit: int = 100
    ) -> CampaignPage:
        return self._answer(questions.campaigns(containing, after, limit))

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
        return self._answer(
            histories.event_history(
                campaign_id, start_date, end_date, before, limit, details=details
            )
        )

    def explain(
        self,
        campaign_id: str,
        day: date,
        *,
        after: EventKey | None = None,
        limit: int = 100,
        legacy: LegacyColumns = DEFAULT_COLUMNS,
    ) -> Explanation:
        return self._answer(reasons.explanation(campaign_id, day, after, limit, legacy))

    def add_event(self, event: NewEvent) -> Added:
        return self.add_bulk_events([event])

    def add_bulk_events(self, events: Iterable[NewEvent]) -> Added:
        found = list(events)
        if self._producer is None:
            return self._answer(changes.add_events(found))
        self._producer.publish_all(found)
        self._producer.flush()
        return Added(len(found), None, None, None)

    def refresh(self) -> Refreshed:
        return self._answer(changes.refresh())

    def create_partition_for_date(self, day: date) -> str:
        return self._answer(changes.create_partition(day))

    def cleanup_old_partitions(self, months_to_keep: int) -> date | None:
        return self._answer(changes.cleanup_partitions(months_to_keep))

    def _answer(self, question: Question[Answer]) -> Answer:
        with asking(), self._pool.connection() as connection:
            try:
                ask = next(question)
                while True:
                    ask = question.send(_rows(connection, ask))
            except StopIteration as answered:
                answer: Answer = answered.value
                return answer


def _rows(connection: Connection[TupleRow], ask: Ask) -> list[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(about(ask.name, **ask.identifiers), ask.parameters)
        return [*cursor.fetchall()] if cursor.description else []
