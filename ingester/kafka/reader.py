"""Reads ranges of a topic again, outside any group: for verification."""

import time
from collections.abc import Iterator
from typing import Final

from confluent_kafka import Consumer, KafkaError, TopicPartition

from ingester.batch import Record
from ingester.errors import TemporaryError
from ingester.kafka.conf import client_conf, made
from ingester.kafka.errors import translated, translating
from ingester.kafka.record import consume
from ingester.settings import Settings

_SILENCE_SECONDS_MAX: Final = 60.0


class Reader:
    """Reads ranges of a topic again, outside any group: for verification."""

    def __init__(self, settings: Settings) -> None:
        self.topic = settings.kafka_topic
        conf = {
            **client_conf(settings),
            **settings.kafka_conf,
            "group.id": f"{settings.kafka_group_id}-verify",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
        self._consumer = made(Consumer, conf)

    def watermarks(self, partition: int) -> tuple[int, int]:
        """First kept offset, and the offset after the last committed record."""
        with translating(f"watermarks of {self.topic}[{partition}]"):
            low, high = self._consumer.get_watermark_offsets(
                TopicPartition(self.topic, partition), timeout=15.0
            )
        return low, high

    def is_truncated(self, partition: int, offset: int, leader_epoch: int | None) -> bool:
        """Whether the log was cut below an offset that has this epoch before it, and regrown."""
        if leader_epoch is None:
            return False
        if offset - 1 < self.watermarks(partition)[0]:
            return False
        for found in self.read(partition, offset - 1, offset):
            return found[0].offset() == offset - 1 and found[0].leader_epoch() != leader_epoch
        return False

    def read(self, partition: int, first: int, end: int) -> Iterator[list[Record]]:
        """Yield the committed records with first <= offset < end, in order, some at a time."""
        if first >= end:
            return
        self._consumer.assign([TopicPartition(self.topic, partition, first)])
        silent_since = time.monotonic()
        position = first
        while position < end:
            found: list[Record] = []
            for message in consume(self._consumer, 10_000, 0.5):
                error = message.error()
                if error is not None and error.code() == KafkaError._PARTITION_EOF:
                    position = max(position, message.offset())
                elif error is not None:
                    raise translated(error, f"reading {self.topic}[{partition}]")
                elif message.offset() < end:
                    found.append(message)
                    position = message.offset() + 1
                else:
                    position = end
            if found:
                silent_since = time.monotonic()
                yield found
            elif time.monotonic() - silent_since > _SILENCE_SECONDS_MAX:
                raise TemporaryError(f"{self.topic}[{partition}]: nothing came for a minute")

    def close(self) -> None:
        """Free the client."""
        self._consumer.close()
