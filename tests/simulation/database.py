"""The tables with transactions, in memory: what is not committed never happened.

Any statement may fail and any COMMIT may lose its reply, before it was carried out or after. Batch
ids are taken ahead, as the real store does, so that they are not the order of the commits. The
steps of a transaction are methods of their own: a planted bug replaces one.
"""

import copy
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from ingester.batch import Slice, Topic, Written
from ingester.encoded import Encoded
from ingester.errors import CommitUnknown, TemporaryError
from ingester.outcomes import EPOCH, Outcomes
from tests.simulation.outcome import Told, outcomes_of

Identity = tuple[str, bytes, int]
NOTHING = (0, 0, 0, 0)


@dataclass(slots=True)
class Entry:
    """A row of the ledger; `counts` are records, inserted, duplicates, rejected."""

    partition: int
    first: int
    next: int
    counts: tuple[int, int, int, int]
    folded: bool = False


@dataclass(slots=True)
class Tables:
    """What is stored. `events` holds (batch id, count); `rollup` counts per campaign."""

    positions: dict[int, int] = field(default_factory=dict)
    begun: dict[int, int] = field(default_factory=dict)
    events: dict[Identity, tuple[int, int]] = field(default_factory=dict)
    rejects: list[tuple[int, int, int]] = field(default_factory=list)
    ledger: dict[int, Entry] = field(default_factory=dict)
    rollup: Counter[str] = field(default_factory=Counter)

    def copied(self) -> "Tables":
        """What a transaction works on."""
        return Tables(
            dict(self.positions),
            dict(self.begun),
            dict(self.events),
            list(self.rejects),
            {number: copy.copy(entry) for number, entry in self.ledger.items()},
            Counter(self.rollup),
        )


@dataclass(slots=True)
class Database:
    """What all stores share. `fault_share` of the statements fail; 0 is a healthy day."""

    random: Random
    tables: Tables = field(default_factory=Tables)
    fault_share: float = 0.0
    next_id: int = 1

    def statement(self) -> None:
        """Somewhere a statement is carried out."""
        if self.random.random() < self.fault_share:
            raise TemporaryError("the database is away")

    def commit(self, work: Tables) -> None:
        """Carry out, and answer; raises CommitUnknown where the answer is lost."""
        fate = self.random.random()
        if fate < self.fault_share / 2:
            raise CommitUnknown("never carried out, and nobody said so")
        self.tables = work
        if fate < self.fault_share:
            raise CommitUnknown("carried out, and nobody said so")

    # -- the statistics

    def fold(self, batches_max: int) -> None:
        """One refresh: claim batches and add their events, in one transaction."""
        try:
            self.statement()
            work = self.tables.copied()
            claimed = self.claim(work, batches_max)
            self.statement()
            for campaign, batch, count in self._of_batches(work, claimed):
                del batch
                work.rollup[campaign] += count
            self.commit(work)
        except TemporaryError:
            return  # the refresher tries again at its next turn

    def claim(self, work: Tables, batches_max: int) -> set[int]:
        """The next batches that are in no statistic yet; from now on they are."""
        unfolded = sorted(number for number, entry in work.ledger.items() if not entry.folded)
        claimed = set(unfolded[:batches_max])
        for number in claimed:
            work.ledger[number].folded = True
        return claimed

    @staticmethod
    def _of_batches(work: Tables, batches: set[int]) -> list[tuple[str, int, int]]:
        return [
            (identity[0], batch, count)
            for identity, (batch, count) in work.events.items()
            if batch in batches
        ]


class Store:
    """One worker's connection: the pipeline's Store."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._ids: deque[int] = deque()
        self._unsettled: tuple[set[int], Written] | None = None

    def positions(self, _: Topic, beginnings: Mapping[int, int]) -> dict[int, int]:
        """The stored offset of each partition; one not seen before starts at its beginning."""
        self.database.statement()
        tables = self.database.tables
        for partition, beginning in beginnings.items():
            tables.positions.setdefault(partition, beginning)
            tables.begun.setdefault(partition, beginning)
        return {partition: tables.positions[partition] for partition in beginnings}

    def epochs(self, _: str) -> dict[int, int]:
        """Leaders do not change here."""
        return {}

    def offsets(self, _: str) -> dict[int, int]:
        """The stored offset of every partition."""
        self.database.statement()
        return dict(self.database.tables.positions)

    def floor(self) -> datetime:
        """Nothing was dropped."""
        self.database.statement()
        return EPOCH

    def look_up_ahead(self, _: Sequence[Outcomes]) -> None:
        """Campaigns need no look-up here."""

    def encode_ahead(self, _: Sequence[Slice]) -> Encoded | None:
        """Nothing is gained by it here."""
        return None

    def write(self, _: Topic, slices: Sequence[Slice], __: Encoded | None = None) -> Written:
        """Write the slices in one transaction, exactly once."""
        self.database.statement()
        if self._unsettled is not None:
            (ids, written), self._unsettled = self._unsettled, None
            if self.was_committed(ids):
                return written
        work = self.database.tables.copied()
        self.database.statement()
        refused = self.refused(work, slices)
        kept = [part for part in slices if part.partition not in refused]
        if not kept:
            return Written(refused=refused)
        entries = {self._taken_id(): part for part in kept}
        counts = [self.copy(work, number, part) for number, part in entries.items()]
        self.advance(work, kept)
        self.database.statement()
        records, inserted, duplicates, rejected = map(sum, zip(NOTHING, *counts, strict=True))
        written = Written(
            positions={part.partition: part.end for part in kept},
            refused=refused,
            records=records,
            inserted=inserted,
            duplicates=duplicates,
            rejected=rejected,
        )
        try:
            self.database.commit(work)
        except CommitUnknown:
            self._unsettled = (set(entries), written)
            raise
        return written

    # -- the steps of a transaction

    def refused(self, work: Tables, slices: Sequence[Slice]) -> dict[int, int]:
        """The compare of compare-and-set: partitions whose offset is not where the slice starts."""
        stored = {part.partition: work.positions[part.partition] for part in slices}
        return {p.partition: stored[p.partition] for p in slices if stored[p.partition] != p.start}

    def copy(self, work: Tables, number: int, part: Slice) -> tuple[int, int, int, int]:
        """Events, rejects and the ledger row of one slice."""
        self.database.statement()
        inserted = duplicates = rejected = 0
        for offset, told in outcomes_of(part):
            if told is None:
                rejected += 1
                work.rejects.append((part.partition, offset, number))
            elif self.insert(work, number, told):
                inserted += 1
            else:
                duplicates += 1
        counts = (len(part.records), inserted, duplicates, rejected)
        work.ledger[number] = Entry(part.partition, part.start, part.end, counts)
        return counts

    def insert(self, work: Tables, number: int, told: Told) -> bool:
        """ON CONFLICT DO NOTHING; True where the event is new."""
        if told.identity in work.events:
            return False
        work.events[told.identity] = (number, told.how_many)
        return True

    def advance(self, work: Tables, slices: Sequence[Slice]) -> None:
        """The set of compare-and-set."""
        self.database.statement()
        work.positions |= {part.partition: part.end for part in slices}

    def was_committed(self, ids: set[int]) -> bool:
        """Look, after a COMMIT without an answer."""
        return ids <= self.database.tables.ledger.keys()

    def _taken_id(self) -> int:
        if not self._ids:
            first = self.database.next_id
            self.database.next_id += 3
            self._ids.extend(range(first, first + 3))
        return self._ids.popleft()
