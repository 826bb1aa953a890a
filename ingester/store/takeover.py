"""Getting past a writer that stopped while it held our locks.

A process that was stopped (SIGSTOP, a frozen machine) keeps its transaction: its kernel still
answers keepalives, and a COPY that waits for its client obeys neither statement nor idle timeouts.
So a successor that waited long enough finds who blocks it and ends that backend, if it is one of
ours; whatever it had copied rolls back, and the compare-and-set refuses it when it wakes up.
"""

import contextlib
import threading
import time
from collections.abc import Iterator

import structlog

from ingester.errors import IngesterError
from ingester.settings import Settings
from ingester.store.connection import connect, translating
from ingester.store.statements import statement

log = structlog.get_logger(__name__)


class Takeover:
    """Ends the writers that block us, every `ingester_takeover_seconds` while a block lasts.

    One thread watches all blocks of a connection's owner: starting a thread for every batch costs
    the writer a wait for the interpreter.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._seconds = settings.ingester_takeover_seconds
        self._lock = threading.Lock()
        self._waiting: tuple[int, float] | None = None
        self._closed: threading.Event | None = None

    @contextlib.contextmanager
    def watching(self, backend_pid: int) -> Iterator[None]:
        """While the block runs, see to it that nobody of ours blocks this backend for ever."""
        with self._lock:
            self._waiting = backend_pid, time.monotonic() + self._seconds
            if self._closed is None:
                self._closed = threading.Event()
                watch = threading.Thread(
                    target=self._watch, args=(self._closed,), name="takeover", daemon=True
                )
                watch.start()
        try:
            yield
        finally:
            with self._lock:
                self._waiting = None

    def close(self) -> None:
        """Let the thread end."""
        with self._lock:
            if self._closed is not None:
                self._closed.set()
            self._closed = None

    def _watch(self, closed: threading.Event) -> None:
        while not closed.wait(min(self._seconds / 10, 1.0)):
            backend_pid = self._overdue()
            if backend_pid is not None:
                self._end_blockers(backend_pid)

    def _overdue(self) -> int | None:
        """The backend that has waited long enough; it will have again after as long."""
        with self._lock:
            if self._waiting is None or time.monotonic() < self._waiting[1]:
                return None
            backend_pid = self._waiting[0]
            self._waiting = backend_pid, time.monotonic() + self._seconds
            return backend_pid

    def _end_blockers(self, waiting_pid: int) -> None:
        try:
            with (
                connect(self._settings, "ingester-takeover") as connection,
                translating("ending the writers that block this one"),
            ):
                ended = connection.execute(
                    statement("end_blocking_writers"), {"waiting_pid": waiting_pid}
                ).fetchall()
        except IngesterError as error:
            log.warning("takeover_failed", detail=str(error))
            return
        if ended:
            log.warning("took_over", ended=[row[0] for row in ended])
