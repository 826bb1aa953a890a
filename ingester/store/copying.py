"""COPY of one month's rows into its leaf, and what becomes of rows that exist or are refused.

Rows that nobody has met lately go straight into the leaf; those that may be there already go
through a staging table with ON CONFLICT DO NOTHING, which counts what was new. Where the leaf has a
row after all, COPY fails as a whole: the leaf is noted, and the transaction begun again takes the
staging table for all of its rows, until a batch shows that nothing unexpected comes any more. Must
not know where rows come from, nor offsets.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import psycopg
from psycopg import errors as pg

from ingester import binary_copy
from ingester.binary_copy import Rows
from ingester.encoded import MonthRows, Tally
from ingester.errors import IngesterError
from ingester.stage import stage
from ingester.store.connection import Connection
from ingester.store.statements import about, statement

_SCANNED_AT_ONCE = 1_000


class RepeatsFound(Exception):
    """Some row is in its leaf already; the leaf is noted: begin the transaction again."""


class LeafCopy:
    """Writes rows into leaves, and remembers which leaves are being repeated to."""

    def __init__(self) -> None:
        self._repeating: set[str] = set()

    def write(
        self, connection: Connection, leaf: str, month: MonthRows, tallies: Mapping[int, Tally]
    ) -> None:
        """Write the rows of one month, correcting the tallies by what exists already.

        Raises RepeatsFound where the transaction is lost, and RowRefused for a row's own fault.
        """
        if leaf in self._repeating:
            if self._stage(connection, leaf, month.rows, tallies):
                # Nothing came that was not suspected: the direct way is open again.
                self._repeating.discard(leaf)
        elif month.rows:
            stage("copy", leaf=leaf, rows=len(month.rows))
            try:
                _copy(connection, leaf, month.rows)
            except pg.UniqueViolation:
                self._repeating.add(leaf)
                raise RepeatsFound from None
        if month.suspects:
            self._stage(connection, leaf, month.suspects, tallies)
        if month.repeats and (month.suspects or leaf in self._repeating):
            # What they repeat is stored, by this batch or by an earlier one.
            _fill_staging(connection, Rows.of(row for row, _ in month.repeats))
            _add_conflicts(connection, leaf, tallies)
        else:
            # All rows were new, so the first of this batch is the one that is stored.
            for row, conflicts in month.repeats:
                tallies[binary_copy.batch_of(row)].conflicting += conflicts

    def _stage(
        self,
        connection: Connection,
        leaf: str,
        rows: Rows,
        tallies: Mapping[int, Tally],
    ) -> bool:
        """Write rows of which some may be there; whether none was."""
        stage("staging", leaf=leaf, rows=len(rows))
        _fill_staging(connection, rows)
        new = _counts(connection, "insert_staged", leaf)
        if sum(new.values()) == len(rows):
            return True
        for batch_id, staged in Counter(rows.batch_ids().tolist()).items():
            tallies[batch_id].repeat(staged - new.get(batch_id, 0))
        _add_conflicts(connection, leaf, tallies)
        return False


def _fill_staging(connection: Connection, rows: Rows) -> None:
    connection.execute(statement("create_staging"))
    connection.execute(statement("empty_staging"))
    _copy(connection, "staged_events", rows)


def _add_conflicts(connection: Connection, leaf: str, tallies: Mapping[int, Tally]) -> None:
    """Count the staged rows that tell another story than the stored row of their identity."""
    for batch_id, conflicting in _counts(connection, "conflicting_staged", leaf).items():
        tallies[batch_id].conflicting += conflicting


class RowRefused(Exception):
    """The database refused one row; the others are not to blame."""

    def __init__(self, row: bytes, number: int, detail: str) -> None:
        super().__init__(detail)
        self.row = row
        self.number = number
        self.detail = detail


def _copy(connection: Connection, table: str, rows: Rows) -> None:
    with connection.cursor() as cursor:
        try:
            with cursor.copy(about("copy_rows", table=table)) as copy:
                for part in (binary_copy.HEADER, rows.text, binary_copy.TRAILER):
                    copy.write(part)
        except psycopg.DataError as error:
            # "COPY leaf, line 12, column metadata": the word is translated, the number is not.
            line = re.search(r"^COPY [^,]+, \D*(\d+)", error.diag.context or "", re.MULTILINE)
            if line is None:
                raise
            number = int(line[1]) - 1
            raise RowRefused(rows.row(number), number, error.diag.message_primary or "") from None
        if cursor.rowcount != len(rows):
            raise IngesterError(f"COPY took {cursor.rowcount} of {len(rows)} rows into {table}")


def all_refused(connection: Connection, rows: Sequence[bytes]) -> list[RowRefused]:
    """Every row that the database refuses, found in one pass that leaves nothing behind.

    COPY stops at the first of them: going on behind it costs a savepoint, not another batch.
    """
    found: list[RowRefused] = []
    with connection.transaction(force_rollback=True):
        connection.execute(statement("create_staging"))
        for first in range(0, len(rows), _SCANNED_AT_ONCE):
            chunk = rows[first : first + _SCANNED_AT_ONCE]
            while chunk:
                try:
                    with connection.transaction():
                        _copy(connection, "staged_events", Rows.of(chunk))
                except RowRefused as error:
                    found.append(error)
                    chunk = chunk[error.number + 1 :]
                else:
                    break
    return found


def _counts(connection: Connection, name: str, leaf: str) -> dict[int, int]:
    return dict(connection.execute(about(name, leaf=leaf)).fetchall())
