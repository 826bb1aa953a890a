"""How far the replay is, as far as the later steps depend on it."""

from dataclasses import dataclass
from datetime import date

from ingester.errors import NeedsAPerson
from ingester.store.connection import Connection, translating
from replay.store.proofs import Span
from replay.store.rows import Row, one, rows


@dataclass(frozen=True, slots=True)
class Progress:
    """What the first run decided, and how much of the ledger is still open."""

    cut_date: date
    topic: str
    cluster_id: str
    topic_id: str
    floor: date | None
    ranges: int
    ranges_open: int
    events: int

    @property
    def span(self) -> Span:
        """The days that can be compared."""
        return Span(self.floor, self.cut_date)


def progress(connection: Connection) -> Progress:
    """Raises NeedsAPerson before the first run."""
    with translating("reading the replay's ledger"):
        found = rows(connection, "replay_progress")
    if not found:
        raise NeedsAPerson("nothing has been replayed yet. Run: replay run")
    return Progress(**found[0])


def not_yet_ingested(connection: Connection) -> list[Row]:
    """Partitions whose acknowledged replay events are not all stored: partition, both offsets."""
    with translating("comparing offsets"):
        return rows(connection, "not_yet_ingested")


def not_yet_folded(connection: Connection) -> int:
    """Batches with replay events that the statistics do not hold yet."""
    with translating("looking for unfolded batches"):
        return int(one(connection, "not_yet_folded")["batches"])


def replay_rejects(connection: Connection) -> list[Row]:
    """The first replay events that were refused, each with the `total` of them."""
    with translating("looking for refused replay events"):
        return rows(connection, "replay_rejects")


def watermark(connection: Connection) -> list[Row]:
    """How far each partition is stored, and how many batches are not folded."""
    with translating("reading the offsets"):
        return rows(connection, "watermark")
