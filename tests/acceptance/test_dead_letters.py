"""Rejects reach a dead-letter topic, marked as Kafka Connect marks them; at least once."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import psycopg
import pytest
from confluent_kafka import Consumer, TopicPartition

from ingester.dead_letters import DeadLetter, forward
from ingester.errors import TemporaryError
from ingester.event import VALUE_BYTES_MAX
from ingester.settings import Settings
from ingester.store.refreshing import RefreshStore
from ingester.store.rejects import LARGE_VALUE_KEPT_BYTES
from tests.acceptance.ingester import Ingester
from tests.acceptance.process import wait_for
from tests.acceptance.publish import publish
from tests.acceptance.traffic import Publication, mixed
from tests.session_services import ControlledKafka
from tests.topics import Topics

REJECTS = 700
"""More than are taken at once."""


def leader(consumer: Consumer, topic: str) -> int:
    """Who leads the topic's only partition; -1 for nobody."""
    partitions = consumer.list_topics(topic, timeout=15.0).topics[topic].partitions
    return int(partitions[0].leader) if partitions else -1


def letters(bootstrap: str, topic: str) -> list[tuple[Any, Any, dict[str, bytes]]]:
    """Key, value and headers of all records of a topic of one partition."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "judge"})
    # A broker that was paused may not know its partitions at once.
    wait_for(lambda: leader(consumer, topic) >= 0, 30.0, lambda: "the topic has no leader")
    end = consumer.get_watermark_offsets(TopicPartition(topic, 0))[1]
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[Any] = []
    while len(found) < end:
        found += [message for message in consumer.consume(500, 1.0) if message.error() is None]
    consumer.close()
    return [(each.key(), each.value(), dict(each.headers() or ())) for each in found]


def places(found: list[tuple[Any, Any, dict[str, bytes]]]) -> list[tuple[bytes, ...]]:
    """Partition and offset of each letter."""
    prefix = "__connect.errors."
    return [(each[2][prefix + "partition"], each[2][prefix + "offset"]) for each in found]


def refreshers(judge: psycopg.Connection) -> tuple[int, int]:
    """Backends of a refresher that wait for the test's lock, and all of them."""
    waiting, connected = judge.execute(REFRESHERS).fetchone() or (0, 0)
    return waiting, connected


def began(judge: psycopg.Connection) -> bool:
    """Whether a refresher has taken rejects: it holds them while it publishes, or marked some."""
    return judge.execute(BEGAN).fetchone() == (True,)


HOLD_MARKS = """
CREATE FUNCTION hold_marks() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NULL; END $$;
CREATE TRIGGER hold_marks BEFORE UPDATE ON rejected_events EXECUTE FUNCTION hold_marks();
"""
MARKED = "SELECT count(*) FROM rejected_events WHERE forwarded_at IS NOT NULL"
REFRESHERS = """
SELECT count(*) FILTER (WHERE wait_event = 'advisory'), count(*) FROM pg_stat_activity
WHERE application_name = 'ingester-refresher' AND datname = current_database()
"""

BEGAN = """
SELECT
    EXISTS (SELECT FROM rejected_events WHERE forwarded_at IS NOT NULL)
    OR EXISTS (
        SELECT FROM pg_stat_activity
        WHERE application_name = 'ingester-refresher' AND datname = current_database()
            AND state = 'idle in transaction'
    )
"""
UNDELIVERED_SECONDS = 3.0
"""Long enough to commit, for a refresher that would not wait for delivery."""


@pytest.fixture
def forwarding(ingester: Ingester) -> str:
    """An ingester that has rejected 700 records and knows a dead-letter topic: its name."""
    known = Publication(b"key", b"{", (("trace", b"\x00\xff"),), 2)
    publish(ingester.bootstrap, ingester.topic, [known, *mixed(111, REJECTS - 1, invalid=1)])
    publish(ingester.bootstrap, ingester.topic, mixed(112, 100, invalid=0))
    ingester.catch_up()
    return Topics(ingester.bootstrap).create(partitions=1)


def test_rejects_are_forwarded_once_with_connects_headers(
    ingester: Ingester, forwarding: str
) -> None:
    ingester.run("refresh", "--once")
    assert letters(ingester.bootstrap, forwarding) == [], "it is off unless it was switched on"
    ingester.settings["INGESTER_DEAD_LETTER_TOPIC"] = forwarding

    for _ in range(2):  # the second finds nothing left
        done = ingester.run("refresh", "--once")
        assert done.code == 0, done.tail()

    assert done.log.named("maintenance_failed") == []
    found = letters(ingester.bootstrap, forwarding)
    assert len(found) == REJECTS
    (known,) = [each for each in found if each[0] == b"key"]
    assert known[1] == b"{"
    prefix = "__connect.errors."
    assert known[2] == {
        "trace": b"\x00\xff",
        prefix + "topic": ingester.topic.encode(),
        prefix + "partition": b"2",
        prefix + "offset": known[2][prefix + "offset"],
        prefix + "connector.name": ingester.settings["KAFKA_GROUP_ID"].encode(),
        prefix + "task.id": b"0",
        prefix + "stage": b"VALUE_CONVERTER",
        prefix + "class.name": b"ingester.decoder",
        prefix + "exception.class.name": b"invalid_json",
        prefix + "exception.message": known[2][prefix + "exception.message"],
        prefix + "exception.stacktrace": b"invalid_json: " + known[2][prefix + "exception.message"],
    }
    publish(ingester.bootstrap, ingester.topic, mixed(113, 10, invalid=1))
    ingester.catch_up()
    ingester.run("refresh", "--once")
    assert len(letters(ingester.bootstrap, forwarding)) == REJECTS + 10


