"""The figures themselves: what is taken in is what the page shows."""

import math
import os
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from ingester.errors import TemporaryError
from ingester.observing import metric
from ingester.observing.meter import ProcessMeter, SharedFigures
from ingester.observing.metric import METRICS, Kind
from ingester.observing.stopwatch import Stopwatch
from ingester.observing.watch import DatabaseWatch, TopicWatch
from ingester.store.observing import DatabaseFacts


@pytest.mark.parametrize("each", METRICS, ids=lambda each: each.name)
def test_every_metric_has_a_unit_a_meaning_and_a_name_of_our_own(each: metric.Metric) -> None:
    assert each.name.startswith("ingester_")
    assert each.name.endswith("_total") == (each.kind is Kind.COUNTER)
    assert each.meaning.endswith(".")


def test_every_metric_can_be_taken_in_and_is_shown_under_its_name() -> None:
    meter = ProcessMeter("7")
    for each in METRICS:
        for take in (meter.add, meter.set, meter.observe):  # one of them is of its kind
            take(each, 3.0, "x")
    shown = meter.figures.samples()
    for each in METRICS:
        name = f"{each.name}_sum" if each.kind is Kind.HISTOGRAM else each.name
        of = {None: "", "worker": "7"}.get(each.label, "x")
        assert shown[name, of] == 3.0
        assert f"# HELP {each.name}" in meter.figures.text().decode()


def test_what_is_not_known_any_more_is_not_shown() -> None:
    meter = ProcessMeter("1")
    meter.set(metric.LAG, 5, "0")
    meter.set(metric.LAG, math.nan, "0")
    assert (metric.LAG.name, "0") not in meter.figures.samples()
    assert 'ingester_lag{partition="0"}' not in meter.figures.text().decode()


# -- how long stages take


def test_a_page_is_served_while_a_worker_is_only_making_its_files() -> None:
    shared = SharedFigures()
    file = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]) / "counter_1.db"
    file.touch()
    sized = threading.Timer(0.05, os.truncate, [file, 65_536])
    sized.start()
    assert shared.text() == b""
    sized.join()
    shared.close()


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def measured(*stages: tuple[str, float]) -> dict[str, float]:
    """Seconds by stage, of stages that begin at these times."""
    meter, clock = ProcessMeter("1"), Clock()
    stopwatch = Stopwatch(meter, clock)
    for name, at in stages:
        clock.seconds = at
        stopwatch(name)
    samples = meter.figures.samples().items()
    return {of: value for (name, of), value in samples if name.endswith("_seconds_sum")}


def test_each_stage_lasts_until_the_next() -> None:
    stages = [("encode", 0.0), ("prepare", 1.0), ("leaf", 1.5), ("lock", 3.0), ("copy", 4.0)]
    assert measured(*stages, ("ledger", 9.0), ("commit", 10.0), ("committed", 12.0)) == {
        "encode": 1.0,
        "prepare": 2.0,
        "lock": 1.0,
        "copy": 5.0,
        "ledger": 1.0,
        "commit": 2.0,
    }


def test_the_time_between_two_batches_and_after_a_fault_is_nobodys() -> None:
    assert measured(("commit", 0.0), ("committed", 1.0), ("prepare", 60.0)) == {"commit": 1.0}
    assert measured(("copy", 0.0), ("prepare", 60.0), ("lock", 61.0)) == {"prepare": 1.0}


# -- the watch


class Reading:
    """A pipeline that stands where the test says."""

    def __init__(self, stored: dict[int, int]) -> None:
        self.at = stored
        self.restarted: list[int] = []

    def stored(self) -> dict[int, int]:
        """Where it stands."""
        return dict(self.at)

    def restart(self, partitions: Iterable[int]) -> None:
        """Note what was asked for."""
        self.restarted += partitions


