"""A touch with every field of the event contract, as its producer fills them in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final, Literal

from ingester.event import EventType
from ingester.new_event import uuid7
from ingester.simulation.campaign import Campaign
from ingester.simulation.life import Touch
from ingester.simulation.metadata import metadata
from ingester.simulation.plan import SECOND_US
from ingester.simulation.selection import Mixture

Document = dict[str, Any]

METADATA_SHARE: Final = 0.15
ACCOUNT_SHARE: Final = 0.8
_ID_OF_OCCURRENCE_SHARE: Final = 0.3
"""Event ids that carry the time of the event; the others carry the time of publishing."""
_REPEATED_OPENS_SHARE: Final = 0.03
_BULK_SENDS_SHARE: Final = 0.005

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_INDIA: Final = timedelta(hours=5, minutes=30)


@dataclass(frozen=True, slots=True)
class SimulatedEvent:
    """A valid event; `occurred_at` is exactly `occurred_us`, as its producer writes it."""

    event_id: str
    campaign_id: str
    event_type: EventType
    occurred_us: int
    occurred_at: str
    count: int
    email_account_id: str | None
    metadata: Document | None

    def document(self, *, count_shown: bool = True) -> Document:
        """Return the JSON object of the event contract; a count of 1 may be left out."""
        document: Document = {
            "event_id": self.event_id,
            "campaign_id": self.campaign_id,
            "event_type": self.event_type.value,
            "occurred_at": self.occurred_at,
        }
        if count_shown or self.count != 1:
            document["count"] = self.count
        if self.email_account_id is not None:
            document["email_account_id"] = self.email_account_id
        if self.metadata is not None:
            document["metadata"] = self.metadata
        return document


class Events:
    """Makes events of touches."""

    def __init__(self, campaigns: Sequence[Campaign], random: Random, *, whole_us: bool) -> None:
        """`whole_us` keeps every time to the microsecond, so that freshness can be measured."""
        self._campaigns = campaigns
        self._random = random
        self._times = _WHOLE_TIMES if whole_us else _TIMES

    def of(self, touch: Touch, occurred_us: int, published_us: int) -> SimulatedEvent:
        """Draw the details of a touch; its id carries one of the two times, as producers differ."""
        random = self._random
        campaign = self._campaigns[touch.campaign]
        occurred_us, occurred_at = self._times.draw(random)(occurred_us)
        id_us = occurred_us if random.random() < _ID_OF_OCCURRENCE_SHARE else published_us
        has_account = random.random() < ACCOUNT_SHARE
        return SimulatedEvent(
            event_id=uuid7(id_us // 1000, random.getrandbits(74)),
            campaign_id=campaign.campaign_id,
            event_type=touch.event_type,
            occurred_us=occurred_us,
            occurred_at=occurred_at,
            count=self._count(touch.event_type),
            # All touches of a mail belong to the account that sent it.
            email_account_id=campaign.accounts[touch.mail % len(campaign.accounts)]
            if has_account
            else None,
            metadata=metadata(touch, random) if random.random() < METADATA_SHARE else None,
        )

    def _count(self, event_type: EventType) -> int:
        chance = self._random.random()
        if event_type is EventType.OPENED and chance < _REPEATED_OPENS_SHARE:
            return 2 + self._random.getrandbits(2)
        if event_type is EventType.SENT and chance < _BULK_SENDS_SHARE:
            return 2 + self._random.getrandbits(5)
        return 1


def rfc3339(us: int) -> str:
    """Write a time in UTC, to the microsecond."""
    return f"{_iso(us)}Z"


def _iso(
    us: int,
    ahead: timedelta = timedelta(0),
    timespec: Literal["seconds", "milliseconds", "microseconds"] = "microseconds",
) -> str:
    return (_EPOCH + timedelta(microseconds=us) + ahead).isoformat(timespec=timespec)


# How times are written; what a form cannot hold is cut off, so each returns what is left.


def _utc(us: int) -> tuple[int, str]:
    return us, f"{_iso(us)}Z"


def _utc_offset(us: int) -> tuple[int, str]:
    return us, f"{_iso(us)}+00:00"


def _india(us: int) -> tuple[int, str]:
    return us, f"{_iso(us, ahead=_INDIA)}+05:30"


def _utc_milliseconds(us: int) -> tuple[int, str]:
    us -= us % 1000
    return us, f"{_iso(us, timespec='milliseconds')}Z"


def _utc_seconds(us: int) -> tuple[int, str]:
    us -= us % SECOND_US
    return us, f"{_iso(us, timespec='seconds')}Z"


_TIMES: Final = Mixture(
    {_utc: 0.80, _utc_offset: 0.08, _india: 0.04, _utc_milliseconds: 0.05, _utc_seconds: 0.03}
)
_WHOLE_TIMES: Final = Mixture({_utc: 0.87, _utc_offset: 0.08, _india: 0.05})
