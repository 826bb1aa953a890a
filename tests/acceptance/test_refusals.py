"""What cannot work is told at once: one clear line, and the exit code that scripts rely on."""

import signal
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from tests.acceptance.ingester import Ingester
from tests.acceptance.page import SETTINGS, Page
from tests.acceptance.process import Running, wait_for

SECONDS = 30.0


@dataclass(frozen=True)
class Fault:
    """Settings and arguments that are wrong, the exit code, and what the line must name."""

    code: int
    told: str
    settings: dict[str, str]
    arguments: tuple[str, ...] = ()


FAULTS = {
    "an unknown setting of ours": Fault(
        78, "did you mean INGESTER_BATCH_ROWS_MAX?", {"INGESTER_BATCH_ROW_MAX": "10"}
    ),
    "a number that is none": Fault(
        78, "INGESTER_BATCH_ROWS_MAX", {"INGESTER_BATCH_ROWS_MAX": "many"}
    ),
    "a property that would void the guarantee": Fault(
        78, "enable.auto.commit", {"KAFKA_CONF__enable_auto_commit": "true"}
    ),
    "a property that Kafka does not know": Fault(
        78, "no.such.property", {"KAFKA_CONF__no_such_property": "1"}
    ),
    "SASL without a mechanism": Fault(
        78, "KAFKA_SASL_MECHANISM", {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}
    ),
    "an address of no database": Fault(78, "DATABASE_URL", {"DATABASE_URL": "no such thing"}),
    "a topic that is missing": Fault(78, "no-such-topic", {"KAFKA_TOPIC": "no-such-topic"}),
}


def told_in_one_line(running: Running, code: int, told: str) -> None:
    """Exactly one line on standard error, which names the cause."""
    assert running.code == code, running.tail()
    lines = running.stderr.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ")
    assert told in lines[0]
    assert "Traceback" not in running.stderr


@pytest.mark.parametrize("name", FAULTS)
def test_it_tells_in_one_line(ingester: Ingester, name: str) -> None:
    fault = FAULTS[name]

    running = ingester.run("run", *fault.arguments, seconds=SECONDS, settings=fault.settings)

    told_in_one_line(running, fault.code, fault.told)


def test_it_tells_of_a_refused_login(ingester: Ingester) -> None:
    url = urlsplit(ingester.database_url)
    server = url.netloc.rpartition("@")[2]
    stranger = url._replace(netloc=f"no_such_role:canary-secret@{server}").geturl()

    running = ingester.run("run", seconds=SECONDS, settings={"DATABASE_URL": stranger})

    told_in_one_line(running, 77, "no_such_role")
    assert "canary-secret" not in running.stderr


def test_it_tells_of_an_unmigrated_database(ingester: Ingester, empty_database_url: str) -> None:
    running = ingester.run("run", seconds=SECONDS, settings={"DATABASE_URL": empty_database_url})

    told_in_one_line(running, 78, "ingester migrate")


NOBODY = {
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "DATABASE_URL": "postgresql://127.0.0.1:1/nothing",
}


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("setting", NOBODY)
def test_a_server_that_does_not_answer_is_waited_for_and_told_of(
    ingester: Ingester, setting: str, workers: str
) -> None:
    running = ingester.start(
        "run", "--workers", workers, settings={setting: NOBODY[setting], **SETTINGS}
    )

    running.until("retrying", SECONDS, times=2)

    page = Page(running)
    # Waiting is no reason to restart it.
    wait_for(lambda: page.reasons("/livez") is None, SECONDS, running.tail)
    assert running.log.named("worker_died") == []
    running.signal(signal.SIGTERM)
    assert running.wait(SECONDS) == 0, running.tail()


def test_targets_that_nobody_tells_are_told_of(ingester: Ingester) -> None:
    setting = "KAFKA_BOOTSTRAP_SERVERS"

    running = ingester.run(
        "run", "--until-caught-up", seconds=SECONDS, settings={setting: NOBODY[setting]}
    )

    assert running.code == 75, running.tail()
    assert running.stderr.splitlines()[-1].startswith("error: ")


def test_it_tells_of_a_wrong_call(ingester: Ingester) -> None:
    assert ingester.run("run", "--workers", "0", seconds=SECONDS).code == 2
    assert ingester.run("run", "--no-such-option", seconds=SECONDS).code == 2
