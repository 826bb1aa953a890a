"""What `replay.verification` asks of the database, all of it answered from one snapshot."""

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from psycopg import sql

from ingester.store.connection import Connection, translating
from ingester.store.statements import statement
from ingester.store.verification import Snapshot
from replay.legacy import LegacyTable
from replay.store.rows import Row, rows
from replay.store.statements import about_legacy
from replay.verification import Difference, EventSums, Place, Sum, Sums

_DIFFERENCES_AT_A_TIME: Final = 1_000


@dataclass(frozen=True, slots=True)
class Span:
    """The days that are compared: since <= day < until; `since` None where nothing was dropped."""

    since: date | None
    until: date


@contextlib.contextmanager
def snapshot(connection: Connection) -> Iterator[None]:
    """One REPEATABLE READ, read-only view of everything; writers are not held up."""
    with translating("verifying"):
        connection.execute(statement("begin"))
        try:
            connection.execute(statement("repeatable_read"))
            connection.execute(statement("read_only"))
            yield
        finally:
            if not connection.closed:
                connection.execute(statement("rollback"))


class Proofs:
    """Sums, checksums and differences, inside the caller's transaction.

    `seed` draws the weights of the checksums: another one for every verification.
    """

    def __init__(self, connection: Connection, table: LegacyTable, span: Span, seed: int) -> None:
        self._connection = connection
        self._table = table
        self._parameters: dict[str, Any] = {
            "since": span.since,
            "until": span.until,
            "seed": seed,
        }

    def legacy_sums(self) -> Sums:
        """The old table, in one scan."""
        return _sums(self._sums_of(about_legacy("legacy_checksums", self._table)))

    def event_sums(self) -> EventSums:
        """The events before the cut, in one scan."""
        found = self._sums_of("event_checksums")
        return EventSums(
            replayed=_sums([row for row in found if row["replayed"]]),
            late=_sums([row for row in found if not row["replayed"]]),
            folded=_sums([row for row in found if row["folded"]]),
        )

    def view_sums(self) -> Sums:
        """The daily statistics."""
        return _sums(self._sums_of("view_checksums"))

    def disagreements(self, name: str) -> list[Row]:
        """Weeks or months that differ from their days, at most a hundred."""
        return Snapshot(self._connection).check(name)

    def differences(self, proof: str, month: date) -> Iterator[Difference]:
        """Every differing value of a month; memory is that of a page of them."""
        query: sql.Composable = statement("view_differences")
        if proof == "legacy":
            query = about_legacy("legacy_differences", self._table)
        with self._connection.cursor(name="differences") as cursor:
            cursor.execute(sql.Composed([query]), {**self._parameters, "month": month})
            while page := cursor.fetchmany(_DIFFERENCES_AT_A_TIME):
                places = self._places({batch for row in page for batch in row[6] or ()})
                for campaign_id, day, metric, expected, told, row_id, batch_ids, event_ids in page:
                    found = [place for batch in batch_ids or () for place in places[batch]]
                    yield Difference(
                        campaign_id, day, metric, expected, told, row_id, event_ids or (), found
                    )

    def _sums_of(self, what: str | sql.Composed) -> list[Row]:
        rows(self._connection, "sorting", allowed="off")
        found = rows(self._connection, what, **self._parameters)
        rows(self._connection, "sorting", allowed="on")
        return found

    def _places(self, batch_ids: set[int]) -> dict[int, list[Place]]:
        places: dict[int, list[Place]] = defaultdict(list)
        if batch_ids:
            for row in rows(self._connection, "batch_places", batch_ids=sorted(batch_ids)):
                places[row.pop("batch_id")].append(Place(**row))
        return places


def _sums(found: list[Row]) -> Sums:
    sums: dict[tuple[date, str], Sum] = {}
    for row in found:
        key = (row["month"], row["metric"])
        sums[key] = sums.get(key, Sum()) + Sum(row["total"], row["checksum"])
    return sums
