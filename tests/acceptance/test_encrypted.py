"""Kafka by TLS, SASL/SCRAM and mTLS, PostgreSQL by verify-full: real servers, real certificates."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from confluent_kafka.admin import AclOperation, ResourceType

from tests.acceptance.ingester import Ingester
from tests.acceptance.page import SETTINGS as PAGE
from tests.acceptance.page import Page
from tests.acceptance.process import wait_for
from tests.acceptance.publish import publish
from tests.acceptance.secured import PASSWORD, USER, Certificates, SecuredKafka, secured_postgres
from tests.acceptance.traffic import Publication, mixed
from tests.databases import Databases
from tests.services import origin
from tests.topics import Topics

RECORDS = 500
DATABASE_PASSWORD = "canary-91ab-database"  # noqa: S105  # it is looked for, as the other


@dataclass(frozen=True, slots=True)
class Secured:
    """The servers, their certificates, and a topic that holds records."""

    kafka: SecuredKafka
    certificates: Certificates
    databases: Databases
    topic: str

    def tls(self, listener: str, **more: str) -> dict[str, str]:
        """The settings for a way in."""
        protocol = "SSL" if listener in {"SSL", "MTLS"} else "SASL_SSL"
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.addresses[listener],
            "KAFKA_SECURITY_PROTOCOL": protocol,
            "KAFKA_SSL_CA_LOCATION": str(self.certificates.authority),
            **more,
        }

    def scram(self, password: str = PASSWORD) -> dict[str, str]:
        """The settings of the user that the broker knows."""
        return self.tls(
            "SASL_SSL",
            KAFKA_SASL_MECHANISM="SCRAM-SHA-512",
            KAFKA_SASL_USERNAME=USER,
            KAFKA_SASL_PASSWORD=password,
        )

    def token(self) -> dict[str, str]:
        """The settings of a client that makes its token itself, as librdkafka can for tests."""
        return self.tls(
            "OAUTH",
            KAFKA_SASL_MECHANISM="OAUTHBEARER",
            KAFKA_CONF__sasl_oauthbearer_config=f"principal={USER}",
            KAFKA_CONF__enable_sasl_oauthbearer_unsecure_jwt="true",
        )

    def client(self) -> dict[str, str]:
        """The settings of a client with a certificate."""
        return self.tls(
            "MTLS",
            KAFKA_SSL_CERTIFICATE_LOCATION=str(self.certificates.client),
            KAFKA_SSL_KEY_LOCATION=str(self.certificates.client_key),
        )


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """Both servers, started once for this file."""
    if origin.choose_own() is origin.Origin.DOCKER:
        pytest.skip("needs servers whose listeners the test chooses: JDK + Maven")
    directory = tmp_path_factory.mktemp("secured", numbered=True)
    # PostgreSQL may run as somebody else, who must come through; pytest's folders are its own.
    for each in (directory, *directory.parents):
        if not each.stat().st_mode & 0o001:
            each.chmod(0o755)
    certificates = Certificates.made(directory)
    kafka = SecuredKafka(directory, certificates)
    postgres = secured_postgres(directory, certificates)
    try:
        kafka.start()
        postgres.start()
        plain = kafka.addresses["PLAINTEXT"]
        topic = Topics(plain).create(partitions=2)
        publish(plain, topic, mixed(91, RECORDS, partitions=2))
        yield Secured(kafka, certificates, Databases(postgres.url), topic)
    finally:
        kafka.kill()
        postgres.stop("immediate")


@pytest.fixture
def ours(secured: Secured, ingesters: Callable[..., Ingester]) -> Ingester:
    """An ingester with a database of its own there, which it reaches by verify-full."""
    url = secured.databases.url_of(secured.databases.migrated())
    made = ingesters(secured.kafka.addresses["PLAINTEXT"], url, secured.topic)
    made.settings["DATABASE_URL"] = verify_full(url, secured.certificates.authority)
    return made


def verify_full(url: str, authority: Path) -> str:
    """The same address, with the server's certificate and name checked."""
    parts = urlsplit(url)
    login = f"{parts.username}:{DATABASE_PASSWORD}"
    server = parts.netloc.rpartition("@")[2]
    query = f"sslmode=verify-full&sslrootcert={authority}"
    return parts._replace(netloc=f"{login}@{server}", query=query).geturl()


@pytest.mark.parametrize("way", ["tls", "scram", "client", "token"])
def test_it_reads_and_writes_by_tls(secured: Secured, ours: Ingester, way: str) -> None:
    ours.settings |= {
        "tls": lambda: secured.tls("SSL"), "scram": secured.scram, "client": secured.client,
        "token": secured.token,
    }[way]()  # fmt: skip

    worker = ours.start("run", "--workers", "2")
    worker.until("batch_written", 30.0)
    with psycopg.connect(ours.database_url) as connection:
        plain = connection.execute(
            "SELECT application_name FROM pg_stat_activity JOIN pg_stat_ssl USING (pid)"
            " WHERE application_name LIKE 'ingester%' AND NOT ssl"
        ).fetchall()
    assert plain == []
    worker.end()
    ours.catch_up()

    verdict = ours.verdict()
    assert verdict.ok, verdict.differences
    assert verdict.records == RECORDS
    verified = ours.run("verify", "--against-topic")
    assert verified.code == 0, verified.stdout


