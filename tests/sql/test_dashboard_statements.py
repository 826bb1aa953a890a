"""What the operations view asks of a ledger that many partitions write."""

from ingester.store.reading import rows
from tests.sql.history import History

LEDGER = """
    INSERT INTO ingest_batches (
        batch_id, topic, partition, first_offset, next_offset,
        records, inserted, duplicates, rejected, min_occurred_at, max_occurred_at, ingested_at
    )
    SELECT %(first)s + number * %(step)s, 't', 0, number, number + 1, 1, 1, 0, 0, now(), now(),
        now() - %(minutes_ago)s * interval '1 minute' + number * interval '10 milliseconds'
    FROM generate_series(0, %(rows)s - 1) AS number
"""


def test_the_rate_counts_every_batch_of_ten_minutes_however_many_there_are(
    history: History,
) -> None:
    with history.connection.transaction():  # now() stands still
        assert rows(history.connection, "ingest_rate") == []
        # Long ago; then a hundred a second with ids left out, from twelve minutes ago on.
        history.connection.execute(
            LEDGER, {"first": 1, "step": 1, "rows": 3_000, "minutes_ago": 600}
        )
        history.connection.execute(
            LEDGER, {"first": 900_000, "step": 7, "rows": 70_000, "minutes_ago": 12}
        )
        ((counted,),) = history.query(
            "SELECT count(*) FROM ingest_batches WHERE ingested_at > now() - interval '10 minutes'"
        )
        told = rows(history.connection, "ingest_rate")
    assert counted > 50_000
    assert sum(row["records"] for row in told) == sum(row["inserted"] for row in told) == counted
    assert len(told) in {58, 59}
