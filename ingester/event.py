"""The event contract: what a producer may publish, as one pydantic model.

The model is the single source of truth: the decoder's fast path is an optimisation that must agree
with it (held by a property test), and the published JSON Schema is generated from it. This module
knows nothing of Kafka or PostgreSQL.
"""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Self
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

COUNT_MAX: Final = 2**31 - 1
"""PostgreSQL's integer, the type of `campaign_events.event_count`."""
METADATA_BYTES_MAX: Final = 16 * 1024
VALUE_BYTES_MAX: Final = 1024 * 1024
DEPTH_MAX: Final = 64
"""Nesting levels of a value; far above what metadata needs, far below any parser's stack."""

REPLAY_TAG: Final = bytes.fromhex("8ca39a17")
"""Bytes 6 to 9 of a replayed event's UUIDv8: version 8, variant 10, and 26 fixed bits of ours."""

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
# RFC 3339, section 5.6, without leap seconds: neither Python nor PostgreSQL can keep one.
_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?"
    r"(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)


class EventType(StrEnum):
    """What happened to a mail of the campaign."""

    SENT = "sent"
    OPENED = "opened"
    CLICKED = "clicked"
    REPLIED = "replied"
    POSITIVE_REPLY = "positive_reply"
    BOUNCED = "bounced"


def is_replay_id(event_id: bytes) -> bool:
    """Whether the 16 bytes of an event id carry the tag of the legacy replay."""
    return event_id[6:10] == REPLAY_TAG


def parse_uuid(text: str) -> UUID:
    """Read the 36-character hyphenated form and no other; raises ValueError."""
    if _UUID.fullmatch(text) is None:
        raise ValueError("is not a UUID in its 36-character form")
    return UUID(text)


def parse_rfc3339(text: str) -> datetime:
    """Read an RFC 3339 time with an offset as UTC, cut to the microsecond; raises ValueError."""
    if _RFC3339.fullmatch(text) is None:
        raise ValueError("is not an RFC 3339 time with an offset")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError:
        raise ValueError("lies outside the calendar in UTC") from None


def _uuid(value: object) -> object:
    return parse_uuid(value) if isinstance(value, str) else value


def _time(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("is not a string")  # noqa: TRY004 - pydantic collects ValueError
    return parse_rfc3339(value)


def _no_nul(value: object) -> object:
    if isinstance(value, str) and "\0" in value:
        raise ValueError("contains a NUL character")
    return value


Identifier = Annotated[str, Field(min_length=1, max_length=255), BeforeValidator(_no_nul)]


class CampaignEvent(BaseModel):
    """One campaign event, as the value of a record of the topic `campaign-events`.

    The record's key is the campaign_id in UTF-8, so that a campaign's events keep their order.
    Publishing an event again, with the same event_id, campaign_id and occurred_at, changes nothing.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    event_id: Annotated[UUID, BeforeValidator(_uuid)] = Field(
        description="Identity of the event, kept across retries; UUIDv7 recommended."
    )
    campaign_id: Identifier = Field(description="Any text but NUL; compared byte by byte.")
    event_type: EventType
    occurred_at: Annotated[
        AwareDatetime,
        BeforeValidator(_time),
        WithJsonSchema({"type": "string", "format": "date-time", "pattern": _RFC3339.pattern}),
    ] = Field(
        description="RFC 3339 with an offset, kept to the microsecond; inside the accepted window."
    )
    count: Annotated[int, Field(ge=-COUNT_MAX, le=COUNT_MAX)] = Field(
        default=1, description="How many of them happened; negative only in a correction, never 0."
    )
    correction: bool = Field(
        default=False, description="Only for events whose id carries the tag of the legacy replay."
    )
    email_account_id: Identifier | None = None
    metadata: dict[str, Any] | None = Field(
        default=None, description="A JSON object of at most 16 KiB, kept as it is."
    )

    @model_validator(mode="after")
    def _count_fits_correction(self) -> Self:
        if self.correction and not is_replay_id(self.event_id.bytes):
            raise ValueError("correction is accepted only with a replay-tagged event_id")
        if self.count == 0 or (self.count < 0 and not self.correction):
            raise ValueError("count must be 1 or more")
        return self
