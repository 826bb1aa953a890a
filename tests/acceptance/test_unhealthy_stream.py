"""A stream that is nearly all invalid: the wrong topic, most likely."""

from dataclasses import replace

import pytest

from tests.acceptance.ingester import Ingester
from tests.acceptance.publish import publish
from tests.acceptance.traffic import mixed
from tests.checker.tables import read_tables

RECORDS = 6_000
# The sample is complete before the first batch is: nothing may have been written by then.
SETTINGS = {
    "INGESTER_BREAKER_RECORDS": "1000",
    "INGESTER_BATCH_ROWS_MAX": "20000",
    "INGESTER_BATCH_AGE_SECONDS_MAX": "10",
}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stream_of_invalid_records_stops_before_they_are_written(
    ingester: Ingester, workers: int
) -> None:
    # Equally many in each partition: a worker that is given one alone has its sample complete too.
    invalid = enumerate(mixed(12, RECORDS, repeated=0, invalid=1))
    spread = [replace(each, partition=number % 4) for number, each in invalid]
    publish(ingester.bootstrap, ingester.topic, spread)

    running = ingester.run("run", "--until-caught-up", "--workers", str(workers), settings=SETTINGS)

    assert running.code == 78, running.tail()
    assert "of the last 1000 records are refused" in running.stderr
    tables = read_tables(ingester.database_url, ingester.topic)
    assert (tables.rejects, tables.ledger) == ([], [])


def test_the_same_stream_goes_through_with_the_breaker_off(ingester: Ingester) -> None:
    publish(ingester.bootstrap, ingester.topic, mixed(12, RECORDS, repeated=0, invalid=1))

    ingester.catch_up(settings={"INGESTER_BREAKER_RECORDS": "0"})

    verdict = ingester.verdict()
    assert verdict.ok, verdict.differences
    assert verdict.rejected == RECORDS
