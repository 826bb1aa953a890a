"""A batch knows when it is full and what it holds of each partition."""

from ingester.batch import Batch, Limits
from ingester.outcomes import Event, Outcomes
from tests.record import FakeRecord

EVENT: Event = ("c", bytes(16), 0, 0, 1, None, None)
LIMITS = Limits(rows_max=10, bytes_max=1_000, age_seconds_max=2.0)


def add(
    batch: Batch, partition: int, first: int, end: int, size_bytes: int = 0, now: float = 0.0
) -> None:
    records = [FakeRecord(offset) for offset in range(first, end)]
    batch.add(partition, first, records, Outcomes.of([EVENT] * len(records)), size_bytes, now)


def test_a_new_batch_is_empty_and_waits_for_nothing() -> None:
    batch = Batch(LIMITS)
    assert (len(batch), batch.rows_left, batch.is_full) == (0, 10, False)
    assert batch.seconds_left(100.0) is None


def test_a_batch_is_full_at_its_number_of_rows() -> None:
    batch = Batch(LIMITS)
    add(batch, 0, 0, 9)
    assert (batch.is_full, batch.rows_left) == (False, 1)
    add(batch, 1, 0, 1)
    assert (batch.is_full, batch.rows_left) == (True, 0)


def test_rows_beyond_the_limit_leave_no_room_and_no_negative_one() -> None:
    batch = Batch(LIMITS)
    add(batch, 0, 0, 12)
    assert (len(batch), batch.rows_left) == (12, 0)


def test_a_batch_is_full_at_its_number_of_bytes() -> None:
    batch = Batch(LIMITS)
    add(batch, 0, 0, 1, size_bytes=999)
    assert not batch.is_full
    add(batch, 0, 1, 2, size_bytes=1)
    assert batch.is_full


def test_age_counts_from_the_first_record() -> None:
    batch = Batch(LIMITS)
    add(batch, 0, 0, 1, now=100.0)
    add(batch, 0, 1, 2, now=101.5)
    assert batch.seconds_left(101.5) == 0.5
    assert batch.seconds_left(105.0) == 0.0


def test_a_slice_spans_from_the_position_given_to_the_last_record() -> None:
    batch = Batch(LIMITS)
    batch.add(3, 40, [FakeRecord(45), FakeRecord(47)], Outcomes.of([EVENT, EVENT]), 10, 0.0)
    part = batch.slices[3]
    assert (part.partition, part.start, part.end) == (3, 40, 48)
    assert [record.offset() for record in part.records] == [45, 47]


def test_the_start_of_a_slice_stays_where_it_was_first_given() -> None:
    batch = Batch(LIMITS)
    add(batch, 0, 0, 2)
    batch.add(0, 77, [FakeRecord(2)], Outcomes.of([EVENT]), 0, 0.0)
    assert (batch.slices[0].start, batch.slices[0].end) == (0, 3)


def test_an_end_without_records_moves_the_position_and_starts_the_clock() -> None:
    batch = Batch(LIMITS)
    batch.advance(0, 5, 9, 50.0)
    part = batch.slices[0]
    assert (part.start, part.end, part.records, len(batch)) == (5, 9, [], 0)
    assert batch.seconds_left(51.0) == 1.0


def test_an_end_after_records_moves_past_them() -> None:
    batch = Batch(LIMITS)
    add(batch, 0, 0, 3)
    batch.advance(0, 0, 5, 0.0)
    assert (batch.slices[0].start, batch.slices[0].end) == (0, 5)


def test_an_end_that_brings_nothing_new_opens_no_batch() -> None:
    batch = Batch(LIMITS)
    batch.advance(0, 5, 5, 0.0)
    batch.advance(1, 5, 4, 0.0)
    assert batch.slices == {}
    assert batch.seconds_left(0.0) is None


def test_a_position_never_goes_back() -> None:
    batch = Batch(LIMITS)
    add(batch, 0, 0, 5)
    batch.advance(0, 0, 4, 0.0)
    assert batch.slices[0].end == 5


def test_dropping_a_partition_leaves_the_others() -> None:
    batch = Batch(LIMITS)
    add(batch, 0, 0, 4)
    add(batch, 1, 0, 3)
    batch.drop([0, 9])
    assert list(batch.slices) == [1]
    assert (len(batch), batch.rows_left) == (3, 7)


def test_dropping_the_last_partition_empties_the_batch_and_stops_its_clock() -> None:
    batch = Batch(LIMITS)
    add(batch, 0, 0, 10, size_bytes=1_000)
    batch.drop([0])
    assert (len(batch), batch.is_full, batch.seconds_left(9.0)) == (0, False, None)
    add(batch, 0, 0, 1, size_bytes=999, now=20.0)
    assert not batch.is_full
    assert batch.seconds_left(21.0) == 1.0


def test_a_dropped_partition_begins_again_where_it_is_started_again() -> None:
    batch = Batch(LIMITS)
    add(batch, 0, 0, 4)
    batch.drop([0])
    add(batch, 0, 2, 3)
    assert (batch.slices[0].start, batch.slices[0].end) == (2, 3)


def test_dropping_a_partition_takes_its_bytes_along() -> None:
    batch = Batch(LIMITS)
    add(batch, 0, 0, 1, size_bytes=900)
    add(batch, 1, 0, 1, size_bytes=50)
    batch.drop([0])
    add(batch, 1, 1, 2, size_bytes=50)
    assert not batch.is_full
