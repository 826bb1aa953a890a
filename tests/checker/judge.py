"""The topic and the tables compared, record by record.

Each record must be exactly one of: the row of its event, a duplicate counted by the batch that
covers its offset, a reject with its bytes. And nothing else may exist.
"""

import base64
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.checker.contract import Event, Identity, read_event
from tests.checker.tables import EventRow, LedgerRow, RejectRow, Tables, read_tables
from tests.checker.topic import TopicPartitionLog, TopicRecord, read_topic

_DIFFERENCES_TOLD = 50
_COUNTS = ("records", "inserted", "duplicates", "conflicting", "rejected")
_MIB = 1024 * 1024
_KEPT_OF_LARGE = 64 * 1024


@dataclass(slots=True)
class Verdict:
    """What was found; `ok` where nothing differs."""

    records: int = 0
    inserted: int = 0
    duplicates: int = 0
    conflicting: int = 0
    rejected: int = 0
    missing: int = 0
    invented: int = 0
    partitions: int = 0
    batches: int = 0
    difference_count: int = 0
    differences: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether topic and tables agree."""
        return not self.difference_count

    def differs(self, text: str) -> None:
        """Note a difference; the first ones are told, all are counted."""
        self.difference_count += 1
        if len(self.differences) < _DIFFERENCES_TOLD:
            self.differences.append(text)

    def as_json(self) -> dict[str, Any]:
        """Everything, for a report."""
        return {"ok": self.ok, **{name: getattr(self, name) for name in self.__slots__}}


def judge(bootstrap: str, database_url: str, topic: str) -> Verdict:
    """Read both sides and compare them. The topic must have been read to its end."""
    return compare(read_topic(bootstrap, topic), read_tables(database_url, topic))


def compare(logs: Mapping[int, TopicPartitionLog], tables: Tables) -> Verdict:
    """Compare what the topic holds with what the tables hold."""
    return _Comparison(logs, tables).made()


class _Ledger:
    """Finds the batch of an offset, and of an event."""

    def __init__(self, rows: list[LedgerRow]) -> None:
        self.of_partition: dict[int, list[LedgerRow]] = defaultdict(list)
        for row in rows:
            self.of_partition[row.partition].append(row)
        self._by_id = {number: row for row in rows for number in (row.batch_id, *row.merged)}
        self._starts = {
            number: [row.first for row in found] for number, found in self.of_partition.items()
        }

    def covering(self, partition: int, offset: int) -> LedgerRow | None:
        """The batch whose range holds the offset."""
        at = bisect_right(self._starts.get(partition, []), offset) - 1
        row = self.of_partition[partition][at] if at >= 0 else None
        return row if row is not None and offset < row.next else None

    def of_event(self, row: EventRow) -> LedgerRow:
        """The batch that an event says it came with."""
        return self._by_id[row.batch_id]


class _Comparison:
    """Follows the records partition by partition; takes out of `rejects` what it has matched."""

    def __init__(self, logs: Mapping[int, TopicPartitionLog], tables: Tables) -> None:
        self.verdict = Verdict(partitions=len(logs), batches=len(tables.ledger))
        self.logs, self.tables = logs, tables
        self.ledger = _Ledger(tables.ledger)
        self.rows = {row.identity: row for row in tables.events}
        self.rejects = {(row.partition, row.offset): row for row in tables.rejects}
        self.told: set[Identity] = set()

    def made(self) -> Verdict:
        """Compare everything."""
        verdict, tables = self.verdict, self.tables
        if len(self.rows) != len(tables.events):
            verdict.differs(f"{len(tables.events) - len(self.rows)} events stand twice")
        if len(self.rejects) != len(tables.rejects):
            verdict.differs(f"{len(tables.rejects) - len(self.rejects)} rejects stand twice")
        if tables.orphans:
            verdict.differs(f"{tables.orphans} events belong to no batch")
        for partition, log in self.logs.items():
            self._compare_partition(partition, log)
        for identity in self.rows.keys() - self.told:
            verdict.invented += 1
            verdict.differs(f"invented: a row of {identity}, which no record tells of")
        for where in self.rejects:
            verdict.invented += 1
            verdict.differs(f"invented: a reject at {where}, where there is no such record")
        _compare_offsets(self.logs, self.ledger, tables, verdict)
        return verdict

    def _compare_partition(self, partition: int, log: TopicPartitionLog) -> None:
        found: dict[int, Counter[str]] = defaultdict(Counter)
        seen: set[Identity] = set()
        for record in log.records:
            where = f"{partition}@{record.offset}"
            batch = self.ledger.covering(partition, record.offset)
            if batch is None:
                self.verdict.differs(f"{where}: no batch covers this record")
            tally = found[batch.batch_id if batch else -1]
            tally["records"] += 1
            event = read_event(record.value, record.headers)
            if event is None:
                tally["rejected"] += 1
                reject = self.rejects.pop((partition, record.offset), None)
                _compare_reject(where, record, reject, self.verdict)
            else:
                self._compare_event(where, event, batch, tally, first=event.identity not in seen)
                seen.add(event.identity)
        self._compare_counts(partition, found)

    def _compare_event(
        self, where: str, event: Event, batch: LedgerRow | None, tally: Counter[str], *, first: bool
    ) -> None:
        row = self.rows.get(event.identity)
        if row is None:
            self.verdict.missing += 1
            self.verdict.differs(f"{where}: missing: {event}")
            return
        self.told.add(event.identity)
        if first and self.ledger.of_event(row) is batch:
            tally["inserted"] += 1
            _compare_content(where, event, row, self.verdict)
        else:
            tally["duplicates"] += 1
            tally["conflicting"] += event.content.contradicts(row.content)

    def _compare_counts(self, partition: int, found: Mapping[int, Counter[str]]) -> None:
        for batch in self.ledger.of_partition[partition]:
            real = found.get(batch.batch_id, Counter())
            for name in _COUNTS:
                if getattr(batch, name) != real[name]:
                    self.verdict.differs(
                        f"batch {batch.batch_id} of {partition}@{batch.first}..{batch.next}: "
                        f"{name} counted {getattr(batch, name)}, really {real[name]}"
                    )
        for tally in found.values():
            for name in _COUNTS:
                setattr(self.verdict, name, getattr(self.verdict, name) + tally[name])


def _compare_content(where: str, event: Event, row: EventRow, verdict: Verdict) -> None:
    if row.content != event.content:
        verdict.differs(
            f"{where}: {event.identity} is stored as {row.content}, not {event.content}"
        )


def _compare_reject(
    where: str, record: TopicRecord, row: RejectRow | None, verdict: Verdict
) -> None:
    if row is None:
        verdict.missing += 1
        verdict.differs(f"{where}: not a valid event, and not among the rejects: {record!r:.300}")
        return
    value = record.value
    if value is not None and len(value) > _MIB:
        value = value[:_KEPT_OF_LARGE]
    if row.value != value or row.value_bytes != len(record.value or b""):
        verdict.differs(f"{where}: the reject's value differs")
    if row.key != record.key:
        verdict.differs(f"{where}: the reject's key is {row.key!r}, not {record.key!r}")
    headers = [
        [name.replace("\0", "\\u0000"), None if value is None else base64.b64encode(value).decode()]
        for name, value in record.headers
    ]
    if row.headers != headers:
        verdict.differs(f"{where}: the reject's headers are {row.headers!r:.200}")


def _compare_offsets(
    logs: Mapping[int, TopicPartitionLog], ledger: _Ledger, tables: Tables, verdict: Verdict
) -> None:
    """The ledger has no hole, and the offsets stand at its end and at the topic's end."""
    offsets = {row.partition: row for row in tables.offsets}
    if offsets.keys() != logs.keys():
        verdict.differs(f"offsets of partitions {sorted(offsets)}, topic has {sorted(logs)}")
        return
    for partition, row in offsets.items():
        batches = ledger.of_partition[partition]
        position = row.first
        for batch in batches:
            if batch.first != position:
                verdict.differs(f"partition {partition}: {position} is followed by {batch.first}")
            position = batch.next
        if row.next != position:
            verdict.differs(f"partition {partition}: next_offset {row.next}, ledger {position}")
        if row.next != logs[partition].end:
            verdict.differs(f"partition {partition}: read to {row.next} of {logs[partition].end}")
        for name in _COUNTS:
            total, counted = getattr(row, name), sum(getattr(batch, name) for batch in batches)
            if total != counted:
                verdict.differs(f"partition {partition}: {name} {total}, ledger {counted}")
