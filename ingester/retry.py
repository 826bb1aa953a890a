"""Tries again for as long as the world is failing, with capped full-jitter backoff.

Full jitter after Marc Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015):
waiting a random time up to the bound spreads the herd best.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

import structlog
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_when_event_set,
    wait_random_exponential,
)

from ingester.errors import TemporaryError
from ingester.observing import metric
from ingester.observing.metric import Meter, Unmetered

log = structlog.get_logger(__name__)

Result = TypeVar("Result")


class Retry:
    """Calls a job until it succeeds, fails for good, or `stopping` is set.

    Only TemporaryError is tried again. Waits 0 to `first_seconds` doubled each time, at most
    `seconds_max`; a stop ends the wait at once and lets the last error out. `meter` learns how long
    it has been going on. Used by one thread.
    """

    def __init__(
        self,
        stopping: threading.Event,
        first_seconds: float = 0.1,
        seconds_max: float = 10.0,
        meter: Meter | None = None,
    ) -> None:
        self._stopping = stopping
        self._first_seconds = first_seconds
        self._seconds_max = seconds_max
        self._meter = meter or Unmetered()
        self._lasted = 0.0

    def __call__(self, job: Callable[[], Result]) -> Result:
        """Run the job; raises its last error."""
        self._lasted = 0.0
        retrying = Retrying(
            retry=retry_if_exception_type(TemporaryError),
            wait=wait_random_exponential(multiplier=self._first_seconds, max=self._seconds_max),
            stop=stop_when_event_set(self._stopping),
            sleep=self._sleep,
            before_sleep=self._note,
            reraise=True,
        )
        try:
            return retrying(job)
        finally:
            if self._lasted:
                self._meter.set(metric.OUTAGE, 0)

    def _sleep(self, seconds: float) -> None:
        self._stopping.wait(seconds)

    def _note(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning("retrying", attempt=state.attempt_number, detail=str(error))
        lasted = (state.seconds_since_start or 0.0) + state.upcoming_sleep
        self._meter.add(metric.RETRIES)
        self._meter.add(metric.OUTAGE_TOTAL, max(lasted - self._lasted, 0.0))
        self._meter.set(metric.OUTAGE, lasted)
        self._lasted = lasted
