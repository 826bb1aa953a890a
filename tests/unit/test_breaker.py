"""The breaker stops a stream that is nearly all refused, and no other."""

from collections.abc import Sequence

import pytest

from ingester.breaker import Breaker
from ingester.errors import UnhealthyStream
from ingester.outcomes import Event, Outcomes, Reason, Rejected

GOOD: Event = ("c", bytes(16), 0, 0, 1, None, None)
BAD = Rejected(Reason.INVALID_JSON, "unexpected character")


def judge(breaker: Breaker, partition: int, outcomes: Sequence[Event | Rejected]) -> None:
    breaker.judge(partition, Outcomes.of(outcomes))


def test_a_stream_of_rubbish_is_stopped_once_the_sample_is_complete() -> None:
    breaker = Breaker(sample=100, refused_share=0.99)
    judge(breaker, 0, [BAD] * 99)
    with pytest.raises(UnhealthyStream) as stopped:
        judge(breaker, 0, [BAD])
    told = str(stopped.value)
    assert "partition 0: 100 of the last 100 records" in told
    assert "invalid_json (unexpected character)" in told
    assert "INGESTER_BREAKER_RECORDS=0" in told
    assert stopped.value.exit_code == 78


def test_the_share_is_reached_exactly() -> None:
    breaker = Breaker(sample=100, refused_share=0.99)
    judge(breaker, 0, [GOOD, GOOD] + [BAD] * 98)
    with pytest.raises(UnhealthyStream, match="99 of the last 100"):
        judge(breaker, 0, [BAD])


def test_good_records_among_bad_ones_keep_the_stream_running() -> None:
    breaker = Breaker(sample=100, refused_share=0.99)
    for _ in range(50):
        judge(breaker, 0, [GOOD] + [BAD] * 48 + [GOOD])


def test_only_the_last_records_count() -> None:
    breaker = Breaker(sample=10, refused_share=0.9)
    judge(breaker, 0, [GOOD] * 1_000)
    judge(breaker, 0, [BAD] * 8)
    with pytest.raises(UnhealthyStream):
        judge(breaker, 0, [BAD])


def test_more_records_than_the_sample_are_judged_by_the_last_of_them() -> None:
    judge(Breaker(sample=10, refused_share=0.9), 0, [BAD] * 1_000 + [GOOD, GOOD])
    with pytest.raises(UnhealthyStream):
        judge(Breaker(sample=10, refused_share=0.9), 0, [GOOD] * 1_000 + [BAD] * 9)


def test_a_good_record_at_the_end_does_not_hide_the_latest_refusal() -> None:
    with pytest.raises(UnhealthyStream, match="invalid_json"):
        judge(Breaker(sample=10, refused_share=0.9), 0, [BAD] * 9 + [GOOD])


def test_partitions_are_judged_each_on_its_own() -> None:
    breaker = Breaker(sample=10, refused_share=0.9)
    for partition in range(5):
        judge(breaker, partition, [BAD] * 9)
    judge(breaker, 0, [GOOD] * 5)
    with pytest.raises(UnhealthyStream, match="partition 4"):
        judge(breaker, 4, [BAD])


def test_a_partition_that_went_away_is_forgotten() -> None:
    breaker = Breaker(sample=10, refused_share=0.9)
    judge(breaker, 0, [BAD] * 9)
    judge(breaker, 1, [BAD] * 9)
    breaker.forget([0, 7])
    judge(breaker, 0, [BAD] * 9)
    with pytest.raises(UnhealthyStream, match="partition 1"):
        judge(breaker, 1, [BAD])


def test_a_sample_of_zero_switches_it_off() -> None:
    judge(Breaker(sample=0, refused_share=0.99), 0, [BAD] * 100_000)


def test_nothing_and_good_records_trip_nothing() -> None:
    breaker = Breaker(sample=1, refused_share=0.01)
    judge(breaker, 0, [])
    judge(breaker, 0, [GOOD] * 10)
