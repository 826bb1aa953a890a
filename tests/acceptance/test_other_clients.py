"""Events from producers that are not ours: without key, as CloudEvents, from Kafka's own tools."""

import json
import subprocess
from pathlib import Path
from random import Random
from typing import Any

from tests.acceptance.ingester import Ingester
from tests.acceptance.traffic import event
from tests.checker.client import KafkaProducer
from tests.checker.tables import read_tables
from tests.services import artifacts, toolchain
from tests.services.errors import NoServices

RANDOM = Random(18)
BINARY = [
    ("ce_specversion", b"1.0"),
    ("ce_id", b"1"),
    ("ce_source", b"/other"),
    ("ce_type", b"com.example.campaign.event"),
    ("content-type", b"application/json"),
]
STRUCTURED = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
MAVEN_DEPENDENCY = "org.apache.maven.plugins:maven-dependency-plugin:3.11.0"
"""The version that tests/services/pom.xml names."""
CONSOLE = "org.apache.kafka.tools.ConsoleProducer"


def enveloped(fields: dict[str, Any]) -> bytes:
    """A CloudEvent in structured mode."""
    envelope = {"specversion": "1.0", "id": "1", "source": "/other", "type": "t", "data": fields}
    return json.dumps(envelope).encode()


def landed(ingester: Ingester, expected: list[dict[str, Any]]) -> None:
    """Every event is a row, nothing was refused."""
    ingester.catch_up()
    verdict = ingester.verdict()
    assert verdict.ok, verdict.differences
    assert verdict.rejected == 0
    rows = read_tables(ingester.database_url, ingester.topic).events
    assert {row.identity.event_id for row in rows} == {fields["event_id"] for fields in expected}


def test_events_of_kafka_python_without_key_and_as_cloudevents_land(ingester: Ingester) -> None:
    plain, binary, structured = event(RANDOM), event(RANDOM), event(RANDOM)
    producer = KafkaProducer(bootstrap_servers=ingester.bootstrap.split(","))
    try:
        producer.send(ingester.topic, json.dumps(plain).encode())
        producer.send(ingester.topic, json.dumps(binary).encode(), headers=BINARY)
        producer.send(ingester.topic, enveloped(structured), headers=STRUCTURED)
        producer.flush(30)
    finally:
        producer.close()

    landed(ingester, [plain, binary, structured])


def test_events_of_kafkas_own_console_producer_land(ingester: Ingester, tmp_path: Path) -> None:
    plain, binary, structured = event(RANDOM), event(RANDOM), event(RANDOM)
    binary_headers = ",".join(f"{name}:{value.decode()}" for name, value in BINARY)
    structured_headers = ",".join(f"{name}:{value.decode()}" for name, value in STRUCTURED)
    lines = [
        f"trace:1\t{json.dumps(plain)}",  # the tool knows no record without headers beside others
        f"{binary_headers}\t{json.dumps(binary)}",
        f"{structured_headers}\t{enveloped(structured).decode()}",
    ]
    typed = tmp_path / "typed"
    typed.write_text("\n".join(lines) + "\n")
    console_producer(ingester, typed, tmp_path / "console.log")

    landed(ingester, [plain, binary, structured])


def console_producer(ingester: Ingester, typed: Path, log: Path) -> None:
    """Run it on a file of `headers<TAB>value` lines."""
    if toolchain.missing():
        raise NoServices(f"Kafka's console producer needs {toolchain.missing()}")
    jars = artifacts.kafka_jars()
    (broker,) = jars.glob("kafka_2.13-*.jar")
    tools = log.with_name("jars")
    artifact = f"org.apache.kafka:kafka-tools:{broker.stem.rpartition('-')[2]}"
    fetch = [
        *("mvn", "--quiet", "--batch-mode", f"{MAVEN_DEPENDENCY}:copy"),
        *(f"-Dartifact={artifact}", f"-DoutputDirectory={tools}"),
    ]
    produce = [
        *(toolchain.java(), "-cp", f"{tools}/*:{jars}/*", CONSOLE),
        *("--bootstrap-server", ingester.bootstrap, "--topic", ingester.topic),
        *("--property", "parse.headers=true"),
    ]
    for command in (fetch, produce):
        with typed.open("rb") as keyboard, log.open("ab") as output:
            ran = subprocess.run(
                command,
                stdin=keyboard,
                stdout=output,
                stderr=output,
                cwd=log.parent,
                timeout=60,
                check=False,
            )
        assert ran.returncode == 0, log.read_text()
