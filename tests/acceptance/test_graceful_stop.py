"""SIGTERM ends it cleanly, whatever it does; losing its head ends it, too."""

import os
import signal

import pytest

from tests.acceptance.ingester import Ingester
from tests.acceptance.killing import short_session
from tests.acceptance.process import Running, wait_for
from tests.acceptance.publish import publish
from tests.acceptance.traffic import mixed
from tests.services.server_process import started_at
from tests.session_services import ControlledPostgres

RECORDS = 10_000
SMALL = {"INGESTER_BATCH_ROWS_MAX": "500"}
STOP_SECONDS = 10.0


def at_work(ingester: Ingester, workers: int, *options: str) -> Running:
    """Workers with a batch open, far from the end of the topic."""
    publish(ingester.bootstrap, ingester.topic, mixed(14, RECORDS, partitions=4))
    running = ingester.start("run", "--workers", str(workers), *options, settings=SMALL)
    running.until("batch_stage", 30.0, stage="committed", times=2)
    running.until("batch_stage", 30.0, stage="ledger", times=3)
    return running


def completed_by_the_next_run(ingester: Ingester) -> None:
    """What was left is read, and nothing twice."""
    ingester.catch_up()
    verdict = ingester.verdict()
    assert verdict.ok, verdict.differences
    assert verdict.records == RECORDS


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_ends_it_with_the_open_batch_written_or_rolled_back(
    ingester: Ingester, workers: int
) -> None:
    running = at_work(ingester, workers)

    running.signal(signal.SIGTERM)

    assert running.wait(STOP_SECONDS) == 0, running.tail()
    assert running.log.named("group_left_late") == []
    completed_by_the_next_run(ingester)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_until_caught_up_that_was_stopped_before_does_not_claim_to_have_finished(
    ingester: Ingester, workers: int
) -> None:
    running = at_work(ingester, workers, "--until-caught-up")

    running.signal(signal.SIGTERM)

    assert running.wait(STOP_SECONDS) == 75, running.tail()
    completed_by_the_next_run(ingester)


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_ends_it_while_the_database_is_down(
    own_ingester: Ingester, own_postgres: ControlledPostgres, workers: int
) -> None:
    running = at_work(own_ingester, workers)
    try:
        own_postgres.stop()
        running.until("retrying", 30.0)

        running.signal(signal.SIGTERM)

        assert running.wait(STOP_SECONDS) == 0, running.tail()
    finally:
        own_postgres.start()
    completed_by_the_next_run(own_ingester)


def test_workers_whose_supervisor_was_killed_stop_by_themselves(ingester: Ingester) -> None:
    running = at_work(ingester, workers=2)
    workers = {line["pid"]: started_at(line["pid"]) for line in running.log.named("worker_started")}
    assert len(workers) == 2

    running.kill()

    wait_for(
        lambda: not any(started and started_at(pid) == started for pid, started in workers.items()),
        STOP_SECONDS,
        lambda: f"still there: {workers}\n{running.tail()}",
    )
    completed_by_the_next_run(ingester)


def test_a_worker_that_was_killed_is_started_again(ingester: Ingester) -> None:
    ingester.settings |= short_session(ingester.bootstrap)
    running = at_work(ingester, workers=2)
    victim = running.log.named("worker_spawned")[0]

    os.kill(victim["pid"], signal.SIGKILL)

    again = running.until("worker_spawned", STOP_SECONDS, times=3)
    assert again["worker"] == victim["worker"]
    running.until("worker_started", STOP_SECONDS, pid=again["pid"])
    running.signal(signal.SIGTERM)
    assert running.wait(STOP_SECONDS) == 0
    completed_by_the_next_run(ingester)
