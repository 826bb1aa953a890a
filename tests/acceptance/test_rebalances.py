"""Members come and go while records arrive, under both group protocols."""

import signal
from collections.abc import Callable

import pytest
from confluent_kafka.admin import AdminClient

from tests.acceptance.ingester import Ingester
from tests.acceptance.load import Load
from tests.acceptance.process import Running, wait_for

PROTOCOLS = {
    "cooperative-sticky": {"KAFKA_CONF__session_timeout_ms": "240000"},
    "consumer": {"KAFKA_CONF__group_protocol": "consumer"},
}
STARTED = ("partitions_started", 30.0)
NOTICED = 30.0
"""Even on a slow machine long before the session times out, as which nobody may leave."""


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_members_that_join_and_leave_lose_and_repeat_nothing(
    ingester: Ingester, protocol: str
) -> None:
    ingester.settings |= PROTOCOLS[protocol] | {"INGESTER_BATCH_ROWS_MAX": "200"}
    with Load(ingester.bootstrap, ingester.topic, rate=1_500, seed=5, partitions=4) as load:
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
    ingester.catch_up()

    verdict = ingester.verdict()
    assert verdict.ok, verdict.differences
    assert verdict.records == load.counts.total()
    rebalances = [line for each in ingester.processes for line in each.log.named("rebalance")]
    assert sum(line["kind"] == "revoked" for line in rebalances) >= 2
    for process in ingester.processes:
        assert process.log.noise == []
        assert process.log.named("unassign_failed") == []


def test_a_member_without_partitions_leaves_at_once(
    ingester: Ingester, topic: Callable[..., str]
) -> None:
    ingester.use(topic(partitions=1))
    ingester.settings |= PROTOCOLS["cooperative-sticky"]
    busy = ingester.start("run")
    busy.until(*STARTED)
    idle = ingester.start("run")
    idle.until("rebalance", NOTICED, kind="assigned", partitions=[])
    assert members(ingester) == 2

    leave(idle)

    wait_for(lambda: members(ingester) == 1, NOTICED, lambda: f"{members(ingester)} members")
    leave(busy)


def members(ingester: Ingester) -> int:
    """How many the group has, as its coordinator says."""
    admin = AdminClient({"bootstrap.servers": ingester.bootstrap, "log_level": 3})
    group = ingester.settings["KAFKA_GROUP_ID"]
    return len(admin.describe_consumer_groups([group])[group].result(15).members)


def leave(member: Running) -> None:
    """Let a member go; the others must notice at once, not by a timeout."""
    member.signal(signal.SIGTERM)
    assert member.wait(10.0) == 0
    assert member.log.named("group_left_late") == []
