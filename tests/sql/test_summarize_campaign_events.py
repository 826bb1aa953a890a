"""summarize_campaign_events: new ranges of the BRIN are summarised, at once or next time."""

import psycopg

from tests.sql.history import History

SUMMARIZE = "SELECT summarize_campaign_events()"


def grow(history: History, months: list[str], rows: int) -> None:
    """Add rows to leaves: about 110 to a page, 16 pages to a range."""
    for month in months:
        history.query("SELECT create_campaign_events_partition(%s)", month)
        history.connection.execute(
            "INSERT INTO campaign_events"
            " (event_id, occurred_at, batch_id, campaign_key, event_count, event_type)"
            " SELECT gen_random_uuid(), %s::date::timestamp AT TIME ZONE 'UTC', n, 1, 1, 'sent'"
            " FROM generate_series(1, %s) AS n",
            [month, rows],
        )


def summarize(history: History) -> int:
    ((ranges,),) = history.query(SUMMARIZE)
    return int(ranges)


def unsummarized(history: History) -> int:
    """How many ranges PostgreSQL's own function still finds."""
    return sum(
        row[0]
        for row in history.query(
            "SELECT brin_summarize_new_values(indexrelid) FROM pg_index"
            " INNER JOIN pg_class ON pg_class.oid = indexrelid"
            " WHERE relkind = 'i' AND relam = (SELECT oid FROM pg_am WHERE amname = 'brin')"
        )
    )


def test_new_ranges_are_summarised_once(history: History) -> None:
    grow(history, ["2025-01-01", "2025-02-01"], 5_000)
    assert summarize(history) > 2
    assert summarize(history) == 0
    assert unsummarized(history) == 0


def test_every_new_range_of_a_leaf_that_grew_is_found(history: History) -> None:
    grow(history, ["2025-01-01"], 2_000)
    summarize(history)
    grow(history, ["2025-01-01"], 20_000)
    assert summarize(history) > 5
    assert unsummarized(history) == 0


def test_nothing_to_summarise_is_no_error(history: History) -> None:
    assert summarize(history) == 0
    history.query("SELECT create_campaign_events_partition('2025-01-01')")
    assert summarize(history) == 0


def test_a_leaf_held_by_vacuum_is_left_for_the_next_time_without_waiting(
    history: History, database_url: str
) -> None:
    grow(history, ["2025-01-01", "2025-02-01"], 5_000)
    history.connection.execute("SET statement_timeout = '2s'")
    with psycopg.connect(database_url) as vacuum:
        # The lock that VACUUM holds.
        vacuum.execute("LOCK TABLE campaign_events_2025_01 IN SHARE UPDATE EXCLUSIVE MODE")
        assert summarize(history) == 2
    assert summarize(history) == 2
    assert unsummarized(history) == 0


def test_writers_and_readers_go_on_meanwhile(history: History, database_url: str) -> None:
    grow(history, ["2025-01-01"], 5_000)
    with psycopg.connect(database_url) as summarizing:
        summarizing.execute(SUMMARIZE)
        history.connection.execute("SET lock_timeout = '1s'")
        grow(history, ["2025-01-01"], 10)
        assert history.query("SELECT count(*) FROM campaign_events") == [(5_010,)]
