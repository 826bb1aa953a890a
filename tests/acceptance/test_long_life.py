"""What happens in a long life: an old copy of the database, a topic that grows."""

from urllib.parse import urlsplit

import psycopg
from confluent_kafka.admin import AdminClient, NewPartitions

from tests.acceptance.ingester import Ingester
from tests.acceptance.process import wait_for
from tests.acceptance.publish import publish
from tests.acceptance.traffic import mixed
from tests.checker.tables import read_tables
from tests.databases import Databases
from tests.session_services import SessionServices
from tests.topics import Topics

QUICK_METADATA = {"KAFKA_CONF__topic_metadata_refresh_interval_ms": "1000"}


def test_a_database_that_is_restored_from_an_old_copy_catches_up(
    ingester: Ingester, services: SessionServices, databases: Databases
) -> None:
    publish(ingester.bootstrap, ingester.topic, mixed(71, 3_000, partitions=4))
    ingester.catch_up()
    name = urlsplit(ingester.database_url).path.strip("/")
    copy = f"{name}_copy"
    with psycopg.connect(services.url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{name}"'.encode())
    try:
        publish(ingester.bootstrap, ingester.topic, mixed(72, 3_000, partitions=4))
        ingester.catch_up()
        newest = ingester.verdict()

        # From here on the copy answers, as after a restored dump or a lagging replica's promotion.
        ingester.database_url = ingester.settings["DATABASE_URL"] = databases.url_of(copy)
        ingester.catch_up(workers=2)

        restored = ingester.verdict()
        assert restored.ok, restored.differences
        assert (restored.records, restored.inserted, restored.duplicates, restored.rejected) == (
            newest.records, newest.inserted, newest.duplicates, newest.rejected,
        )  # fmt: skip
        verified = ingester.run("verify", "--against-topic")
        assert verified.code == 0, verified.stdout
    finally:
        databases.drop(copy)


def test_partitions_that_are_added_while_it_runs_are_read_from_their_beginning(
    ingester: Ingester,
) -> None:
    topics = Topics(ingester.bootstrap)
    ingester.use(topics.create(partitions=2))
    publish(ingester.bootstrap, ingester.topic, mixed(73, 1_000, partitions=2))
    running = ingester.start("run", settings=QUICK_METADATA)
    running.until("batch_written", 30.0)
    admin = AdminClient({"bootstrap.servers": ingester.bootstrap, "log_level": 3})
    for future in admin.create_partitions([NewPartitions(ingester.topic, 4)]).values():
        future.result(15)
    publish(
        ingester.bootstrap, ingester.topic, mixed(74, 3_000, partitions=4),
        **{"topic.metadata.refresh.interval.ms": 100},
    )  # fmt: skip

    def all_read() -> bool:
        stored = read_tables(ingester.database_url, ingester.topic).offsets
        return len(stored) == 4 and sum(row.records for row in stored) == 4_000

    wait_for(all_read, 60.0, running.tail, alive=lambda: running.code is None)
    running.end()
    verdict = ingester.verdict()
    assert verdict.ok, verdict.differences
    topics.end()
