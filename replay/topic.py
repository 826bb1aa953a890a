"""The topic as `replay sync` uses it: written like a producer, and asked where it ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ingester.kafka import Admin, Publisher, Reader, TopicIdentity
from ingester.settings import Settings


@dataclass(frozen=True, slots=True)
class ReplayTopic:
    """An idempotent producer and a reader of the same topic."""

    identity: TopicIdentity
    publisher: Publisher
    reader: Reader

    def publish(self, key: bytes, value: bytes) -> None:
        """Hand one record over."""
        self.publisher.publish(key, value)

    def flush(self) -> None:
        """Wait until everything is on all replicas."""
        self.publisher.flush()

    def ends(self) -> dict[int, int]:
        """The offset after the last record of each partition."""
        return {
            partition: self.reader.watermarks(partition)[1]
            for partition in range(self.identity.partitions)
        }


@contextmanager
def replay_topic(settings: Settings) -> Iterator[ReplayTopic]:
    """Connect; raises NeedsAPerson where the topic does not exist."""
    identity = Admin(settings).identity(settings.kafka_topic)
    reader = Reader(settings)
    try:
        with Publisher(settings) as publisher:
            yield ReplayTopic(identity, publisher, reader)
    finally:
        reader.close()
