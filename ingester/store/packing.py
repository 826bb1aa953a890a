"""Packs keys whose pages are far from full: of months that are over, and of the roll-ups.

Events of a replay, and days of many campaigns, do not come in the order of these keys, so pages
split and stay half empty. REINDEX CONCURRENTLY builds the index anew beside the old one: readers
and writers go on. Where somebody is in the way (a long transaction, a vacuum), it is left for
another time; what such an attempt leaves behind is dropped at the next one.
"""

import contextlib
from collections.abc import Iterator
from typing import Final

from ingester.store.connection import Connection
from ingester.store.statements import about, statement

ROUND_BYTES_MAX: Final = 128 * 1024 * 1024
"""Of indexes a round, smallest first: some seconds in which nothing is folded. What alone is
larger is never packed."""
_LOCK_WAIT: Final = "1s"


def pack_indexes(connection: Connection) -> int:
    """Build sparse keys anew, outside any transaction; returns how many.

    Only those that the role owns: nobody else may drop what an interrupted attempt leaves behind.
    """
    unfinished = connection.execute(statement("unfinished_indexes")).fetchall()
    sparse = connection.execute(
        statement("sparse_indexes"), {"bytes_max": ROUND_BYTES_MAX}
    ).fetchall()
    if not unfinished and not sparse:
        return 0
    with _lock_waits_bounded(connection):
        for (index,) in unfinished:
            connection.execute(about("drop_unfinished_index", index=index))
        for index, is_final in sparse:
            if is_final:
                connection.execute(about("fill_pages", index=index))
            connection.execute(about("pack_index", index=index))
    return len(sparse)


@contextlib.contextmanager
def _lock_waits_bounded(connection: Connection) -> Iterator[None]:
    before = connection.execute(statement("lock_wait")).fetchone() or ("0",)
    connection.execute(statement("limit_lock_waits"), {"wait": _LOCK_WAIT})
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute(statement("limit_lock_waits"), {"wait": before[0]})
