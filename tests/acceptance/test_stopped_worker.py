"""A worker that is stopped in the middle of COPY, loses its partitions, and wakes up again."""

import os
import signal
import time

import psycopg

from tests.acceptance.ingester import Ingester
from tests.acceptance.process import Running
from tests.acceptance.publish import publish
from tests.acceptance.traffic import mixed

RECORDS = 60_000
SESSION_SECONDS = 6
TAKEOVER_SECONDS = 3
# A large batch: its COPY does not fit into the socket's buffers, so the stop falls within it.
SETTINGS = {
    "INGESTER_BATCH_ROWS_MAX": "15000",
    "INGESTER_BATCH_AGE_SECONDS_MAX": "5",
    "INGESTER_TAKEOVER_SECONDS": str(TAKEOVER_SECONDS),
    "KAFKA_CONF__session_timeout_ms": str(SESSION_SECONDS * 1000),
    "KAFKA_CONF__heartbeat_interval_ms": "1000",
}
MID_COPY = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND query LIKE 'COPY%' AND wait_event = 'ClientRead'
        AND state = 'active'
"""


def stopped_mid_copy(ingester: Ingester) -> Running:
    """A worker that does not run any more, and whose backend waits for the rest of a COPY."""
    with psycopg.connect(ingester.database_url, autocommit=True) as connection:
        worker = ingester.start("run", "--until-caught-up")
        for copy in range(1, 100):
            worker.until("batch_stage", 60.0, stage="copy", times=copy)
            worker.signal(signal.SIGSTOP)
            time.sleep(0.05)  # what is in the socket is read by then
            (waiting,) = connection.execute(MID_COPY).fetchone() or (0,)
            if waiting:
                return worker
            worker.signal(signal.SIGCONT)
    raise AssertionError("no COPY was caught")


def test_a_worker_stopped_mid_copy_is_replaced_and_writes_nothing_when_it_wakes_up(
    ingester: Ingester,
) -> None:
    ingester.settings |= SETTINGS
    publish(ingester.bootstrap, ingester.topic, mixed(15, RECORDS, repeated=0.001, partitions=4))
    stopped = stopped_mid_copy(ingester)
    lines_then = len(stopped.log.named("batch_stage"))

    other = ingester.start("run", "--until-caught-up")

    took_over = other.until("took_over", SESSION_SECONDS + TAKEOVER_SECONDS + 15.0)
    assert len(took_over["ended"]) == 1
    assert other.wait(60.0) == 0, other.tail()
    complete = ingester.verdict()
    assert complete.ok, complete.differences

    os.kill(stopped.pid, signal.SIGCONT)

    assert stopped.wait(60.0) == 0, stopped.tail()
    stopped.log.new()
    since = stopped.log.named("batch_stage")[lines_then:]
    assert any(line["stage"] == "refused" for line in since), stopped.tail()
    assert not any(line["stage"] == "committed" for line in since), stopped.tail()
    assert ingester.verdict() == complete
