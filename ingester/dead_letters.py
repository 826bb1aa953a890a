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

from ingester.outcomes import Headers

_AT_ONCE: Final = 500
_ROUND_MAX: Final = 50_000
"""Forwarded in one round of the upkeep: folding must not wait long for it."""
_PREFIX: Final = "__connect.errors."


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A reject with its place in the topic; a value above 1 MiB is kept in part only."""

    reject_id: int
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    reason_code: str
    detail: str

    def marked(self, connector: str) -> Headers:
        """Its headers, and those of Connect's DeadLetterQueueReporter: all values are text."""
        context = {
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "connector.name": connector,
            "task.id": 0,
            "stage": "VALUE_CONVERTER",
            "exception.class.name": self.reason_code,
            "exception.message": self.detail,
        }
        told = [(_PREFIX + name, str(fact).encode()) for name, fact in context.items()]
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
