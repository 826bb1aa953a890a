"""Random questions about statistics, and what the rows of `get_campaign_stats` mean as answers."""

import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from ingester.repository import Metrics, PeriodStats
from tests.sql.history import GRANULARITIES, Row

CAMPAIGNS: Final = ["alpha", "Beta", "_g", "ß-delta", "omega 1"]
FIRST: Final = date(2023, 10, 20)
LAST: Final = date(2025, 12, 10)
Query = tuple[list[str] | None, date | None, date | None, str]


def random_query(rng: random.Random, number: int) -> Query:
    """Some, all or no campaigns, also repeated; bounds on edges of periods, or none."""

    def day() -> date | None:
        some = FIRST + timedelta(days=rng.randrange(-40, (LAST - FIRST).days + 40))
        edge = rng.choice([some.replace(day=1), some - timedelta(days=some.weekday())])
        return rng.choice([some, some, edge, None])

    start, end = day(), day()
    if start and end and start > end:
        start, end = end, start
    campaign_ids = rng.choice(
        [None, rng.choices([*CAMPAIGNS, "unknown"], k=rng.randrange(5)), [rng.choice(CAMPAIGNS)]]
    )
    return campaign_ids, start, end, GRANULARITIES[number % len(GRANULARITIES)]


def as_series(rows: Sequence[Row], campaign_ids: list[str] | None) -> dict[str, list[PeriodStats]]:
    """Rows of get_campaign_stats by campaign; those without data too, where they were asked for."""
    series: dict[str, list[PeriodStats]] = {campaign_id: [] for campaign_id in campaign_ids or ()}
    for campaign_id, period_start, *counts in rows:
        period = PeriodStats(period_start.replace(tzinfo=UTC), Metrics(*counts))
        series.setdefault(campaign_id, []).append(period)
    return series


def as_one(rows: Sequence[Row], granularity: str) -> list[tuple[Any, ...]]:
    """The same rows with all campaigns added up: (period_start, six counts)."""
    sums: dict[datetime, list[list[int]]] = defaultdict(list)
    for _, period_start, *counts in rows:
        sums[period_start.replace(tzinfo=UTC)].append(counts)
    if granularity == "all" and sums:
        sums = defaultdict(list, {min(sums): [counts for each in sums.values() for counts in each]})
    return [(start, *map(sum, zip(*sums[start], strict=True))) for start in sorted(sums)]
