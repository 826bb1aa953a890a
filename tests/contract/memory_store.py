"""The pipeline's Store in memory: the same promises as the real one's, kept by a dictionary.

A database is shared by the stores of several workers, as PostgreSQL is. A fault can be set for the
next calls; it strikes where the real one would: before anything is written, or around COMMIT.
"""

import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Literal
from uuid import UUID

import orjson

from ingester.batch import Slice, Topic, Written
from ingester.encoded import Encoded
from ingester.errors import CommitUnknown, NeedsAPerson, TemporaryError
from ingester.event import EventType
from ingester.outcomes import EPOCH, Event, Outcomes, Reason, Rejected, microseconds
from tests.contract.stored import Counts, Entry, Identity, Reject, Stored, Told

Fault = Literal["outage", "before", "after"]
NOTHING: Counts = (0, 0, 0, 0, 0)


@dataclass(slots=True)
class MemoryDatabase:
    """The tables, the floor, and the faults to come, first first."""

    topics: dict[int, Topic] = field(default_factory=dict)
    positions: dict[int, int] = field(default_factory=dict)
    totals: dict[int, Counts] = field(default_factory=dict)
    events: dict[Identity, Told] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    ledger: list[Entry] = field(default_factory=list)
    floor: datetime = EPOCH
    faults: deque[Fault] = field(default_factory=deque)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def open(self) -> "MemoryStore":
        """A store of one more worker."""
        return MemoryStore(self)

    def stored(self) -> Stored:
        """What is stored now."""
        return Stored(
            dict(self.events),
            list(self.rejects),
            dict(self.positions),
            dict(self.totals),
            list(self.ledger),
        )

    def raise_floor(self, first_day: date) -> None:
        """Let the retention floor rise."""
        self.floor = datetime.combine(first_day, time(), UTC)

    def lose_reply(self, what: Literal["before", "after"]) -> None:
        """Let the next COMMIT get no answer."""
        self.faults.append(what)


class MemoryStore:
    """One worker's view of a MemoryDatabase."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._unsettled: tuple[bool, Written] | None = None

    def positions(self, topic: Topic, beginnings: Mapping[int, int]) -> dict[int, int]:
        """The stored offset of each partition; one not seen before starts at its beginning."""
        database = self._database
        self._outage()
        with database.lock:
            for partition, beginning in beginnings.items():
                database.topics.setdefault(partition, topic)
                database.positions.setdefault(partition, beginning)
                database.totals.setdefault(partition, NOTHING)
                if database.topics[partition] != topic:
                    raise NeedsAPerson(f"{topic.name}[{partition}] belongs to another topic id")
            return {partition: database.positions[partition] for partition in beginnings}

    def offsets(self, topic: str) -> dict[int, int]:
        """The stored offset of every partition of a topic."""
        self._outage()
        database = self._database
        return {p: at for p, at in database.positions.items() if database.topics[p].name == topic}

    def epochs(self, _: str) -> dict[int, int]:
        """Leaders do not change here."""
        return {}

    def floor(self) -> datetime:
        """The retention floor."""
        self._outage()
        return self._database.floor

    def look_up_ahead(self, _: Sequence[Outcomes]) -> None:
        """Campaigns need no look-up here."""

    def encode_ahead(self, _: Sequence[Slice]) -> Encoded | None:
        """Nothing is gained by it here."""
        return None

    def write(self, topic: Topic, slices: Sequence[Slice], _: Encoded | None = None) -> Written:
        """Write the slices at once, exactly once."""
        self._outage()
        if self._unsettled is not None:
            (committed, written), self._unsettled = self._unsettled, None
            if committed:
                return written
        with self._database.lock:
            return self._write(topic, slices)

    def _outage(self) -> None:
        faults = self._database.faults
        if faults and faults[0] == "outage":
            faults.popleft()
            raise TemporaryError("the database is away")

    def _write(self, topic: Topic, slices: Sequence[Slice]) -> Written:
        database = self._database
        gone = [part.partition for part in slices if part.partition not in database.positions]
        if gone:
            raise NeedsAPerson(f"no offset is stored for {topic.name}{gone}")
        stored = {part.partition: database.positions[part.partition] for part in slices}
        refused = {part.partition: stored[part.partition] for part in slices
                   if part.start != stored[part.partition]}  # fmt: skip
        kept = sorted(
            (part for part in slices if part.partition not in refused), key=lambda p: p.partition
        )
        lost = database.faults.popleft() if kept and database.faults else None
        if lost == "before":
            self._unsettled = (False, Written())
            raise CommitUnknown("COMMIT was never carried out, and nobody said so")
        sums = [self._store(part) for part in kept]
        records, inserted, duplicates, _, rejected = map(sum, zip(NOTHING, *sums, strict=True))
        written = Written(
            positions={part.partition: part.end for part in kept},
            refused=refused,
            records=records,
            inserted=inserted,
            duplicates=duplicates,
            rejected=rejected,
            reasons=Counter(self._reasons(kept)),
        )
        if lost == "after":
            self._unsettled = (True, written)
            raise CommitUnknown("COMMIT was carried out, and nobody said so")
        return written

    @staticmethod
    def _reasons(slices: Sequence[Slice]) -> list[str]:
        return [
            str(outcome.reason)
            for part in slices
            for outcome in part.outcomes
            if isinstance(outcome, Rejected)
        ]

    def _store(self, part: Slice) -> Counts:
        database = self._database
        floor_us = microseconds(database.floor)
        inserted = duplicates = conflicting = rejected = 0
        below = Rejected(Reason.OUTSIDE_WINDOW, "below the floor")
        part.outcomes.reject(lambda events: events.occurred_us < floor_us, below)
        for record, judged in zip(part.records, part.outcomes, strict=True):
            if isinstance(judged, Rejected):
                rejected += 1
                where = part.partition, record.offset()
                database.rejects.append((*where, str(judged.reason), record.value()))
                continue
            identity, told = _facts(judged)
            first = database.events.setdefault(identity, told)
            if first is told:
                inserted += 1
            else:
                duplicates += 1
                conflicting += first[:2] != told[:2]
        counts = len(part.records), inserted, duplicates, conflicting, rejected
        database.ledger.append((part.partition, part.start, part.end, counts))
        before = database.totals[part.partition]
        added = tuple(a + b for a, b in zip(before, counts, strict=True))
        database.totals[part.partition] = added  # type: ignore[assignment]  # five as before
        database.positions[part.partition] = part.end
        return counts


def _facts(event: Event) -> tuple[Identity, Told]:
    campaign_id, event_id, occurred_us, code, count, email, metadata = event
    tree = None if metadata is None else orjson.loads(metadata)
    told: Told = (str(list(EventType)[code]), count, email, tree)
    return (campaign_id, UUID(bytes=event_id), occurred_us), told
