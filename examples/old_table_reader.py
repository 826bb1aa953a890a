"""For callers of the old table: its rows, read from the new statistics.

An application that used to SELECT from campaign_daily_stat_entries through a class of its own puts
this one in its place. (SQL that names the table needs nothing: after the cutover a view bears the
old name.) Days without events have no row, where the old table had one of zeros; `with_zeros` adds
them.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta

from ingester.repository import CampaignEventReader, Metrics, PostgresRepository


@dataclass(frozen=True)
class DailyStatEntry:
    """A row as the old table had it."""

    campaign_id: str
    stat_date: date
    sent: int
    opened: int
    clicked: int
    replied: int
    positive_replies: int
    bounced: int


class OldTableReader:
    """The old reader's methods, over any repository."""

    def __init__(self, repository: CampaignEventReader) -> None:
        self._repository = repository

    def find_by_campaigns(
        self, campaign_ids: list[str], start: date, end: date, *, with_zeros: bool = False
    ) -> Iterator[DailyStatEntry]:
        """Rows of some campaigns, both dates included, by campaign and day."""
        answer = self._repository.get_stats_for_campaigns(campaign_ids, start, end, "day")
        for campaign in answer.campaigns:
            days = {each.period_start.date(): each.metrics for each in campaign.periods}
            if with_zeros:
                span = (start + timedelta(days=n) for n in range((end - start).days + 1))
                days = {day: days.get(day, Metrics()) for day in span}
            for day, metrics in days.items():
                yield DailyStatEntry(campaign.campaign_id, day, **asdict(metrics))


if __name__ == "__main__":
    today = datetime.now(UTC).date()
    with PostgresRepository.connect() as repository:
        reader = OldTableReader(repository)
        for entry in reader.find_by_campaigns(
            ["spring-sale"], today - timedelta(days=2), today, with_zeros=True
        ):
            print(entry)
