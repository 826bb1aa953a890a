"""What a store holds, as plain facts that a fake and a real one can be compared by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, Protocol
from uuid import UUID

from ingester.pipeline import Store

Identity = tuple[str, UUID, int]
"""campaign_id, event_id, occurred_at in µs since 2000-01-01."""
Told = tuple[str, int, str | None, object]
"""event_type, count, email_account_id, metadata as a tree."""
Counts = tuple[int, int, int, int, int]
"""records, inserted, duplicates, conflicting, rejected."""
Reject = tuple[int, int, str, bytes | None]
"""partition, offset, reason code, value."""
Entry = tuple[int, int, int, Counts]
"""partition, first offset, next offset, counts."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Everything that a store keeps of a topic."""

    events: Mapping[Identity, Told] = field(default_factory=dict)
    rejects: Sequence[Reject] = field(default_factory=list)
    positions: Mapping[int, int] = field(default_factory=dict)
    totals: Mapping[int, Counts] = field(default_factory=dict)
    ledger: Sequence[Entry] = field(default_factory=list)


class Backend(Protocol):
    """A place where events are stored, with as many stores on it as a test opens."""

    def open(self) -> Store:
        """A store of one more worker."""

    def stored(self) -> Stored:
        """What is stored now."""

    def raise_floor(self, first_day: date) -> None:
        """Let the retention floor rise; events below it are accepted no more."""

    def lose_reply(self, what: Literal["before", "after"]) -> None:
        """Let the next COMMIT get no answer: before it was carried out, or after."""
