"""A record without Kafka, and the values that the tests fill records with."""

import json
import uuid
from dataclasses import dataclass, field

from ingester.outcomes import Headers


@dataclass(frozen=True, slots=True)
class FakeRecord:
    """What the ingester asks of a record, from memory."""

    position: int
    content: bytes | None = b"{}"
    name: bytes | None = None
    header_list: list[tuple[str, str | bytes | None]] = field(default_factory=list)

    def offset(self) -> int:
        """Position in its partition."""
        return self.position

    def key(self) -> bytes | None:
        """Key as published."""
        return self.name

    def value(self) -> bytes | None:
        """Value as published."""
        return self.content

    def leader_epoch(self) -> int | None:
        """Leaders do not change here."""
        return 0

    def headers(self) -> list[tuple[str, str | bytes | None]] | None:
        """Headers as published."""
        return self.header_list


def headers_of(record: object) -> Headers:
    """The headers of a FakeRecord, as `ingester.kafka.headers_of` gives those of a real one."""
    found = record.headers() or [] if isinstance(record, FakeRecord) else []
    return [(name, v.encode() if isinstance(v, str) else v) for name, v in found]


def event_id(number: int) -> uuid.UUID:
    """The id of the test's n-th event."""
    return uuid.UUID(int=number, version=4)


def value_of(number: int, **fields: object) -> bytes:
    """The value of the test's n-th event; fields take the place of the usual ones."""
    usual = {
        "event_id": str(event_id(number)),
        "campaign_id": f"campaign-{number % 3}",
        "event_type": "sent",
        "occurred_at": "2024-05-06T07:08:09.123456Z",
    }
    return json.dumps(usual | fields).encode()
