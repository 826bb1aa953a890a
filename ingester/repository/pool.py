"""How repositories come to their connections: with the login and session of everything of ours.

A login is tried once before a pool is made: a pool only tries again, and its error is a time-out
that does not say what is wrong.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, Final

from psycopg import AsyncConnection, Connection
from psycopg.errors import InvalidParameterValue
from psycopg.rows import TupleRow
from psycopg.sql import SQL
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from ingester.errors import IngesterError, UsageError
from ingester.settings import Settings
from ingester.store.connection import connect, login_parameters, session_parameters, translating
from ingester.store.statements import statement

APPLICATION_NAME: Final = "ingester-repository"
STATEMENT_SECONDS_MAX: Final = 30.0
"""A reader that waits longer has usually gone; what it asked for must not go on without it."""
_WAIT_SECONDS_MAX: Final = 10.0
"""How long a call waits for a connection that others are using."""


@contextlib.contextmanager
def asking() -> Iterator[None]:
    """Let psycopg's errors leave the block as ours; arguments that a function refuses are usage."""
    try:
        with translating("the repository"):
            yield
    except IngesterError as error:
        # How our functions refuse a granularity, a range or an event. In a worker it is no usage.
        if isinstance(error.__cause__, InvalidParameterValue):
            raise UsageError(str(error)) from error.__cause__
        raise


SyncPool = ConnectionPool[Connection[TupleRow]]
AsyncPool = AsyncConnectionPool[AsyncConnection[TupleRow]]


def sync_pool(
    settings: Settings, connections_max: int, statement_seconds_max: float, *, reads_only: bool
) -> SyncPool:
    """An open pool; raises SettingsError, NotPermitted or TemporaryError where none can be."""
    set_up = _set_up(settings, statement_seconds_max, reads_only=reads_only)
    connect(settings, APPLICATION_NAME, statement_seconds_max).close()

    def configure(connection: Connection[TupleRow]) -> None:
        for each, parameters in set_up:
            connection.execute(each, parameters)

    return ConnectionPool(
        configure=configure,
        check=ConnectionPool.check_connection,  # one that broke is replaced before it is lent
        open=True,
        **_pool_parameters(settings, connections_max),
    )


def async_pool(
    settings: Settings, connections_max: int, statement_seconds_max: float, *, reads_only: bool
) -> AsyncPool:
    """A pool that is to be opened inside the running loop; blocks while the login is tried."""
    set_up = _set_up(settings, statement_seconds_max, reads_only=reads_only)
    connect(settings, APPLICATION_NAME, statement_seconds_max).close()

    async def configure(connection: AsyncConnection[TupleRow]) -> None:
        for each, parameters in set_up:
            await connection.execute(each, parameters)

    return AsyncConnectionPool(
        configure=configure,
        check=AsyncConnectionPool.check_connection,
        open=False,
        **_pool_parameters(settings, connections_max),
    )


def _set_up(
    settings: Settings, statement_seconds_max: float, *, reads_only: bool
) -> list[tuple[SQL, dict[str, str] | None]]:
    """What a new connection is told first: statements with their parameters."""
    session = (statement("set_up_session"), session_parameters(settings, statement_seconds_max))
    return [session, (statement("refuse_writes"), None)] if reads_only else [session]


def _pool_parameters(settings: Settings, connections_max: int) -> dict[str, Any]:
    return {
        "kwargs": login_parameters(settings, APPLICATION_NAME),
        "min_size": 1,
        "max_size": connections_max,
        "timeout": _WAIT_SECONDS_MAX,
        "name": APPLICATION_NAME,
    }
