"""Rows of one range on their way into the log, counted.

It knows neither where they come from nor when they are safe.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from replay.expand import METRICS, LegacyRow, expand
from replay.legacy import check_row
from replay.pace import Pace


class Log(Protocol):
    """Where events go: `ingester.kafka.Publisher`."""

    def publish(self, key: bytes | None, value: bytes | None) -> None:
        """Hand one record over."""


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
        self._sums = dict.fromkeys(METRICS, 0)

    def publish(self, rows: Iterable[LegacyRow]) -> None:
        """Hand over the events of these rows, at the pace; `check` may raise in between.

        Raises NeedsAPerson for a row that cannot be events.
        """
        for row in rows:
            check_row(row)
            self._check()
            for event in expand(row):
                self._pace.wait(self._check)
                self._log.publish(event.key(), event.value())
                self._sums[event.metric] += event.count
                self.events += 1
            self.rows += 1

    def done(self) -> Published:
        """The whole of it."""
        return Published(self.rows, self.events, dict(self._sums))
