"""Looks now and then, beside the main loop: at the topic's ends, at the database, at what stalls.

A partition can stop without an error (librdkafka's fetcher, a broker's fault): only lag without
progress shows it. It is then read anew from its stored offset, which is always safe. Looking costs
one request to the broker and one statement per look, however many events pass.
"""

import math
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from ingester.errors import IngesterError
from ingester.observing import metric
from ingester.observing.metric import Meter

log = structlog.get_logger(__name__)

LOOK_SECONDS = 5.0
"""How often; alarms work on minutes."""


class Progress(Protocol):
    """What is watched of a pipeline."""

    def stored(self) -> Mapping[int, int]:
        """The stored offset of each partition that is read here."""

    def restart(self, partitions: Iterable[int]) -> None:
        """Read these anew from their stored offsets, soon."""


class Facts(Protocol):
    """What a database tells; see `ingester.store.observing`."""

    @property
    def months_ahead(self) -> int: ...
    @property
    def freshness_seconds(self) -> float: ...
    @property
    def last_refresh_timestamp(self) -> float | None: ...


@dataclass(slots=True)
class TopicWatch:
    """Lag, stalls and gaps of the partitions that are read here.

    `ranges` asks the broker for the first kept offset and the end of each partition.
    """

    meter: Meter
    progress: Progress
    ranges: Callable[[list[int]], Mapping[int, tuple[int, int]]]
    monotonic: Callable[[], float]
    stall_seconds: float
    _moved: dict[int, tuple[int, float]] = field(default_factory=dict)

    def look(self) -> None:
        """Compare what is stored with what there is."""
        stored = self.progress.stored()
        try:
            ranges = self.ranges(sorted(stored))
        except IngesterError as error:
            self.meter.set(metric.KAFKA_UP, 0)
            log.debug("topic_not_seen", detail=str(error))
            return
        self.meter.set(metric.KAFKA_UP, 1)
        for partition in self._moved.keys() - stored.keys():
            self._forget(partition)
        stalled = [p for p in ranges if self._is_stalled(p, stored[p], *ranges[p])]
        if stalled:
            log.warning("stalled", partitions=stalled, seconds=self.stall_seconds)
            self.meter.add(metric.RESTARTS, len(stalled))
            self.progress.restart(stalled)

    def _is_stalled(self, partition: int, stored: int, low: int, end: int) -> bool:
        """Take in one partition; True each time `stall_seconds` have passed without progress."""
        now, of = self.monotonic(), str(partition)
        before, since = self._moved.setdefault(partition, (stored, now))
        moved = stored != before or stored >= end
        late = not moved and now - since >= self.stall_seconds
        if moved or late:
            self._moved[partition] = (stored, now)
        self.meter.set(metric.LAG, max(end - stored, 0), of)
        self.meter.set(metric.OFFSET_GAP, max(low - stored, 0), of)
        if moved or late:  # in between it stays what it was
            self.meter.set(metric.STALLED, late, of)
        return late

    def _forget(self, partition: int) -> None:
        del self._moved[partition]
        for gauge in (metric.LAG, metric.OFFSET_GAP, metric.STALLED):
            self.meter.set(gauge, math.nan, str(partition))


@dataclass(frozen=True, slots=True)
class DatabaseWatch:
    """Whether the database answers, and what it says of partitions and statistics."""

    meter: Meter
    facts: Callable[[], Facts]

    def look(self) -> None:
        """Ask once."""
        try:
            facts = self.facts()
        except IngesterError as error:
            self.meter.set(metric.DATABASE_UP, 0)
            log.debug("database_not_seen", detail=str(error))
            return
        self.meter.set(metric.DATABASE_UP, 1)
        self.meter.set(metric.MONTHS_AHEAD, facts.months_ahead)
        self.meter.set(metric.FRESHNESS, facts.freshness_seconds)
        if facts.last_refresh_timestamp is not None:
            self.meter.set(metric.LAST_REFRESH, facts.last_refresh_timestamp)


class Watch:
    """Calls each look every LOOK_SECONDS on a thread of its own, until `stopping`."""

    def __init__(self, looks: Iterable[Callable[[], None]], stopping: threading.Event) -> None:
        self._stopping = stopping
        self._threads = [
            # One thread each: a database that hangs must not hide what the broker says.
            threading.Thread(target=self._run, args=(look,), daemon=True, name="watch")
            for look in looks
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def _run(self, look: Callable[[], None]) -> None:
        while not self._stopping.is_set():
            try:
                look()
            except Exception:
                log.exception("watch_failed")  # what watches must not end what is watched
            self._stopping.wait(LOOK_SECONDS)
