"""The writer's thread and its retries, one attempt at a time and only when told.

`Steps` takes the place of the executor: a job is tried once when it is submitted, and once more
before each poll and each time somebody waits for it. A TemporaryError leaves it to be tried again,
as `ingester.retry` does (which has tests of its own); while `held`, nothing is tried.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ingester.errors import TemporaryError
from tests.contract.schedule import Schedule


class Pending(Future[Any]):
    """The result of a job; waiting for it passes time and lets the writer try once."""

    def __init__(self, steps: "Steps") -> None:
        super().__init__()
        self._steps = steps

    def result(self, timeout: float | None = None) -> Any:
        """The result; raises TimeoutError where it is not there in time."""
        if not self.done():
            self._steps.schedule.pass_time(timeout or 0.0)
            self._steps.step()
        return super().result(0)


class Steps(ThreadPoolExecutor):
    """Never starts a thread."""

    def __init__(self, schedule: Schedule) -> None:
        super().__init__(1)
        self.schedule = schedule
        self.held = False
        self.stopping = False
        self._waiting: deque[tuple[Callable[[], Any], Pending]] = deque()

    def submit(self, _: Callable[..., Any], /, *args: Any, **__: Any) -> Future[Any]:
        """Take a job; what is ignored is the pipeline's Retry, in whose place the job is tried."""
        (job,) = args
        future = Pending(self)
        self._waiting.append((job, future))
        self.step()
        return future

    def step(self) -> None:
        """Try the first job once, and those behind it where it came to an end."""
        while self._waiting and not self.held:
            job, future = self._waiting[0]
            try:
                outcome = job()
            except TemporaryError as error:
                if not self.stopping:
                    return
                future.set_exception(error)
            except Exception as error:  # noqa: BLE001 - a future carries whatever was raised
                future.set_exception(error)
            else:
                future.set_result(outcome)
            self._waiting.popleft()
