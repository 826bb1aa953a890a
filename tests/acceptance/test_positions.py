"""Offsets that do not fit: somebody else moved on, the topic is another one, records are gone."""

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from tests.acceptance.ingester import Ingester
from tests.acceptance.publish import publish
from tests.acceptance.traffic import mixed
from tests.checker.tables import Tables, read_tables
from tests.topics import Topics

SMALL = {"INGESTER_BATCH_ROWS_MAX": "250"}


def tables(ingester: Ingester) -> Tables:
    """What is stored now."""
    return read_tables(ingester.database_url, ingester.topic)


def test_two_groups_on_one_topic_refuse_each_other_and_store_everything_once(
    ingester: Ingester,
) -> None:
    publish(ingester.bootstrap, ingester.topic, mixed(19, 15_000, partitions=4))

    # Both own every partition: each is, all the time, a consumer that lost its partitions.
    one = ingester.start("run", "--until-caught-up", settings=SMALL)
    two = ingester.start(
        "run", "--until-caught-up", settings=SMALL | {"KAFKA_GROUP_ID": "another-group"}
    )

    assert one.wait(90.0) == 0, one.tail()
    assert two.wait(90.0) == 0, two.tail()
    verdict = ingester.verdict()
    assert verdict.ok, verdict.differences
    assert one.log.named("positions_refused") or two.log.named("positions_refused")


def test_a_topic_made_again_under_its_name_stops_it(ingester: Ingester) -> None:
    topics = Topics(ingester.bootstrap)
    ingester.use(topics.create(partitions=2))
    try:
        publish(ingester.bootstrap, ingester.topic, mixed(20, 1_000))
        ingester.catch_up()
        before = tables(ingester)
        topics.delete(ingester.topic)
        topics.create(partitions=2, name=ingester.topic)
        publish(ingester.bootstrap, ingester.topic, mixed(21, 3_000))

        running = ingester.run("run", "--until-caught-up")

        assert running.code == 78, running.tail()
        assert "made again" in running.stderr
        assert tables(ingester) == before
    finally:
        topics.end()


def test_records_deleted_before_they_were_read_stop_it(ingester: Ingester) -> None:
    publish(ingester.bootstrap, ingester.topic, mixed(22, 2_000))
    ingester.catch_up()
    before = tables(ingester)
    publish(ingester.bootstrap, ingester.topic, mixed(23, 2_000))
    stored = next(row for row in before.offsets if row.partition == 0).next
    admin = AdminClient({"bootstrap.servers": ingester.bootstrap, "log_level": 3})
    deleted = TopicPartition(ingester.topic, 0, stored + 5)
    for future in admin.delete_records([deleted]).values():
        future.result(15)

    for workers in ("1", "2"):
        running = ingester.run("run", "--until-caught-up", "--workers", workers)
        assert running.code == 78, running.tail()
        assert "5 offsets were deleted" in running.stderr
    after = tables(ingester)
    assert [row for row in after.offsets if row.partition == 0] == [
        row for row in before.offsets if row.partition == 0
    ]
