"""Members come and go while records arrive, under both group protocols."""

import signal

import pytest

from tests.acceptance.ingester import Ingester
from tests.acceptance.load import Load
from tests.acceptance.process import Running

PROTOCOLS = {
    "cooperative-sticky": {"KAFKA_CONF__session_timeout_ms": "6000"},
    "consumer": {"KAFKA_CONF__group_protocol": "consumer"},
}
STARTED = ("partitions_started", 30.0)
NOTICED = 30.0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_members_that_join_and_leave_lose_and_repeat_nothing(
    ingester: Ingester, protocol: str
) -> None:
    ingester.settings |= PROTOCOLS[protocol] | {"INGESTER_BATCH_ROWS_MAX": "500"}
    with Load(ingester.bootstrap, ingester.topic, rate=4_000, seed=5, partitions=4) as load:
        first = ingester.start("run")
        first.until(*STARTED)
        second = ingester.start("run")
        second.until(*STARTED)
        third = ingester.start("run")
        third.until(*STARTED)
        third.until("batch_stage", NOTICED, stage="committed")
        leave(second)
        leave(third)
        fourth = ingester.start("run")
        fourth.until(*STARTED)
        leave(first)
        fourth.until("batch_stage", NOTICED, stage="committed")
    leave(fourth)
    ingester.catch_up(**PROTOCOLS[protocol])

    verdict = ingester.verdict()
    assert verdict.ok, verdict.differences
    assert verdict.records == load.counts.total()
    rebalances = [line for each in ingester.processes for line in each.log.named("rebalance")]
    assert sum(line["kind"] == "revoked" for line in rebalances) >= 2
    for process in ingester.processes:
        assert process.log.noise == []
        assert process.log.named("unassign_failed") == []


def leave(member: Running) -> None:
    """Let a member go; the others must notice at once, not by a timeout."""
    member.signal(signal.SIGTERM)
    assert member.wait(10.0) == 0
    assert member.log.named("group_left_late") == []