def test_a_wrong_password_is_told_and_not_shown(secured: Secured, ours: Ingester) -> None:
    running = ours.run("run", settings=secured.scram(password=f"not-{PASSWORD}"))

    assert running.code == 77, running.tail()
    assert PASSWORD not in running.stderr + running.stdout


@pytest.mark.parametrize("fault", ["no certificate", "a stranger's authority", "another name"])
def test_who_cannot_be_trusted_is_not_talked_to(
    secured: Secured, ours: Ingester, fault: str
) -> None:
    authority = str(secured.certificates.stranger)
    address = secured.kafka.addresses["SSL"].replace("127.0.0.1", "localhost")
    settings = {
        "no certificate": secured.tls("MTLS"),
        "a stranger's authority": secured.tls("SSL") | {"KAFKA_SSL_CA_LOCATION": authority},
        "another name": secured.tls("SSL") | {"KAFKA_BOOTSTRAP_SERVERS": address},
    }[fault]

    running = ours.run("run", "--until-caught-up", settings=settings)

    assert running.code in {75, 77}, running.tail()
    with psycopg.connect(ours.database_url) as connection:
        assert connection.execute("SELECT count(*) FROM ingest_offsets").fetchone() == (0,)


@pytest.mark.parametrize("fault", ["a stranger's authority", "another name"])
def test_a_database_that_cannot_be_trusted_is_not_talked_to(
    secured: Secured, ours: Ingester, fault: str
) -> None:
    good = ours.settings["DATABASE_URL"]
    url = {
        "a stranger's authority": verify_full(good, secured.certificates.stranger),
        "another name": good.replace("127.0.0.1", "localhost"),
    }[fault]

    running = ours.run("status", settings={"DATABASE_URL": url})

    assert running.code in {75, 77}, running.tail()
    assert DATABASE_PASSWORD not in running.stderr + running.stdout


def test_the_doctor_names_what_kafka_does_not_allow(secured: Secured, ours: Ingester) -> None:
    topic = Topics(secured.kafka.addresses["PLAINTEXT"]).create()
    group = ours.settings["KAFKA_GROUP_ID"]
    ours.settings |= secured.scram() | {"KAFKA_TOPIC": topic}
    ours.run("refresh", "--once")
    secured.kafka.allow(ResourceType.TOPIC, topic, AclOperation.DESCRIBE)
    secured.kafka.allow(ResourceType.GROUP, group, AclOperation.DESCRIBE)

    found = examined(ours, 77)

    assert not found["ok"]
    assert found["detail"] == f"this login may not: READ topic {topic}, READ group {group}"
    secured.kafka.allow(ResourceType.TOPIC, topic, AclOperation.READ)
    secured.kafka.allow(ResourceType.GROUP, group, AclOperation.READ)
    assert "not publish" in examined(ours, 0)["detail"]


def examined(ingester: Ingester, code: int) -> dict[str, Any]:
    """What the doctor says of Kafka's privileges."""
    running = ingester.run("doctor", "--json")
    assert running.code == code, running.tail()
    said = {each["subject"]: each for each in json.loads(running.stdout)}
    return dict(said["Kafka privileges"])


def test_no_secret_is_ever_shown(secured: Secured, ours: Ingester) -> None:
    """Logs, results, refusals, tracebacks, pages and tables of a life with secrets in it."""
    ours.settings |= secured.scram()
    publish(secured.kafka.addresses["PLAINTEXT"], secured.topic, [Publication(b"k", b"{")])
    ours.catch_up(workers=2)
    serving = ours.start("run", "--workers", "2", settings=PAGE)
    page = Page(serving)
    wait_for(lambda: page.reasons("/livez") is None, 30.0, serving.tail)
    for path in ("/metrics", "/livez", "/readyz", "/nothing"):
        assert "canary" not in page.text(path), path
    serving.end()
    for arguments in (
        ("run", "--until-caught-up"), ("refresh", "--once"), ("status",), ("status", "--json"),
        ("verify", "--against-topic"), ("config",), ("config", "--json"), ("doctor",),
        ("offsets", "show"), ("rejected", "list"), ("simulate", "--events", "10"),
        ("stats", "--help"), ("migrate", "--json"),
    ):  # fmt: skip
        ours.run(*arguments)
    broken = ours.settings["DATABASE_URL"].replace("verify-full", "no-such-mode")
    ours.run("run", settings={"DATABASE_URL": broken})
    ours.run("run", settings={"KAFKA_CONF__sasl_password": PASSWORD})
    ours.run("run", settings={"INGESTER_BATCH_ROWS_MAX": "many"})

    for running in ours.processes:
        said = running.stdout + running.stderr
        assert "Traceback" not in said, running.tail()
        assert PASSWORD not in said, running.tail()
        assert DATABASE_PASSWORD not in said, running.tail()
    with psycopg.connect(ours.database_url) as connection:
        names = connection.execute(
            "SELECT relname FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        ).fetchall()
        for (name,) in names:
            rows = connection.execute(f'SELECT t::text FROM "{name}" AS t'.encode()).fetchall()
            assert "canary" not in str(rows), name
