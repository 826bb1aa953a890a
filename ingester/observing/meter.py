"""Figures as Prometheus keeps them: the only module that imports prometheus_client.

One process keeps them in memory. The workers of a supervisor keep them in memory-mapped files of a
directory that the supervisor made (PROMETHEUS_MULTIPROC_DIR, read by prometheus_client when it is
imported): counts of a killed worker stay, and whoever serves the page adds them up. Gauges of a
worker that died are removed with `forget`, those that a living one no longer knows are NaN and not
shown.
"""

import os
import struct
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from ingester.observing.metric import METRICS, Kind, Metric

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series per counter says nothing

_DIRECTORY: Final = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
"""Bounds of the histograms: a COPY of 20,000 rows takes some 100 ms, an outage minutes."""

_READS_MAX: Final = 50
_READ_AGAIN_SECONDS: Final = 0.02

Samples = Mapping[tuple[str, str], float]
"""Value by (name, value of the label or an empty string)."""


class Figures(Collector):
    """Everything that is known now, as a page shows it and as health is judged by."""

    def __init__(self, source: Collector) -> None:
        self._source = source

    def collect(self) -> Iterable[Family]:
        """Families of samples, without what is not known any more."""
        for family in self._source.collect():
            family.samples = [each for each in family.samples if each.value == each.value]
            yield family

    def samples(self) -> Samples:
        """The same for health."""
        return {
            (sample.name, next(iter(sample.labels.values()), "")): sample.value
            for family in self.collect()
            for sample in family.samples
        }

    def text(self) -> bytes:
        """The same in Prometheus' text format."""
        return generate_latest(self)


class ProcessMeter:
    """Takes in the figures of this process; `worker` is the value of the label of that name."""

    def __init__(self, worker: str) -> None:
        registry = CollectorRegistry()
        self._worker = worker
        self._families = {metric: _family(metric, registry) for metric in METRICS}
        self.figures = Figures(registry)

    def add(self, metric: Metric, amount: float = 1.0, of: str | None = None) -> None:
        """Count; `of` is the label's value."""
        child = self._child(metric, of)
        if isinstance(child, Counter):
            child.inc(amount)

    def set(self, metric: Metric, value: float, of: str | None = None) -> None:
        """Say how it is now; NaN where it is not known any more."""
        child = self._child(metric, of)
        if isinstance(child, Gauge):
            child.set(value)

    def observe(self, metric: Metric, seconds: float, of: str | None = None) -> None:
        """Add one duration."""
        child = self._child(metric, of)
        if isinstance(child, Histogram):
            child.observe(seconds)

    def _child(self, metric: Metric, of: str | None) -> Counter | Gauge | Histogram:
        family = self._families[metric]
        if metric.label is None:
            return family
        return family.labels(self._worker if metric.label == "worker" else of or "")


def _family(metric: Metric, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    labels = [metric.label] if metric.label else []
    if metric.kind is Kind.COUNTER:
        return Counter(metric.name, metric.meaning, labels, registry=registry)
    if metric.kind is Kind.GAUGE:
        return Gauge(
            *(metric.name, metric.meaning, labels),
            registry=registry,
            # Of the workers that live, the one that spoke last knows best.
            multiprocess_mode="livemostrecent",
        )
    return Histogram(metric.name, metric.meaning, labels, buckets=_SECONDS, registry=registry)


class SharedFigures(Figures):
    """The figures of all workers of a supervisor; to be made before the first worker starts."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="ingester-metrics-")
        os.environ[_DIRECTORY] = self._directory.name
        super().__init__(_Files(Path(self._directory.name)))

    def forget(self, pid: int) -> None:
        """Drop the gauges of a worker that is gone; its counts stay."""
        multiprocess.mark_process_dead(pid, self._directory.name)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Remove the files."""
        os.environ.pop(_DIRECTORY, None)
        self._directory.cleanup()


class _Files(Collector):
    def __init__(self, directory: Path) -> None:
        self._files = multiprocess.MultiProcessCollector(  # type: ignore[no-untyped-call]
            None, str(directory)
        )

    def collect(self) -> Iterator[Family]:
        for left in reversed(range(_READS_MAX)):
            try:
                found = list(self._files.collect())  # type: ignore[no-untyped-call]
            except struct.error:
                # A worker that starts has made a file and not yet given it its size.
                if not left:
                    raise
                time.sleep(_READ_AGAIN_SECONDS)
            else:
                yield from found
                return
