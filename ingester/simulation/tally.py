"""What was published, counted as the statistics count it, to be compared with what was stored."""

from collections import Counter
from typing import Any, Final

from ingester.event import EventType
from ingester.simulation.event import rfc3339
from ingester.simulation.stream import Outcome, SimulatedRecord

METRICS: Final = {
    EventType.SENT: "sent",
    EventType.OPENED: "opened",
    EventType.CLICKED: "clicked",
    EventType.REPLIED: "replied",
    EventType.POSITIVE_REPLY: "positive_replies",
    EventType.BOUNCED: "bounced",
}
"""Event types and the columns of the statistics' views that sum up their counts."""


class Tally:
    """Counts of records by what must become of them, and the sums of the events to be inserted."""

    def __init__(self) -> None:
        """Start at zero."""
        self.outcomes: Counter[Outcome] = Counter()
        self.reasons: Counter[str] = Counter()
        self.totals: Counter[str] = Counter()
        self.campaigns: set[str] = set()
        self.first_us: int | None = None
        self.last_us: int | None = None

    @property
    def published(self) -> int:
        """All records counted."""
        return self.outcomes.total()

    @property
    def duplicates(self) -> int:
        """Records that repeat an earlier event, the conflicting ones included."""
        return self.outcomes[Outcome.DUPLICATE] + self.outcomes[Outcome.CONFLICTING]

    def add(self, record: SimulatedRecord) -> None:
        """Count one published record."""
        self.outcomes[record.outcome] += 1
        if record.reason is not None:
            self.reasons[record.reason.value] += 1
        if record.event is None or record.outcome is not Outcome.INSERTED:
            return
        event = record.event
        self.totals[METRICS[event.event_type]] += event.count
        self.campaigns.add(event.campaign_id)
        at_us = event.occurred_us
        self.first_us = at_us if self.first_us is None else min(self.first_us, at_us)
        self.last_us = at_us if self.last_us is None else max(self.last_us, at_us)

    def as_json(self) -> dict[str, Any]:
        """Return the counts as JSON; `totals` and times are those of the events to be inserted."""
        return {
            "published": self.published,
            "unique": self.outcomes[Outcome.INSERTED],
            "duplicates": self.duplicates,
            "conflicting": self.outcomes[Outcome.CONFLICTING],
            "rejected": self.outcomes[Outcome.REJECTED],
            "rejected_by_reason": dict(sorted(self.reasons.items())),
            "totals": {metric: self.totals[metric] for metric in METRICS.values()},
            "campaigns": len(self.campaigns),
            "first_occurred_at": None if self.first_us is None else rfc3339(self.first_us),
            "last_occurred_at": None if self.last_us is None else rfc3339(self.last_us),
        }
