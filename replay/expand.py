"""One row of the old table → one event per metric that is not zero; pure.

The id of an event is a function of what it stands for, so that publishing a row again publishes
the same events, which the ingester counts as duplicates. It is a UUIDv8 (RFC 9562, section 5.8):

    bytes 0-2     days from 2000-01-01 to stat_date: ids of one day are neighbours in an index
    bytes 6-9     REPLAY_TAG, with version and variant: replayed events can be told apart
    the rest      72 bits of BLAKE2b over revision, metric and row id

Revision 0 is the replay itself; corrections (`replay sync`) have revisions from 1 on. This module
knows neither Kafka nor PostgreSQL.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Final
from uuid import UUID

import orjson

from ingester.event import REPLAY_TAG, EventType

EVENT_TYPES: Final[Mapping[str, EventType]] = {
    "sent": EventType.SENT,
    "opened": EventType.OPENED,
    "clicked": EventType.CLICKED,
    "replied": EventType.REPLIED,
    "positive_replies": EventType.POSITIVE_REPLY,
    "bounced": EventType.BOUNCED,
}
"""The old table's metrics, in the order in which rows carry their values."""
METRICS: Final = tuple(EVENT_TYPES)

_EPOCH: Final = date(2000, 1, 1).toordinal()
_PERSON: Final = b"legacy-replay"
"""BLAKE2's personalisation: no other hash of ours can come out the same."""


@dataclass(frozen=True, slots=True)
class LegacyRow:
    """What a row of the old table says; `values` in the order of METRICS."""

    row_id: str
    campaign_id: str
    stat_date: date
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReplayEvent:
    """One event that stands for a metric of a row, or (`correction`) for a change of it."""

    event_id: UUID
    campaign_id: str
    metric: str
    stat_date: date
    count: int
    correction: bool = False

    def key(self) -> bytes:
        """The record's key."""
        return self.campaign_id.encode()

    def value(self) -> bytes:
        """The record's value: one JSON object of the event contract."""
        event: dict[str, Any] = {
            "event_id": self.event_id,
            "campaign_id": self.campaign_id,
            "event_type": EVENT_TYPES[self.metric],
            "occurred_at": f"{self.stat_date.isoformat()}T00:00:00Z",
            "count": self.count,
        }
        if self.correction:
            event["correction"] = True
        return orjson.dumps(event)


def event_id(row_id: str, metric: str, stat_date: date, revision: int = 0) -> UUID:
    """The id of the event for a metric of a row; dates before 2000 raise OverflowError.

    What is hashed has one reading: eight bytes, a word without NUL, a NUL, the row id.
    """
    hashed = _begun(metric, revision)
    hashed.update(row_id.encode())
    digest = hashed.digest()
    return UUID(bytes=_days(stat_date) + digest[:3] + REPLAY_TAG + digest[3:])


def _begun(metric: str, revision: int) -> hashlib.blake2b:
    """The hash of an id before the row's own is added."""
    framed = revision.to_bytes(8, "big") + metric.encode() + b"\0"
    return hashlib.blake2b(framed, digest_size=9, person=_PERSON)


def _days(stat_date: date) -> bytes:
    return (stat_date.toordinal() - _EPOCH).to_bytes(3, "big")


def records(row: LegacyRow) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of each event of a row, in the order of METRICS; none for a row of zeros.

    The same events as ReplayEvent writes them, hash and text put together by hand: at full scale
    there are hundreds of thousands, and objects for each would take most of a run's time.
    """
    day = _day_of(row.stat_date)
    row_id = row.row_id.encode()
    key = row.campaign_id.encode()
    campaign_id = orjson.dumps(row.campaign_id).decode()
    for count, (begun, event_type) in zip(row.values, _BEGUN, strict=True):
        if count:
            hashed = begun.copy()
            hashed.update(row_id)
            digest = hashed.hexdigest()
            value = (
                f'{{"event_id":"{day.number}{digest[:2]}-{digest[2:6]}-{_TAG}-{digest[6:]}",'
                f'"campaign_id":{campaign_id},"event_type":"{event_type}",'
                f'"occurred_at":"{day.text}T00:00:00Z","count":{count}}}'
            )
            yield key, value.encode()


_TAG: Final = f"{REPLAY_TAG.hex()[:4]}-{REPLAY_TAG.hex()[4:]}"
_BEGUN: Final = tuple(
    (_begun(metric, 0), event_type.value) for metric, event_type in EVENT_TYPES.items()
)
"""By metric: the hash of an id of the replay itself, as far as it is the same for all rows."""


@dataclass(frozen=True, slots=True)
class _Day:
    """What the events of a day share: the first bytes of their ids in hexadecimal, and the date."""

    number: str
    text: str


@cache
def _day_of(stat_date: date) -> _Day:
    return _Day(_days(stat_date).hex(), stat_date.isoformat())
