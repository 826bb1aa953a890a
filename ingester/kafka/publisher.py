"""Publishes, waiting for all replicas."""

from collections.abc import Callable, Iterable
from typing import Any, Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from ingester.errors import IngesterError, TemporaryError
from ingester.event import VALUE_BYTES_MAX
from ingester.kafka.conf import client_conf, made
from ingester.kafka.errors import Errors, translated
from ingester.outcomes import Headers
from ingester.settings import Settings


class Publisher:
    """An idempotent producer that waits for all replicas."""

    def __init__(self, settings: Settings, topic: str | None = None) -> None:
        self._topic = topic or settings.kafka_topic
        self._errors = Errors()
        self._failed: IngesterError | None = None
        self._producer = made(
            Producer,
            {
                "linger.ms": 20,
                "batch.num.messages": 10_000,
                "compression.type": "lz4",
                # librdkafka's own limit is below that of a value; what a topic takes, brokers tell.
                "message.max.bytes": 2 * VALUE_BYTES_MAX,
                **client_conf(settings),
                **settings.kafka_conf,
                "enable.idempotence": True,
                "acks": "all",
                # A call into Python for each record costs as much as handing it over.
                "delivery.report.only.error": True,
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
        on_failure: Callable[[IngesterError], None] | None = None,
    ) -> None:
        """Hand one record to the client; waits while its queue is full.

        `on_failure` is told why it was not delivered, inside a later call; without it a failure
        stays with the publisher, whose calls then raise it.
        """
        note = self._keep if on_failure is None else self._telling(on_failure)
        arguments: dict[str, Any] = {"key": key, "value": value, "on_delivery": note}
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

    def publish_all(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Hand many over, each a key and a value, at less cost for each; waits likewise."""
        produce, topic, keep = self._producer.produce, self._topic, self._keep
        for key, value in records:
            try:
                produce(topic, value, key, on_delivery=keep)
            except BufferError:
                self.publish(key, value)
            except KafkaException as error:
                raise translated(error.args[0], f"publishing to {topic}") from None
        self._producer.poll(0)
        self._raise_failure()

    def flush(self, timeout_seconds: float = 60.0) -> None:
        """Wait until everything is delivered; raises where something was not."""
        left = self._producer.flush(timeout_seconds)
        self._raise_failure()
        if left:
            raise TemporaryError(f"{left} records not delivered after {timeout_seconds:g} s")

    def _keep(self, error: KafkaError | None, _: Message) -> None:
        if error is not None and self._failed is None:
            self._failed = self._failure(error)

    def _telling(
        self, tell: Callable[[IngesterError], None]
    ) -> Callable[[KafkaError | None, Message], None]:
        return lambda error, _: None if error is None else tell(self._failure(error))

    def _failure(self, error: KafkaError) -> IngesterError:
        return translated(error, f"publishing to {self._topic}")

    def _raise_failure(self) -> None:
        if self._errors.refused:
            raise self._errors.refused
        if self._failed:
            raise self._failed
