"""merge_ingest_batches: fewer rows, the same books."""

import psycopg
import pytest

from tests.sql.history import Event, History, Row, at

MERGE = "SELECT merge_ingest_batches(clock_timestamp() + make_interval(days => %s))"
LEDGER = "SELECT * FROM ingest_batches ORDER BY batch_id"


def batches(history: History, count: int, *, partition: int = 0, folded: bool = True) -> list[int]:
    """Batches of one event, one duplicate and one reject each."""
    made = []
    for number in range(count):
        event = Event(f"c{partition}", at(f"2025-03-{1 + number % 28:02} 10:00"))
        made.append(history.ingest([event, event], partition=partition, rejected=1))
    if folded:
        history.refresh()
    return made


def merge(history: History, days: int = 1) -> int:
    ((removed,),) = history.query(MERGE, days)
    return int(removed)


def rows(history: History) -> list[Row]:
    return history.query(
        "SELECT partition, merged_batch_ids, records, inserted FROM ingest_batches"
        " ORDER BY batch_id"
    )


def test_neighbours_become_one_row_that_remembers_them_all(history: History) -> None:
    ids = batches(history, 5)
    before = history.query(
        "SELECT max(batch_id), 't', 'id', 0, min(first_offset), max(next_offset), sum(records),"
        " sum(inserted), sum(duplicates), sum(conflicting), sum(rejected), sum(dropped),"
        " min(min_occurred_at), max(max_occurred_at), max(ingested_at), max(folded_at),"
        " array_agg(batch_id ORDER BY batch_id), NULL::bigint AS closed_by FROM ingest_batches"
    )
    assert merge(history) == 4
    assert history.query(LEDGER) == before
    assert before[0][-2] == ids
    history.assert_books_balance()
    history.assert_statistics_are_true()
    assert merge(history) == 0


def test_merging_goes_on_where_it_stopped(history: History) -> None:
    first = batches(history, 3)
    merge(history)
    second = batches(history, 2)
    assert merge(history) == 2
    assert rows(history) == [(0, first + second, 15, 5)]
    history.assert_books_balance()


def test_partitions_are_not_mixed(history: History) -> None:
    ids: dict[int, list[int]] = {0: [], 1: []}
    for _ in range(3):
        for partition in ids:
            ids[partition] += batches(history, 1, partition=partition)
    assert merge(history) == 4
    assert rows(history) == [(0, ids[0], 9, 3), (1, ids[1], 9, 3)]
    history.assert_books_balance()


def test_unfolded_and_young_rows_are_left_alone_and_separate_their_neighbours(
    history: History,
) -> None:
    first = batches(history, 2)
    ((middle,),) = history.query(
        "SELECT %s::bigint", history.ingest([Event("m", at("2025-03-01 10:00"))])
    )
    last = batches(history, 2, folded=False)
    history.query(
        "UPDATE ingest_batches SET folded_at = now() WHERE batch_id <> %s RETURNING 1", middle
    )
    assert merge(history, days=-1) == 0
    assert merge(history) == 2
    assert [row[1] for row in rows(history)] == [first, None, last]
    history.assert_books_balance()


def test_a_gap_in_the_offsets_stays_visible(history: History) -> None:
    first = batches(history, 2)
    history.connection.execute("UPDATE ingest_offsets SET next_offset = next_offset + 10")
    second = batches(history, 2)
    assert merge(history) == 2
    assert [row[1] for row in rows(history)] == [first, second]


def test_rows_written_without_kafka_are_merged_too(history: History) -> None:
    for hour in range(4):
        history.query(
            "SELECT * FROM add_campaign_event(gen_random_uuid(), 'c', 'sent', %s)",
            at(f"2025-03-01 1{hour}:00"),
        )
    kafka = batches(history, 1)
    assert merge(history) == 3
    assert [(row[0], len(row[1] or [0]), row[3]) for row in rows(history)] == [
        (None, 4, 4),
        (0, 1, 1),
    ]
    assert kafka
    history.assert_books_balance()
    history.assert_statistics_are_true()


def test_no_row_grows_without_bound_and_none_is_merged_for_ever(history: History) -> None:
    history.connection.execute(
        "INSERT INTO ingest_batches (batch_id, topic, topic_id, partition, first_offset,"
        " next_offset, records, inserted, duplicates, rejected, folded_at)"
        " SELECT n, 't', 'id', 0, n, n + 1, 1, 0, 1, 0, now() FROM generate_series(1, 1000) AS n"
    )
    assert merge(history) == 990
    sizes = history.query("SELECT cardinality(merged_batch_ids) FROM ingest_batches")
    assert sizes == [(100,)] * 10
    assert merge(history) == 0


def test_one_call_does_a_bounded_amount_of_work(history: History) -> None:
    history.connection.execute(
        "INSERT INTO ingest_batches (batch_id, topic, topic_id, partition, first_offset,"
        " next_offset, records, inserted, duplicates, rejected, folded_at)"
        " SELECT n, 't', 'id', 0, n, n + 1, 1, 0, 1, 0, now() FROM generate_series(1, 25000) AS n"
    )
    removed = [merge(history) for _ in range(4)]
    assert removed[0] <= 10_000
    assert sum(removed) == 25_000 - 250
    assert removed[-1] == 0


def test_merging_waits_for_a_fold_but_never_for_a_writer(
    history: History, database_url: str
) -> None:
    batches(history, 2)
    with psycopg.connect(database_url) as writer:
        writer.execute(
            "INSERT INTO ingest_batches (batch_id, records, inserted, duplicates, rejected)"
            " SELECT nextval('ingest_batch_ids'), 0, 0, 0, 0"
        )
        history.connection.execute("SET lock_timeout = '200ms'")
        assert merge(history) == 1
        writer.rollback()
        writer.execute("SELECT refresh_campaign_stats()")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            merge(history)


def test_a_closed_ledger_is_merged_on_its_own(history: History) -> None:
    """The offsets of two ledgers of one topic id may meet; they are not neighbours."""
    closed = batches(history, 3)
    history.query("UPDATE ingest_batches SET closed_by = 1 RETURNING 1")
    begun = batches(history, 2)
    assert merge(history) == 3
    assert history.query("SELECT merged_batch_ids, closed_by FROM ingest_batches ORDER BY 2") == [
        (closed, 1),
        (begun, None),
    ]
