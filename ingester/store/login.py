"""Why a login failed, by SQLSTATE, although libpq does not tell it.

libpq keeps the SQLSTATE of a refused login to itself: psycopg's error has none, and PQping counts a
full server as a healthy one. The words are translated by the server and decide nothing here. But
libpq can trace the protocol, and the server's ErrorResponse stands in the trace with its fields. So
a login that failed is tried once more with a trace, which is kept in memory and thrown away.
"""

import contextlib
import os
import re
import select
import time
from collections.abc import Iterator
from typing import Final

import psycopg
from psycopg import pq
from psycopg.pq.abc import PGconn

_SECONDS_MAX: Final = 10.0
_TRACE_BYTES_MAX: Final = 64 * 1024
# Severity stands first and may be translated; nothing that the server quotes comes before the code.
_CODE: Final = re.compile(rb"\tErrorResponse\t S \"[^\"]*\" V \"[A-Z]+\" C \"(\w{5})\"")


def refusal(conninfo: str) -> str | None:
    """The SQLSTATE with which the server refuses this login now.

    None where it does not: it lets us in by now, does not answer, or cannot be asked here.
    """
    with contextlib.suppress(psycopg.Error, OSError), _memory() as trace:
        connection = pq.PGconn.connect_start(conninfo.encode())
        try:
            connection.trace(trace)
            _poll(connection, time.monotonic() + _SECONDS_MAX)
            connection.untrace()
        finally:
            connection.finish()
        found = _CODE.search(os.pread(trace, _TRACE_BYTES_MAX, 0))
        return found[1].decode() if found else None
    return None


@contextlib.contextmanager
def _memory() -> Iterator[int]:
    """A file that is in memory only: the trace may hold a password."""
    if not hasattr(os, "memfd_create"):
        raise OSError("no files in memory on this system")
    trace = os.memfd_create("login")
    try:
        yield trace
    finally:
        os.close(trace)


def _poll(connection: PGconn, give_up_at: float) -> None:
    """Drive the login to its end, as libpq wants it."""
    status = pq.PollingStatus.WRITING
    while status in {pq.PollingStatus.READING, pq.PollingStatus.WRITING}:
        if connection.status == pq.ConnStatus.BAD:
            return
        waits = [connection.socket]
        left = give_up_at - time.monotonic()
        reads, writes = (waits, []) if status == pq.PollingStatus.READING else ([], waits)
        if left <= 0 or not any(select.select(reads, writes, [], left)):
            return
        status = pq.PollingStatus(connection.connect_poll())
