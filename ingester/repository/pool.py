"""How repositories come to their connections: with the login and session of everything of ours.

A login is tried once before a pool is made: a pool only tries again, and its error is a time-out
that does not say what is wrong.
"""

from typing import Any, Final

from psycopg import AsyncConnection, Connection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from ingester.settings import Settings
from ingester.store.connection import connect, login_parameters, session_parameters
from ingester.store.statements import statement

APPLICATION_NAME: Final = "ingester-repository"
STATEMENT_SECONDS_MAX: Final = 30.0
"""A reader that waits longer has usually gone; what it asked for must not go on without it."""
_WAIT_SECONDS_MAX: Final = 10.0
"""How long a call waits for a connection that others are using."""

SyncPool = ConnectionPool[Connection[TupleRow]]
AsyncPool = AsyncConnectionPool[AsyncConnection[TupleRow]]


def sync_pool(settings: Settings, connections_max: int, statement_seconds_max: float) -> SyncPool:
    """An open pool; raises SettingsError, NotPermitted or TemporaryError where none can be."""
    limits = session_parameters(settings, statement_seconds_max)
    connect(settings, APPLICATION_NAME, statement_seconds_max).close()

    def configure(connection: Connection[TupleRow]) -> None:
        connection.execute(statement("set_up_session"), limits)

    return ConnectionPool(
        configure=configure, open=True, **_pool_parameters(settings, connections_max)
    )


def async_pool(settings: Settings, connections_max: int, statement_seconds_max: float) -> AsyncPool:
    """A pool that is to be opened inside the running loop; blocks while the login is tried."""
    limits = session_parameters(settings, statement_seconds_max)
    connect(settings, APPLICATION_NAME, statement_seconds_max).close()

    async def configure(connection: AsyncConnection[TupleRow]) -> None:
        await connection.execute(statement("set_up_session"), limits)

    return AsyncConnectionPool(
        configure=configure, open=False, **_pool_parameters(settings, connections_max)
    )


def _pool_parameters(settings: Settings, connections_max: int) -> dict[str, Any]:
    return {
        "kwargs": login_parameters(settings, APPLICATION_NAME),
        "min_size": 1,
        "max_size": connections_max,
        "timeout": _WAIT_SECONDS_MAX,
        "name": APPLICATION_NAME,
    }
