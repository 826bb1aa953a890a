"""The services of one test session: chosen once, started when the first test asks, ended with it.

What is given in the environment is used as it is, and cannot be stopped. Tests that stop, kill or
restart a server therefore ask for one of the session's own.
"""

import os
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.services import account, origin
from tests.services.kafka import LocalKafka
from tests.services.origin import KAFKA, POSTGRES, Origin
from tests.services.postgres import LocalPostgres


class Controlled(Protocol):
    """A server that a test may stop, kill and start again; it keeps its port and its data."""

    def start(self) -> object:
        """Start, and return once it answers."""

    def stop(self) -> None:
        """A clean stop."""

    def kill(self) -> None:
        """SIGKILL."""

    def restart(self) -> None:
        """A clean stop and a start."""


class ControlledKafka(Controlled, Protocol):
    """A broker of our own."""

    def pause(self) -> None:
        """Freeze it: it holds its connections and answers nothing."""

    def resume(self) -> None:
        """Let it go on."""

    @property
    def bootstrap(self) -> str:
        """The value for bootstrap.servers."""


class ControlledPostgres(Controlled, Protocol):
    """A PostgreSQL of our own."""

    @property
    def url(self) -> str:
        """A connection URL, as superuser."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Where each of the two comes from. Raises NoServices, when made, where there is nothing."""

    kafka: Origin
    postgres: Origin

    @classmethod
    def made(cls) -> "Choice":
        """By the order of DESIGN.md."""
        return cls(origin.choose(KAFKA), origin.choose(POSTGRES))


class SessionServices:
    """Starts what is asked for, when it is asked for."""

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self.directory = Path(tempfile.mkdtemp(prefix="ingester-tests-"))
        # PostgreSQL may have to run as somebody else.
        self.directory.chmod(0o755)
        self._ending = ExitStack()
        self._kafka: ControlledKafka | None = None
        self._postgres: ControlledPostgres | None = None

    @property
    def bootstrap(self) -> str:
        """bootstrap.servers of the broker given, else of our own."""
        return (
            os.environ[KAFKA] if self.choice.kafka is Origin.GIVEN else self.own_kafka().bootstrap
        )

    @property
    def url(self) -> str:
        """The URL of the server given, else of our own; as a role that may create databases."""
        return (
            os.environ[POSTGRES]
            if self.choice.postgres is Origin.GIVEN
            else self.own_postgres().url
        )

    def own_kafka(self) -> ControlledKafka:
        """The session's own broker, running."""
        if self._kafka is None:
            self._kafka = self._docker_kafka() if self._in_docker() else self._local_kafka()
            self._kafka.start()
        return self._kafka

    def own_postgres(self) -> ControlledPostgres:
        """The session's own PostgreSQL, running."""
        if self._postgres is None:
            self._postgres = (
                self._docker_postgres() if self._in_docker() else self._local_postgres()
            )
            self._postgres.start()
        return self._postgres

    def another_kafka(self) -> ControlledKafka:
        """A second cluster, not started yet."""
        if self._in_docker():
            return self._docker_kafka()
        return self._local_kafka("another-kafka")

    def end(self) -> None:
        """Stop what was started, last first. Nothing of it is needed any more: not gently."""
        self._ending.close()
        account.forget(self.directory)

    def _in_docker(self) -> bool:
        return origin.choose_own() is Origin.DOCKER

    def _local_kafka(self, name: str = "kafka") -> ControlledKafka:
        server = LocalKafka(self.directory / name)
        self._ending.callback(server.kill)
        return server

    def _local_postgres(self) -> ControlledPostgres:
        server = LocalPostgres(self.directory / "postgres")
        self._ending.callback(server.kill)
        return server

    def _docker_kafka(self) -> ControlledKafka:
        from tests.containers import DockerKafka  # noqa: PLC0415  # slow, and often not needed

        server = DockerKafka()
        self._ending.callback(server.remove)
        return server

    def _docker_postgres(self) -> ControlledPostgres:
        from tests.containers import DockerPostgres  # noqa: PLC0415  # as above

        server = DockerPostgres()
        self._ending.callback(server.remove)
        return server
