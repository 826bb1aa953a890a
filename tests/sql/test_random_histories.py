"""Whatever happens in whatever order: roll-up = GROUP BY, and the books balance.

A history is drawn from its number, so that a failing one can be run again by its id. How many are
run is HISTORIES in the environment (default 12); every one that ever failed is kept below.
"""

import os
import random
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from psycopg.types.json import Jsonb

from tests.sql.history import (
    EVENT_TYPES,
    GRANULARITIES,
    Event,
    History,
    months_ago,
    random_events,
    replay_id,
    utc_today,
)

STEPS_EACH: Final = 24
CAMPAIGNS: Final = ["a", "b", "c"]
MONTHS: Final = 7
ONCE_FAILED: Final[list[int]] = []


class Life:
    """Draws what happens next to one history."""

    def __init__(self, history: History, rng: random.Random) -> None:
        self.history = history
        self.rng = rng
        self.months_kept = MONTHS

    def step(self) -> str:
        """Let one thing happen; returns what."""
        happenings: list[tuple[Callable[[], object], int]] = [
            (self.ingest, 6),
            (self.publish_again, 3),
            (self.late, 3),
            (self.add_without_kafka, 3),
            (self.refresh, 5),
            (self.rebuild, 2),
            (self.merge, 2),
            (self.summarize, 1),
            (self.drop_months, 1),
        ]
        (chosen,) = self.rng.choices(
            [happening for happening, _ in happenings], [weight for _, weight in happenings]
        )
        chosen()
        return chosen.__name__

    def events(self, months: int, count: int) -> list[Event]:
        """Events of the last months, never below the floor."""
        first = months_ago(min(months, self.months_kept) - 1)
        return random_events(self.rng, CAMPAIGNS, first, utc_today(), count)

    def ingest(self) -> None:
        """A batch of this month and the last."""
        self.history.ingest(
            self.events(2, self.rng.randint(0, 12)),
            partition=self.rng.randrange(2),
            rejected=self.rng.randint(1, 3),
        )

    def publish_again(self) -> None:
        """Repeats, some of which tell another story, among new events."""
        floor = datetime.combine(months_ago(self.months_kept - 1), datetime.min.time(), UTC)
        again = [
            replace(event, count=event.count + self.rng.choice([0, 0, 1]) * 10)
            for event in self.history.some_written(self.rng, 8)
            if event.occurred_at >= floor
        ]
        batch = [*again, *again[:2], *self.events(1, 2)]
        self.rng.shuffle(batch)
        self.history.ingest(batch, partition=self.rng.randrange(2))

    def late(self) -> None:
        """Events of any month, and corrections."""
        events = self.events(MONTHS, 6)
        taken_back = [
            replace(event, event_id=replay_id(self.rng), count=-self.rng.randint(1, 9))
            for event in events[:3]
        ]
        self.history.ingest([*events, *taken_back])

    def add_without_kafka(self) -> None:
        """The same through add_campaign_events, with a repeat."""
        events = [
            {
                "event_id": str(uuid.UUID(bytes=self.rng.randbytes(16))),
                "campaign_id": self.rng.choice(CAMPAIGNS),
                "event_type": self.rng.choice(EVENT_TYPES),
                "occurred_at": event.occurred_at.isoformat(),
                "count": abs(event.count),
            }
            for event in self.events(MONTHS, 4)
            if event.occurred_at < datetime.now(UTC) + timedelta(hours=20)
        ]
        self.history.query("SELECT * FROM add_campaign_events(%s)", Jsonb([*events, *events[:1]]))

    def refresh(self) -> None:
        """A fold of all or of a few batches."""
        self.history.refresh(self.rng.choice([None, 1, 2, 5]))

    def rebuild(self) -> None:
        """A rebuild of any range above the floor."""
        first = months_ago(self.months_kept - 1)
        days = (utc_today() - first).days
        start = first + timedelta(days=self.rng.randint(0, days))
        end = start + timedelta(days=self.rng.randint(0, 45))
        ((changed,),) = self.history.query(
            "SELECT changed FROM rebuild_campaign_stats(%s, %s)", start, end
        )
        assert changed == 0, "folding had left something wrong"

    def merge(self) -> None:
        """A merge of all folded ledger rows."""
        self.history.query("SELECT merge_ingest_batches(clock_timestamp())")

    def summarize(self) -> None:
        """New BRIN ranges."""
        self.history.query("SELECT summarize_campaign_events()")

    def drop_months(self) -> None:
        """Retention, one or two months shorter than before."""
        self.months_kept = max(1, self.months_kept - self.rng.randint(1, 2))
        self.history.connection.execute(
            "CALL drop_old_campaign_events_partitions(%s)", [self.months_kept]
        )


@pytest.mark.parametrize(
    "number", [*ONCE_FAILED, *range(1, 1 + int(os.environ.get("HISTORIES", "12")))]
)
def test_any_history_keeps_rollups_true_and_books_balanced(history: History, number: int) -> None:
    rng = random.Random(number)
    life = Life(history, rng)
    happened = []
    for _ in range(STEPS_EACH):
        happened.append(life.step())
        try:
            history.assert_statistics_are_true()
            history.assert_books_balance()
        except AssertionError as error:
            error.add_note(f"history {number}: {' → '.join(happened)}")
            raise
    history.refresh()
    history.assert_statistics_are_true()
    for granularity in GRANULARITIES:
        start = months_ago(life.months_kept - 1)
        told = history.query(
            "SELECT * FROM get_campaign_stats(NULL, %s, NULL, %s)", start, granularity
        )
        assert told == history.truth(None, start, None, granularity)
