"""Puts records on a topic."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from confluent_kafka import Producer

from tests.acceptance.traffic import Kind, Publication

_FLUSH_SECONDS = 60.0
ANY_PARTITION = -1
"""librdkafka's RD_KAFKA_PARTITION_UA: the producer chooses."""


def publish(
    bootstrap: str, topic: str, records: Iterable[Publication], **properties: Any
) -> Counter[Kind]:
    """Publish in order, wait until all is delivered; returns how many of each kind."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "linger.ms": 20,
            "log_level": 2,
            **properties,
        }
    )
    counts: Counter[Kind] = Counter()
    for record in records:
        counts[record.kind] += 1
        send(producer, topic, record)
    assert producer.flush(_FLUSH_SECONDS) == 0, f"not delivered to {topic} in time"
    return counts


def send(producer: Producer, topic: str, record: Publication) -> None:
    """Hand one record to a producer, waiting where its queue is full."""
    partition = ANY_PARTITION if record.partition is None else record.partition
    headers: list[tuple[str, str | bytes | None]] = list(record.headers)
    while True:
        try:
            producer.produce(topic, record.value, record.key, partition, headers=headers)
        except BufferError:
            producer.poll(0.1)
        else:
            producer.poll(0)
            return
