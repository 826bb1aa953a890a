"""Every committed record of a topic, read with kafka-python: not the client that is under test."""

import time
from dataclasses import dataclass

from tests.checker.client import KafkaConsumer, TopicPartition
from tests.checker.contract import Headers

_SILENT_SECONDS_MAX = 30


@dataclass(frozen=True, slots=True)
class TopicRecord:
    """A record as any consumer sees it."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class TopicPartitionLog:
    """What a partition keeps: `first` its first offset, `end` the one after everything in it.

    The end counts transaction markers, which no consumer ever gets.
    """

    first: int
    end: int
    records: list[TopicRecord]


def read_topic(bootstrap: str, topic: str) -> dict[int, TopicPartitionLog]:
    """Read all partitions to the ends that they have now, committed records only."""
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap.split(","),
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        max_partition_fetch_bytes=4 * 1024 * 1024,
        max_poll_records=10_000,
    )
    try:
        numbers = consumer.partitions_for_topic(topic)
        if not numbers:
            raise LookupError(f"topic {topic} does not exist on {bootstrap}")
        partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
        first, end = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
        logs = {
            part.partition: TopicPartitionLog(first[part], end[part], []) for part in partitions
        }
        consumer.assign(partitions)
        for part in partitions:
            consumer.seek(part, first[part])
        silent_since, positions = time.monotonic(), [-1]
        while any(consumer.position(part) < end[part] for part in partitions):
            polled = consumer.poll(timeout_ms=500)
            before, positions = positions, [consumer.position(part) for part in partitions]
            if polled or positions != before:
                silent_since = time.monotonic()
            elif time.monotonic() - silent_since > _SILENT_SECONDS_MAX:
                raise TimeoutError(
                    f"{topic}: nothing came for {_SILENT_SECONDS_MAX} s at {positions}"
                )
            for part, records in polled.items():
                logs[part.partition].records.extend(
                    TopicRecord(each.offset, each.key, each.value, tuple(each.headers))
                    for each in records
                    if each.offset < end[part]
                )
    finally:
        consumer.close()
    return logs
