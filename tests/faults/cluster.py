"""Three brokers that are controllers too: any one may be killed, and everything must go on.

Everything is replicated three times and written to two; a partition's leader and a group's
coordinator are ordinary brokers, found here by asking.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, NewTopic

from tests.services import toolchain
from tests.services.kafka import LocalKafka, new_cluster_id
from tests.services.port import HOST, free_port

NODES: Final = 3
_REPLICATED: Final = {
    "offsets.topic.replication.factor": str(NODES),
    "transaction.state.log.replication.factor": str(NODES),
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": str(NODES),
    "default.replication.factor": str(NODES),
    "min.insync.replicas": "2",
    "replica.lag.time.max.ms": "5000",
}
_OFFSETS_TOPIC: Final = "__consumer_offsets"
_SECONDS_MAX: Final = 120.0
_ANSWER_SECONDS_MAX: Final = 5.0


class Node(LocalKafka):
    """One of the three; the voters are known from the beginning."""

    def __init__(self, directory: Path, number: int, cluster_id: str, voters: str) -> None:
        controller_port = int(voters.split(",")[number - 1].rpartition(":")[2])
        super().__init__(
            directory / str(number),
            controller_port=controller_port,
            properties={
                **_REPLICATED,
                "node.id": str(number),
                "controller.quorum.voters": voters,
                "controller.quorum.bootstrap.servers": "",
            },
        )
        self._cluster_id = cluster_id

    def formatting(self) -> list[str]:
        """As a member of the cluster."""
        return ["--cluster-id", self._cluster_id]


class Cluster:
    """Started as a whole; `kill` and `start` one node by its number."""

    def __init__(self, directory: Path) -> None:
        voters = ",".join(f"{number}@{HOST}:{free_port()}" for number in range(1, NODES + 1))
        cluster_id = new_cluster_id()
        self._nodes = {
            number: Node(directory, number, cluster_id, voters) for number in range(1, NODES + 1)
        }

    @property
    def bootstrap(self) -> str:
        """The value for bootstrap.servers."""
        return ",".join(node.bootstrap for node in self._nodes.values())

    def start_all(self) -> None:
        """Start all three: no one of them can answer alone."""
        for node in self._nodes.values():
            node.launch()
        for node in self._nodes.values():
            node.wait_until_answers()
        self._admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 2})

    def kill(self, number: int) -> None:
        """SIGKILL."""
        self._nodes[number].kill()

    def start(self, number: int) -> None:
        """Start one again, on its own data."""
        self._nodes[number].start()

    def end(self) -> None:
        """Kill what runs."""
        for node in self._nodes.values():
            node.kill()

    def create_topic(self, name: str, partitions: int) -> None:
        """A topic with a replica on every node."""
        futures = self._admin.create_topics([NewTopic(name, partitions, NODES)])
        futures[name].result(_SECONDS_MAX)
        self.wait_until_replicated(name)

    def leader(self, topic: str, partition: int) -> int:
        """Who leads a partition now."""
        return self._described(topic)[partition][0]

    def coordinator(self, group: str) -> int:
        """Who coordinates a group now: the leader of the partition that holds its offsets.

        Not asked for by name: a client keeps the coordinator that it knows, even a wrong one.
        """
        known = self._admin.list_topics(_OFFSETS_TOPIC, timeout=_SECONDS_MAX).topics
        partitions = known[_OFFSETS_TOPIC].partitions
        return int(partitions[_java_hash(group) % len(partitions)].leader)

    def wait_until_replicated(self, topic: str) -> None:
        """Return once every partition has all its replicas in sync."""
        _wait_for(lambda: all(len(isr) == NODES for _, isr in self._described(topic)))

    def _described(self, topic: str) -> list[tuple[int, list[int]]]:
        # Also what makes librdkafka look for a controller that lives.
        self._admin.list_topics(topic, timeout=_ANSWER_SECONDS_MAX)
        futures = self._admin.describe_topics(
            TopicCollection([topic]), request_timeout=_ANSWER_SECONDS_MAX
        )
        partitions = futures[topic].result(_SECONDS_MAX).partitions
        return [
            (part.leader.id if part.leader else -1, [node.id for node in part.isr])
            for part in partitions
        ]


def lacking() -> str | None:
    """What is missing for it; None where nothing is."""
    missing = toolchain.missing()
    return f"three brokers are plain processes, and need {', '.join(missing)}" if missing else None


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _SECONDS_MAX
    while not _holds(condition):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the cluster did not come to rest in {_SECONDS_MAX:.0f} s")
        time.sleep(0.2)


def _holds(condition: Callable[[], bool]) -> bool:
    """A broker that has just come back may not know the topic yet, or not answer at all."""
    try:
        return condition()
    except KafkaException:
        return False


def _java_hash(text: str) -> int:
    """String.hashCode, made positive as Kafka does to find a group's partition."""
    code = 0
    for character in text:
        code = (31 * code + ord(character)) & 0xFFFFFFFF
    signed = code - 2**32 if code >= 2**31 else code
    return 0 if signed == -(2**31) else abs(signed)
