"""Getting past a writer that stopped while it held our locks.

A process that was stopped (SIGSTOP, a frozen machine) keeps its transaction: its kernel still
answers keepalives, and a COPY that waits for its client obeys neither statement nor idle timeouts.
So a successor that waited long enough finds who blocks it and ends that backend, if it is one of
ours; whatever it had copied rolls back, and the compare-and-set refuses it when it wakes up.
"""

import threading
from types import TracebackType

import structlog

from ingester.errors import IngesterError
from ingester.settings import Settings
from ingester.store.connection import connect, translating
from ingester.store.statements import statement

log = structlog.get_logger(__name__)


class Takeover:
    """While the block runs: every `ingester_takeover_seconds`, end the writers that block us."""

    def __init__(self, settings: Settings, waiting_pid: int) -> None:
        self._settings = settings
        self._waiting_pid = waiting_pid
        self._done = threading.Event()
        self._watch = threading.Thread(target=self._run, name="takeover", daemon=True)

    def __enter__(self) -> None:
        self._watch.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._done.set()

    def _run(self) -> None:
        while not self._done.wait(self._settings.ingester_takeover_seconds):
            try:
                with (
                    connect(self._settings, "ingester-takeover") as connection,
                    translating("ending the writers that block this one"),
                ):
                    ended = connection.execute(
                        statement("end_blocking_writers"), {"waiting_pid": self._waiting_pid}
                    ).fetchall()
            except IngesterError as error:
                log.warning("takeover_failed", detail=str(error))
            else:
                log.warning("took_over", ended=[row[0] for row in ended])
