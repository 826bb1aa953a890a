"""Publishes, waiting for all replicas."""

from collections.abc import Callable
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
        on_delivery: Callable[[IngesterError | None], None] | None = None,
    ) -> None:
        """Hand one record to the client; waits while its queue is full.

        `on_delivery` is told what became of it, inside a later call; without it a failure stays
        with the publisher, whose calls then raise it.
        """
        note = self._keep if on_delivery is None else self._telling(on_delivery)
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

    def flush(self, timeout_seconds: float = 60.0) -> None:
        """Wait until everything is delivered; raises where something was not."""
        left = self._producer.flush(timeout_seconds)
        self._raise_failure()
        if left:
            raise TemporaryError(f"{left} records not delivered after {timeout_seconds:g} s")

    def _keep(self, error: KafkaError | None, _: Message) -> None:
        failure = self._outcome(error)
        if self._failed is None:
            self._failed = failure

    def _telling(
        self, tell: Callable[[IngesterError | None], None]
    ) -> Callable[[KafkaError | None, Message], None]:
        return lambda error, _: tell(self._outcome(error))

    def _outcome(self, error: KafkaError | None) -> IngesterError | None:
        if error is None:
            self.delivered += 1
            return None
        return translated(error, f"publishing to {self._topic}")

    def _raise_failure(self) -> None:
        if self._errors.refused:
            raise self._errors.refused
        if self._failed:
            raise self._failed
