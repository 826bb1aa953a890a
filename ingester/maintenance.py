"""The upkeep that runs on a schedule: partitions, retention, old ledger rows, sparse keys.

Each step stands alone: one that fails is tried again at the next round and keeps no other from
running.
"""

from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from typing import Protocol

import structlog

from ingester.errors import IngesterError, TemporaryError
from ingester.settings import Settings

log = structlog.get_logger(__name__)


class Store(Protocol):
    """What maintenance needs of the database; see `ingester.store.refreshing.RefreshStore`."""

    def create_leaf(self, month: date) -> None: ...
    def drop_old_leaves(self, months_to_keep: int) -> None: ...
    def merge_ledger(self, days_whole: int) -> int: ...
    def trim_refreshes(self) -> None: ...
    def pack_indexes(self) -> int: ...


def months_from(day: date, count: int) -> list[date]:
    """First days of the month of `day` and of the `count` months after it."""
    first = day.year * 12 + day.month - 1
    return [date(month // 12, month % 12 + 1, 1) for month in range(first, first + count + 1)]


def maintain(
    store: Store, settings: Settings, now: datetime, forward: Callable[[], int] | None = None
) -> None:
    """Run every step once; `forward` sends rejects to the dead-letter topic, where there is one."""

    def create_ahead() -> None:
        for month in months_from(now.date(), settings.ingester_partition_months_ahead):
            store.create_leaf(month)

    def drop_old() -> None:
        if settings.ingester_months_to_keep is not None:
            store.drop_old_leaves(settings.ingester_months_to_keep)

    def merge() -> None:
        saved = store.merge_ledger(settings.ingester_ledger_days_whole)
        if saved:
            log.info("ledger_merged", rows_saved=saved)

    def forward_rejects() -> None:
        forwarded = forward() if forward is not None else 0
        if forwarded:
            log.info("rejects_forwarded", rejects=forwarded)

    steps: dict[str, Callable[[], None]] = {
        "create_ahead": create_ahead,
        "drop_old": drop_old,
        "merge": merge,
        "trim_refreshes": store.trim_refreshes,
        "forward_rejects": forward_rejects,
        "pack": partial(_pack, store),
    }
    for name, step in steps.items():
        _run(name, step)


def _run(name: str, step: Callable[[], None]) -> None:
    try:
        step()
    except IngesterError as error:
        log.warning("maintenance_failed", step=name, detail=str(error))


def _pack(store: Store) -> None:
    try:
        packed = store.pack_indexes()
    except TemporaryError as error:
        log.info("packing_put_off", detail=str(error))
    else:
        if packed:
            log.info("indexes_packed", indexes=packed)
