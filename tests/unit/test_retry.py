"""A job is tried for as long as the world is failing, and no longer than we are told to."""

import threading
import time

import pytest

from ingester.errors import CommitUnknown, IngesterError, NeedsAPerson, TemporaryError
from ingester.observing import metric
from ingester.observing.meter import ProcessMeter
from ingester.retry import Retry


class Waits(threading.Event):
    """An event that notes how long it was waited for and never waits."""

    def __init__(self, stop_at: int | None = None) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._stop_at = stop_at

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout or 0.0)
        if len(self.seconds) == self._stop_at:
            self.set()
        return self.is_set()


class Job:
    """Fails so many times, then gives its result."""

    def __init__(self, failures: int, error: type[Exception] = TemporaryError) -> None:
        self.calls = 0
        self._failures = failures
        self._error = error

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self._failures:
            raise self._error(f"failure {self.calls}")
        return "done"


def test_a_job_that_succeeds_is_called_once_and_waited_for_never() -> None:
    waits, job = Waits(), Job(0)
    assert Retry(waits)(job) == "done"
    assert (job.calls, waits.seconds) == (1, [])


@pytest.mark.parametrize("error", [TemporaryError, CommitUnknown])
def test_a_passing_fault_is_outlasted(error: type[Exception]) -> None:
    waits, job = Waits(), Job(500, error)
    assert Retry(waits)(job) == "done"
    assert (job.calls, len(waits.seconds)) == (501, 500)


@pytest.mark.parametrize("error", [IngesterError, NeedsAPerson, KeyError])
def test_any_other_fault_comes_out_at_once(error: type[Exception]) -> None:
    job = Job(1, error)
    with pytest.raises(error, match="failure 1"):
        Retry(Waits())(job)
    assert job.calls == 1


def test_waits_grow_from_the_first_bound_and_stay_below_the_last() -> None:
    bounds = [[0.0] * 12 for _ in range(60)]
    for row in bounds:
        waits = Waits()
        Retry(waits, first_seconds=0.1, seconds_max=10.0)(Job(12))
        row[:] = waits.seconds
    for attempt in range(12):
        longest = max(row[attempt] for row in bounds)
        bound = min(0.1 * 2**attempt, 10.0)
        assert longest <= bound
        assert longest > bound / 2, "jitter is full: waits reach up to the bound"
        assert min(row[attempt] for row in bounds) < bound / 2, "and down to nothing"


def test_once_told_to_stop_a_fault_is_not_outlasted() -> None:
    waits, job = Waits(), Job(5)
    waits.set()
    with pytest.raises(TemporaryError, match="failure 1"):
        Retry(waits)(job)
    assert (job.calls, waits.seconds) == (1, [])


def test_a_job_told_to_stop_may_still_succeed() -> None:
    waits = Waits()
    waits.set()
    assert Retry(waits)(Job(0)) == "done"


def test_a_stop_while_waiting_leaves_one_last_try() -> None:
    waits, job = Waits(stop_at=3), Job(100)
    with pytest.raises(TemporaryError, match="failure 4"):
        Retry(waits)(job)
    assert job.calls == 4


def test_a_stop_ends_a_long_wait_at_once() -> None:
    stopping = threading.Event()
    began = time.monotonic()
    threading.Timer(0.05, stopping.set).start()
    with pytest.raises(TemporaryError):
        Retry(stopping, first_seconds=3600.0, seconds_max=3600.0)(Job(1_000_000))
    assert time.monotonic() - began < 5.0


def test_an_outage_is_measured_while_it_lasts_and_over_when_it_is() -> None:
    meter = ProcessMeter("1")
    during: list[float] = []

    def job() -> str:
        during.append(meter.figures.samples().get((metric.OUTAGE.name, "1"), 0.0))
        if len(during) < 4:
            raise TemporaryError("away")
        return "done"

    assert Retry(threading.Event(), 0.001, 0.002, meter=meter)(job) == "done"
    shown = meter.figures.samples()
    assert during[0] == 0
    assert 0 < during[1] <= during[2] <= during[3]
    assert shown[metric.OUTAGE.name, "1"] == 0
    assert shown[metric.RETRIES.name, ""] == 3
    assert shown[metric.OUTAGE_TOTAL.name, ""] == pytest.approx(during[3])
