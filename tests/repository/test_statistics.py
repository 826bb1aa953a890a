"""Numbers through the repository are the numbers of the functions, and of the events."""

import asyncio
import random
from dataclasses import astuple
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from ingester.errors import UsageError
from ingester.repository import (
    AsyncPostgresRepository,
    CampaignSeries,
    Metrics,
    PostgresRepository,
    questions,
)
from ingester.settings import Settings
from ingester.store.migrator import migrate
from ingester.store.statements import statement
from tests.databases import Databases
from tests.repository.queries import CAMPAIGNS, FIRST, LAST, as_one, as_series, random_query
from tests.sql.history import Event, History, at, random_events


@pytest.mark.timeout(300)
def test_300_random_queries_are_answered_as_the_functions_answer_them(
    history: History, settings: Settings, repository: PostgresRepository
) -> None:
    rng = random.Random("repository")
    for _ in range(6):
        history.ingest(random_events(rng, CAMPAIGNS, FIRST, LAST, 60))
    history.refresh(5)  # one batch stays unfolded: it counts nowhere
    queries = [random_query(rng, number) for number in range(300)]
    answers = 0

    async def ask_in_parallel() -> list[Any]:
        async with await AsyncPostgresRepository.connect(settings) as parallel:
            return [
                await asyncio.gather(
                    parallel.get_stats_for_campaigns(ids, start, end, by),
                    parallel.get_aggregated_stats(start, end, ids, by),
                    parallel.get_stats("alpha", start, end),
                )
                for ids, start, end, by in queries
            ]

    for query, in_parallel in zip(queries, asyncio.run(ask_in_parallel()), strict=True):
        ids, start, end, by = query
        told = history.query("SELECT * FROM get_campaign_stats(%s, %s, %s, %s)",
                             ids, start, end, by)  # fmt: skip
        assert told == history.truth(ids, start, end, by), query
        answers += len(told) > 0
        series = repository.get_stats_for_campaigns(ids, start, end, by)
        as_rows = {each.campaign_id: list(each.periods) for each in series.campaigns}
        assert as_rows == as_series(told, ids), query
        aggregated = repository.get_aggregated_stats(start, end, ids, by)
        as_rows_too = [(each.period_start, *astuple(each.metrics)) for each in aggregated.periods]
        assert as_rows_too == as_one(told, by), query
        stats = repository.get_stats("alpha", start, end)
        alpha = history.truth(["alpha"], start, end, "all")
        assert astuple(stats.metrics) == (alpha[0][2:] if alpha else (0,) * 6), query
        assert in_parallel[0].campaigns == series.campaigns, query
        assert in_parallel[1].periods == aggregated.periods, query
        assert in_parallel[2].metrics == stats.metrics, query
    assert answers > 200, "the ranges must hit events, or this shows nothing"


def test_a_campaign_without_data_has_a_zero_result_and_undefined_rates(
    repository: PostgresRepository,
) -> None:
    unknown = "Robert'); DROP TABLE campaigns;--"
    stats = repository.get_stats(unknown, date(2025, 1, 1), date(2025, 1, 31))
    assert (stats.campaign_id, stats.metrics) == (unknown, Metrics())
    assert stats.metrics.open_rate is None
    assert stats.metrics.positive_rate is None
    assert repository.get_stats_for_campaigns([unknown]).campaigns == (CampaignSeries(unknown),)
    totals = repository.get_aggregated_totals_for_campaigns([unknown, unknown])
    assert [total.last_reply_date for total in totals.campaigns] == [None]
    assert totals.total.metrics == Metrics()
    assert repository.get_event_history(unknown).events == ()
    assert repository.get_top_campaigns().campaigns == ()
    assert repository.list_campaigns().campaigns == ()


def test_rates_are_shares_of_what_was_sent_and_positive_ones_of_replies() -> None:
    metrics = Metrics(sent=200, opened=50, clicked=10, replied=8, positive_replies=2, bounced=1)
    assert metrics.open_rate == 0.25
    assert metrics.click_rate == 0.05
    assert metrics.reply_rate == 0.04
    assert metrics.positive_rate == 0.25
    assert metrics.bounce_rate == 0.005


def test_an_answer_is_as_of_the_oldest_batch_that_waits_to_be_folded(
    history: History, repository: PostgresRepository
) -> None:
    history.ingest([Event("c", at("2025-03-05 10:20"))])
    history.refresh()
    before = datetime.now(UTC)
    assert repository.get_stats("c").as_of >= before
    history.ingest([Event("c", at("2025-03-05 10:21"))])
    ((waiting_since,),) = history.query(
        "SELECT ingested_at FROM ingest_batches WHERE folded_at IS NULL"
    )
    history.ingest([Event("c", at("2025-03-05 10:22"))])
    for answer in (
        repository.get_stats("c"),
        repository.get_stats_for_campaigns(["c"]),
        repository.get_aggregated_daily_stats(),
        repository.get_aggregated_totals_for_campaigns(["c"]),
        repository.get_top_campaigns(),
        repository.list_campaigns(),
        repository.get_event_history("c"),
    ):
        assert answer.as_of == waiting_since, answer
    assert repository.get_stats("c").metrics.sent == 1


