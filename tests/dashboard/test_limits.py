"""What the dashboard may not: ask for too much, write, or know more than its login."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.dashboard.site import Dashboard, Site

STATS_ROWS_MAX = 10_000
"""As docs/operations.md says."""


_TRAP = """
    CREATE FUNCTION written() RETURNS boolean LANGUAGE sql AS $$
        INSERT INTO campaigns (campaign_id) VALUES ('w') ON CONFLICT DO NOTHING RETURNING true
    $$;
    ALTER TABLE ingest_batches RENAME TO kept_batches;
    CREATE VIEW ingest_batches AS SELECT kept_batches.* FROM written(), kept_batches;
"""


@pytest.fixture
def owned(site: Site, database_url: str) -> Iterator[Dashboard]:
    """A dashboard that logs in as the owner of a database with a row more than may be asked for."""
    with psycopg.connect(database_url) as owner:
        owner.execute("INSERT INTO campaigns (campaign_id) VALUES ('c')")
        owner.execute(
            "INSERT INTO campaign_daily_rollup (campaign_key, event_date, sent, last_activity)"
            " SELECT campaign_key, day::date, 1, day FROM campaigns,"
            " generate_series(timestamp '1990-01-01', '1990-01-01'::date + %s, '1 day') AS day",
            [STATS_ROWS_MAX],
        )
    dashboard = Dashboard(site.ingester, DATABASE_URL=database_url)
    yield dashboard
    dashboard.running.end()


def test_more_rows_than_a_page_can_hold_are_refused_and_one_less_is_told(owned: Dashboard) -> None:
    refused = owned.ask("/api/stats")
    assert refused.code == 422
    assert "more than 10000 rows" in refused.json["detail"]
    told = owned.ask("/api/stats", {"from": "1990-01-02"})
    assert len(told.json["rows"]) == STATS_ROWS_MAX


def test_a_login_that_may_write_is_warned_of_and_cannot(
    site: Site, database_url: str, owned: Dashboard
) -> None:
    assert owned.running.log.named("dashboard_login_may_write")
    assert not site.dashboard.running.log.named("dashboard_login_may_write")
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(_TRAP)
        for path in ("/api/campaigns", "/api/operations"):
            assert owned.ask(path).code == 503, path
        assert owner.execute("SELECT campaign_id FROM campaigns").fetchall() == [("c",)]
