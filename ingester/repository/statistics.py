"""Statistics as answers: frozen, exact, and as of a moment. Pure.

A rate is None where it is undefined, that is, where nothing was sent (or replied) that it could be
a share of; it may exceed 1, since a mail can be opened more than once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Self


class Granularity(StrEnum):
    """The periods that `get_campaign_stats` knows."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Metrics:
    """The six counts of a campaign, a period, or any sum of them."""

    sent: int = 0
    opened: int = 0
    clicked: int = 0
    replied: int = 0
    positive_replies: int = 0
    bounced: int = 0

    @classmethod
    def total(cls, parts: Iterable["Metrics"]) -> Self:
        """Add up any number of them; none is all zero."""
        names = cls.names()
        sums = dict.fromkeys(names, 0)
        for part in parts:
            for name in names:
                sums[name] += getattr(part, name)
        return cls(**sums)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The counts, in their order everywhere."""
        return tuple(field.name for field in fields(cls))

    @property
    def open_rate(self) -> float | None:
        """Opened per sent."""
        return _share(self.opened, self.sent)

    @property
    def click_rate(self) -> float | None:
        """Clicked per sent."""
        return _share(self.clicked, self.sent)

    @property
    def reply_rate(self) -> float | None:
        """Replied per sent."""
        return _share(self.replied, self.sent)

    @property
    def positive_rate(self) -> float | None:
        """Positive replies per reply."""
        return _share(self.positive_replies, self.replied)

    @property
    def bounce_rate(self) -> float | None:
        """Bounced per sent."""
        return _share(self.bounced, self.sent)


def _share(part: int, whole: int) -> float | None:
    # Corrections may leave a sum below zero for a while: no share of that either.
    return part / whole if whole > 0 else None


@dataclass(frozen=True, slots=True)
class CampaignStats:
    """One campaign over a range of UTC days, both included; None is no bound."""

    campaign_id: str
    start_date: date | None
    end_date: date | None
    metrics: Metrics
    as_of: datetime


@dataclass(frozen=True, slots=True)
class PeriodStats:
    """A period with data; `period_start` is UTC, on the calendar even where a range cuts it."""

    period_start: datetime
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class CampaignSeries:
    """One campaign's periods with data, in order; none for a campaign without data."""

    campaign_id: str
    periods: tuple[PeriodStats, ...] = ()

    @property
    def total(self) -> Metrics:
        """The sum of its periods."""
        return Metrics.total(period.metrics for period in self.periods)


@dataclass(frozen=True, slots=True)
class SeriesOfCampaigns:
    """Those asked for, each once, in the order asked; where all were, those with data, by id."""

    campaigns: tuple[CampaignSeries, ...]
    granularity: Granularity
    as_of: datetime


@dataclass(frozen=True, slots=True)
class AggregatedStats:
    """Several or all campaigns as one: their periods with data, in order."""

    periods: tuple[PeriodStats, ...]
    granularity: Granularity
    as_of: datetime

    def within(self, start_date: date | None, end_date: date | None) -> "AggregatedStats":
        """Those periods alone that start in a range of UTC days, both included."""
        first, last = start_date or date.min, end_date or date.max
        found = (each for each in self.periods if first <= each.period_start.date() <= last)
        return replace(self, periods=tuple(found))

    @property
    def total(self) -> Metrics:
        """The sum of the periods."""
        return Metrics.total(period.metrics for period in self.periods)


@dataclass(frozen=True, slots=True)
class CampaignTotals:
    """All that ever happened in a campaign, or in several; dates are UTC days, None: never."""

    campaign_id: str | None
    metrics: Metrics = Metrics()
    first_date: date | None = None
    last_date: date | None = None
    last_reply_date: date | None = None
    last_positive_reply_date: date | None = None
    last_activity: datetime | None = None


@dataclass(frozen=True, slots=True)
class TotalsOfCampaigns:
    """Those asked for, each once, in the order asked."""

    campaigns: tuple[CampaignTotals, ...]
    as_of: datetime

    @property
    def total(self) -> CampaignTotals:
        """All of them as one, without a campaign_id."""
        each = self.campaigns
        return CampaignTotals(
            None,
            Metrics.total(one.metrics for one in each),
            min((one.first_date for one in each if one.first_date), default=None),
            max((one.last_date for one in each if one.last_date), default=None),
            max((one.last_reply_date for one in each if one.last_reply_date), default=None),
            max(
                (one.last_positive_reply_date for one in each if one.last_positive_reply_date),
                default=None,
            ),
            max((one.last_activity for one in each if one.last_activity), default=None),
        )


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign that has been heard of; days and time are None until its first events count."""

    campaign_id: str
    first_date: date | None
    last_date: date | None
    last_activity: datetime | None


@dataclass(frozen=True, slots=True)
class CampaignPage:
    """Campaigns by id; `next_after` asks for the page after this one, None: there is none."""

    campaigns: tuple[Campaign, ...]
    next_after: str | None
    as_of: datetime
