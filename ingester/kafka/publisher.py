"""Publishes, waiting for all replicas."""

from typing import Any, Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from ingester.errors import IngesterError, TemporaryError
from ingester.kafka.conf import client_conf, made
from ingester.kafka.errors import Errors, translated
from ingester.outcomes import Headers
from ingester.settings import Settings


class Publisher:
    """An idempotent producer that waits for all replicas and counts what was delivered."""

    def __init__(self, settings: Settings, topic: str | None = None) -> None:
        self._topic = topic or settings.kafka_topic
        self._errors = Errors()
        self._failed: IngesterError | None = None
        self.delivered = 0
        self._producer = made(
            Producer,
            {
                "linger.ms": 20,
                "batch.num.messages": 10_000,
                "compression.type": "lz4",
                **client_conf(settings),
                **settings.kafka_conf,
                "enable.idempotence": True,
                "acks": "all",
                "error_cb": self._errors,
            },
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._producer.purge()

    def publish(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> None:
        """Hand one record to the client; waits while its queue is full."""
        arguments: dict[str, Any] = {"key": key, "value": value, "on_delivery": self._on_delivery}
        if headers:
            arguments["headers"] = list(headers)
        if partition is not None:
            arguments["partition"] = partition
        while True:
            try:
                self._producer.produce(self._topic, **arguments)
            except BufferError:
                self._producer.poll(0.1)
                self._raise_failure()
            except KafkaException as error:
                raise translated(error.args[0], f"publishing to {self._topic}") from None
            else:
                self._producer.poll(0)
                return

    def flush(self, timeout_seconds: float = 60.0) -> None:
        """Wait until everything is delivered; raises where something was not."""
        left = self._producer.flush(timeout_seconds)
        self._raise_failure()
        if left:
            raise TemporaryError(f"{left} records not delivered after {timeout_seconds:g} s")

    def _on_delivery(self, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self.delivered += 1
        elif self._failed is None:
            self._failed = translated(error, f"publishing to {self._topic}")

    def _raise_failure(self) -> None:
        if self._errors.refused:
            raise self._errors.refused
        if self._failed:
            raise self._failed
