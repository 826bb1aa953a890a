"""Kafka and PostgreSQL in containers, for machines whose Docker engine answers.

The same shape as LocalKafka and LocalPostgres: start, stop, kill, restart on one port. Ports are
fixed when the container is made: Docker gives a published random port anew at every start, and
clients have to find a restarted server again.
"""

import time
from collections.abc import Callable

from testcontainers.core.container import DockerContainer

from tests.services import wire
from tests.services.errors import ServiceError
from tests.services.kafka import SINGLE_NODE
from tests.services.port import HOST, free_port
from tests.services.postgres import DATABASE, USER

KAFKA_IMAGE = "apache/kafka:4.1.0"
POSTGRES_IMAGE = "postgres:18"
_START_SECONDS = 120.0
_POLL_SECONDS = 0.05


class _Container:
    """One container on one loopback port."""

    def __init__(self, container: DockerContainer, inner_port: int, port: int) -> None:
        self.port = port
        self._container = container
        self._made = False
        # The type knows port numbers only; the engine's client takes an address as well.
        self._container.ports[f"{inner_port}/tcp"] = (HOST, port)  # type: ignore[assignment]

    def _answers(self) -> bool:
        raise NotImplementedError

    def start(self) -> None:
        """Start, and return once it answers."""
        if self._made:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._made = True
        _wait(self._answers, self._container.image)

    def stop(self) -> None:
        """A clean stop; the data stays."""
        self._container.get_wrapped_container().stop()

    def kill(self) -> None:
        """SIGKILL: what a crash leaves behind."""
        self._container.get_wrapped_container().kill()

    def restart(self) -> None:
        """Stop cleanly and start on the same port and data."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """The end: container and data are gone."""
        self._container.stop()


class DockerKafka(_Container):
    """A broker of one node; `bootstrap` names it."""

    def __init__(self) -> None:
        port = free_port()
        environment = {
            **{
                f"KAFKA_{name.upper().replace('.', '_')}": value
                for name, value in SINGLE_NODE.items()
            },
            "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
            "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{HOST}:{port}",
            "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
            "KAFKA_HEAP_OPTS": "-Xmx512m",
        }
        super().__init__(DockerContainer(KAFKA_IMAGE, env=environment), 9092, port)

    @property
    def bootstrap(self) -> str:
        """The value for bootstrap.servers."""
        return f"{HOST}:{self.port}"

    def pause(self) -> None:
        """Freeze it: it holds its connections and answers nothing."""
        self._container.get_wrapped_container().pause()

    def resume(self) -> None:
        """Let it go on."""
        self._container.get_wrapped_container().unpause()

    def _answers(self) -> bool:
        return wire.kafka_answers(self.port)


class DockerPostgres(_Container):
    """A server with the database `ingester`; `url` names it."""

    def __init__(self) -> None:
        environment = {"POSTGRES_DB": DATABASE, "POSTGRES_HOST_AUTH_METHOD": "trust"}
        command = "-c max_connections=200 -c timezone=UTC"
        container = DockerContainer(
            POSTGRES_IMAGE, env=environment, command=command, shm_size="256m"
        )
        super().__init__(container, 5432, free_port())

    @property
    def url(self) -> str:
        """A connection URL, as superuser."""
        return f"postgresql://{USER}@{HOST}:{self.port}/{DATABASE}"

    def _answers(self) -> bool:
        return wire.postgres_answers(self.port, USER, DATABASE)


def _wait(answers: Callable[[], bool], image: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not answers():
        if time.monotonic() > deadline:
            raise ServiceError(f"{image} did not answer within {_START_SECONDS:.0f} s.")
        time.sleep(_POLL_SECONDS)