def test_a_value_that_is_kept_in_part_is_marked_as_cut(
    ingester: Ingester, topic: Callable[..., str]
) -> None:
    large = Publication(b"large", b"x" * (VALUE_BYTES_MAX + 1), (), 0)
    whole = Publication(b"whole", b"x" * VALUE_BYTES_MAX, (), 0)
    ingester.use(topic(partitions=1, max_message_bytes="5000000"))
    room = {"message.max.bytes": 5_000_000}
    publish(ingester.bootstrap, ingester.topic, [large, whole], **room)
    ingester.catch_up()
    letter_topic = topic(partitions=1, max_message_bytes="5000000")

    done = ingester.run("refresh", "--once", settings={"INGESTER_DEAD_LETTER_TOPIC": letter_topic})

    assert done.code == 0, done.tail()
    assert done.log.named("maintenance_failed") == []
    forwarded = letters(ingester.bootstrap, letter_topic)
    found = {key: (value, headers) for key, value, headers in forwarded}
    value, headers = found[b"large"]
    assert value == b"x" * LARGE_VALUE_KEPT_BYTES
    assert headers["ingester.value.truncated.from"] == str(VALUE_BYTES_MAX + 1).encode()
    value, headers = found[b"whole"]
    assert value == b"x" * VALUE_BYTES_MAX
    assert "ingester.value.truncated.from" not in headers


def test_a_refresher_killed_between_delivery_and_mark_leaves_nothing_out(
    ingester: Ingester, forwarding: str
) -> None:
    """The mark waits for a lock of the test: whoever is killed then has delivered."""
    ingester.settings["INGESTER_DEAD_LETTER_TOPIC"] = forwarding
    with psycopg.connect(ingester.database_url, autocommit=True) as judge:
        judge.execute(HOLD_MARKS)
        judge.execute("SELECT pg_advisory_lock(42)")
        running = ingester.start("refresh")
        wait_for(lambda: refreshers(judge)[0] == 1, 30.0, running.tail)
        delivered = places(letters(ingester.bootstrap, forwarding))
        assert len(delivered) == 500
        running.kill()
        judge.execute("SELECT pg_advisory_unlock(42)")
        wait_for(lambda: refreshers(judge)[1] == 0, 30.0, lambda: "its backend lives on")
        assert judge.execute(MARKED).fetchone() == (0,), "the mark went with it"

        done = ingester.run("refresh", "--once")

        assert done.code == 0, done.tail()
        assert judge.execute(MARKED).fetchone() == (REJECTS,)
    found = places(letters(ingester.bootstrap, forwarding))
    assert len(set(found)) == REJECTS, "none is missing"
    assert len(found) == REJECTS + len(delivered), "some again, as it was never marked"


def test_a_refresher_killed_before_delivery_has_marked_nothing(
    own_ingester: Ingester, own_kafka: ControlledKafka
) -> None:
    """The broker answers nothing, so that nothing is delivered while the refresher lives."""
    bootstrap, topics = own_ingester.bootstrap, Topics(own_ingester.bootstrap)
    publish(bootstrap, own_ingester.topic, mixed(115, REJECTS, repeated=0, invalid=1))
    own_ingester.catch_up()
    forwarding = own_ingester.settings["INGESTER_DEAD_LETTER_TOPIC"] = topics.create(partitions=1)
    with psycopg.connect(own_ingester.database_url, autocommit=True) as judge:
        own_kafka.pause()
        try:
            running = own_ingester.start("refresh")
            wait_for(lambda: began(judge), 30.0, running.tail)
            time.sleep(UNDELIVERED_SECONDS)
            running.kill()
        finally:
            own_kafka.resume()
        wait_for(lambda: refreshers(judge)[1] == 0, 30.0, lambda: "its backend lives on")
        assert judge.execute(MARKED).fetchone() == (0,), "marked, and on no topic"
        assert letters(bootstrap, forwarding) == []

        done = own_ingester.run("refresh", "--once")

        assert done.code == 0, done.tail()
        assert judge.execute(MARKED).fetchone() == (REJECTS,)
    found = places(letters(bootstrap, forwarding))
    assert len(found) == len(set(found)) == REJECTS
    topics.end()


def test_what_was_not_delivered_is_taken_again(ingester: Ingester, forwarding: str) -> None:
    settings = Settings(database_url=ingester.database_url, _env_file=None)
    store = RefreshStore(settings)
    taken = []

    def fail(letters: Sequence[DeadLetter]) -> None:
        taken.append([each.reject_id for each in letters])
        raise TemporaryError("not delivered")

    for _ in range(2):
        with pytest.raises(TemporaryError):
            forward(partial(store.dead_letters, ingester.topic), fail)
    store.close()
    assert taken[0] == taken[1]
    assert len(taken[0]) == 500
    with psycopg.connect(ingester.database_url) as connection:
        assert connection.execute(
            "SELECT count(*) FROM rejected_events WHERE forwarded_at IS NOT NULL"
        ).fetchone() == (0,)
    assert letters(ingester.bootstrap, forwarding) == []


def test_a_missing_topic_keeps_no_other_upkeep_from_running(ingester: Ingester) -> None:
    publish(ingester.bootstrap, ingester.topic, mixed(114, 50, invalid=0.5))
    ingester.catch_up()

    done = ingester.run("refresh", "--once", settings={"INGESTER_DEAD_LETTER_TOPIC": "missing"})

    assert done.code == 0, done.tail()
    (failed,) = done.log.named("maintenance_failed")
    assert failed["step"] == "forward_rejects"
    refused = ingester.run("run", settings={"INGESTER_DEAD_LETTER_TOPIC": ingester.topic})
    assert refused.code == 78
