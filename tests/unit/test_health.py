"""What /livez and /readyz answer, judged by figures alone."""

import pytest

from ingester.observing import metric
from ingester.observing.health import LOOP_SECONDS_MAX, Health
from ingester.observing.metric import Metric

NOW = 1_000_000.0
WELL = {
    (metric.LOOP.name, "1"): NOW - 1,
    (metric.JOINED.name, "1"): 1.0,
    (metric.KAFKA_UP.name, "1"): 1.0,
    (metric.DATABASE_UP.name, "1"): 1.0,
    (metric.OUTAGE.name, "1"): 0.0,
    (metric.STALLED.name, "0"): 0.0,
    (metric.OFFSET_GAP.name, "0"): 0.0,
    (metric.MONTHS_AHEAD.name, ""): 3.0,
}


def test_a_worker_that_does_its_work_is_alive_and_ready() -> None:
    health = Health(["1"])
    assert health.not_alive(WELL, NOW) == []
    assert health.not_ready(WELL, NOW) == []


@pytest.mark.parametrize(
    ("figure", "of", "value", "reason"),
    [
        (metric.JOINED, "1", 0.0, "worker 1: it is not a member of the group"),
        (metric.KAFKA_UP, "1", 0.0, "worker 1: the broker does not answer"),
        (metric.DATABASE_UP, "1", 0.0, "worker 1: the database does not answer"),
        (metric.OUTAGE, "1", 75.0, "worker 1: it has tried to write for 75 s"),
        (metric.STALLED, "0", 1.0, "partition 0: there is lag, and the stored offset does"),
        (metric.OFFSET_GAP, "0", 7.0, "partition 0: 7 offsets were deleted before"),
        (metric.MONTHS_AHEAD, "", 0.0, "next month has no partition"),
    ],
)
def test_what_is_wrong_is_named_and_keeps_it_alive_but_not_ready(
    figure: Metric, of: str, value: float, reason: str
) -> None:
    samples = WELL | {(figure.name, of): value}
    (found,) = Health(["1"]).not_ready(samples, NOW)
    assert found.startswith(reason)
    assert Health(["1"]).not_alive(samples, NOW) == []


def test_a_loop_that_does_not_turn_is_not_alive() -> None:
    samples = WELL | {(metric.LOOP.name, "1"): NOW - LOOP_SECONDS_MAX - 1}
    assert Health(["1"]).not_alive(samples, NOW) == ["worker 1: its loop has not turned for 61 s"]


def test_a_worker_that_says_nothing_is_missed() -> None:
    assert Health(["1", "2"]).not_alive(WELL, NOW) == ["worker 2: its loop has not begun"]
    assert len(Health(["1", "2"]).not_ready(WELL, NOW)) == 4


def test_a_refresher_needs_no_group() -> None:
    samples = {(metric.LOOP.name, "r"): NOW, (metric.DATABASE_UP.name, "r"): 1.0}
    assert Health(["r"], in_group=False).not_ready(samples, NOW) == []
