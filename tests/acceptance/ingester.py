"""Starts `ingester` processes for one topic and one database, and ends them all."""

import os
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path

from tests.acceptance.process import Running
from tests.checker.judge import Verdict, judge

_CHECKOUT = Path(__file__).parents[2]
_OURS = ("INGESTER_", "KAFKA_", "REPLAY_", "PG", "DATABASE_URL")
# How a given cluster is logged into is no business of a test, nor which protocol the group has.
_KEPT = (
    *("KAFKA_SECURITY_PROTOCOL", "KAFKA_SASL_", "KAFKA_SSL_", "INGESTER_ALLOW_PLAINTEXT"),
    "KAFKA_CONF__group_protocol",
)
CATCH_UP_SECONDS = 60.0


class Ingester:
    """Everything that is started here uses the same topic, database and consumer group.

    `directory` takes the output of all processes. Settings are environment variables; batches are
    small by default, so that there are many transactions to interrupt.
    """

    def __init__(
        self,
        directory: Path,
        bootstrap: str,
        database_url: str,
        topic: str,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.bootstrap, self.database_url, self.topic = bootstrap, database_url, topic
        self.directory = directory
        self.settings = {
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "DATABASE_URL": database_url,
            "KAFKA_TOPIC": topic,
            "KAFKA_GROUP_ID": f"group-{uuid.uuid4().hex[:12]}",
            "INGESTER_BATCH_ROWS_MAX": "2000",
            "INGESTER_LOG_LEVEL": "debug",
            "INGESTER_LOG_FORMAT": "json",
            **(settings or {}),
        }
        self.processes: list[Running] = []

    def use(self, topic: str) -> None:
        """Use another topic from now on."""
        self.topic = self.settings["KAFKA_TOPIC"] = topic

    def start(
        self,
        *arguments: str,
        settings: Mapping[str, str] | None = None,
        module: str = "ingester",
        checkout: Path = _CHECKOUT,
    ) -> Running:
        """Start a command, as in `start("run", "--workers", "2", settings={...})`.

        `module` is what Python runs: another one may prepare something and run the command itself.
        `checkout` is whose code: another one is another version.
        """
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(_OURS) or name.startswith(_KEPT)
        }
        log = self.directory / f"{len(self.processes):02}-{module}-{arguments[0]}.log"
        # The checkout's, whatever is installed; what the caller's path adds comes after it.
        path = os.pathsep.join(filter(None, [str(checkout), inherited.get("PYTHONPATH")]))
        running = Running(
            [sys.executable, "-m", module, *arguments],
            {**inherited, **self.settings, **(settings or {}), "PYTHONPATH": path},
            log,
        )
        self.processes.append(running)
        return running

    def run(
        self,
        *arguments: str,
        seconds: float = CATCH_UP_SECONDS,
        settings: Mapping[str, str] | None = None,
        module: str = "ingester",
    ) -> Running:
        """Start a command and wait for its end."""
        running = self.start(*arguments, settings=settings, module=module)
        running.wait(seconds)
        return running

    def catch_up(self, workers: int = 1, settings: Mapping[str, str] | None = None) -> Running:
        """Read the topic to its end, which must succeed."""
        running = self.run("run", "--until-caught-up", "--workers", str(workers), settings=settings)
        assert running.code == 0, f"exit {running.code}:\n{running.tail()}"
        return running

    def verdict(self) -> Verdict:
        """What the independent checker says of topic and database."""
        return judge(self.bootstrap, self.database_url, self.topic)

    def end(self) -> None:
        """End every process that was started, whatever its state."""
        for running in self.processes:
            running.end()
