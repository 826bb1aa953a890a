"""Corrections in PostgreSQL: planned in one transaction, published from here only.

Assumption: whatever is planned is derived from a snapshot that holds every event published before.
So nothing is planned while a correction is unacknowledged or an acknowledged event not ingested,
and one planner at a time holds the table's lock, taken before its snapshot.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Final

from ingester.store.connection import Connection, translating
from ingester.store.statements import statement
from replay.correction import Correction, corrections
from replay.legacy import LegacyTable
from replay.store.ledger import raise_watermarks
from replay.store.locks import in_transaction
from replay.store.proofs import Proofs
from replay.store.readiness import not_yet_ingested, progress
from replay.store.rows import one, rows
from replay.verification import differing_months

_ROWS_AT_A_TIME: Final = 1_000


@dataclass(slots=True)
class Planned:
    """What was planned: corrections and their sum by metric, and rows that have gone.

    `settled` is False where events are still under way, so that nothing could be planned.
    """

    settled: bool = True
    corrections: int = 0
    rows_gone: int = 0
    deltas: Counter[str] = field(default_factory=Counter)


def plan(connection: Connection, table: LegacyTable, seed: int) -> Planned:
    """Compare the old table with its replayed events and write down what must be corrected."""
    planned = Planned()

    def compare() -> None:
        connection.execute(statement("lock_corrections"))
        unacknowledged = one(connection, "correction_counts")["unacknowledged"]
        if unacknowledged or not_yet_ingested(connection):
            planned.settled = False
            return
        proofs = Proofs(connection, table, progress(connection).span, seed)
        replayed = proofs.event_sums().replayed
        for month in differing_months(proofs.legacy_sums(), replayed):
            _write(connection, _of_month(connection, proofs, month), planned)

    with translating("planning corrections"):
        in_transaction(connection, compare, frozen=True)
    return planned


def unacknowledged(connection: Connection, rows_max: int) -> list[Correction]:
    """The next corrections that are planned and may not have been published."""
    with translating("reading planned corrections"):
        found = rows(connection, "unacknowledged_corrections", rows_max=rows_max)
    return [Correction(**row) for row in found]


def acknowledge(
    connection: Connection, done: Sequence[Correction], next_offsets: Mapping[int, int]
) -> None:
    """Write down that all replicas have these corrections, before these offsets."""

    def write() -> None:
        raise_watermarks(connection, next_offsets)
        ids = [each.event_id for each in done]
        connection.execute(statement("acknowledge_corrections"), {"event_ids": ids})

    with translating("acknowledging corrections"):
        in_transaction(connection, write)


def _of_month(connection: Connection, proofs: Proofs, month: date) -> Iterator[Correction]:
    known = {
        (row["campaign_id"], row["stat_date"], row["metric"]): int(row["revision"])
        for row in rows(connection, "last_revisions", month=month)
    }
    for difference in proofs.differences("legacy", month):
        key = (difference.campaign_id, difference.day, difference.metric)
        yield from corrections(difference, known.get(key, 0))


def _write(connection: Connection, found: Iterable[Correction], planned: Planned) -> None:
    gone: tuple[str, date] | None = None
    with connection.cursor() as cursor:
        while page := list(itertools.islice(found, _ROWS_AT_A_TIME)):
            cursor.executemany(statement("plan_corrections"), [asdict(each) for each in page])
            for each in page:
                planned.corrections += 1
                planned.deltas[each.metric] += each.delta
                # They come sorted by campaign and day.
                if each.row_id is None and gone != (each.campaign_id, each.stat_date):
                    gone = (each.campaign_id, each.stat_date)
                    planned.rows_gone += 1
