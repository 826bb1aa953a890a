"""What is answered, as OpenAPI shows it. Numbers are exact; times are UTC. Pure."""

from datetime import date, datetime
from typing import Any, Final, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ingester import repository
from ingester.event import EventType
from ingester.repository import Campaign, CampaignTotals, Granularity, Metrics, StoredEvent


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class Numbers(_Answer):
    """Six counts and five rates; a rate is null where nothing is there that it is a share of."""

    sent: int
    opened: int
    clicked: int
    replied: int
    positive_replies: int
    bounced: int
    open_rate: float | None
    click_rate: float | None
    reply_rate: float | None
    positive_rate: float | None
    bounce_rate: float | None

    @classmethod
    def of(cls, metrics: Metrics, **more: Any) -> Self:
        """From the repository's; `more` are the fields of a subclass."""
        # Of checked parts: validating ten thousand rows again takes longer than reading them.
        values: dict[str, Any] = {name: getattr(metrics, name) for name in _NAMES}
        return cls.model_construct(None, **values, **more)  # type: ignore[return-value]


_NAMES: Final = (
    *Metrics.names(),
    *("open_rate", "click_rate", "reply_rate", "positive_rate", "bounce_rate"),
)


class Totals(_Answer):
    """A range as one number each, and the range of the same length before it."""

    as_of: datetime = Field(description="Everything written before this moment is counted.")
    totals: Numbers
    previous: Numbers | None


class Period(Numbers):
    """One period that has data; it starts on the calendar even where the range cuts it."""

    period_start: datetime


class Trend(_Answer):
    """Periods with data, in order."""

    as_of: datetime
    by: Granularity
    periods: list[Period]


class Row(Numbers):
    """One campaign and period, as `get_campaign_stats` returns it."""

    campaign_id: str
    period_start: datetime


class Stats(_Answer):
    """Campaigns by period."""

    as_of: datetime
    by: Granularity
    rows: list[Row]


class Ranked(Numbers):
    """A campaign over the range."""

    campaign_id: str


class Top(_Answer):
    """The campaigns with the most, the first one first."""

    as_of: datetime
    campaigns: list[Ranked]


class Known(_Answer):
    """A campaign that has been heard of."""

    campaign_id: str
    first_date: date | None
    last_date: date | None
    last_activity: datetime | None

    @classmethod
    def of(cls, campaign: Campaign) -> Self:
        """From the repository's."""
        return cls(
            campaign_id=campaign.campaign_id,
            first_date=campaign.first_date,
            last_date=campaign.last_date,
            last_activity=campaign.last_activity,
        )


class Campaigns(_Answer):
    """A page by id; `next_after` asks for the next one."""

    as_of: datetime
    campaigns: list[Known]
    next_after: str | None


class Profile(Numbers):
    """All that ever happened in a campaign; all zero for one that nobody has heard of."""

    as_of: datetime
    campaign_id: str
    first_date: date | None
    last_date: date | None
    last_reply_date: date | None
    last_positive_reply_date: date | None
    last_activity: datetime | None

    @classmethod
    def of_totals(cls, totals: CampaignTotals, campaign_id: str, as_of: datetime) -> Self:
        """From the repository's."""
        return cls.of(
            totals.metrics,
            as_of=as_of,
            campaign_id=campaign_id,
            first_date=totals.first_date,
            last_date=totals.last_date,
            last_reply_date=totals.last_reply_date,
            last_positive_reply_date=totals.last_positive_reply_date,
            last_activity=totals.last_activity,
        )


class Event(_Answer):
    """One event; whom it concerns and its metadata are not shown here."""

    occurred_at: datetime
    event_id: UUID
    event_type: EventType
    count: int
    is_replayed: bool = Field(description="Whether it came from the legacy table.")

    @classmethod
    def of(cls, event: StoredEvent, **more: Any) -> Self:
        """From the repository's; `more` are the fields of a subclass."""
        return cls(**{name: getattr(event, name) for name in Event.model_fields}, **more)


