"""Forwards rejects to a dead-letter topic, as Kafka Connect marks what its converters refuse.

After the transaction that stored them, at least once: a crash between delivery and mark forwards
some again. The mark stands on each reject (`forwarded_at`), so it goes on where it ended, whatever
was restored or requeued meanwhile. It runs with the refresher's upkeep; the workers have better to
do.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from ingester.outcomes import Headers, Reason

_AT_ONCE: Final = 500
_ROUND_MAX: Final = 50_000
"""Forwarded in one round of the upkeep: folding must not wait long for it."""
_PREFIX: Final = "__connect.errors."
_TRUNCATED: Final = "ingester.value.truncated.from"
"""Bytes that the value had."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A reject with its place in the topic.

    A value above 1 MiB is kept in part only; `value_bytes` is how many it had.
    """

    reject_id: int
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    value_bytes: int
    headers: Headers
    reason_code: str
    detail: str

    def marked(self, connector: str) -> Headers:
        """Its headers, and the ten of Connect's DeadLetterQueueReporter: all values are text.

        A reject is no exception: its code stands for the class, and its trace has no frames. One
        header more, of ours, tells of a value that is not whole.
        """
        by_database = self.reason_code == Reason.REFUSED_BY_DATABASE
        context = {
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "connector.name": connector,
            "task.id": 0,
            "stage": "TASK_PUT" if by_database else "VALUE_CONVERTER",
            "class.name": "ingester.store" if by_database else "ingester.decoder",
            "exception.class.name": self.reason_code,
            "exception.message": self.detail,
            "exception.stacktrace": f"{self.reason_code}: {self.detail}",
        }
        told = [(_PREFIX + name, str(fact).encode()) for name, fact in context.items()]
        if len(self.value or b"") < self.value_bytes:
            told.append((_TRUNCATED, str(self.value_bytes).encode()))
        return [*self.headers, *told]


Take = Callable[
    [int],
    AbstractContextManager[tuple[Sequence[DeadLetter], Callable[[Sequence[int]], None]]],
]
"""The next letters, locked for the block, and how to mark them; the end of the block commits."""


def forward(take: Take, publish: Callable[[Sequence[DeadLetter]], None]) -> int:
    """Publish what was not yet, up to a bound; returns how many. `publish` waits for delivery."""
    forwarded = 0
    while True:
        with take(_AT_ONCE) as (letters, mark):
            if letters:
                publish(letters)
                mark([letter.reject_id for letter in letters])
        forwarded += len(letters)
        if len(letters) < _AT_ONCE or forwarded >= _ROUND_MAX:
            return forwarded
