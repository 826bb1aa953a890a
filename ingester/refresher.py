"""Folds new events into the statistics as they come, in slices, and keeps house in between.

The fold itself is SQL (`refresh_campaign_stats`): a transaction that claims batches and adds their
events, exactly once. Here is only the loop: when, how much at a time, and what to do when it fails.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import structlog

from ingester import maintenance
from ingester.errors import IngesterError, NeedsAPerson, NotPermitted, TemporaryError
from ingester.observing import metric
from ingester.observing.metric import Meter, Unmetered
from ingester.settings import Settings

log = structlog.get_logger(__name__)

FAILURE_SECONDS_MAX = 30.0
"""Longest wait after refreshes that keep failing."""


class Store(maintenance.Store, Protocol):
    """What the refresher needs of the database; see `ingester.store.refreshing.RefreshStore`."""

    def fold(self, batches_max: int) -> tuple[int, int]: ...
    def summarize(self) -> None: ...
    def record_failure(self, started: datetime, error: str) -> None: ...


@dataclass(slots=True)
class Refresher:
    """The refresher's loop. `stopping` ends it; `monotonic` and `now` are its clocks.

    `forward` is a step of the upkeep, see `ingester.dead_letters`.
    """

    settings: Settings
    store: Store
    stopping: threading.Event
    monotonic: Callable[[], float]
    now: Callable[[], datetime]
    forward: Callable[[], int] | None = None
    meter: Meter = field(default_factory=Unmetered)

    def fold_all(self) -> tuple[int, int]:
        """Fold slice after slice until nothing is left; returns batches and events folded.

        Raises what stopped it, after recording it in `stats_refreshes`.
        """
        batches = events = 0
        started = self.now()
        try:
            while not self.stopping.is_set():
                folded = self.store.fold(self.settings.ingester_refresh_batches_max)
                batches += folded[0]
                self.meter.add(metric.FOLDED, folded[0])
                events += folded[1]
                if folded[0] < self.settings.ingester_refresh_batches_max:
                    break
        except IngesterError as error:
            self._record(started, error)
            raise
        if batches:
            self._summarize()
        return batches, events

    def run(self, interval_seconds: float) -> None:
        """Fold every `interval_seconds` and keep house until told to stop.

        Raises only what keeps even the first refresh from working: a refused login, a missing
        schema.
        """
        failures = 0
        succeeded = False
        maintain_at = self.monotonic()
        while not self.stopping.is_set():
            began = self.monotonic()
            self.meter.set(metric.LOOP, self.now().timestamp())
            try:
                batches, events = self.fold_all()
            except IngesterError as error:
                if not succeeded and isinstance(error, NotPermitted | NeedsAPerson):
                    raise  # it never worked: say so instead of trying for ever
                failures += 1
                self.meter.add(metric.REFRESH_FAILURES)
                log.warning("refresh_failed", failures=failures, detail=str(error))
                pause = min(interval_seconds * 2**failures, FAILURE_SECONDS_MAX)
            else:
                failures = 0
                succeeded = True
                pause = max(interval_seconds - (self.monotonic() - began), 0.0)
                if batches:
                    log.debug("refreshed", batches=batches, events=events)
            if self.monotonic() >= maintain_at and not self.stopping.is_set():
                maintenance.maintain(self.store, self.settings, self.now(), self.forward)
                maintain_at = self.monotonic() + self.settings.ingester_maintenance_interval_seconds
            self.stopping.wait(pause)

    def _summarize(self) -> None:
        try:
            self.store.summarize()
        except TemporaryError as error:
            log.info("summarize_skipped", detail=str(error))

    def _record(self, started: datetime, error: IngesterError) -> None:
        try:
            self.store.record_failure(started, str(error))
        except IngesterError as also:
            log.warning("failure_not_recorded", detail=str(also))