class Events(_Answer):
    """A page, the newest first; `next_before` asks for the next one."""

    as_of: datetime
    events: list[Event]
    next_before: str | None


class LedgerRange(Numbers):
    """A range of the ledger that brought events to the number; its counts are of all campaigns."""

    batch_id: int
    topic: str | None
    partition: int | None
    first_offset: int | None
    next_offset: int | None
    ingested_at: datetime
    batches: int = Field(description="How many have been merged into this range.")
    events: int
    records: int
    inserted: int
    duplicates: int
    conflicting: int = Field(description="Duplicates that tell something else.")
    rejected: int

    @classmethod
    def of_range(cls, found: repository.LedgerRange) -> Self:
        """From the repository's."""
        names = cls.model_fields.keys() - Numbers.model_fields.keys()
        return cls.of(found.metrics, **{name: getattr(found, name) for name in names})


class ExplainedEvent(Event):
    """One event behind the number."""

    batch_id: int = Field(description="Which of the ranges brought it.")

    @classmethod
    def of_explained(cls, found: repository.ExplainedEvent) -> Self:
        """From the repository's."""
        return cls.of(found.event, batch_id=found.source.batch_id)


class Legacy(_Answer):
    """The old table's rows of the day; `table` is null where it has gone."""

    table: str | None
    rows: list[dict[str, Any]]
    problem: str | None


class Why(_Answer):
    """The events behind a campaign's day, and where they came from."""

    as_of: datetime
    shown: Numbers = Field(description="What the statistics say.")
    counted: Numbers = Field(description="The sum of the events.")
    events_total: int
    events: list[ExplainedEvent]
    next_after: str | None
    ranges: list[LedgerRange] = Field(
        description="The latest, and all that brought the page's events; `ranges_total` counts all."
    )
    ranges_total: int
    records: int = Field(description="In all ranges, of whatever campaign; as the next three.")
    duplicates: int
    conflicting: int
    rejected: int
    is_below_floor: bool = Field(description="Whether retention may have taken events.")
    legacy: Legacy | None = Field(description="Where the page's replayed events came from.")


class Rate(_Answer):
    """Ten seconds of ingestion."""

    since: datetime
    records: int
    inserted: int


class Partition(_Answer):
    """Progress in one partition; lag is null where Kafka could not tell."""

    topic: str
    partition: int
    next_offset: int
    lag: int | None
    records: int
    inserted: int
    duplicates: int
    conflicting: int
    rejected: int
    updated_at: datetime


class Freshness(_Answer):
    """How far the statistics are behind what is ingested."""

    seconds_behind: float
    unfolded_batches: int
    unfolded_events: int
    last_ingest: datetime | None
    last_refresh: datetime | None
    last_failure: datetime | None
    last_error: str | None


class Months(_Answer):
    """The monthly partitions of the events."""

    count: int
    first: date | None
    last: date | None
    months_ahead: int
    gaps: list[date]
    floor: date | None = Field(description="Events before this day have been dropped.")


class Rejects(_Answer):
    """Records that were not events."""

    reason_code: str
    state: str
    count: int


class Replay(_Answer):
    """How far the migration from the legacy table has come."""

    started_at: datetime
    cut_date: date
    ranges: int
    ranges_done: int
    events: int
    events_done: int


class Step(_Answer):
    """A step of the migration that was taken."""

    step: str
    taken_at: datetime
    times: int


class Operations(_Answer):
    """How the whole stands."""

    at: datetime
    records_per_second: float = Field(description="Over the last whole minute.")
    rate: list[Rate]
    lag: int | None
    lag_problem: str | None
    partitions: list[Partition]
    totals: dict[str, int]
    freshness: Freshness
    leaves: Months
    storage_bytes: dict[str, int]
    rejects: list[Rejects]
    replay: Replay | None
    migration_steps: list[Step]
