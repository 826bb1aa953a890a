"""What the dashboard may not: ask for too much, write, or know more than its login."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.dashboard.site import Dashboard, Site
from tests.databases import Databases

STATS_ROWS_MAX = 10_000
"""As docs/operations.md says."""


@pytest.fixture(scope="module")
def owned(site: Site, databases: Databases) -> Iterator[Dashboard]:
    """A dashboard that logs in as the owner of a database with a row more than may be asked for."""
    name = databases.migrated()
    with psycopg.connect(databases.url_of(name)) as owner:
        owner.execute("INSERT INTO campaigns (campaign_id) VALUES ('c')")
        owner.execute(
            "INSERT INTO campaign_daily_rollup (campaign_key, event_date, sent, last_activity)"
            " SELECT campaign_key, day::date, 1, day FROM campaigns,"
            " generate_series(timestamp '1990-01-01', '1990-01-01'::date + %s, '1 day') AS day",
            [STATS_ROWS_MAX],
        )
    dashboard = Dashboard(site.ingester, DATABASE_URL=databases.url_of(name))
    yield dashboard
    dashboard.running.end()
    databases.drop(name)


def test_more_rows_than_a_page_can_hold_are_refused_and_one_less_is_told(owned: Dashboard) -> None:
    refused = owned.ask("/api/stats")
    assert refused.code == 422
    assert "more than 10000 rows" in refused.json["detail"]
    told = owned.ask("/api/stats", {"from": "1990-01-02"})
    assert len(told.json["rows"]) == STATS_ROWS_MAX
