"""Bugs to be planted, one at a time, each a mistake that real consumers have shipped.

A bug takes the place of one method, of the pipeline, of the Kafka edge, or of the database's
transaction. `sentences` are those of the guarantee of which it breaks one first (6: work is done;
0: it crashes a worker). Most mistakes about positions are caught by the compare-and-set alone and
harm nobody; these are the ones that are not.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from unittest.mock import patch

from ingester.batch import Batch, Slice, Topic, Written
from ingester.errors import TemporaryError
from ingester.kafka import Polled, Source
from ingester.outcomes import Reason, Rejected
from ingester.pipeline import Pipeline
from tests.simulation.database import Database, Store, Tables
from tests.simulation.outcome import Told, all_rejected, without_records


@dataclass(frozen=True, slots=True)
class Bug:
    """`owner`'s method `method` does something else, which breaks one of `sentences`."""

    name: str
    sentences: tuple[int, ...]
    owner: type
    method: str
    instead: Callable[..., Any]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """For as long as the block runs."""
        with patch.object(self.owner, self.method, self.instead):
            yield


_copy, _advance, _write = Store.copy, Store.advance, Pipeline._write
_stored_positions, _new, _poll = Pipeline._stored_positions, Source._new, Source.poll
_add, _hand_over = Batch.add, Pipeline._hand_over


# -- the transaction


def no_compare_and_set(self: Store, work: Tables, slices: Sequence[Slice]) -> dict[int, int]:
    """Whoever comes may write."""
    del self, work, slices
    return {}


def commits_offsets_before_the_copy(
    self: Store, work: Tables, number: int, part: Slice
) -> tuple[int, int, int, int]:
    """The offset is safe, the events not yet."""
    self.database.tables.positions[part.partition] = part.end
    return _copy(self, work, number, part)


def copies_outside_the_transaction(self: Store, work: Tables, number: int, told: Told) -> bool:
    """Autocommit: the rows stay when the rest is rolled back."""
    if told.identity in work.events:
        return False
    for tables in (work, self.database.tables):
        tables.events[told.identity] = (number, told.how_many)
    return True


def moves_the_offset_in_a_transaction_of_its_own(
    self: Store, work: Tables, slices: Sequence[Slice]
) -> None:
    """After the events, so that a crash in between repeats them."""
    _advance(self, work, slices)
    for part in slices:
        work.positions[part.partition] = part.start
        if self.database.random.random() > self.database.fault_share:
            self.database.tables.positions[part.partition] = part.end
            work.positions[part.partition] = part.end


def an_identity_without_the_time(self: Store, work: Tables, number: int, told: Told) -> bool:
    """Every campaign has each kind of event once."""
    del self
    if any(identity[0] == told.identity[0] for identity in work.events):
        return False
    work.events[told.identity] = (number, told.how_many)
    return True


def repeats_are_stored_again(self: Store, work: Tables, number: int, told: Told) -> bool:
    """No primary key: counted as new whenever it comes."""
    del self
    work.events[told.identity] = (number, told.how_many)
    return True


# -- the statistics


def folds_above_the_highest_id_seen(self: Database, work: Tables, batches_max: int) -> set[int]:
    """Ids are not the order of the commits: what commits late lies below the watermark."""
    del self
    highest = max((number for number, entry in work.ledger.items() if entry.folded), default=0)
    claimed = set(sorted(number for number in work.ledger if number > highest)[:batches_max])
    for number in claimed:
        work.ledger[number].folded = True
    return claimed


def claims_in_a_transaction_of_its_own(self: Database, work: Tables, batches_max: int) -> set[int]:
    """Claimed and, after a crash, never added."""
    unfolded = sorted(number for number, entry in work.ledger.items() if not entry.folded)
    claimed = set(unfolded[:batches_max])
    for tables in (work, self.tables):
        for number in claimed:
            tables.ledger[number].folded = True
    return claimed


def folds_without_a_claim(self: Database, work: Tables, batches_max: int) -> set[int]:
    """All batches of late, whether they are in the statistics or not."""
    del self
    claimed = set(sorted(work.ledger, reverse=True)[:batches_max])
    for number in claimed:
        work.ledger[number].folded = True
    return claimed


# -- the pipeline


def clears_the_buffer_before_the_commit(
    self: Pipeline, topic: Topic, slices: Sequence[Slice], encoded: Any
) -> Written:
    """What is tried again is empty."""
    handed = list(slices)
    slices[:] = [without_records(part) for part in slices]  # type: ignore[index]  # it is a list
    return _write(self, topic, handed, encoded)


