"""A database that is away for longer than the group lets a member go without polling."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka.admin import AdminClient

from tests.acceptance.ingester import Ingester
from tests.acceptance.killing import shorten_consumer_sessions
from tests.acceptance.load import Load
from tests.acceptance.page import SETTINGS, Page
from tests.acceptance.process import wait_for
from tests.faults.proxy import Proxy
from tests.session_services import ControlledPostgres

POLL_INTERVAL_SECONDS = 5.0
"""A third of it is more than a turn of the loop waits: a second for the writer, a tenth to poll."""
POLL_INTERVAL_MS = int(POLL_INTERVAL_SECONDS * 1000)
OUTAGE_SECONDS = 3 * POLL_INTERVAL_SECONDS
BATCHES = {
    "INGESTER_BATCH_ROWS_MAX": "200",
    "KAFKA_CONF__max_poll_interval_ms": str(POLL_INTERVAL_MS),
}
# A session may be no longer than the poll interval; under the consumer protocol a member that does
# not poll stays until its session is over.
CLASSIC = {"KAFKA_CONF__session_timeout_ms": str(POLL_INTERVAL_MS)}
CONSUMER = {"KAFKA_CONF__group_protocol": "consumer"}


def membership(ingester: Ingester) -> list[tuple[str, list[int]]]:
    """Id and partitions of each member of the group, as its coordinator says."""
    admin = AdminClient({"bootstrap.servers": ingester.bootstrap, "log_level": 3})
    group = ingester.settings["KAFKA_GROUP_ID"]
    found = admin.describe_consumer_groups([group])[group].result(15).members
    return [
        (each.member_id, sorted(of.partition for of in each.assignment.topic_partitions))
        for each in found
    ]


@contextmanager
def away(how: str, postgres: ControlledPostgres, proxy: Proxy) -> Iterator[None]:
    """The database refuses everybody, or holds its connections and answers nothing."""
    postgres.stop() if how == "stopped" else proxy.stall()
    try:
        yield
    finally:
        postgres.start() if how == "stopped" else proxy.heal()


@pytest.mark.parametrize(("how", "protocol"), [("stopped", CLASSIC), ("stalled", CONSUMER)])
def test_an_outage_longer_than_the_poll_interval_costs_no_membership(
    own_ingester: Ingester, own_postgres: ControlledPostgres, how: str, protocol: dict[str, str]
) -> None:
    ingester = own_ingester
    ingester.settings |= protocol
    if protocol == CONSUMER:
        shorten_consumer_sessions(
            ingester.bootstrap, ingester.settings["KAFKA_GROUP_ID"], POLL_INTERVAL_MS
        )
    with Proxy(ingester.database_url) as proxy:
        settings = BATCHES | SETTINGS | {"DATABASE_URL": proxy.url}
        with Load(ingester.bootstrap, ingester.topic, rate=800, seed=8, partitions=4) as load:
            running = ingester.start("run", settings=settings)
            running.until("batch_stage", 30.0, stage="committed", times=3)
            page = Page(running)
            before = membership(ingester), page.total("ingester_rebalances_total")
            assert [partitions for _, partitions in before[0]] == [[0, 1, 2, 3]]
            paused = len(running.log.named("writer_busy"))

            with away(how, own_postgres, proxy):
                time.sleep(OUTAGE_SECONDS)
                assert (membership(ingester), page.total("ingester_rebalances_total")) == before
            assert len(running.log.named("writer_busy")) > paused, "it had nothing to wait for"

            committed = len(running.log.named("batch_stage", stage="committed"))
            running.until("batch_stage", 30.0, stage="committed", times=committed + 3)

        records = load.counts.total()
        wait_for(lambda: page.total("ingester_records_total") >= records, 60.0, running.tail)
        assert (membership(ingester), page.total("ingester_rebalances_total")) == before
        assert [line["kind"] for line in running.log.named("rebalance")] == ["assigned"]
    verdict = ingester.verdict()
    assert verdict.ok, verdict.differences
    assert verdict.records == records
