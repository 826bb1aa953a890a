"""What a consumer hands out: records, with their place and their headers, or errors."""

import operator
from typing import Protocol, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message

from ingester.batch import Record
from ingester.kafka.errors import translating
from ingester.outcomes import Headers


class Consumed(Record, Protocol):
    """A message that was consumed: unlike one to be produced, it has a place."""

    def partition(self) -> int:
        """Partition it was read from."""

    def error(self) -> KafkaError | None:
        """What it stands for, where it is no record."""


def consume(consumer: Consumer, records_max: int, timeout_seconds: float) -> list[Consumed]:
    """What has arrived: no sooner than full, or after the timeout."""
    with translating("consuming"):
        return cast("list[Consumed]", consumer.consume(records_max, timeout_seconds))


# Called through C on purpose: where a name is not UTF-8 the client returns a list with a hole AND
# an error. Only a call through C notices; the interpreter's specialised call goes on and crashes.
_headers_as_given = operator.methodcaller("headers")


def headers_of(record: Record) -> Headers:
    """The record's headers; empty where a name cannot be decoded (the client then fails)."""
    try:
        headers = _headers_as_given(record)
    except (UnicodeDecodeError, KafkaException, SystemError, ValueError):
        if isinstance(record, Message):
            # It keeps the broken list, and would hand it out at the next call.
            record.set_headers([])
        return ()
    return [(name, _as_bytes(value)) for name, value in headers or ()]


def _as_bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
