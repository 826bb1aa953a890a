"""An event that an application is about to publish, and its bytes as the ingester will take them.

What leaves here has been judged by the ingester's own decoder, so that an event that would be
rejected fails where it was made. Pure.
"""

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from ingester.errors import InvalidEvent
from ingester.event import EventType
from ingester.outcomes import Rejected, Window
from ingester.strict import decode_strictly


def uuid7(unix_ms: int, random_bits: int) -> str:
    """Build a UUIDv7 of a Unix time and 74 random bits (RFC 9562, section 5.7)."""
    rand_a, rand_b = random_bits >> 62, random_bits & ((1 << 62) - 1)
    text = f"{unix_ms << 80 | 7 << 76 | rand_a << 64 | 2 << 62 | rand_b:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_event_id() -> UUID:
    """A UUIDv7 of now."""
    return UUID(uuid7(time.time_ns() // 1_000_000, secrets.randbits(74)))


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """What happened, as an application says it; the fields are those of the event contract.

    `event_id` is made once, with the object: publishing the same object again, after whatever
    error, publishes the same event, and the ingester counts it once. Whoever keeps events elsewhere
    before they are published (a table, a queue) keeps the id with them.
    """

    campaign_id: str
    event_type: EventType | str
    occurred_at: datetime
    count: int = 1
    email_account_id: str | None = None
    metadata: Mapping[str, Any] | None = None
    event_id: UUID = field(default_factory=new_event_id)

    @property
    def key(self) -> bytes:
        """The record's key; a campaign's events share a partition and keep their order."""
        return self.campaign_id.encode()

    def value(self, window: Window) -> bytes:
        """The record's value; raises InvalidEvent, with the reason code of the reject it would be.

        `window` is that of the ingester; its retention floor is known to the database alone.
        """
        document = {
            "event_id": str(self.event_id),
            "campaign_id": self.campaign_id,
            "event_type": self.event_type,
            "occurred_at": self.occurred_at.isoformat(),
            "count": self.count,
            "email_account_id": self.email_account_id,
            "metadata": None if self.metadata is None else dict(self.metadata),
        }
        given = {name: value for name, value in document.items() if value is not None}
        try:
            text = json.dumps(given, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            value = text.encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidEvent("invalid_json", str(error)) from None
        judged = decode_strictly(value, (), window)
        if isinstance(judged, Rejected):
            raise InvalidEvent(judged.reason.value, judged.detail)
        return value
