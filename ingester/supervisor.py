"""Runs N workers as processes of their own and keeps them running.

A worker that dies (killed, out of memory, a passing fault) is started again with backoff; one that
ends because a person must decide ends them all, with its exit code. The processes are spawned:
neither threads nor sockets of librdkafka and libpq survive a fork.
"""

import contextlib
import multiprocessing
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from typing import Final

import structlog

from ingester.errors import NeedsAPerson, NotPermitted, TemporaryError, UsageError
from ingester.observing.health import Health
from ingester.observing.meter import SharedFigures
from ingester.observing.page import Page
from ingester.settings import Settings
from ingester.worker import work_as_child

log = structlog.get_logger(__name__)

_FINAL: Final = {UsageError.exit_code, NotPermitted.exit_code, NeedsAPerson.exit_code}
_RESTART_SECONDS_MAX: Final = 10.0
_SETTLED_SECONDS: Final = 5.0
"""A worker that lives so long has logged in everywhere."""
_CRASHES_MAX: Final = 5
"""Crashes of our own making, in a row, that end the whole: a kill or an outage never does."""
_WELL_SECONDS: Final = 60.0
"""A worker that has lived so long was well: its next start is not delayed further."""
_STOP_SECONDS_MAX: Final = 9.8
"""All workers together leave within the ten seconds that container platforms give."""


@dataclass(slots=True)
class _Seat:
    """A worker's place: who sits there now, and when the next one may."""

    name: str
    process: SpawnProcess | None = None
    crashes: int = 0
    start_at: float = 0.0
    done: bool = False
    started_at: float = field(default=0.0)


class Supervisor:
    """Keeps `workers` processes consuming; `run` returns the exit code of the whole."""

    def __init__(
        self, settings: Settings, workers: int, targets: Mapping[int, int] | None = None
    ) -> None:
        self._settings = settings
        self._targets = targets
        self._seats = [_Seat(f"{number}") for number in range(1, workers + 1)]
        self._context = multiprocessing.get_context("spawn")
        self._stopping = False
        self._figures: SharedFigures | None = None
        # Once a worker was let in, a refused login is a shortage of connections or a password
        # being changed, and no reason to end its healthy siblings.
        self._has_run_well = False

    def run(self) -> int:
        """Supervise until a signal, until all workers are done, or until a person must decide."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        with self._page():
            return self._supervise()

    @contextlib.contextmanager
    def _page(self) -> Iterator[None]:
        """One port for all workers; nothing where none is wanted."""
        if self._settings.ingester_metrics_port is None:
            yield
            return
        self._figures = SharedFigures()
        health = Health([seat.name for seat in self._seats])
        try:
            with Page(self._settings, self._figures, health):
                yield
        finally:
            self._figures.close()

    def _supervise(self) -> int:
        code = 0
        while not self._stopping and not all(seat.done for seat in self._seats):
            self._fill_seats()
            sentinels = [seat.process.sentinel for seat in self._seats if seat.process]
            wait(sentinels, timeout=0.2)
            code = next(filter(None, map(self._ended, self._seats)), 0)
            if code:
                break
        self._stop_all()
        if not code and self._targets is not None and not all(seat.done for seat in self._seats):
            return TemporaryError.exit_code
        return code

    def _on_signal(self, *_: object) -> None:
        self._stopping = True

    def _fill_seats(self) -> None:
        now = time.monotonic()
        for seat in self._seats:
            if seat.process is None and not seat.done and now >= seat.start_at:
                seat.process = self._context.Process(
                    target=work_as_child,
                    args=(self._settings, seat.name, self._targets),
                    name=f"ingester-worker-{seat.name}",
                )
                seat.started_at = now
                seat.process.start()
                log.info("worker_spawned", worker=seat.name, pid=seat.process.pid)

    def _ended(self, seat: _Seat) -> int:
        """Take in a worker's end; returns the exit code that ends everything, or 0."""
        process = seat.process
        if process is None:
            return 0
        if process.is_alive():
            self._has_run_well |= time.monotonic() - seat.started_at > _SETTLED_SECONDS
            return 0
        code = process.exitcode or 0
        seat.process = None
        if self._figures is not None and process.pid is not None:
            self._figures.forget(process.pid)
        if code == 0 and self._targets is not None:
            seat.done = True
        elif code in _FINAL and not (code == NotPermitted.exit_code and self._has_run_well):
            seat.done = True
            return code
        elif not self._stopping:
            now = time.monotonic()
            well = now - seat.started_at > _WELL_SECONDS
            seat.crashes = 1 if well else seat.crashes + 1
            delay = min(0.1 * 2**seat.crashes, _RESTART_SECONDS_MAX)
            seat.start_at = now + delay
            log.warning("worker_died", worker=seat.name, exit_code=code, restart_in_seconds=delay)
            if code == 1 and seat.crashes >= _CRASHES_MAX:
                return code
        return 0

    def _stop_all(self) -> None:
        processes = [seat.process for seat in self._seats if seat.process is not None]
        for process in processes:
            process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS_MAX
        for process in processes:
            process.join(max(deadline - time.monotonic(), 0.0))
            if process.is_alive():
                log.error("worker_killed", pid=process.pid, detail="it did not stop in time")
                process.kill()
                process.join()