class Seen:
    """A watch over partitions whose ends the test moves."""

    def __init__(self, stored: dict[int, int], ranges: dict[int, tuple[int, int]]) -> None:
        self.meter, self.clock = ProcessMeter("1"), Clock()
        self.reading, self.ranges = Reading(stored), ranges
        self.watch = TopicWatch(
            self.meter, self.reading, lambda _: self.ranges, self.clock, stall_seconds=60.0
        )

    def look(self, after_seconds: float = 0.0) -> None:
        """Some time passes; then it looks."""
        self.clock.seconds += after_seconds
        self.watch.look()

    def __getitem__(self, key: tuple[metric.Metric, str]) -> float | None:
        figure, of = key
        return self.meter.figures.samples().get((figure.name, of))


def test_lag_is_what_lies_after_the_stored_offset() -> None:
    seen = Seen({0: 5, 1: 9}, {0: (0, 12), 1: (0, 9)})
    seen.look()
    assert (seen[metric.LAG, "0"], seen[metric.LAG, "1"]) == (7, 0)
    assert seen[metric.KAFKA_UP, "1"] == 1


def test_lag_without_progress_is_a_stall_and_the_partition_is_read_anew() -> None:
    seen = Seen({0: 5}, {0: (0, 12)})
    seen.look()
    seen.look(59)
    assert (seen[metric.STALLED, "0"], seen.reading.restarted) == (None, [])
    seen.look(2)
    assert (seen[metric.STALLED, "0"], seen.reading.restarted) == (1, [0])
    seen.look(30)
    assert (seen[metric.STALLED, "0"], seen.reading.restarted) == (1, [0]), "not at every look"
    seen.reading.at[0] = 6
    seen.look(1)
    assert (seen[metric.STALLED, "0"], seen[metric.RESTARTS, ""]) == (0, 1)


def test_a_partition_without_lag_may_rest_for_ever() -> None:
    seen = Seen({0: 12}, {0: (0, 12)})
    for _ in range(5):
        seen.look(1_000)
    assert (seen[metric.STALLED, "0"], seen.reading.restarted) == (0, [])
    seen.ranges[0] = (0, 13)
    seen.look(1)
    assert seen.reading.restarted == [], "new records are given the whole time"


def test_offsets_that_were_deleted_unread_are_told() -> None:
    seen = Seen({0: 5}, {0: (8, 12)})
    seen.look()
    assert seen[metric.OFFSET_GAP, "0"] == 3


def test_a_partition_that_went_to_another_worker_is_told_no_more() -> None:
    seen = Seen({0: 5}, {0: (8, 12)})
    seen.look()
    seen.reading.at, seen.ranges = {}, {}
    seen.look()
    assert (
        seen[metric.LAG, "0"] is seen[metric.OFFSET_GAP, "0"] is seen[metric.STALLED, "0"] is None
    )


def test_a_broker_and_a_database_that_do_not_answer_are_told() -> None:
    def away(*_: object) -> DatabaseFacts:
        raise TemporaryError("away")

    seen = Seen({0: 5}, {0: (0, 12)})
    seen.watch.ranges = away  # type: ignore[assignment]  # it never answers
    seen.look()
    DatabaseWatch(seen.meter, away).look()
    assert (seen[metric.KAFKA_UP, "1"], seen[metric.DATABASE_UP, "1"]) == (0, 0)


def test_what_the_database_says_is_shown() -> None:
    meter = ProcessMeter("1")
    DatabaseWatch(meter, lambda: DatabaseFacts(3, 1.5, 99.0)).look()
    shown = meter.figures.samples()
    assert shown[metric.DATABASE_UP.name, "1"] == 1
    assert shown[metric.MONTHS_AHEAD.name, ""] == 3
    assert shown[metric.FRESHNESS.name, ""] == 1.5
    assert shown[metric.LAST_REFRESH.name, ""] == 99.0


@pytest.mark.parametrize("each", METRICS, ids=lambda each: each.name)
def test_every_metric_stands_in_the_operations_page(each: metric.Metric) -> None:
    page = Path(__file__).parents[2] / "docs" / "operations.md"
    row = f"| `{each.name}` | {each.kind} | {each.label or ''} | {each.meaning} |"
    assert row in page.read_text(encoding="utf-8")
