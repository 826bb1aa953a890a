"""librdkafka's errors become ours once, here, by code and never by message text."""

import contextlib
import time
from collections.abc import Iterator
from typing import Final

import structlog
from confluent_kafka import KafkaError, KafkaException

from ingester.errors import IngesterError, NeedsAPerson, NotPermitted, TemporaryError

log = structlog.get_logger(__name__)

_NOT_PERMITTED: Final = {
    KafkaError._AUTHENTICATION,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}
UNKNOWN_TOPIC: Final = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
}
_NEEDS_A_PERSON: Final = {
    *UNKNOWN_TOPIC,
    KafkaError.OFFSET_OUT_OF_RANGE,
    KafkaError._AUTO_OFFSET_RESET,
    KafkaError._LOG_TRUNCATION,
    KafkaError.TOPIC_EXCEPTION,
}
OFFSET_LOST: Final = {
    KafkaError.OFFSET_OUT_OF_RANGE,
    KafkaError._AUTO_OFFSET_RESET,
    KafkaError._LOG_TRUNCATION,
}


def translated(error: KafkaError, what: str) -> IngesterError:
    """Our error for one of librdkafka's; `what` says what was being done, and to what."""
    text = f"{what}: {error.str()} ({error.name()})"
    if error.code() in _NOT_PERMITTED:
        return NotPermitted(text)
    if error.code() in _NEEDS_A_PERSON:
        return NeedsAPerson(text)
    return TemporaryError(text)


@contextlib.contextmanager
def translating(what: str) -> Iterator[None]:
    """What the block raises becomes ours; `what` as for `translated`."""
    try:
        yield
    except KafkaException as error:
        raise translated(error.args[0], what) from None


class Errors:
    """librdkafka's global errors: logged now and then, and a refused login kept for the caller.

    An unreachable broker repeats itself many times a second; one line in ten seconds will do.
    """

    def __init__(self) -> None:
        self.refused: NotPermitted | None = None
        self._quiet_until: dict[int, float] = {}

    def __call__(self, error: KafkaError) -> None:
        """The callback; it runs inside poll."""
        ours = translated(error, "Kafka")
        if isinstance(ours, NotPermitted):
            self.refused = ours
        now = time.monotonic()
        if now >= self._quiet_until.get(error.code(), 0.0):
            self._quiet_until[error.code()] = now + 10.0
            log.warning("kafka_unavailable", code=error.name(), detail=error.str()[:200])
