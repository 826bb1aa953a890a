"""What may be asked: ranges, periods, metrics and pages, checked before anything is read. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Final

from fastapi import Depends, HTTPException, Query

from ingester.repository import EventKey, Granularity

HOURS_DAYS_MAX: Final = 31
"""Hours are counted from the events themselves; a longer range of them is asked by day."""
PAGE_ROWS_MAX: Final = 1_000
STATS_ROWS_MAX: Final = 10_000
CAMPAIGNS_MAX: Final = 200
"""Of one question: an address has its length."""

DAY_MIN: Final = date(1970, 1, 1)
DAY_MAX: Final = date(9999, 12, 30)


class Metric(StrEnum):
    """What campaigns are ranked by."""

    SENT = "sent"
    OPENED = "opened"
    CLICKED = "clicked"
    REPLIED = "replied"
    POSITIVE_REPLIES = "positive_replies"
    BOUNCED = "bounced"


class Format(StrEnum):
    """How rows are answered."""

    JSON = "json"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class Range:
    """UTC days, both included; None is no bound."""

    first: date | None
    last: date | None

    @property
    def length(self) -> float:
        """Days; infinite where there is no bound."""
        if self.first is None or self.last is None:
            return math.inf
        return (self.last - self.first).days + 1

    @property
    def before(self) -> "Range | None":
        """The range of the same length that ends where this one begins."""
        if self.first is None or (self.first - DAY_MIN).days < self.length:
            return None
        return Range(self.first - timedelta(days=self.length), self.first - timedelta(days=1))

    def refuse_hours(self) -> None:
        """Raise 422 where so many hours are not counted."""
        if self.length > HOURS_DAYS_MAX:
            raise HTTPException(
                422, f"hours are counted over {HOURS_DAYS_MAX} days at most: narrow the range"
            )


Day = Annotated[date, Query(ge=DAY_MIN, le=DAY_MAX)]
CampaignId = Annotated[str, Query(min_length=1, max_length=255, description="Campaign id.")]
CampaignIds = Annotated[
    list[Annotated[str, Query(min_length=1, max_length=255)]] | None,
    Query(max_length=CAMPAIGNS_MAX, description="Campaign id; several may be given. None: all."),
]
PageRows = Annotated[int, Query(ge=1, le=PAGE_ROWS_MAX, description="Rows of a page.")]
Key = Annotated[str | None, Query(max_length=100, description="Where the page before ended.")]


def _range(
    first: Annotated[Day | None, Query(alias="from", description="First UTC day.")] = None,
    last: Annotated[Day | None, Query(alias="to", description="Last UTC day.")] = None,
) -> Range:
    if first is not None and last is not None and first > last:
        raise HTTPException(422, f"the range begins on {first} and ends on {last}, before it")
    return Range(first, last)


InRange = Annotated[Range, Depends(_range)]


def event_key(text: str | None) -> EventKey | None:
    """Read a key as a page gave it; UsageError for another text."""
    return None if text is None else EventKey.parse(text)


def checked(
    campaigns: Sequence[str] | None, days: Range, by: Granularity
) -> tuple[str, ...] | None:
    """The campaigns, where this much may be asked."""
    if by is Granularity.HOUR:
        days.refuse_hours()
    return None if campaigns is None else tuple(campaigns)
