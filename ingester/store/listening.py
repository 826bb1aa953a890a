"""Hears from PostgreSQL when the statistics were refreshed (LISTEN), on a thread of its own."""

import threading
from collections.abc import Callable
from typing import Final

import structlog

from ingester.errors import IngesterError
from ingester.settings import Settings
from ingester.store.connection import connect, translating
from ingester.store.statements import statement

log = structlog.get_logger(__name__)

_LOOK_SECONDS: Final = 1.0
"""How often a waiting listener looks whether it shall stop."""
_PAUSE_SECONDS_MAX: Final = 10.0
"""Between attempts to reach a database that is away."""


class RefreshListener(threading.Thread):
    """Calls `on_refresh` after each refresh, `on_loss` when the connection breaks.

    What happened while it was away is not told: the return is one `on_refresh`. A pooler in
    transaction mode passes no notifications on.
    """

    def __init__(
        self,
        settings: Settings,
        on_refresh: Callable[[], None],
        on_loss: Callable[[], None],
    ) -> None:
        super().__init__(name="refresh-listener", daemon=True)
        self._settings = settings
        self._on_refresh = on_refresh
        self._on_loss = on_loss
        self._stopping = threading.Event()

    def run(self) -> None:
        """Listen until `stop`, and connect again whenever that is needed."""
        pause = 0.5
        while not self._stopping.is_set():
            try:
                self._listen()
            except IngesterError as error:
                log.warning("refreshes_unheard", detail=str(error))
                self._on_loss()
                self._stopping.wait(pause)
                pause = min(pause * 2, _PAUSE_SECONDS_MAX)
            else:
                pause = 0.5

    def stop(self) -> None:
        """End it soon; from any thread."""
        self._stopping.set()

    def _listen(self) -> None:
        with (
            connect(self._settings, "ingester-dashboard-live", reads_only=True) as connection,
            translating("listening to refreshes"),
        ):
            connection.execute(statement("listen_to_refreshes"))
            self._on_refresh()
            while not self._stopping.is_set():
                for _ in connection.notifies(timeout=_LOOK_SECONDS):
                    self._on_refresh()
