"""Locks that nobody notices: short timeouts, and as many attempts as it takes.

The technique is the usual one of online migrations (GitLab's `with_lock_retries`, among others).
An attempt runs from a savepoint: what the transaction holds already, it keeps.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from psycopg import errors

from ingester.errors import TemporaryError
from ingester.store.connection import Connection
from ingester.store.statements import statement

_PAUSE_SECONDS_MAX: Final = 0.25


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one attempt may hold up readers, and how long to go on trying; in seconds."""

    lock_seconds: float
    seconds_max: float


def bound_locks(connection: Connection, seconds: float) -> None:
    """Outside any transaction: wait for no lock longer than this."""
    _lock_timeout(connection, seconds, in_transaction=False)


def patiently(
    connection: Connection, relation: str, patience: Patience, attempt: Callable[[], object]
) -> int:
    """Try with a short lock timeout, from a savepoint, again and again; returns how many times.

    Raises TemporaryError where somebody was in the way all the time.
    """
    give_up_at = time.monotonic() + patience.seconds_max
    _lock_timeout(connection, patience.lock_seconds, in_transaction=True)
    attempts = 0
    while True:
        attempts += 1
        try:
            with connection.transaction():  # inside a transaction: a savepoint
                attempt()
        except errors.LockNotAvailable:
            if time.monotonic() > give_up_at:
                raise TemporaryError(
                    f"{relation} was in use during {attempts} attempts of "
                    f"{patience.lock_seconds:g} s: long transactions hold it; nothing was changed"
                ) from None
            time.sleep(random.uniform(0, _PAUSE_SECONDS_MAX))  # noqa: S311 - spreads attempts
        else:
            return attempts


def in_transaction(
    connection: Connection, job: Callable[[], None], *, frozen: bool = False
) -> None:
    """Run a job in a transaction; with `frozen` everything it reads is of one moment."""
    connection.execute(statement("begin"))
    try:
        if frozen:
            connection.execute(statement("repeatable_read"))
        job()
        connection.execute(statement("commit"))
    except BaseException:
        if not connection.closed:
            connection.execute(statement("rollback"))
        raise


def _lock_timeout(connection: Connection, seconds: float, *, in_transaction: bool) -> None:
    connection.execute(
        statement("lock_timeout"),
        {"milliseconds": max(1, int(seconds * 1000)), "in_transaction": in_transaction},
    )
