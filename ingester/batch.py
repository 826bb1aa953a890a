"""What is written in one transaction: a slice of each partition, from a position to a position.

The batch decides when it is full (rows, bytes, age); it knows nothing of Kafka, of PostgreSQL or of
what is stored. A slice keeps the records themselves until they are written, because a record may
still turn into a reject, which needs its original bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ingester.outcomes import Outcomes


class Record(Protocol):
    """A record as the client hands it over; nothing is read that is not needed."""

    def offset(self) -> int:
        """Position of the record in its partition."""

    def key(self) -> bytes | None:
        """Key as published."""

    def value(self) -> bytes | None:
        """Value as published."""

    def leader_epoch(self) -> int | None:
        """Epoch of the leader that took the record."""

    def headers(self) -> list[tuple[str, str | bytes | None]] | None:
        """Headers as published; raises where a name is not valid UTF-8."""


@dataclass(slots=True)
class Slice:
    """Consecutive records of one partition with what became of each.

    `start` is the stored position this consumer was given or last wrote, `end` the position after
    the slice; offsets between them without a record are gaps of the log.
    """

    partition: int
    start: int
    end: int
    records: list[Record] = field(default_factory=list)
    outcomes: Outcomes = field(default_factory=Outcomes)
    value_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """When a batch is full: whichever comes first."""

    rows_max: int
    bytes_max: int
    age_seconds_max: float


class Batch:
    """Slices that will be written together."""

    def __init__(self, limits: Limits) -> None:
        self.slices: dict[int, Slice] = {}
        self._limits = limits
        self._rows = 0
        self._bytes = 0
        self._opened_at: float | None = None

    def __len__(self) -> int:
        return self._rows

    @property
    def rows_left(self) -> int:
        """How many records still fit."""
        return max(self._limits.rows_max - self._rows, 0)

    @property
    def is_full(self) -> bool:
        """Whether it must be written before it takes more."""
        return self._rows >= self._limits.rows_max or self._bytes >= self._limits.bytes_max

    def seconds_left(self, now: float) -> float | None:
        """How long it may wait for more; None while it holds nothing."""
        if self._opened_at is None:
            return None
        return max(self._opened_at + self._limits.age_seconds_max - now, 0.0)

    def add(
        self,
        partition: int,
        start: int,
        records: Sequence[Record],
        outcomes: Outcomes,
        size_bytes: int,
        now: float,
    ) -> None:
        """Take consecutive records; `start` counts only where the partition is new to the batch."""
        part = self._slice(partition, start, now)
        if records[0].offset() < part.end:
            raise ValueError(f"offset {records[0].offset()} comes after {part.end} was reached")
        part.records += records
        part.outcomes.extend(outcomes)
        part.end = records[-1].offset() + 1
        part.value_bytes += size_bytes
        self._rows += len(records)
        self._bytes += size_bytes

    def advance(self, partition: int, start: int, end: int, now: float) -> None:
        """Move a partition's position without a record: the end of the log was reached."""
        if end > self.slices[partition].end if partition in self.slices else end > start:
            self._slice(partition, start, now).end = end

    def drop(self, partitions: Sequence[int]) -> None:
        """Forget what was taken from partitions that are no longer ours."""
        for partition in partitions:
            dropped = self.slices.pop(partition, None)
            if dropped is not None:
                self._rows -= len(dropped.records)
                self._bytes -= dropped.value_bytes
        if not self.slices:
            self._rows = self._bytes = 0
            self._opened_at = None

    def _slice(self, partition: int, start: int, now: float) -> Slice:
        if self._opened_at is None:
            self._opened_at = now
        if partition not in self.slices:
            self.slices[partition] = Slice(partition, start, start)
        return self.slices[partition]


@dataclass(frozen=True, slots=True)
class Topic:
    """The topic as the store knows it: its name and the identities behind the name."""

    name: str
    topic_id: str
    cluster_id: str


@dataclass(frozen=True, slots=True)
class Written:
    """What became of some slices.

    `positions` of the partitions written; `refused`: of each partition whose stored offset was not
    where this consumer believed it, the offset that is stored; `reasons`: rejects by reason code.
    """

    positions: Mapping[int, int] = field(default_factory=dict)
    refused: Mapping[int, int] = field(default_factory=dict)
    records: int = 0
    inserted: int = 0
    duplicates: int = 0
    rejected: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
