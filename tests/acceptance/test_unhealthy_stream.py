"""A stream that is nearly all invalid: the wrong topic, most likely."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.acceptance.ingester import Ingester
from tests.acceptance.publish import publish
from tests.acceptance.traffic import Kind, mixed
from tests.checker.tables import read_tables

RECORDS = 6_000
# The sample is complete before the first batch is: nothing may have been written by then.
LARGE_BATCH = {"INGESTER_BATCH_ROWS_MAX": "20000", "INGESTER_BATCH_AGE_SECONDS_MAX": "10"}
SETTINGS = LARGE_BATCH | {"INGESTER_BREAKER_RECORDS": "1000"}
SAMPLE = 10_000
"""The default, as docs/operations.md tells it."""


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


def test_by_default_a_stream_of_invalid_records_stops_before_they_are_written(
    ingester: Ingester, topic: Callable[..., str]
) -> None:
    ingester.use(topic(partitions=1))
    publish(ingester.bootstrap, ingester.topic, mixed(16, SAMPLE + 500, repeated=0, invalid=1))

    running = ingester.run("run", "--until-caught-up", settings=LARGE_BATCH)

    assert running.code == 78, running.tail()
    assert f"{SAMPLE} of the last {SAMPLE} records are refused" in running.stderr
    tables = read_tables(ingester.database_url, ingester.topic)
    assert (tables.rejects, tables.ledger) == ([], [])


def test_by_default_some_invalid_records_stop_nothing(
    ingester: Ingester, topic: Callable[..., str]
) -> None:
    ingester.use(topic(partitions=1))
    published = publish(ingester.bootstrap, ingester.topic, mixed(17, 2 * SAMPLE, invalid=0.04))

    ingester.catch_up(settings=LARGE_BATCH)

    verdict = ingester.verdict()
    assert verdict.ok, verdict.differences
    assert verdict.records == 2 * SAMPLE
    assert verdict.rejected == published[Kind.INVALID] > 0
