"""The topic is not what it was: it stops with 78, names the command that goes on, and that works.

Each case is made for real: records deleted, topics deleted and created, segments cut and a broker
restored from an older copy while it is down.
"""

import json
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from tests.acceptance.ingester import Ingester
from tests.acceptance.publish import publish
from tests.acceptance.traffic import mixed
from tests.checker.tables import read_tables
from tests.services.kafka import LocalKafka
from tests.session_services import ControlledKafka, SessionServices
from tests.topics import Topics

WHY = "the test wants it so"


@pytest.fixture
def two_partitions(ingester: Ingester) -> Iterator[tuple[Ingester, Topics]]:
    """An ingester on a topic that the test may delete."""
    topics = Topics(ingester.bootstrap)
    ingester.use(topics.create(partitions=2))
    yield ingester, topics
    topics.end()


def stops(ingester: Ingester, told: str, command: str) -> None:
    """It ends with 78 and a line that says what happened and what goes on; nothing changes."""
    before = read_tables(ingester.database_url, ingester.topic)
    running = ingester.run("run", "--until-caught-up")
    assert running.code == 78, running.tail()
    line = running.stderr.splitlines()[-1]
    assert line.startswith("error: ")
    assert told in line
    assert line.endswith(command)
    assert read_tables(ingester.database_url, ingester.topic) == before


def offsets(ingester: Ingester, *arguments: str) -> dict[str, Any]:
    """What `ingester offsets` says as JSON."""
    running = ingester.run("offsets", *arguments, "--json")
    assert running.code == 0, running.tail()
    said: dict[str, Any] = json.loads(running.stdout)
    return said


def verified(ingester: Ingester) -> dict[str, Any]:
    """What `ingester verify --against-topic` says; it must be content."""
    running = ingester.run("verify", "--against-topic", "--json")
    said: dict[str, Any] = json.loads(running.stdout)
    assert running.code == 0, [check for check in said["checks"] if not check["ok"]]
    return said


def goes_on(ingester: Ingester, command: str, *arguments: str) -> None:
    """The command tells first, then does it once; then everything is read and balances."""
    before = read_tables(ingester.database_url, ingester.topic)
    told = offsets(ingester, command, *arguments)
    assert told["partitions"]
    assert told["done"] is False
    assert read_tables(ingester.database_url, ingester.topic) == before, "a dry run changed it"
    refused = ingester.run("offsets", command, *arguments, "--yes")
    assert refused.code == 2, "without a reason"

    done = offsets(ingester, command, *arguments, "--yes", "--why", WHY)

    assert (done["done"], done["partitions"]) == (True, told["partitions"])
    ingester.catch_up()
    accepted = verified(ingester)["accepted"]
    assert {each["partition"] for each in accepted} == {
        each["partition"] for each in told["partitions"]
    }
    assert {(each["action"], each["why"]) for each in accepted} == {
        (command.replace("-", "_"), WHY)
    }
    shown = offsets(ingester, "show")
    assert {(each["fit"], each["lag"]) for each in shown["partitions"]} == {("fits", 0)}
    assert len(shown["actions"]) == len(accepted)


def test_records_deleted_before_they_were_read(ingester: Ingester) -> None:
    publish(ingester.bootstrap, ingester.topic, mixed(31, 2_000))
    ingester.catch_up()
    publish(ingester.bootstrap, ingester.topic, mixed(32, 2_000))
    stored = read_tables(ingester.database_url, ingester.topic).offsets[0].next
    admin = AdminClient({"bootstrap.servers": ingester.bootstrap, "log_level": 3})
    deleted = admin.delete_records([TopicPartition(ingester.topic, 0, stored + 5)])
    for future in deleted.values():
        future.result(15)

    command = "ingester offsets accept-gap --partition 0"
    stops(ingester, "5 offsets were deleted before they were read", command)
    goes_on(ingester, "accept-gap", "--partition", "0")


@pytest.mark.parametrize("records", [200, 6_000], ids=["fewer", "more"])
def test_the_topic_is_made_again(two_partitions: tuple[Ingester, Topics], records: int) -> None:
    ingester, topics = two_partitions
    publish(ingester.bootstrap, ingester.topic, mixed(33, 2_000))
    ingester.catch_up()
    topics.delete(ingester.topic)
    topics.create(partitions=2, name=ingester.topic)
    publish(ingester.bootstrap, ingester.topic, mixed(34, records))

    stops(ingester, "was the topic made again", "ingester offsets adopt")
    goes_on(ingester, "adopt")


def test_the_topic_is_made_again_with_fewer_partitions(
    two_partitions: tuple[Ingester, Topics],
) -> None:
    ingester, topics = two_partitions
    publish(ingester.bootstrap, ingester.topic, mixed(35, 1_000))
    ingester.catch_up()
    topics.delete(ingester.topic)
    topics.create(partitions=1, name=ingester.topic)
    publish(ingester.bootstrap, ingester.topic, mixed(36, 1_000))

    stops(ingester, "was the topic made again", "ingester offsets adopt")
    done = offsets(ingester, "adopt", "--yes", "--why", WHY)

    assert [each["goes_on_at"] for each in done["partitions"]] == [0, 0]
    ingester.catch_up()
    verified(ingester)