def an_outage_makes_rejects(
    self: Pipeline, topic: Topic, slices: Sequence[Slice], encoded: Any
) -> Written:
    """What could not be written is put aside."""
    try:
        return _write(self, topic, slices, encoded)
    except TemporaryError:
        rejected = Rejected(Reason.REFUSED_BY_DATABASE, "it did not work")
        return _write(self, topic, [all_rejected(part, rejected) for part in slices], None)


def begins_at_the_end(
    self: Pipeline, topic: Topic, watermarks: Mapping[int, tuple[int, int]]
) -> dict[int, int]:
    """auto.offset.reset=latest, where nothing is stored yet."""
    known = self.store.offsets(topic.name)
    ends = {p: (low if p in known else high, high) for p, (low, high) in watermarks.items()}
    return _stored_positions(self, topic, ends)


def ignores_refusals(self: Pipeline, partitions: Sequence[int]) -> None:
    """Neither the batch nor the position of a partition that went is forgotten."""
    del self, partitions


def keeps_the_batch_of_a_partition_that_went(self: Batch, partitions: Sequence[int]) -> None:
    """Only the position is forgotten."""
    del self, partitions


def ends_at_the_last_record(self: Batch, partition: int, *args: Any) -> None:
    """Off by one: the offset of the last record, not the one after it."""
    _add(self, partition, *args)
    self.slices[partition].end -= 1


def starts_at_the_first_record(self: Pipeline) -> None:
    """The start of a slice is taken from its records: gaps of the log look like theft."""
    for part in self._batch.slices.values():
        part.start = part.records[0].offset() if part.records else part.start
    _hand_over(self)


def never_resumes(self: Source) -> None:
    """Paused in an outage, and for ever."""
    del self


# -- the Kafka edge


def ignores_on_lost(self: Source, consumer: Any, partitions: Sequence[Any]) -> None:
    """As if nobody else could have them."""
    del self, consumer, partitions


def revokes_without_letting_go(
    self: Source, consumer: Any, kind: Any, partitions: Sequence[int]
) -> None:
    """The pipeline is told, the client reads on."""
    del consumer
    self._rebalances.append((kind, list(partitions)))


def passes_stale_records_on(self: Source, partition: int, run: Sequence[Any]) -> list[Any]:
    """Whatever the client hands over is new."""
    del self, partition
    return list(run)


def overlooks_ends(self: Source, records_max: int, timeout_seconds: float) -> Polled:
    """Markers behind the last record are never passed."""
    polled = _poll(self, records_max, timeout_seconds)
    polled.ends = {}
    return polled


def _bug(instead: Callable[..., Any], owner: type, method: str, *sentences: int) -> Bug:
    return Bug(instead.__name__, sentences, owner, method, instead)


CRASHES: Final = 0
BUGS: Final = (
    _bug(no_compare_and_set, Store, "refused", 2, 3),
    _bug(commits_offsets_before_the_copy, Store, "copy", 2, 3),
    _bug(copies_outside_the_transaction, Store, "insert", 2),
    _bug(moves_the_offset_in_a_transaction_of_its_own, Store, "advance", 2, 3),
    _bug(an_identity_without_the_time, Store, "insert", 1),
    _bug(repeats_are_stored_again, Store, "insert", 2),
    _bug(folds_above_the_highest_id_seen, Database, "claim", 5),
    _bug(claims_in_a_transaction_of_its_own, Database, "claim", 5),
    _bug(folds_without_a_claim, Database, "claim", 5),
    _bug(clears_the_buffer_before_the_commit, Pipeline, "_write", 1),
    _bug(an_outage_makes_rejects, Pipeline, "_write", 1),
    _bug(begins_at_the_end, Pipeline, "_stored_positions", 1),
    _bug(ignores_refusals, Pipeline, "_forget", CRASHES, 6),
    _bug(keeps_the_batch_of_a_partition_that_went, Batch, "drop", CRASHES, 1, 6),
    _bug(ends_at_the_last_record, Batch, "add", CRASHES, 1),
    _bug(starts_at_the_first_record, Pipeline, "_hand_over", 6),
    _bug(never_resumes, Source, "resume", 6),
    _bug(ignores_on_lost, Source, "_on_lost", 3),
    _bug(revokes_without_letting_go, Source, "_stop", 3),
    _bug(passes_stale_records_on, Source, "_new", CRASHES, 1),
    _bug(overlooks_ends, Source, "poll", 6),
)
