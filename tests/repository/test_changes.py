"""What a repository writes without Kafka; through Kafka: tests/acceptance/test_producer.py."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, date, datetime

import psycopg
import pytest
from pydantic import SecretStr

from ingester.errors import InvalidEvent, NotPermitted
from ingester.repository import (
    Added,
    AsyncCampaignEventRepository,
    AsyncPostgresRepository,
    CampaignEventRepository,
    Metrics,
    NewEvent,
    PostgresRepository,
)
from ingester.settings import Settings
from tests.sql.history import History, at

NOW = datetime.now(UTC)


def opened(campaign_id: str = "c", count: int = 1) -> NewEvent:
    return NewEvent(campaign_id=campaign_id, event_type="opened", occurred_at=NOW, count=count)


def test_an_event_added_twice_counts_once(repository: PostgresRepository) -> None:
    event = opened(count=3)
    assert repository.add_event(event) == Added(1, inserted=1, duplicates=0, conflicting=0)
    assert repository.add_event(event) == Added(1, inserted=0, duplicates=1, conflicting=0)
    assert repository.get_stats("c").metrics == Metrics()
    assert repository.refresh().events == 1
    assert repository.get_stats("c").metrics == Metrics(opened=3)


def test_of_several_events_all_are_written_or_none(repository: PostgresRepository) -> None:
    naive = NewEvent(campaign_id="c", event_type="sent", occurred_at=datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(InvalidEvent, match="invalid_value: occurred_at"):
        repository.add_bulk_events([opened(), naive])
    assert repository.refresh().events == 0
    added = repository.add_bulk_events([opened(), opened("d"), opened()])
    assert added.inserted == 3
    assert repository.add_bulk_events([]) == Added(0, 0, 0, 0)


def test_the_async_repository_writes_the_same(settings: Settings) -> None:
    async def write() -> Metrics:
        async with await AsyncPostgresRepository.connect(settings) as repository:
            typed: AsyncCampaignEventRepository = repository
            await typed.add_bulk_events([opened(count=2), opened(count=5)])
            assert (await typed.refresh()).events == 2
            return (await typed.get_stats("c")).metrics

    assert asyncio.run(write()) == Metrics(opened=7)


def test_partitions_are_made_and_dropped_and_statistics_stay(
    history: History, repository: PostgresRepository
) -> None:
    typed: CampaignEventRepository = repository
    assert typed.create_partition_for_date(date(2024, 2, 29)) == "campaign_events_2024_02"
    assert typed.create_partition_for_date(date(2024, 2, 1)) == "campaign_events_2024_02"
    typed.add_event(
        NewEvent(campaign_id="c", event_type="sent", occurred_at=at("2024-02-10 10:00"))
    )
    typed.refresh()
    months = [datetime.now(UTC).date().replace(day=1)]
    kept_since = typed.cleanup_old_partitions(1)
    months.append(datetime.now(UTC).date().replace(day=1))
    assert kept_since in months, "the month may have ended meanwhile"
    assert typed.get_event_history("c").events == ()
    assert typed.get_stats("c").metrics == Metrics(sent=1)
    assert history.query("SELECT to_regclass('campaign_events_2024_02')") == [(None,)]


class Sink:
    """A producer that keeps what it is given."""

    def __init__(self) -> None:
        self.events: list[NewEvent] = []
        self.flushed = 0

    def publish_all(self, events: Iterable[NewEvent]) -> None:
        self.events += events

    def flush(self) -> None:
        self.flushed += 1


def test_with_a_producer_events_go_there_and_are_waited_for(settings: Settings) -> None:
    sink = Sink()
    with PostgresRepository.connect(settings, producer=sink) as repository:
        events = [opened(), opened("d")]
        assert repository.add_bulk_events(events) == Added(2, None, None, None)
        assert (sink.events, sink.flushed) == (events, 1)
        assert repository.refresh().events == 0


def test_a_refused_login_is_told_at_once_and_not_after_a_time_out(database_url: str) -> None:
    wrong = psycopg.conninfo.make_conninfo(database_url, user="nobody_we_know")
    with pytest.raises(NotPermitted, match="nobody_we_know"):
        PostgresRepository.connect(Settings(database_url=SecretStr(wrong)))


def test_a_connection_that_broke_is_replaced_before_anybody_notices(
    history: History, repository: PostgresRepository
) -> None:
    repository.get_stats("c")
    history.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'ingester-repository' AND datname = current_database()"
    )
    assert repository.get_stats("c").metrics == Metrics()
