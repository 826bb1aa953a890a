"""`ingester doctor` says what is well and, where something is not, what to do."""

import json
from typing import Any
from urllib.parse import urlsplit

import psycopg

from tests.acceptance.ingester import Ingester
from tests.acceptance.publish import publish
from tests.acceptance.traffic import mixed
from tests.topics import Topics


def findings(ingester: Ingester, code: int, **settings: str) -> dict[str, dict[str, Any]]:
    """What it says by subject; each fault must come with advice."""
    running = ingester.run("doctor", "--json", settings=settings)
    assert running.code == code, running.tail()
    said = json.loads(running.stdout)
    assert all(bool(each["advice"]) != each["ok"] for each in said), said
    return {each["subject"]: each for each in said}


def unwell(found: dict[str, dict[str, Any]]) -> set[str]:
    """The subjects that are not well."""
    return {subject for subject, each in found.items() if not each["ok"]}


def test_a_healthy_system(ingester: Ingester) -> None:
    publish(ingester.bootstrap, ingester.topic, mixed(101, 100))
    ingester.catch_up()
    ingester.run("refresh", "--once")
    found = findings(ingester, 0)
    assert found.keys() >= {"settings", "PostgreSQL", "clocks", "schema", "privileges",
                            "partitions", "Kafka", "offsets"}  # fmt: skip
    assert "4 partitions" in found["Kafka"]["detail"]
    assert "run, refresh, stats, operate" in found["privileges"]["detail"]


def test_months_that_are_missing(ingester: Ingester) -> None:
    found = findings(ingester, 78)
    assert unwell(found) == {"partitions"}
    assert "ingester refresh" in found["partitions"]["advice"]


def test_an_unmigrated_database(ingester: Ingester, empty_database_url: str) -> None:
    found = findings(ingester, 78, DATABASE_URL=empty_database_url)
    assert {"schema", "offsets"} <= unwell(found)
    assert found["schema"]["advice"] == "run: ingester migrate"
    assert found["Kafka"]["ok"], "each part is looked at, whatever the others say"


def test_a_topic_that_is_missing(ingester: Ingester) -> None:
    found = findings(ingester, 78, KAFKA_TOPIC="no-such-topic")
    assert "Kafka" in unwell(found)
    assert found["PostgreSQL"]["ok"]


def test_servers_that_do_not_answer(ingester: Ingester) -> None:
    found = findings(ingester, 75, KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    assert "Kafka" in unwell(found)
    assert found["PostgreSQL"]["ok"]


def test_a_login_without_privileges(ingester: Ingester) -> None:
    role = f"nobody_{ingester.topic.replace('-', '_')}"
    url = urlsplit(ingester.database_url)
    server = url.netloc.rpartition("@")[2]
    with psycopg.connect(ingester.database_url, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {role} LOGIN".encode())
        try:
            login = url._replace(netloc=f"{role}@{server}").geturl()
            found = findings(ingester, 77, DATABASE_URL=login)
            assert "nothing" in found["privileges"]["detail"]
            assert "roles.sql" in found["privileges"]["advice"]
        finally:
            owner.execute(f"DROP ROLE {role}".encode())


def test_a_topic_that_was_made_again(ingester: Ingester) -> None:
    topics = Topics(ingester.bootstrap)
    ingester.use(topics.create(partitions=1))
    publish(ingester.bootstrap, ingester.topic, mixed(102, 100))
    ingester.catch_up()
    ingester.run("refresh", "--once")
    topics.delete(ingester.topic)
    topics.create(partitions=1, name=ingester.topic)
    found = findings(ingester, 78)
    assert unwell(found) == {"offsets"}
    assert "other topic" in found["offsets"]["detail"]
    topics.end()
