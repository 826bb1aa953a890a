"""The refresher on a real database: what fails is recorded, retried and visible."""

import threading
import time
from datetime import UTC, date, datetime

import psycopg

from ingester import maintenance
from ingester.refresher import Refresher
from ingester.settings import Settings, load_settings
from ingester.store.connection import connect
from ingester.store.reading import state
from ingester.store.refreshing import RefreshStore

ADD = """
SELECT add_campaign_event(gen_random_uuid(), 'a campaign', 'opened', clock_timestamp())
"""


def refresher(settings: Settings, store: RefreshStore, stopping: threading.Event) -> Refresher:
    return Refresher(settings, store, stopping, time.monotonic, lambda: datetime.now(UTC))


def test_a_failing_refresh_is_recorded_retried_and_visible(database_url: str) -> None:
    settings = load_settings(database_url=database_url)
    stopping = threading.Event()
    store = RefreshStore(settings)
    looping = threading.Thread(target=refresher(settings, store, stopping).run, args=(0.05,))
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(ADD)
        looping.start()
        try:
            wait_for(connection, "SELECT count(*) = 1 FROM stats_refreshes WHERE error IS NULL")
            connection.execute(
                "ALTER TABLE campaign_weekly_rollup ADD CONSTRAINT broken CHECK (opened < 2)"
            )
            connection.execute(ADD)
            wait_for(connection, "SELECT count(*) > 0 FROM stats_refreshes WHERE error IS NOT NULL")
            with connect(settings, "test") as reading:
                freshness = state(reading)["freshness"]
            assert "broken" in freshness["last_error"]
            assert freshness["unfolded_events"] == 1
            connection.execute("ALTER TABLE campaign_weekly_rollup DROP CONSTRAINT broken")
            wait_for(connection, "SELECT sum(opened) = 2 FROM campaign_weekly_stats")
        finally:
            stopping.set()
            looping.join(10)
            store.close()
    assert not looping.is_alive()


def wait_for(connection: psycopg.Connection, condition: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        row = connection.execute(condition).fetchone()
        if row is not None and row[0]:
            return
        time.sleep(0.02)
    raise AssertionError(f"never true: {condition}")


def test_refreshes_are_kept_for_a_day_failed_ones_for_a_month_the_last_good_one_always(
    database_url: str,
) -> None:
    store = RefreshStore(load_settings(database_url=database_url))
    with psycopg.connect(database_url, autocommit=True) as connection:
        for days, error in ((40, "old"), (40, None), (20, "away"), (2, None), (1.5, None)):
            connection.execute(
                "INSERT INTO stats_refreshes (started, finished, error)"
                " SELECT at, at, %s FROM (SELECT now() - %s * interval '1 day' AS at)",
                (error, days),
            )
        try:
            store.trim_refreshes()
        finally:
            store.close()
        kept = connection.execute(
            "SELECT error, extract(day FROM now() - finished) FROM stats_refreshes"
            " ORDER BY finished"
        ).fetchall()
    assert kept == [("away", 20), (None, 1)]


def test_partitions_are_created_ahead_and_old_months_dropped(database_url: str) -> None:
    settings = load_settings(
        database_url=database_url, ingester_partition_months_ahead=2, ingester_months_to_keep=2
    )
    store = RefreshStore(settings)
    now = datetime.now(UTC)
    oldest = maintenance.months_from(date(now.year - 1, now.month, 1), 0)[0]
    store.create_leaf(oldest)
    try:
        maintenance.maintain(store, settings, now)
    finally:
        store.close()
    expected = [
        f"campaign_events_{month:%Y_%m}" for month in maintenance.months_from(now.date(), 2)
    ]
    with connect(settings, "test") as connection:
        assert state(connection)["leaves"] == expected
