"""Every metric of the system, as a closed list: name, kind, meaning, label.

Units stand at the end of the names, as Prometheus wants them. A new metric is added here and
nowhere else; `docs/operations.md` shows this list. (The idea: arroyo's `utils/metric_defs.py`.)
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol


class Kind(StrEnum):
    """How a metric may change."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; `label` names what its values are told apart by.

    The value of the label `worker` is the worker that measures; the others are given.
    """

    name: str
    kind: Kind
    meaning: str
    label: str | None = None


def _counter(name: str, meaning: str, label: str | None = None) -> Metric:
    return Metric(f"ingester_{name}_total", Kind.COUNTER, meaning, label)


def _gauge(name: str, meaning: str, label: str | None = None) -> Metric:
    return Metric(f"ingester_{name}", Kind.GAUGE, meaning, label)


RECORDS: Final = _counter(
    "records", "Records of committed batches: events + duplicates + rejected."
)
EVENTS: Final = _counter("events_inserted", "Events that became rows.")
DUPLICATES: Final = _counter("duplicates", "Records whose event was stored already.")
REJECTED: Final = _counter("rejected", "Records that break the contract, by reason.", "reason")
BATCHES: Final = _counter("batches", "Committed transactions.")
REFUSED: Final = _counter(
    "positions_refused", "Slices refused because another consumer had moved on."
)
STAGE_SECONDS: Final = Metric(
    "ingester_batch_stage_seconds",
    Kind.HISTOGRAM,
    "How long each stage of a batch takes; see ingester/stage.py.",
    "stage",
)
RETRIES: Final = _counter("retries", "Attempts that failed for a passing reason.")
OUTAGE_TOTAL: Final = _counter("outage_seconds", "Time spent in outages so far.")
OUTAGE: Final = _gauge(
    "outage_age_seconds",
    "Alarm: how long the writer has been trying in vain, as of its last attempt; 0 when well.",
    "worker",
)
REBALANCES: Final = _counter(
    "rebalances", "What the group decided: assigned, revoked, lost.", "kind"
)
RESTARTS: Final = _counter(
    "partition_restarts", "Partitions read anew because they had stalled without an error."
)
LAST_COMMIT: Final = _gauge(
    "last_commit_timestamp_seconds", "When this worker last committed a batch.", "worker"
)
LOOP: Final = _gauge("loop_timestamp_seconds", "When the main loop last turned.", "worker")
JOINED: Final = _gauge("joined", "1 while this worker is a member of the group.", "worker")
LAG: Final = _gauge(
    "lag", "Records and markers after the stored offset, of partitions owned here.", "partition"
)
STALLED: Final = _gauge(
    "stalled", "1 where there is lag and the stored offset has not moved for long.", "partition"
)
OFFSET_GAP: Final = _gauge(
    "offset_gap", "Offsets that the topic deleted before they were stored.", "partition"
)
KAFKA_UP: Final = _gauge("kafka_up", "1 where the last look at the topic succeeded.", "worker")
DATABASE_UP: Final = _gauge(
    "database_up", "1 where the last look at the database succeeded.", "worker"
)
MONTHS_AHEAD: Final = _gauge(
    "partition_months_ahead",
    "Months after this one with a partition, without a gap; -1 where this one has none.",
)
FRESHNESS: Final = _gauge(
    "freshness_seconds", "Age of the oldest stored event that is not in the statistics; 0 if none."
)
LAST_REFRESH: Final = _gauge(
    "last_refresh_timestamp_seconds", "When a refresh last folded something."
)
REFRESH_FAILURES: Final = _counter("refresh_failures", "Refreshes of this process that failed.")
FOLDED: Final = _counter("batches_folded", "Ledger rows folded into the statistics.")

METRICS: Final = (
    *(RECORDS, EVENTS, DUPLICATES, REJECTED, BATCHES, REFUSED, STAGE_SECONDS),
    *(RETRIES, OUTAGE_TOTAL, OUTAGE, REBALANCES, RESTARTS, LAST_COMMIT, LOOP, JOINED),
    *(LAG, STALLED, OFFSET_GAP, KAFKA_UP, DATABASE_UP),
    *(MONTHS_AHEAD, FRESHNESS, LAST_REFRESH, REFRESH_FAILURES, FOLDED),
)


class Meter(Protocol):
    """Takes figures in; see `ingester.observing.meter`."""

    def add(self, metric: Metric, amount: float = 1.0, of: str | None = None) -> None:
        """Count; `of` is the label's value."""

    def set(self, metric: Metric, value: float, of: str | None = None) -> None:
        """Say how it is now; NaN where it is not known any more."""

    def observe(self, metric: Metric, seconds: float, of: str | None = None) -> None:
        """Add one duration."""


class Unmetered:
    """Nobody wants to know: the meter of tests and of processes without a metrics port."""

    def add(self, metric: Metric, amount: float = 1.0, of: str | None = None) -> None:
        """Nothing."""

    def set(self, metric: Metric, value: float, of: str | None = None) -> None:
        """Nothing."""

    def observe(self, metric: Metric, seconds: float, of: str | None = None) -> None:
        """Nothing."""
