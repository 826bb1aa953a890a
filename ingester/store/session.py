"""One connection that is opened when needed and thrown away when it broke."""

import contextlib
from collections.abc import Callable, Iterator

import psycopg
import structlog
from psycopg.pq import TransactionStatus

from ingester.errors import NotPermitted, TemporaryError
from ingester.settings import Settings
from ingester.store.connection import Connection, connect, translated
from ingester.store.statements import statement

log = structlog.get_logger(__name__)


class Session:
    """A connection for one thread; only `cancel` may be called from another.

    `on_loss` is called whenever the connection is given up: what was learnt through it may not be
    true of the server that answers next (a fail-over, a restored dump).
    """

    def __init__(
        self,
        settings: Settings,
        application_name: str,
        on_loss: Callable[[], None] | None = None,
        *,
        reads_only: bool = False,
    ) -> None:
        self._settings = settings
        self._application_name = application_name
        self._on_loss = on_loss
        self._reads_only = reads_only
        self._connection: Connection | None = None
        self._has_connected = False

    @contextlib.contextmanager
    def use(self, what: str) -> Iterator[Connection]:
        """Lend the connection, outside any transaction; psycopg's errors leave as ours.

        An error that left a transaction open or the connection broken costs the connection.
        """
        try:
            yield self._open()
        except psycopg.Error as error:
            raise translated(error, what) from error
        finally:
            connection = self._connection
            if connection is not None and (
                connection.info.transaction_status is not TransactionStatus.IDLE
            ):
                self.close()

    @contextlib.contextmanager
    def transaction(self, what: str) -> Iterator[Connection]:
        """Lend the connection inside a transaction that is rolled back unless it was committed."""
        with self.use(what) as connection:
            connection.execute(statement("begin"))
            try:
                yield connection
            finally:
                if connection.info.transaction_status in (
                    TransactionStatus.INTRANS,
                    TransactionStatus.INERROR,
                ):
                    connection.execute(statement("rollback"))

    def cancel(self) -> None:
        """Stop what the connection is doing, from another thread; its transaction rolls back."""
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                connection.cancel_safe(timeout=2.0)

    def close(self) -> None:
        """Give the connection up; what is open in it rolls back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            if self._on_loss is not None:
                self._on_loss()

    def _open(self) -> Connection:
        if self._connection is not None and self._connection.closed:
            self.close()
        if self._connection is None:
            try:
                self._connection = connect(
                    self._settings, self._application_name, reads_only=self._reads_only
                )
            except NotPermitted as error:
                # It let us in before: a password being changed, or no connection left to give.
                if self._has_connected:
                    raise TemporaryError(str(error)) from None
                raise
            self._has_connected = True
        return self._connection
