"""The independent checker finds what is wrong: it would be no proof if it could not."""

import psycopg

from tests.acceptance.ingester import Ingester
from tests.acceptance.publish import publish
from tests.acceptance.traffic import Kind, mixed
from tests.checker.statistics import wrong_statistics


def test_a_statistic_that_is_off_by_one_is_found(ingester: Ingester) -> None:
    publish(ingester.bootstrap, ingester.topic, mixed(51, 2_000, partitions=4))
    ingester.catch_up()
    assert len(wrong_statistics(ingester.database_url)) == 3, "nothing is folded yet"
    assert ingester.run("refresh", "--once").code == 0
    assert wrong_statistics(ingester.database_url) == []
    with psycopg.connect(ingester.database_url) as connection:
        connection.execute(
            "UPDATE campaign_weekly_rollup SET bounced = coalesce(bounced, 0) + 1"
            " WHERE (campaign_key, week_start) ="
            " (SELECT campaign_key, week_start FROM campaign_weekly_rollup LIMIT 1)"
        )
    assert wrong_statistics(ingester.database_url) == [
        "campaign_weekly_stats: 2 rows differ from the events"
    ]


def test_a_conflict_that_was_not_counted_is_found(ingester: Ingester) -> None:
    published = publish(ingester.bootstrap, ingester.topic, mixed(52, 4_000, partitions=1))
    ingester.catch_up()
    assert published[Kind.CONFLICTING]
    assert ingester.verdict().ok
    with psycopg.connect(ingester.database_url) as connection:
        for table in ("ingest_batches", "ingest_offsets"):
            connection.execute(f"UPDATE {table} SET conflicting = 0".encode())
    assert not ingester.verdict().ok
