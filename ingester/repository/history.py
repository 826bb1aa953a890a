"""Events one by one, a page at a time; pages go by key, so that none is skipped or shown twice."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

from ingester.errors import UsageError
from ingester.event import EventType, is_replay_id


@dataclass(frozen=True, slots=True)
class EventKey:
    """An event's place in the history of its campaign."""

    occurred_at: datetime
    event_id: UUID

    def __str__(self) -> str:
        """The key as text that may stand in a URL."""
        moment = self.occurred_at.astimezone(UTC).isoformat(timespec="microseconds")
        return f"{moment.removesuffix('+00:00')}Z_{self.event_id}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` gave; raises UsageError."""
        moment, _, identity = text.partition("_")
        try:
            return cls(datetime.fromisoformat(moment).astimezone(UTC), UUID(identity))
        except (ValueError, OverflowError):
            raise UsageError(f"{text[:80]!r} is not the key of an event") from None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event as it is stored; `email_account_id` and `metadata` only with details."""

    occurred_at: datetime
    event_id: UUID
    event_type: EventType
    count: int
    email_account_id: str | None = None
    metadata: dict[str, Any] | None = None

    @property
    def key(self) -> EventKey:
        """Its place."""
        return EventKey(self.occurred_at, self.event_id)

    @property
    def is_replayed(self) -> bool:
        """Whether it came from the legacy table."""
        return is_replay_id(self.event_id.bytes)


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events of a campaign, the newest first; `next_before` asks for the page after this one."""

    campaign_id: str
    events: tuple[StoredEvent, ...]
    next_before: EventKey | None
    as_of: datetime
