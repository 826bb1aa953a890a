"""refresh_campaign_stats: every batch is folded exactly once, whoever calls, and nobody waits."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import psycopg
import pytest

from tests.sql.history import Event, History, at, random_events

REFRESH = "SELECT * FROM refresh_campaign_stats(%s)"


def test_a_batch_is_folded_once_and_reported(history: History) -> None:
    history.ingest([Event("a", at("2025-03-05 10:00")), Event("b", at("2025-03-05 11:00"))])
    assert history.refresh() == (1, 2)
    assert history.refresh() == (0, 0)
    history.assert_statistics_are_true()
    assert history.query("SELECT batches, events FROM stats_refreshes") == [(1, 2)]


def test_max_batches_bounds_a_fold_and_the_oldest_go_first(history: History) -> None:
    for minute in range(5):
        history.ingest([Event("a", at(f"2025-03-05 10:0{minute}"))])
    assert [history.refresh(2)[0] for _ in range(4)] == [2, 2, 1, 0]
    history.assert_statistics_are_true()


def test_batches_that_commit_in_another_order_than_their_ids_are_folded_once_each(
    history: History, database_url: str
) -> None:
    history.query("SELECT create_campaign_events_partition('2025-03-01')")
    with History(database_url) as slow:
        with slow.connection.transaction():
            slow.ingest([Event("slow", at("2025-03-05 10:00"))], partition=1)
            history.ingest([Event("a", at("2025-03-05 10:00"))])
            assert history.refresh() == (1, 1)
        history.ingest([Event("a", at("2025-03-05 11:00"))])
        assert history.refresh() == (2, 2)
    history.assert_statistics_are_true()


def test_late_events_and_corrections_change_their_own_day(history: History) -> None:
    history.ingest([Event("a", at("2025-03-05 10:00"), count=5)])
    history.refresh()
    history.ingest(
        [Event("a", at("2025-03-05 09:00"), count=-2), Event("a", at("2024-12-31 23:59"))]
    )
    history.refresh()
    history.assert_statistics_are_true()
    assert history.query(
        "SELECT event_date, sent, last_activity FROM campaign_daily_stats ORDER BY 1"
    ) == [
        (date(2024, 12, 31), 1, at("2024-12-31 23:59")),
        (date(2025, 3, 5), 3, at("2025-03-05 10:00")),
    ]


def test_callers_at_the_same_time_fold_each_batch_exactly_once(
    history: History, database_url: str
) -> None:
    rng = random.Random(7)
    campaigns = ["a", "b", "c"]
    for _ in range(60):
        history.ingest(random_events(rng, campaigns, date(2025, 1, 20), date(2025, 2, 10), 5))

    def fold(seed: int) -> int:
        folded = 0
        sizes = random.Random(seed)
        with psycopg.connect(database_url, autocommit=True) as session:
            while (batches := session.execute(REFRESH, [sizes.randint(1, 4)]).fetchall()[0][0]) > 0:
                folded += batches
        return folded

    with ThreadPoolExecutor(6) as threads:
        folded = list(threads.map(fold, range(6)))
    assert sum(folded) == 60
    assert sum(count > 0 for count in folded) > 1, "one caller did it all: this shows nothing"
    history.assert_statistics_are_true()


def test_an_open_fold_blocks_neither_readers_nor_writers(
    history: History, database_url: str
) -> None:
    history.ingest([Event("a", at("2025-03-05 10:00"))])
    history.refresh()
    history.ingest([Event("a", at("2025-03-05 11:00"))])
    with psycopg.connect(database_url) as folding:
        folding.execute(REFRESH, [None])
        history.connection.execute("SET lock_timeout = '1s'")
        for view in ("campaign_daily_stats", "campaign_weekly_stats", "campaign_monthly_stats"):
            assert history.query(f"SELECT sent FROM {view}") == [(1,)]
        history.ingest([Event("a", at("2025-03-05 12:00"))])
    history.refresh()
    history.assert_statistics_are_true()


def test_a_fold_that_rolls_back_leaves_everything_to_the_next(
    history: History, database_url: str
) -> None:
    history.ingest([Event("a", at("2025-03-05 10:00"))])
    with psycopg.connect(database_url) as folding:
        folding.execute(REFRESH, [None])
        folding.rollback()
    history.assert_statistics_are_true()
    assert history.refresh() == (1, 1)
    history.assert_statistics_are_true()


def test_events_that_do_not_match_their_ledger_row_are_not_folded(history: History) -> None:
    history.ingest([Event("a", at("2025-03-05 10:00")), Event("a", at("2025-03-05 11:00"))])
    history.connection.execute(
        "DELETE FROM campaign_events WHERE occurred_at < '2025-03-05 10:30Z'"
    )
    with pytest.raises(psycopg.errors.DataCorrupted, match="ledger counts 2 events"):
        history.refresh()
    assert history.query("SELECT * FROM campaign_daily_stats") == []
