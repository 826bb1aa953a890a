"""What a repository changes, and what became of it; see `question` for how it is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from ingester.new_event import NewEvent
from ingester.outcomes import EPOCH, Window
from ingester.repository.question import Ask, Question

_FOLD_BATCHES_MAX: Final = 32
_WINDOW_BACK: Final = timedelta(days=3_653)
_WINDOW_AHEAD: Final = timedelta(days=1)
"""The window of `add_campaign_events`, which knows no settings."""


@dataclass(frozen=True, slots=True)
class Added:
    """What became of events that were handed over.

    Through Kafka they are delivered, and what they are is found out when they are ingested: then
    the three numbers are None.
    """

    events: int
    inserted: int | None
    duplicates: int | None
    conflicting: int | None


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh folded."""

    batches: int
    events: int


def add_events(events: Sequence[NewEvent]) -> Question[Added]:
    """Write events without Kafka, all of them or none."""
    window = Window.around(datetime.now(UTC), _WINDOW_BACK, _WINDOW_AHEAD, EPOCH)
    array = b"[" + b",".join(event.value(window) for event in events) + b"]"
    (row,) = yield Ask("add_events", {"events": array.decode()})
    return Added(len(events), row["inserted"], row["duplicates"], row["conflicting"])


def refresh() -> Question[Refreshed]:
    """Fold what waits, in slices, each in a transaction of its own."""
    batches = events = 0
    while True:
        (row,) = yield Ask("fold", {"batches_max": _FOLD_BATCHES_MAX})
        batches += row["batches"]
        events += row["events"]
        if row["batches"] < _FOLD_BATCHES_MAX:
            return Refreshed(batches, events)


def create_partition(day: date) -> Question[str]:
    """Make the leaf of a day's month unless it exists; returns its name."""
    (row,) = yield Ask("create_leaf", {"month": day})
    (name,) = row.values()
    return str(name)


def cleanup_partitions(months_to_keep: int) -> Question[date | None]:
    """Drop the months before the last ones; returns the first day whose events are kept."""
    yield Ask("drop_old_leaves", {"months_to_keep": months_to_keep})
    (row,) = yield Ask("retention_floor")
    floor: date | None = row["floor_date"]
    return floor
