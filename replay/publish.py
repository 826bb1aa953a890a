"""Rows of one range on their way into the log, counted.

It knows neither where they come from nor when they are safe.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from replay.expand import METRICS, LegacyRow, records
from replay.pace import Pace


class Log(Protocol):
    """Where events go: `ingester.kafka.Publisher`."""

    def publish_all(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        """Hand records over, each a key and a value, as they come."""


@dataclass(frozen=True, slots=True)
class Published:
    """What a range became: rows read, events published, and the sum of each metric."""

    rows: int
    events: int
    sums: Mapping[str, int]


class RangePublication:
    """Publishes the rows of one range."""

    def __init__(self, log: Log, pace: Pace, check: Callable[[], None]) -> None:
        self._log, self._pace, self._check = log, pace, check
        self.rows = self.events = 0
        self._sums = [0] * len(METRICS)

    def publish(self, rows: Iterable[LegacyRow]) -> None:
        """Hand over the events of these rows, at the pace; `check` may raise in between."""
        self._log.publish_all(self._records(rows))

    def _records(self, rows: Iterable[LegacyRow]) -> Iterator[tuple[bytes, bytes]]:
        sums = self._sums
        for row in rows:
            self._check()
            for record in records(row):
                self._pace.wait(self._check)
                self.events += 1
                yield record
            for place, value in enumerate(row.values):
                sums[place] += value
            self.rows += 1

    def done(self) -> Published:
        """The whole of it."""
        return Published(self.rows, self.events, dict(zip(METRICS, self._sums, strict=True)))