def test_another_cluster_answers(ingester: Ingester, services: SessionServices) -> None:
    publish(ingester.bootstrap, ingester.topic, mixed(37, 2_000))
    ingester.catch_up()
    other = services.another_kafka()
    other.start()
    try:
        Topics(other.bootstrap).create(partitions=4, name=ingester.topic)
        publish(other.bootstrap, ingester.topic, mixed(37, 3_000))
        ingester.settings["KAFKA_BOOTSTRAP_SERVERS"] = ingester.bootstrap = other.bootstrap

        stops(ingester, "is this another cluster", "ingester offsets adopt")
        goes_on(ingester, "adopt")
    finally:
        other.kill()


class Log:
    """The files of a partition, for the moments in which its broker is down."""

    def __init__(self, broker: ControlledKafka, topic: str) -> None:
        if not isinstance(broker, LocalKafka):
            pytest.skip("a broker in a container keeps its files to itself")
        self.broker = broker
        self.directory = broker.directory / "data" / f"{topic}-0"

    def cut_at(self, offset: int) -> None:
        """Lose everything from the batch of an offset on, as a power failure would."""
        self.broker.kill()
        (segment,) = self.directory.glob("*.log")
        kept = 0
        data = segment.read_bytes()
        while kept < len(data):
            base, length = struct.unpack_from(">qi", data, kept)
            if base + struct.unpack_from(">i", data, kept + 23)[0] >= offset:
                break
            kept += 12 + length
        with segment.open("r+b") as file:
            file.truncate(kept)
        self.broker.start()

    def copied_to(self, place: Path) -> None:
        """Keep a copy of the partition."""
        self.broker.stop()
        shutil.copytree(self.directory, place)
        self.broker.start()

    def restored_from(self, place: Path) -> None:
        """Put the copy back."""
        self.broker.stop()
        shutil.rmtree(self.directory)
        shutil.copytree(place, self.directory)
        self.broker.start()


@pytest.fixture
def one_partition(own_ingester: Ingester, own_kafka: ControlledKafka) -> tuple[Ingester, Log]:
    """An ingester that has read a topic of one partition, and the partition's files."""
    topic = Topics(own_kafka.bootstrap).create(partitions=1)
    own_ingester.use(topic)
    fill(own_ingester, 41, 2_000)
    own_ingester.catch_up()
    return own_ingester, Log(own_kafka, topic)


def fill(ingester: Ingester, seed: int, records: int) -> None:
    """Publish in batches of a hundred, so that a segment can be cut in many places."""
    properties = {"batch.num.messages": 100}
    publish(ingester.bootstrap, ingester.topic, mixed(seed, records), **properties)


def test_the_log_is_truncated(one_partition: tuple[Ingester, Log]) -> None:
    ingester, log = one_partition
    log.cut_at(1_500)

    stops(ingester, "it was truncated", "ingester offsets adopt --partition 0")
    goes_on(ingester, "adopt", "--partition", "0")


def test_the_log_is_truncated_and_filled_again_past_the_stored_offset(
    one_partition: tuple[Ingester, Log],
) -> None:
    ingester, log = one_partition
    log.cut_at(1_500)
    fill(ingester, 42, 2_000)

    stops(ingester, "leader epochs", "ingester offsets adopt --partition 0")
    shown = offsets(ingester, "show")
    assert [each["fit"] for each in shown["partitions"]] == ["truncated"]
    goes_on(ingester, "adopt")


def test_an_older_copy_of_the_log_comes_back(
    one_partition: tuple[Ingester, Log], tmp_path: Path
) -> None:
    ingester, log = one_partition
    log.copied_to(tmp_path / "copy")
    fill(ingester, 43, 1_000)
    ingester.catch_up()
    log.restored_from(tmp_path / "copy")

    stops(ingester, "ends at", "ingester offsets adopt --partition 0")
    goes_on(ingester, "adopt")


def test_who_knows_the_place_may_name_it(one_partition: tuple[Ingester, Log]) -> None:
    ingester, log = one_partition
    log.cut_at(1_500)
    (end,) = [each["high"] for each in offsets(ingester, "show")["partitions"]]
    fill(ingester, 44, 500)

    goes_on(ingester, "adopt", "--partition", "0", "--from-offset", str(end))

    after = read_tables(ingester.database_url, ingester.topic).offsets[0]
    assert (after.first, after.next) == (end, end + 500)


def test_a_healthy_topic_needs_nothing(ingester: Ingester) -> None:
    publish(ingester.bootstrap, ingester.topic, mixed(45, 500))
    ingester.catch_up()
    before = read_tables(ingester.database_url, ingester.topic)

    for command in ("adopt", "accept-gap"):
        running = ingester.run("offsets", command, "--yes", "--why", WHY)
        assert running.code == 0, running.tail()
        assert "nothing needs it" in running.stdout

    assert read_tables(ingester.database_url, ingester.topic) == before
    assert offsets(ingester, "show")["actions"] == []


def test_the_audit_cannot_be_changed(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO operator_actions (action, why, operator) VALUES ('x', 'y', 'z')"
        )
        for change in ("UPDATE operator_actions SET why = ''", "DELETE FROM operator_actions",
                       "TRUNCATE operator_actions"):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(change)
        assert connection.execute("SELECT count(*) FROM operator_actions").fetchone() == (1,)
