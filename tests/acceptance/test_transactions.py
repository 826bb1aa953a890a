"""A topic written with Kafka transactions: committed once, aborted never, read to its very end."""

from collections.abc import Sequence

from confluent_kafka import Producer

from tests.acceptance.ingester import Ingester
from tests.acceptance.publish import send
from tests.acceptance.traffic import Publication, mixed
from tests.checker.tables import read_tables

SIZE = 300


def in_transactions(ingester: Ingester, records: Sequence[Publication], aborted: str) -> None:
    """Publish in transactions of `SIZE` records; `aborted` says of each whether: "C" or "A"."""
    producer = Producer(
        {
            "bootstrap.servers": ingester.bootstrap,
            "transactional.id": ingester.topic,
            "linger.ms": 5,
            "log_level": 3,
        }
    )
    producer.init_transactions(30)
    for number, end in enumerate(aborted):
        producer.begin_transaction()
        for record in records[number * SIZE :][:SIZE]:
            send(producer, ingester.topic, record)
        if end == "C":
            producer.commit_transaction(30)
        else:
            producer.flush(30)  # so that what is aborted lies in the log
            producer.abort_transaction(30)


def test_committed_transactions_land_once_and_aborted_ones_never(ingester: Ingester) -> None:
    ends = "CACCAACA"  # the log ends with an abort, so with markers that no consumer is given
    records = list(mixed(16, SIZE * len(ends), repeated=0, invalid=0))
    in_transactions(ingester, records, ends)

    ingester.catch_up(workers=2, settings={"INGESTER_BATCH_ROWS_MAX": "100"})

    verdict = ingester.verdict()  # holds each stored offset against the end of its partition
    assert verdict.ok, verdict.differences
    assert verdict.inserted == verdict.records == SIZE * ends.count("C")


def test_a_topic_of_nothing_but_aborted_transactions_is_read_to_its_end(ingester: Ingester) -> None:
    in_transactions(ingester, list(mixed(17, SIZE * 2, repeated=0, invalid=0)), "AA")

    ingester.catch_up()

    verdict = ingester.verdict()
    assert verdict.ok, verdict.differences
    assert verdict.records == 0
    tables = read_tables(ingester.database_url, ingester.topic)
    assert sum(row.next for row in tables.offsets) >= SIZE * 2
