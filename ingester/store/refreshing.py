"""What the refresher asks of the database: folding, and the upkeep that goes with it."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

from ingester.dead_letters import DeadLetter
from ingester.settings import Settings
from ingester.store.packing import pack_indexes
from ingester.store.rejects import headers_of_row
from ingester.store.session import Session
from ingester.store.statements import statement


class RefreshStore:
    """The refresher's connection."""

    def __init__(self, settings: Settings) -> None:
        self._session = Session(settings, "ingester-refresher")

    def fold(self, batches_max: int) -> tuple[int, int]:
        """Fold one slice in a transaction of its own; returns batches and events folded."""
        with self._session.use("folding new events") as connection:
            row = connection.execute(statement("fold"), {"batches_max": batches_max}).fetchone()
        return (row[0], row[1]) if row else (0, 0)

    def summarize(self) -> None:
        """Summarise the new block ranges of the BRIN on batch_id.

        Ranges without a summary are read by every fold: left alone they cost as much as a scan.
        """
        with self._session.use("summarising new block ranges") as connection:
            connection.execute(statement("summarize"))

    def record_failure(self, started: datetime, error: str) -> None:
        """Write down that a refresh failed, in a transaction of its own."""
        with self._session.use("recording a failed refresh") as connection:
            connection.execute(
                statement("record_failed_refresh"), {"started": started, "error": error[:1000]}
            )

    def rebuild(self, start_date: date, end_date: date) -> dict[str, int]:
        """Recompute the roll-ups of some days from their events; returns rows written by name."""
        with self._session.use("rebuilding the statistics") as connection:
            cursor = connection.execute(
                statement("rebuild"), {"start_date": start_date, "end_date": end_date}
            )
            names = [column.name for column in cursor.description or ()]
            return dict(zip(names, cursor.fetchone() or (), strict=False))

    def create_leaf(self, month: date) -> None:
        """Make the leaf of a month unless it exists."""
        with self._session.use("creating a partition") as connection:
            connection.execute(statement("create_leaf"), {"month": month})

    def drop_old_leaves(self, months_to_keep: int) -> None:
        """Apply the retention."""
        with self._session.use("dropping old partitions") as connection:
            connection.execute(statement("drop_old_leaves"), {"months_to_keep": months_to_keep})

    def merge_ledger(self, days_whole: int) -> int:
        """Merge old folded ledger rows into ranges; returns how many rows that saved."""
        with self._session.use("merging the ledger") as connection:
            row = connection.execute(
                statement("merge_ledger"), {"days_whole": days_whole}
            ).fetchone()
        return int(row[0]) if row else 0

    def trim_refreshes(self) -> None:
        """Forget refreshes of more than a day ago, and failed ones after a month."""
        with self._session.use("trimming stats_refreshes") as connection:
            connection.execute(statement("trim_refreshes"))

    def pack_indexes(self) -> int:
        """Build sparse keys anew; returns how many. Raises TemporaryError where one is in use."""
        with self._session.use("packing indexes") as connection:
            return pack_indexes(connection)

    @contextlib.contextmanager
    def dead_letters(
        self, topic: str, rows_max: int
    ) -> Iterator[tuple[list[DeadLetter], Callable[[Sequence[int]], None]]]:
        """The next rejects of a topic to be forwarded, and how to mark them; the end commits."""
        with self._session.transaction("forwarding rejects") as connection:
            found = connection.execute(
                statement("take_dead_letters"), {"topic": topic, "rows_max": rows_max}
            )
            letters = [_letter(*row) for row in found]

            def mark(ids: Sequence[int]) -> None:
                connection.execute(statement("mark_forwarded"), {"ids": list(ids)})

            yield letters, mark
            connection.execute(statement("commit"))

    def cancel(self) -> None:
        """Stop what is running, from another thread."""
        self._session.cancel()

    def close(self) -> None:
        """Give the connection back."""
        self._session.close()


def _letter(*row: Any) -> DeadLetter:
    reject_id, topic, partition, offset, key, value, value_bytes, headers, reason, detail = row
    return DeadLetter(
        reject_id,
        topic=topic,
        partition=partition,
        offset=offset,
        key=key,
        value=value,
        value_bytes=value_bytes,
        headers=headers_of_row(headers),
        reason_code=reason,
        detail=detail,
    )
