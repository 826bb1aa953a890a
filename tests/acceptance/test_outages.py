"""Kafka and PostgreSQL stop, crash and come back while the ingester is at work."""

import pytest

from tests.acceptance.ingester import Ingester
from tests.acceptance.process import Running
from tests.acceptance.publish import publish
from tests.acceptance.traffic import mixed
from tests.services.postgres import LocalPostgres
from tests.session_services import ControlledKafka, ControlledPostgres

RECORDS = 16_000
SETTINGS = {"INGESTER_BATCH_ROWS_MAX": "250"}
RESUMED_SECONDS = 60.0


def at_work(ingester: Ingester) -> Running:
    """Two workers in the middle of the topic."""
    publish(ingester.bootstrap, ingester.topic, mixed(13, RECORDS, partitions=4))
    running = ingester.start("run", "--until-caught-up", "--workers", "2", settings=SETTINGS)
    running.until("batch_stage", 30.0, stage="committed", times=10)
    return running


def judged(ingester: Ingester, running: Running) -> None:
    """It must have gone on by itself: same processes, everything once."""
    assert running.wait(RESUMED_SECONDS) == 0, running.tail()
    assert running.log.named("worker_died") == []
    verdict = ingester.verdict()
    assert verdict.ok, verdict.differences
    assert verdict.records == RECORDS


def crash(postgres: ControlledPostgres) -> None:
    """End the server as a crash would: no checkpoint, recovery at the next start."""
    if isinstance(postgres, LocalPostgres):
        postgres.stop("immediate")
    else:
        postgres.kill()


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_a_database_that_restarts_is_waited_for(
    own_ingester: Ingester, own_postgres: ControlledPostgres, how: str
) -> None:
    running = at_work(own_ingester)
    try:
        own_postgres.stop() if how == "fast" else crash(own_postgres)
        running.until("retrying", 30.0)
    finally:
        own_postgres.start()
    judged(own_ingester, running)


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_broker_that_restarts_is_waited_for(
    own_ingester: Ingester, own_kafka: ControlledKafka, how: str
) -> None:
    running = at_work(own_ingester)
    try:
        getattr(own_kafka, how)()
        running.until("kafka_unavailable", 30.0)
    finally:
        own_kafka.start()
    judged(own_ingester, running)
