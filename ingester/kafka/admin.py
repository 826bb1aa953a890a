"""Asks the cluster what the topic is, and where its partitions begin and end."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Final, TypeVar

from confluent_kafka import (
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec, TopicDescription

from ingester.errors import NeedsAPerson, TemporaryError
from ingester.kafka.conf import client_conf, made
from ingester.kafka.errors import Errors, translated
from ingester.settings import Settings

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class TopicIdentity:
    """What a topic is, beyond its name: a topic made again under its name has another topic_id."""

    cluster_id: str
    topic_id: str
    partitions: int


_DESCRIBE_SECONDS: Final = 5.0
"""Asked before every write: a broker that does not answer in this time is asked again."""


_RETIRED_SECONDS: Final = 30.0
"""How long a client outlives its successor: any request that another thread made has ended then."""


class Admin:
    """Looks up and creates topics; every call is bounded in time.

    After a request that failed for a passing reason the next one is made by a new client, which
    begins at the bootstrap servers. The old one may wait for a controller that is dead, or, having
    lost every broker at once, time out again and again beside a consumer that has long been
    reading (both were seen).
    """

    def __init__(self, settings: Settings) -> None:
        self._errors = Errors()
        self._conf = {**client_conf(settings), **settings.kafka_conf, "error_cb": self._errors}
        self._client = made(AdminClient, self._conf)
        self._replacing = threading.Lock()
        self._timeout_seconds = 15.0
        self._cluster_id: str | None = None

    def identity(self, topic: str, patience_seconds: float = 0.0) -> TopicIdentity:
        """Ask the cluster; NeedsAPerson where the topic does not exist.

        A broker that has just started may not know a topic that exists: `patience_seconds` is how
        long to go on asking. The cluster is asked for its id once: another one has other topic ids.
        """
        give_up_at = time.monotonic() + patience_seconds
        while True:
            try:
                description = self._described(topic)
                break
            except NeedsAPerson:
                if time.monotonic() >= give_up_at:
                    raise
                time.sleep(0.5)
        if self._cluster_id is None:
            client = self._client
            cluster = self._result(
                client, client.describe_cluster(request_timeout=self._timeout_seconds), "cluster"
            )
            self._cluster_id = str(cluster.cluster_id)
        return TopicIdentity(
            cluster_id=self._cluster_id,
            topic_id=str(description.topic_id),
            partitions=len(description.partitions),
        )

    def ranges(self, topic: str, partitions: Sequence[int]) -> dict[int, tuple[int, int]]:
        """First kept offset, and the offset after the last committed record, of each partition.

        Unlike `Source.watermarks` it asks for all at once, and from any thread.
        """
        places = [TopicPartition(topic, partition) for partition in partitions]
        if not places:
            return {}
        client = self._client
        lows, highs = (
            client.list_offsets(
                dict.fromkeys(places, spec),
                isolation_level=IsolationLevel.READ_COMMITTED,
                request_timeout=self._timeout_seconds,
            )
            for spec in (OffsetSpec.earliest(), OffsetSpec.latest())  # type: ignore[no-untyped-call]
        )
        what = f"ends of topic {topic}"
        return {
            place.partition: (
                self._result(client, lows[place], what).offset,
                self._result(client, highs[place], what).offset,
            )
            for place in places
        }

    def create_topic(self, topic: str, partitions: int) -> bool:
        """Create the topic with the cluster's default replication; False where it exists."""
        future = self._client.create_topics(
            [NewTopic(topic, num_partitions=partitions)], request_timeout=self._timeout_seconds
        )[topic]
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return False
            raise translated(error.args[0], f"creating topic {topic}") from None
        return True

    def _described(self, topic: str) -> TopicDescription:
        client = self._client
        futures = client.describe_topics(
            TopicCollection([topic]), request_timeout=_DESCRIBE_SECONDS
        )
        description: TopicDescription = self._result(client, futures[topic], f"topic {topic}")
        return description

    def _result(self, client: AdminClient, future: "Future[Result]", what: str) -> Result:
        # A refused login is told by the error callback, which runs inside poll; the request itself
        # would only time out.
        while wait([future], 0.05).not_done:
            client.poll(0)
            if self._errors.refused:
                raise self._errors.refused
        try:
            return future.result()
        except KafkaException as error:
            ours = translated(error.args[0], what)
        if isinstance(ours, TemporaryError):
            self._replace(client)
        raise ours

    def _replace(self, client: AdminClient) -> None:
        """Let the next request be made by a new client, unless another thread has seen to it."""
        with self._replacing:
            if self._client is not client:
                return
            self._client = made(AdminClient, self._conf)
        # To destroy it may take librdkafka a while: a thread of its own lets go of it last.
        retirement = threading.Timer(_RETIRED_SECONDS, client.poll, [0])
        retirement.daemon = True
        retirement.start()
