"""`verify`: does everything balance, and `verify --against-topic`: is it what the topic holds?

Against the topic, Kafka is read again from the first kept offset, ledger row by ledger row: each
record must be an event of that row, a reject of it, or a repeat of an event that exists; each event
and each reject of the row must be a record; and the counts must be those of the ledger. Memory is
bounded by the largest ledger row.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from ingester.batch import Record
from ingester.decoder import decode
from ingester.event import EventType
from ingester.kafka import Reader, TopicIdentity, headers_of
from ingester.outcomes import EPOCH, Rejected, Window
from ingester.store.verification import CHECKS, Identity, LedgerRow, Snapshot

_ANY_TIME: Final = Window(-(2**62), 2**62)
_TYPES: Final = [str(event_type) for event_type in EventType]
_DIFFERENCES_MAX: Final = 100

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(slots=True)
class Check:
    """One sentence that was put to the proof, with what contradicts it (at most 100 of them)."""

    name: str
    claim: str
    differences: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing contradicts it."""
        return not self.differences

    def differs(self, **what: object) -> None:
        """Note a difference."""
        if len(self.differences) < _DIFFERENCES_MAX:
            self.differences.append(what)


def verify_store(snapshot: Snapshot, progress: Progress) -> list[Check]:
    """Everything inside PostgreSQL balances."""
    checks = []
    for number, (name, claim) in enumerate(CHECKS.items()):
        progress(claim, number, len(CHECKS))
        checks.append(Check(name, claim, snapshot.check(name)))
    return checks


def verify_topic(
    snapshot: Snapshot, reader: Reader, identity: TopicIdentity, progress: Progress
) -> list[Check]:
    """What is stored is what the topic holds, as far as the topic still holds it."""
    same = Check("topic_identity", "the stored offsets belong to this topic of this cluster")
    partitions = [
        row for row in snapshot.partitions(reader.topic) if row["partition"] < identity.partitions
    ]
    for row in partitions:
        if (row["topic_id"], row["cluster_id"]) != (identity.topic_id, identity.cluster_id):
            same.differs(**row, found=str(identity))
    if not same.ok:
        return [same]
    complete = Check(
        "topic_complete", "every record of the topic is an event, a repeat or a reject"
    )
    invented = Check("nothing_invented", "every event and reject of the ledger is in the topic")
    counts = Check("topic_counts", "the ledger counts what the topic holds")
    snapshot.look_up_by_batch()
    for row in partitions:
        partition = row["partition"]
        kept_from = max(reader.watermarks(partition)[0], row["first_offset"])
        ledger = snapshot.ledger(reader.topic, partition, kept_from)
        records = _Records(reader, partition, kept_from, row["next_offset"])
        for entry in ledger:
            progress(
                f"{reader.topic}[{partition}]", entry.next_offset - kept_from,
                row["next_offset"] - kept_from,
            )  # fmt: skip
            found = records.until(entry.next_offset)
            _Comparison(snapshot, reader.topic, partition, entry).compare(
                found, complete, invented, counts, whole=entry.first_offset >= kept_from
            )
    return [same, complete, invented, counts]


class _Records:
    """The records of a partition, handed out range by range."""

    def __init__(self, reader: Reader, partition: int, first: int, end: int) -> None:
        self._chunks: Iterator[list[Record]] = iter(reader.read(partition, first, end))
        self._held: list[Record] = []

    def until(self, offset: int) -> list[Record]:
        """All records before an offset that were not handed out yet."""
        while not self._held or self._held[-1].offset() < offset - 1:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._held += chunk
        found = [record for record in self._held if record.offset() < offset]
        self._held = self._held[len(found) :]
        return found


@dataclass(slots=True)
class _Comparison:
    """One ledger row against the records of its offsets.

    `told` collects what the records say: per identity the offset of the first that says it, and
    the (type, count) of each.
    """

    snapshot: Snapshot
    topic: str
    partition: int
    entry: LedgerRow
    told: dict[Identity, tuple[int, list[tuple[str, int]]]] = field(default_factory=dict)

    def compare(
        self,
        records: list[Record],
        complete: Check,
        invented: Check,
        counts: Check,
        *,
        whole: bool,
    ) -> None:
        """Note every difference; with `whole` False retention has cut into the range."""
        rejects = self.snapshot.rejects(self.topic, self.partition, self.entry)
        events = self.snapshot.events(self.entry)
        self._read(records, rejects, complete)
        elsewhere = [identity for identity in self.told if identity not in events]
        for identity in self.snapshot.absent(elsewhere):
            offset = self.told[identity][0]
            complete.differs(**self._at(offset), problem="no row", **_described(identity))
        if whole:
            self._look_for_inventions(records, rejects, events, invented)
            self._count(len(records), len(events), len(rejects), counts)

    def _read(self, records: list[Record], rejects: dict[int, bytes], complete: Check) -> None:
        outcomes = decode(
            [record.value() for record in records],
            lambda index: headers_of(records[index]),
            _ANY_TIME,
        )
        for record, outcome in zip(records, outcomes, strict=True):
            offset = record.offset()
            if offset in rejects:
                if hashlib.sha256(record.value() or b"").digest() != rejects[offset]:
                    complete.differs(**self._at(offset), problem="the reject holds other bytes")
            elif isinstance(outcome, Rejected):
                complete.differs(**self._at(offset), problem=f"no reject for {outcome.reason}")
            else:
                campaign_id, event_id, occurred_us, code, count, _, _ = outcome
                time = EPOCH + timedelta(microseconds=occurred_us)
                identity = Identity(campaign_id, UUID(bytes=event_id), time)
                self.told.setdefault(identity, (offset, []))[1].append((_TYPES[code], count))

    def _look_for_inventions(
        self,
        records: list[Record],
        rejects: dict[int, bytes],
        events: dict[Identity, tuple[str, int]],
        invented: Check,
    ) -> None:
        for identity, content in events.items():
            _, contents = self.told.get(identity, (None, []))
            if content not in contents:
                problem = "another type or count" if contents else "not in the topic"
                invented.differs(
                    **self._at(None), problem=problem, **_described(identity), stored=content
                )
        for offset in rejects.keys() - {record.offset() for record in records}:
            invented.differs(**self._at(offset), problem="the reject is not in the topic")

    def _count(self, records: int, events: int, rejects: int, counts: Check) -> None:
        found = {
            "records": records,
            "inserted": events + self.entry.dropped,
            "duplicates": records - rejects - events - self.entry.dropped,
            "rejected": rejects,
        }
        for name, number in found.items():
            expected = getattr(self.entry, name)
            if number != expected:
                counts.differs(**self._at(None), problem=name, ledger=expected, found=number)

    def _at(self, offset: int | None) -> dict[str, Any]:
        return {
            "topic": self.topic,
            "partition": self.partition,
            "batch_id": self.entry.batch_ids[-1],
            "offset": offset,
        }


def _described(identity: Identity) -> dict[str, str]:
    return {
        "campaign_id": identity.campaign_id,
        "event_id": str(identity.event_id),
        "occurred_at": identity.occurred_at.isoformat(),
    }