def test_totals_tell_when_a_campaign_was_last_answered(
    history: History, repository: PostgresRepository
) -> None:
    history.ingest(
        [
            Event("a", at("2025-03-05 23:59"), "sent", 7),
            Event("a", at("2025-03-07 00:00"), "replied"),
            Event("a", at("2025-03-06 12:00"), "positive_reply"),
            Event("a", at("2025-03-09 08:30"), "opened", 3),
            Event("b", at("2025-04-01 12:00"), "replied", 2),
        ]
    )
    history.refresh()
    totals = repository.get_aggregated_totals_for_campaigns(["b", "none", "a"])
    assert [total.campaign_id for total in totals.campaigns] == ["b", "none", "a"]
    a = totals.campaigns[2]
    assert a.metrics == Metrics(sent=7, opened=3, replied=1, positive_replies=1)
    assert (a.first_date, a.last_date) == (date(2025, 3, 5), date(2025, 3, 9))
    assert a.last_reply_date == date(2025, 3, 7)
    assert a.last_positive_reply_date == date(2025, 3, 6)
    assert a.last_activity == at("2025-03-09 08:30")
    assert totals.total.metrics == Metrics(sent=7, opened=3, replied=3, positive_replies=1)
    assert totals.total.last_reply_date == date(2025, 4, 1)
    assert totals.total.last_positive_reply_date == date(2025, 3, 6)


def test_the_top_campaigns_are_those_with_the_most_of_a_metric(
    history: History, repository: PostgresRepository
) -> None:
    history.ingest(
        [
            Event("a", at("2025-03-05 10:00"), "opened", 2),
            Event("b", at("2025-03-05 10:00"), "opened", 9),
            Event("c", at("2025-03-05 10:00"), "opened", 9),
            Event("a", at("2025-05-05 10:00"), "opened", 50),
        ]
    )
    history.refresh()
    top = repository.get_top_campaigns(None, date(2025, 4, 1), "opened", 2)
    assert [(each.campaign_id, each.total.opened) for each in top.campaigns] == [("b", 9), ("c", 9)]


def test_campaigns_are_listed_page_by_page_without_gap_or_repeat(
    history: History, repository: PostgresRepository
) -> None:
    names = [f"Camp {number:02}" for number in range(25)]
    history.ingest([Event(name, at("2025-03-05 10:00")) for name in names])
    history.refresh()
    found, after = [], None
    while True:
        page = repository.list_campaigns(after=after, limit=10)
        found += [campaign.campaign_id for campaign in page.campaigns]
        after = page.next_after
        if after is None:
            break
    assert found == names
    ten = repository.list_campaigns(containing="MP 1").campaigns
    assert [campaign.campaign_id for campaign in ten] == names[10:20]
    assert ten[0].first_date == ten[0].last_date == date(2025, 3, 5)


def test_a_campaign_is_found_whatever_its_case_in_the_language_of_the_database(
    databases: Databases,
) -> None:
    name = databases.empty(locale="C.UTF-8")
    url = databases.url_of(name)
    with History(url) as history:
        migrate(history.connection)
        history.ingest([Event("Äpfel, ЯБЛОКИ", at("2025-03-05 10:00"))])
        history.refresh()
    with PostgresRepository.connect(Settings(database_url=SecretStr(url))) as repository:
        for containing in ("äPFEL", "яблоки", "Äpfel"):
            (found,) = repository.list_campaigns(containing=containing).campaigns
            assert found.campaign_id == "Äpfel, ЯБЛОКИ"
        assert repository.list_campaigns(containing="apfel").campaigns == ()
    databases.drop(name)


@pytest.mark.parametrize("given", ["a\0b", "\ud800"])
def test_what_is_no_text_is_refused_before_it_reaches_the_database(
    repository: PostgresRepository, given: str
) -> None:
    with pytest.raises(UsageError, match="no text"):
        repository.get_stats(given)
    with pytest.raises(UsageError, match="no text"):
        repository.list_campaigns(containing=given)


def test_arguments_that_make_no_sense_are_refused_with_what_would(
    history: History, repository: PostgresRepository
) -> None:
    with pytest.raises(UsageError, match="begins on 2025-02-01 and ends on 2025-01-01"):
        repository.get_stats("c", date(2025, 2, 1), date(2025, 1, 1))
    with pytest.raises(UsageError, match="hour, day, week, month, quarter, year, all"):
        repository.get_aggregated_stats(granularity="decade")
    with pytest.raises(UsageError, match="positive_replies"):
        repository.get_top_campaigns(metric="campaign_id")
    with pytest.raises(UsageError, match=r"\['spring-sale'\]"):
        repository.get_stats_for_campaigns("spring-sale")
    with pytest.raises(UsageError, match="1 to 10000 rows"):
        repository.list_campaigns(limit=0)
    history.query("UPDATE retention_floor SET floor_date = '2025-03-01' RETURNING 1")
    with pytest.raises(UsageError, match="events before 2025-03-01 have been dropped"):
        repository.get_aggregated_stats(date(2025, 2, 1), granularity="hour")


def test_no_more_rows_leave_the_server_than_show_that_there_are_too_many(
    history: History, repository: PostgresRepository
) -> None:
    history.ingest([Event("c", at(f"2025-03-{day:02} 10:00")) for day in range(1, 10)])
    history.refresh()
    assert len(repository.get_stats_for_campaigns(None, rows_max=9).campaigns[0].periods) == 9
    with pytest.raises(UsageError, match="more than 8 rows"):
        repository.get_stats_for_campaigns(None, rows_max=8)
    ask = next(questions.stats_for_campaigns(None, None, None, "day", 2))
    read = history.connection.execute(statement(ask.name), ask.parameters)
    assert len(read.fetchall()) == 3
