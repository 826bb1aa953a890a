"""The examples of the documentation, run as a reader would run them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.ingester import Ingester
from tests.checker.tables import read_tables
from tests.services import artifacts, toolchain

EXAMPLES = Path(__file__).parents[2] / "examples"
HAS_JDK = shutil.which("javac") is not None and not toolchain.missing()
HAS_GO = shutil.which("go") is not None and os.environ.get("EXAMPLES_GO") == "1"


def run(ingester: Ingester, directory: Path, *command: str) -> str:
    """Run a command in a directory with the connections in its environment; returns its output."""
    ran = subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, **ingester.settings, "PYTHONPATH": str(EXAMPLES.parent)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_examples_in_python_publish_and_read(ingester: Ingester) -> None:
    def example(name: str) -> str:
        return run(ingester, EXAMPLES, sys.executable, name)

    assert example("publish.py") == "published 3 events of spring-sale\n"
    ingester.catch_up()
    assert ingester.run("refresh", "--once").code == 0

    read = example("read_statistics.py")
    assert "sent 500, open rate 0.002, as of 20" in read
    assert ": opened 1\n" in read
    assert "spring-sale: replied 1, last on 20" in read
    assert "never-heard-of: replied 0, last on None" in read
    assert read.count(" x ") == 3
    assert read.count(f"from {ingester.topic}[") == 3

    assert example("read_in_parallel.py") == (
        "opened in all: 1\nmost opened: ['spring-sale']\ncampaigns with sale in their id: 1\n"
    )
    old = example("old_table_reader.py").splitlines()
    assert len(old) == 3
    assert "sent=0, opened=0" in old[0]
    assert any("sent=500, opened=1, clicked=0, replied=1" in entry for entry in old[1:])


@pytest.mark.skipif(not HAS_JDK, reason="needs a JDK and Maven")
def test_the_example_in_java_publishes_what_is_accepted(ingester: Ingester) -> None:
    classpath = f"{artifacts.kafka_jars()}/*"
    source = EXAMPLES / "java"
    told = run(ingester, source, toolchain.java(), "-cp", classpath, "PublishEvents.java")
    assert told == "published 3 events of java-campaign\n"
    accepted(ingester)


@pytest.mark.skipif(not HAS_GO, reason="needs Go and EXAMPLES_GO=1: it downloads modules")
def test_the_example_in_go_publishes_what_is_accepted(ingester: Ingester) -> None:
    told = run(ingester, EXAMPLES / "go", "go", "run", ".")
    assert told == "published 3 events of go-campaign\n"
    accepted(ingester)


def accepted(ingester: Ingester) -> None:
    """All three events are rows, nothing was refused."""
    ingester.catch_up()
    tables = read_tables(ingester.database_url, ingester.topic)
    assert (len(tables.events), len(tables.rejects)) == (3, 0)
