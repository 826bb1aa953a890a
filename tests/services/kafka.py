"""A private Kafka broker as a plain process: KRaft, one node, loopback only.

One Java process is broker and controller. It keeps its port through stop(), kill() and restart():
clients find it again. It must not know who uses it or why.
"""

import base64
import os
import signal
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.services import artifacts, toolchain, wire
from tests.services.errors import ServiceError
from tests.services.port import HOST, free_port
from tests.services.server_process import ServerProcess

_START_SECONDS = 180.0
_STOP_SECONDS = 20.0
# A short-lived JVM ends before the second compiler pays. The broker, which is measured, keeps it.
_SHORT_LIVED = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
_HEAP = ("-Xms256m", "-Xmx512m")
_LOGGING = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
)
SINGLE_NODE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    # A mistyped topic name has to be an error, as in production.
    "auto.create.topics.enable": "false",
    # Replayed history carries old timestamps: retention by time would delete it at once.
    "log.retention.ms": "-1",
    # One node: internal topics cannot be replicated; 50 partitions each only slow the first use.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # The default waits 3 s for more members before the first assignment.
    "group.initial.rebalance.delay.ms": "0",
    # Tests that kill consumers need not wait six seconds for the group to notice.
    "group.min.session.timeout.ms": "1000",
    # Under the consumer protocol a member learns of its partitions by its next heartbeat (5 s).
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.min.heartbeat.interval.ms": "500",
    "group.consumer.heartbeat.interval.ms": "500",
    # After a crash the controller refuses the new broker until the old session is over (9 s).
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
}


def new_cluster_id() -> str:
    """A Kafka Uuid in text: URL-safe base64 without padding, not beginning with a dash (0x2e)."""
    return base64.urlsafe_b64encode(b"\x2e" + uuid.uuid4().bytes[1:]).decode().rstrip("=")


class LocalKafka:
    """`directory` holds everything of this broker: configuration, data, log."""

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        controller_port: int | None = None,
        log: Path | None = None,
        leashed: bool = True,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        """Nothing is started yet.

        Args:
            directory: made when missing; started again on its own data when not.
            port: kept while it is free, otherwise (and by default) chosen.
            controller_port: the same for the controller's listener.
            log: what the broker says, appended.
            leashed: whether it dies with this Python process.
            properties: broker settings over the defaults.
        """
        self.directory = directory
        self.port = free_port(port)
        self.controller_port = free_port(controller_port)
        self.log = log or directory / "kafka.log"
        self.process: ServerProcess | None = None
        self._leashed = leashed
        self._properties = dict(properties or {})

    @property
    def bootstrap(self) -> str:
        """The value for bootstrap.servers."""
        return f"{HOST}:{self.port}"

    def start(self) -> ServerProcess:
        """Start, and return once it answers."""
        self.launch()
        return self.wait_until_answers()

    def launch(self) -> None:
        """Start and do not wait: the nodes of a cluster answer only together."""
        jars = artifacts.kafka_jars()
        configuration = self._write_configuration()
        if not (self._data / "meta.properties").exists():
            self._format(jars, configuration)
        command = [toolchain.java(), *_HEAP, *_LOGGING, "-cp", f"{jars}/*", "kafka.Kafka"]
        command.append(str(configuration))
        self.process = ServerProcess.start("Kafka", command, log=self.log, leashed=self._leashed)

    def wait_until_answers(self) -> ServerProcess:
        """Return once what was launched answers."""
        if self.process is None:
            raise ServiceError("Kafka was not started.")
        self.process.wait_until(lambda: wire.kafka_answers(self.port), _START_SECONDS)
        return self.process

    def formatting(self) -> list[str]:
        """How its storage is formatted: here as the only node of a cluster of its own."""
        return ["--standalone", "--cluster-id", new_cluster_id()]

    def stop(self) -> None:
        """A clean stop: logs flushed, no recovery at the next start."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: what a crash leaves behind."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """SIGSTOP: it holds its connections and answers nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """Stop cleanly and start on the same port and data."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _signal(self, sign: signal.Signals) -> None:
        if self.process is not None:
            os.kill(self.process.pid, sign)

    def _end(self, sign: signal.Signals) -> None:
        if self.process is not None:
            self.process.stop(sign, _STOP_SECONDS)
            self.process = None

    def _write_configuration(self) -> Path:
        properties = {
            **SINGLE_NODE,
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{HOST}:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.quorum.bootstrap.servers": f"{HOST}:{self.controller_port}",
            "log.dirs": str(self._data),
            **self._properties,
        }
        self.directory.mkdir(parents=True, exist_ok=True)
        configuration = self.directory / "server.properties"
        configuration.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
        return configuration

    def _format(self, jars: Path, configuration: Path) -> None:
        command = [toolchain.java(), *_SHORT_LIVED, "-cp", f"{jars}/*", "kafka.tools.StorageTool"]
        command += ["format", *self.formatting(), "--config", str(configuration)]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            ran = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if ran.returncode != 0:
            raise ServiceError(f"Kafka's storage could not be formatted; see {self.log}")
