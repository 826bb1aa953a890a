"""How fast the replay may go: at most the rate, and not while the consumers are behind."""

from collections.abc import Callable

import pytest

from ingester.errors import TemporaryError
from replay.lag import LagGate
from replay.pace import Pace


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def nothing(*_: object) -> None:
    """Nobody interrupts."""


def test_a_rate_is_kept_on_average() -> None:
    clock = Clock()
    pace = Pace(200.0, clock, clock.sleep)
    for _ in range(1_000):
        pace.wait(nothing)
    assert clock.now - 100.0 == pytest.approx(999 / 200, rel=0.01)


def test_without_a_rate_nothing_waits() -> None:
    clock = Clock()
    pace = Pace(None, clock, clock.sleep)
    for _ in range(1_000):
        pace.wait(nothing)
    assert clock.now == 100.0


def test_time_lost_in_a_pause_is_not_caught_up_in_a_burst() -> None:
    clock = Clock()
    pace = Pace(100.0, clock, clock.sleep)
    pace.wait(nothing)
    clock.now += 3_600
    resumed = clock.now
    for _ in range(1_000):
        pace.wait(nothing)
    assert clock.now - resumed >= 1_000 / 100 - 1.1


def test_a_signal_is_seen_while_waiting() -> None:
    clock = Clock()
    pace = Pace(1.0, clock, clock.sleep)
    seen = []
    pace.wait(nothing)
    pace.wait(lambda: seen.append(clock.now))
    assert len(seen) >= 10


def gate(
    clock: Clock, ingested: Callable[[], dict[int, int]], ends: dict[int, int], events_max: int = 10
) -> LagGate:
    """A gate over partitions that begin at 0."""
    return LagGate(
        ingested,
        lambda: {number: (0, end) for number, end in ends.items()},
        events_max,
        stall_seconds_max=30.0,
        clock=clock,
        sleep=clock.sleep,
    )


def test_the_gate_opens_once_the_consumers_have_come_near_enough() -> None:
    clock = Clock()
    lags: list[int] = []
    waiting = gate(clock, lambda: {0: int(clock.now), 1: 50}, {0: 150, 1: 50})
    waiting.wait(lags.append)
    assert clock.now == pytest.approx(140.0, abs=0.2)
    assert lags[0] == 50
    assert waiting.paused_seconds == pytest.approx(40.0, abs=0.2)


def test_a_partition_that_nobody_has_begun_counts_from_its_first_offset() -> None:
    clock = Clock()
    lags: list[int] = []
    with pytest.raises(TemporaryError):
        gate(clock, lambda: {0: 20}, {0: 20, 1: 11}).wait(lags.append)
    assert set(lags) == {11}


def test_a_topic_without_consumers_does_not_hold_the_replay_back() -> None:
    clock = Clock()
    gate(clock, dict, {0: 1_000_000}).wait(nothing)
    assert clock.now == 100.0


def test_consumers_that_do_not_move_end_the_run_as_a_temporary_failure() -> None:
    clock = Clock()
    with pytest.raises(TemporaryError, match="have not moved for 30 s"):
        gate(clock, lambda: {0: 5}, {0: 100}).wait(nothing)
    assert clock.now == pytest.approx(130.0, abs=0.5)
